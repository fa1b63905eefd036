"""Stories of servers that say things twice, too late, without a name, or not at all."""

from __future__ import annotations

from base64 import b64decode
from typing import Any

import pytest

from core.realtime.line import LATENCY, Line
from turnwire.core.failure import Failure, FailureKind
from turnwire.events import realtime as wire
from turnwire.gateway.voice.settings import VoiceSettings
from turnwire.testing.realtime.script import counted, reply, text

QUIET = {"turn_detection": None}
FAST = VoiceSettings(speed=1000)
CREATED, DONE = wire.ResponseCreatedEvent, wire.ResponseDoneEvent


def asks(line: Line, body: dict[str, Any] | None = None) -> int:
    return line.do(lambda machine: machine.ask_response(body, line.now))


def kinds(line: Line, ticket: int) -> list[type[object]]:
    return [type(one) for one in line.answers.get(ticket, [])]


def speaks(line: Line) -> None:
    loud = b"\x00\x40\x00\xc0" * 6000  # half a second
    line.do(lambda machine: machine.append(loud + bytes(48_000), line.now))


def without(*types: str) -> Any:
    return lambda event: None if event["type"] in types else event


@pytest.mark.parametrize("kind", ["response.created", "response.done"])
def test_what_is_said_twice_counts_once(kind: str) -> None:
    line = Line(reply(text("fine")), session=QUIET).start()
    first = asks(line)
    line.until(lambda: kind in line.types())
    (told,) = [one for one in line.live.said if one["type"] == kind]
    line.say(told)
    second = asks(line)
    line.run(5)
    third = asks(line)
    line.run(5)
    assert [kinds(line, one) for one in (first, second, third)] == [[CREATED, DONE]] * 3
    assert line.machine.statistics().responses == 3
    usage = [one["response"]["usage"] for one in line.live.said if one["type"] == "response.done"]
    assert line.machine.statistics().output_tokens == sum(one["output_tokens"] for one in usage)


def test_the_late_end_of_one_response_is_not_the_end_of_the_next() -> None:
    """The slot was freed because the end did not come; then it comes, before `created`."""
    line = Line(
        reply(counted(5000)),
        session=QUIET,
        voice=VoiceSettings(created_delay=1.0),
        change=without("response.done"),
    ).start()
    asks(line)
    line.until(lambda: "response.output_audio.delta" in line.types())
    line.do(lambda machine: machine.interrupt(line.now))
    second = asks(line)
    line.run(10.5)
    (late,) = line.of(CREATED)
    response = {"id": late.response.id, "object": "realtime.response", "status": "cancelled"}
    line.say({"type": "response.done", "response": response})
    assert kinds(line, second) == []
    line.run(1)
    assert kinds(line, second) == [CREATED]


def test_a_response_may_end_that_was_never_said_to_begin() -> None:
    line = Line(reply(text("fine")), session=QUIET, change=without("response.created")).start()
    tickets = [asks(line), asks(line, {"instructions": "again"})]
    line.run(10)
    assert [kinds(line, one) for one in tickets] == [[DONE], [DONE]]


def test_a_response_that_says_nothing_more_is_over_in_the_end() -> None:
    line = Line(
        reply(text("fine")),
        session=QUIET,
        change=without("response.done"),
        response_timeout=60.0,
    ).start()
    first, second = asks(line), asks(line, {"instructions": "more"})
    outside = asks(line, {"conversation": "none"})
    line.run(70)
    assert kinds(line, first) == [CREATED, Failure]
    assert kinds(line, second) == [CREATED]
    assert kinds(line, outside) == [CREATED, Failure]
    assert line.answers[first][1].kind is FailureKind.PROGRESS_TIMEOUT  # type: ignore[union-attr]


def test_a_response_that_takes_the_place_of_one_without_an_end_leaves_nobody_waiting() -> None:
    line = Line(reply(text("fine")), change=without("response.done"), response_timeout=60.0)
    line.start()
    ticket = asks(line)
    line.run(3)
    speaks(line)  # the server answers by itself
    line.run(70)
    assert kinds(line, ticket) == [CREATED, Failure]


