from __future__ import annotations

from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from turnwire.recording.redaction import Redaction, redacted

CREATE = {
    "type": "response.create",
    "model": "gpt-5.1",
    "stream_id": "lane-1",
    "previous_response_id": "resp_1",
    "instructions": "Be kind.",
    "max_output_tokens": 20,
    "metadata": {"id": "Ann", "name": "Bo"},
    "reasoning": {"effort": "low", "summary": "auto"},
    "text": {"format": {"type": "json_schema", "name": "person", "schema": {"title": "A man"}}},
    "tools": [
        {"type": "function", "name": "look", "description": "Looks up.", "parameters": {}},
        {"type": "mcp", "server_label": "m", "server_url": "https://m", "headers": {"id": "abc"}},
    ],
    "input": [
        {"role": "user", "content": "Who?"},
        {"role": "user", "content": [{"type": "input_image", "image_url": "data:abc"}]},
        {"type": "function_call", "call_id": "call_1", "name": "look", "arguments": '{"at":"it"}'},
        {"type": "function_call_output", "call_id": "call_1", "output": "The answer"},
        {"type": "code_interpreter_call", "id": "ci_1", "code": "secret"},
        {"type": "mcp_approval_response", "reason": "Because", "approve": True},
    ],
}
REDACTED = {
    "type": "response.create",
    "model": "gpt-5.1",
    "stream_id": "lane-1",
    "previous_response_id": "resp_1",
    "instructions": "xxxxxxxx",
    "max_output_tokens": 20,
    "metadata": {"id": "xxx", "name": "xx"},
    "reasoning": {"effort": "low", "summary": "auto"},
    "text": {"format": {"type": "json_schema", "name": "person", "schema": {"title": "xxxxx"}}},
    "tools": [
        {"type": "function", "name": "look", "description": "xxxxxxxxx", "parameters": {}},
        {"type": "mcp", "server_label": "m", "server_url": "xxxxxxxxx", "headers": {"id": "xxx"}},
    ],
    "input": [
        {"role": "user", "content": "xxxx"},
        {"role": "user", "content": [{"type": "input_image", "image_url": "xxxxxxxx"}]},
        {"type": "function_call", "call_id": "call_1", "name": "look", "arguments": '{"at":"xx"}'},
        {"type": "function_call_output", "call_id": "call_1", "output": "xxxxxxxxxx"},
        {"type": "code_interpreter_call", "id": "ci_1", "code": "xxxxxx"},
        {"type": "mcp_approval_response", "reason": "xxxxxxx", "approve": True},
    ],
}


def redact(value: Any) -> Any:
    return msgspec.json.decode(Redaction().text(msgspec.json.encode(value).decode()))


def test_a_create_keeps_its_structure_and_its_ids() -> None:
    assert redact(CREATE) == REDACTED
    assert redact(REDACTED) == REDACTED


@pytest.mark.parametrize(
    ("event", "redacted"),
    [
        (
            {"type": "response.output_text.delta", "item_id": "msg_1", "delta": "Hello"},
            {"type": "response.output_text.delta", "item_id": "msg_1", "delta": "xxxxx"},
        ),
        (
            {"type": "error", "error": {"code": "rate_limit_exceeded", "message": "You said it"}},
            {"type": "error", "error": {"code": "rate_limit_exceeded", "message": "xxxxxxxxxxx"}},
        ),
        (
            {"type": "error", "code": "invalid_json", "message": "You said it"},
            {"type": "error", "code": "invalid_json", "message": "xxxxxxxxxxx"},
        ),
        (
            {"incomplete_details": {"reason": "max_output_tokens"}, "usage": {"total_tokens": 7}},
            {"incomplete_details": {"reason": "max_output_tokens"}, "usage": {"total_tokens": 7}},
        ),
        (
            {"logprobs": [{"token": "Hi", "logprob": -1.5, "bytes": [72, 105]}]},
            {"logprobs": [{"token": "xx", "logprob": -1.5, "bytes": [120, 120]}]},
        ),
        ({"name": "a text with spaces"}, {"name": "xxxxxxxxxxxxxxxxxx"}),
        ([1, "two"], [1, "xxx"]),
    ],
)
def test_what_is_kept_of_an_event(event: Any, redacted: Any) -> None:
    assert redact(event) == redacted


def test_deltas_of_arguments_add_up() -> None:
    redaction = Redaction()
    deltas = []
    for piece in ('{"ci', 'ty": "Os', 'lo"}'):
        event = {"type": "response.function_call_arguments.delta", "item_id": "f", "delta": piece}
        text = redaction.text(msgspec.json.encode(event).decode())
        deltas.append(msgspec.json.decode(text)["delta"])
    assert deltas == ['{"ci', 'ty": "xx', 'xx"}']


def test_what_is_no_json() -> None:
    assert Redaction().text("Hello, you") == "xxxxxxxxxx"


def test_a_stream_keeps_its_lines() -> None:
    stream = 'event: a.b\r\ndata: {"type":"a.b","text":"Hi"}\r\n\r\ndata: [DONE]\n\n: note\nHi\n'
    assert Redaction().sse(stream) == (
        'event: a.b\r\ndata: {"type":"a.b","text":"xx"}\r\n\r\ndata: [DONE]\n\n:\nxx\n'
    )


@given(
    st.recursive(
        st.text() | st.integers(0, 9), lambda a: st.lists(a) | st.dictionaries(st.text(), a)
    )
)
def test_placeholders_are_replaced_by_themselves(value: Any) -> None:
    assert redact(redact(value)) == redact(value)


@pytest.mark.parametrize(
    ("value", "left"),
    [
        ({"audio": "AAECAw=="}, {"audio": "xxxxxx=="}),
        ({"audio": "not ="}, {"audio": "xxxxx"}),
        ({"text": "AAECAw=="}, {"text": "xxxxxxxx"}),
        ({"delta": "=="}, {"delta": "xx"}),
    ],
)
def test_of_audio_the_length_is_left(value: Any, left: Any) -> None:
    assert redacted(value) == left
