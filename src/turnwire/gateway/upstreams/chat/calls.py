"""Fragments of tool calls, in whatever order and cut a server sends them, to whole calls.

Servers disagree on ``index`` (missing, or 0 for every call), on ``id`` (only in the first
fragment, in all of them, none, or a new one each time), on names (whole, split, repeated) and on
arguments (text, or an object at once).  Which call a fragment belongs to is decided here.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import msgspec

from turnwire.events import encode
from turnwire.gateway.json_shapes import (
    UNREADABLE,
    Json,
    array_or_empty,
    is_object,
    object_or_empty,
)
from turnwire.gateway.upstreams.chat.string_argument import StringArgument
from turnwire.gateway.upstreams.deltas import ArgumentsDelta, CallEnded, CallStarted

if TYPE_CHECKING:
    from turnwire.gateway.upstreams.chat.tools import ToolTable
    from turnwire.gateway.upstreams.deltas import Delta

_LEGACY: Final = "function_call"  # the place of the one call that this member can hold


class _Call:
    """One call while it comes."""

    def __init__(self, index: int, call_id: str | None, place: Any) -> None:
        self.index = index
        self.call_id = call_id
        self.place = place
        self.name = ""
        self.pieces: list[str] = []
        self.started = False
        self.shown = False  # some of the arguments
        self.string: StringArgument | None = None

    @property
    def is_whole(self) -> bool:
        """True if the arguments are JSON as they are."""
        try:
            msgspec.json.decode("".join(self.pieces))
        except UNREADABLE:
            return False
        return True


class Calls:
    """Puts the calls of one answer together.

    Args:
        tools: What the model may call.
    """

    def __init__(self, tools: ToolTable) -> None:
        self._tools = tools
        self._names = tools.chat_names
        self._calls: list[_Call] = []
        self._started = 0  # so many of them, from the first on
        self._by_id: dict[str, _Call] = {}
        self._by_place: dict[Any, _Call] = {}

    def feed(self, fragments: Any) -> list[Delta]:
        """Take a chunk's ``tool_calls``."""
        deltas: list[Delta] = []
        named: set[int] = set()  # calls that this very chunk has named
        for fragment in array_or_empty(fragments):
            if is_object(fragment):
                place = fragment.get("index")
                deltas += self._take(fragment, place if isinstance(place, int) else None, named)
        return deltas

    def feed_legacy(self, fragment: Json) -> list[Delta]:
        """Take a chunk's ``function_call``."""
        return self._take({"function": fragment}, _LEGACY, set())

    def end(self, *, whole: bool) -> list[Delta]:
        """Take it that nothing more will come.

        Args:
            whole: False if the model was stopped, maybe in the middle of a call.
        """
        deltas: list[Delta] = []
        for call in self._calls:
            deltas += self._start(call)
            if not whole and not call.is_whole:
                continue
            rest = call.string.end() if call.string else "" if call.shown else "{}"
            if rest:
                deltas.append(ArgumentsDelta(call.index, rest))
            deltas.append(CallEnded(call.index))
        self._calls.clear()
        return deltas

    def _take(self, fragment: Json, place: Any, named: set[int]) -> list[Delta]:
        function = object_or_empty(fragment.get("function"))
        name = _text(function.get("name"))
        call = self._call_of(_text(fragment.get("id")), place, name, named)
        if name:
            named.add(call.index)
            if not call.started:
                call.name = self._grown(call.name, name)
        text = _arguments(function.get("arguments"))
        if text:
            call.pieces.append(text)
        shown = self._show(call, text) if call.started else []
        return shown + self._start_certain()

    # Which call

    def _call_of(self, call_id: str, place: Any, name: str, named: set[int]) -> _Call:
        known = self._by_id.get(call_id) if call_id else None
        if known is not None:
            return known
        call = self._by_place.get(place)
        if call is None and place is None and self._calls:
            call = self._calls[-1]
        if call is None or self._is_another(call, call_id, name, named):
            call = _Call(len(self._calls), call_id or None, place)
            self._calls.append(call)
            self._by_place[place] = call
        if call_id:
            self._by_id[call_id] = call
            call.call_id = call.call_id or call_id
        return call

    def _is_another(self, call: _Call, call_id: str, name: str, named: set[int]) -> bool:
        """Say if a fragment begins a call of its own, though another one has its place."""
        if call_id and call.call_id:
            # A new id for each fragment is a bug of some servers; new calls have names.
            return bool(name) or call.place is None
        if not name or not call.name:
            return False
        return call.index in named or call.is_whole

    # Names

    def _grown(self, known: str, piece: str) -> str:
        """Return a name with its next piece, which may be the name once more."""
        grown = known + piece
        if any(name.startswith(grown) for name in self._names):
            return grown
        return piece if piece.startswith(known) else grown

    def _is_certain(self, name: str, *, begun: bool) -> bool:
        """Say if a name is whole: its item cannot be shown before."""
        longer = any(other != name and other.startswith(name) for other in self._names)
        if name in self._names:
            return begun or not longer
        return bool(name) and begun and not longer

    # What is shown

    def _start_certain(self) -> list[Delta]:
        """Start the calls whose names are whole, in the order in which they came."""
        deltas: list[Delta] = []
        for call in self._calls[self._started :]:
            if not self._is_certain(call.name, begun=bool(call.pieces)):
                break
            deltas += self._start(call)
        return deltas

    def _start(self, call: _Call) -> list[Delta]:
        if call.started:
            return []
        call.started = True
        self._started += 1
        tool = self._tools.called(call.name)
        call.string = StringArgument() if tool.kind == "custom" else None
        started = CallStarted(call.index, tool.name, call.call_id, tool.kind, tool.namespace)
        return [started, *self._show(call, "".join(call.pieces))]

    def _show(self, call: _Call, text: str) -> list[Delta]:
        shown = call.string.feed(text) if call.string else text
        if not shown:
            return []
        call.shown = True
        return [ArgumentsDelta(call.index, shown)]


def _text(value: Any) -> str:
    return value if isinstance(value, str) else ""


def _arguments(value: Any) -> str:
    """Return arguments as text; some servers send the object itself."""
    if isinstance(value, str):
        return value
    return "" if value is None else encode(value).decode()
