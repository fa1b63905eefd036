"""Where sockets do not work: the same turns over HTTP, and a word about why."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

import pytest
from aiohttp import web

from client.colours import error_of, until
from turnwire import (
    Backoff,
    ChainMiss,
    DialError,
    DialTimeout,
    RequestTooLarge,
    TurnInterrupted,
    TurnwireError,
)
from turnwire.core.breaker import BreakerSettings
from turnwire.core.settings import PoolSettings
from turnwire.testing import Gate, Pair, Peer, Turns, answer, close, drop, refuse, wait

if TYPE_CHECKING:
    from tests.client.conftest import Open

pytestmark = pytest.mark.io

NO_PAUSE = Backoff((0.0,))


def ask(client: Any, text: Any = "x", **params: Any) -> Any:
    return client.responses.stream(model="m", input=text, **params)


async def done(turn: Any) -> str:
    async with turn:
        return (await turn.get_final_response()).output_text


def user(size_bytes: int) -> list[dict[str, Any]]:
    return [{"type": "message", "role": "user", "content": "x" * size_bytes}]


# Which way, and why.


async def test_sockets_are_preferred(open_client: Open) -> None:
    async with Peer() as peer, open_client(peer) as client:
        turn = ask(client)
        assert await done(turn) == "x"
        assert turn.transport == "websocket"
        assert turn.transport_reason.startswith("preferred: ")
        assert dataclasses.asdict(client.health()) == {
            "transport": "websocket",
            "state": "closed",
            "reason": None,
            "losses": 0,
            "seconds_until_probe": None,
        }


async def test_what_is_requested_is_done(open_client: Open, transport: str) -> None:
    async with Peer() as peer, open_client(peer) as client:
        turn = ask(client, transport=transport)
        assert await done(turn) == "x"
        assert turn.transport == transport
        assert turn.transport_reason == f'requested: transport="{transport}"'
        assert (len(peer.connections), len(peer.posts)) == (
            (1, 0) if transport == "websocket" else (0, 1)
        )


@pytest.mark.parametrize("status", [200, 400, 403, 404, 405, 426, 501])
async def test_a_server_that_takes_no_sockets_is_asked_over_http(
    open_client: Open, status: int
) -> None:
    async with (
        Peer(handshake=refuse(status, b"no sockets here")) as peer,
        open_client(peer) as client,
    ):
        turns = [ask(client, text) for text in "abc"]
        for turn, text in zip(turns, "abc", strict=True):
            assert await done(turn) == text
        # The first one has found out, for all that follow.
        assert (len(peer.handshakes), len(peer.posts), peer.model_runs) == (1, 3, 3)
        reason = f"the server refused the WebSocket upgrade with HTTP {status}"
        assert [(turn.transport, turn.transport_reason) for turn in turns] == [
            ("http", f"fallback: {reason}")
        ] * 3
        assert [turn.model_runs for turn in turns] == [1, 1, 1]
        health = client.health()
        assert (health.transport, health.state, health.reason) == ("http", "open", reason)
        assert 0 < health.seconds_until_probe <= 300
        assert client.statistics().fallbacks == 3


async def test_a_server_that_hangs_up_during_the_upgrade_is_asked_over_http(
    open_client: Open,
) -> None:
    async with Peer(handshake=drop()) as peer, open_client(peer) as client:
        turn = ask(client)
        assert await done(turn) == "x"
        assert turn.transport_reason.startswith("fallback: ")
        assert (len(peer.handshakes), len(peer.posts)) == (1, 1)


async def test_a_dial_that_takes_too_long_ends_in_a_post(open_client: Open) -> None:
    gate = Gate()
    async with Peer(handshake=wait(gate)) as peer, open_client(peer, dial_timeout=0.05) as client:
        turns = [await client.responses.create(model="m", input=text, stream=True) for text in "ab"]
        assert [await done(turn) for turn in turns] == ["a", "b"]
        assert {turn.transport for turn in turns} == {"http"}
        assert "`dial_timeout`" in turns[0].transport_reason
        gate.open()


@pytest.mark.parametrize("status", [429, 500, 503])
async def test_a_server_that_stays_too_busy_for_sockets_is_asked_over_http(
    open_client: Open, status: int
) -> None:
    async with Peer(handshake=status) as peer, open_client(peer, dial_backoff=NO_PAUSE) as client:
        turn = ask(client)
        assert (await done(turn), turn.transport) == ("x", "http")
        assert (len(peer.handshakes), len(peer.posts)) == (2, 1)
        # The rate says nothing about sockets.
        assert client.health().state == ("closed" if status == 429 else "open")


async def test_who_wants_a_socket_gets_no_post(open_client: Open) -> None:
    async with Peer(handshake=426) as peer, open_client(peer, transport="websocket") as client:
        raised = await error_of(ask(client))
        assert (type(raised), raised.status, peer.posts) == (DialError, 426, [])
        other = ask(client, transport="auto")
        assert (await done(other), other.transport) == ("x", "http")


async def test_a_warm_up_has_only_the_socket(open_client: Open) -> None:
    async with Peer(handshake=426) as peer, open_client(peer) as client:
        chain = client.chain(model="m")
        with pytest.raises(DialError) as caught:
            await chain.warm_up("a")
        assert (caught.value.status, peer.posts) == (426, [])
        assert (await chain.run("a")).output_text == "a"


async def test_where_nothing_works_the_error_is_about_the_way(open_client: Open) -> None:
    async with open_client("http://127.0.0.1:1/v1", max_retries=0) as client:
        turn = ask(client)
        raised = await error_of(turn)
        assert (type(raised), turn.transport) == (DialError, "http")
        assert "nobody listens there" in str(raised)
        # Sockets are not to blame if HTTP does not get there either.
        assert (client.health().state, client.health().transport) == ("closed", "websocket")


# Chains.


async def test_a_stored_chain_goes_on_over_http(open_client: Open) -> None:
    script = Turns([answer("a")], [answer("b")], [answer("c")])
    async with (
        Peer(script, handshake=[None, 426]) as peer,
        open_client(peer) as client,
    ):
        chain = client.chain(model="m")
        await chain.run("a")
        await peer.connections[0].close(1001)
        await until(lambda: client.statistics().sockets == 0)
        for text in "bc":
            assert (await chain.run(text)).output_text == text
        assert [len(create["input"]) for create in peer.creates] == [1, 1, 1]
        assert (len(peer.posts), peer.refusals, chain.statistics.fallbacks) == (2, [], 2)


async def test_a_chain_without_store_sends_everything_over_http(open_client: Open) -> None:
    async with Peer(handshake=426) as peer, open_client(peer) as client:
        chain = client.chain(model="m", store=False)
        for text in "ab":
            await chain.run(text)
        async with chain.turn("c") as turn:
            await turn.get_final_response()
        assert turn.chain_miss == ChainMiss("not_stored")
        assert [len(create["input"]) for create in peer.creates] == [1, 3, 5]
        assert peer.refusals == []


# Sizes: those of messages, not of bodies.


@pytest.fixture
def _large_bodies(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a POST be larger than a message may be, as with the hosted service."""
    made = web.Application
    monkeypatch.setattr(web, "Application", lambda **_: made(client_max_size=2**28))


