"""``turnwire.connect``: one plain socket."""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING, Any

import pytest

import turnwire
from client.colours import read, until, user
from turnwire import (
    AuthenticationError,
    ConfigError,
    ConnectionLost,
    DialError,
    DialTimeout,
    PreviousResponseNotFound,
    ProtocolError,
    SlowConsumer,
    TurnError,
)
from turnwire.testing import (
    Gate,
    Peer,
    Step,
    Turns,
    abort,
    answer,
    close,
    completed,
    deltas,
    drop,
    emit,
    error,
    failed,
    incomplete,
    refuse,
    say,
    silence,
    wait,
)

if TYPE_CHECKING:
    from turnwire import Connection, Event

pytestmark = pytest.mark.io

CREATE = {"type": "response.create", "model": "m", "input": "x"}
TERMINAL = ("response.completed", "response.incomplete", "response.failed", "error")


async def read_turn(connection: Connection) -> list[Event]:
    """Read events up to the end of a turn."""
    events: list[Event] = []
    async for event in connection:
        events.append(event)
        if event.type in TERMINAL:
            return events
    raise AssertionError("the iteration ended before the turn")


async def test_events_come_as_they_were_sent() -> None:
    async with Peer() as peer, turnwire.connect(base_url=peer.base_url, api_key="k") as connection:
        await connection.send(CREATE)
        events = await read_turn(connection)
        assert peer.connections[0].sent == [event.to_dict() for event in events]
        assert peer.creates == [CREATE]
        assert peer.handshakes[0]["authorization"] == "Bearer k"
        assert connection.is_open
    assert not connection.is_open
    assert peer.connections[0].close_code == 1000


@pytest.mark.parametrize("name", ["url", "base_url"])
async def test_it_dials_a_url(name: str) -> None:
    async with Peer() as peer:
        url = peer.websocket_url if name == "url" else peer.base_url
        async with turnwire.connect(**{name: url}) as connection:  # type: ignore[arg-type]
            assert connection.is_open


async def test_the_last_completed_response_is_kept() -> None:
    script = Turns(
        [answer("a")], [answer("b"), incomplete("max_output_tokens")], [failed("c")], [error("d")]
    )
    async with Peer(script) as peer, turnwire.connect(base_url=peer.base_url) as connection:
        seen = [connection.previous_response_id]
        for _ in range(4):
            await connection.send(CREATE)
            await read_turn(connection)
            seen.append(connection.previous_response_id)
        assert seen == [None, "resp_1", "resp_1", "resp_1", "resp_1"]


async def test_a_chain_by_hand() -> None:
    async with Peer() as peer, turnwire.connect(base_url=peer.base_url) as connection:
        for text in ("a", "b", "c"):
            parent = connection.previous_response_id
            link = {"previous_response_id": parent} if parent else {}
            await connection.send(CREATE | link | {"input": [user(text)], "store": False})
            await read_turn(connection)
        assert (peer.model_runs, peer.refusals) == (3, [])
        assert len(peer.connections[0].creates[2]["input"]) == 1


# Handlers.


async def test_handlers_see_every_event_until_they_are_taken_off() -> None:
    kinds: list[str] = []
    async with Peer() as peer, turnwire.connect(base_url=peer.base_url) as connection:
        unsubscribe = connection.on_event(lambda event: kinds.append(event.type))
        await connection.send(CREATE)
        events = await read_turn(connection)
        assert kinds == [event.type for event in events]
        unsubscribe()
        unsubscribe()
        await connection.send(CREATE)
        await read_turn(connection)
        assert len(kinds) == len(events)


async def test_a_handler_that_raises_disturbs_nobody(caplog: pytest.LogCaptureFixture) -> None:
    kinds: list[str] = []

    def broken(_: object) -> None:
        raise LookupError("mine")

    async with Peer() as peer, turnwire.connect(base_url=peer.base_url) as connection:
        connection.on_event(broken)
        connection.on_event(lambda event: kinds.append(event.type))
        await connection.send(CREATE)
        events = await read_turn(connection)
        assert kinds == [event.type for event in events]
    logged = [record for record in caplog.records if record.levelno == logging.ERROR]
    assert len(logged) == len(events)


