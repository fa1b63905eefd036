"""JSON for any class of the official SDK, made from its fields' types."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Literal, get_args, get_origin

from turnwire.client.building import is_model, members

_DEPTH = 5  # below it only what is required: some classes contain themselves


def sample(kind: Any, choice: int = 0, depth: int = 0) -> Any:
    """Return JSON that fits a type; ``choice`` picks the members of unions, and words."""
    options = members(kind)
    one = options[choice % len(options)]
    origin = get_origin(one) or one
    if is_model(one):
        return fields_of(one, choice, depth + 1)
    if origin is Literal:
        words = get_args(one)
        return words[choice % len(words)]
    if origin in (list, Iterable):
        return [sample(*(get_args(one) or (object,)), choice=choice, depth=depth)]
    if origin is dict:
        return {"key": sample((get_args(one) or (object,))[-1], choice, depth)}
    plain = {str: "text", int: 7, float: 0.5, bool: True, object: {"any": ["thing", None, 1]}}
    return plain[one]


def fields_of(cls: Any, choice: int, depth: int = 0) -> dict[str, Any]:
    return {
        field.alias or name: sample(field.annotation, choice, depth)
        for name, field in cls.model_fields.items()
        if field.is_required() or depth < _DEPTH
    }
