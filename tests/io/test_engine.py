"""The engine on loopback: it does what the pool decides, and nothing else."""

from __future__ import annotations

import asyncio
import logging
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from turnwire.core.backoff import Backoff
from turnwire.core.failure import FailureKind
from turnwire.core.history import HistoryItem
from turnwire.core.params import Params
from turnwire.core.request import Deadlines, TurnRequest
from turnwire.core.settings import PoolSettings
from turnwire.io.endpoint import Endpoint
from turnwire.io.engine import Engine
from turnwire.io.websocket import WebSocket
from turnwire.testing import Gate, Peer, Turns, answer, item, silence, wait

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from turnwire.core.actions import Finish
    from turnwire.io.inbox import Inbox

pytestmark = pytest.mark.io

KEEPER = "turnwire-keeper"

NONE = Deadlines(queue=None, write=None, first_event=None)


@asynccontextmanager
async def running(
    peer: Peer, *, inbox_bytes: int = 2**20, key: Any = None, **settings: Any
) -> AsyncIterator[Engine]:
    endpoint = Endpoint(f"{peer.base_url}/responses", api_key=key)
    limits = PoolSettings(**settings)
    engine = Engine(endpoint, limits, inbox_bytes=inbox_bytes, client_bytes=2**26)
    try:
        yield engine
    finally:
        await engine.aclose()


def request(text: str = "x", **members: Any) -> TurnRequest:
    item = HistoryItem.of({"type": "message", "role": "user", "content": text})
    return TurnRequest(Params({"model": "m"}), [item], **{"deadlines": NONE} | members)


def submitted(engine: Engine, asked: TurnRequest) -> tuple[int, Inbox]:
    taken = engine.submit(asked)
    assert taken is not None
    return taken[0].id, taken[1]


async def ended(inbox: Inbox) -> Finish:
    while inbox.finish is None:
        await inbox.wait_changed()
    return inbox.finish


@pytest.mark.parametrize("transport", ["websocket", "http"])
async def test_a_turn_from_submission_to_its_end(transport: Any) -> None:
    async with Peer() as peer, running(peer) as engine:
        _, inbox = submitted(engine, request("hello", transport=transport))
        finish = await ended(inbox)
        assert finish.failure is None
        assert finish.response is not None
        assert finish.response.output_text == "hello"
        sent = peer.connections[0].sent if transport == "websocket" else peer.posts[0].sent
        assert [event.to_dict() for event in inbox.events] == sent


@pytest.mark.parametrize(
    ("deadlines", "kind"),
    [
        (replace(NONE, first_event=0.01), FailureKind.FIRST_EVENT_TIMEOUT),
        (replace(NONE, turn=0.01), FailureKind.TURN_TIMEOUT),
    ],
)
async def test_the_timer_is_armed_for_the_next_deadline(
    deadlines: Deadlines, kind: FailureKind
) -> None:
    async with Peer(lambda _: [silence()]) as peer, running(peer) as engine:
        _, inbox = submitted(engine, request(deadlines=deadlines))
        failure = (await ended(inbox)).failure
        assert failure is not None
        assert failure.kind is kind


async def test_a_turn_that_finds_no_lane_in_time() -> None:
    gate = Gate()
    script = Turns([wait(gate), answer("a")])
    async with Peer(script) as peer, running(peer, sockets=1, lanes=False) as engine:
        _, first = submitted(engine, request())
        await peer.wait_until(lambda: peer.model_runs == 1)
        _, inbox = submitted(engine, request(deadlines=replace(NONE, queue=0.01)))
        failure = (await ended(inbox)).failure
        assert failure is not None
        assert failure.kind is FailureKind.QUEUE_TIMEOUT
        gate.open()
        assert (await ended(first)).failure is None


async def test_the_timer_is_armed_anew_for_an_earlier_deadline() -> None:
    async with Peer(lambda _: [silence()]) as peer, running(peer, lanes=True) as engine:
        _, waiting = submitted(engine, request(deadlines=replace(NONE, turn=3600)))
        _, inbox = submitted(engine, request(deadlines=replace(NONE, turn=0.01)))
        await ended(inbox)
        assert waiting.finish is None


