"""Stories of one session going over into another: what is wished meanwhile, what each is told."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from core.realtime.line import LATENCY, Line
from turnwire.core.failure import CloseInfo, Failure, FailureKind
from turnwire.events import realtime as wire
from turnwire.gateway.voice.settings import VoiceSettings
from turnwire.testing.realtime.script import call, counted, reply, text

QUIET = {"turn_detection": None}
FAST = VoiceSettings(speed=1000)


def message(words: str, **fields: Any) -> dict[str, Any]:
    content = [{"type": "input_text", "text": words}]
    return {"type": "message", "role": "user", "content": content, **fields}


def says(line: Line, words: str) -> tuple[str, int]:
    return line.do(lambda machine: machine.create_item(message(words)))


def texts(line: Line) -> list[str]:
    """Return what the live server's items say."""
    return [item.text for item in line.live.session.items]


def half_opened(line: Line, *, renewed: bool) -> None:
    """Have the next session be dialled and greeted, and not be live yet."""
    if renewed:
        line.do(lambda machine: machine.renew(line.now))
    else:
        line.drop()
    line.run(1.5 * LATENCY)
    assert line.machine._state.successor is not None or not renewed
    assert len(line.sockets) == 2


@pytest.mark.parametrize("renewed", [True, False])
def test_what_is_wished_while_the_next_session_opens_holds_there(*, renewed: bool) -> None:
    line = Line(reply(text("fine")), session=QUIET).start()
    old_id, _ = says(line, "old")
    says(line, "kept")
    line.run(1)
    half_opened(line, renewed=renewed)
    update = line.do(lambda machine: machine.update_session({"instructions": "new"}, line.now))
    _, added = says(line, "meanwhile")
    deleted = line.do(lambda machine: machine.delete_item(old_id))
    line.run(3)

    assert line.machine.generation == 2
    assert texts(line) == ["kept", "meanwhile"]
    assert line.live.session.session["instructions"] == "new"
    assert [len(line.answers[ticket]) for ticket in (update, added, deleted)] == [1, 1, 1]
    assert line.machine._state.questions == {}
    assert "error" not in line.types()


def test_what_is_wished_in_the_gap_is_answered() -> None:
    line = Line(reply(text("fine")), session=QUIET).start()
    item_id, _ = says(line, "old")
    line.run(1)
    line.drop()
    deleted = line.do(lambda machine: machine.delete_item(item_id))
    outside = line.do(lambda machine: machine.ask_response({"conversation": "none"}, line.now))
    line.run(3)
    assert [type(one) for one in line.answers[deleted]] == [wire.SessionCreatedEvent]
    assert [type(one) for one in line.answers[outside]] == [
        wire.ResponseCreatedEvent,
        wire.ResponseDoneEvent,
    ]
    assert line.machine.history() == []
    assert texts(line) == []


def test_a_refused_update_is_not_asked_for_again() -> None:
    line = Line(reply(text("fine")), session=QUIET).start()
    bad = {"output_modalities": ["smell"]}
    refused = line.do(lambda machine: machine.update_session(bad, line.now))
    good = line.do(lambda machine: machine.update_session({"instructions": "b"}, line.now))
    line.run(1)
    line.drop()
    line.run(3)
    assert [type(one) for one in line.answers[refused]] == [Failure]
    assert [type(one) for one in line.answers[good]] == [wire.SessionUpdatedEvent]
    opening = line.live.told_of("session.update")
    expected = {"type": "realtime", "instructions": "b", "audio": {"input": QUIET}}
    assert opening == [{"type": "session.update", "session": expected}]


def test_an_update_that_is_refused_while_a_session_opens_spoils_nothing_else() -> None:
    line = Line(reply(text("fine")), session={**QUIET, "instructions": "a"}).start()
    line.drop()
    bad = {"output_modalities": ["smell"]}
    refused = line.do(lambda machine: machine.update_session(bad, line.now))
    line.run(3)
    assert line.machine.status.value == "connected"
    assert line.live.session.session["instructions"] == "a"
    assert not line.machine.configuration.detects_turns
    assert line.machine.configuration.pending() == []
    assert len(line.answers[refused]) == 1


