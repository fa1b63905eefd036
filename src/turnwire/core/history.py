"""One item of a chain's history: encoded once, and hashed once if it must be compared.

Two items are equal if their canonical forms are.  The canonical form drops what servers add and
SDKs do not echo: docs/protocol/continuation.md#canonical-form.
"""

from __future__ import annotations

from hashlib import blake2b
from typing import TYPE_CHECKING, Any, Final, TypeGuard

import msgspec

from turnwire.events import encode

if TYPE_CHECKING:
    from collections.abc import Iterable

Json = dict[str, Any]

_SERVER_ONLY: Final = frozenset({"status", "created_at", "created_by"})
_SERVER_ONLY_IN_PARTS: Final = frozenset({"annotations", "logprobs"})
_LEFT_OUT_BY_LIBRARIES: Final = frozenset({"id", "phase"})
_EMPTY: Final[tuple[Any, ...]] = (None, [], {})

_encode_sorted = msgspec.json.Encoder(order="sorted").encode


class _Kind(msgspec.Struct):
    type: str = "message"
    id: str | None = None
    call_id: str | None = None
    approval_request_id: str | None = None
    execution: str | None = None
    role: str | None = None


_decode_kind = msgspec.json.Decoder(_Kind).decode


class HistoryItem:
    """An item as it goes over the wire.

    Attributes:
        encoded: Its JSON, sent byte for byte whenever it must be sent.
        alternates: Other forms in which the server showed it.
    """

    __slots__ = ("_digests", "_echoed", "_kind", "_meanings", "alternates", "encoded")

    def __init__(self, encoded: bytes, *alternates: bytes) -> None:
        """Make an item.

        Args:
            encoded: The form to send.
            alternates: Other forms in which the server showed the same item: reasoning is
                encrypted anew between the item's event and the response's.
        """
        self.encoded = encoded
        self.alternates = alternates
        self._digests: frozenset[bytes] | None = None
        self._echoed = encoded
        self._kind: _Kind | None = None
        self._meanings: list[Json] | None = None

    @classmethod
    def of(cls, value: object) -> HistoryItem:
        """Encode one input item: a dict, an item of ours, or a model of the official SDK.

        Raises:
            TypeError: JSON cannot hold it.
            ValueError: It is not a JSON object.
        """
        encoded = encode(value)
        if not encoded.startswith(b"{"):
            raise ValueError(f"an input item must be an object, not {type(value).__name__}")
        return cls(encoded)

    @property
    def kind(self) -> _Kind:
        """The fields that pair calls with their answers."""
        if self._kind is None:
            try:
                self._kind = _decode_kind(self.encoded)
            except (msgspec.MsgspecError, UnicodeDecodeError):  # odd types: not a call that we know
                self._kind = _Kind(type="")
        return self._kind

    @property
    def is_the_models(self) -> bool:
        """Whether the model said it, not its caller."""
        if self.kind.type in _ANSWER_TYPES:
            return False
        return self.kind.role in (None, "assistant")

    @property
    def digests(self) -> frozenset[bytes]:
        """Digests of every form in which this item may come back."""
        if self._digests is None:
            self._digests = frozenset(map(digest, (self.encoded, *self.alternates)))
        return self._digests

    def same(self, other: HistoryItem) -> bool:
        """Say whether the two are the same item.

        Cheap when the bytes are equal to these, or to those in which the caller last handed the
        item back: then nothing is hashed again.
        """
        if other.encoded in (self.encoded, self._echoed):
            return True
        if self.digests.isdisjoint(other.digests):
            return False
        self._echoed = other.encoded
        return True

    def echoed_by(self, other: HistoryItem) -> bool:
        """Say whether the other is this item as its caller's library hands it back.

        Libraries leave members out, add some of their own, and write the JSON of arguments anew:
        what was said is the same.  docs/protocol/continuation.md#echo
        """
        if self.same(other):
            return True
        if not self.is_the_models:
            return False  # the caller's own words come back as they were written
        theirs = other._all_meanings()[0]  # of this very class
        return any(_is_echo(mine, theirs) for mine in self._all_meanings())

    def _all_meanings(self) -> list[Json]:
        """Return what each form means, the one to send first; read once."""
        if self._meanings is None:
            self._meanings = list(map(_meaning, (self.encoded, *self.alternates)))
        return self._meanings


def _is_echo(mine: Json, theirs: Json) -> bool:
    return theirs == {
        name: value
        for name, value in mine.items()
        if name in theirs or name not in _LEFT_OUT_BY_LIBRARIES
    }


