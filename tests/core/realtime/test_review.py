"""Stories of what goes wrong when several things happen at once, and of what is bounded."""

from __future__ import annotations

from base64 import b64decode
from typing import TYPE_CHECKING, Any

import msgspec
import pytest

from core.realtime.line import Line
from turnwire.core.failure import CloseInfo, Failure, FailureKind
from turnwire.core.realtime import actions
from turnwire.core.realtime.machine import RealtimeMachine
from turnwire.core.realtime.playhead import VirtualClock
from turnwire.core.realtime.settings import RealtimeSettings
from turnwire.core.realtime.state import QUESTIONS_KEPT, Status
from turnwire.core.realtime.uplink import NoRoom
from turnwire.events import realtime as wire
from turnwire.gateway.voice.settings import VoiceSettings
from turnwire.testing.realtime.script import counted, reply

if TYPE_CHECKING:
    from collections.abc import Callable

QUIET = {"turn_detection": None}
A, B = b"\x0a\x0a" * 12_000, b"\x0b\x0b" * 12_000
CREATED = {"type": "session.created", "event_id": "e", "session": {"type": "realtime"}}


def message(words: str, **fields: Any) -> dict[str, Any]:
    content = [{"type": "input_text", "text": words}]
    return {"type": "message", "role": "user", "content": content, **fields}


def says(line: Line, words: str, **fields: Any) -> tuple[str, int]:
    return line.do(lambda machine: machine.create_item(message(words), None, fields))


def failures(line: Line, *tickets: int) -> list[FailureKind | None]:
    """Return how tickets failed, None for those that did not; each was answered once."""
    answers = [answer for ticket in tickets for answer in line.answers[ticket]]
    assert len(tickets) == len(answers)
    return [one.kind if isinstance(one, Failure) else None for one in answers]


def heard(line: Line) -> list[str | tuple[bytes, int]]:
    """Return what the live server heard: audio as its first byte and its length."""
    found: list[str | tuple[bytes, int]] = []
    for event in line.live.told_of(
        "input_audio_buffer.append", "input_audio_buffer.commit", "input_audio_buffer.clear"
    ):
        if "audio" not in event:
            found.append(event["type"])
            continue
        audio = b64decode(event["audio"])
        first, size = audio[:1], len(audio)
        if found and isinstance(found[-1], tuple) and found[-1][0] == first:
            size += found.pop()[1]
        found.append((first, size))
    return found


def unwritten(**settings: Any) -> tuple[RealtimeMachine, Callable[[], list[bytes]]]:
    """Return a machine with a live socket that nothing was written on, and its writer."""
    machine = RealtimeMachine(RealtimeSettings(**settings), QUIET, VirtualClock())
    machine.open(0.0)
    machine.opened(1, 0.0)
    machine.received(1, msgspec.json.encode(CREATED), 0.0)

    def write() -> list[bytes]:
        return list(iter(lambda: machine.pull(1, 0.0), None))

    write()
    machine.actions()
    assert machine.status is Status.CONNECTED
    return machine, write


# Leaving.


def test_a_successor_that_waits_for_a_pause_takes_over_when_the_session_has_expired() -> None:
    script = [reply(counted(60_000, "a long answer"))]
    voice = VoiceSettings(speed=1000, max_age=None)
    line = Line(script, session=QUIET, voice=voice).start()
    line.do(lambda machine: machine.renew(line.now))
    line.do(lambda machine: machine.ask_response(None, line.now))
    line.run(2)
    assert line.machine.generation == 1
    error = {"type": "invalid_request_error", "code": "session_expired", "message": "Too old."}
    line.say({"type": "error", "event_id": "e", "error": error})

    assert line.machine.status is Status.CONNECTED
    assert line.machine.generation == 2
    assert line.of(wire.ReconnectedEvent)


# The user's audio.


@pytest.mark.parametrize("clears", [True, False])
def test_clearing_keeps_turns_that_the_server_has_not_confirmed(*, clears: bool) -> None:
    line = Line([], session=QUIET).start()
    line.do(lambda machine: machine.append(A, line.now))
    line.do(lambda machine: machine.commit())
    if clears:
        line.do(lambda machine: machine.append(b"\x0c\x0c" * 4_800, line.now))
        line.do(lambda machine: machine.clear())
    line.do(lambda machine: machine.append(B, line.now))
    line.drop()
    line.run(1)
    said = [(b"\x0a", len(A)), "input_audio_buffer.commit", (b"\x0b", len(B))]
    assert heard(line) == said


def test_clearing_keeps_the_audio_of_a_turn_once_it_is_confirmed() -> None:
    line = Line([], session=QUIET).start()
    line.do(lambda machine: machine.append(A, line.now))
    line.do(lambda machine: machine.commit())
    line.do(lambda machine: machine.append(B, line.now))
    line.do(lambda machine: machine.clear())
    line.do(lambda machine: machine.append(B, line.now))
    line.run(1)
    (committed,) = line.of(wire.InputAudioBufferCommittedEvent)
    entry = line.machine._state.items.get(committed.item_id)
    assert entry is not None
    assert entry.audio == A
    line.drop()
    line.run(1)
    assert heard(line) == [(b"\x0b", len(B))]


