"""Whether a message is the one that was recorded, and where it is not.

Differences are told by path and kind; of texts only those that name things are shown.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

import msgspec

from turnwire.recording.names import learn, with_names
from turnwire.recording.redaction import PLACEHOLDER, Redaction, redacted
from turnwire.recording.secrecy import REMOVED

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping

# Members that a client may fill in anew each time, and that change nothing for the model.
VOLATILE: Final = frozenset({"client_metadata", "event_id"})
_MOST: Final = 10  # differences that are told
_LONGEST: Final = 60  # characters of a value that is shown


class Comparison:
    """How messages are compared.

    Args:
        ignored: Names of members that are left out, wherever they are.
        redacted: Whether the recording has placeholders in place of what was said.

    Attributes:
        redacted: The same.
    """

    def __init__(self, ignored: Collection[str], *, redacted: bool) -> None:
        self._ignored = frozenset(ignored)
        self.redacted = redacted

    def differences(
        self, recorded: bytes, arrived: bytes, names: Mapping[str, str] | None = None
    ) -> list[str]:
        """Return where a message that arrived is not the recorded one; nothing if it is.

        Args:
            recorded: The one.
            arrived: The other.
            names: What the client has named otherwise so far: see `names.py`.
        """
        text = arrived
        if self.redacted:
            text = Redaction().text(arrived.decode(errors="replace")).encode()
        try:
            pair = _decoded(recorded, text, dict(names or {}))
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
            same = _same_text(_readable(recorded), _readable(text))
            return [] if same else [_sizes("$", "bytes", recorded, arrived)]
        found = list(self._walk(*pair, "$", ""))
        if len(found) > _MOST:
            found[_MOST:] = [f"and {len(found) - _MOST} more"]
        return found

    def _walk(self, recorded: Any, arrived: Any, path: str, name: str) -> Iterator[str]:
        kinds = _kind(recorded), _kind(arrived)
        if kinds == ("object", "object"):
            yield from self._members(recorded, arrived, path)
        elif kinds == ("array", "array"):
            yield from self._elements(recorded, arrived, path, name)
        elif isinstance(recorded, str) and isinstance(arrived, str):
            if not _same_text(recorded, arrived):
                yield _values(path, name, recorded, arrived)
        elif kinds[0] != kinds[1]:
            yield f"{path}: recorded {kinds[0]}, arrived {kinds[1]}"
        elif recorded != arrived:
            yield _values(path, name, recorded, arrived)

    def _members(
        self, recorded: dict[str, Any], arrived: dict[str, Any], path: str
    ) -> Iterator[str]:
        for name in {**recorded, **arrived}:
            if name in self._ignored:
                continue
            place = f"{path}.{name}"
            if name not in arrived:
                yield f"{place}: recorded, but did not arrive"
            elif name not in recorded:
                yield f"{place}: arrived, but was not recorded"
            else:
                yield from self._walk(recorded[name], arrived[name], place, name)

    def _elements(
        self, recorded: list[Any], arrived: list[Any], path: str, name: str
    ) -> Iterator[str]:
        if len(recorded) != len(arrived):
            yield _sizes(path, "elements", recorded, arrived)
        for index, (one, other) in enumerate(zip(recorded, arrived, strict=False)):
            yield from self._walk(one, other, f"{path}[{index}]", name)


def _decoded(recorded: bytes, arrived: bytes, names: dict[str, str]) -> tuple[Any, Any]:
    was, now = msgspec.json.decode(recorded), msgspec.json.decode(arrived)
    learn(names, was, now)
    if names:
        was = msgspec.json.decode(with_names(recorded.decode(), names))
    return was, now


def _same_text(recorded: str, arrived: str) -> bool:
    if REMOVED not in recorded:
        return recorded == arrived
    # A secret stood there: whatever stands there now will do.
    pattern = ".*".join(map(re.escape, recorded.split(REMOVED)))
    return re.fullmatch(pattern, arrived, re.DOTALL) is not None


def _values(path: str, name: str, recorded: Any, arrived: Any) -> str:
    shown = [_shown(value, name) for value in (recorded, arrived)]
    if shown[0] != shown[1]:
        return f"{path}: recorded {shown[0]}, arrived {shown[1]}"
    if isinstance(recorded, str) and len(recorded) != len(arrived):
        return _sizes(path, "characters", recorded, arrived)
    return f"{path}: another {_kind(recorded)}"


def _shown(value: Any, name: str) -> str:
    """Show what is structure; of a text that was said not even its length."""
    said = isinstance(value, str) and redacted({name: value}) != {name: value}
    if said or value == PLACEHOLDER * len(str(value)):
        return "a text"
    text = msgspec.json.encode(value).decode()
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}…"


def _sizes(path: str, what: str, recorded: Any, arrived: Any) -> str:
    if len(recorded) == len(arrived):
        return f"{path}: other {what}, {len(recorded)} of them"
    return f"{path}: recorded {len(recorded)} {what}, arrived {len(arrived)}"


def _kind(value: Any) -> str:
    match value:
        case None:
            return "null"
        case bool():
            return "boolean"
        case int() | float():
            return "number"
        case str():
            return "text"
        case list():
            return "array"
        case _:
            return "object"


def _readable(data: bytes) -> str:
    return data.decode("latin-1")
