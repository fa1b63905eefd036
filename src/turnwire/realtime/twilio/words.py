"""The words of Twilio's Media Streams, both ways; nothing else here knows them.

Source: twilio.com/docs/voice/media-streams/websocket-messages, for bidirectional streams.
"""

from __future__ import annotations

from binascii import Error as Base64Error
from binascii import a2b_base64
from typing import TYPE_CHECKING, Any, Final, cast

import msgspec

from turnwire.errors import ProtocolError
from turnwire.events.realtime import PCMU, AudioFormat
from turnwire.events.realtime.base64_codec import base64_encode
from turnwire.realtime.twilio.events import (
    CallMessageEvent,
    CallStartedEvent,
    CallStoppedEvent,
    KeyPressedEvent,
    Mark,
    MarkPlayedEvent,
    MediaHeard,
    Play,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

    from turnwire.realtime.twilio.events import Json, LineEvent, Outgoing

LINE: Final[AudioFormat] = PCMU  # both ways, always
MESSAGE_BYTES: Final = 160  # 20 ms, as Twilio sends them itself

_CALLER: Final = "inbound"
_ENCODING: Final = "audio/x-mulaw"


def decode(message: str | bytes | Mapping[str, Any]) -> LineEvent | None:
    """Return what a message says; None for audio of another track than the caller's.

    Raises:
        ProtocolError: It is none of Twilio's, or the stream has a format that is not Twilio's.
    """
    fields, raw = _read(message)
    kind = fields.get("event")
    inside = fields.get(str(kind))
    body = cast("Json", inside) if isinstance(inside, dict) else {}
    try:
        match kind:
            case "media":
                return _media(body)
            case "start":
                return _start(fields, body, raw)
            case "mark":
                return MarkPlayedEvent(name=str(body["name"]), raw=raw)
            case "dtmf":
                return KeyPressedEvent(digit=str(body["digit"]), raw=raw)
            case "stop":
                return CallStoppedEvent(raw=raw)
            case str():
                return CallMessageEvent(name=kind, raw=raw)
            case _:
                pass
    except (KeyError, TypeError, ValueError, Base64Error):
        pass  # said below, without what was in it
    what = f"a `{kind}` message" if isinstance(kind, str) else "a message without `event`"
    raise ProtocolError(f"{what} came that is not as Twilio's Media Streams have it")


def _read(message: str | bytes | Mapping[str, Any]) -> tuple[Json, bytes]:
    if not isinstance(message, (str, bytes)):
        return dict(message), msgspec.json.encode(message)
    try:
        fields = msgspec.json.decode(message)
    except msgspec.DecodeError:
        fields = None
    if not isinstance(fields, dict):
        raise ProtocolError("a message came that is no JSON object, as Twilio's messages are")
    return cast("Json", fields), message.encode() if isinstance(message, str) else message


def _media(body: Json) -> MediaHeard | None:
    if body.get("track", _CALLER) != _CALLER:
        return None
    return MediaHeard(
        a2b_base64(body["payload"], strict_mode=True),
        _number(body.get("timestamp")),
        _number(body.get("chunk")),
    )


def _number(value: object) -> int | None:
    """Return a number, which Twilio writes as a text."""
    return None if value is None else int(str(value))


def _start(fields: Json, body: Json, raw: bytes) -> CallStartedEvent:
    form: Any = body.get("mediaFormat") or {}
    encoding, rate = form.get("encoding", _ENCODING), form.get("sampleRate", LINE.rate)
    if (encoding, int(rate)) != (_ENCODING, LINE.rate):
        raise ProtocolError(f"the stream is {encoding} at {rate} Hz; expected µ-law at 8000 Hz")
    parameters: Any = body.get("customParameters") or {}
    return CallStartedEvent(
        stream_id=str(body.get("streamSid") or fields["streamSid"]),
        call_id=body.get("callSid"),
        account_id=body.get("accountSid"),
        parameters={str(name): str(value) for name, value in parameters.items()},
        raw=raw,
    )


def encode(outgoing: Outgoing, stream_id: str) -> str:
    """Return the message that says something to a stream."""
    stream = msgspec.json.encode(stream_id).decode()
    match outgoing:
        case Play(audio):
            sound = base64_encode(audio).decode()
            return f'{{"event":"media","streamSid":{stream},"media":{{"payload":"{sound}"}}}}'
        case Mark(name):
            text = msgspec.json.encode(name).decode()
            return f'{{"event":"mark","streamSid":{stream},"mark":{{"name":{text}}}}}'
        case _:
            return f'{{"event":"clear","streamSid":{stream}}}'
