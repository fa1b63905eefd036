"""How long a request waits for the first socket: as long as it would for a connection of HTTP."""

from __future__ import annotations

import asyncio
from contextlib import contextmanager
from typing import TYPE_CHECKING

from turnwire.adapters.drop_in.report import Report
from turnwire.errors import DialTimeout, QueueTimeout

if TYPE_CHECKING:
    from collections.abc import Callable, Generator

    from turnwire.client.turn import AsyncTurn
    from turnwire.core.request import Transport
    from turnwire.errors import TurnwireError


class Connecting:
    """Gives a turn up that still waits for a first socket when its time is over.

    The dial goes on, for those who come later.

    Args:
        seconds: How long it may take; None for as long as dials take.
        transport: What to do then: an ``auto`` turn goes over HTTP.
        is_connected: Says whether there has been a socket.
    """

    def __init__(
        self, seconds: float | None, transport: Transport, is_connected: Callable[[], bool]
    ) -> None:
        self._seconds = seconds
        self._transport = transport
        self._is_connected = is_connected
        self._stopping: asyncio.Task[None] | None = None

    def ended(self, error: TurnwireError) -> bool:
        """Say whether an error comes from here, or from waiting for a lane of no socket."""
        never = isinstance(error, QueueTimeout) and not self._is_connected()
        return never or self._stopping is not None

    @contextmanager
    def limited(self, turn: AsyncTurn) -> Generator[None]:
        """Watch a turn while its caller waits for its first events."""
        if self._seconds is None:
            yield
            return
        loop = asyncio.get_running_loop()
        timer = loop.call_later(self._seconds, self._look, loop, turn)
        try:
            yield
        finally:
            timer.cancel()

    def _look(self, loop: asyncio.AbstractEventLoop, turn: AsyncTurn) -> None:
        if turn.delivery == "queued" and not self._is_connected():
            self._stopping = loop.create_task(turn.aclose())

    def fall_back(self) -> Report:
        """Report that the request goes over HTTP.

        Raises:
            DialTimeout: It must not.
        """
        why = "no socket could be opened in the time that the request allows for connecting"
        if self._transport != "auto":
            raise DialTimeout(why)
        return Report(None, f"fallback: {why}")
