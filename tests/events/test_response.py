from __future__ import annotations

import json
from typing import Any

import pytest

from turnwire.events import (
    ContentPart,
    Item,
    OtherItem,
    Response,
    ResponseCompletedEvent,
    ResponseCustomToolCall,
    ResponseFunctionToolCall,
    ResponseOutputItemDoneEvent,
    ResponseOutputMessage,
    ResponseReasoningItem,
    SummaryPart,
    decode_event,
    decode_item,
)

MESSAGE = {
    "type": "message",
    "id": "m1",
    "status": "completed",
    "role": "assistant",
    "content": [
        {"type": "output_text", "text": "Hello, ", "annotations": []},
        {"type": "refusal", "refusal": "no"},
        {"type": "output_text", "text": "you"},
    ],
}
CALL = {"type": "function_call", "call_id": "c1", "name": "f", "arguments": '{"a": 1}'}


def completed(*output: Any, **fields: Any) -> Response:
    message = {"type": "response.completed", "response": {"output": output} | fields}
    event = decode_event(json.dumps(message).encode())
    assert isinstance(event, ResponseCompletedEvent)
    return event.response


@pytest.mark.parametrize(
    ("loaded", "expected"),
    [
        (
            MESSAGE,
            ResponseOutputMessage(
                id="m1",
                status="completed",
                content=[
                    ContentPart(type="output_text", text="Hello, ", annotations=[]),
                    ContentPart(type="refusal", refusal="no"),
                    ContentPart(type="output_text", text="you"),
                ],
            ),
        ),
        (CALL, ResponseFunctionToolCall(call_id="c1", name="f", arguments='{"a": 1}')),
        (
            {"type": "custom_tool_call", "call_id": "c2", "name": "g", "input": "free"},
            ResponseCustomToolCall(call_id="c2", name="g", input="free"),
        ),
        (
            {"type": "reasoning", "summary": [{"type": "summary_text", "text": "why"}]},
            ResponseReasoningItem(summary=[SummaryPart(text="why")]),
        ),
        (
            {"type": "shell_call", "id": "s", "call_id": "c3", "action": {}},
            OtherItem(item_type="shell_call", id="s", call_id="c3"),
        ),
        (
            {"type": "message", "content": "a plain string"},
            OtherItem(item_type="message"),
        ),
        ({"type": 5}, OtherItem()),
        (None, OtherItem()),
        ([], OtherItem()),
    ],
)
def test_items(loaded: Any, expected: Item) -> None:
    raw = json.dumps(loaded).encode()
    item = decode_item(raw)
    assert type(expected) is type(item)
    fields = [name for name in item.__struct_fields__ if name != "raw"]
    assert [getattr(expected, name) for name in fields] == [getattr(item, name) for name in fields]
    assert item.raw == raw


def test_an_items_type_is_the_wires_name() -> None:
    assert [decode_item(json.dumps(loaded).encode()).type for loaded in (MESSAGE, CALL)] == [
        "message",
        "function_call",
    ]
    assert decode_item(b'{"type":"new_item"}').type == "new_item"


def test_an_item_nested_too_deeply_is_kept_undecoded() -> None:
    raw = b'{"type":"x","a":' + b"[" * 100_000 + b"]" * 100_000 + b"}"
    assert OtherItem(raw=raw) == decode_item(raw)


def test_the_item_of_an_event() -> None:
    event = decode_event(b'{"type":"response.output_item.done","output_index":1,"item":{"id":"x"}}')
    assert isinstance(event, ResponseOutputItemDoneEvent)
    assert (event.output_index, event.item.id, event.item.raw) == (1, "x", b'{"id":"x"}')


def test_output_text_joins_the_text_of_all_messages_and_nothing_else() -> None:
    second = {"type": "message", "content": [{"type": "output_text", "text": "!"}]}
    reasoning = {"type": "reasoning", "content": [{"type": "reasoning_text", "text": "hm"}]}
    assert completed(reasoning, MESSAGE, CALL, second, None).output_text == "Hello, you!"


@pytest.mark.parametrize("output", [[], [CALL], [{"type": "message", "content": []}]])
def test_output_text_of_no_text_is_empty(output: list[Any]) -> None:
    assert completed(*output).output_text == ""


def test_a_response_without_output_has_an_empty_one() -> None:
    event = decode_event(b'{"type":"response.completed","response":{"id":"r","output":null}}')
    assert isinstance(event, ResponseCompletedEvent)
    assert (event.response.output, event.response.output_text) == ([], "")


def test_a_response_keeps_the_fields_that_no_class_names() -> None:
    fields = {"id": "r", "object": "response", "status": "completed", "model": "m", "new": [1]}
    assert completed(MESSAGE, CALL, **fields).to_dict() == {"output": [MESSAGE, CALL]} | fields


def test_usage_takes_what_the_server_says() -> None:
    usage = completed(usage={"input_tokens": 3, "input_tokens_details": {"cached_tokens": 2}}).usage
    assert usage is not None
    assert usage.input_tokens_details is not None
    assert (usage.input_tokens, usage.input_tokens_details.cached_tokens) == (3, 2)
    assert (usage.output_tokens, usage.output_tokens_details) == (0, None)


def test_fields_without_an_attribute_are_found_by_name() -> None:
    data = b'{"type":"response.completed","response":{"id":"r","service_tier":"flex","tools":[]}}'
    event = decode_event(data)
    assert isinstance(event, ResponseCompletedEvent)
    response: Any = event.response
    assert (response.service_tier, response.tools) == ("flex", [])
    with pytest.raises(AttributeError, match="no field 'nothing'"):
        _ = response.nothing


def test_a_response_can_be_dumped_by_the_names_of_the_sdk() -> None:
    data = b'{"type":"response.completed","response":{"id":"r","status":"completed","output":[]}}'
    event = decode_event(data)
    assert isinstance(event, ResponseCompletedEvent)
    whole = {"id": "r", "object": "response", "status": "completed", "output": []}
    assert event.response.to_dict() == event.response.model_dump() == whole
    assert json.loads(event.response.to_json()) == whole
    assert json.loads(event.response.model_dump_json()) == whole
