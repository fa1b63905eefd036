"""The quick way through a long audio delta, the one event that comes many times a second.

A JSON decoder goes through the long string twice, byte by byte.
So the audio is cut out where it certainly is the event's own ``delta``, and only the short rest is
read as JSON; wherever that is not certain the whole message goes the ordinary way.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import msgspec

from turnwire.events.realtime.server.output import ResponseAudioDeltaEvent, ResponseAudioDoneEvent

if TYPE_CHECKING:
    from collections.abc import Callable

_KEY: Final = b'"delta"'
_START: Final = b'"delta":"'
_BEFORE_A_KEY: Final = b"{, \t\r\n"
# A ValueError is what base64 decoders raise, and what is not UTF-8.
_UNSURE: Final = (msgspec.MsgspecError, ValueError, RecursionError)
# A choice of two, because the decoder of a single class does not miss a missing `type`.
_decode_rest = msgspec.json.Decoder(ResponseAudioDeltaEvent | ResponseAudioDoneEvent).decode
_set = msgspec.structs.force_setattr


def decode_audio_delta(
    data: bytes, base64_decode: Callable[..., bytes]
) -> ResponseAudioDeltaEvent | None:
    """Return the event of an audio delta in its usual shape, or None for everything else.

    Args:
        data: The message.
        base64_decode: Decodes a buffer; takes ``validate=True``, as of ``pybase64``.
    """
    key = data.find(_START)
    if key < 1 or data[key - 1] not in _BEFORE_A_KEY:
        return None
    start = key + len(_START)
    end = data.find(b'"', start)
    if end < 0:
        return None
    head, tail = data[:start], data[end:]
    # One opening brace: the key is the event's own. Of several the last one counts, so none may
    # follow, under its name or in the disguise of an escape.
    if head.count(b"{") != 1 or _KEY in tail or b"\\" in tail:
        return None
    try:
        event = _decode_rest(head + tail)
        audio = base64_decode(memoryview(data)[start:end], validate=True)
    except _UNSURE:
        return None  # the ordinary way knows what to say
    if not isinstance(event, ResponseAudioDeltaEvent):
        return None
    _set(event, "audio", audio)
    _set(event, "raw", data)
    return event