async def test_the_timer_goes_on_after_it_has_rung() -> None:
    async with Peer(lambda _: [silence()]) as peer, running(peer, lanes=True) as engine:
        inboxes = [
            submitted(engine, request(deadlines=replace(NONE, turn=seconds)))[1]
            for seconds in (0.01, 0.02, 0.03)
        ]
        for inbox in inboxes:
            assert (await ended(inbox)).failure is not None


async def test_a_dial_has_its_own_limit() -> None:
    gate = Gate()
    once = {"dial": 0.01, "dial_backoff": Backoff(())}
    async with Peer(handshake=wait(gate)) as peer, running(peer, **once) as engine:
        _, inbox = submitted(engine, request())
        failure = (await ended(inbox)).failure
        assert failure is not None
        assert failure.kind is FailureKind.DIAL_TIMEOUT
        gate.open()


async def test_nothing_is_handed_out_after_a_cancel() -> None:
    gate = Gate()
    script = Turns([answer("a b"), wait(gate, after="response.output_text.delta")], [silence()])
    async with Peer(script) as peer, running(peer, lanes=True) as engine:
        number, inbox = submitted(engine, request())
        _, neighbour = submitted(engine, request())
        await gate.wait_reached()
        engine.cancel(number)
        finish = await ended(inbox)
        read = list(inbox.events)
        gate.open()
        await peer.wait_until(lambda: peer.connections[0].sent[-1]["type"] == "response.completed")
        assert (finish.failure, list(inbox.events), neighbour.finish) == (None, read, None)
        engine.cancel(number)
        engine.abandon(number)


async def test_a_turn_over_its_limit_fails_alone() -> None:
    script = Turns(
        [*(item(type="note", text="x" * 200) for _ in range(40)), silence()], [answer("fine")]
    )
    async with Peer(script) as peer, running(peer, inbox_bytes=5_000, lanes=True) as engine:
        _, inbox = submitted(engine, request())
        failure = (await ended(inbox)).failure
        assert failure is not None
        assert (failure.kind, failure.limit_bytes) == (FailureKind.SLOW_CONSUMER, 5_000)
        assert inbox.size_bytes > 5_000
        assert inbox.size_bytes - len(inbox.events[-1].raw) <= 5_000
        _, other = submitted(engine, request())
        assert (await ended(other)).failure is None


async def test_a_full_queue_takes_nothing() -> None:
    options = {"sockets": 1, "lanes": False, "queue_bytes": 10}
    async with Peer(lambda _: [silence()]) as peer, running(peer, **options) as engine:
        submitted(engine, request())
        assert engine.submit(request()) is None
        assert engine.statistics().waiting == 1


async def test_after_closing_nothing_is_left() -> None:
    before = asyncio.all_tasks()
    async with Peer(lambda _: [silence()]) as peer:
        async with running(peer, lanes=True) as engine:
            inboxes = [submitted(engine, request())[1] for _ in range(3)]
            posted = submitted(engine, request(transport="http"))[1]
            await peer.wait_until(lambda: peer.model_runs == 4)
        assert [inbox.finish is not None for inbox in (*inboxes, posted)] == [True] * 4
        seen = engine.statistics()
        assert (seen.sockets, seen.active, seen.waiting, seen.queued_bytes) == (0, 0, 0, 0)
        await peer.wait_until(lambda: not any(one.is_open for one in peer.connections))
        # A turn that comes too late ends at once.
        _, late = submitted(engine, request())
        assert late.finish is not None
    assert {task for task in asyncio.all_tasks() - before if "turnwire" in task.get_name()} == set()


