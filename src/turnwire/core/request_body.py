"""The body of a create as its caller's library wrote it: taken apart, and known again.

Agents send the whole history each time, and their libraries write what they have written before
byte for byte.  So a body that begins like an earlier one is compared at the speed of memory, and
only the rest of it is read.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

import msgspec

from turnwire.core.history import HistoryItem
from turnwire.core.params import Params

if TYPE_CHECKING:
    from collections.abc import Mapping

Fields = dict[str, msgspec.Raw]

_decode_fields: Final = msgspec.json.Decoder(Fields).decode
_decode_items: Final = msgspec.json.Decoder(list[msgspec.Raw]).decode
_decode_text: Final = msgspec.json.Decoder(str).decode
_UNREADABLE: Final = (msgspec.MsgspecError, UnicodeDecodeError, RecursionError)
_INPUT: Final = re.compile(rb'"input"[ \t\r\n]*:[ \t\r\n]*')
_SPACE: Final = b" \t\r\n"
_MARK_BYTES: Final = 64

# What says how the answer travels, and what to link it to; the rest are parameters.
_ENVELOPE: Final = frozenset({"background", "previous_response_id", "stream"})


@dataclass(frozen=True, slots=True)
class Shape:
    """What stands around the items of a body's input.

    Attributes:
        before: The fields before the input, by name.
        tail: Everything from the end of the input's last item on.
        params: The parameters among all fields.
        streams: Whether the answer is to be streamed.
        is_background: Whether it is to be run without anybody waiting.
        previous_response_id: The caller's own link, or None.
        is_linked: Whether the caller links its turns itself: by that, or by other means.
    """

    before: Fields = field(repr=False)
    tail: bytes = field(repr=False)
    params: Params = field(repr=False)
    streams: bool
    is_background: bool
    previous_response_id: str | None
    is_linked: bool


@dataclass(frozen=True, slots=True)
class RequestBody:
    """A body, or the part of it that was not known.

    Attributes:
        data: All of it.
        prefix_bytes: How much of it comes before the end of the input's last item; 0 if its input
            is no list, so that it cannot be known again by its bytes.
        shape: What stands around the items.
        items: The items: all of them, or those that come after the known ones.
    """

    data: bytes = field(repr=False)
    prefix_bytes: int
    shape: Shape
    items: list[HistoryItem] = field(repr=False)

    @property
    def prefix(self) -> bytes:
        """Everything before the end of the input's last item."""
        return self.data[: self.prefix_bytes]


class Prefix:
    """How a body began, in order to know another one that begins like it."""

    __slots__ = ("_mark", "data", "shape")

    def __init__(self, body: RequestBody) -> None:
        self.data = body.prefix
        self.shape = body.shape
        self._mark = self.data[-_MARK_BYTES:]

    @property
    def size_bytes(self) -> int:
        """What it weighs."""
        return len(self.data) + len(self.shape.tail) + len(self.shape.params.encoded)

    def continued_by(self, data: bytes) -> RequestBody | None:
        """Read what a body has after the same beginning; None if it begins otherwise.

        The comparison is the proof: what came before these bytes was valid, and ended with an
        item of the input; if what comes after them would be valid behind any other item, it is
        behind this one.
        """
        known = len(self.data)
        if data[known : known + 1] != b"," or data[known - len(self._mark) : known] != self._mark:
            return None
        if not data.startswith(self.data):
            return None
        try:
            return self._same_tail(data, known) or self._other_tail(data, known)
        except _UNREADABLE:
            return None

    def _same_tail(self, data: bytes, known: int) -> RequestBody | None:
        end = len(data) - len(self.shape.tail)
        if end <= known or not data.endswith(self.shape.tail):
            return None
        try:
            raw = _decode_items(b"[%b]" % data[known + 1 : end])
        except _UNREADABLE:
            return None  # the same bytes at the end of something else
        return RequestBody(data, end, self.shape, _items(raw))

    def _other_tail(self, data: bytes, known: int) -> RequestBody | None:
        fields = _decode_fields(b'{"input":[%b' % data[known + 1 :])
        given = bytes(fields.pop("input"))
        raw = _decode_items(given)
        end = known + len(given) - 1
        if data[end : end + 1] != b"]":
            return None  # the name comes twice, and this was another one
        end -= len(given[:-1]) - len(given[:-1].rstrip(_SPACE))
        shape = _shape(self.shape.before, fields, data[end:])
        return None if shape is None else RequestBody(data, end, shape, _items(raw))


def read_body(data: bytes) -> RequestBody | None:
    """Take a body apart; None if it is no create that can be understood."""
    try:
        fields = _decode_fields(data)
        given = bytes(fields.get("input", b"[]"))
        if given.startswith(b"["):
            raw = _decode_items(given)
            start = _start_of_input(data, given) if "input" in fields else None
        else:
            raw, start = [_user_message(given)], None
        items = _items(raw)
    except (*_UNREADABLE, TypeError):
        return None
    names = list(fields)
    here = names.index("input") if "input" in fields else len(names)
    before = {name: fields[name] for name in names[:here]}
    behind = {name: fields[name] for name in names[here + 1 :]}
    end = 0
    if start is not None and raw:
        end = start + len(given[:-1].rstrip(_SPACE))
    shape = _shape(before, behind, data[end:] if end else b"")
    return None if shape is None else RequestBody(data, end, shape, items)


def _user_message(given: bytes) -> msgspec.Raw:
    """Write text as the one item that it stands for."""
    _decode_text(given)  # or it is neither a list nor text
    return msgspec.Raw(b'{"type":"message","role":"user","content":%b}' % given)


def _start_of_input(data: bytes, given: bytes) -> int | None:
    """Find where the value of the top level's ``input`` begins; None if that is not certain."""
    starts = [match.end() for match in _INPUT.finditer(data)]
    starts = [start for start in starts if data.startswith(given, start)]
    if len(starts) == 1:
        return starts[0]
    return next((start for start in starts if _is_top_level(data, start)), None)


def _is_top_level(data: bytes, start: int) -> bool:
    try:
        _decode_fields(b'{"input":%b' % data[start:])
    except _UNREADABLE:
        return False
    return True


def _items(raw: list[msgspec.Raw]) -> list[HistoryItem]:
    items = [HistoryItem(bytes(item)) for item in raw]
    if not all(item.encoded.startswith(b"{") for item in items):
        raise msgspec.DecodeError("an input item must be an object")
    return items


def _shape(before: Fields, behind: Fields, tail: bytes) -> Shape | None:
    fields = {**before, **behind}
    given = {name: raw for name, raw in fields.items() if bytes(raw) != b"null"}
    link = given.get("previous_response_id")
    try:
        previous = None if link is None else _decode_text(link)
    except _UNREADABLE:
        return None
    return Shape(
        before=before,
        tail=tail,
        params=Params({name: raw for name, raw in given.items() if name not in _ENVELOPE}),
        streams=_is_true(given, "stream"),
        is_background=_is_true(given, "background"),
        previous_response_id=previous,
        is_linked=previous is not None or "conversation" in given,
    )


def _is_true(fields: Mapping[str, msgspec.Raw], name: str) -> bool:
    return bytes(fields.get(name, b"false")) == b"true"
