"""Stories of interruptions: what the server is told of what was heard."""

from __future__ import annotations

import pytest

from core.realtime.line import LATENCY, Line
from turnwire.events import realtime as wire
from turnwire.gateway.voice.settings import VoiceSettings
from turnwire.testing.realtime.script import counted, reply

EDITS = ("conversation.item.truncate", "conversation.item.delete", "response.cancel")
QUIET = {"turn_detection": None}


def speaking(line: Line) -> None:
    """Ask for a response, and have time pass until its first audio."""
    line.do(lambda machine: machine.ask_response(None, line.now))
    line.until(lambda: "response.output_audio.delta" in line.types())


def spoken_items(line: Line) -> list[str]:
    return list(dict.fromkeys(one.item_id for one in line.of(wire.ResponseAudioDeltaEvent)))


def speech_starts(line: Line) -> None:
    line.say({"type": "input_audio_buffer.speech_started", "audio_start_ms": 0, "item_id": "u1"})


def test_p1_two_items_at_once() -> None:
    """The first is cut where it was left, the second was never heard."""
    line = Line(
        reply(counted(3000), counted(3000)), session=QUIET, voice=VoiceSettings(speed=1000)
    ).start()
    speaking(line)
    line.run(0.5)
    first, second = spoken_items(line)
    speech_starts(line)
    line.run(1)

    truncate, delete = line.live.told_of(*EDITS)
    assert {
        "type": "conversation.item.truncate",
        "item_id": first,
        "content_index": 0,
        "audio_end_ms": pytest.approx(500, abs=10),
    } == truncate
    assert {"type": "conversation.item.delete", "item_id": second} == delete
    assert [("speech_started", first)] == [
        (one.reason, one.item_id) for one in line.of(wire.AudioInterruptedEvent)
    ]


def test_p2_the_tail_of_playback() -> None:
    """All audio is there, the response is done, and somebody speaks."""
    line = Line(reply(counted(3000)), session=QUIET, voice=VoiceSettings(speed=1000)).start()
    speaking(line)
    line.run(0.5)
    assert "response.done" in line.types()
    speech_starts(line)
    line.run(1)

    (truncate,) = line.live.told_of(*EDITS)
    assert pytest.approx(500, abs=10) == truncate["audio_end_ms"]
    assert "error" not in line.types()


def test_p3_nobody_is_interrupted_when_nothing_is_heard() -> None:
    line = Line(reply(counted(300)), session=QUIET, voice=VoiceSettings(speed=1000)).start()
    speaking(line)
    line.run(5)
    speech_starts(line)
    line.run(1)

    assert line.live.told_of(*EDITS) == []
    assert line.of(wire.AudioInterruptedEvent) == []
    assert line.flushes == []


def test_twice_is_once() -> None:
    line = Line(reply(counted(3000)), session=QUIET, voice=VoiceSettings(speed=1000)).start()
    speaking(line)
    line.run(0.5)
    assert line.do(lambda machine: machine.interrupt(line.now))
    assert not line.do(lambda machine: machine.interrupt(line.now))
    line.run(1)
    assert len(line.live.told_of(*EDITS)) == 1


@pytest.mark.parametrize("server_interrupts", [True, False])
@pytest.mark.parametrize("by_caller", [True, False])
def test_who_cancels(*, server_interrupts: bool, by_caller: bool) -> None:
    """The server does it itself when it hears speech and is to interrupt; else this side does."""
    detection = {"type": "server_vad", "interrupt_response": server_interrupts}
    line = Line(reply(counted(20_000)), session={"turn_detection": detection}).start()
    speaking(line)
    line.run(0.5)
    if by_caller:
        assert line.do(lambda machine: machine.interrupt(line.now))
    else:
        loud = b"\x00\x40\x00\xc0" * 6000
        line.do(lambda machine: machine.append(loud, line.now))
        line.until(lambda: "input_audio_buffer.speech_started" in line.types())
    line.run(1)

    kinds = [one["type"] for one in line.live.told_of(*EDITS)]
    cancels = ["response.cancel"] if by_caller or not server_interrupts else []
    assert [*cancels, "conversation.item.truncate"] == kinds
    (done,) = line.of(wire.ResponseDoneEvent)
    assert done.response.status == "cancelled"
    assert "error" not in line.types()


def test_a_cancel_names_its_response() -> None:
    line = Line(reply(counted(20_000)), session=QUIET).start()
    speaking(line)
    (created,) = line.of(wire.ResponseCreatedEvent)
    line.do(lambda machine: machine.interrupt(line.now))
    line.run(1)
    (cancel,) = line.live.told_of("response.cancel")
    assert created.response.id == cancel["response_id"]