async def test_a_mistake_while_dialing_leaves_nobody_waiting(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(*_: object, **__: object) -> None:
        raise ZeroDivisionError("ours")

    async with Peer() as peer, running(peer, dial_backoff=Backoff(())) as engine:
        monkeypatch.setattr("turnwire.io.engine.WebSocket.dial", broken)
        _, inbox = submitted(engine, request())
        failure = (await ended(inbox)).failure
        assert failure is not None
        assert (failure.kind, "internal error" in failure.message) == (FailureKind.DIAL, True)
        errors = [record for record in caplog.records if record.levelno >= logging.ERROR]
        assert [record.exc_info is not None for record in errors] == [True]


async def test_each_post_signs_in_for_itself() -> None:
    keys = iter(["one", "two"])
    async with Peer() as peer, running(peer, key=lambda: next(keys)) as engine:
        for _ in range(2):
            _, inbox = submitted(engine, request(transport="http"))
            await ended(inbox)
        sent = [post.headers["authorization"] for post in peer.posts]
        assert sent == ["Bearer one", "Bearer two"]


async def test_turns_are_written_in_the_order_of_their_submission() -> None:
    async with Peer() as peer, running(peer, sockets=1, lanes=True) as engine:
        inboxes = [submitted(engine, request(f"q{number}"))[1] for number in range(16)]
        for inbox in inboxes:
            await ended(inbox)
        texts = [create["input"][0]["content"] for create in peer.creates]
        assert texts == [f"q{number}" for number in range(16)]


# Whatever happens to a task, nobody is left waiting.


@pytest.mark.parametrize("transport", ["websocket", "http"])
async def test_a_task_that_is_cancelled_from_outside_ends_its_turns(transport: Any) -> None:
    script = Turns([answer("a"), silence()], [answer("again")])
    async with Peer(script) as peer, running(peer) as engine:
        _, inbox = submitted(engine, request(transport=transport, replay="never"))
        await peer.wait_until(lambda: peer.model_runs == 1)
        for task in asyncio.all_tasks():
            if task.get_name() in tasks_left() - {KEEPER}:
                task.cancel()
        failure = (await ended(inbox)).failure
        assert failure is not None
        assert failure.kind is FailureKind.LOST
        assert "cancelled from outside" in failure.message
        _, inbox = submitted(engine, request(transport=transport))
        assert (await ended(inbox)).failure is None


async def test_a_socket_that_takes_no_more_messages_is_lost(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def broken(_: WebSocket, data: bytes) -> None:
        raise ConnectionResetError("it takes no more")

    async with Peer(lambda _: [silence()]) as peer, running(peer) as engine:
        with monkeypatch.context() as patch:
            patch.setattr(WebSocket, "send_now", broken)
            _, inbox = submitted(engine, request(replay="never"))
            failure = (await ended(inbox)).failure
        assert failure is not None
        assert (failure.kind, failure.close_reason) == (FailureKind.LOST, "it takes no more")
        await peer.wait_until(lambda: not peer.connections[0].is_open)
        _, inbox = submitted(engine, request())
        await peer.wait_until(lambda: len(peer.connections) == 2)


# The end.


def tasks_left() -> set[str]:
    names = {task.get_name() for task in asyncio.all_tasks()}
    return {name for name in names if name.startswith("turnwire")}


async def test_an_end_that_is_not_waited_for_goes_on() -> None:
    async with Peer(lambda _: [silence()]) as peer, running(peer) as engine:
        submitted(engine, request())
        await peer.wait_until(lambda: peer.model_runs == 1)
        closing = asyncio.create_task(engine.aclose())
        await asyncio.sleep(0)
        closing.cancel()
        with pytest.raises(asyncio.CancelledError):
            await closing
        assert not engine.closed
        await engine.aclose()
        assert (engine.closed, tasks_left()) == (True, set())


async def test_everybody_who_closes_waits_for_the_same_end() -> None:
    async with Peer(lambda _: [silence()]) as peer, running(peer) as engine:
        submitted(engine, request())
        await peer.wait_until(lambda: peer.model_runs == 1)

        async def close() -> tuple[bool, set[str]]:
            await engine.aclose()
            return engine.closed, tasks_left()

        closing = [asyncio.create_task(close()) for _ in range(3)]
        assert await asyncio.gather(*closing) == [(True, set())] * 3
