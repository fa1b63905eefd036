"""``turnwire voice`` with files, as users run it; what comes back is known to the sample."""

from __future__ import annotations

import sys
import wave
from array import array
from typing import TYPE_CHECKING

import pytest

from cli.command import run
from turnwire.audio import PCMU as TELEPHONE
from turnwire.audio import tone, write_wav
from turnwire.cli.voice.plan import Plan, tone_phrase
from turnwire.cli.voice.server import EMBEDDED
from turnwire.gateway import Gateway
from turnwire.gateway.voice import g711
from turnwire.gateway.voice.formats import PCM, PCMU
from turnwire.gateway.voice.tones import spoken
from turnwire.testing.realtime import RealtimeServer, counted, counted_audio, failed, reply, text
from turnwire.testing.realtime.faults import close

if TYPE_CHECKING:
    from pathlib import Path

    from turnwire.gateway.voice.formats import AudioFormat

pytestmark = [pytest.mark.io, pytest.mark.slow]

TONES = "3 tones of 440 Hz and 550 Hz and 660 Hz"
ANSWER = f"I heard {TONES} in 910 milliseconds."


def spoken_audio(words: str, form: AudioFormat = PCM) -> bytes:
    sound = spoken(words).sound
    return sound.audio(0, form.count(sound.ms), form)


def wav(path: Path) -> tuple[int, int, bytes]:
    """Return rate, sides and samples of a file."""
    with wave.open(str(path)) as file:
        return file.getframerate(), file.getnchannels(), file.readframes(file.getnframes())


def contents(folder: Path) -> dict[str, bytes]:
    """Return the wav files of a folder."""
    return {path.name: path.read_bytes() for path in folder.glob("*.wav")}


async def test_three_tones_are_heard_by_the_built_in_voice_and_answered() -> None:
    done = await run("voice")
    said = EMBEDDED + "\n0.91 s said, 3.52 s answered after "
    assert (done.code, done.out) == (0, f"user       {TONES}\nassistant  {ANSWER}\n")
    assert done.err.startswith(said)


async def test_a_file_is_said_and_the_reply_is_the_known_audio(tmp_path: Path) -> None:
    write_wav(tmp_path / "hello.wav", tone(500, 1000))
    done = await run("voice", "--in", "hello.wav", "--out", "reply.wav", cwd=tmp_path)
    assert (done.code, done.out) == (0, "")
    assert done.err.endswith(" ms: reply.wav\n")
    words = "I heard a tone of 500 Hz in 1000 milliseconds."
    assert wav(tmp_path / "reply.wav") == (24_000, 1, spoken_audio(words))


async def test_a_text_alone_is_answered(tmp_path: Path) -> None:
    out = tmp_path / "reply.wav"
    done = await run("voice", "--text", "Good morning", "--out", str(out), "--transcript")
    assert (done.code, done.out) == (0, "assistant  You wrote: Good morning\n")
    assert wav(out)[2] == spoken_audio("You wrote: Good morning")


async def test_a_recording_has_both_sides_on_one_time_line(tmp_path: Path) -> None:
    done = await run("voice", "--record", "both.wav", cwd=tmp_path)
    assert (done.code, done.out) == (0, "")
    rate, sides, data = wav(tmp_path / "both.wav")
    samples = array("h", data)
    if sys.byteorder == "big":
        samples.byteswap()
    left, right = samples[0::2].tobytes(), samples[1::2].tobytes()
    phrase, answer = tone_phrase(), spoken_audio(ANSWER)
    assert (rate, sides) == (24_000, 2)
    assert left == phrase + bytes(len(left) - len(phrase))
    silence = len(right) - len(answer)
    assert silence >= len(phrase)  # who answers has listened first
    assert right == bytes(silence) + answer


async def test_telephone_audio_is_spoken_both_ways_and_decoded(tmp_path: Path) -> None:
    out = tmp_path / "reply.wav"
    done = await run("voice", "--g711", "--out", str(out), "--transcript")
    assert (done.code, done.out) == (0, f"user       {TONES}\nassistant  {ANSWER}\n")
    telephone = spoken_audio(ANSWER, PCMU)
    assert wav(out) == (8_000, 1, g711.decoded(telephone, "audio/pcmu").tobytes())


async def test_any_server_is_talked_to(tmp_path: Path) -> None:
    async with Gateway() as gateway:
        done = await run(
            "voice", "--base-url", gateway.base_url, "--voice", "cedar", "--model", "any",
            "--instructions", "Be brief.", cwd=tmp_path,
        )  # fmt: skip
    assert (done.code, done.out) == (0, f"user       {TONES}\nassistant  {ANSWER}\n")
    assert "embedded" not in done.err


async def test_the_key_comes_from_the_variable_that_is_named() -> None:
    async with RealtimeServer(reply(counted(100, "Yes.")), key="secret") as server:
        told = ("voice", "--base-url", server.http_url, "--text", "Hi")
        done = await run(*told, "--api-key-env", "MY_KEY", MY_KEY="secret")
        assert (done.code, done.out) == (0, "assistant  Yes.\n")
        done = await run(*told, OPENAI_API_KEY="another")
        assert (done.code, done.out) == (3, "")
    assert "HTTP 401" in done.err
    assert "check OPENAI_API_KEY" in done.err