def test_half_a_sample_before_a_commit_does_not_shift_the_next_turn() -> None:
    line = Line([], session=QUIET).start()
    line.do(lambda machine: machine.append(A + b"\x7f", line.now))
    line.do(lambda machine: machine.commit())
    line.do(lambda machine: machine.append(B, line.now))
    line.do(lambda machine: machine.commit())
    line.run(1)
    commit = "input_audio_buffer.commit"
    assert heard(line) == [(b"\x0a", len(A)), commit, (b"\x0b", len(B)), commit]


# Wishes that the next session is opened with.


def test_an_item_that_the_next_session_is_not_told_fails() -> None:
    line = Line([], session=QUIET, seed_bytes=1000).start()
    line.drop()
    big_id, big = says(line, "x" * 2000)
    line.run(3)
    assert failures(line, big) == [FailureKind.LOST]
    assert line.machine.item(big_id) is None
    (reconnected,) = line.of(wire.ReconnectedEvent)
    assert reconnected.lost == [big_id]


def test_an_item_that_the_next_session_is_told_succeeds() -> None:
    line = Line([], session=QUIET).start()
    line.drop()
    item_id, small = says(line, "small")
    line.run(3)
    assert failures(line, small) == [None]
    assert line.machine.item(item_id) is not None


def test_an_item_that_the_next_session_refuses_fails() -> None:
    line = Line([], session=QUIET).start()
    line.drop()
    item = {"type": "message", "role": "nobody", "content": message("words")["content"]}
    item_id, refused = line.do(lambda machine: machine.create_item(item))
    line.run(3)
    assert failures(line, refused) == [FailureKind.SERVER]
    assert line.machine.item(item_id) is None


# Bounds.


WISHES: dict[str, Callable[[RealtimeMachine], Any]] = {
    "item": lambda machine: machine.create_item(message("more")),
    "delete": lambda machine: machine.delete_item("item_1"),
    "retrieve": lambda machine: machine.retrieve_item("item_1"),
    "truncate": lambda machine: machine.truncate_item("item_1", 0, 100, 0.0),
    "reset": lambda machine: machine.reset_history([]),
    "send": lambda machine: machine.send({"type": "mine.own"}),
    "response": lambda machine: machine.ask_response({"instructions": "Be brief."}, 0.0),
    "update": lambda machine: machine.update_session({"voice": "ash"}, 0.0),
    "commit": lambda machine: machine.commit(),
    "clear": lambda machine: machine.clear(),
}


@pytest.mark.parametrize("wish", WISHES)
def test_a_wish_for_which_there_is_no_room_changes_nothing(wish: str) -> None:
    machine, write = unwritten(control_bytes=1000)
    machine.append(A, 0.0)
    machine.create_item(message("x" * 700, id="item_1"))
    machine.create_item(message("", id="i2"))
    for _ in range(100):  # until there is no room for the least of them
        try:
            machine.clear()
            machine.append(A, 0.0)
        except NoRoom:
            break
    history, questions = machine.history(), dict(machine._state.questions)
    backlog_ms, wanted = machine.backlog_ms, machine.configuration.wanted
    machine.actions()
    with pytest.raises(NoRoom, match="control_bytes"):
        WISHES[wish](machine)
    assert machine.actions() == []
    assert machine.history() == history
    assert machine._state.questions == questions
    assert (machine.backlog_ms, machine.configuration.wanted) == (backlog_ms, wanted)
    write()
    WISHES[wish](machine)


def test_responses_that_wait_for_another_one_count_as_well() -> None:
    machine, write = unwritten(control_bytes=2000)
    machine.ask_response({"instructions": "x" * 900}, 0.0)
    write()
    machine.ask_response({"instructions": "x" * 900}, 0.0)
    machine.ask_response({"instructions": "x" * 900}, 0.0)
    with pytest.raises(NoRoom):
        machine.ask_response({"instructions": "x" * 900}, 0.0)


def test_updates_that_wait_for_the_next_session_count_as_well() -> None:
    machine, _ = unwritten(control_bytes=2000)
    machine.lost(1, CloseInfo(1006), 1.0)
    for _ in range(2):
        machine.update_session({"instructions": "x" * 900}, 1.0)
    with pytest.raises(NoRoom):
        machine.update_session({"instructions": "x" * 900}, 1.0)


