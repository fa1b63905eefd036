"""What the field complains of and no story shows by the way: docs/field-bugs-realtime.md."""

from __future__ import annotations

from typing import Any

import pytest

from core.realtime.line import Line
from turnwire.events import realtime as wire
from turnwire.gateway.voice.settings import VoiceSettings
from turnwire.testing.realtime.script import counted, reply, text

QUIET = {"turn_detection": None}
FAST = VoiceSettings(speed=1000)


def asks(line: Line) -> int:
    return line.do(lambda machine: machine.ask_response(None, line.now))


def updates(line: Line) -> list[dict[str, Any]]:
    return [one["session"] for one in line.live.told_of("session.update")]


@pytest.mark.parametrize("tracing", [None, "auto", {"workflow_name": "w"}])
def test_tracing_is_said_after_the_greeting_and_null_is_a_value(tracing: object) -> None:
    line = Line(reply(text("fine")), session={**QUIET, "tracing": tracing}).start()
    assert updates(line) == [
        {"type": "realtime", "audio": {"input": QUIET}},
        {"type": "realtime", "tracing": tracing},
    ]


def test_tracing_that_is_not_asked_for_is_not_said() -> None:
    line = Line(reply(text("fine")), session=QUIET).start()
    assert [one for one in updates(line) if "tracing" in one] == []


def test_a_voice_that_is_an_object_blocks_nobody() -> None:
    def objects(event: dict[str, Any]) -> dict[str, Any]:
        if "session" in event:
            output = {**event["session"]["audio"]["output"], "voice": {"id": "voice_1"}}
            audio = {**event["session"]["audio"], "output": output}
            return {**event, "session": {**event["session"], "audio": audio}}
        if event["type"].startswith("response.") and "response" in event:
            response = {**event["response"], "audio": {"output": {"voice": {"id": "voice_1"}}}}
            return {**event, "response": response}
        return event

    line = Line(reply(text("fine")), session={**QUIET, "voice": "ash"}, change=objects).start()
    tickets = [asks(line) for _ in range(2)]
    line.run(3)
    tickets.append(asks(line))
    line.run(3)
    assert [len(line.answers[ticket]) for ticket in tickets] == [2, 2, 2]
    assert line.machine.configuration.effective["audio"]["output"]["voice"] == {"id": "voice_1"}


def test_an_error_that_is_about_nothing_here_is_told_and_changes_nothing() -> None:
    line = Line(reply(text("fine")), session=QUIET).start()
    error = {"type": "server_error", "code": "odd", "message": "something went wrong"}
    line.say({"type": "error", "error": error})
    ticket = asks(line)
    line.run(3)
    assert [one.error.code for one in line.of(wire.RealtimeErrorEvent)] == ["odd"]
    assert len(line.answers[ticket]) == 2
    assert line.machine.generation == 1


def test_a_session_that_is_closed_for_its_age_alone_goes_on() -> None:
    """No error comes before it, only 1001."""
    line = Line(reply(text("fine")), session=QUIET).start()
    line.run(10)
    line.drop(1001, "Your session hit the maximum duration of 60 minutes.")
    line.run(2)
    assert line.machine.status.value == "connected"
    assert len(line.of(wire.ReconnectedEvent)) == 1
    assert line.ended == []


def test_words_of_the_user_s_come_to_their_own_item_and_nothing_is_retrieved() -> None:
    """The model has said something since: that is not what was understood."""
    transcription = {"model": "whisper-1"}
    line = Line(
        reply(counted(500, "so it is")),
        session={"transcription": transcription},
        voice=VoiceSettings(transcription_delay=3.0),
    ).start()
    loud = b"\x00\x40\x00\xc0" * 6000
    line.do(lambda machine: machine.append(loud + bytes(48_000), line.now))
    line.run(10)
    user, model = line.machine.history()
    (completed,) = line.of(wire.ConversationItemInputAudioTranscriptionCompletedEvent)
    assert completed.item_id == user["id"]
    assert user["content"][0]["transcript"] == completed.transcript
    assert model["content"][0]["transcript"] == "so it is"
    assert line.live.told_of("conversation.item.retrieve") == []


def test_at_the_first_delta() -> None:
    """Audio came and nothing of it was heard: the item is deleted."""
    line = Line(reply(counted(5000)), session=QUIET).start()
    asks(line)
    line.until(lambda: "response.output_audio.delta" in line.types())
    assert line.do(lambda machine: machine.interrupt(line.now))
    line.run(3)
    told = line.live.told_of("conversation.item.delete", "conversation.item.truncate")
    assert [one["type"] for one in told] == ["conversation.item.delete"]
    assert line.machine.history() == []


def test_in_the_middle() -> None:
    line = Line(reply(counted(5000)), session=QUIET).start()
    asks(line)
    line.until(lambda: "response.output_audio.delta" in line.types())
    line.run(0.31)
    assert "response.done" not in line.types()
    line.do(lambda machine: machine.interrupt(line.now))
    line.run(3)
    (truncate,) = line.live.told_of("conversation.item.truncate")
    assert truncate["audio_end_ms"] == pytest.approx(310, abs=1)


@pytest.mark.parametrize("form", ["g711_ulaw", "g711_alaw", "pcm16"])
def test_a_reply_in_any_format_is_cut_where_it_was_heard(form: str) -> None:
    line = Line(reply(counted(3000)), session={**QUIET, "output_format": form}, voice=FAST).start()
    asks(line)
    line.until(lambda: "response.output_audio.delta" in line.types())
    line.run(1.5)
    line.do(lambda machine: machine.interrupt(line.now))
    line.run(1)
    (truncate,) = line.live.told_of("conversation.item.truncate")
    assert truncate["audio_end_ms"] == pytest.approx(1500, abs=1)
    assert "error" not in line.types()


def test_the_format_may_change_between_replies() -> None:
    line = Line(reply(counted(3000)), session=QUIET, voice=FAST).start()
    asks(line)
    line.run(5)
    line.do(lambda machine: machine.update_session({"output_format": "g711_ulaw"}, line.now))
    line.run(1)
    asks(line)
    line.until(lambda: line.machine.is_playing(line.now))
    line.run(1.5)
    line.do(lambda machine: machine.interrupt(line.now))
    line.run(1)
    (truncate,) = line.live.told_of("conversation.item.truncate")
    assert truncate["audio_end_ms"] == pytest.approx(1500, abs=1)


def test_a_response_that_is_to_go_on_is_not_given_up() -> None:
    """Its caller hears no more of it, and waits for its end all the same."""
    voice = VoiceSettings(speed=1.0)
    line = Line(reply(counted(30_000)), session=QUIET, voice=voice, cancel_timeout=5.0).start()
    ticket = asks(line)
    line.run(2)
    assert line.do(lambda machine: machine.interrupt(line.now, cancel=False))
    line.run(40)
    assert [type(one) for one in line.answers[ticket]] == [
        wire.ResponseCreatedEvent,
        wire.ResponseDoneEvent,
    ]
    assert line.live.told_of("response.cancel") == []
