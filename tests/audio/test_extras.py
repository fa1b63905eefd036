"""What the audio tools need, and how they miss it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

import turnwire.audio

SOURCE = Path(turnwire.__file__).parents[1]
WITHOUT = "import sys\nsys.modules.update(dict.fromkeys(['numpy', 'soxr', 'sounddevice']))\n"


def run(code: str) -> str:
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False, cwd=SOURCE
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_most_of_it_works_without_extras(tmp_path: Path) -> None:
    code = f"""{WITHOUT}
from turnwire.audio import *
write_wav({str(tmp_path / "a.wav")!r}, tone(440, 100))
with Recorder() as recorder:
    for chunk in WavSource({str(tmp_path / "a.wav")!r}):
        recorder.heard_from_user(0.0, chunk)
    recorder.write({str(tmp_path / "b.wav")!r})
Speaker().play(tone(440, 20))
print(recorder.seconds, EchoGuard().mutes(0, 1))
"""
    assert run(code) == "0.0 False\n"
    assert (tmp_path / "b.wav").stat().st_size == 44 + 4 * 2_400


@pytest.mark.parametrize(
    ("code", "told"),
    [
        (
            "from turnwire.audio import Resampler",
            'turnwire.audio.resampling needs numpy and soxr: pip install "turnwire[audio]"',
        ),
        (
            "import turnwire.audio.g711",
            'turnwire.audio.g711 needs numpy: pip install "turnwire[audio]"',
        ),
        (
            "from turnwire.audio import *; Speaker().start()",
            'turnwire.audio.devices needs sounddevice: pip install "turnwire[devices]"',
        ),
    ],
)
def test_what_needs_an_extra_says_which(code: str, told: str) -> None:
    assert run(f"{WITHOUT}\ntry: {code}\nexcept ImportError as e: print(e)").startswith(told)


def test_a_missing_library_below_sounddevice_is_named(tmp_path: Path) -> None:
    # What sounddevice raises where PortAudio is not installed.
    (tmp_path / "sounddevice.py").write_text("raise OSError('PortAudio library not found')")
    code = f"""
import sys
sys.path.insert(0, {str(tmp_path)!r})
from turnwire.audio import *
try: Speaker().start()
except DeviceError as error: print(error)
"""
    assert "libportaudio2" in run(code)


def test_names_that_are_not_there_are_missed_as_usual() -> None:
    with pytest.raises(AttributeError, match="no attribute 'Resampeler'"):
        turnwire.audio.Resampeler  # type: ignore[attr-defined]  # noqa: B018