@pytest.mark.usefixtures("_large_bodies")
async def test_what_is_too_large_for_a_socket_goes_over_http(open_client: Open) -> None:
    async with (
        Peer(lambda _: [answer("ok")]) as peer,
        open_client(peer) as client,
    ):
        assert await done(ask(client)) == "ok"
        turn = ask(client, user(16 * 2**20))
        assert await done(turn) == "ok"
        assert (turn.transport, turn.resends, turn.model_runs) == ("http", 0, 1)
        assert turn.transport_reason.startswith("fallback: it has at least 16777")
        # It was about this one.
        small = ask(client)
        assert (await done(small), small.transport) == ("ok", "websocket")
        assert (client.health().state, len(peer.connections)) == ("closed", 1)


@pytest.mark.usefixtures("_large_bodies")
async def test_a_chain_that_has_grown_too_large_goes_over_http(open_client: Open) -> None:
    async with (
        Peer(Turns([answer("y" * 8 * 2**20, pieces=())], then=[answer("ok")])) as peer,
        open_client(peer) as client,
    ):
        chain = client.chain(model="m", store=False)
        await chain.run(user(9 * 2**20))
        # Only what is new is sent, so size does not matter…
        async with chain.turn("b") as turn:
            await turn.get_final_response()
        assert turn.transport == "websocket"
        # …until everything has to be sent.
        await peer.connections[0].close(1001)
        await until(lambda: client.statistics().sockets == 0)
        async with chain.turn("c") as turn:
            await turn.get_final_response()
        assert (turn.transport, turn.model_runs) == ("http", 1)
        assert (len(peer.posts), peer.refusals) == (1, [])