async def test_a_handler_may_take_itself_off() -> None:
    kinds: list[str] = []

    async with Peer() as peer, turnwire.connect(base_url=peer.base_url) as connection:

        def once(event: Event) -> None:
            kinds.append(event.type)
            unsubscribe()

        unsubscribe = connection.on_event(once)
        await connection.send(CREATE)
        await read_turn(connection)
        assert kinds == ["response.created"]


# Warm-ups.


async def test_a_warm_up_stays_out_of_the_iteration() -> None:
    kinds: list[str] = []
    async with Peer() as peer, turnwire.connect(base_url=peer.base_url) as connection:
        connection.on_event(lambda event: kinds.append(event.type))
        warm = await connection.warm_up(
            model="m", tools=[{"type": "web_search"}], instructions="i", store=False
        )
        assert (warm.id, connection.previous_response_id) == ("resp_1", "resp_1")
        assert peer.creates == [
            {
                "type": "response.create",
                "generate": False,
                "model": "m",
                "tools": [{"type": "web_search"}],
                "instructions": "i",
                "store": False,
            }
        ]
        assert kinds[-1] == "response.completed"
        await connection.send(CREATE | {"previous_response_id": warm.id})
        events = await read_turn(connection)
        created = events[0].to_dict()
        assert (created["response"]["id"], peer.warm_ups, peer.model_runs) == ("resp_2", 1, 1)


async def test_a_warm_up_beside_a_turn() -> None:
    async with Peer() as peer, turnwire.connect(base_url=peer.base_url) as connection:
        await connection.send(CREATE)
        warm = await connection.warm_up(model="m", stream_id="w")
        events = await read_turn(connection)
        assert {event.stream_id for event in events} == {None}
        assert warm.id != ""


@pytest.mark.parametrize(
    ("step", "kind"),
    [
        (error("c", 503, headers={"x": "1"}), TurnError),
        (error("previous_response_not_found"), PreviousResponseNotFound),
        (failed("server_error"), TurnError),
    ],
)
async def test_a_warm_up_that_is_refused(step: Step, kind: type[TurnError]) -> None:
    async with (
        Peer(warm_up=[step]) as peer,
        turnwire.connect(base_url=peer.base_url) as connection,
    ):
        with pytest.raises(TurnError) as caught:
            await connection.warm_up(model="m")
        assert type(caught.value) is kind
        assert caught.value.retryable is (kind is TurnError)
        await connection.send(CREATE)
        assert (await read_turn(connection))[-1].type == "response.completed"


async def test_a_warm_up_on_a_lane_with_a_bad_name_is_refused() -> None:
    async with Peer() as peer, turnwire.connect(base_url=peer.base_url) as connection:
        with pytest.raises(TurnError, match="bad form") as caught:
            await connection.warm_up(model="m", stream_id="no spaces")
        assert caught.value.code == "invalid_stream_id"


async def test_a_warm_up_on_a_server_that_ignores_lanes() -> None:
    async with (
        Peer(lanes="ignore") as peer,
        turnwire.connect(base_url=peer.base_url) as connection,
    ):
        assert (await connection.warm_up(model="m", stream_id="a")).id == "resp_1"


async def test_a_warm_up_that_is_cut_off() -> None:
    async with (
        Peer(warm_up=[close(1011)]) as peer,
        turnwire.connect(base_url=peer.base_url) as connection,
    ):
        with pytest.raises(ConnectionLost) as caught:
            await connection.warm_up(model="m")
        assert caught.value.close_code == 1011


async def test_closing_ends_a_warm_up() -> None:
    async with Peer(warm_up=[silence()]) as peer:
        async with turnwire.connect(base_url=peer.base_url) as connection:
            warming = asyncio.create_task(connection.warm_up(model="m"))
            await peer.wait_until(lambda: len(peer.creates) == 1)
        with pytest.raises(ConnectionLost):
            await warming


