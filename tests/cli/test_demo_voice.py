"""``turnwire demo-voice``: what it finds out, what it draws, and the whole as users run it."""

from __future__ import annotations

import json
import re
import sys
import wave
from array import array
from typing import TYPE_CHECKING

import pytest

from cli.command import run
from turnwire.audio import PCM16, tone
from turnwire.cli.demo_voice.display import time_line, waveform
from turnwire.cli.demo_voice.findings import findings, known_audio
from turnwire.cli.demo_voice.oracle import NOTHING, Sounded, sounded
from turnwire.cli.demo_voice.pictures import outline
from turnwire.cli.demo_voice.report import report
from turnwire.cli.demo_voice.scene import Answer, Scene
from turnwire.cli.demo_voice.sentences import sentences
from turnwire.cli.demo_voice.tracks import heard_curve, received_curve, tracks_of
from turnwire.cli.exits import MEANINGS
from turnwire.realtime import HeardPart, Part

if TYPE_CHECKING:
    from pathlib import Path

SAMPLE = PCM16.sample_bytes
SEA, SHIPS, HEARD = "So blue is the sea.", "And the ships?", "I heard you."


def scene(
    *, truncated_ms: int = 500, heard_samples: int = 12_012, ear: bytes | None = None
) -> Scene:
    """Return a scene in which the first answer was heard for half a second."""
    sea, ships, answer = known_audio(SEA), known_audio(SHIPS), known_audio(HEARD)
    sounds = sea[: heard_samples * SAMPLE] + bytes(PCM16.bytes_in(1000)) + answer
    parts = {"a": (sea, 500, True), "b": (ships, 0, True), "c": (answer, 660, False)}
    return Scene(
        answers=tuple(
            Answer(name, words, bytearray(audio))
            for name, words, audio in (("a", SEA, sea), ("b", SHIPS, ships), ("c", HEARD, answer))
        ),
        user=tone(440, 2000),
        user_from=0.0,
        ear=sounds if ear is None else ear,
        ear_from=0.1,
        spoke_at=0.54,
        interrupted_at=0.6,
        reaction=0.0002,
        arrivals=((0.1, len(sea)), (0.2, len(ships)), (1.7, len(answer))),
        ledger=tuple(
            HeardPart(
                Part("r", name, 0),
                received_ms=PCM16.milliseconds(len(audio)),
                heard_ms=heard_ms,
                unheard_ms=0.0,
                finished=True,
                interrupted=interrupted,
            )
            for name, (audio, heard_ms, interrupted) in parts.items()
        ),
        truncated={"a": truncated_ms},
        deleted=frozenset({"b"}),
        history=[{"id": "a", "content": [{"type": "output_audio", "transcript": "So blue"}]}],
        heard_by_server="a tone of 440 Hz",
    )


# What the ear heard


def test_what_was_heard_is_found_by_its_samples() -> None:
    sound, silence = tone(440, 100), bytes(480)
    # The first sample of a sine is silence; so is each one where it crosses zero.
    assert sounded([sound], silence + sound + silence) == [Sounded(2400, 2400, 240)]
    assert sounded([sound], silence + sound[:2002] + silence) == [Sounded(1001, 1001, 240)]
    assert sounded([sound], b"") == [NOTHING]
    assert sounded([sound], silence) == [NOTHING]
    assert sounded([sound], silence + tone(500, 100)) == [NOTHING]


def test_sounds_that_were_left_out_are_not_found_in_those_that_follow() -> None:
    first, second, third = tone(440, 100), tone(500, 100), tone(600, 100)
    found = sounded([first, second, third], first[:1000] + bytes(1000) + third)
    assert [(each.at_most, each.start) for each in found] == [(500, 0), (0, None), (2400, 1000)]


def test_a_device_that_had_to_wait_for_more_played_on() -> None:
    sound = tone(440, 100)
    late = sound[: 1001 * SAMPLE] + bytes(480) + sound[1001 * SAMPLE :]
    assert sounded([sound], late) == [Sounded(2400, 2400, 0)]


