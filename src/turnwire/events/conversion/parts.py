"""Parts of a message's content: text, images, audio, files, one at a time and both ways."""

from __future__ import annotations

from typing import Any

from turnwire.events.conversion.plain import JsonObject, object_of, string_of

# A hint that both APIs know under the same name and in the same place.
_SHARED = ("prompt_cache_breakpoint",)
_FILE_KEYS = ("file_id", "file_data", "filename")


def part_from_chat(part: JsonObject, where: str) -> JsonObject:
    """Convert a part of a user, system or tool message to an input part.

    Raises:
        ValueError: The Responses API has no such part.
    """
    match part.get("type"):
        case "text":
            _refuse_unknown(part, ("text",), where)
            made: JsonObject = {"type": "input_text", "text": string_of(part, "text", where)}
        case "image_url":
            _refuse_unknown(part, ("image_url",), where)
            made = _input_image(part, where)
        case "image":
            _refuse_unknown(part, ("source", "data", "mimeType"), where)
            made = {"type": "input_image", "image_url": _block_image(part, where), "detail": "auto"}
        case "input_audio":
            _refuse_unknown(part, ("input_audio",), where)
            made = {"type": "input_audio", "input_audio": object_of(part, "input_audio", where)}
        case "file":
            _refuse_unknown(part, ("file",), where)
            inside = object_of(part, "file", where)
            _refuse_unknown(inside, _FILE_KEYS, where)
            made = {"type": "input_file"} | inside
        case "input_text" | "input_image" | "input_file":
            return part
        case kind:
            raise ValueError(
                f"{where}: a content part of type {kind!r} has no counterpart in Responses input; "
                "expected text, image_url, input_audio or file"
            )
    return made | _shared(part)


def _refuse_unknown(holder: JsonObject, known: tuple[str, ...], where: str) -> None:
    for key in holder:
        if key not in (*known, *_SHARED, "type"):
            raise ValueError(
                f"{where}: `{key}` of a content part has no counterpart in Responses input; "
                "remove it"
            )


def _shared(part: JsonObject) -> JsonObject:
    return {key: part[key] for key in _SHARED if key in part}


def _input_image(part: JsonObject, where: str) -> JsonObject:
    image: Any = part.get("image_url")
    inside: JsonObject = (
        {"url": image} if isinstance(image, str) else object_of(part, "image_url", where)
    )
    _refuse_unknown(inside, ("url", "detail"), where)
    return {
        "type": "input_image",
        "image_url": string_of(inside, "url", where),
        # Required by the official types and by servers that validate with them.
        "detail": inside.get("detail") or "auto",
    }


def _block_image(part: JsonObject, where: str) -> str:
    """Return the address of an image in block style: base64 data beside or inside a source."""
    if "source" not in part:
        return _data_url(part.get("mimeType") or "image/jpeg", string_of(part, "data", where))
    source = object_of(part, "source", where)
    if source.get("type") == "url":
        return string_of(source, "url", where)
    return _data_url(string_of(source, "media_type", where), string_of(source, "data", where))


def _data_url(media_type: str, data: str) -> str:
    return f"data:{media_type};base64,{data}"


def part_to_chat(part: JsonObject, where: str) -> JsonObject:
    """Convert an input part to a part of a chat message.

    Raises:
        ValueError: Chat Completions has no such part.
    """
    match part.get("type"):
        case "input_text" | "output_text" | "text":
            made: JsonObject = {"type": "text", "text": string_of(part, "text", where)}
        case "input_image":
            made = {"type": "image_url", "image_url": _image_url(part, where)}
        case "input_audio":
            made = {"type": "input_audio", "input_audio": object_of(part, "input_audio", where)}
        case "input_file":
            made = {"type": "file", "file": _file(part, where)}
        case kind:
            raise ValueError(
                f"{where}: a content part of type {kind!r} has no counterpart in a chat message; "
                "expected input_text, input_image, input_audio or input_file"
            )
    return made | _shared(part)


def _image_url(part: JsonObject, where: str) -> JsonObject:
    if part.get("image_url") is None:
        raise ValueError(
            f"{where}: a chat message takes an image by URL or data URL, not by file id; "
            "send `image_url`"
        )
    detail = part.get("detail") or "auto"  # the default of both APIs
    url = {"url": string_of(part, "image_url", where)}
    return url if detail == "auto" else url | {"detail": detail}


def _file(part: JsonObject, where: str) -> JsonObject:
    made = {key: part[key] for key in _FILE_KEYS if part.get(key) is not None}
    if not {"file_id", "file_data"} & made.keys():
        raise ValueError(
            f"{where}: a chat message takes a file by `file_id` or `file_data`, not by URL; "
            "send its data"
        )
    return made
