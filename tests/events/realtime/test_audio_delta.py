"""The quick way and the ordinary way say the same of every message."""

from __future__ import annotations

import json
from base64 import b64encode
from typing import TYPE_CHECKING, Any

import msgspec
from hypothesis import example, given
from hypothesis import strategies as st

from turnwire.events.realtime import (
    MalformedMessage,
    RealtimeEvent,
    ResponseAudioDeltaEvent,
    codec,
    decode_realtime_event,
)
from turnwire.events.realtime.audio_delta import decode_audio_delta
from turnwire.events.realtime.base64_codec import quick_decode

if TYPE_CHECKING:
    import pytest

KIND = "response.output_audio.delta"


def strict(data: memoryview, *, validate: bool) -> bytes:
    """Stand in for ``pybase64``; the standard library's own is not strict about padding."""
    assert validate
    return msgspec.json.decode(b'"%b"' % data, type=bytes)


DECODERS = [strict, *([quick_decode] if quick_decode is not None else [])]


def ordinary(data: bytes) -> RealtimeEvent | None:
    assert len(data) < 3000, "longer messages try the quick way"
    try:
        return decode_realtime_event(data)
    except MalformedMessage:
        return None


def message(**fields: Any) -> bytes:
    return json.dumps({"type": KIND, **fields}, separators=(",", ":")).encode()


def test_the_usual_shape_goes_the_quick_way() -> None:
    audio = bytes(range(256)) * 5
    data = message(
        event_id="e",
        response_id="r",
        item_id="i",
        output_index=1,
        content_index=2,
        delta=b64encode(audio).decode(),
    )
    expected = ResponseAudioDeltaEvent(
        raw=data,
        event_id="e",
        response_id="r",
        item_id="i",
        output_index=1,
        content_index=2,
        audio=audio,
    )
    for decode in DECODERS:
        assert expected == decode_audio_delta(data, decode)


def test_a_long_delta_takes_the_quick_way_where_there_is_one(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    asked: list[int] = []

    def decode(data: memoryview, *, validate: bool) -> bytes:
        asked.append(len(data))
        return strict(data, validate=validate)

    data = message(delta=b64encode(bytes(4800)).decode())
    monkeypatch.setattr(codec, "quick_decode", None)
    alone = decode_realtime_event(data)
    monkeypatch.setattr(codec, "quick_decode", decode)
    assert (alone, [6400]) == (decode_realtime_event(data), asked)


# Whatever can stand between the two ways: keys in any order and disguise, values that look like
# keys, nesting, and audio that is none.
AUDIO = st.one_of(
    st.binary(max_size=12).map(lambda audio: b64encode(audio).decode()),
    st.text("AB+/=-_ \n\\\"'", max_size=8),
)
TRICKS = st.sampled_from(['"delta":"AAAA"', '{"delta":"', "\\", '","delta":"', "{", KIND, "\u00e9"])
VALUES = st.recursive(
    st.one_of(AUDIO, TRICKS, st.none(), st.integers(-1, 3)),
    lambda inner: st.one_of(
        st.lists(inner, max_size=2),
        st.dictionaries(st.sampled_from(["delta", "x", 'x"delta', "type"]), inner, max_size=2),
    ),
    max_leaves=3,
)
KEYS = st.sampled_from(["delta", "x", 'x"delta', ',"delta', "item_id", "content_index", "event_id"])
SPACE = st.sampled_from(["", "", "", " ", "\n", "\t "])


@st.composite
def messages(draw: st.DrawFn) -> bytes:
    pairs: list[tuple[str, Any]] = [("type", KIND), ("delta", draw(AUDIO))]
    pairs += draw(st.lists(st.tuples(KEYS, VALUES), max_size=3))
    written: list[str] = []
    for key, value in draw(st.permutations(pairs)):
        name = json.dumps(key)
        if draw(st.integers(0, 5)) == 0:
            name = name.replace("d", "\\u0064", 1)
        text = json.dumps(value, ensure_ascii=draw(st.booleans()))
        written.append(f"{draw(SPACE)}{name}{draw(SPACE)}:{draw(SPACE)}{text}{draw(SPACE)}")
    return f"{draw(SPACE)}{{{','.join(written)}}}{draw(SPACE)}".encode()


@given(messages(), st.integers(0, 400), st.integers(0, 5))
@example(b'{"type":"response.output_audio.delta","x":{"delta":"AAAA"},"delta":""}', 0, 1)
@example(b'{"x":{"delta":"AAAA"},"type":"response.output_audio.delta"}', 0, 1)
@example(b'{"type":"response.output_audio.delta","delta":"AAAA","delta":""}', 0, 1)
@example(b'{"type":"response.output_audio.delta","delta":"AAAA","\\u0064elta":""}', 0, 1)
@example(b'{"type":"response.output_audio.delta","x\\"delta":"AAAA","delta":""}', 0, 1)
@example(b'{"delta":"AAAA","type":"response.output_audio.delta","delta" : "BBBB"}', 0, 1)
@example(b'{"delta" : "","type":"response.output_audio.delta","x":{"delta":"AAAA"}}', 0, 1)
@example(b'{"delta" : "","type":"response.output_audio.delta","x\\"delta":"AAAA"}', 0, 1)
@example(b'{"x":"response.output_audio.delta","delta":"AAAA"}', 0, 1)
@example(b'{"type":"response.output_audio.done","delta":"AAAA"}', 0, 1)
@example(b'{"type":"response.output_text.delta","delta":"AAAA"}', 0, 1)
@example(b'{"type":"response.output_audio.delta","delta":"AAAA\\n"}', 0, 1)
@example(b'{"type":"response.output_audio.delta","delta":"AAAA\n"}', 0, 1)
@example(b'{"type":"response.output_audio.delta","delta":"AAAA"}x', 0, 1)
@example(b'{"type":"response.output_audio.delta","delta":"AAAA"', 0, 1)
@example(b'{"type":"response.output_audio.delta","delta":"AAA"}', 0, 1)
@example(b'{"type":"response.output_audio.delta","delta":"AAAA====="}', 0, 1)
@example(b'{"type":"response.output_audio.delta","delta":"AB=="}', 0, 1)
def test_both_ways_agree(data: bytes, at: int, cut: int) -> None:
    # Every message whole, and once with a few bytes missing.
    for each in (data, data[:at] + data[at + cut :]):
        for decode in DECODERS:
            quick = decode_audio_delta(each, decode)
            assert quick is None or quick == ordinary(each)


@given(st.dictionaries(st.sampled_from(["event_id", "item_id", "new"]), st.text("abc{}é")))
def test_where_the_audio_stands_makes_no_difference(fields: dict[str, str]) -> None:
    encoded = b64encode(bytes(range(9))).decode()
    for pairs in ({"delta": encoded, **fields}, {**fields, "delta": encoded}):
        data = message(**pairs)
        event = ordinary(data)
        assert isinstance(event, ResponseAudioDeltaEvent)
        assert bytes(range(9)) == event.audio
        for decode in DECODERS:
            assert decode_audio_delta(data, decode) in {None, event}
