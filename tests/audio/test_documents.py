"""The page of audio does what it says."""

from __future__ import annotations

import asyncio
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

from audio.fake_devices import FakeSoundDevice
from turnwire.audio.devices import microphone, speaker

if TYPE_CHECKING:
    import pytest

PAGE = Path(__file__).parents[2] / "docs" / "howto" / "audio.md"


def programs() -> list[str]:
    return re.findall(r"^```python\n(.*?)^```", PAGE.read_text("utf-8"), re.MULTILINE | re.DOTALL)


def run(program: str) -> dict[str, Any]:
    names: dict[str, Any] = {}
    exec(compile(program, PAGE.name, "exec"), names)
    return names


def test_its_programs_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for program in programs():
        names = run(program)
        if "speak" in names:
            assert asyncio.run(names["speak"]()) == 100.0
    assert sorted(path.name for path in tmp_path.iterdir()) == ["call.wav", "hello.wav"]


async def test_it_talks(monkeypatch: pytest.MonkeyPatch) -> None:
    library = FakeSoundDevice()
    for module in (microphone, speaker):
        monkeypatch.setattr(module, "sound_device", lambda: library)
    sent: asyncio.Queue[bytes] = asyncio.Queue()
    talking = asyncio.create_task(run(programs()[-1])["talk"](sent.put_nowait, print))
    await asyncio.sleep(0)
    _, ear = library.streams
    ear.say(b"ab" * 480)
    assert await sent.get() == b"ab" * 480
    talking.cancel()
    await asyncio.wait([talking])
    assert [stream.state for stream in library.streams] == ["closed", "closed"]