async def test_a_warm_up_that_is_cancelled_still_stays_out_of_the_iteration() -> None:
    gate = Gate()
    async with (
        Peer(warm_up=[wait(gate), completed()]) as peer,
        turnwire.connect(base_url=peer.base_url) as connection,
    ):
        warming = asyncio.create_task(connection.warm_up(model="m"))
        await gate.wait_reached()
        warming.cancel()
        with pytest.raises(asyncio.CancelledError):
            await warming
        gate.open()
        await connection.send(CREATE)
        events = await read_turn(connection)
        assert events[0].to_dict()["response"]["id"] == "resp_2"


# Ends.


@pytest.mark.parametrize("code", [1000, 1001, 1005])
async def test_a_close_while_nothing_runs_ends_the_iteration(code: int) -> None:
    async with Peer() as peer, turnwire.connect(base_url=peer.base_url) as connection:
        await connection.send(CREATE)
        await read_turn(connection)
        await peer.connections[0].close(code)
        assert [event async for event in connection] == []
        assert not connection.is_open
        with pytest.raises(ConnectionLost, match="closed") as caught:
            await connection.send(CREATE)
        assert caught.value.close_code in (None, code)


@pytest.mark.parametrize(
    ("step", "code"),
    [
        (close(1000, "bye"), 1000),
        (close(1001), 1001),
        (close(1005), 1005),
        (close(1011), 1011),
        (drop(), 1006),
        (abort(), 1006),
    ],
)
async def test_a_close_in_the_middle_of_a_turn_raises(step: Any, code: int) -> None:
    async with (
        Peer(lambda _: [answer("Hello"), step]) as peer,
        turnwire.connect(base_url=peer.base_url) as connection,
    ):
        await connection.send(CREATE)
        events, raised = await read(connection)
        assert type(raised) is ConnectionLost
        assert {event.type for event in events}.isdisjoint(TERMINAL)
        assert raised.close_code == code
        assert "1 unfinished turn" in str(raised)
        if getattr(step, "reason", ""):
            assert (raised.close_reason, "(bye)" in str(raised)) == ("bye", True)
        events, again = await read(connection)
        assert (events, str(again), vars(again)) == ([], str(raised), vars(raised))
        assert again is not raised
        with pytest.raises(ConnectionLost):
            await connection.send(CREATE)


async def test_a_lost_connection_raises_even_while_nothing_runs() -> None:
    async with Peer() as peer, turnwire.connect(base_url=peer.base_url) as connection:
        await peer.wait_until(lambda: len(peer.connections) == 1)
        peer.connections[0].drop()
        with pytest.raises(ConnectionLost) as caught:
            await anext(connection)
        assert caught.value.close_code == 1006


async def test_leaving_the_block_ends_the_iteration_of_another_task() -> None:
    async with Peer(lambda _: [silence()]) as peer:
        before = asyncio.all_tasks()
        async with turnwire.connect(base_url=peer.base_url) as connection:
            reading = asyncio.create_task(read_all(connection))
            await connection.send(CREATE)
            await peer.wait_until(lambda: peer.model_runs == 1)
        assert await reading == []
        await connection.aclose()
        names = {task.get_name() for task in asyncio.all_tasks() - before}
        assert {name for name in names if "turnwire" in name} == set()


async def read_all(connection: Connection) -> list[Event]:
    return [event async for event in connection]


@pytest.mark.parametrize(
    "garbage",
    [say(b"{"), say(b"[]"), say(b"null"), say(b"{}"), say(b'{"type":"x"}', binary=True)],
)
async def test_garbage_ends_the_connection(garbage: Step) -> None:
    steps = [answer("Hello"), garbage, garbage, silence()]
    async with Peer(lambda _: steps) as peer:
        before = asyncio.all_tasks()
        async with turnwire.connect(base_url=peer.base_url) as connection:
            await connection.send(CREATE)
            events, raised = await read(connection)
            assert type(raised) is ProtocolError
            assert (events[-1].type, raised.remote) == ("response.output_item.done", True)
            with pytest.raises(ProtocolError):
                await connection.send(CREATE)
        names = {task.get_name() for task in asyncio.all_tasks() - before}
        assert {name for name in names if "turnwire" in name} == set()
        await peer.wait_until(lambda: not peer.connections[0].is_open)
        assert peer.connections[0].close_code == 1002


