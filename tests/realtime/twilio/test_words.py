"""The words of Twilio: what comes, what goes, what is refused."""

from __future__ import annotations

import base64
from typing import Any

import msgspec
import pytest

from turnwire.errors import ProtocolError
from turnwire.realtime.twilio import (
    CallMessageEvent,
    CallStartedEvent,
    CallStoppedEvent,
    KeyPressedEvent,
    MarkPlayedEvent,
)
from turnwire.realtime.twilio.events import Clear, Mark, MediaHeard, Play
from turnwire.realtime.twilio.words import decode, encode

START: dict[str, Any] = {
    "event": "start",
    "sequenceNumber": "1",
    "streamSid": "MZ1",
    "start": {
        "streamSid": "MZ1",
        "accountSid": "AC1",
        "callSid": "CA1",
        "tracks": ["inbound"],
        "customParameters": {"name": "value"},
        "mediaFormat": {"encoding": "audio/x-mulaw", "sampleRate": 8000, "channels": 1},
    },
}


def media(payload: str = "AAEC", **fields: str) -> dict[str, Any]:
    return {"event": "media", "media": {"track": "inbound", "payload": payload, **fields}}


def test_every_message_is_an_event() -> None:
    said: list[dict[str, Any]] = [
        {"event": "connected", "protocol": "Call", "version": "1.0.0"},
        {"event": "mark", "mark": {"name": "mine"}},
        {"event": "dtmf", "dtmf": {"track": "inbound_track", "digit": "#"}},
        {"event": "stop", "stop": {"callSid": "CA1"}},
        {"event": "new in 2027", "new in 2027": 1},
    ]
    raws = [msgspec.json.encode(each) for each in said]
    assert [decode(raw) for raw in raws] == [
        CallMessageEvent(name="connected", raw=raws[0]),
        MarkPlayedEvent(name="mine", raw=raws[1]),
        KeyPressedEvent(digit="#", raw=raws[2]),
        CallStoppedEvent(raw=raws[3]),
        CallMessageEvent(name="new in 2027", raw=raws[4]),
    ]


@pytest.mark.parametrize("form", ["text", "bytes", "object"])
def test_a_message_may_be_a_text_or_bytes_or_what_is_in_it(form: str) -> None:
    raw = msgspec.json.encode(START)
    message: Any = {"text": raw.decode(), "bytes": raw, "object": START}[form]
    assert decode(message) == CallStartedEvent(
        stream_id="MZ1",
        call_id="CA1",
        account_id="AC1",
        parameters={"name": "value"},
        raw=raw,
    )


def test_audio_comes_with_its_place() -> None:
    assert decode(media(timestamp="40", chunk="3")) == MediaHeard(b"\0\1\2", 40, 3)
    assert decode(media()) == MediaHeard(b"\0\1\2", None, None)
    assert decode(media(track="outbound")) is None


@pytest.mark.parametrize(
    ("message", "what"),
    [
        ("{", "no JSON object"),
        ("[]", "no JSON object"),
        ("{}", "a message without `event`"),
        (media("secret!"), "a `media` message"),
        (media(timestamp="later"), "a `media` message"),
        ({"event": "media"}, "a `media` message"),
        ({"event": "mark", "mark": {}}, "a `mark` message"),
        ({"event": "start", "start": {}}, "a `start` message"),
    ],
)
def test_what_is_none_of_twilio_s_is_refused_without_saying_what_was_in_it(
    message: str | dict[str, Any], what: str
) -> None:
    with pytest.raises(ProtocolError) as refused:
        decode(message)
    assert what in str(refused.value)
    assert "secret" not in str(refused.value)


def test_another_format_is_refused() -> None:
    start = START["start"] | {"mediaFormat": {"encoding": "audio/l16", "sampleRate": 16000}}
    with pytest.raises(ProtocolError, match="audio/l16 at 16000 Hz; expected µ-law at 8000 Hz"):
        decode(START | {"start": start})


def test_what_is_said_has_twilio_s_shape() -> None:
    said = [
        msgspec.json.decode(encode(each, 'M"Z'))
        for each in (Play(b"\0\1"), Mark('a "name"'), Clear())
    ]
    assert said == [
        {"event": "media", "streamSid": 'M"Z', "media": {"payload": "AAE="}},
        {"event": "mark", "streamSid": 'M"Z', "mark": {"name": 'a "name"'}},
        {"event": "clear", "streamSid": 'M"Z'},
    ]
    assert base64.b64decode("AAE=") == b"\0\1"
