from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from turnwire.events import (
    Envelope,
    MalformedMessage,
    OtherEvent,
    ResponseCompletedEvent,
    ResponseErrorEvent,
    ResponseRef,
    ResponseTextDeltaEvent,
    decode_envelope,
    decode_event,
    encode,
)

DELTA = b'{"type":"response.output_text.delta","stream_id":"a","sequence_number":4,"delta":"hi"}'
DEEP = b"[" * 100_000 + b"]" * 100_000


def test_a_known_event_has_its_class_and_keeps_its_bytes() -> None:
    expected = ResponseTextDeltaEvent(raw=DELTA, stream_id="a", sequence_number=4, delta="hi")
    assert expected == decode_event(DELTA)
    assert decode_event(DELTA).type == "response.output_text.delta"


def test_an_unknown_event_passes_through_with_its_routing_fields() -> None:
    data = b'{"type":"response.new","stream_id":"b","response":{"id":"r","status":"done"},"x":[1]}'
    expected = OtherEvent(
        raw=data,
        event_type="response.new",
        stream_id="b",
        response=ResponseRef(id="r", status="done"),
    )
    assert expected == decode_event(data)
    assert decode_event(data).type == "response.new"
    assert decode_event(data).to_dict()["x"] == [1]


def test_the_fields_of_a_known_type_that_no_class_names_are_kept() -> None:
    event = decode_event(b'{"type":"response.output_text.delta","delta":"hi","obfuscation":"zz"}')
    assert isinstance(event, ResponseTextDeltaEvent)
    assert event.to_dict()["obfuscation"] == "zz"


@pytest.mark.parametrize(
    "data",
    [
        b'{"type":"response.output_text.delta","delta":5}',
        b'{"type":"response.output_text.delta","delta":"\xff"}',
        b'{"type":"response.output_text.delta","sequence_number":1.5}',
        b'{"type":"response.created"}',
        b'{"type":"response.created","response":null}',
        b'{"type":"response.completed","response":{"id":5}}',
        b'{"type":"response.output_item.done"}',
        b'{"type":"error","status":"400"}',
        b'{"type":"error","stream_id":5}',
    ],
)
def test_an_odd_shape_of_a_known_type_keeps_its_name_and_its_bytes(data: bytes) -> None:
    event = decode_event(data)
    assert type(event) is OtherEvent
    assert event.type == data.split(b'"')[3].decode()
    assert event.raw == data


def test_an_odd_field_does_not_hide_that_a_response_completed() -> None:
    data = b'{"type":"response.completed","stream_id":"a","response":{"id":"r","usage":"odd"}}'
    event = decode_event(data)
    assert isinstance(event, ResponseCompletedEvent)
    assert (event.stream_id, event.response.id, event.response.usage) == ("a", "r", None)
    assert event.response.to_dict()["usage"] == "odd"


def test_an_odd_neighbour_does_not_cost_the_lane() -> None:
    event = decode_event(b'{"type":"x","stream_id":"a","sequence_number":"first","response":7}')
    assert (event.type, event.stream_id) == ("x", "a")


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "not valid JSON"),
        (b" \n", "not valid JSON"),
        (b"hello", "not valid JSON"),
        (b'{"type":"x"', "not valid JSON"),
        (b'{"type":"x"} {"type":"y"}', "not valid JSON"),
        (b'{"type":"x",}', "not valid JSON"),
        (b'{"type":"x","a":NaN}', "not valid JSON"),
        (b'{"type":"x","a":Infinity}', "not valid JSON"),
        (b'\xef\xbb\xbf{"type":"x"}', "not valid JSON"),
        ('{"type":"x"}'.encode("utf-16"), "not valid JSON"),
        (b'{"type":"x","sequence_number":' + b"9" * 5000 + b"}", "not valid JSON"),
        (b'{"type":"\xff"}', "not valid UTF-8"),
        (b"null", "a JSON NoneType, not an object"),
        (b"5", "a JSON int, not an object"),
        (b'"x"', "a JSON str, not an object"),
        (b'[{"type":"x"}]', "a JSON list, not an object"),
        (b"{}", "no string `type`"),
        (b'{"type":null}', "no string `type`"),
        (b'{"type":5}', "no string `type`"),
        (b'{"type":{"type":"x"}}', "no string `type`"),
        (b'{"type":"x","a":' + DEEP + b"}", "nested too deeply"),
        (b'{"type":"response.created","response":{"metadata":' + DEEP + b"}}", "nested too deeply"),
        (b'{"type":"error","error":{"detail":' + DEEP + b"}}", "nested too deeply"),
        (b'{"type":"x","stream_id":5,"a":' + DEEP + b"}", "not valid JSON"),
        (DEEP, "not valid JSON"),
    ],
    ids=lambda value: value[:24] if isinstance(value, bytes) else "",
)
@pytest.mark.parametrize("decode", [decode_event, decode_envelope])
def test_a_malformed_message_is_refused_with_the_reason(
    decode: Any, data: bytes, reason: str
) -> None:
    with pytest.raises(MalformedMessage, match=reason):
        decode(data)


