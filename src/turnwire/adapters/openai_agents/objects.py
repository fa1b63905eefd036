"""The official SDK's objects, made of what came over the wire.

Exact: each class is chosen by its ``type`` and nothing else, so that a type which the installed
SDK does not know is never mistaken for another one.  Choosing also saves most of the time that
trying all classes of a union takes.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any, get_args

import openai
from openai.types import responses as sdk
from openai.types.responses.response_output_item import ImageGenerationCall
from pydantic import ValidationError

from turnwire.client.building import build
from turnwire.events import (
    Lifecycle,
    ResponseOutputItemAddedEvent,
    ResponseOutputItemDoneEvent,
    encode,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

    from turnwire.events import Event, Response

Classes = dict[str, type[openai.BaseModel]]


class OtherOutputItem(ImageGenerationCall):
    """An output item of a type that the installed SDK does not know.

    It has its fields as attributes, and goes back to the server as it came.  The runner refuses
    items of classes that it does not know, so this one derives from one that it passes on and
    does nothing about.
    """

    id: Any = None
    result: Any = None
    status: Any = None
    type: Any = None


@cache
def _classes(union: Any) -> Classes:
    """Return the classes of a union by the types that they are for."""
    found: Classes = {}
    for cls in get_args(get_args(union)[0]):  # Annotated[Union[...], ...]
        for word in get_args(cls.model_fields["type"].annotation):
            found[word] = cls
    return found


def _built(cls: type[openai.BaseModel], fields: Mapping[str, Any]) -> Any:
    """Make an object, also of what does not fit its class."""
    try:
        return cls.model_validate(fields)
    except ValidationError:
        return build((cls,), encode(fields))


def output_item(fields: Mapping[str, Any]) -> Any:
    """Return an output item."""
    known = _classes(sdk.ResponseOutputItem).get(fields.get("type", ""))
    return _built(known or OtherOutputItem, fields)


def _tool(fields: Mapping[str, Any]) -> Any:
    return _built(_classes(sdk.Tool).get(fields.get("type", ""), openai.BaseModel), fields)


_PARTS = {"output": output_item, "tools": _tool}


def response(of: Response) -> sdk.Response:
    """Return a response with all its fields."""
    fields = of.to_dict()
    parts = {
        name: [make(part) for part in fields[name]]
        for name, make in _PARTS.items()
        if isinstance(fields.get(name), list)
    }
    built: sdk.Response = _built(sdk.Response, fields | dict.fromkeys(parts, ()))
    for name, value in parts.items():
        setattr(built, name, value)
    return built


def event(of: Event) -> Any:
    """Return an event."""
    cls = _classes(sdk.ResponseStreamEvent).get(of.type, openai.BaseModel)
    if isinstance(of, Lifecycle):
        about = {"type": of.type, "sequence_number": of.sequence_number}
        return cls.construct(None, **about, response=response(of.response))
    if isinstance(of, ResponseOutputItemAddedEvent | ResponseOutputItemDoneEvent):
        fields = of.to_dict()
        return cls.construct(None, **fields | {"item": output_item(fields["item"])})
    try:
        return cls.model_validate_json(of.raw)
    except ValidationError:
        return build((cls,), of.raw)
