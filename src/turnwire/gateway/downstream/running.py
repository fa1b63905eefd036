"""One turn in a task of its own, shown to whoever asked for it for as long as they are there."""

from __future__ import annotations

import asyncio
import logging
from contextlib import aclosing
from typing import TYPE_CHECKING

from turnwire.core.serving import error_event

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Awaitable, Callable

    from turnwire.gateway.downstream.lingering import Lingering
    from turnwire.gateway.interruption import Interruption
    from turnwire.gateway.json_shapes import Json
    from turnwire.gateway.store.event_log import EventLog

_log = logging.getLogger(__name__)


class RunningTurn:
    """Runs from its creation.

    Args:
        events: What the turn yields.
        log: What others can fetch of it.
        show: Takes an event.
        room: Waits until the client has room for the next one.
        lingering: Where the turn goes when its client does; None stops it then.
        interruption: Ends it early.

    Attributes:
        task: Ends with the turn.
        attended: False once the client has left; nothing is shown any more.
    """

    def __init__(
        self,
        events: AsyncGenerator[Json],
        log: EventLog,
        show: Callable[[Json], None],
        room: Callable[[], Awaitable[None]],
        *,
        lingering: Lingering | None,
        name: str,
        interruption: Interruption,
    ) -> None:
        self._events = events
        self._event_log = log
        self._show = show
        self._room = room
        self._lingering = lingering
        self._interruption = interruption
        self.attended = True
        self.task = asyncio.create_task(self._run(), name=name)

    def steer(self) -> None:
        """Let the turn end at its next boundary, as ``steered``."""
        self._interruption.steer()

    def skip_number(self) -> None:
        """Leave out a number of the turn's events: the client has seen something else with it."""
        self._event_log.skip()

    def leave(self, *, may_linger: bool = True) -> bool:
        """Note that the client is gone: the turn is stopped unless it may linger.

        Args:
            may_linger: False if the client cannot come back for it.

        Returns:
            True if the turn will have ended once ``task`` is awaited, False if it lingers.
        """
        self.attended = False
        if self.task.done():
            return True
        lingering = self._lingering if may_linger else None
        if lingering is not None and lingering.keep(self.task, self._event_log):
            return False
        self.task.cancel()
        return True

    def stop(self) -> None:
        """Show nothing more, and end as soon as the model run has."""
        self.attended = False
        self.task.cancel()

    async def _run(self) -> None:
        try:
            async with aclosing(self._events):
                async for event in self._events:
                    if self.attended:
                        self._show(event)
                        await self._interruption.pause(self._room)
        except Exception:  # noqa: BLE001  # the last resort: a client that waits gets an answer
            _log.exception("a turn failed")
            if self.attended:
                failure = error_event("The gateway failed.", status=500, kind="server_error")
                self._show(failure)
