"""Content of items to content of chat messages: text, images, files, audio.

What a chat server cannot be given is refused: left out, it would make the answer wrong.
"""

from __future__ import annotations

import base64
import binascii
from typing import TYPE_CHECKING, Any, Final, NoReturn
from urllib.parse import unquote_to_bytes

from turnwire.gateway.json_shapes import Json, array_or_empty, is_object, object_or_empty
from turnwire.gateway.upstreams import UpstreamFailed

if TYPE_CHECKING:
    from turnwire.gateway.upstreams.chat.options import ChatOptions

_BAD_REQUEST: Final = 400
# Text by the name of its media type, or by what everybody knows about it.
_TEXT_TYPES: Final = ("application/json", "application/xml", "application/yaml", "application/toml")


def refuse(what: str, advice: str) -> NoReturn:
    """Refuse an input that the chat server cannot be given.

    Raises:
        UpstreamFailed: With status 400.
    """
    raise UpstreamFailed(
        f"{what} cannot be passed on to a chat completions server. {advice}",
        status=_BAD_REQUEST,
        code="unsupported_input",
        kind="invalid_request_error",
    )


def chat_parts(content: Any, options: ChatOptions) -> list[Json]:
    """Return the content of an item as chat parts.

    Raises:
        UpstreamFailed: With status 400, for a part that cannot be passed on.
    """
    if isinstance(content, str):
        return [_text(content)] if content else []
    return [_part(object_or_empty(part), options) for part in array_or_empty(content)]


def content_of(parts: list[Json]) -> str | list[Json]:
    """Return parts as one string if they are text alone, because not every server takes a list."""
    if all(part["type"] == "text" for part in parts):
        return "\n".join(part["text"] for part in parts)
    return parts


def _text(text: str) -> Json:
    return {"type": "text", "text": text}


def _part(part: Json, options: ChatOptions) -> Json:
    kind = part.get("type")
    if kind in {"input_image", "image_url"}:
        return _image(part)
    if kind == "input_file":
        return _file(part, options)
    if kind == "input_audio" and is_object(part.get("input_audio")):
        return {"type": "input_audio", "input_audio": part["input_audio"]}
    text = part.get("text", part.get("refusal"))  # input_text, output_text, text, refusal, …
    if isinstance(text, str):
        return _text(text)
    refuse("A content part of this type", "Send text, images, or files with their data.")


def _image(part: Json) -> Json:
    image = part.get("image_url")
    given: Json = image if is_object(image) else {"url": image, "detail": part.get("detail")}
    if not isinstance(given.get("url"), str):
        refuse("An image without `image_url`", "Send its URL, or its data as a data URL.")
    named = {"url": given["url"]}
    if given.get("detail") not in (None, "auto"):
        named["detail"] = given["detail"]
    return {"type": "image_url", "image_url": named}


def _file(part: Json, options: ChatOptions) -> Json:
    data = part.get("file_data")
    if options.files:
        file = {name: part[name] for name in ("file_id", "file_data", "filename") if part.get(name)}
        if "file_id" in file or "file_data" in file:
            return {"type": "file", "file": file}
    text = _text_of_file(data) if isinstance(data, str) else None
    if text is None:
        refuse("This file", "Send a text file in `file_data` as a data URL, or put its text in.")
    return _text(f"{part['filename']}:\n{text}" if part.get("filename") else text)


def _text_of_file(data: str) -> str | None:
    """Return the text of a data URL whose media type is text."""
    head, comma, body = data.partition(",")
    media_type, *settings = head.removeprefix("data:").split(";")
    is_text = media_type.startswith("text/") or media_type in _TEXT_TYPES
    if not (comma and head.startswith("data:") and is_text):
        return None
    try:
        raw = (
            base64.b64decode(body, validate=True)
            if "base64" in settings
            else unquote_to_bytes(body)
        )
        return raw.decode()
    except (binascii.Error, UnicodeDecodeError):
        return None