def _meaning(encoded: bytes) -> Json:
    """Return the canonical form without what libraries add, and arguments in one form."""
    item = canonical(msgspec.json.decode(encoded))
    item.pop("parsed_arguments", None)
    content: Any = item.get("content")
    if _is_list(content):
        item["content"] = [_without_parsed(part) for part in content]
    if isinstance(item.get("arguments"), str):
        item["arguments"] = _in_one_form(item["arguments"])
    return item


def _in_one_form(arguments: str) -> object:
    try:
        return msgspec.json.encode(msgspec.json.decode(arguments))
    except msgspec.DecodeError:
        return arguments


def digest(encoded: bytes) -> bytes:
    """Hash the canonical form of an encoded item."""
    return blake2b(_encode_sorted(canonical(msgspec.json.decode(encoded))), digest_size=16).digest()


def canonical(item: Json) -> Json:
    """Return the item without what does not change its meaning."""
    kept = {key: value for key, value in item.items() if key not in _SERVER_ONLY}
    if "role" in kept:
        kept.setdefault("type", "message")
        if isinstance(kept.get("content"), str):
            part = "output_text" if kept["role"] == "assistant" else "input_text"
            kept["content"] = [{"type": part, "text": kept["content"]}]
    content: Any = kept.get("content")
    if _is_list(content):
        kept["content"] = [_canonical_part(part) for part in content]
    cleaned: Json = _without_empty(kept)
    return cleaned


def _canonical_part(part: Any) -> Any:
    if not _is_object(part):
        return part
    return {key: value for key, value in part.items() if key not in _SERVER_ONLY_IN_PARTS}


def _without_empty(value: Any) -> Any:
    if _is_object(value):
        cleaned = {key: _without_empty(inner) for key, inner in value.items()}
        return {key: inner for key, inner in cleaned.items() if inner not in _EMPTY}
    if _is_list(value):
        return [_without_empty(inner) for inner in value]
    return value


def _without_parsed(part: Any) -> Any:
    if not _is_object(part):
        return part
    return {key: value for key, value in part.items() if key != "parsed"}


def _is_object(value: object) -> TypeGuard[Json]:
    return isinstance(value, dict)


def _is_list(value: object) -> TypeGuard[list[Any]]:
    return isinstance(value, list)


def without_half_calls(items: list[HistoryItem]) -> list[HistoryItem]:
    """Drop calls that were cut off, and the reasoning that led to nothing else.

    A half call can be neither run nor answered, and a call without an answer is refused for ever;
    so is reasoning without what follows it.
    """
    kept = [item for item in items if not _is_half_call(item)]
    if len(kept) < len(items):
        while kept and kept[-1].kind.type == "reasoning":
            kept.pop()
    return kept


def _is_half_call(item: HistoryItem) -> bool:
    if item.kind.type not in ANSWERS:
        return False
    fields: Json = msgspec.json.decode(item.encoded)
    if fields.get("status") in ("in_progress", "incomplete"):
        return True
    try:
        msgspec.json.decode(str(fields.get("arguments", "{}")))
    except msgspec.DecodeError:
        return True
    return False


# What answers a call of the client's, and by which field: all seven kinds of
# docs/protocol/continuation.md#client-tool-calls
ANSWERS: Final = {
    "function_call":        "function_call_output",
    "custom_tool_call":     "custom_tool_call_output",
    "computer_call":        "computer_call_output",
    "shell_call":           "shell_call_output",
    "apply_patch_call":     "apply_patch_call_output",
    "tool_search_call":     "tool_search_output",
    "mcp_approval_request": "mcp_approval_response",
}  # fmt: skip

_ANSWER_TYPES: Final = frozenset(ANSWERS.values())

Call = tuple[str, str | None]  # (type of the answer, id that the answer names)


def unanswered(items: Iterable[HistoryItem], before: Iterable[Call] = ()) -> list[Call]:
    """Return the client's calls that have no answer: those ``before``, then those in ``items``."""
    open_calls = dict.fromkeys(before)
    for item in items:
        kind = item.kind
        answer = ANSWERS.get(kind.type)
        if answer is None:
            open_calls.pop((kind.type, kind.approval_request_id or kind.call_id), None)
        elif kind.type == "mcp_approval_request":
            open_calls[answer, kind.id] = None
        elif kind.type != "tool_search_call" or kind.execution == "client":
            open_calls[answer, kind.call_id] = None
    return list(open_calls)