def test_a_cut_in_a_silence_is_known_as_far_as_it_can_be() -> None:
    sound = tone(440, 100) + bytes(4800) + tone(440, 100)
    (found,) = sounded([sound], sound[: 3000 * SAMPLE] + bytes(9600))
    assert (found.at_least, found.at_most) == (2400, 4801)
    assert [found.error_ms(told) for told in (90.0, 100.0, 150.0, 210.0)] == pytest.approx(
        [-10.0, 0.0, 0.0, 210.0 - 4801 / 24]
    )


# What it finds out


def test_what_was_told_stands_beside_what_was_heard() -> None:
    found = findings(scene())
    assert found.disagreements == ()
    first, second, third = found.items
    assert (first.told, first.truncated_ms, first.sounded_samples) == ("cut", 500, 12_012)
    assert first.error_ms == pytest.approx(-0.5)
    assert first.heard_words == "So blue"
    assert (second.told, second.sounded_samples, second.error_ms) == ("deleted", 0, None)
    assert (third.told, third.sounded_ms, third.starts_at_ms) == ("left", 660.0, 1600.5)
    assert found.dropped_ms == 1100 - 500 + 660
    assert found.cut is first


def test_the_wall_clock_would_have_cut_the_newest_item() -> None:
    reckoned = findings(scene()).wall_clock
    assert (reckoned.item, reckoned.audio_end_ms, reckoned.sounded_ms) == (2, 400, 0.0)
    assert reckoned.believed_words == "And the"  # words begin each 220 ms
    assert reckoned.silent_for_ms == pytest.approx(400)


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"truncated_ms": 530}, "item 1 was cut at 530 ms, and 500.5 ms of it were heard"),
        ({"ear": b""}, "item 3 was left whole, and 0.0 of 660.0 ms were heard"),
    ],
)
def test_what_is_not_as_it_should_be_is_said(changed: dict[str, int | bytes], said: str) -> None:
    assert said in findings(scene(**changed)).disagreements  # type: ignore[arg-type]


def test_audio_that_changed_on_its_way_is_noticed() -> None:
    played = scene()
    played.answers[1].audio[1000] ^= 1
    assert findings(played).disagreements == (
        "item 2 arrived with other audio than the built-in voice speaks",
    )


def test_sentences_say_what_others_would_have_told() -> None:
    silence, believes, wrong, nothing = sentences(findings(scene()))
    assert silence.startswith("The loudspeaker was silent 60 ms after the user's first sound.")
    assert believes == "The model believes now that it said “So blue”, and no more."
    assert wrong.endswith(
        "item 2 would have been cut at 400 ms, of which nothing was heard, and item 1 left whole."
    )
    assert nothing.endswith("would have sent nothing: that was 400 ms before.")


# What it draws


def test_the_time_line_shows_three_tracks_and_the_cut() -> None:
    played = scene()
    tracks = tracks_of(played, findings(played))
    seconds, user, heard, never, mark = [line.plain for line in time_line(tracks, 61)]
    columns, before = 60 - 18, 18
    cut = before + int(0.6 / tracks.seconds * columns)
    assert {line.index("│") for line in (user, heard, never)} == {cut}
    assert mark == " " * cut + "▲ cut"
    assert seconds.split() == ["0", "s", "1", "2"]
    assert never[before:cut].strip() == ""  # nothing was dropped before the cut
    assert never[cut + 1 :].strip() != ""
    assert heard[cut + 3 : cut + 10].strip() == ""
    assert all(line.isascii() for line in map(str, time_line(tracks, 61, ascii_only=True)))


def test_what_is_more_than_silence_is_seen() -> None:
    assert waveform([0.0, 0.001, 0.5, 1.0]) == " ▁▄█"
    assert waveform([0.0, 0.001, 1.0], " .#") == " .#"


def test_an_outline_has_a_piece_for_each_sound() -> None:
    path = outline([0.0, 1.0, 1.0, 0.0, 0.5])
    assert path.count("M") == path.count("Z") == 2
    assert path.startswith("M1 4H2L2 4H3L3 96H2L2 96H1Z")
    assert outline([0.0, 0.01]) == ""


