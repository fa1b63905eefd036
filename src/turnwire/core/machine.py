"""What every state machine here shares: a table, and an error when a pair is not in it."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Mapping
    from enum import Enum

    S = TypeVar("S", bound=Enum)
    E = TypeVar("E", bound=Enum)


class IllegalTransition(AssertionError):
    """A machine was told something that cannot happen in its state: a bug in the core."""


def advance(table: Mapping[tuple[S, E], S], state: S, signal: E) -> S:
    """Return the state that follows ``state`` on ``signal``.

    Raises:
        IllegalTransition: The pair is not in the table.
    """
    try:
        return table[state, signal]
    except KeyError:
        raise IllegalTransition(f"{state} cannot take {signal}") from None
