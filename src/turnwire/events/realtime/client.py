"""The client's events, as plain objects.

Each takes an optional ``event_id``; an error that the event causes names it.
Source of the shapes: the reference of the Realtime API (protocol notes, client events).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from turnwire.events.codec import encode
from turnwire.events.realtime.base64_codec import Buffer, base64_encode

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

ClientEvent = dict[str, Any]
ROOT: Final = "root"  # the place before the first item, as a `previous_item_id`


def session_update(fields: Mapping[str, Any], *, event_id: str | None = None) -> ClientEvent:
    """Change what is given of the session, and nothing else; None is a value.

    The wire wants the session's ``type`` in every update: ``realtime`` unless given.
    """
    return _event("session.update", event_id, session={"type": "realtime", **fields})


def append(audio: Buffer, *, event_id: str | None = None) -> bytes:
    """Return the whole message that adds audio to the input buffer, encoded.

    The server takes 15 MiB at most; pieces of 20 to 100 ms are usual.
    """
    named = b"" if event_id is None else b',"event_id":' + encode(event_id)
    return b"".join(
        (b'{"type":"input_audio_buffer.append"', named, b',"audio":"', base64_encode(audio), b'"}')
    )


def commit(*, event_id: str | None = None) -> ClientEvent:
    """Make an item of the input buffer; the server refuses less than 100 ms of audio."""
    return _event("input_audio_buffer.commit", event_id)


def clear(*, event_id: str | None = None) -> ClientEvent:
    """Empty the input buffer."""
    return _event("input_audio_buffer.clear", event_id)


def output_audio_clear(*, event_id: str | None = None) -> ClientEvent:
    """Empty the output buffer of a server that plays itself (WebRTC, SIP)."""
    return _event("output_audio_buffer.clear", event_id)


def item_create(
    item: Mapping[str, Any], *, previous_item_id: str | None = None, event_id: str | None = None
) -> ClientEvent:
    """Add an item: at the end, after another item, or at the beginning (``ROOT``)."""
    place = {} if previous_item_id is None else {"previous_item_id": previous_item_id}
    return _event("conversation.item.create", event_id, **place, item=dict(item))


def item_delete(item_id: str, *, event_id: str | None = None) -> ClientEvent:
    """Remove an item."""
    return _event("conversation.item.delete", event_id, item_id=item_id)


def item_retrieve(item_id: str, *, event_id: str | None = None) -> ClientEvent:
    """Ask for an item as the server has it; the answer holds all of its audio."""
    return _event("conversation.item.retrieve", event_id, item_id=item_id)


def item_truncate(
    item_id: str, content_index: int, audio_end_ms: int, *, event_id: str | None = None
) -> ClientEvent:
    """Make the model forget what comes after ``audio_end_ms``, a whole number of milliseconds."""
    where = {"item_id": item_id, "content_index": content_index, "audio_end_ms": audio_end_ms}
    return _event("conversation.item.truncate", event_id, **where)


def response_create(
    response: Mapping[str, Any] | None = None, *, event_id: str | None = None
) -> ClientEvent:
    """Ask the model to answer, differently from what the session says where that is given."""
    body = {} if response is None else {"response": dict(response)}
    return _event("response.create", event_id, **body)


def response_cancel(response_id: str | None = None, *, event_id: str | None = None) -> ClientEvent:
    """Stop a response; without an id the one that is active."""
    which = {} if response_id is None else {"response_id": response_id}
    return _event("response.cancel", event_id, **which)


def user_message(
    content: str | Iterable[Mapping[str, Any]],
    *,
    item_id: str | None = None,
    previous_item_id: str | None = None,
    event_id: str | None = None,
) -> ClientEvent:
    """Add what the user says: a text, or parts as of `input_text` and `input_image`."""
    parts = [input_text(content)] if isinstance(content, str) else [dict(part) for part in content]
    return _message("user", parts, item_id, previous_item_id, event_id)


def system_message(
    text: str,
    *,
    item_id: str | None = None,
    previous_item_id: str | None = None,
    event_id: str | None = None,
) -> ClientEvent:
    """Add an instruction in the course of the session."""
    return _message("system", [input_text(text)], item_id, previous_item_id, event_id)


def assistant_message(
    text: str,
    *,
    item_id: str | None = None,
    previous_item_id: str | None = None,
    event_id: str | None = None,
) -> ClientEvent:
    """Add what the model said, as text: the server takes no audio of the model's."""
    parts = [{"type": "output_text", "text": text}]
    return _message("assistant", parts, item_id, previous_item_id, event_id)


def function_output(
    call_id: str,
    output: str,
    *,
    item_id: str | None = None,
    previous_item_id: str | None = None,
    event_id: str | None = None,
) -> ClientEvent:
    """Give the model what its function call returned."""
    item = {"type": "function_call_output", "call_id": call_id, "output": output}
    return _item(item, item_id, previous_item_id, event_id)


def mcp_response(
    approval_request_id: str,
    *,
    approve: bool,
    reason: str | None = None,
    event_id: str | None = None,
) -> ClientEvent:
    """Allow or refuse a call of an MCP tool; the answer stands right after the request."""
    item: dict[str, Any] = {
        "type": "mcp_approval_response",
        "approval_request_id": approval_request_id,
        "approve": approve,
    }
    if reason is not None:
        item["reason"] = reason
    return item_create(item, previous_item_id=approval_request_id, event_id=event_id)


def input_text(text: str) -> dict[str, Any]:
    """Return a text part."""
    return {"type": "input_text", "text": text}


def input_image(image_url: str, *, detail: str | None = None) -> dict[str, Any]:
    """Return an image part: a data URI of a PNG or JPEG; only users show images."""
    part = {"type": "input_image", "image_url": image_url}
    return part if detail is None else part | {"detail": detail}


def _message(
    role: str,
    content: list[dict[str, Any]],
    item_id: str | None,
    previous_item_id: str | None,
    event_id: str | None,
) -> ClientEvent:
    item = {"type": "message", "role": role, "content": content}
    return _item(item, item_id, previous_item_id, event_id)


def _item(
    item: dict[str, Any], item_id: str | None, previous_item_id: str | None, event_id: str | None
) -> ClientEvent:
    named = item if item_id is None else {"id": item_id, **item}
    return item_create(named, previous_item_id=previous_item_id, event_id=event_id)


def _event(kind: str, event_id: str | None, **fields: Any) -> ClientEvent:
    named = {} if event_id is None else {"event_id": event_id}
    return {"type": kind, **named, **fields}