def test_an_interruption_is_said_whatever_waits() -> None:
    machine, write = unwritten(control_bytes=200)
    response = {"id": "resp_1", "status": "in_progress", "output": []}
    for event in (
        {"type": "response.created", "event_id": "e", "response": response},
        {
            "type": "response.output_audio.delta",
            "event_id": "e",
            "response_id": "resp_1",
            "item_id": "item_1",
            "output_index": 0,
            "content_index": 0,
            "delta": "AAAA" * 4_000,
        },
    ):
        machine.received(1, msgspec.json.encode(event), 0.0)
    with pytest.raises(NoRoom):
        machine.create_item(message("x" * 200))
    assert machine.send({"type": "mine.own", "text": "x" * 100})
    assert machine.interrupt(0.01)
    said = [msgspec.json.decode(one)["type"] for one in write()]
    assert said[:2] == ["mine.own", "response.cancel"]


def test_who_waits_longest_is_told_the_truth_when_too_many_wait() -> None:
    machine, _ = unwritten()
    response = machine.ask_response(None, 0.0)
    tickets = [machine.retrieve_item(f"item_{number}") for number in range(QUESTIONS_KEPT)]
    (settled,) = [one for one in machine.actions() if isinstance(one, actions.Settle)]
    assert settled.ticket == tickets[0] != response
    assert isinstance(settled.answer, Failure)
    assert "too many answers are waited for: 1024 at most" in settled.answer.message
    assert len(machine._state.questions) == QUESTIONS_KEPT


def test_events_before_the_session_is_live_are_bounded_in_bytes() -> None:
    machine = RealtimeMachine(RealtimeSettings(), QUIET, VirtualClock())
    machine.open(0.0)
    machine.opened(1, 0.0)
    for number in range(8):
        event = {"type": "some.event", "event_id": f"e{number}", "text": "x" * 2**20}
        machine.received(1, msgspec.json.encode(event), 0.0)
    machine.received(1, msgspec.json.encode(CREATED), 0.0)
    done = machine.actions()
    delivered = [one.event.event_id for one in done if isinstance(one, actions.Deliver)]
    assert [one for one in delivered if one] == ["e0", "e1", "e2", "e"]
    logs = [one.message for one in done if isinstance(one, actions.Log)]
    assert [one for one in logs if "ignored" in one] == [
        "more than 256 events or 4194304 bytes came before the session was ready: ignored"
    ]
    assert machine.status is Status.CONNECTED


# Names and times.


def test_an_event_id_that_is_in_use_is_refused() -> None:
    line = Line([], session=QUIET).start()
    _, first = says(line, "first", event_id="mine")
    second_id, second = says(line, "second", event_id="mine")
    raw = line.do(lambda machine: machine.send({"type": "mine.own", "event_id": "mine"}))
    line.run(1)
    assert failures(line, first, second) == [None, FailureKind.UNSENT]
    assert isinstance(raw, Failure)
    assert raw.kind is FailureKind.UNSENT
    assert line.machine.item(second_id) is None
    assert [item.text for item in line.live.session.items] == ["first"]
    _, third = says(line, "third", event_id="mine")  # it was answered
    line.run(1)
    assert failures(line, third) == [None]


def test_an_answer_is_waited_for_from_when_its_message_is_written() -> None:
    machine, _ = unwritten(answer_timeout=1.0, update_timeout=1.0)
    first = machine.retrieve_item("item_1")
    second = machine.update_session({"voice": "ash"}, 0.0)
    assert machine.pull(1, 0.0) is not None
    machine.actions()
    machine.tick(5.0)
    settled = [one.ticket for one in machine.actions() if isinstance(one, actions.Settle)]
    assert settled == [first]
    assert machine.pull(1, 5.0) is not None
    assert machine.deadline(5.0) == 6.0
    machine.tick(6.0)
    settled = [one.ticket for one in machine.actions() if isinstance(one, actions.Settle)]
    assert settled == [second]


def test_an_event_of_the_callers_that_was_not_written_is_named_as_lost() -> None:
    machine, _ = unwritten()
    written = machine.send({"type": "mine.own", "event_id": "written"})
    assert machine.pull(1, 0.0) is not None
    waiting = machine.send({"type": "mine.own", "event_id": "waiting"})
    machine.lost(1, CloseInfo(1006, ""), 10.0)
    machine.tick(20.0)
    machine.opened(2, 20.0)
    machine.received(2, msgspec.json.encode(CREATED), 20.0)
    done = machine.actions()
    (reconnected,) = [
        one.event
        for one in done
        if isinstance(one, actions.Deliver) and isinstance(one.event, wire.ReconnectedEvent)
    ]
    assert reconnected.lost == ["waiting"]
    answers = {one.ticket: one.answer for one in done if isinstance(one, actions.Settle)}
    assert isinstance(answers[waiting], Failure)
    assert answers[waiting].kind is FailureKind.LOST
    assert "waiting" not in machine._state.unwritten.values()
    assert written != waiting


def test_an_item_without_a_name_gets_one() -> None:
    line = Line([], session=QUIET).start()
    item_id, ticket = line.do(lambda machine: machine.create_item(message("words", id=None)))
    line.run(1)
    assert failures(line, ticket) == [None]
    assert item_id.startswith("item_")
    assert [item.id for item in line.live.session.items] == [item_id]
