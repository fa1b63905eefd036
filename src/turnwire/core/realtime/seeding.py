"""What a new session is told of the talk so far: the words that were heard, newest first kept.

The model's audio cannot be created by a client, so what it said goes in as text.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import msgspec

from turnwire.events.realtime.base64_codec import base64_encode

if TYPE_CHECKING:
    from collections.abc import Sequence

    from turnwire.core.realtime.items import Entry

UNHEARD_WORDS: Final = "[what the user said here was not understood]"
ROOT: Final = "root"  # how the wire names the place before the first item


@dataclass(frozen=True, slots=True)
class Seed:
    """What to create on the new session.

    Attributes:
        items: In order, ready to be sent.
        left_out: Ids of items that do not go in, for lack of room or because a client cannot
            create their kind.
        held: Ids of calls that wait for their outputs.
    """

    items: tuple[dict[str, Any], ...]
    left_out: tuple[str, ...]
    held: tuple[str, ...]


def plan(entries: Sequence[Entry], *, limit_bytes: int, images: int) -> Seed:
    """Decide what a new session is told.

    Args:
        entries: The talk, oldest first.
        limit_bytes: Of JSON without audio, of which no more is kept than may be told; system
            messages go in whatever they weigh.
        images: How many images, the newest ones.
    """
    outputs = {_call_id(one) for one in entries if one.item.get("type") == "function_call_output"}
    told: list[dict[str, Any]] = []
    left_out: list[str] = []
    held = [one.id for one in entries if _is_call(one) and _call_id(one) not in outputs]
    room, pictures = limit_bytes, images
    for entry in reversed(entries):
        if entry.id in held:
            continue
        item, pictures = _as_told(entry, pictures)
        weight = 0 if item is None else _weight(item)
        is_system = entry.item.get("role") == "system"
        if item is None or (weight > room and not is_system):
            left_out.append(entry.id)
            room = room if item is None else 0  # the talk has no holes: nothing older goes in
            continue
        room = max(0, room - weight)
        told.append(item)
    told = _paired(told, left_out)
    return Seed(tuple(reversed(told)), tuple(reversed(left_out)), tuple(held))


def _weight(item: dict[str, Any]) -> int:
    audio = sum(len(part.get("audio", "")) for part in item.get("content", []))
    return len(msgspec.json.encode(item)) - audio


def _is_call(entry: Entry) -> bool:
    return entry.item.get("type") == "function_call"


def _call_id(entry: Entry) -> object:
    return entry.item.get("call_id")


def _paired(told: list[dict[str, Any]], left_out: list[str]) -> list[dict[str, Any]]:
    """Leave out outputs whose calls had no room; the server would refuse them."""
    calls = {one.get("call_id") for one in told if one["type"] == "function_call"}
    lonely = [
        one["id"]
        for one in told
        if one["type"] == "function_call_output" and one.get("call_id") not in calls
    ]
    left_out.extend(lonely)
    return [one for one in told if one["id"] not in lonely]


def _as_told(entry: Entry, images: int) -> tuple[dict[str, Any] | None, int]:
    item = entry.item
    kind = item.get("type", "message")
    if kind == "function_call":
        return _only(item, ("id", "type", "call_id", "name", "arguments")), images
    if kind == "function_call_output":
        return _only(item, ("id", "type", "call_id", "output")), images
    if kind != "message":
        return None, images  # a client cannot create it
    if item.get("role") == "assistant":
        content = _heard(entry)
    else:
        content, images = _said(entry, images)
    if not content:
        return None, images
    return {"id": entry.id, "type": "message", "role": item.get("role"), "content": content}, images


def _only(item: dict[str, Any], names: tuple[str, ...]) -> dict[str, Any]:
    return {name: item[name] for name in names if item.get(name) is not None}


def _heard(entry: Entry) -> list[dict[str, Any]]:
    """Return what the listener heard, as text."""
    shown: list[dict[str, Any]] = entry.shown().get("content") or []
    words = [entry.heard_words(index) for index in range(len(shown))]
    return [{"type": "output_text", "text": text} for text in words if text]


def _said(entry: Entry, images: int) -> tuple[list[dict[str, Any]], int]:
    """Return what the user said or showed, and how many more images may be shown."""
    content: list[dict[str, Any]] = []
    parts: list[dict[str, Any]] = entry.item.get("content") or []
    for part in reversed(parts):
        if part.get("type") == "input_image":
            if images > 0:
                content.append(part)
            images -= 1
        elif part.get("type") == "input_audio":
            content.append(_spoken(part, entry.audio))
        elif part.get("text"):
            content.append({"type": "input_text", "text": part["text"]})
    if not parts and entry.audio:
        content.append(_spoken({}, entry.audio))
    return list(reversed(content)), images


def _spoken(part: dict[str, Any], audio: bytes) -> dict[str, Any]:
    if part.get("transcript"):
        return {"type": "input_text", "text": part["transcript"]}
    if audio:
        return {"type": "input_audio", "audio": base64_encode(audio).decode()}
    return {"type": "input_text", "text": UNHEARD_WORDS}
