"""What a user says: the buffer, where speech begins and ends, what becomes of it."""

from __future__ import annotations

from typing import Any

import pytest

from gateway.voice.story import Story, base64_of, only, tone, types
from turnwire.gateway.voice.detection import loudness
from turnwire.gateway.voice.formats import PCM, PCMA, PCMU, AudioFormat
from turnwire.gateway.voice.tones import spoken

pytestmark = pytest.mark.interop

MIB = 2**20
COMMITTED = ["input_audio_buffer.committed", "conversation.item.added", "conversation.item.done"]


def manual(**settings: Any) -> Story:
    """Return a session that detects no turns."""
    story = Story(**settings)
    story.configure(audio={"input": {"turn_detection": None}})
    return story


def detecting(**detection: Any) -> Story:
    story = Story(speed=1)
    story.configure(audio={"input": {"turn_detection": {"type": "server_vad", **detection}}})
    return story


# Without detection


def test_a_commit_makes_an_item() -> None:
    story = manual()
    story.write("hi", id="a")
    assert story.append(tone(150)) == []
    committed, added, done = story.send("input_audio_buffer.commit")
    assert types([committed, added, done]) == COMMITTED
    assert committed["previous_item_id"] == added["previous_item_id"] == "a"
    assert committed["item_id"] == added["item"]["id"]
    assert added["item"]["content"] == [{"type": "input_audio", "transcript": None}]
    (event,) = story.send("conversation.item.retrieve", item_id=committed["item_id"])
    assert event["item"]["content"][0]["audio"] == base64_of(tone(150))


def test_a_commit_needs_a_tenth_of_a_second() -> None:
    story = manual()
    story.append(PCM.silence(99.5))
    assert story.refused("input_audio_buffer.commit") == (
        "input_audio_buffer_commit_empty",
        (
            "Error committing input audio buffer: buffer too small. Expected at least 100ms of"
            " audio, but buffer only has 99.50ms of audio."
        ),
    )
    story.append(PCM.silence(0.5))
    assert types(story.send("input_audio_buffer.commit")) == COMMITTED
    assert story.refused("input_audio_buffer.commit")[1].endswith("0.00ms of audio.")


def test_clear_empties_the_buffer() -> None:
    story = manual()
    story.append(tone(500))
    assert types(story.send("input_audio_buffer.clear")) == ["input_audio_buffer.cleared"]
    assert story.refused("input_audio_buffer.commit")[0] == "input_audio_buffer_commit_empty"


@pytest.mark.parametrize(
    ("audio", "code"),
    [
        (None, "missing_required_parameter"),
        (1, "missing_required_parameter"),
        ("", "invalid_value"),
        ("not base64", "invalid_value"),
        ("AAA", "invalid_value"),
        ("ÄÖÜ=", "invalid_value"),
    ],
)
def test_audio_that_cannot_be_read_is_refused(audio: Any, code: str) -> None:
    assert manual().refused("input_audio_buffer.append", audio=audio)[0] == code


def test_audio_has_its_limits() -> None:
    story = manual(max_audio_bytes=1000, buffer_bytes=1500)
    assert story.append(bytes(1000)) == []
    code, words = story.refused("input_audio_buffer.append", audio=base64_of(bytes(1002)))
    assert (code, "1002 bytes; the limit is 1000" in words) == ("invalid_value", True)
    code, _ = story.refused("input_audio_buffer.append", audio=base64_of(bytes(1000)))
    assert code == "input_audio_buffer_full"


# With detection


def test_speech_begins_ends_and_is_answered() -> None:
    story = detecting()
    assert story.append(PCM.silence(1000)) == []
    events = story.append(tone(400) + PCM.silence(600))
    assert types(events)[:7] == [
        "input_audio_buffer.speech_started",
        "input_audio_buffer.speech_stopped",
        *COMMITTED,
        "response.created",
        "rate_limits.updated",
    ]
    started, stopped, committed = events[:3]
    assert (started["audio_start_ms"], stopped["audio_end_ms"]) == (700, 1900)
    assert started["item_id"] == stopped["item_id"] == committed["item_id"]
    assert next(iter(story.session.items)).tracks[0].ms == 1200


