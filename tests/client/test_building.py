"""The official SDK's classes out of JSON: the right class, and nothing lost, whatever arrives."""

from __future__ import annotations

import json
from typing import Any, get_args

import pytest
from openai import BaseModel
from openai.types import responses as sdk
from openai.types.responses import responses_server_event

from client.sdk_samples import fields_of
from turnwire.client.as_types import event_reader
from turnwire.client.building import build, members
from turnwire.events import OtherEvent, decode_event

pytestmark = pytest.mark.interop

CLASSES = members(sdk.ResponseStreamEvent)
CHOICES = range(24)  # more than any union in the SDK's events has members

read = event_reader(sdk.ResponseStreamEvent)

every_class = pytest.mark.parametrize("cls", CLASSES, ids=lambda cls: cls.__name__)


def as_sdk(raw: dict[str, Any]) -> Any:
    return read(decode_event(json.dumps(raw).encode()))


def dumped(made: Any) -> Any:
    return made.model_dump(mode="json", by_alias=True, exclude_unset=True, warnings=False)


@every_class
def test_every_event_is_of_its_class_and_comes_out_as_it_went_in(cls: Any) -> None:
    for choice in CHOICES:
        raw = fields_of(cls, choice)
        made = as_sdk(raw)
        assert type(made) is cls
        assert dumped(made) == raw


@every_class
def test_what_does_not_fit_is_kept_as_it_came_and_all_else_is_made_as_ever(cls: Any) -> None:
    for choice in CHOICES:
        raw = fields_of(cls, choice)
        whole = as_sdk(raw)
        odd = raw | {"sequence_number": "seven", "cls": 1, "self": {"of": ["next", "month"]}}
        made = as_sdk(odd)
        assert type(made) is cls
        assert dumped(made) == odd
        assert (
            made.model_copy(update={"sequence_number": 7}).model_dump(exclude={"cls", "self"})
            == whole.model_dump()
        )
        assert shape(made) == shape(whole)


def shape(made: Any) -> Any:
    """Return the classes of an object and of everything inside of it."""
    if isinstance(made, BaseModel):
        inside = {name: shape(getattr(made, name)) for name in type(made).model_fields}
        return type(made), inside
    return [shape(each) for each in made] if isinstance(made, list) else None


@every_class
def test_what_is_missing_is_none(cls: Any) -> None:
    (word,) = get_args(cls.model_fields["type"].annotation)
    made = as_sdk({"type": word})
    assert type(made) is cls
    assert dumped(made) == {"type": word}
    assert {getattr(made, name) for name in cls.model_fields} == {word, None}


def test_an_event_of_an_unknown_type_stays_what_it_was() -> None:
    event = decode_event(b'{"type": "response.of_next_month", "delta": "x"}')
    assert type(event) is OtherEvent
    assert read(event) is event


RESPONSE = {
    "id": "resp_1",
    "created_at": 1.5,
    "model": "m",
    "object": "response",
    "output": [
        {"type": "of_next_month", "id": "i_1", "parts": [{"type": "part"}]},
        {
            "type": "message",
            "id": "m_1",
            "role": "assistant",
            "status": "half_completed",
            "content": [
                {"type": "output_text", "text": "Hello", "annotations": [{"type": "footnote"}]},
                {"type": "hologram"},
            ],
        },
        {"type": "function_call", "call_id": "c", "name": "f", "arguments": "{}"},
    ],
    "parallel_tool_calls": True,
    "service_tier": "express",
    "tool_choice": "auto",
    "tools": [{"type": "function", "name": "f", "parameters": {}, "strict": None}],
}


def test_an_item_of_an_unknown_type_is_of_no_class_and_does_not_disturb_the_others() -> None:
    made = build((sdk.Response,), json.dumps(RESPONSE).encode())
    other, message, call = made.output
    assert [type(item) for item in made.output] == [
        BaseModel,
        sdk.ResponseOutputMessage,
        sdk.ResponseFunctionToolCall,
    ]
    assert (other.type, other.parts) == ("of_next_month", [{"type": "part"}])
    text, hologram = message.content
    assert (type(text), type(hologram)) == (sdk.ResponseOutputText, BaseModel)
    assert (message.status, type(text.annotations[0])) == ("half_completed", BaseModel)
    assert (made.output_text, made.service_tier, call.name) == ("Hello", "express", "f")
    assert dumped(made) == RESPONSE


def test_the_union_of_the_sockets_events_works_as_well() -> None:
    of_socket = event_reader(sdk.ResponsesServerEvent)
    raw = b'{"type": "response.output_text.delta", "delta": "x", "stream_id": "lane"}'
    made = of_socket(decode_event(raw))
    assert (type(made), made.delta, made.stream_id) == (
        responses_server_event.ResponseTextWsDelta,
        "x",
        "lane",
    )
