"""Items that clients create: checked, and with their audio taken out."""

from __future__ import annotations

import base64
import binascii
from typing import TYPE_CHECKING, Any, Final

from turnwire.gateway.json_shapes import is_array, is_object
from turnwire.gateway.voice.conversation import Item, Track
from turnwire.gateway.voice.refusals import bad_audio, bad_image, missing, wrong_type, wrong_value

if TYPE_CHECKING:
    from collections.abc import Callable

    from turnwire.gateway.json_shapes import Json
    from turnwire.gateway.voice.formats import AudioFormat

_PARTS: Final = {
    "user": ("input_text", "input_audio", "input_image"),
    "system": ("input_text",),
    "assistant": ("output_text",),
}
_STRINGS: Final = {
    "function_call": ("name", "arguments"),
    "function_call_output": ("call_id", "output"),
    "mcp_approval_response": ("approval_request_id",),
    "mcp_list_tools": ("server_label",),
    "mcp_call": ("name", "arguments", "server_label"),
}
# A part of a type that is not supported is told apart from one that lacks what it needs: so the
# service answers, on whose words clients rely that restore a history.
_NEEDED: Final = {"input_text": "text", "output_text": "text", "input_image": "image_url"}
_URLS: Final = ("data:", "http://", "https://")


def item_of(value: Any, new_id: Callable[[str], str], form: AudioFormat, where: str) -> Item:
    """Return the item that a client describes.

    Args:
        value: Its object.
        new_id: Makes an id if it has none.
        form: The format of audio in it.
        where: What it is called in errors, as in ``item``.

    Raises:
        Refused: It cannot be one.
    """
    if not is_object(value):
        raise missing(where)
    kind = value.get("type")
    if kind is None:
        raise missing(f"{where}.type")
    if kind != "message" and kind not in tuple(_STRINGS):  # which may be an array
        raise wrong_value(f"{where}.type", kind, ["message", *_STRINGS])
    item_id = value.get("id")
    if item_id is not None and (not isinstance(item_id, str) or not item_id):
        raise wrong_type(f"{where}.id", "a string", type(item_id).__name__)
    head = {"id": item_id or new_id("item"), "object": "realtime.item", "type": kind}
    if kind == "message":
        return _message(head, value, form, where)
    for name in _STRINGS[kind]:
        _string(value, name, where)
    value = {**value, **head, "status": "completed"}
    if kind == "function_call":
        value["call_id"] = value.get("call_id") or new_id("call")
    return Item(value)


def _message(head: Json, value: Json, form: AudioFormat, where: str) -> Item:
    role = value.get("role")
    if role not in tuple(_PARTS):
        raise wrong_value(f"{where}.role", role, _PARTS)
    parts = value.get("content")
    if not is_array(parts):
        raise missing(f"{where}.content")
    content: list[Json] = []
    item = Item({**head, "status": "completed", "role": role, "content": content})
    for index, part in enumerate(parts):
        place = f"{where}.content[{index}]"
        if not is_object(part):
            raise wrong_type(place, "an object", type(part).__name__)
        kind = part.get("type")
        if kind not in _PARTS[role]:
            raise wrong_value(f"{place}.type", kind, _PARTS[role])
        if kind in _NEEDED:
            _string(part, _NEEDED[kind], place)
            if kind == "input_image" and not part["image_url"].lower().startswith(_URLS):
                raise bad_image(f"{place}.image_url")
        else:
            track = item.tracks[index] = Track(form)
            track.add(decoded_audio(part.get("audio"), form))
        content.append({name: each for name, each in part.items() if name != "audio"})
    return item


def _string(value: Json, name: str, where: str) -> None:
    if name not in value:
        raise missing(f"{where}.{name}")
    if not isinstance(value[name], str):
        raise wrong_type(f"{where}.{name}", "a string", type(value[name]).__name__)


def decoded_audio(value: Any, form: AudioFormat) -> bytes:
    """Return the bytes of audio in base64.

    Raises:
        Refused: It is none, or it is empty.
    """
    if not isinstance(value, str):
        raise missing("audio")
    try:
        audio = base64.b64decode(value, validate=True)
    except (binascii.Error, ValueError):
        raise bad_audio(f"{form.type}, mono, {form.rate} Hz") from None
    if not audio:
        raise bad_audio(f"{form.type}, mono, {form.rate} Hz, not empty")
    return audio
