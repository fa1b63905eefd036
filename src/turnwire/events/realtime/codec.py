"""Bytes to Realtime events, losslessly and whatever the server's dialect."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, cast

import msgspec

from turnwire.events.codec import MalformedMessage
from turnwire.events.realtime.audio_delta import decode_audio_delta
from turnwire.events.realtime.base64_codec import quick_decode
from turnwire.events.realtime.dialect import TODAY_OF_BETA
from turnwire.events.realtime.response import RealtimeError, RealtimeResponse
from turnwire.events.realtime.salvage import read, salvage
from turnwire.events.realtime.server import CLASS_OF_TYPE, KnownEvent
from turnwire.events.realtime.server.output import ResponseAudioDeltaEvent
from turnwire.events.realtime.server.session import RealtimeErrorEvent, SessionEvent, UnknownEvent

if TYPE_CHECKING:
    from turnwire.events.realtime.base import RealtimeEvent


class _Inside(msgspec.Struct):
    """The objects whose own bytes stay with them."""

    session: msgspec.Raw = msgspec.Raw()
    item: msgspec.Raw = msgspec.Raw()
    response: msgspec.Raw = msgspec.Raw()


class _OutputInside(msgspec.Struct):
    output: list[msgspec.Raw]


_decode_known = msgspec.json.Decoder(KnownEvent).decode
_decode_inside = msgspec.json.Decoder(_Inside).decode
_decode_output_inside = msgspec.json.Decoder(_OutputInside).decode
_set = msgspec.structs.force_setattr

_UNREADABLE: Final = (msgspec.MsgspecError, UnicodeDecodeError, RecursionError)
_HOLDERS: Final[dict[type[RealtimeEvent], str]] = {
    cls: name
    for cls in CLASS_OF_TYPE.values()
    for name in _Inside.__struct_fields__
    if name in cls.__struct_fields__
}
_TRANSCRIPTION: Final = "transcription_session."
# Shorter messages are quicker the ordinary way.
_LONG_BYTES: Final = 3000


def decode_realtime_event(data: bytes) -> RealtimeEvent:
    """Decode a server event; a type that is not known becomes ``UnknownEvent``.

    The beta's events become today's, and keep their name in ``raw_type``. An event of which only
    some fields are odd comes without those; ``raw`` always has everything.

    Raises:
        MalformedMessage: Not a JSON object with a string ``type``, or audio that is not base64.
    """
    if len(data) > _LONG_BYTES and quick_decode is not None:
        delta = decode_audio_delta(data, quick_decode)
        if delta is not None:
            return delta
    event: RealtimeEvent
    try:
        event = _decode_known(data)
    except _UNREADABLE:
        event = _decode_odd(data)
    holds = _HOLDERS.get(type(event))
    if holds is not None:
        _keep_raw(event, holds, data)
    if type(event) is RealtimeErrorEvent and event.error == RealtimeError():
        _set(event, "error", _flat_error(data))
    _set(event, "raw", data)
    return event


def _decode_odd(data: bytes) -> RealtimeEvent:
    """Decode a message in the beta's words, of an unknown type, or with odd fields."""
    fields = _load(data)
    kind: str = fields["type"]
    today = TODAY_OF_BETA.get(kind, kind)
    cls = CLASS_OF_TYPE.get(today)
    event = None if cls is None else read(cls, fields | {"type": today})
    if event is None and cls is ResponseAudioDeltaEvent:
        _check_audio(fields.get("delta"))
    if event is None:
        named = fields.get("event_id")
        return UnknownEvent(event_type=kind, event_id=named if isinstance(named, str) else None)
    if today != kind:
        _set(event, "beta_type", kind)
    if kind.startswith(_TRANSCRIPTION) and isinstance(event, SessionEvent):
        kind = event.session.type or "transcription"
        _set(event, "session", msgspec.structs.replace(event.session, type=kind))
    return event


def _load(data: bytes) -> dict[str, Any]:
    try:
        loaded: Any = msgspec.json.decode(data)
    except UnicodeDecodeError as error:
        raise MalformedMessage("the message is not valid UTF-8") from error
    except RecursionError as error:
        raise MalformedMessage("the message is nested too deeply") from error
    except msgspec.MsgspecError as error:
        raise MalformedMessage("the message is not valid JSON") from error
    if not isinstance(loaded, dict):
        raise MalformedMessage(f"the message is a JSON {type(loaded).__name__}, not an object")
    fields = cast("dict[str, Any]", loaded)
    if not isinstance(fields.get("type"), str):
        raise MalformedMessage("the message has no string `type`")
    return fields


def _check_audio(delta: object) -> None:
    if not isinstance(delta, str):
        return  # without its audio the event is one that nobody knows
    try:
        msgspec.convert(delta, bytes)
    except msgspec.ValidationError as error:
        raise MalformedMessage("the `delta` of an audio delta is not valid base64") from error


def _keep_raw(event: RealtimeEvent, name: str, data: bytes) -> None:
    raw = bytes(getattr(_decode_inside(data), name))
    held = getattr(event, name)
    if not raw.startswith(b"{"):
        return
    _set(held, "raw", raw)
    if isinstance(held, RealtimeResponse) and held.output:
        outputs = _decode_output_inside(raw).output
        if len(outputs) == len(held.output):
            for item, inside in zip(held.output, outputs, strict=True):
                _set(item, "raw", bytes(inside))


def _flat_error(data: bytes) -> RealtimeError:
    """Read an error whose fields are the event's own; its ``event_id`` is not the client's."""
    fields = _load(data)
    names = {"code", "message", "param"}
    found = salvage(RealtimeError, {key: fields[key] for key in names & fields.keys()})
    return found or RealtimeError()
