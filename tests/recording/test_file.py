from __future__ import annotations

import os
import stat
from typing import TYPE_CHECKING

import pytest

from turnwire.errors import ConfigError
from turnwire.recording import read_recording
from turnwire.recording.file import RecordingFile
from turnwire.recording.lines import VERSION, End, Header, Message
from turnwire.recording.reading import Numbered
from turnwire.testing import Clock

if TYPE_CHECKING:
    from pathlib import Path

HEADER = Header(turnwire_recording=VERSION, started="", upstream="u", content="whole", by="test")


def message(text: str) -> Message:
    return Message(at=0.0, connection=1, sender="client", text=text)


def open_file(path: Path, *, max_bytes: int = 10_000) -> tuple[RecordingFile, list[str], Clock]:
    clock, ended = Clock(100.0), list[str]()
    return (
        RecordingFile(
            path, HEADER, max_bytes=max_bytes, ended=ended.append, clock=lambda: clock.now
        ),
        ended,
        clock,
    )


def test_lines_are_there_at_once_and_private(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    file, _, clock = open_file(path)
    clock.advance(1.5)
    file.add(End(at=file.now(), connection=7))
    assert path.read_bytes().splitlines()[1] == b'{"kind":"end","at":1.5,"connection":7}'
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    file.stop()
    assert file.size_bytes == path.stat().st_size


def test_a_whole_recording(tmp_path: Path) -> None:
    file, ended, _ = open_file(tmp_path / "a.jsonl")
    file.add(message("Hé\n"))
    file.stop()
    file.stop()
    file.add(message("too late"))
    recording = read_recording(tmp_path / "a.jsonl")
    assert recording.connections == {1: [Numbered(2, message("Hé\n"))]}
    assert (recording.header, recording.notes, ended) == (HEADER, [], [])


def test_a_full_file_says_so(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    file, ended, _ = open_file(path, max_bytes=600)
    for _ in range(10):
        file.add(message("a" * 100))
    recording = read_recording(path)
    assert len(recording.connections[1]) == 2
    assert recording.notes == ["The recording stopped early: max_bytes."]
    assert (ended, file.stopped) == (["max_bytes"], "max_bytes")
    assert path.stat().st_size <= 600


def test_a_disk_without_room_leaves_no_half_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "a.jsonl"
    file, ended, _ = open_file(path)
    file.add(message("one"))
    real = os.write

    def full(descriptor: int, data: bytes) -> int:
        if len(data) < 20:
            raise OSError(28, "No space left on device")
        return real(descriptor, bytes(data)[:20])

    monkeypatch.setattr(os, "write", full)
    file.add(message("two"))
    monkeypatch.undo()
    recording = read_recording(path)
    assert [numbered.line for numbered in recording.connections[1]] == [message("one")]
    assert recording.notes == ["The recorder was killed: what came after is not in it."]
    assert ended == ["cannot be written"]


def test_a_last_line_that_is_cut_off_is_left_out_and_mentioned(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    file, _, _ = open_file(path)
    file.add(message("one"))
    file.add(message("two"))
    file.stop()
    whole = path.read_bytes()
    last = whole.rindex(b'{"kind":"stopped"')
    for cut in range(whole.index(b"\n") + 1, last):
        path.write_bytes(whole[:cut])
        recording = read_recording(path)
        lines = recording.connections.get(1, [])
        assert len(lines) == whole[:cut].count(b"\n") - 1
        notes = ["The recorder was killed: what came after is not in it."]
        if whole[cut - 1 : cut] != b"\n":
            notes.insert(0, f"The last line, {len(lines) + 2}, is cut off and was left out.")
        assert recording.notes == notes


@pytest.mark.parametrize(
    ("data", "complaint"),
    [
        (b"", "no recording"),
        (b'{"a":1}\n', "no recording"),
        (b'{"turnwire_recording":9,"started":"","upstream":"","content":"whole","by":""}\n', "9"),
        (
            b'{"turnwire_recording":1,"started":"","upstream":"","content":"whole","by":""}\n{\n{}',
            "line 2",
        ),
    ],
)
def test_what_is_no_recording(tmp_path: Path, data: bytes, complaint: str) -> None:
    path = tmp_path / "a.jsonl"
    path.write_bytes(data)
    with pytest.raises(ConfigError, match=complaint):
        read_recording(path)


def test_nothing_is_overwritten(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    path.write_text("mine")
    with pytest.raises(ConfigError, match="overwrites nothing"):
        open_file(path)
    with pytest.raises(ConfigError, match="name another file"):
        open_file(tmp_path / "no" / "a.jsonl")
    with pytest.raises(ConfigError, match="no room"):
        open_file(tmp_path / "b.jsonl", max_bytes=10)
    assert (path.read_text(), list(tmp_path.iterdir())) == ("mine", [path])