def test_the_echo_of_one_session_answers_no_question_of_another() -> None:
    line = Line(
        reply(text("fine")),
        session=QUIET,
        ready_on="updated",
    ).start()
    half_opened(line, renewed=True)
    update = line.do(lambda machine: machine.update_session({"instructions": "b"}, line.now))
    line.say({"type": "session.updated", "session": {"id": "s", "type": "realtime"}})
    assert [type(one) for one in line.answers[update]] == [wire.SessionUpdatedEvent]
    assert line.machine.generation == 1  # the successor waits for an echo of its own
    line.run(3)
    assert line.machine.generation == 2


def test_a_session_is_what_it_was_told_before_it_says_so() -> None:
    """The greeting has the server's defaults; the audio is in the format that was asked for."""
    line = Line(
        reply(counted(1000)),
        session={**QUIET, "output_format": "g711_ulaw", "input_format": "g711_ulaw"},
        change=lambda event: None if event["type"] == "session.updated" else event,
    )
    line.do(lambda machine: machine.append(bytes(8000), line.now))
    line.start()
    assert line.machine.backlog_ms == 0
    assert line.of(wire.AudioDroppedEvent) == []
    line.do(lambda machine: machine.ask_response(None, line.now))
    line.run(0.1)
    (part,) = line.machine.heard(line.now)
    assert part.received_ms == len(line.of(wire.ResponseAudioDeltaEvent)) * 100


def test_another_input_format_drops_what_waits_and_says_so() -> None:
    line = Line(reply(text("fine")), session=QUIET).start()
    line.do(lambda machine: machine.append(bytes(480), line.now))  # too short to be sent
    session = {"type": "realtime", "audio": {"input": {"format": {"type": "audio/pcmu"}}}}
    line.say({"type": "session.updated", "session": session})
    assert [(one.ms, one.reason) for one in line.of(wire.AudioDroppedEvent)] == [(10, "format")]


def test_a_session_that_never_echoes_is_given_up() -> None:
    line = Line(
        reply(text("fine")),
        session=QUIET,
        change=lambda event: None if event["type"] == "session.updated" else event,
        ready_on="updated",
        dial_timeout=5.0,
    ).start()
    line.run(10)
    assert [one.kind for one in line.ended if one] == [FailureKind.DIAL_TIMEOUT]


def test_a_configuration_that_is_refused_at_first_is_the_end() -> None:
    line = Line(reply(text("fine")), session={"output_modalities": ["smell"]}, ready_on="updated")
    line.start()
    assert [one.code for one in line.ended if one] == ["invalid_value"]


REFUSED = {
    "type": "error",
    "error": {"type": "invalid_request_error", "code": "invalid_model", "message": "no such model"},
}


def test_an_error_of_no_event_before_the_first_session_is_the_reason_why_there_is_none() -> None:
    line = Line(reply(text("fine")), session=QUIET)
    line.machine.open(0.0)
    line.do(lambda machine: machine.opened(1, 0.0))
    line.do(lambda machine: machine.received(1, msgspec.json.encode(REFUSED), 0.0))
    assert [(one.code, one.message) for one in line.ended if one] == [
        ("invalid_model", "no such model")
    ]


def test_once_a_session_is_configured_an_error_of_no_event_is_about_something_else() -> None:
    line = Line(reply(text("fine")), session=QUIET)
    says(line, "before anybody hears it")
    line.machine.open(0.0)
    line.do(lambda machine: machine.opened(1, 0.0))
    greeting = {"type": "session.created", "event_id": "e", "session": {"type": "realtime"}}
    for said in (greeting, REFUSED):
        line.do(lambda machine, said=said: machine.received(1, msgspec.json.encode(said), 0.0))
    assert line.ended == []


def test_an_error_of_no_event_is_the_reason_why_a_later_session_is_given_up() -> None:
    line = Line(reply(text("fine")), session=QUIET, dial_timeout=5.0).start()
    half_opened(line, renewed=False)
    line.machine.received(2, msgspec.json.encode(REFUSED), line.now)
    assert line.ended == []
    line.machine.lost(2, CloseInfo(4000), line.now)
    line.run(1)
    assert [one.code for one in line.ended if one] == ["invalid_model"]


def test_what_a_server_says_before_it_is_ready_is_bounded() -> None:
    line = Line(reply(text("fine")), session=QUIET)
    line.machine.open(0.0)
    line.do(lambda machine: machine.opened(1, 0.0))
    for _ in range(5000):
        line.machine.received(1, b'{"type":"novelty"}', 0.0)
    assert len(line.machine._state.held) <= 257
    assert len(line.logs) == 0
    line._act()
    assert len(line.logs) == 1


