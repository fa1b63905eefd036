"""Code written for the official SDK's models reads ours: same classes, same attributes."""

from __future__ import annotations

import inspect
from typing import Any, get_args

import msgspec
import pytest

import turnwire.events
from turnwire.events import (
    Event,
    ResponseFunctionToolCall,
    ResponseTextDeltaEvent,
    decode_event,
    encode,
)

pytestmark = pytest.mark.interop

OURS_ALONE = {"event_type", "item_raw", "item_type", "output_raw", "raw"}
# Attributes that servers send and the SDK's models do not name.
BEYOND_THE_SDK = {
    "Response": {"store"},
    "ResponseCustomToolCall": {"status"},
    "ResponseErrorEvent": {"headers", "status_code"},
    "ResponseFunctionCallArgumentsDoneEvent": {"name"},
}
NAMES = [
    name
    for name in turnwire.events.__all__
    if name.startswith("Response") and name != "ResponseRef"  # routing's own
]


def attributes(owner: type[msgspec.Struct]) -> set[str]:
    properties = inspect.getmembers(owner, lambda member: isinstance(member, property))
    return {*owner.__struct_fields__, *(name for name, _ in properties)} - OURS_ALONE


def sdk_attributes(name: str, ours: type[msgspec.Struct]) -> set[str]:
    """Return those of the SDK's class, and those of its WebSocket twin, which has ``stream_id``."""
    from openai.types import responses

    models: list[Any] = [getattr(responses, name)]
    if issubclass(ours, Event):
        union = get_args(responses.ResponsesServerEvent)[0]
        tag = ours.__struct_config__.tag
        models += [
            each
            for each in get_args(union)
            if tag in get_args(each.model_fields["type"].annotation)
        ]
    return {*OURS_ALONE}.union(*(set(dir(model)) | set(model.model_fields) for model in models))


@pytest.mark.parametrize("name", NAMES)
def test_every_attribute_exists_on_the_sdks_model(name: str) -> None:
    ours = getattr(turnwire.events, name)
    missing = attributes(ours) - sdk_attributes(name, ours)
    assert BEYOND_THE_SDK.get(name, set()) == missing


@pytest.mark.parametrize(
    ("ours", "module", "theirs"),
    [
        ("Usage", "response_usage", "ResponseUsage"),
        ("InputTokensDetails", "response_usage", "InputTokensDetails"),
        ("OutputTokensDetails", "response_usage", "OutputTokensDetails"),
        ("IncompleteDetails", "response", "IncompleteDetails"),
        ("SummaryPart", "response_reasoning_item", "Summary"),
    ],
)
def test_the_parts_have_the_sdks_attributes_too(ours: str, module: str, theirs: str) -> None:
    from openai.types import responses

    model = getattr(getattr(responses, module), theirs)
    assert attributes(getattr(turnwire.events, ours)) <= set(model.model_fields)


def test_a_model_of_the_sdk_reads_the_same_after_our_decoder() -> None:
    from openai.types.responses import ResponseTextDeltaEvent as SdkEvent

    theirs = SdkEvent(
        type="response.output_text.delta",
        item_id="m1",
        output_index=2,
        content_index=1,
        delta="hi",
        logprobs=[],
        sequence_number=7,
    )
    ours = decode_event(theirs.to_json(indent=None).encode())
    assert isinstance(ours, ResponseTextDeltaEvent)
    names = ["type", "item_id", "output_index", "content_index", "delta", "sequence_number"]
    assert [getattr(theirs, name) for name in names] == [getattr(ours, name) for name in names]


def test_an_item_of_the_sdk_goes_out_with_the_fields_it_was_given() -> None:
    from openai.types.responses import ResponseFunctionToolCall as SdkCall

    call = SdkCall(type="function_call", call_id="c", name="f", arguments="{}")
    encoded = encode({"input": [call]})
    decoded = msgspec.json.decode(encoded, type=dict[str, list[ResponseFunctionToolCall]])
    assert decoded == {"input": [ResponseFunctionToolCall(call_id="c", name="f", arguments="{}")]}
    assert b"null" not in encoded