async def test_unknown_events_pass() -> None:
    steps = [emit("next.month", a=1), answer("ok")]
    async with (
        Peer(lambda _: steps) as peer,
        turnwire.connect(base_url=peer.base_url) as connection,
    ):
        await connection.send(CREATE)
        events = await read_turn(connection)
        assert events[0].to_dict() == {"type": "next.month", "a": 1, "sequence_number": 0}


async def test_events_that_are_not_read_end_the_connection() -> None:
    async with (
        Peer(lambda _: [deltas(200), silence()]) as peer,
        turnwire.connect(base_url=peer.base_url, buffer_bytes=4_000) as connection,
    ):
        await connection.send(CREATE)
        await until(lambda: not connection.is_open)
        events, raised = await read(connection)
        assert type(raised) is SlowConsumer
        assert "raise `buffer_bytes`" in str(raised)
        assert (raised.limit_bytes, events[0].type) == (4_000, "response.created")
        await peer.wait_until(lambda: not peer.connections[0].is_open)
        assert peer.connections[0].close_code == 1008


async def test_events_that_are_read_do_not_count() -> None:
    async with (
        Peer(lambda _: [deltas(500)]) as peer,
        turnwire.connect(base_url=peer.base_url, buffer_bytes=100_000) as connection,
    ):
        for _ in range(4):
            await connection.send(CREATE)
            assert (await read_turn(connection))[-1].type == "response.completed"


@pytest.mark.parametrize(
    ("event", "words"),
    [
        ("abc", "must be a dict such as .*, not str"),
        ({"model": "m"}, "needs a `type`"),
        ({"type": 5}, "needs a `type`"),
        ({"type": "response.create", "input": object()}, "cannot be sent as JSON"),
    ],
)
async def test_what_is_no_event_is_not_sent(event: Any, words: str) -> None:
    async with Peer() as peer, turnwire.connect(base_url=peer.base_url) as connection:
        with pytest.raises(ConfigError, match=words):
            await connection.send(event)
        await connection.send(CREATE)
        assert (await read_turn(connection))[-1].type == "response.completed"
        assert len(peer.connections[0].raw) == 1


async def test_other_client_events_pass() -> None:
    async with Peer() as peer, turnwire.connect(base_url=peer.base_url) as connection:
        steer = {"type": "response.steer", "previous_response_id": "r", "input": "left"}
        await connection.send(steer)
        event = await anext(connection)
        assert event.type == "response.steer.failed"
        assert peer.connections[0].received == [steer]


# Dials.


@pytest.mark.parametrize("status", [401, 404, 426, 503])
async def test_a_refused_upgrade(status: int) -> None:
    refusal = refuse(status, {"error": {"message": "No."}}, headers={"Retry-After": "2"})
    async with Peer(handshake=refusal) as peer:
        with pytest.raises(DialError, match="No\\.") as caught:
            async with turnwire.connect(base_url=peer.base_url):
                pass
    kind = AuthenticationError if status == 401 else DialError
    assert (type(caught.value), caught.value.status, caught.value.retry_after) == (
        kind,
        status,
        2.0,
    )
    assert b"No." in caught.value.body


async def test_a_dial_that_takes_too_long() -> None:
    gate = Gate()
    async with Peer(handshake=wait(gate)) as peer:
        with pytest.raises(DialTimeout):
            async with turnwire.connect(base_url=peer.base_url, timeout=0.02):
                pass


async def test_a_dial_that_fails() -> None:
    async with Peer(handshake=drop()) as peer:
        with pytest.raises(DialError, match="could not be reached"):
            async with turnwire.connect(url=f"{peer.websocket_url}?api-key=hidden"):
                pass


async def test_an_exception_in_the_block_comes_out_and_the_socket_closes() -> None:
    async with Peer() as peer:
        with pytest.raises(LookupError):
            async with turnwire.connect(base_url=peer.base_url):
                raise LookupError
        await peer.wait_until(lambda: not peer.connections[0].is_open)


async def test_the_block_leaves_no_task() -> None:
    async with Peer() as peer:
        async with turnwire.connect(base_url=peer.base_url) as connection:
            await connection.send(CREATE)
            await read_turn(connection)
        assert [
            task.get_name() for task in asyncio.all_tasks() if "turnwire" in task.get_name()
        ] == []
