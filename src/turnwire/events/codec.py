"""Bytes to events and back, losslessly.

Knows JSON and the shape of a message. Does not know which events matter, or what a lane is.
"""

from __future__ import annotations

from typing import Any, cast

import msgspec

from turnwire.events.base import RAW_FIELD_NAME, Envelope, Event
from turnwire.events.response import Item, Response
from turnwire.events.server import LIFECYCLE, KnownEvent, Lifecycle, OtherEvent


class MalformedMessage(ValueError):
    """A message that is not a JSON object with a ``type``."""


class _ResponseInside(msgspec.Struct):
    response: msgspec.Raw


class _Salvage(msgspec.Struct):
    id: str = ""
    status: str | None = None
    output: list[msgspec.Raw] | None = None


class _SalvageInside(msgspec.Struct):
    response: _Salvage


_decode_known = msgspec.json.Decoder(KnownEvent).decode
_decode_response_inside = msgspec.json.Decoder(_ResponseInside).decode
_decode_envelope = msgspec.json.Decoder(Envelope).decode
_decode_salvage_inside = msgspec.json.Decoder(_SalvageInside).decode
_LIFECYCLE_OF_TYPE = {str(cls.__struct_config__.tag): cls for cls in Lifecycle.__subclasses__()}
_set = msgspec.structs.force_setattr

# Everything that the decoder raises: RecursionError on JSON nested deeper than Python's stack.
_UNREADABLE = (msgspec.MsgspecError, UnicodeDecodeError, RecursionError)


def decode_event(data: bytes) -> Event:
    """Decode a server event; a type or a shape that is not known becomes ``OtherEvent``.

    Raises:
        MalformedMessage: Not a JSON object with a string ``type``.
    """
    event: Event
    try:
        event = _decode_known(data)
    except _UNREADABLE:
        event = _decode_other(data)
    else:
        if type(event) in LIFECYCLE:
            assert isinstance(event, Lifecycle)  # LIFECYCLE holds its subclasses
            _set(event.response, "raw", bytes(_decode_response_inside(data).response))
    _set(event, "raw", data)
    return event


def _decode_other(data: bytes) -> Event:
    envelope = decode_envelope(data)
    lifecycle = _LIFECYCLE_OF_TYPE.get(envelope.type)
    if lifecycle is not None:
        # One odd field, a null count of tokens say, must not hide that a response completed.
        response = salvage_response(data)
        if response is not None:
            return lifecycle(
                stream_id=envelope.stream_id,
                sequence_number=envelope.sequence_number,
                response=response,
            )
    return OtherEvent(
        event_type=envelope.type,
        stream_id=envelope.stream_id,
        sequence_number=envelope.sequence_number,
        response=envelope.response,
    )


def salvage_response(data: bytes) -> Response | None:
    """Read the essential fields of the response in an event, whatever its other fields are."""
    try:
        found = _decode_salvage_inside(data).response
        raw = bytes(_decode_response_inside(data).response)
    except _UNREADABLE:
        return None
    return Response(id=found.id, status=found.status, output_raw=found.output, raw=raw)


def decode_envelope(data: bytes) -> Envelope:
    """Decode only what routing needs.

    Raises:
        MalformedMessage: Not a JSON object with a string ``type``.
    """
    try:
        return _decode_envelope(data)
    except msgspec.MsgspecError:
        pass
    except UnicodeDecodeError as error:
        raise MalformedMessage("the message is not valid UTF-8") from error
    except RecursionError as error:
        raise MalformedMessage("the message is nested too deeply") from error
    return _salvage_envelope(data)


def _salvage_envelope(data: bytes) -> Envelope:
    """Read the type of a message whose other routing fields have unexpected types."""
    try:
        loaded: Any = msgspec.json.decode(data)
    except _UNREADABLE as error:
        raise MalformedMessage("the message is not valid JSON") from error
    if not isinstance(loaded, dict):
        raise MalformedMessage(f"the message is a JSON {type(loaded).__name__}, not an object")
    fields = cast("dict[str, Any]", loaded)
    kind, lane = fields.get("type"), fields.get("stream_id")
    if not isinstance(kind, str):
        raise MalformedMessage("the message has no string `type`")
    return Envelope(type=kind, stream_id=lane if isinstance(lane, str) else None)


def _encode_foreign(value: Any) -> Any:
    """Turn what other libraries hand us into JSON types: pydantic models and our own items."""
    if hasattr(value, "model_dump"):
        return value.model_dump(mode="json", exclude_unset=True)
    raise TypeError(f"JSON cannot hold a {type(value).__name__}")


_encoder = msgspec.json.Encoder(enc_hook=_encode_foreign)
_RAW_MARK = f'"{RAW_FIELD_NAME}"'.encode()


def encode(value: Any) -> bytes:
    """Encode a JSON value; objects of pydantic (so of the official SDK) are welcome.

    Items and events go out byte for byte as they came in, also inside of lists and dicts.

    Raises:
        TypeError: A value that JSON cannot hold.
    """
    if isinstance(value, (Item, Event)):
        return value.raw
    try:
        encoded = _encoder.encode(value)
    except RecursionError as error:
        raise TypeError("it is nested too deeply, or contains itself") from error
    if _RAW_MARK in encoded:  # one of ours is inside; looking for it costs less than walking first
        encoded = _encoder.encode(_as_received(value))
    return encoded


def _as_received(value: Any) -> Any:
    """Replace every item, event and response in a JSON value by what arrived."""
    if isinstance(value, (Item, Event)):
        return msgspec.Raw(value.raw)
    if isinstance(value, Response):
        return value.to_dict()
    if isinstance(value, dict):
        fields = cast("dict[str, Any]", value)
        return {key: _as_received(inner) for key, inner in fields.items()}
    if isinstance(value, (list, tuple)):
        return [_as_received(inner) for inner in cast("list[Any]", value)]
    return value
