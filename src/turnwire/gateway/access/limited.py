"""A turn within the limits of the key that asked for it."""

from __future__ import annotations

import asyncio
from contextlib import aclosing
from typing import TYPE_CHECKING

from turnwire.gateway.json_shapes import Json, object_or_empty

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from turnwire.gateway.access.limits import Allowance
    from turnwire.gateway.observing.statistics import Statistics
    from turnwire.gateway.output.meter import Meter


def within(
    allowance: Allowance, events: AsyncGenerator[Json], statistics: Statistics, meter: Meter
) -> AsyncGenerator[Json]:
    """Return the turn's events, or the one ``error`` event that says that it has to wait.

    The refusal comes when the turn would begin, so that it is in order on its lane.

    Args:
        allowance: What the key of the turn may still use.
        events: What the turn yields; not asked for anything if it is refused.
        statistics: Where refusals are counted.
        meter: Estimates what a turn took that does not say it.
    """
    if not allowance.limits_turns:
        return events
    return _within(allowance, events, statistics, meter)


async def _within(
    allowance: Allowance, events: AsyncGenerator[Json], statistics: Statistics, meter: Meter
) -> AsyncGenerator[Json]:
    time = asyncio.get_running_loop().time
    over = allowance.begin_turn(time())
    if over is not None:
        statistics.turns_refused += 1
        yield over.refusal().event()
        return
    tokens = 0
    try:
        async with aclosing(events):
            async for event in events:
                tokens = _tokens(event) or tokens
                yield event
    finally:
        allowance.end_turn(tokens or meter.estimated_tokens(), time())


def _tokens(event: Json) -> int:
    """Return what a terminal event says that the turn took; 0 for other events."""
    usage = object_or_empty(object_or_empty(event.get("response")).get("usage"))
    return int(usage.get("total_tokens", 0))