def test_times_count_all_audio_of_the_session() -> None:
    story = detecting()
    story.append(tone(400) + PCM.silence(2000))
    story.quiet()
    started = story.append(tone(400))[0]
    assert started["audio_start_ms"] == 2100
    assert story.append(PCM.silence(600))[0]["audio_end_ms"] == 3300


def test_it_does_not_matter_how_audio_is_cut() -> None:
    audio = PCM.silence(330) + tone(400) + PCM.silence(600)
    whole, cut = detecting(), detecting()
    whole.append(audio)
    for start in range(0, len(audio), 333):  # not even at whole samples
        cut.append(audio[start : start + 333])

    def told(story: Story) -> list[Any]:
        kinds = ("speech_started", "speech_stopped")
        events = [story.session_events(f"input_audio_buffer.{kind}") for kind in kinds]
        return [(e.get("audio_start_ms"), e.get("audio_end_ms")) for (e,) in events]

    assert told(whole) == told(cut) == [(30, None), (None, 1230)]


def test_the_padding_before_speech_is_not_taken_for_the_silence_after_it() -> None:
    story = detecting(prefix_padding_ms=300, silence_duration_ms=200)
    events = story.append(PCM.silence(1000) + tone(400))
    assert types(events) == ["input_audio_buffer.speech_started"]


def test_a_click_is_no_speech() -> None:
    assert detecting().append(PCM.silence(200) + tone(40) + PCM.silence(200)) == []


