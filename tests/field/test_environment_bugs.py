"""Proxies, keys, redirects, gateways, odd events: the rest of the fourth table.

See docs/field-bugs.md.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest

from client.colours import error_of, message, output_of, read, until, user
from client.forward_proxy import ForwardProxy
from field.support import Watched, ask, parents, reply, say, texts
from turnwire import (
    ConfigError,
    DialError,
    ProtocolError,
    TurnError,
    TurnInterrupted,
    UnansweredCalls,
)
from turnwire.testing import (
    Gate,
    Peer,
    Step,
    Turns,
    answer,
    call,
    error,
    redirect,
    silence,
    wait,
)
from turnwire.testing import (
    say as a_message,
)

if TYPE_CHECKING:
    from aiohttp import web
    from tests.field.conftest import Open

    from turnwire.testing.steps import ErrorShape

pytestmark = pytest.mark.io


@pytest.mark.parametrize("given", ["environment", "option"])
async def test_row_70_both_transports_go_through_the_same_proxy(
    open_client: Open, transport: str, given: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with Peer() as peer, ForwardProxy() as proxy:
        options = {"transport": transport}
        if given == "option":
            options["proxy"] = f"http://{proxy.place}"
        else:
            monkeypatch.setenv("HTTP_PROXY", f"http://{proxy.place}")
        async with open_client(peer, **options) as client:
            assert await reply(client) == "x"
        assert [head.split()[1] for head in proxy.heads] == [f"{peer.base_url}/responses"]
        monkeypatch.setenv("NO_PROXY", "127.0.0.1")
        options.pop("proxy", None)
        async with open_client(peer, **options) as client:
            assert await reply(client) == "x"
        assert len(proxy.heads) == 1


async def test_row_71_a_redirect_is_followed_within_the_server_alone(open_client: Open) -> None:
    async with Peer(handshake=[redirect("/v1/responses?moved=1")]) as peer:
        async with open_client(peer, transport="websocket") as client:
            assert await reply(client) == "x"
        assert dict(peer.connections[0].query) == {"moved": "1"}
        sent = [headers["Authorization"] for headers in peer.handshakes]
        assert sent == ["Bearer key", "Bearer key"]
    async with Peer() as other:
        elsewhere = redirect(f"{other.base_url}/responses")
        async with (
            Peer(handshake=elsewhere) as peer,
            open_client(peer, transport="websocket") as client,
        ):
            raised = await error_of(ask(client))
            assert (type(raised), raised.status) == (DialError, 302)
            assert (other.handshakes, other.posts) == ([], [])


async def test_row_72_a_key_may_travel_in_a_header_of_its_own(
    open_client: Open, transport: str
) -> None:
    headers = {"api-key": "azure"}
    async with (
        Peer() as peer,
        open_client(peer, transport=transport, api_key="", default_headers=headers) as client,
    ):
        assert await reply(client) == "x"
        seen = peer.handshakes[0] if peer.handshakes else peer.posts[0].headers
        assert (seen["api-key"], "Authorization" in seen) == ("azure", False)


@pytest.mark.parametrize("kind", ["function", "async function"])
async def test_row_73_a_key_is_asked_for_whenever_it_is_needed(
    open_client: Open, transport: str, kind: str
) -> None:
    keys = ["one", "two"]

    def next_key() -> str:
        return keys.pop(0)

    async def later() -> str:
        return keys.pop(0)

    options = {
        "transport": transport,
        "api_key": next_key if kind == "function" else later,
        "default_headers": {"X-Mine": "kept"},
    }
    async with Peer() as peer, open_client(peer, **options) as client:
        for text in "ab":
            assert await reply(client, text) == text
            if peer.connections:
                peer.connections[-1].drop()
                await until(lambda: client.statistics().sockets == 0)
        seen = peer.handshakes or [post.headers for post in peer.posts]
        sent = [(each["Authorization"], each["X-Mine"]) for each in seen]
        assert sent == [("Bearer one", "kept"), ("Bearer two", "kept")]


async def test_row_74_what_is_given_travels_and_what_is_not_does_not(
    open_client: Open, transport: str
) -> None:
    async with Peer() as peer, open_client(peer, transport=transport) as client:
        given = {"store": False, "temperature": 0.0, "metadata": None, "reasoning": None}
        await client.responses.create(model="m", input="x")
        await client.responses.create(model="m", input="x", **given)
        assert [message(create) for create in peer.creates] == [
            {"input": [user("x")]},
            {"store": False, "temperature": 0.0, "input": [user("x")]},
        ]
        assert b"null" not in b"".join([*_raw(peer)])


def _raw(peer: Peer) -> list[bytes]:
    return [data for each in (*peer.connections, *peer.posts) for data in _messages(each)]


def _messages(place: Any) -> list[bytes]:
    return place.raw if isinstance(place.raw, list) else [place.raw]


async def test_row_75_how_a_turn_travelled_and_why_can_always_be_read(open_client: Open) -> None:
    async def way(client: Any, **named: Any) -> tuple[str, str]:
        async with ask(client, **named) as turn:
            early = (turn.transport, turn.transport_reason.split(":")[0])
            await turn.get_final_response()
        late = (turn.transport, turn.transport_reason.split(":")[0])
        assert named.get("transport", "auto") == "auto" or early == late
        return late

    async with Peer() as peer, open_client(peer) as client:
        assert await way(client) == ("websocket", "preferred")
        assert await way(client, transport="websocket") == ("websocket", "requested")
        assert await way(client, transport="http") == ("http", "requested")
        assert (len(peer.connections), len(peer.posts)) == (1, 1)
    async with Peer(handshake=426) as peer, open_client(peer) as client:
        assert await way(client) == ("http", "fallback")
    async with Peer() as peer, open_client(peer, transport="http") as client:
        assert await way(client) == ("http", "requested")


async def test_row_76_a_warm_up_that_is_refused_changes_nothing(open_client: Open) -> None:
    refused = error("unsupported_parameter", param="generate")
    async with Peer(warm_up=[refused]) as peer, open_client(peer) as client:
        chain = client.chain(model="m")
        with pytest.raises(TurnError) as caught:
            await chain.warm_up()
        assert caught.value.param == "generate"
        turn = await say(chain, "a")
        assert (turn.response.output_text, parents(peer)) == ("a", [None, None])
        assert (texts(chain.history), peer.model_runs) == (["a", "a"], 1)


async def test_row_76_a_warm_up_is_never_taken_for_an_answer(open_client: Open) -> None:
    script = Watched()
    async with Peer(script) as peer, open_client(peer) as client:
        chain = client.chain(model="m", store=False)
        warm = await chain.warm_up("before")
        turn = await say(chain, "a")
        assert (warm.output, turn.response.output_text) == ([], "a")
        assert turn.response.id != warm.id
        assert script.seen == [["before", "a"]]
        assert (peer.warm_ups, peer.model_runs, peer.refusals) == (1, 1, [])


async def test_row_77_a_warm_up_that_was_cut_off_is_sent_again(open_client: Open) -> None:
    gate = Gate()
    async with Peer(warm_up=[wait(gate)]) as peer, open_client(peer, replay="never") as client:
        chain = client.chain(model="m", store=False)
        warming = asyncio.ensure_future(chain.warm_up("before"))
        await gate.wait_reached()
        peer.connections[0].drop()
        await peer.wait_until(lambda: peer.warm_ups == 2)
        gate.open()
        assert (await warming).output == []
        assert (await say(chain, "a")).chain_miss is None
        assert (peer.model_runs, peer.refusals) == (1, [])


async def test_row_77_without_sockets_nothing_is_warmed_up(open_client: Open) -> None:
    async with Peer(handshake=426) as peer:
        async with open_client(peer, transport="http") as client:
            with pytest.raises(ConfigError, match="only exists on a WebSocket"):
                await client.chain(model="m").warm_up()
            assert (peer.handshakes, peer.posts) == ([], [])
        async with open_client(peer) as client:
            chain = client.chain(model="m")
            with pytest.raises(DialError):
                await chain.warm_up()
            turn = await say(chain, "a")
            assert (turn.transport, turn.response.output_text) == ("http", "a")
            assert (peer.warm_ups, peer.model_runs) == (0, 1)


SHAPES: tuple[ErrorShape, ...] = ("nested", "flat", "status_code", "detail", "text")


@pytest.mark.parametrize("numbered", [True, False])
@pytest.mark.parametrize("shape", SHAPES)
async def test_row_78_an_error_of_any_shape_says_what_the_server_said(
    open_client: Open, shape: ErrorShape, *, numbered: bool
) -> None:
    step = error("bad", 418, message="Not today.", shape=shape, numbered=numbered)
    async with Peer(Turns([step], [answer("ok")])) as peer, open_client(peer) as client:
        raised = await error_of(ask(client))
        assert (type(raised), str(raised).startswith("Not today.")) == (TurnError, True)
        assert raised.status == (None if shape == "flat" else 418)
        assert raised.code == ("bad" if shape in ("nested", "flat", "status_code") else None)
        assert (await reply(client), len(peer.connections)) == ("ok", 1)


async def test_row_79_what_every_turn_cost_can_be_read(open_client: Open, transport: str) -> None:
    async with Peer() as peer, open_client(peer, transport=transport) as client:
        chain = client.chain(model="m")
        turns = [await say(chain, text) for text in ("a", "b b", "c c c")]
        # The peer counts an item that it read, and a piece that it wrote, as a token.
        used = [(turn.usage.input_tokens, turn.usage.output_tokens) for turn in turns]
        assert used == [(1, 1), (3, 2), (5, 3)]
        assert [turn.response_id for turn in turns] == ["resp_1", "resp_2", "resp_3"]
        counts = client.statistics()
        assert counts.sent_bytes == sum(turn.sent_bytes for turn in turns)
        assert (counts.turns, counts.completed) == (3, 3)


async def test_row_80_a_gateway_may_want_a_query(open_client: Open, transport: str) -> None:
    seen: list[dict[str, str]] = []

    def watch(request: web.Request) -> None:
        seen.append(dict(request.query))

    async with Peer(handshake=watch, posts=watch) as peer:
        url = f"{peer.base_url}?model=m&api-version=1"
        async with open_client(url, transport=transport) as client:
            assert [await reply(client, text) for text in "ab"] == ["a", "b"]
    asked = 1 if transport == "websocket" else 2
    assert seen == [{"model": "m", "api-version": "1"}] * asked


async def test_row_82_an_incomplete_answer_to_calls_destroys_nothing(open_client: Open) -> None:
    calls = [call("look", {}, call_id="c1"), call("hear", {}, call_id="c2")]
    async with Peer(Turns(calls, [answer("ok")])) as peer, open_client(peer) as client:
        chain = client.chain(model="m", store=False)
        await say(chain, "go")
        raised = await error_of(chain.turn([output_of("c1", "a cat")]))
        assert (type(raised), raised.call_ids) == (UnansweredCalls, ("c2",))
        assert chain.unanswered_calls == ["c1", "c2"]
        both = [output_of("c1", "a cat"), output_of("c2", "a purr")]
        turn = await say(chain, both)
        assert (turn.chain_miss, turn.response.output_text) == (None, "ok")
        assert message(peer.creates[1])["input"] == both
        assert (len(peer.connections), len(peer.creates), peer.refusals) == (1, 2, [])


GARBAGE = {
    "list": b"[]",
    "null": b"null",
    "number": b"1",
    "text": b'"response.completed"',
    "no type": b"{}",
    "odd type": b'{"type": 1}',
    "cut": b'{"type": "response.comp',
    "empty": b"",
}


@pytest.mark.parametrize("binary", [False, True])
@pytest.mark.parametrize("what", GARBAGE)
async def test_row_83_what_is_no_event_reaches_nobody(
    open_client: Open, what: str, *, binary: bool
) -> None:
    broken: list[Step] = [answer("a"), a_message(GARBAGE[what], binary=binary), silence()]
    script = Turns(broken, broken, [answer("ok")])
    async with Peer(script) as peer, open_client(peer, transport="websocket") as client:
        async with ask(client, replay="never") as turn:
            events, raised = await read(turn)
        assert (type(raised), type(raised.__cause__)) == (TurnInterrupted, ProtocolError)
        assert {type(event.type) for event in events} == {str}
        await peer.wait_until(lambda: not peer.connections[0].is_open)
        # Where nothing was shown, another socket is tried.
        assert (await reply(client), len(peer.connections)) == ("ok", 3)
