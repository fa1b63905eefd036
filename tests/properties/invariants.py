"""How an invariant that does not hold says its name."""

from __future__ import annotations


class InvariantBroken(AssertionError):
    """Something that must always be true is not."""


def require(invariant: str, holds: bool, *facts: object) -> None:  # noqa: FBT001  # reads as prose
    """Demand that an invariant holds; the name is what ``make faults`` prints."""
    if not holds:
        raise InvariantBroken(f"<{invariant}> {' | '.join(map(str, facts))}")
