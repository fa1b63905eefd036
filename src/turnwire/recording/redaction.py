"""Replaces what was said by placeholders of the same length; the structure and the ids stay.

Whatever is not known to be structure is taken for something that was said.  Placeholders are
replaced by themselves, so that what a client says in a replay can be compared with what is left.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final, cast

import msgspec

from turnwire.core.realtime.speaking import NAME
from turnwire.recording.json_text import JsonText

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

PLACEHOLDER: Final = "x"

# Members whose texts are words of the protocol, names of tools, or ids.
_STRUCTURE: Final = frozenset(
    """
    background connector_id detail effort execution generate_summary id include mode model name
    namespace object param phase prompt_cache_retention quality require_approval role
    search_context_size server_label service_tier size status stream_id syntax tool_choice
    truncation type verbosity
    """.split()  # noqa: SIM905
)
# Members that are structure inside of these alone.
_STRUCTURE_IN: Final[Mapping[str, frozenset[str]]] = {
    "code": frozenset({"error"}),
    "reason": frozenset({"incomplete_details"}),
    "summary": frozenset({"reasoning"}),
}
# Members whose own members were named by the caller.
_OF_THE_CALLER: Final = frozenset(
    "arguments client_metadata env environment headers metadata variables".split()  # noqa: SIM905
)
_WORD: Final = re.compile(r"[\w.:/\[\]-]{1,128}", re.ASCII)  # prose has spaces
_BASE64: Final = re.compile(r"(?:[\w+/]{4})*(?:[\w+/]{2}==|[\w+/]{3}=)?", re.ASCII)
_FIELD: Final = re.compile(r"(data|event|id|retry): ?(.*)", re.DOTALL)
_ARGUMENTS: Final = "_arguments.delta"
_LETTER: Final = ord(PLACEHOLDER)


class Redaction:
    """The redaction of one side of one connection."""

    def __init__(self) -> None:
        self._arguments: dict[str, JsonText] = {}  # by item: those that are being streamed

    def text(self, text: str) -> str:
        """Redact a message, or a body: as JSON if it is."""
        try:
            value: Any = msgspec.json.decode(text)
        except (msgspec.MsgspecError, RecursionError):
            return PLACEHOLDER * len(text)
        return msgspec.json.encode(self._event(value)).decode()

    def sse(self, text: str) -> str:
        """Redact an event of a stream, line by line."""
        return re.sub(r"[^\r\n]+", lambda line: self._sse_line(line[0]), text)

    def _sse_line(self, line: str) -> str:
        field = _FIELD.fullmatch(line)
        if field is None:
            return PLACEHOLDER * len(line) if not line.startswith(":") else ":"
        name, value = field.groups()
        if name != "data" or value == "[DONE]":
            return line
        return f"{name}: {self.text(value)}"

    def _event(self, value: Any) -> Any:
        kind = _member(value, "type")
        if isinstance(kind, str) and kind.endswith(_ARGUMENTS):
            return self._delta(value)
        return redacted(value, "error" if kind == "error" else "")  # flat, as in streams

    def _delta(self, event: dict[str, Any]) -> Any:
        rest = redacted({name: each for name, each in event.items() if name != "delta"})
        delta = event.get("delta")
        if not isinstance(delta, str):
            return {**rest, "delta": redacted(delta)}
        item = str(event.get("item_id", event.get("output_index")))
        return {**rest, "delta": self._arguments.setdefault(item, JsonText()).feed(delta)}


def redacted(value: Any, owner: str = "") -> Any:
    """Return a JSON value with placeholders for what was said; ``owner`` names what it is in."""
    return _redacted(value, "", owner)


def _redacted(value: Any, name: str, owner: str) -> Any:
    match value:
        case dict():
            inside = owner if owner in _OF_THE_CALLER else name or owner
            return {key: _redacted(each, key, inside) for key, each in _items(value)}
        case list():
            return [_redacted(each, name, owner) for each in _members(value)]
        case str():
            return _redacted_text(value, name, owner)
        case int() if name == "bytes":  # of a token
            return _LETTER
        case _:
            return value


def _redacted_text(text: str, name: str, owner: str) -> str:
    if name == "arguments":
        return JsonText().feed(text)
    # By that name in its metadata the Realtime transport knows a response.
    structure = name == NAME or (owner not in _OF_THE_CALLER and _is_structure(name, owner))
    if structure and _WORD.fullmatch(text):
        return text
    if name == "audio" and _BASE64.fullmatch(text):  # whose end says how much it was
        return PLACEHOLDER * len(text.rstrip("=")) + "=" * text.count("=")
    return PLACEHOLDER * len(text)


def _is_structure(name: str, owner: str) -> bool:
    if name in _STRUCTURE_IN:
        return owner in _STRUCTURE_IN[name]
    return name in _STRUCTURE or name.endswith(("_id", "_ids"))


def _items(value: Any) -> list[tuple[str, Any]]:
    items: Callable[[], Any] = value.items
    return list(items())


def _members(value: Any) -> list[Any]:
    return list(value)


def _member(value: Any, name: str) -> Any:
    return cast("dict[str, Any]", value).get(name) if isinstance(value, dict) else None
