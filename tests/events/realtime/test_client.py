from __future__ import annotations

import json
from base64 import b64encode
from typing import Any

import pytest

from turnwire.events.realtime import client

CREATE = "conversation.item.create"
EVENTS: list[tuple[dict[str, Any], dict[str, Any]]] = [
    (
        client.session_update({"voice": None}),
        {"type": "session.update", "session": {"type": "realtime", "voice": None}},
    ),
    (
        client.session_update({"type": "transcription"}),
        {"type": "session.update", "session": {"type": "transcription"}},
    ),
    (client.commit(), {"type": "input_audio_buffer.commit"}),
    (client.clear(event_id="e"), {"type": "input_audio_buffer.clear", "event_id": "e"}),
    (client.output_audio_clear(), {"type": "output_audio_buffer.clear"}),
    (
        client.item_create({"id": "i"}, previous_item_id=client.ROOT),
        {"type": CREATE, "previous_item_id": "root", "item": {"id": "i"}},
    ),
    (client.item_delete("i"), {"type": "conversation.item.delete", "item_id": "i"}),
    (client.item_retrieve("i"), {"type": "conversation.item.retrieve", "item_id": "i"}),
    (
        client.item_truncate("i", 1, 500, event_id="e"),
        {
            "type": "conversation.item.truncate",
            "event_id": "e",
            "item_id": "i",
            "content_index": 1,
            "audio_end_ms": 500,
        },
    ),
    (client.response_create(), {"type": "response.create"}),
    (client.response_create({}), {"type": "response.create", "response": {}}),
    (client.response_cancel(), {"type": "response.cancel"}),
    (client.response_cancel("r"), {"type": "response.cancel", "response_id": "r"}),
    (
        client.user_message("hi", item_id="i"),
        {
            "type": CREATE,
            "item": {
                "id": "i",
                "type": "message",
                "role": "user",
                "content": [{"type": "input_text", "text": "hi"}],
            },
        },
    ),
    (
        client.user_message([client.input_image("data:,", detail="low")]),
        {
            "type": CREATE,
            "item": {
                "type": "message",
                "role": "user",
                "content": [{"type": "input_image", "image_url": "data:,", "detail": "low"}],
            },
        },
    ),
    (
        client.system_message("be kind"),
        {
            "type": CREATE,
            "item": {
                "type": "message",
                "role": "system",
                "content": [{"type": "input_text", "text": "be kind"}],
            },
        },
    ),
    (
        client.assistant_message("hi", previous_item_id="p", event_id="e"),
        {
            "type": CREATE,
            "event_id": "e",
            "previous_item_id": "p",
            "item": {
                "type": "message",
                "role": "assistant",
                "content": [{"type": "output_text", "text": "hi"}],
            },
        },
    ),
    (
        client.function_output("c", "42"),
        {
            "type": CREATE,
            "item": {"type": "function_call_output", "call_id": "c", "output": "42"},
        },
    ),
    (
        client.mcp_response("m", approve=False, reason="no"),
        {
            "type": CREATE,
            "previous_item_id": "m",
            "item": {
                "type": "mcp_approval_response",
                "approval_request_id": "m",
                "approve": False,
                "reason": "no",
            },
        },
    ),
]


@pytest.mark.parametrize(("event", "expected"), EVENTS)
def test_an_event_is_what_the_wire_wants(event: dict[str, Any], expected: dict[str, Any]) -> None:
    assert expected == event


@pytest.mark.parametrize("named", [{}, {"event_id": 'e"1'}])
@pytest.mark.parametrize("audio", [b"", b"\0", bytes(range(256))])
def test_audio_goes_out_as_one_message(audio: bytes, named: dict[str, str]) -> None:
    expected = {"type": "input_audio_buffer.append", **named, "audio": b64encode(audio).decode()}
    for kind in (bytes, bytearray, memoryview):
        assert expected == json.loads(client.append(kind(audio), **named))
