"""What the peer saw, in order: every message, ping, close and HTTP exchange, with its time.

``transcript`` turns it into text for people: types, ids and sizes, never what was said and never a
header, so that it can stand in a public log.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, Literal, cast

import msgspec

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from turnwire.testing.steps import Json

Kind = Literal["open", "text", "binary", "ping", "pong", "close", "lost", "request", "answer"]
Side = Literal["client", "peer"]

_ARROWS: Final[dict[Side, str]] = {"client": "->", "peer": "<-"}
_TOLD: Final = {"sequence_number": "#", "stream_id": "lane ", "previous_response_id": "after "}


@dataclass(frozen=True, slots=True)
class Entry:
    """One thing that happened.

    Attributes:
        at: When, in seconds of the peer's clock.
        where: ``socket 0``, ``post 1``, ``upgrade 0``, ``retrieval 0``.
        side: Who did it.
        kind: What it was.
        data: The bytes of a message, a ping or a pong.
        note: A close code, a status, a path.
    """

    at: float
    where: str
    side: Side
    kind: Kind
    data: bytes = b""
    note: str = ""


@dataclass(slots=True)
class Log:
    """The entries of one peer.

    Args:
        now: The peer's time.
        changed: Called after each entry.
    """

    now: Callable[[], float]
    changed: Callable[[], None]
    entries: list[Entry] = field(default_factory=list[Entry])

    def add(self, where: str, side: Side, kind: Kind, data: bytes = b"", note: str = "") -> None:
        """Note one thing that has happened."""
        self.entries.append(Entry(self.now(), where, side, kind, data, note))
        self.changed()


def transcript(entries: Iterable[Entry], last_lines: int | None = None) -> str:
    """Return the entries as lines, deltas in a row as one line; all of them, or the last ones."""
    rows: list[tuple[str, int, str]] = []
    last: tuple[float, str, Side, str] | None = None
    for entry in entries:
        what, about = _describe(entry)
        this = (entry.at, entry.where, entry.side, what)
        head = f"{entry.at:9.3f}  {entry.where:<11} {_ARROWS[entry.side]} {what}"
        if last == this and what.endswith("delta"):
            first, times, _ = rows[-1]
            rows[-1] = (first, times + 1, "")
        else:
            rows.append((head, 1, about))
        last = this
    told = [f"{head}{about}" if times == 1 else f"{head} x{times}" for head, times, about in rows]
    return "\n".join(told if last_lines is None else told[-last_lines:])


def _describe(entry: Entry) -> tuple[str, str]:
    """Return what an entry is, and what there is to say about it."""
    if entry.kind != "text":
        size = f" {len(entry.data)} bytes" if entry.kind == "binary" else ""
        note = f" {entry.note}" if entry.note else ""
        return entry.kind, f"{note}{size}"
    event = _object(entry.data)
    if event is None:
        return "text", f" {len(entry.data)} bytes, not a JSON object"
    about = [f"{word}{event[name]}" for name, word in _TOLD.items() if event.get(name) is not None]
    if "response" in event:
        about.append(str(_inside(event["response"]).get("id")))
    if event.get("type") == "error":
        about.insert(0, str((_inside(event.get("error")) or event).get("code")))
    about.append(f"{len(entry.data)} bytes")
    return str(event.get("type")), f" {', '.join(about)}"


def _object(data: bytes) -> Json | None:
    try:
        return msgspec.json.decode(data, type=dict[str, Any])
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None


def _inside(value: Any) -> Json:
    return cast("Json", value) if isinstance(value, dict) else {}