def test_a_successor_that_is_refused_for_good_is_not_the_end_of_the_talk() -> None:
    line = Line(reply(text("fine")), session=QUIET).start()
    half_opened(line, renewed=True)
    error = {"type": "invalid_request_error", "code": "insufficient_quota", "message": "no"}
    line.machine.received(2, msgspec.json.encode({"type": "error", "error": error}), line.now)
    line.run(20)
    assert line.ended == []
    assert line.machine.generation == 1
    ticket = line.do(lambda machine: machine.ask_response(None, line.now))
    line.run(5)
    assert len(line.answers[ticket]) == 2


def test_a_successor_that_dies_leaves_nothing_behind_and_is_tried_again() -> None:
    line = Line(reply(text("fine")), session=QUIET).start()
    half_opened(line, renewed=True)
    line.sockets[2].open = False
    line.machine.lost(2, CloseInfo(1006), line.now)
    state = line.machine._state
    assert [one.generation for one in state.questions.values() if one.generation == 2] == []
    assert list(state.held) == []
    line.run(29)
    assert line.machine.generation == 1
    line.run(5)
    assert line.machine.generation == 3
    assert line.machine.status.value == "connected"


def test_a_successor_takes_over_when_the_session_dies_meanwhile() -> None:
    line = Line(reply(text("fine")), session=QUIET).start()
    says(line, "hello")
    line.run(1)
    half_opened(line, renewed=True)
    line.drop()
    line.run(1)
    assert line.machine.generation == 2
    assert texts(line) == ["hello"]
    assert len(line.sockets) == 2


def test_what_changes_while_a_successor_waits_is_told_before_it_speaks() -> None:
    """The reply is cut after its item was told; then it is told once more, as it was heard."""
    words = "one two three four five six seven eight nine ten"
    line = Line(
        reply(counted(20_000, words)),
        session=QUIET,
        voice=VoiceSettings(speed=1000),
    ).start()
    line.run(1)
    line.do(lambda machine: machine.renew(line.now))
    line.do(lambda machine: machine.ask_response(None, line.now))
    line.run(6)
    assert line.machine.generation == 1
    successor = line.sockets[2].session
    line.do(lambda machine: machine.interrupt(line.now))
    line.run(2)
    assert line.machine.generation == 2
    (item,) = successor.items
    (shown,) = line.machine.history()[0]["content"]
    assert shown == {"type": "output_text", "text": item.text, "cut_off": True}
    assert 2 <= len(item.text.split()) <= 4


def test_what_is_cut_while_a_session_opens_is_told_as_it_was_heard() -> None:
    words = "one two three four five six seven eight nine ten"
    line = Line(reply(counted(20_000, words)), session=QUIET, voice=FAST).start()
    line.run(6)
    line.do(lambda machine: machine.ask_response(None, line.now))
    line.run(6)
    line.drop()
    line.until(
        lambda: 2 in line.sockets and bool(line.sockets[2].told_of("conversation.item.create"))
    )
    assert line.machine.status.value == "reconnecting"
    line.do(lambda machine: machine.interrupt(line.now))
    line.run(2)
    (item,) = line.live.session.items
    assert 2 <= len(item.text.split()) <= 4
    assert "error" not in line.types()


def test_a_call_that_the_live_session_knows_is_not_told_to_it_again() -> None:
    """The successor was not told the call, for it had no output; the live one has it."""
    line = Line([reply(call("weather", "call_1")), reply(text("rain"))], session=QUIET).start()
    line.do(lambda machine: machine.ask_response(None, line.now))
    line.run(5)
    line.do(lambda machine: machine.append(bytes(9600), line.now))
    half_opened(line, renewed=True)
    output = {"type": "function_call_output", "call_id": "call_1", "output": "rain"}
    line.do(lambda machine: machine.create_item(output))
    line.run(3)
    assert line.machine.generation == 2
    first = [one["item"]["type"] for one in line.sockets[1].told_of("conversation.item.create")]
    assert first == ["function_call_output"]
    kinds = [item.value["type"] for item in line.live.session.items]
    assert kinds == ["function_call", "function_call_output"]
    assert "error" not in line.types()


