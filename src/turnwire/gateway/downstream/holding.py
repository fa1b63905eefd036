"""The beginning of a turn, held back until it is known whether it has one.

Over HTTP a refusal can have its status, and ``Retry-After``, only as long as nothing was sent; so
the events that every response begins with wait for the first one that its model is the cause of.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from turnwire.gateway.json_shapes import Json

# Nearly every refusal comes sooner, and no client takes a second of silence for a failure.
PATIENCE: Final = 1.0  # seconds

_BEGINNING: Final = frozenset({"response.created", "response.in_progress"})


async def beginning_of(events: asyncio.Queue[Json], patience: float) -> list[Json]:
    """Take a turn's first events, up to the first one that its model is the cause of.

    Cancelling loses what was taken so far.

    Args:
        events: Those of the turn, as they come.
        patience: Seconds after which what there is has to do.

    Returns:
        The events, fewer or none if the model was silent; an ``error`` alone, as of a turn that was
        refused in time nothing else is to be shown.
    """
    begun: list[Json] = []
    with suppress(TimeoutError):
        async with asyncio.timeout(patience):
            while not begun or begun[-1]["type"] in _BEGINNING:
                begun.append(await events.get())
                events.task_done()
    return begun[-1:] if begun and begun[-1]["type"] == "error" else begun
