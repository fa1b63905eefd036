"""A server that is too busy, and keys that have run out: later, and with another key."""

from __future__ import annotations

from itertools import count
from typing import TYPE_CHECKING, Any

import pytest

from client.colours import error_of, until
from turnwire import (
    AuthenticationError,
    Backoff,
    ChainMiss,
    DialError,
    RateLimited,
    TurnError,
    TurnRestartedEvent,
)
from turnwire.testing import Peer, Step, Turns, answer, error, failed, refuse

if TYPE_CHECKING:
    from tests.client.conftest import Open

pytestmark = pytest.mark.io

AT_ONCE = {"retry-after-ms": "0"}


def ask(client: Any, text: str = "x", **params: Any) -> Any:
    return client.responses.stream(model="m", input=text, **params)


def busy(code: str = "rate_limit_exceeded", status: int | None = 429, **headers: str) -> Step:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return error(code, status, headers=AT_ONCE | named)


# Too busy.


@pytest.mark.parametrize(
    "step",
    [
        busy(),
        busy("slow_down", 429),
        busy("server_error", 500),
        busy("unavailable", 503),
        busy("conflict", 409),
        busy("late", 408),
        busy("server_is_overloaded", 400),
        busy("mend_it", 400, x_should_retry="true"),
    ],
)
async def test_what_the_server_was_too_busy_for_is_sent_again(
    open_client: Open, transport: str, step: Step
) -> None:
    script = Turns([step], [step], [answer("At last.")])
    async with Peer(script) as peer, open_client(peer, transport=transport) as client:
        async with ask(client) as turn:
            events = [event async for event in turn]
        assert turn.response.output_text == "At last."
        # Nothing had begun, so nothing is told; and the model has worked once.
        assert events[0].type == "response.created"
        assert (turn.resends, turn.model_runs, peer.model_runs) == (2, 1, 1)
        counts = client.statistics()
        assert (counts.retries, counts.repeats, counts.failed) == (2, 0, 0)