def test_an_item_that_the_next_session_refuses_takes_no_other_with_it() -> None:
    """Those behind it name it as the one before them, and are refused as well at first."""
    line = Line(reply(text("fine")), session=QUIET).start()
    ids = [says(line, words)[0] for words in "abcd"]
    line.run(1)
    entry = line.machine._state.items.get(ids[1])
    assert entry is not None
    entry.item["content"] = [{"type": "input_image", "image_url": 7}]
    line.drop()
    line.run(3)
    assert texts(line) == ["a", "c", "d"]
    assert line.of(wire.ReconnectedEvent)[0].lost == [ids[1]]
    assert "error" not in line.types()


def test_what_waits_behind_a_commit_is_not_said_blindly_on_the_next_socket() -> None:
    """The writer was stuck: a commit, an item and a create wait behind the audio."""
    line = Line(reply(text("fine")), session=QUIET).start()
    line._write = lambda generation: None  # type: ignore[method-assign]
    line.do(lambda machine: machine.append(bytes(9600), line.now))
    line.do(lambda machine: machine.commit())
    _, added = says(line, "and this")
    asked = line.do(lambda machine: machine.ask_response(None, line.now))
    line.drop()
    del line._write
    line.run(5)

    told = line.live.told_of(
        "input_audio_buffer.commit", "conversation.item.create", "response.create"
    )
    kinds = [one["type"] for one in told]
    assert sorted(kinds) == sorted(set(kinds))
    assert len(kinds) == 3
    assert len(line.answers[added]) == 1
    assert len(line.answers[asked]) == 2
    assert "error" not in line.types()


def test_a_commit_whose_item_never_came_is_made_again_before_the_answer_is_asked_for() -> None:
    line = Line(reply(text("heard")), session=QUIET).start()
    line.do(lambda machine: machine.append(bytes(48_000), line.now))
    line.do(lambda machine: machine.commit())
    line.do(lambda machine: machine.ask_response(None, line.now))
    line.drop()  # before any of it arrived
    line.run(5)
    kinds = [one["type"] for one in line.live.told if one["type"] != "session.update"]
    assert kinds[-3:] == [
        "input_audio_buffer.append",
        "input_audio_buffer.commit",
        "response.create",
    ]
    assert [item.value["role"] for item in line.live.session.items] == ["user", "assistant"]


def test_nobody_spins_while_a_socket_takes_nothing() -> None:
    line = Line(reply(text("fine")), session=QUIET).start()
    line.do(lambda machine: machine.append(bytes(480), line.now))
    line._write = lambda generation: None  # type: ignore[method-assign]
    for _ in range(50):
        line.run(0.02)
        line.do(lambda machine: machine.append(bytes(960), line.now))
        line.machine.tick(line.now)
        deadline = line.machine.deadline(line.now)
        assert deadline is None or deadline > line.now


def test_no_deadline_is_infinite_or_past_while_a_renewal_waits_for_a_pause() -> None:
    line = Line(reply(counted(9000)), session=QUIET, voice=VoiceSettings(max_age=None)).start()
    line.do(lambda machine: machine.ask_response(None, line.now))
    line.until(lambda: "response.output_audio.delta" in line.types())
    line.do(lambda machine: machine.renew(line.now))
    deadline = line.machine.deadline(line.now)
    assert deadline is not None
    assert line.now < deadline < line.now + 1000


def test_a_successor_is_what_it_was_told_before_it_says_so() -> None:
    session = {**QUIET, "input_format": "g711_ulaw"}
    line = Line(reply(text("fine")), session=session).start()
    line.do(lambda machine: machine.append(bytes(80), line.now))
    line.do(lambda machine: machine.renew(line.now))
    line.until(lambda: line.machine.generation == 2)
    assert line.machine.configuration.input_format.type == "audio/pcmu"
    assert line.of(wire.AudioDroppedEvent) == []


def test_an_item_that_was_on_its_way_is_told_to_the_next_session() -> None:
    line = Line(reply(text("fine")), session=QUIET).start()
    _, ticket = says(line, "hello")
    line.drop()
    line.run(3)
    assert [type(one) for one in line.answers[ticket]] == [wire.SessionCreatedEvent]
    assert texts(line) == ["hello"]
