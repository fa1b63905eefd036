"""Both sides on one time line: gaps, queues, cuts."""

from __future__ import annotations

import struct
import wave
from contextlib import closing
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from turnwire.audio import PCM16, PCMU, Mark, Recorder, pcm16, resample, tone
from turnwire.audio.track import Track
from turnwire.errors import ConfigError

if TYPE_CHECKING:
    from pathlib import Path

THOUSAND = pcm16(1_000)  # one sample a millisecond


def samples(value: int, count: int) -> bytes:
    return struct.pack("<h", value) * count


def sides(path: Path) -> tuple[int, list[int], list[int]]:
    with wave.open(str(path), "rb") as file:
        assert (file.getnchannels(), file.getsampwidth()) == (2, 2)
        both = struct.unpack(f"<{2 * file.getnframes()}h", file.readframes(file.getnframes()))
        return file.getframerate(), list(both[0::2]), list(both[1::2])


def test_what_was_said_and_heard_stands_at_its_time(tmp_path: Path) -> None:
    path = tmp_path / "call.wav"
    with Recorder(THOUSAND, THOUSAND, start=100.0, slack_ms=0) as recorder:
        recorder.heard_from_user(100.002, samples(1, 3))
        recorder.played_to_user(100.001, samples(7, 4))  # faster than it sounds:
        recorder.played_to_user(100.001, samples(8, 4))
        recorder.mark(100.003, "speech began")
        assert recorder.cut(100.006) == pytest.approx(0.003)
        recorder.played_to_user(100.008, samples(9, 1))
        recorder.write(path, rate=1_000)
        assert recorder.marks == [
            Mark(pytest.approx(0.003), "speech began"),
            Mark(pytest.approx(0.006), "cut"),
        ]
        assert recorder.seconds == 0.009
    assert sides(path) == (
        1_000,
        [0, 0, 1, 1, 1, 0, 0, 0, 0],
        [0, 7, 7, 7, 7, 8, 0, 0, 9],
    )


def test_jitter_is_no_gap_but_adds_up_to_one() -> None:
    with closing(Track(THOUSAND, slack_ms=10, limit_s=1, memory_bytes=1000)) as track:
        for number in range(5):
            track.add(0.005 + 0.02 * number + 0.003 * number, samples(1, 20))
        # Late by 0, 3, 6, 9 ms: jitter.  By 12 ms: a gap, and on time again.
        assert b"".join(track.blocks()) == b"".join(
            [bytes(2 * 5), samples(1, 80), bytes(2 * 12), samples(1, 20)]
        )


def test_a_recording_can_be_written_in_between_and_again(tmp_path: Path) -> None:
    with Recorder(THOUSAND, THOUSAND) as recorder:
        recorder.heard_from_user(0.0, samples(1, 2))
        recorder.write(tmp_path / "first.wav", rate=1_000)
        recorder.heard_from_user(0.002, samples(2, 2))
        recorder.write(tmp_path / "second.wav", rate=1_000)
    assert sides(tmp_path / "first.wav") == (1_000, [1, 1], [0, 0])
    assert sides(tmp_path / "second.wav") == (1_000, [1, 1, 2, 2], [0] * 4)


def test_sides_in_other_formats_are_converted(tmp_path: Path) -> None:
    speech = resample(tone(440, 1500), PCM16, PCMU)
    with Recorder(PCMU, PCM16) as recorder:
        recorder.heard_from_user(0.5, speech)
        recorder.played_to_user(1.0, tone(880, 200))
        recorder.write(tmp_path / "call.wav")
    rate, left, right = sides(tmp_path / "call.wav")
    assert (rate, len(left), len(right)) == (24_000, 48_000, 48_000)
    expected = resample(b"\xff" * 4000 + speech, PCMU, PCM16)
    assert left == list(struct.unpack("<48000h", expected))
    assert right[24_000:28_800] == list(struct.unpack("<4800h", tone(880, 200)))
    assert not any(right[:24_000] + right[28_800:])


def test_long_recordings_leave_memory(tmp_path: Path) -> None:
    with Recorder(THOUSAND, THOUSAND, memory_bytes=1_000) as recorder:
        recorder.heard_from_user(0.0, samples(1, 400))
        assert not recorder.user._file._rolled  # type: ignore[attr-defined]
        recorder.heard_from_user(0.0, samples(2, 400))
        assert recorder.user._file._rolled  # type: ignore[attr-defined]
        recorder.played_to_user(100.0, samples(3, 1))
        assert recorder.cut(0.5) == pytest.approx(99.501)
        recorder.write(tmp_path / "call.wav", rate=1_000)
    assert sides(tmp_path / "call.wav") == (1_000, [1] * 400 + [2] * 400, [0] * 800)


def test_a_clock_that_began_elsewhere_does_not_fill_the_disk() -> None:
    with Recorder() as recorder, pytest.raises(ConfigError, match="`start`"):
        recorder.heard_from_user(1_764_000_000.0, bytes(960))
    assert recorder.seconds == 0.0


def test_half_a_sample_waits_for_its_other_half() -> None:
    with closing(Track(THOUSAND, slack_ms=10, limit_s=1, memory_bytes=1000)) as track:
        track.add(0.0, b"abc")
        track.add(0.001, b"def")
        assert b"".join(track.blocks()) == b"abcdef"


ADD = st.tuples(st.just("add"), st.integers(-5, 60), st.integers(0, 20))
CUT = st.tuples(st.just("cut"), st.integers(-5, 80), st.just(0))


@given(st.lists(ADD | CUT, max_size=20), st.integers(0, 8), st.sampled_from([1, 1000]))
def test_a_track_is_a_list_of_milliseconds(
    steps: list[tuple[str, int, int]], slack: int, memory_bytes: int
) -> None:
    model: list[int] = []
    with closing(Track(THOUSAND, slack_ms=slack, limit_s=10, memory_bytes=memory_bytes)) as track:
        for number, (step, at, count) in enumerate(steps, 1):
            if step == "add":
                track.add(at / 1000, samples(number, count))
                gap = max(0, at - len(model))
                if model and gap < slack:
                    gap = 0
                model += [0] * gap + [number] * count
            else:
                gone = max(0, len(model) - max(0, at))
                assert track.cut(at / 1000) == gone / 1000
                del model[len(model) - gone :]
            found = b"".join(track.blocks())
            assert found == struct.pack(f"<{len(model)}h", *model)
