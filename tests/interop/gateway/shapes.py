"""What the gateway said, against the models of the installed ``openai`` package."""

from __future__ import annotations

import json
import typing
from functools import cache
from typing import TYPE_CHECKING, Any

from openai.types.responses import Response, response_stream_event, responses_server_event
from pydantic import BaseModel

if TYPE_CHECKING:
    from collections.abc import Iterator

    from interop.gateway.recorder import Recorder

Json = dict[str, Any]


def strangers(recorder: Recorder) -> set[str]:
    """Check everything that a recorder has kept; return the members that the models do not know.

    Raises:
        pydantic.ValidationError: Something is not as the models want it.
        KeyError: No model is known for an event of this type.
        AssertionError: A member is missing, or was lost.
    """
    found: set[str] = set()
    for event in recorder.socket_events:
        found |= _check(event, _models(responses_server_event.ResponsesServerEvent)[event["type"]])
    for event in recorder.stream_events:
        found |= _check(event, _models(response_stream_event.ResponseStreamEvent)[event["type"]])
    for response in recorder.responses:
        found |= _check(response, Response)
    return found


@cache
def _models(union: Any) -> dict[str, type[BaseModel]]:
    members = typing.get_args(typing.get_args(union)[0])
    return {
        typing.get_args(member.model_fields["type"].annotation)[0]: member for member in members
    }


def _check(value: Json, model: type[BaseModel]) -> set[str]:
    parsed = model.model_validate_json(json.dumps(value), strict=True)
    missing = {
        field.alias or name for name, field in model.model_fields.items() if field.is_required()
    } - value.keys()
    assert missing == set(), (value.get("type"), missing)
    assert parsed.model_dump(mode="json", by_alias=True, exclude_unset=True) == value
    return set(_unknown(parsed))


def _unknown(value: Any) -> Iterator[str]:
    """Yield the members that no model names, as ``Model.member``."""
    match value:
        case BaseModel():
            yield from (f"{type(value).__name__}.{name}" for name in value.model_extra or {})
            for name in type(value).model_fields:
                yield from _unknown(getattr(value, name))
        case dict():
            for each in value.values():
                yield from _unknown(each)
        case list():
            for each in value:
                yield from _unknown(each)