async def test_a_server_that_writes_is_read(tmp_path: Path) -> None:
    async with RealtimeServer(reply(text("Only words."))) as server:
        done = await run(
            "voice", "--base-url", server.http_url, "--text", "Hi", "--transcript",
            "--out", "reply.wav", cwd=tmp_path,
        )  # fmt: skip
    assert (done.code, done.out) == (0, "assistant  Only words.\n")
    assert wav(tmp_path / "reply.wav") == (24_000, 1, b"")


async def test_a_reply_that_is_cut_off_is_kept_as_far_as_it_came(tmp_path: Path) -> None:
    fault = close(1008, "no more", on="response.output_audio.delta", nth=3)
    async with RealtimeServer(reply(counted(1000)), faults=[fault]) as server:
        done = await run(
            "voice", "--base-url", server.http_url, "--text", "Hi", "--out", "reply.wav",
            cwd=tmp_path,
        )  # fmt: skip
    assert done.code == 4
    assert done.err.startswith("error: ")
    assert done.err.count("\n") == 1
    assert wav(tmp_path / "reply.wav")[2] == counted_audio(1, 0, 4800)


async def test_a_reply_that_fails_is_an_error() -> None:
    async with RealtimeServer(reply(failed(message="Not today."))) as server:
        done = await run("voice", "--base-url", server.http_url, "--text", "Hi")
    assert (done.code, done.out) == (1, "")
    assert done.err.endswith("error: the reply failed: Not today.\n")


async def test_nobody_there() -> None:
    async with Gateway() as gateway:
        base_url = gateway.base_url
    done = await run("voice", "--base-url", base_url)
    assert (done.code, done.out) == (3, "")
    assert "check --base-url" in done.err


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--in", "nope.wav"], "nope.wav cannot be read: no such file or directory"),
        (["--in", "text.wav"], "text.wav is no wav file with PCM16"),
        (["--in", "short.wav"], "short.wav has 50 ms of sound, and a server takes 100 ms"),
        (["--out", "nope/reply.wav"], "nope/reply.wav cannot be written: no such file"),
        (["--record", "nope/both.wav"], "nope/both.wav cannot be written: no such file"),
        (["--in", ""], "--in is empty; name a file with --in"),
        (["--out", ""], "--out is empty; name a file with --out"),
        (["--record", ""], "--record is empty"),
        (["--out", "/"], "/ is a directory"),
        (["--out", "reply.mp3"], "--out reply.mp3 is no wav file; only wav is written"),
        (["--out", "-"], "--out - is no wav file"),
        (["--record", "both.ogg"], "--record both.ogg is no wav file"),
        (["--text", " "], "--text is empty"),
        (["--mic", "--in", "short.wav"], "--mic and --in do not go together"),
        (["--mic", "--out", "reply.wav"], "--mic and --out do not go together"),
        (["--half-duplex"], "--half-duplex is for --mic"),
        (["--api-key-env", "MY-KEY"], "the variable that --api-key-env names is not set"),
    ],
)
async def test_wrong_options_are_refused_before_anything_is_sent(
    tmp_path: Path, options: list[str], said: str
) -> None:
    (tmp_path / "text.wav").write_text("no sound")
    write_wav(tmp_path / "short.wav", tone(440, 50))
    done = await run("voice", *options, cwd=tmp_path)
    assert (done.code, done.out) == (2, "")
    assert done.err.startswith(f"error: {said}"), done.err
    assert done.err.count("\n") == 1
    assert "MY-KEY" not in done.err  # perhaps somebody gave the key itself


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--in", "keep.wav", "--out", "keep.wav"], "--in and --out"),
        (["--in", "keep.wav", "--record", "other/../keep.wav"], "--in and --record"),
        (["--in", "keep.wav", "--out", "linked.wav"], "--in and --out"),
        (["--out", "new.wav", "--record", "./new.wav"], "--out and --record"),
    ],
)
async def test_no_file_is_written_over_another(
    tmp_path: Path, options: list[str], said: str
) -> None:
    (tmp_path / "other").mkdir()
    write_wav(tmp_path / "keep.wav", tone(440, 200))
    (tmp_path / "linked.wav").hardlink_to(tmp_path / "keep.wav")
    before = contents(tmp_path)
    done = await run("voice", *options, cwd=tmp_path)
    assert (done.code, done.out) == (2, "")
    assert done.err.startswith(f"error: {said} are the same file, "), done.err
    assert before == contents(tmp_path)


def test_a_session_is_only_told_what_was_asked_for() -> None:
    assert Plan(mic=True, transcript=False, out=None).session == {
        "transcription": {"model": "gpt-transcribe"}
    }
    assert Plan(text="Hi", voice="cedar", instructions="Be brief.", g711=True).session == {
        "voice": "cedar",
        "instructions": "Be brief.",
        "input_format": TELEPHONE,
        "output_format": TELEPHONE,
        "transcription": {"model": "gpt-transcribe"},
        "turn_detection": None,
    }
