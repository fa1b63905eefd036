"""What is noted of a turn, and what never is."""

from dataclasses import asdict

import pytest

from gateway.observing.seeing import COMPLETED, CREATED, DELTA, Scene, error, failed, seen
from gateway.support import TurnsInMemory, user
from turnwire.gateway.observing import Observer, SeenTurn
from turnwire.gateway.observing.seen import tidy_code


def last(scene: Scene) -> SeenTurn:
    (turn,) = scene.observer.timeline.recent(scene.clock.now)
    return turn


def test_a_turn_is_known_by_its_times_and_its_tokens() -> None:
    scene = Scene()
    watch = scene.lane_turn(lane=2, waited=3.0)
    scene.run(watch, CREATED, 0.5, DELTA, 1.0, DELTA, COMPLETED, 0.25)
    expected = SeenTurn(
        number=1,
        transport="websocket",
        owner="f" * 32,
        received=97.0,
        started=100.0,
        socket=1,
        lane=2,
        first_event=100.5,
        ended=101.75,
        input_tokens=30,
        cached_tokens=20,
        output_tokens=7,
        reasoning_tokens=2,
        outcome="completed",
    )
    assert asdict(last(scene)) == asdict(expected)


@pytest.mark.parametrize(
    ("event", "outcome", "code"),
    [
        (failed("server_error"), "failed", "server_error"),
        (failed(None), "failed", "other"),
        (error("invalid_value"), "error", "invalid_value"),
        (error(None), "error", "invalid_request_error"),
        ({"type": "response.incomplete", "response": {}}, "incomplete", None),
        ({"type": "response.incomplete", "response": {"status": "cancelled"}}, "stopped", None),
    ],
)
def test_the_terminal_event_is_the_outcome(
    event: dict[str, object], outcome: str, code: str
) -> None:
    scene = Scene()
    scene.run(scene.lane_turn(), CREATED, event)
    turn = last(scene)
    assert (turn.outcome, turn.code, turn.first_event) == (outcome, code, None)


def test_a_turn_without_a_terminal_event_was_stopped() -> None:
    scene = Scene()
    scene.run(scene.lane_turn(), CREATED, DELTA)
    assert (last(scene).outcome, last(scene).code) == ("stopped", None)


def test_a_lane_that_was_free_at_once_was_not_waited_for() -> None:
    scene = Scene()
    scene.run(scene.lane_turn(waited=-1.0), COMPLETED)  # the loop's clock is coarser than ours
    turn = last(scene)
    assert turn.started == turn.received


@pytest.mark.parametrize("code", ["", "a b", "x" * 65, "sk-é", "1", 'a"b', None, 7, ["a"]])
def test_what_is_no_code_is_not_repeated(code: object) -> None:
    assert tidy_code(code) == "other"


async def watched(observer: Observer, memory: TurnsInMemory, **create: object) -> SeenTurn:
    from turnwire.gateway.store.event_log import EventLog

    parent = memory.remembered.get(str(create.get("previous_response_id")))
    events = memory.turns.events(
        create,
        EventLog(),
        cached_parent=parent,
        remember=memory.remember,
        watch=observer.posted("", streamed=False),
    )
    async for _ in events:
        pass
    return observer.timeline.recent(observer.clock())[-1]


async def test_what_a_chain_saves_is_what_it_holds() -> None:
    memory, observer = TurnsInMemory(), Observer(lambda: ("known",))
    first = await watched(observer, memory, model="known", input=[user("Hello")])
    (context,) = memory.remembered.values()
    second = await watched(
        observer,
        memory,
        model="mine",
        input=[user("a"), user("b")],
        previous_response_id=context.response_id,
    )
    assert (first.model, first.chain, first.items_in, first.bytes_saved) == ("known", "new", 1, 0)
    assert (second.model, second.chain, second.items_in) == ("other", "hit", 2)
    assert second.bytes_saved == context.content_bytes > 0
    assert second.bytes_in == sum(map(len, list(memory.remembered.values())[1].input)) > 0


async def test_a_parent_that_is_not_here_is_a_miss() -> None:
    memory, observer = TurnsInMemory(), Observer()
    turn = await watched(observer, memory, model="m", input="x", previous_response_id="resp_gone")
    assert (turn.chain, turn.outcome, turn.code) == ("miss", "error", "previous_response_not_found")


def test_nothing_that_was_said_is_kept() -> None:
    scene = Scene()
    scene.run(scene.lane_turn(), CREATED, DELTA, failed("server_error"))
    scene.run(scene.lane_turn(), error("x"))
    assert "secret" not in repr(scene.observer.timeline.recent(scene.clock.now))


def test_turns_are_told_apart_by_identity() -> None:
    assert seen(1) != seen(1)