@pytest.mark.usefixtures("_large_bodies")
async def test_a_server_with_a_smaller_limit_teaches_it(open_client: Open) -> None:
    async with Peer(max_message_bytes=10_000) as peer, open_client(peer) as client:
        first = ask(client, user(20_000))
        assert len(await done(first)) == 20_000
        assert (first.transport, first.resends, first.model_runs) == ("http", 1, 1)
        assert "1009" in first.transport_reason
        second = ask(client, user(20_000))
        assert len(await done(second)) == 20_000
        assert (second.transport, second.resends) == ("http", 0)
        small = ask(client)
        assert (await done(small), small.transport) == ("x", "websocket")
        assert client.health().losses == 0


async def test_who_wants_a_socket_for_a_large_message_is_told(open_client: Open) -> None:
    async with (
        Peer(max_message_bytes=10_000) as peer,
        open_client(peer, transport="websocket") as client,
    ):
        raised = await error_of(ask(client, user(20_000)))
        assert type(raised) is RequestTooLarge
        assert "1009" in str(raised)
        assert (peer.posts, peer.model_runs) == ([], 0)


# Sockets that break.


async def test_sockets_that_break_again_and_again_are_left_alone(open_client: Open) -> None:
    script = Turns(*[[close(1011)]] * 3, then=[answer("ok")])
    async with Peer(script) as peer, open_client(peer, replay="never") as client:
        for losses in (1, 2, 3):
            assert type(await error_of(ask(client))) is TurnInterrupted
            assert client.health().losses == losses
        turn = ask(client)
        assert (await done(turn), turn.transport) == ("ok", "http")
        assert turn.transport_reason == "fallback: the socket closed with code 1011"
        assert (len(peer.connections), len(peer.posts)) == (3, 1)


async def test_an_answer_on_a_socket_forgives_what_was_lost(open_client: Open) -> None:
    script = Turns([close(1011)], [close(1011)], [answer("ok")], [close(1011)], then=[answer("ok")])
    async with Peer(script) as peer, open_client(peer, replay="never") as client:
        for _ in range(2):
            assert isinstance(await error_of(ask(client)), TurnwireError)
        assert await done(ask(client)) == "ok"
        assert isinstance(await error_of(ask(client)), TurnwireError)
        assert client.health().losses == 1
        turn = ask(client)
        assert (await done(turn), turn.transport) == ("ok", "websocket")


async def test_a_dial_that_fails_says_how_it_would_have_gone_without_http(
    open_client: Open,
) -> None:
    gate = Gate()
    async with (
        Peer(handshake=wait(gate), posts=503) as peer,
        open_client(peer, dial_timeout=0.02, max_retries=0) as client,
    ):
        raised = await error_of(ask(client))
        assert getattr(raised, "status", None) == 503
        assert not isinstance(raised, DialTimeout)
        gate.open()


# Later: the clock is the test's.


def breaker_pair(**settings: Any) -> Pair:
    limits = PoolSettings(breaker=BreakerSettings(cooldowns=(300.0, 600.0)), **settings)
    return Pair(limits, answers_dials=False)


def test_after_the_cooldown_one_turn_finds_out_and_the_others_do_not_wait_for_it() -> None:
    both = breaker_pair()
    both.ask("one", transport="auto")
    both.refuse(both.dialing[0], 426)
    both.start().complete("1")
    both.advance(299.0)
    assert both.ask("two", transport="auto").turn.route == "http"
    both.start().complete("2")
    both.advance(1.0)
    probe, other = both.ask("three", transport="auto"), both.ask("four", transport="auto")
    assert both.pool.health(both.clock.now).state == "half_open"
    assert (probe.turn.route, other.turn.route) == ("websocket", "http")
    both.start().complete("4")
    both.open(both.dialing[0])
    both.start().complete("3")
    assert (probe.text, other.text) == ("3", "4")
    assert both.pool.health(both.clock.now).state == "closed"
    assert both.ask("five", transport="auto").turn.route == "websocket"


def test_a_probe_that_fails_goes_over_http_and_the_next_one_waits_longer() -> None:
    both = breaker_pair()
    both.ask("one", transport="auto")
    both.refuse(both.dialing[0], 426)
    both.start().complete("1")
    both.advance(300.0)
    probe = both.ask("two", transport="auto")
    both.refuse(both.dialing[0], 426)
    both.start().complete("2")
    assert (probe.text, probe.turn.route, both.model_runs) == ("2", "http", 2)
    assert both.pool.health(both.clock.now).seconds_until_probe == 600.0


def test_a_probe_that_is_cancelled_leaves_its_place_to_the_next_turn() -> None:
    both = breaker_pair()
    both.ask("one", transport="auto")
    both.refuse(both.dialing[0], 426)
    both.start().complete("1")
    both.advance(300.0)
    both.cancel(both.ask("two", transport="auto"))
    assert both.ask("three", transport="auto").turn.route == "websocket"
