"""Events in the shape of the wire that have a method of their own: the way each one takes."""

from __future__ import annotations

from binascii import a2b_base64
from typing import TYPE_CHECKING, Any, Final

from turnwire.errors import ConfigError
from turnwire.realtime.answers import Taken

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from turnwire.realtime.answers import Confirmed
    from turnwire.realtime.speaking import Speaking


def _update(said: Speaking, event: Mapping[str, Any]) -> Confirmed:
    return said.update_session(**event["session"])


def _append(said: Speaking, event: Mapping[str, Any]) -> Taken:
    said.send_audio(_decoded(event["audio"]))
    return Taken()


def _commit(said: Speaking, event: Mapping[str, Any]) -> Taken:  # noqa: ARG001  # one signature
    said.commit()
    return Taken()


def _clear(said: Speaking, event: Mapping[str, Any]) -> Taken:  # noqa: ARG001  # one signature
    said.clear()
    return Taken()


def _create_item(said: Speaking, event: Mapping[str, Any]) -> Confirmed:
    more = {name: value for name, value in event.items() if name not in _OF_ITEM}
    return said.create_item(event["item"], previous_item_id=event.get("previous_item_id"), **more)


def _delete_item(said: Speaking, event: Mapping[str, Any]) -> Confirmed:
    return said.delete_item(event["item_id"])


def _retrieve_item(said: Speaking, event: Mapping[str, Any]) -> Confirmed:
    return said.retrieve_item(event["item_id"])


def _truncate_item(said: Speaking, event: Mapping[str, Any]) -> Confirmed:
    return said.truncate_item(event["item_id"], event["content_index"], event["audio_end_ms"])


def _create_response(said: Speaking, event: Mapping[str, Any]) -> Confirmed:
    return said.request_response(**(event.get("response") or {})).begun


def _cancel_response(said: Speaking, event: Mapping[str, Any]) -> Taken:
    said.cancel_response(event.get("response_id"))
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


def _decoded(audio: object) -> bytes:
    try:
        return a2b_base64(audio if isinstance(audio, str) else "")
    except ValueError as error:
        raise ConfigError(f"`audio` is not base64: {error}") from None