def test_a_server_that_cancels_by_itself_and_forgets_to_say_so_blocks_nobody() -> None:
    detection = {"type": "server_vad", "interrupt_response": True, "create_response": False}
    line = Line(
        reply(counted(20_000)),
        session={"turn_detection": detection},
        change=without("response.done"),
    ).start()
    asks(line)
    line.run(1)
    speaks(line)
    line.run(1)
    ticket = asks(line)
    line.run(12)
    assert kinds(line, ticket) == [CREATED]


def test_what_is_begun_too_late_is_cancelled() -> None:
    """Its caller was told that it failed; nobody is to hear it now."""
    line = Line(
        reply(counted(3000)),
        session=QUIET,
        voice=VoiceSettings(created_delay=5),
        create_timeout=2.0,
    ).start()
    ticket = asks(line)
    line.run(20)
    assert [type(one) for one in line.answers[ticket]] == [Failure]
    assert len(line.live.told_of("response.cancel")) == 1
    assert line.of(wire.ResponseAudioDeltaEvent) == []


def test_audio_that_comes_after_the_end_of_an_interrupted_response_is_not_handed_on() -> None:
    line = Line(reply(counted(5000)), session=QUIET, voice=VoiceSettings(chunks_after_done=3))
    line.start()
    asks(line)
    line.until(lambda: "response.output_audio.delta" in line.types())
    line.do(lambda machine: machine.interrupt(line.now))
    heard = len(line.of(wire.ResponseAudioDeltaEvent))
    line.run(5)
    assert len(line.of(wire.ResponseAudioDeltaEvent)) == heard
    assert line.machine.statistics().late_deltas >= 3


def busy(event_id: str | None) -> dict[str, Any]:
    error = {"type": "invalid_request_error", "event_id": event_id, "message": "busy"}
    return {
        "type": "error",
        "error": {**error, "code": "conversation_already_has_active_response"},
    }


def test_a_second_response_that_was_the_server_s_own_idea_is_not_the_caller_s_business() -> None:
    detection = {"type": "server_vad", "interrupt_response": False}
    line = Line(
        reply(counted(2000)),
        session={"turn_detection": detection},
        voice=VoiceSettings(created_delay=0.5),
    ).start()
    speaks(line)
    line.until(lambda: "input_audio_buffer.committed" in line.types())
    ticket = asks(line)  # it comes to the server while its own response is still to be created
    line.say(busy(None))
    line.run(20)
    assert kinds(line, ticket) == [CREATED, DONE]
    assert "error" not in line.types()


def test_a_refusal_that_names_nobody_is_the_create_s() -> None:
    line = Line(reply(text("fine")), session=QUIET, voice=VoiceSettings(created_delay=9)).start()
    ticket = asks(line)
    line.say(busy(None))
    assert line.machine._state.sequencer.waiting == 1
    line.say({"type": "response.done", "response": {"id": "resp_x", "status": "completed"}})
    line.run(20)
    assert kinds(line, ticket) == [CREATED, DONE]
    assert "error" not in line.types()


def test_what_was_interrupted_and_refused_fails_in_words_of_its_own() -> None:
    line = Line(reply(text("fine")), session=QUIET, voice=VoiceSettings(created_delay=9)).start()
    ticket = asks(line)
    line.do(lambda machine: machine.interrupt(line.now))
    line.say(busy(None))
    (answer,) = line.answers[ticket]
    assert isinstance(answer, Failure)
    assert answer.code == "interrupted"


def test_a_cancel_that_came_too_late_is_nobody_s_business() -> None:
    line = Line(reply(text("fine")), session=QUIET).start()
    asks(line)
    line.until(lambda: "response.created" in line.types())
    assert line.do(lambda machine: machine.cancel_response(None, line.now))
    line.run(3)
    error = {"type": "invalid_request_error", "code": "response_cancel_not_active", "message": "no"}
    line.say({"type": "error", "error": error})
    assert "error" not in line.types()
    assert line.machine.statistics().swallowed_errors >= 1


