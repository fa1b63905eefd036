"""Plain JSON objects out of whatever the caller holds: dicts, our items, pydantic models."""

from __future__ import annotations

from typing import Any, TypeAlias

import msgspec

from turnwire.events.codec import encode

JsonObject: TypeAlias = dict[str, Any]

_decode_object = msgspec.json.Decoder(JsonObject).decode


def copy_object(value: Any, where: str) -> JsonObject:
    """Copy ``value`` deeply as a JSON object.

    The copy means that nothing built from it shares a list with the caller's history.

    Args:
        value: A dict, an item or a pydantic model.
        where: Names the place in error messages.

    Raises:
        ValueError: Not an object, or not JSON.
    """
    try:
        return _decode_object(encode(value))
    except msgspec.ValidationError as error:
        kind = type(value).__name__
        raise ValueError(f"{where} is a {kind}; expected a JSON object") from error
    except (TypeError, RecursionError, UnicodeEncodeError) as error:
        raise ValueError(f"{where} holds something that JSON cannot: {error}") from error


def plain_object(value: Any, where: str) -> JsonObject:
    """Copy like :func:`copy_object`, without null members, which mean the same as none.

    Raises:
        ValueError: Not an object, or not JSON.
    """
    copied = copy_object(value, where)
    return {key: member for key, member in copied.items() if member is not None}


def objects_of(value: Any, where: str) -> list[JsonObject]:
    """Return a list of objects out of plain JSON.

    Raises:
        ValueError: Not a list, or a member is not an object.
    """
    try:
        return msgspec.convert(value, list[JsonObject])
    except msgspec.ValidationError as error:
        raise ValueError(f"{where}: expected a list of JSON objects ({error})") from error


def string_of(holder: JsonObject, key: str, where: str) -> str:
    """Return the string member ``key``.

    Raises:
        ValueError: Missing, or not a string.
    """
    match holder.get(key):
        case str() as text:
            return text
        case other:
            raise ValueError(f"{where}: expected a string `{key}`, got {type(other).__name__}")


def object_of(holder: JsonObject, key: str, where: str) -> JsonObject:
    """Return the object member ``key``.

    Raises:
        ValueError: Missing, or not an object.
    """
    try:
        return msgspec.convert(holder.get(key), JsonObject)
    except msgspec.ValidationError as error:
        raise ValueError(f"{where}: expected a JSON object `{key}`") from error


def json_text(value: Any) -> str:
    """Return a call's arguments as JSON text; text stays as it is, nothing becomes ``{}``."""
    if isinstance(value, str):
        return value
    return "{}" if value is None else encode(value).decode()
