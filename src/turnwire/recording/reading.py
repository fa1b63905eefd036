"""Reads a recording."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import msgspec

from turnwire.errors import ConfigError
from turnwire.recording.lines import VERSION, AnyLine, Header, Stopped

if TYPE_CHECKING:
    import os


class Numbered(NamedTuple):
    """A line, and which of the file it is, the header being 1."""

    number: int
    line: AnyLine


@dataclass(frozen=True, slots=True)
class Recording:
    """What is in a file.

    Attributes:
        header: The first line.
        connections: The lines of each socket and each HTTP exchange, in order of arrival.
        notes: What is missing, in sentences: that the last line is cut off, that the recorder was
            killed, or that the file was full.
    """

    header: Header
    connections: dict[int, list[Numbered]] = field(default_factory=dict[int, list[Numbered]])
    notes: list[str] = field(default_factory=list[str])


def read_recording(path: str | os.PathLike[str]) -> Recording:
    """Read a recording; a last line that is cut off is left out, and ``notes`` say so.

    Raises:
        ConfigError: It is no recording, of another version, or damaged before its last line.
        OSError: It cannot be read.
    """
    lines = Path(path).read_bytes().split(b"\n")
    rest = lines.pop()  # nothing, unless the last line is cut off
    recording = Recording(_header(lines[0] if lines else rest))
    stopped: Stopped | None = None
    for number, data in enumerate(lines[1:], 2):
        try:
            line = _DECODER.decode(data)
        except (msgspec.MsgspecError, UnicodeDecodeError) as error:
            raise ConfigError(f"line {number} of the recording is damaged: {error}") from None
        if isinstance(line, Stopped):
            stopped = line
        else:
            recording.connections.setdefault(line.connection, []).append(Numbered(number, line))
    if rest:
        recording.notes.append(f"The last line, {len(lines) + 1}, is cut off and was left out.")
    if stopped is None:
        recording.notes.append("The recorder was killed: what came after is not in it.")
    elif stopped.reason != "asked":
        recording.notes.append(f"The recording stopped early: {stopped.reason}.")
    return recording


_DECODER: msgspec.json.Decoder[AnyLine] = msgspec.json.Decoder(AnyLine)


def _header(data: bytes) -> Header:
    try:
        header = msgspec.json.decode(data, type=Header)
    except (msgspec.MsgspecError, UnicodeDecodeError):
        raise ConfigError(
            "this is no recording: its first line has no `turnwire_recording`; make one with"
            " `turnwire record`"
        ) from None
    if header.turnwire_recording != VERSION:
        raise ConfigError(
            f"the recording has version {header.turnwire_recording} of the format and only"
            f" {VERSION} can be read here; record it anew, or use another version of turnwire"
        )
    return header
