"""Read what fits of an object of which something does not fit.

One odd field, a voice that became an object say, must not hide that a response is done.
"""

from __future__ import annotations

import math
from functools import cache
from types import UnionType
from typing import Any, Final, TypeVar, Union, cast, get_args, get_origin

import msgspec

from turnwire.events.realtime.response import RealtimeError, RealtimeResponseStatus

_Struct = TypeVar("_Struct", bound=msgspec.Struct)

# Some servers write plain text where the wire has an object: the field that it means.
_MEANING_OF_TEXT: Final[dict[type[msgspec.Struct], str]] = {
    RealtimeError: "message",
    RealtimeResponseStatus: "reason",
}


def read(cls: type[_Struct], found: dict[str, Any]) -> _Struct | None:
    """Return the struct, whole where all fits, else :func:`salvage` of it."""
    try:
        return msgspec.convert(found, cls)
    except msgspec.ValidationError:
        return salvage(cls, found)


_fields = cache(msgspec.structs.fields)  # which reads the annotations anew at each use


def salvage(cls: type[_Struct], found: dict[str, Any]) -> _Struct | None:
    """Return the struct with the fields that fit, or None if one without a default does not."""
    kept: dict[str, Any] = {}
    for field in _fields(cls):
        fits = False
        if field.encode_name in found:
            fits, value = _fit(found[field.encode_name], field.type)
            if fits:
                kept[field.name] = value
        if not fits and field.required:
            return None
    return cls(**kept)


def _fit(value: object, wanted: Any) -> tuple[bool, Any]:
    try:
        return True, msgspec.convert(value, wanted, strict=False)
    except msgspec.ValidationError:
        pass
    for choice in _choices(wanted):
        fits, fitted = _fit_choice(value, choice)
        if fits:
            return True, fitted
    return False, None


def _choices(wanted: Any) -> tuple[Any, ...]:
    return get_args(wanted) if get_origin(wanted) in {Union, UnionType} else (wanted,)


def _fit_choice(value: object, choice: Any) -> tuple[bool, Any]:
    if isinstance(choice, type) and issubclass(choice, msgspec.Struct):
        if isinstance(value, str) and choice in _MEANING_OF_TEXT:
            value = {_MEANING_OF_TEXT[choice]: value}
        salvaged = salvage(choice, cast("dict[str, Any]", value)) if _is_object(value) else None
        return salvaged is not None, salvaged
    if get_origin(choice) is list and isinstance(value, list):
        (inner,) = get_args(choice)
        fitted = [_fit(each, inner) for each in cast("list[object]", value)]
        return True, [each for fits, each in fitted if fits]
    if choice is int and isinstance(value, float) and math.isfinite(value):
        return True, int(value)
    if choice is str and isinstance(value, int):
        return True, str(value)
    return False, None


def _is_object(value: object) -> bool:
    return isinstance(value, dict)
