"""JSON values whose shape nobody promised: ask before use, or take nothing."""

from __future__ import annotations

from typing import Any, Final, TypeGuard

import msgspec

Json = dict[str, Any]

# All that decoding may raise on bytes that are no JSON, no UTF-8, or nested without end.
UNREADABLE: Final = (msgspec.MsgspecError, UnicodeDecodeError, RecursionError)


def is_object(value: Any) -> TypeGuard[Json]:
    """Say whether a JSON value is an object."""
    return isinstance(value, dict)


def is_array(value: Any) -> TypeGuard[list[Any]]:
    """Say whether a JSON value is an array."""
    return isinstance(value, list)


def object_or_empty(value: Any) -> Json:
    """Return the object, or an empty one in place of anything else."""
    return value if is_object(value) else {}


def array_or_empty(value: Any) -> list[Any]:
    """Return the array, or an empty one in place of anything else."""
    return value if is_array(value) else []
