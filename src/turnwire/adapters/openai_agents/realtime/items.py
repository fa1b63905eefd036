"""Items of the wire as items of the SDK's history."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, Literal

import msgspec
from agents.realtime import (
    AssistantMessageItem,
    AssistantText,
    InputAudio,
    InputText,
    RealtimeToolCallItem,
    SystemMessageItem,
    UserMessageItem,
)
from agents.realtime.items import AssistantAudio, InputImage

from turnwire.events.realtime import RealtimeItem

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from agents.realtime import RealtimeMessageItem, RealtimeModelToolCallEvent

    from turnwire.events.realtime import RealtimeContentPart

Status = Literal["in_progress", "completed", "incomplete"]
_SHOWN: Final = ("message", "function_call")
_STATUSES: Final[Mapping[str, Status]] = {"completed": "completed", "incomplete": "incomplete"}


def message_item(
    item: RealtimeItem, previous_item_id: str | None = None
) -> RealtimeMessageItem | None:
    """Return a message; None for what is none, or whose role the SDK does not know."""
    if item.type != "message":
        return None
    named: dict[str, Any] = {"item_id": item.id or "", "previous_item_id": previous_item_id}
    match item.role:
        case "assistant":
            parts = [_spoken(part) for part in item.content]
            status = _status(item.status)
            content = [part for part in parts if part is not None]
            return AssistantMessageItem(content=content, status=status, **named)
        case "user":
            said = [_said(part) for part in item.content]
            return UserMessageItem(content=[part for part in said if part is not None], **named)
        case "system":
            texts = [InputText(text=part.text) for part in item.content]
            return SystemMessageItem(content=texts, **named)
        case _:
            return None


def tool_item(call: RealtimeModelToolCallEvent, output: str | None = None) -> RealtimeToolCallItem:
    """Return a call, with what came of it once that is known."""
    return RealtimeToolCallItem(
        item_id=call.id or "",
        previous_item_id=call.previous_item_id,
        call_id=call.call_id,
        status="in_progress" if output is None else "completed",
        arguments=call.arguments,
        name=call.name,
        output=output,
    )


def is_cut(known: dict[str, Any] | None) -> bool:
    """Say whether the listener interrupted an item, as the transport knows it."""
    parts: list[dict[str, Any]] = (known or {}).get("content") or []
    return any("cut_off" in part for part in parts)


def cut_item(known: dict[str, Any]) -> RealtimeItem:
    """Return an item that was interrupted, with the words that were heard of it."""
    return msgspec.convert({**known, "status": "incomplete"}, RealtimeItem)


def previous_id(history: Sequence[Mapping[str, Any]], item_id: str) -> str | None:
    """Return the id of the item before one, of those that the SDK's history has."""
    before: str | None = None
    for item in history:
        if item["id"] == item_id:
            return before
        if item["type"] in _SHOWN:
            before = item["id"]
    return None


def _status(status: str | None) -> Status:
    return _STATUSES.get(status or "", "in_progress")


def _spoken(part: RealtimeContentPart) -> AssistantText | AssistantAudio | None:
    match part.type:
        case "output_text":
            return AssistantText(text=part.text)
        case "output_audio":
            return AssistantAudio(audio=part.audio, transcript=part.transcript)
        case _:
            return None


def _said(part: RealtimeContentPart) -> InputText | InputAudio | InputImage | None:
    match part.type:
        case "input_text":
            return InputText(text=part.text)
        case "input_audio":
            return InputAudio(audio=part.audio, transcript=part.transcript)
        case "input_image":
            return InputImage(image_url=part.image_url, detail=part.detail)
        case _:
            return None