def test_the_curves_meet_at_the_cut() -> None:
    played = scene()
    found = findings(played)
    received, heard = received_curve(played, found), heard_curve(found)
    assert received == [
        (0.0, 0.0), (0.1, 0.0), (0.1, 1100.0), (0.2, 1100.0), (0.2, 1760.0),
        (0.6, 1760.0), (0.6, 500.0), (1.7, 500.0), (1.7, 1160.0),
    ]  # fmt: skip
    assert heard == [
        (0.0, 0.0),
        (0.1, 0.0),
        (pytest.approx(0.6005), 500.5),
        (pytest.approx(1.6005), 500.5),
        (pytest.approx(2.2605), 1160.5),
    ]


def test_the_report_needs_nothing_else_and_trusts_no_words() -> None:
    played = scene()
    played.history[0]["content"][0]["transcript"] = "<script>"
    found = findings(played)
    page = report(played, found, tracks_of(played, found), "Python <3>")
    assert "<script" not in page
    assert "Python &lt;3&gt;" in page
    assert re.findall(r'(?:src|href)="(?!data:)', page) == []
    assert "url(" not in page
    assert page.count("<path ") == 3
    assert "cut at 500 ms of item 1" in page
    assert '<u class="wrong">And the</u><del> ships?</del>' in page


# The whole of it


@pytest.mark.io
@pytest.mark.slow
async def test_the_model_is_told_what_was_heard(tmp_path: Path) -> None:
    done = await run(
        "demo-voice", "--json", "--report", "voice.html", "--record", "talk.wav", cwd=tmp_path
    )
    assert done.code == 0, done.err
    said = json.loads(done.out)
    assert said["disagreements"] == []
    first, second, third = said["items"]
    assert [each["told"] for each in said["items"]] == ["cut", "deleted", "left"]
    assert first["truncated_ms"] == first["heard_ms"] < first["received_ms"]
    assert abs(first["error_ms"]) <= 20
    assert (second["sounded_samples"], third["sounded_ms"]) == (0, third["received_ms"])
    assert said["wall_clock"]["item"] == 2
    assert done.err.endswith("report: voice.html\nrecording: talk.wav\n")
    assert (tmp_path / "voice.html").read_text(encoding="utf-8").startswith("<!DOCTYPE html>")
    with wave.open(str(tmp_path / "talk.wav")) as file:
        assert file.getnchannels() == 2
        samples = array("h", file.readframes(file.getnframes()))
    if sys.byteorder == "big":
        samples.byteswap()
    # The recording is what the ear heard: the first answer as far as the server was told.
    (heard, *_) = sounded([known_audio(first["words"])], samples[1::2].tobytes())
    assert heard.at_most == first["sounded_samples"]
    assert any(samples[0::2])


@pytest.mark.io
@pytest.mark.slow
async def test_people_get_a_time_line_a_table_and_sentences() -> None:
    done = await run("demo-voice", "--after", "1.5", COLUMNS="100")
    assert done.code == 0, done.err
    for expected in ("▲ cut", "never heard", "server told", "delete it", "wall clock"):
        assert expected in done.out


@pytest.mark.slow
@pytest.mark.parametrize("command", ["voice", "demo-voice"])
async def test_help_teaches(command: str) -> None:
    done = await run(command, "--help", COLUMNS="80")
    assert (done.code, done.err) == (0, "")
    assert done.out.count(f"  turnwire {command}") >= 3
    for code, meaning in MEANINGS.items():
        assert f"{code.value:>3}  {meaning}" in done.out


@pytest.mark.slow
@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--report", "nope/voice.html"], "nope/voice.html cannot be written"),
        (["--record", "nope/talk.wav"], "nope/talk.wav cannot be written"),
        (["--report", "talk.wav", "--record", "./talk.wav"], "--report and --record are the same"),
        (["--report", ""], "--report is empty"),
        (["--record", "talk.mp3"], "--record talk.mp3 is no wav file"),
        (["--after", "9"], "Invalid value for '--after'"),
    ],
)
async def test_wrong_options_are_refused_at_once(
    tmp_path: Path, options: list[str], said: str
) -> None:
    done = await run("demo-voice", *options, cwd=tmp_path, COLUMNS="200")
    assert (done.code, done.out) == (2, "")
    assert said in done.err
