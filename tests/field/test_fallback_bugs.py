"""HTTP where sockets do not work: too late, for ever, or broken as well; and errors that say why.

See docs/field-bugs.md; these rows are of its third table.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

import pytest

from client.colours import error_of, until, user
from field.support import AT_ONCE, Watched, ask, behind, client_of, parents, reply, say, start
from turnwire import ConnectionLost, DialError, TurnError, TurnInterrupted
from turnwire.testing import (
    Create,
    Gate,
    Peer,
    Step,
    abort,
    answer,
    close,
    drop,
    error,
    refuse,
    silence,
    virtual_time,
    wait,
)
from turnwire.testing import say as a_message

if TYPE_CHECKING:
    from tests.field.conftest import Open

pytestmark = pytest.mark.io


def works_over_http_alone(create: Create) -> list[Step]:
    on_a_socket = create.connection is not None
    return [drop(after="response.created")] if on_a_socket else [answer(create.text)]


@virtual_time
async def test_row_50_a_proxy_that_swallows_upgrades_costs_one_dial() -> None:
    async with Peer(handshake=silence()) as peer, client_of(peer) as client:
        assert await reply(client, "a") == "a"
        assert 5.0 <= peer.clock.now < 6.0
        for text in ("b", "c"):
            assert await reply(client, text) == text
        assert peer.clock.now < 6.0
        assert (len(peer.handshakes), peer.model_runs) == (1, 3)


async def test_row_50_a_proxy_that_refuses_upgrades_costs_none_at_all(open_client: Open) -> None:
    async with Peer(handshake=403) as peer, open_client(peer) as client:
        assert [await reply(client, text) for text in "abc"] == ["a", "b", "c"]
        assert (len(peer.handshakes), len(peer.posts), peer.model_runs) == (1, 3, 3)
    async with Peer() as peer, open_client(peer, transport="http") as client:
        assert await reply(client) == "x"
        assert peer.handshakes == []


@virtual_time
async def test_row_51_sockets_that_die_under_every_turn_are_left_alone_for_a_while() -> None:
    async with (
        Peer(works_over_http_alone) as peer,
        client_of(peer, ping_interval=None, dial_backoff=AT_ONCE) as client,
    ):

        async def sockets_used() -> tuple[int, bool]:
            before = len(peer.connections)
            text = "went well"
            try:
                went_well = await reply(client, text) == text
            except TurnInterrupted:
                went_well = False
            return len(peer.connections) - before, went_well

        # The first turn is run twice at most; the third loss in a row is the last one.
        assert [await sockets_used() for _ in range(4)] == [
            *((2, False), (1, True)),
            *((0, True), (0, True)),
        ]
        for cooldown in (300.0, 600.0, 1_200.0, 1_200.0):
            peer.clock.advance(cooldown - 10.0)
            assert await sockets_used() == (0, True)
            peer.clock.advance(20.0)
            assert await sockets_used() == (1, True)  # the probe
        peer.script = lambda create: [answer(create.text)]
        peer.clock.advance(1_210.0)
        assert await sockets_used() == (1, True)
        posts = len(peer.posts)
        assert [await sockets_used() for _ in range(3)] == [(0, True)] * 3
        assert len(peer.posts) == posts


@virtual_time
async def test_row_52_what_was_learnt_about_sockets_outlives_them() -> None:
    async with (
        Peer(works_over_http_alone) as peer,
        client_of(peer, ping_interval=None, dial_backoff=AT_ONCE) as client,
    ):
        assert type(await error_of(ask(client))) is TurnInterrupted
        assert await reply(client) == "x"
        used = len(peer.handshakes)
        assert client.statistics().sockets == 0
        for _ in range(14):
            peer.clock.advance(20.0)
            health = client.health()
            assert (health.transport, health.state) == ("http", "open")
            assert "1006" in str(health.reason)
            assert await reply(client) == "x"
        assert len(peer.handshakes) == used


async def test_row_53_what_one_chain_learnt_about_sockets_all_know(open_client: Open) -> None:
    async with (
        Peer(works_over_http_alone, key="one") as peer,
        open_client(peer, api_key=lambda: peer.key) as client,
    ):
        chains = [client.chain(model="m") for _ in range(3)]
        assert type(await error_of(chains[0].turn("a"))) is TurnInterrupted
        assert (await say(chains[0], "a")).transport == "http"
        used = len(peer.connections)
        turns = [await say(chain, "b") for chain in chains]
        assert [turn.transport for turn in turns] == ["http"] * 3
        assert all(turn.transport_reason.startswith("fallback: ") for turn in turns)
        assert len(peer.connections) == used
        # Another credential may be let through.
        peer.key, peer.script = "two", lambda create: [answer(create.text)]
        await reply(client)
        assert behind(client).health().state == "closed"
        assert await reply(client, "c") == "c"
        assert len(peer.connections) == used + 1


@pytest.mark.parametrize("status", [403, 426])
async def test_row_56_a_way_around_is_no_error_in_the_log(
    open_client: Open, status: int, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "turnwire")
    async with Peer(handshake=status) as peer, open_client(peer) as client:
        for text in "abc":
            await reply(client, text)
        told = [(each.levelname, str(status) in each.getMessage()) for each in caplog.records]
        assert told == [("INFO", True)]


@pytest.mark.parametrize("status", [200, 400, 404, 405, 410, 426, 500, 501, 502, 503])
async def test_row_57_whatever_answers_an_upgrade_http_is_tried(
    open_client: Open, status: int
) -> None:
    async with Peer(handshake=status) as peer, open_client(peer) as client:
        async with ask(client, "a") as turn:
            assert (await turn.get_final_response()).output_text == "a"
        assert (turn.transport, turn.resends, turn.model_runs) == ("http", 0, 1)
        assert str(status) in turn.transport_reason
        used = len(peer.handshakes)
        assert used <= 3
        assert await reply(client, "b") == "b"
        assert (len(peer.handshakes), peer.model_runs) == (used, 2)


NO_ANSWERS = {
    "dropped": drop(),
    "reset": abort(),
    "no HTTP": a_message(b"SSH-2.0\r\n\r\n"),
    "half a handshake": a_message(b"HTTP/1.1 101 Switching Protocols\r\n\r\n"),
}


@pytest.mark.parametrize("what", NO_ANSWERS)
async def test_row_57_and_so_it_is_where_nothing_sensible_answers(
    open_client: Open, what: Any
) -> None:
    async with Peer(handshake=NO_ANSWERS[what]) as peer, open_client(peer) as client:
        async with ask(client, "a") as turn:
            assert (await turn.get_final_response()).output_text == "a"
        assert turn.transport_reason.startswith("fallback: ")
        assert await reply(client, "b") == "b"
        assert (len(peer.handshakes), peer.model_runs) == (1, 2)


async def test_row_58_a_forbidden_upgrade_need_not_mean_a_forbidden_turn(
    open_client: Open,
) -> None:
    async with Peer(handshake=403) as peer, open_client(peer) as client:
        async with ask(client, "a") as turn:
            assert (await turn.get_final_response()).output_text == "a"
        assert turn.transport_reason.startswith("fallback: ")
        assert "403" in turn.transport_reason
    async with Peer(handshake=403, posts=403) as peer, open_client(peer) as client:
        raised = await error_of(ask(client, "a"))
        assert (type(raised), raised.status, raised.retryable) == (TurnError, 403, False)
        assert (len(peer.handshakes), len(peer.posts), peer.model_runs) == (1, 1, 0)


async def test_row_59_the_way_around_carries_nothing_of_the_broken_one(open_client: Open) -> None:
    script = Watched()
    async with (
        Peer(script, handshake=[None, 426]) as peer,
        open_client(peer, lanes=True, max_sockets=1) as client,
    ):
        chain = client.chain(model="m", store=False, instructions="Be kind.")
        await say(chain, "a")
        peer.connections[0].drop()
        await until(lambda: client.statistics().sockets == 0)
        turn = await say(chain, "b")
        (post,) = peer.posts
        assert post.body == {
            "stream": True,
            "model": "m",
            "store": False,
            "instructions": "Be kind.",
            "input": [user("a"), *chain.history[1:2], user("b")],
        }
        assert turn.response.output_text == "b"
        assert (script.seen[1], parents(peer)) == (["a", "a", "b"], [None, None])


async def test_row_60_errors_say_what_was_seen_and_guess_nothing(open_client: Open) -> None:
    step = refuse(451, {"error": {"message": "Not here."}}, headers={"x-request-id": "req_1"})
    async with Peer(handshake=step) as peer, open_client(peer, transport="websocket") as client:
        raised = await error_of(ask(client))
        assert type(raised) is DialError
        assert str(raised).endswith("with HTTP 451: Not here.")
        assert (raised.status, raised.headers["x-request-id"]) == (451, "req_1")
        assert b"Not here." in raised.body
    script = [answer("a"), close(1008, "policy 7")]
    options = {"transport": "websocket", "replay": "never"}
    async with Peer(lambda _: script) as peer, open_client(peer, **options) as client:
        raised = await error_of(ask(client))
        cause = raised.__cause__
        assert (type(raised), type(cause)) == (TurnInterrupted, ConnectionLost)
        assert (cause.close_code, cause.close_reason) == (1008, "policy 7")
        assert "1008" in str(raised)
        assert "policy 7" in str(raised)
    refused = error("c", headers={"X-Request-Id": "req_2"})
    async with Peer(lambda _: [refused]) as peer, open_client(peer) as client:
        assert (await error_of(ask(client))).headers == {"x-request-id": "req_2"}


async def test_row_59_turns_that_waited_together_all_get_there(open_client: Open) -> None:
    gate = Gate()
    async with Peer(handshake=[wait(gate), 426, 426, 426]) as peer:
        peer.script = Watched()
        async with open_client(peer) as client:
            turns = [await start(client, text) for text in "abcd"]
            await gate.wait_reached()
            gate.open()
            responses = [await turn.get_final_response() for turn in turns]
            assert [each.output_text for each in responses] == list("abcd")
            assert peer.model_runs == 4