def test_quiet_sound_is_no_speech_unless_the_threshold_is_low() -> None:
    quiet = bytes(tone(400))
    samples = PCM.samples(quiet)
    quiet = PCM.encoded(type(samples)("h", [sample // 12 for sample in samples]))
    assert 400 < loudness(quiet, PCM) < 500
    assert detecting().append(quiet) == []
    assert types(detecting(threshold=0.2).append(quiet)) == ["input_audio_buffer.speech_started"]


@pytest.mark.parametrize("form", [PCM, PCMU, PCMA], ids=lambda form: form.type)
def test_speech_is_heard_in_every_format(form: AudioFormat) -> None:
    story = Story()
    story.configure(audio={"input": {"format": form.wire()}})
    events = story.append(form.silence(500) + tone(300, form) + form.silence(600))
    started, stopped = events[:2]
    assert (started["audio_start_ms"], stopped["audio_end_ms"]) == (200, 1300)


@pytest.mark.parametrize(
    ("eagerness", "patience_ms"), [("low", 2000), ("auto", 1000), ("high", 500)]
)
def test_semantic_detection_waits_by_eagerness(eagerness: str, patience_ms: int) -> None:
    story = Story()
    detection = {"type": "semantic_vad", "eagerness": eagerness}
    story.configure(audio={"input": {"turn_detection": detection}})
    story.append(tone(300))
    assert story.append(PCM.silence(patience_ms - 10)) == []
    assert types(story.append(PCM.silence(10)))[0] == "input_audio_buffer.speech_stopped"


def test_speech_interrupts_a_reply() -> None:
    story = detecting()
    story.send("response.create")
    story.until(0.35)
    events = story.append(tone(400))
    assert types(events) == [
        "input_audio_buffer.speech_started",
        "response.output_audio.done",
        "response.output_audio_transcript.done",
        "response.content_part.done",
        "response.output_item.done",
        "conversation.item.done",
        "response.done",
    ]
    assert events[-1]["response"]["status_details"] == {
        "type": "cancelled",
        "reason": "turn_detected",
    }


def test_a_reply_ends_before_what_is_heard_next() -> None:
    story = detecting()
    story.send("response.create")
    story.until(0.35)
    kinds = types(story.append(tone(400) + PCM.silence(600)))
    assert kinds.index("response.done") < kinds.index("input_audio_buffer.speech_stopped")


def test_speech_lets_a_reply_go_on_if_it_is_told_to() -> None:
    story = detecting(interrupt_response=False)
    story.send("response.create")
    story.until(0.35)
    assert types(story.append(tone(400))) == ["input_audio_buffer.speech_started"]
    events = story.append(PCM.silence(600))
    error = only(events, "error")["error"]
    assert (error["code"], error["event_id"]) == ("conversation_already_has_active_response", None)
    assert story.quiet()[-1]["response"]["status"] == "completed"


def test_speech_need_not_be_answered() -> None:
    story = detecting(create_response=False)
    events = story.append(tone(400) + PCM.silence(600)) + story.quiet()
    assert types(events)[-1] == "conversation.item.done"
    assert story.session.responding.count == 0


def test_what_is_being_said_can_be_committed_by_hand() -> None:
    story = detecting()
    (started,) = story.append(tone(400))
    committed = story.send("input_audio_buffer.commit")[0]
    assert committed["item_id"] == started["item_id"]
    assert story.append(PCM.silence(2000)) == []  # nobody speaks any more
    assert types(story.append(tone(400))) == ["input_audio_buffer.speech_started"]


def test_silence_is_not_kept_for_ever() -> None:
    story = detecting()
    for _ in range(60):
        story.append(PCM.silence(1000))
    assert story.session.input.waiting_ms <= 11_000
    assert story.session.input.end_ms == 60_000


# Transcripts


def test_a_transcript_comes_if_it_is_asked_for() -> None:
    story = detecting(create_response=False)
    story.configure(audio={"input": {"transcription": {"model": "gpt-transcribe"}}})
    item_id = story.append(tone(400, hz=440) + PCM.silence(600))[0]["item_id"]
    deltas = story.session_events("conversation.item.input_audio_transcription.delta")
    (done,) = story.session_events("conversation.item.input_audio_transcription.completed")
    assert "".join(delta["delta"] for delta in deltas) == done["transcript"] == "a tone of 440 Hz"
    assert (done["item_id"], done["usage"]) == (item_id, {"type": "duration", "seconds": 0.9})


def test_a_transcript_may_come_after_the_reply() -> None:
    story = Story(transcription_delay=5.0)
    story.configure(audio={"input": {"transcription": {"model": "gpt-transcribe"}}})
    story.append(tone(400) + PCM.silence(600))
    events = story.quiet()
    order = [each for each in types(events) if each.endswith(("completed", "response.done"))]
    assert order == [
        "response.done",
        "conversation.item.input_audio_transcription.completed",
    ]


# When nobody says anything


def test_a_long_silence_after_a_reply_is_answered() -> None:
    story = detecting(idle_timeout_ms=5000)
    story.append(PCM.silence(1000))
    story.send("response.create")
    assert story.until(6.09)[-1]["type"] == "response.done"  # played until 1.1, silent for 5 s
    story.append(PCM.silence(5000))
    events = story.until(6.2)
    assert types(events)[:5] == [
        "input_audio_buffer.timeout_triggered",
        *COMMITTED,
        "response.created",
    ]
    assert (events[0]["audio_start_ms"], events[0]["audio_end_ms"]) == (1000, 6000)
    assert events[0]["item_id"] == events[1]["item_id"]


def test_the_wait_counts_from_when_the_reply_was_played() -> None:
    story = Story([spoken("one two three four five")], speed=50)
    detection = {"type": "server_vad", "idle_timeout_ms": 5000}
    story.configure(audio={"input": {"turn_detection": detection}})
    story.send("response.create")
    story.until(6.09)
    assert story.session_events("input_audio_buffer.timeout_triggered") == []
    story.until(6.11)
    assert len(story.session_events("input_audio_buffer.timeout_triggered")) == 1


def test_whoever_speaks_is_waited_for_no_longer() -> None:
    story = detecting(idle_timeout_ms=5000)
    story.send("response.create")
    story.until(3.0)
    story.append(tone(400))
    story.until(20.0)
    assert story.session_events("input_audio_buffer.timeout_triggered") == []