def test_before_it_is_created() -> None:
    """What was asked for and is not wanted any more is cancelled as soon as it exists."""
    line = Line(reply(counted(3000)), session=QUIET, voice=VoiceSettings(created_delay=0.3)).start()
    line.do(lambda machine: machine.ask_response(None, line.now))
    line.run(0.1)
    assert line.do(lambda machine: machine.interrupt(line.now))
    line.run(5)

    (created,) = line.of(wire.ResponseCreatedEvent)
    assert [{"type": "response.cancel", "response_id": created.response.id}] == line.live.told_of(
        "response.cancel"
    )
    assert line.of(wire.ResponseAudioDeltaEvent) == []
    assert not line.machine.is_playing(line.now)


def test_created_and_no_audio_yet() -> None:
    """An item without audio cannot be truncated; it is deleted, and nothing of it is heard."""
    voice = VoiceSettings(speed=0.5, chunk_ms=400, late_chunks=2)
    line = Line(reply(counted(3000)), session=QUIET, voice=voice).start()
    line.do(lambda machine: machine.ask_response(None, line.now))
    line.until(lambda: "conversation.item.added" in line.types())
    (item,) = [one.item for one in line.of(wire.ConversationItemAdded)]
    heard_before = len(line.of(wire.ResponseAudioDeltaEvent))
    line.do(lambda machine: machine.interrupt(line.now))
    line.run(5)

    assert [
        {"type": "conversation.item.delete", "item_id": item.id},
    ] == line.live.told_of("conversation.item.delete")
    assert line.live.told_of("conversation.item.truncate") == []
    assert heard_before == len(line.of(wire.ResponseAudioDeltaEvent))
    assert line.machine.history() == []


def test_late_audio_of_an_interrupted_response_is_not_heard() -> None:
    line = Line(reply(counted(5000)), session=QUIET, voice=VoiceSettings(late_chunks=5)).start()
    speaking(line)
    line.run(0.2)
    line.do(lambda machine: machine.interrupt(line.now))
    heard = len(line.of(wire.ResponseAudioDeltaEvent))
    line.run(5)

    assert heard == len(line.of(wire.ResponseAudioDeltaEvent))
    assert line.machine.statistics().late_deltas > 0


def test_a_server_that_has_less_audio_is_told_its_own_figure() -> None:
    line = Line(
        reply(counted(1000)), session=QUIET, voice=VoiceSettings(speed=1000, shorter_ms=85)
    ).start()
    speaking(line)
    line.run(0.95)
    line.do(lambda machine: machine.interrupt(line.now))
    line.run(1)

    first, second = line.live.told_of("conversation.item.truncate")
    assert pytest.approx(950, abs=10) == first["audio_end_ms"]
    assert second["audio_end_ms"] == 915
    assert "error" not in line.types()
    assert line.machine.statistics().truncate_errors == 1


def test_the_words_that_were_not_heard_are_not_in_the_history() -> None:
    words = "one two three four five six seven eight nine ten"
    line = Line(reply(counted(2000, words)), session=QUIET, voice=VoiceSettings(speed=1000)).start()
    speaking(line)
    line.run(1)
    line.do(lambda machine: machine.interrupt(line.now))
    line.run(1)

    (item,) = line.machine.history()
    heard = item["content"][0]["transcript"]
    assert words.startswith(heard)
    assert 3 <= len(heard.split()) <= 6


def test_the_next_response_waits_for_the_end_of_the_cancelled_one() -> None:
    line = Line(reply(counted(5000)), session=QUIET, voice=VoiceSettings(late_chunks=3)).start()
    speaking(line)
    line.do(lambda machine: machine.interrupt(line.now))
    ticket = line.do(lambda machine: machine.ask_response(None, line.now))
    line.run(20)

    assert len(line.answers[ticket]) == 2
    assert "error" not in line.types()


def test_an_end_that_never_comes_frees_the_slot_in_the_end() -> None:
    line = Line(
        reply(counted(5000)),
        session=QUIET,
        change=lambda event: None if event["type"] == "response.done" else event,
    ).start()
    speaking(line)
    line.do(lambda machine: machine.interrupt(line.now))
    ticket = line.do(lambda machine: machine.ask_response(None, line.now))
    line.run(10 + 5 * LATENCY)

    assert [wire.ResponseCreatedEvent] == [type(one) for one in line.answers[ticket]]