async def test_a_run_that_failed_before_its_output_is_another_run(
    open_client: Open, transport: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("turnwire.core.recovering.exponential", lambda *_: 0.0)
    script = Turns([failed("server_is_overloaded")], [answer("At last.")])
    async with Peer(script) as peer, open_client(peer, transport=transport) as client:
        async with ask(client) as turn:
            events = [event async for event in turn]
        assert any(isinstance(event, TurnRestartedEvent) for event in events)
        assert turn.response.output_text == "At last."
        assert (turn.resends, turn.model_runs, peer.model_runs) == (1, 2, 2)


async def test_it_is_not_asked_for_ever(open_client: Open, transport: str) -> None:
    async with (
        Peer(lambda _: [busy()]) as peer,
        open_client(peer, transport=transport, max_retries=3) as client,
    ):
        turn = ask(client)
        raised = await error_of(turn)
        assert (type(raised), raised.retryable, turn.resends) == (RateLimited, True, 3)
        assert (len(peer.creates), client.statistics().failed) == (4, 1)


@pytest.mark.parametrize(
    "step",
    [
        error("rate_limit_exceeded", 429, headers={"retry-after": "61"}),
        busy("unavailable", 503, x_should_retry="false"),
        busy("insufficient_quota", 429),
        busy("not_here", 501),
        busy("bad", 400),
    ],
    ids=["asks for long", "says no", "quota", "501", "400"],
)
async def test_what_waiting_does_not_cure_is_an_error_at_once(
    open_client: Open, transport: str, step: Step
) -> None:
    async with Peer(lambda _: [step]) as peer, open_client(peer, transport=transport) as client:
        turn = ask(client)
        assert isinstance(await error_of(turn), TurnError)
        assert (len(peer.creates), turn.resends) == (1, 0)


async def test_after_output_it_is_an_error_at_once(open_client: Open, transport: str) -> None:
    script = Turns([answer("Half"), failed("server_error")])
    async with Peer(script) as peer, open_client(peer, transport=transport) as client:
        raised = await error_of(ask(client))
        assert (type(raised), raised.partial.output_text) == (TurnError, "Half")
        assert peer.model_runs == 1


async def test_it_waits_as_long_as_it_is_asked_to(open_client: Open, transport: str) -> None:
    later = error("rate_limit_exceeded", 429, headers={"Retry-After": "30"})
    async with (
        Peer(lambda _: [later]) as peer,
        open_client(peer, transport=transport) as client,
    ):
        turn = ask(client, timeout=0.2)
        raised = await error_of(turn)
        assert "`timeout`" in str(raised)
        assert len(peer.creates) == 1


async def test_all_turns_share_a_budget(open_client: Open, transport: str) -> None:
    async with (
        Peer(lambda _: [busy()]) as peer,
        open_client(peer, transport=transport, max_retries=15) as client,
    ):
        turns = [ask(client) for _ in range(3)]
        for turn in turns:
            assert type(await error_of(turn)) is RateLimited
        assert [turn.resends for turn in turns] == [15, 5, 0]
        assert (len(peer.creates), client.statistics().retries) == (23, 20)


async def test_a_chain_that_was_turned_away_sends_everything_to_be_sure(
    open_client: Open,
) -> None:
    script = Turns([answer("a")], [busy()], [answer("b")], [answer("c")])
    async with Peer(script) as peer, open_client(peer) as client:
        chain = client.chain(model="m", store=False)
        await chain.run("a")
        async with chain.turn("b") as turn:
            await turn.get_final_response()
        # A turn that fails takes its parent out of the server's cache.
        assert turn.chain_miss == ChainMiss("previous_failed")
        await chain.run("c")
        assert [len(create["input"]) for create in peer.creates] == [1, 1, 3, 1]
        assert peer.refusals == []


async def test_a_stored_chain_that_was_turned_away_costs_nothing(open_client: Open) -> None:
    script = Turns([answer("a")], [busy()], [answer("b")])
    async with Peer(script) as peer, open_client(peer) as client:
        chain = client.chain(model="m")
        await chain.run("a")
        await chain.run("b")
        assert [len(create["input"]) for create in peer.creates] == [1, 1, 1]


async def test_a_turn_that_is_cancelled_while_it_waits_is_not_sent_again(
    open_client: Open, transport: str
) -> None:
    later = error("rate_limit_exceeded", 429, headers={"Retry-After": "30"})
    async with (
        Peer(Turns([later], [answer("ok")])) as peer,
        open_client(peer, transport=transport) as client,
    ):
        async with ask(client):
            await until(lambda: client.statistics().retries == 1)
        counts = client.statistics()
        assert (counts.cancelled, counts.waiting, counts.queued_bytes) == (1, 0, 0)
        assert await client.responses.create(model="m", input="x")
        assert len(peer.creates) == 2


async def test_closing_does_not_wait_for_turns_that_wait(open_client: Open, transport: str) -> None:
    later = error("rate_limit_exceeded", 429, headers={"Retry-After": "30"})
    async with (
        Peer(lambda _: [later]) as peer,
        open_client(peer, transport=transport) as client,
    ):
        turn = await client.responses.create(model="m", input="x", stream=True)
        await until(lambda: client.statistics().retries == 1)
        await client.aclose()
        counts = client.statistics()
        assert (turn.response, counts.failed, counts.queued_bytes) == (None, 1, 0)


async def test_a_chain_waits_with_its_turn(open_client: Open, transport: str) -> None:
    script = Turns([busy()], [answer("a")], [answer("b")])
    async with Peer(script) as peer, open_client(peer, transport=transport) as client:
        chain = client.chain(model="m")
        first, second = await chain.turn("a").submit(), await chain.turn("b").submit()
        assert (await second.get_final_response()).output_text == "b"
        assert (await first.get_final_response()).output_text == "a"
        assert [create["input"][-1]["content"] for create in peer.creates] == ["a", "a", "b"]
        assert peer.refusals == []


# Dials.


async def test_a_server_that_does_not_listen_is_asked_again_over_http(
    open_client: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("turnwire.core.recovering.exponential", lambda *_: 0.0)
    signed_in: list[str] = []

    def key() -> str:
        signed_in.append("key")
        return "key"

    async with open_client("http://127.0.0.1:1/v1", transport="http", api_key=key) as client:
        turn = ask(client)
        raised = await error_of(turn)
        assert (type(raised), raised.delivery, turn.model_runs) == (DialError, "queued", 0)
        assert (len(signed_in), turn.resends, client.statistics().retries) == (3, 0, 2)


@pytest.mark.parametrize("status", [408, 409, 429, 500, 502, 503])
async def test_a_server_that_is_too_busy_for_a_socket_is_asked_again(
    open_client: Open, status: int
) -> None:
    busy = refuse(status, headers=AT_ONCE)
    async with (
        Peer(handshake=[busy, busy]) as peer,
        open_client(peer, transport="websocket", dial_backoff=Backoff((0.0, 0.0))) as client,
    ):
        turn = ask(client)
        assert (await turn.get_final_response()).output_text == "x"
        assert (turn.resends, client.statistics().failed_dials, len(peer.handshakes)) == (0, 2, 3)


async def test_dials_are_not_tried_for_ever(open_client: Open) -> None:
    async with (
        Peer(handshake=503) as peer,
        open_client(peer, transport="websocket", dial_backoff=Backoff((0.0,) * 3)) as client,
    ):
        raised = await error_of(ask(client))
        assert (type(raised), raised.status, len(peer.handshakes)) == (DialError, 503, 4)


async def test_a_dial_that_is_put_off_for_long_is_an_error(open_client: Open) -> None:
    async with (
        Peer(handshake=refuse(503, retry_after=61)) as peer,
        open_client(peer, transport="websocket") as client,
    ):
        raised = await error_of(ask(client))
        assert (type(raised), raised.retry_after, len(peer.handshakes)) == (DialError, 61.0, 1)


# Keys.


async def test_a_key_that_has_run_out_is_fetched_anew(open_client: Open, transport: str) -> None:
    keys = iter(["old", "new", "never"])
    async with (
        Peer(key="new") as peer,
        open_client(peer, transport=transport, api_key=lambda: next(keys)) as client,
    ):
        turn = ask(client)
        assert (await turn.get_final_response()).output_text == "x"
        asked = peer.handshakes or [post.headers for post in peer.posts]
        assert [headers["Authorization"] for headers in asked] == ["Bearer old", "Bearer new"]
        assert (turn.model_runs, peer.model_runs) == (1, 1)
        assert turn.transport == transport


async def test_a_key_is_fetched_anew_once(open_client: Open, transport: str) -> None:
    numbers = count()
    async with (
        Peer(key="right") as peer,
        open_client(peer, transport=transport, api_key=lambda: f"{next(numbers)}") as client,
    ):
        for _ in range(2):
            raised = await error_of(ask(client))
            assert (type(raised), raised.status) == (AuthenticationError, 401)
        assert len(peer.handshakes) + len(peer.posts) == 4
        assert "Bearer" not in str(raised)


@pytest.mark.parametrize("transport", ["websocket", "http", "auto"])
async def test_a_key_that_cannot_change_is_not_tried_twice(
    open_client: Open, transport: str
) -> None:
    async with Peer(key="right") as peer, open_client(peer, transport=transport) as client:
        assert type(await error_of(ask(client))) is AuthenticationError
        assert len(peer.handshakes) + len(peer.posts) == 1
        assert client.health().state == "closed"


async def test_a_key_that_changes_between_turns_costs_the_chain_its_link(
    open_client: Open, transport: str
) -> None:
    keys = ["old"]
    async with (
        Peer(key="old") as peer,
        open_client(peer, transport=transport, api_key=lambda: keys[-1]) as client,
    ):
        chain = client.chain(model="m")
        await chain.run("a")
        keys.append("new")
        peer.key = "new"
        for connection in peer.connections:
            await connection.close(1008)
        async with chain.turn("b") as turn:
            await turn.get_final_response()
        assert turn.chain_miss == ChainMiss("credential_changed")
        assert len(peer.creates[-1]["input"]) == 3