def test_an_answer_that_the_server_owes_and_never_gives_holds_nothing_up() -> None:
    """It says that it responds to speech, and does not; a renewal comes all the same."""
    line = Line(
        reply(text("fine")),
        voice=VoiceSettings(max_age=600),
        change=without(
            "response.created", "response.done", "response.output_item.added",
            "response.output_item.done", "conversation.item.added",
        ),
        renew_margin=400.0,
    ).start()  # fmt: skip
    speaks(line)
    line.run(150)
    assert not line.machine._state.owed
    line.run(160)
    assert line.machine.generation == 2


def test_what_this_side_commits_is_not_owed_an_answer() -> None:
    line = Line(reply(text("fine"))).start()
    line.do(lambda machine: machine.append(bytes(9600), line.now))
    line.run(1)
    assert line.do(lambda machine: machine.commit()) is None
    line.run(1)
    assert "input_audio_buffer.committed" in line.types()
    line.drop()
    line.run(5)
    assert line.live.told_of("response.create") == []


def test_a_silence_that_the_server_breaks_is_owed_one() -> None:
    detection = {"type": "server_vad", "idle_timeout_ms": 5000}
    line = Line(
        [reply(text("fine")), reply(counted(500))],
        session={"turn_detection": detection},
        voice=VoiceSettings(created_delay=1.0),
    ).start()
    line.do(lambda machine: machine.append(bytes(48_000), line.now))
    asks(line)
    line.until(lambda: "input_audio_buffer.timeout_triggered" in line.types())
    line.run(0.05)
    assert line.machine._state.owed
    line.run(5)
    assert not line.machine._state.owed


def test_words_that_are_read_are_not_deleted_because_nobody_heard_them() -> None:
    line = Line(
        reply(text("a b c d e f g h i j k l m n o p")), voice=VoiceSettings(speed=0.5)
    ).start()
    asks(line)
    line.until(lambda: "response.output_text.delta" in line.types())
    line.do(lambda machine: machine.interrupt(line.now))
    line.run(3)
    assert line.live.told_of("conversation.item.delete") == []
    assert len(line.machine.history()) == 1


def test_an_item_that_was_deleted_is_not_brought_back_by_what_is_still_said_of_it() -> None:
    line = Line(reply(counted(3000)), session=QUIET).start()
    asks(line)
    line.until(lambda: "response.output_audio.delta" in line.types())
    (item,) = line.machine.history()
    ticket = line.do(lambda machine: machine.delete_item(item["id"]))
    line.run(10)
    assert "response.output_item.done" in line.types()
    assert line.machine.history() == []
    assert len(line.answers[ticket]) == 1


def test_a_turned_over_item_survives_the_news_of_its_deletion() -> None:
    line = Line(reply(text("fine")), session=QUIET).start()
    message = {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "a"}]}
    item_id, _ = line.do(lambda machine: machine.create_item(message))
    line.run(1)
    changed = {**message, "id": item_id, "content": [{"type": "input_text", "text": "b"}]}
    line.do(lambda machine: machine.reset_history([changed]))
    line.until(lambda: "conversation.item.deleted" in line.types())
    assert [one["content"][0]["text"] for one in line.machine.history()] == ["b"]


def test_items_stand_where_the_server_put_them() -> None:
    """A message is sent while the model says something that was added before it."""
    line = Line(reply(text("fine")), session=QUIET).start()
    asks(line)
    message = {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "a"}]}
    line.do(lambda machine: machine.create_item(message))
    line.run(3)
    there = [item.id for item in line.live.session.items]
    assert [one["id"] for one in line.machine.history()] == there


def test_whoever_waits_for_an_answer_is_told_that_none_came() -> None:
    silent = without(
        "conversation.item.added", "conversation.item.done", "conversation.item.deleted",
        "conversation.item.retrieved", "session.updated",
    )  # fmt: skip
    line = Line(reply(text("fine")), session=QUIET, change=silent).start()
    message = {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "a"}]}
    item_id, created = line.do(lambda machine: machine.create_item(message))
    tickets = [
        created,
        line.do(lambda machine: machine.retrieve_item(item_id)),
        line.do(lambda machine: machine.delete_item(item_id)),
        line.do(lambda machine: machine.update_session({"voice": "cedar"}, line.now)),
        line.do(lambda machine: machine.send({"type": "output_audio_buffer.clear"})),
    ]
    line.run(40)
    assert [kinds(line, one) for one in tickets] == [[Failure]] * 5
    assert line.machine._state.questions == {}


