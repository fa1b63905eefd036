"""Events in the shape of the wire that have a method of their own: the way each one takes."""

from __future__ import annotations

from binascii import a2b_base64
from collections.abc import Mapping
from math import isfinite
from typing import TYPE_CHECKING, Any, Final, TypeGuard

from turnwire.errors import ConfigError
from turnwire.realtime.answers import Taken

if TYPE_CHECKING:
    from collections.abc import Callable

    from turnwire.realtime.answers import Confirmed
    from turnwire.realtime.speaking import Speaking


def _update(said: Speaking, event: Mapping[str, Any]) -> Confirmed:
    return said.update_session(**_object(event, "session"))


def _append(said: Speaking, event: Mapping[str, Any]) -> Taken:
    said.send_audio(_decoded(_text(event, "audio")))
    return Taken()


def _commit(said: Speaking, event: Mapping[str, Any]) -> Taken:  # noqa: ARG001  # one signature
    said.commit()
    return Taken()


def _clear(said: Speaking, event: Mapping[str, Any]) -> Taken:  # noqa: ARG001  # one signature
    said.clear()
    return Taken()


def _create_item(said: Speaking, event: Mapping[str, Any]) -> Confirmed:
    more = {name: value for name, value in event.items() if name not in _OF_ITEM}
    previous_id = _text_or_none(event, "previous_item_id")
    return said.create_item(_object(event, "item"), previous_item_id=previous_id, **more)


def _delete_item(said: Speaking, event: Mapping[str, Any]) -> Confirmed:
    return said.delete_item(_text(event, "item_id"))


def _retrieve_item(said: Speaking, event: Mapping[str, Any]) -> Confirmed:
    return said.retrieve_item(_text(event, "item_id"))


def _truncate_item(said: Speaking, event: Mapping[str, Any]) -> Confirmed:
    index, end = int(_number(event, "content_index")), int(_number(event, "audio_end_ms"))
    return said.truncate_item(_text(event, "item_id"), index, end)


def _create_response(said: Speaking, event: Mapping[str, Any]) -> Confirmed:
    none = event.get("response") is None
    response: Mapping[str, Any] = {} if none else _object(event, "response")
    return said.request_response(**response).begun


def _cancel_response(said: Speaking, event: Mapping[str, Any]) -> Taken:
    said.cancel_response(_text_or_none(event, "response_id"))
    return Taken()


_OF_ITEM: Final = frozenset({"type", "item", "previous_item_id"})
WAYS: Final[Mapping[str, Callable[[Speaking, Mapping[str, Any]], Confirmed | Taken]]] = {
    "session.update": _update,
    "input_audio_buffer.append": _append,
    "input_audio_buffer.commit": _commit,
    "input_audio_buffer.clear": _clear,
    "conversation.item.create": _create_item,
    "conversation.item.delete": _delete_item,
    "conversation.item.retrieve": _retrieve_item,
    "conversation.item.truncate": _truncate_item,
    "response.create": _create_response,
    "response.cancel": _cancel_response,
}


def is_object(value: object) -> TypeGuard[Mapping[Any, Any]]:
    """Say whether something can be sent as an object of JSON."""
    return isinstance(value, Mapping)


def _object(event: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    value: object = event[name]
    if not is_object(value):
        raise _misshapen(event, name, "an object", value)
    if odd := [key for key in value if not isinstance(key, str)]:
        raise _misshapen(event, name, "an object whose keys are texts", odd[0])
    return value


def _text(event: Mapping[str, Any], name: str) -> str:
    value: object = event[name]
    if not isinstance(value, str):
        raise _misshapen(event, name, "a text", value)
    return value


def _text_or_none(event: Mapping[str, Any], name: str) -> str | None:
    return None if event.get(name) is None else _text(event, name)


def _number(event: Mapping[str, Any], name: str) -> float:
    value: object = event[name]
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not isfinite(value):
        raise _misshapen(event, name, "a number", value)
    return value


def _misshapen(event: Mapping[str, Any], name: str, expected: str, value: object) -> ConfigError:
    given = "null" if value is None else type(value).__name__
    return ConfigError(f"`{name}` of a `{event['type']}` is {expected}, not {given}")


def _decoded(audio: str) -> bytes:
    try:
        return a2b_base64(audio)
    except ValueError as error:
        raise ConfigError(f"`audio` is not base64: {error}") from None