@settings(deadline=None)
@given(st.binary() | st.tuples(st.integers(0, 90), st.binary(max_size=4)))
def test_no_bytes_raise_anything_but_malformed_message(noise: bytes | tuple[int, bytes]) -> None:
    if isinstance(noise, tuple):
        at, inserted = noise
        noise = DELTA[:at] + inserted + DELTA[at + 1 :]
    try:
        event = decode_event(noise)
    except MalformedMessage:
        return
    assert event.raw == noise


def test_the_name_of_the_raw_field_cannot_be_sent_by_a_peer() -> None:
    data = b'{"type":"response.output_text.delta","delta":"hi","turnwire:raw":"aGFja2Vk"}'
    assert decode_event(data).raw == data


def test_large_numbers_stay_exact() -> None:
    data = b'{"type":"x","sequence_number":%d,"a":%d}' % (2**63, 2**64 - 1)
    event = decode_event(data)
    assert (event.sequence_number, event.to_dict()["a"]) == (2**63, 2**64 - 1)


def test_the_envelope_is_all_that_routing_needs() -> None:
    data = b'{"type":"t","stream_id":"a","sequence_number":1,"response":{"id":"r"},"rest":[]}'
    expected = Envelope(
        type="t", stream_id="a", sequence_number=1, response=ResponseRef(id="r", status=None)
    )
    assert expected == decode_envelope(data)


def test_both_shapes_of_an_error_are_one_class() -> None:
    nested = decode_event(b'{"type":"error","status":400,"error":{"code":"c","message":"m"}}')
    flat = decode_event(b'{"type":"error","code":"c","message":"m","param":null}')
    assert isinstance(nested, ResponseErrorEvent)
    assert isinstance(flat, ResponseErrorEvent)
    assert not isinstance(nested.error, str)
    assert nested.error is not None
    assert (nested.status, nested.error.code, nested.error.message) == (400, "c", "m")
    assert (flat.status, flat.code, flat.message) == (None, "c", "m")


def test_encode_sends_items_and_events_byte_for_byte_wherever_they_are() -> None:
    item = b'{"type":"message", "content":[],"new":1}'
    completed = b'{"type":"response.completed","response":{"id":"r","new":2,"output":[%s]}}' % item
    event = decode_event(completed)
    assert isinstance(event, ResponseCompletedEvent)
    [received] = event.response.output
    assert encode(received) == item
    assert encode(event) == completed
    assert encode({"input": [received, (event,)]}) == b'{"input":[%s,[%s]]}' % (item, completed)
    assert json.loads(encode(event.response)) == event.to_dict()["response"] | {
        "object": "response",
        "status": None,
    }


@pytest.mark.parametrize("value", [object(), {"a": [object()]}, {(1, 2): 3}, 1j])
def test_encode_says_what_json_cannot_hold(value: object) -> None:
    with pytest.raises(TypeError, match="JSON cannot hold a"):
        encode(value)


def test_events_are_values() -> None:
    assert decode_event(DELTA) == decode_event(DELTA)
    with pytest.raises(AttributeError, match="immutable"):
        decode_event(DELTA).stream_id = "b"