def test_a_truncation_that_was_asked_for_is_answered() -> None:
    line = Line(reply(counted(2000)), session=QUIET, voice=FAST).start()
    asks(line)
    line.run(3)
    (item,) = line.machine.history()
    short, long = (
        line.do(lambda machine, ms=ms: machine.truncate_item(item["id"], 0, ms, line.now))
        for ms in (500, 1900)
    )
    line.run(1)
    assert kinds(line, short) == [wire.ConversationItemTruncatedEvent]
    assert kinds(line, long) == [Failure]


def test_closing_twice_is_closing_once() -> None:
    line = Line(reply(text("fine")), session=QUIET).start()
    for _ in range(2):
        line.do(lambda machine: machine.close())
    assert [one.status for one in line.of(wire.ConnectionChangeEvent)] == [
        "connecting", "connected", "closing", "disconnected",
    ]  # fmt: skip
    assert line.ended == [None]


def test_a_response_of_the_server_s_own_is_not_what_was_asked_for() -> None:
    """Both were begun in the same instant; the server's came first."""
    detection = {"type": "server_vad", "interrupt_response": False}
    line = Line(
        reply(text("fine")),
        session={"turn_detection": detection},
        voice=VoiceSettings(created_delay=0.8 * LATENCY),
    ).start()
    speaks(line)
    line.until(lambda: "input_audio_buffer.committed" in line.types())
    assert "response.created" in [one["type"] for one in line.live.said]
    assert line.of(CREATED) == []
    ticket = asks(line)
    line.run(10)
    own, asked_for = (one.response.id for one in line.of(CREATED))
    created, done = line.answers[ticket]
    assert isinstance(created, CREATED)
    assert isinstance(done, DONE)
    assert [created.response.id, done.response.id] == [asked_for, asked_for] != [own, own]
    assert "error" not in line.types()


def test_the_server_s_own_refusal_refuses_no_create() -> None:
    """Ours is active and not created yet, and the server would answer what somebody said."""
    detection = {"type": "server_vad", "interrupt_response": False}
    line = Line(
        reply(text("fine")),
        session={"turn_detection": detection},
        voice=VoiceSettings(created_delay=2.0),
    ).start()
    ticket = asks(line)
    line.run(0.1)
    speaks(line)
    line.run(10)
    assert kinds(line, ticket) == [CREATED, DONE]
    assert len(line.live.told_of("response.create")) == 1
    assert "error" not in line.types()


def test_a_refused_commit_leaves_no_trace() -> None:
    """What was said after it is in an item, and is not said again on the next socket."""
    line = Line(reply(text("fine"))).start()
    line.do(lambda machine: machine.append(bytes(960), line.now))
    line.do(lambda machine: machine.commit())
    line.run(1)
    (error,) = line.of(wire.RealtimeErrorEvent)
    assert error.error.code == "input_audio_buffer_commit_empty"
    speaks(line)
    line.run(3)
    line.drop()
    line.run(3)
    (reconnected,) = line.of(wire.ReconnectedEvent)
    assert reconnected.audio_replayed_ms <= 1000
    again = line.live.told_of("input_audio_buffer.append")
    assert not any(b"\x40" in b64decode(one["audio"]) for one in again)


def test_an_item_of_which_not_a_word_was_heard_is_deleted() -> None:
    line = Line(reply(counted(10_000, "Antidisestablishmentarianism")), session=QUIET, voice=FAST)
    line.start()
    line.run(6)
    asks(line)
    line.run(2)
    line.drop()
    line.run(1)
    line.do(lambda machine: machine.interrupt(line.now))
    line.run(1)
    assert line.machine.history() == []
    assert list(line.live.session.items) == []
    assert "error" not in line.types()
