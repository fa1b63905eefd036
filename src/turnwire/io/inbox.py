"""The events of one turn between the engine, which puts, and the caller, who gets."""

from __future__ import annotations

import asyncio
from collections import deque
from typing import TYPE_CHECKING, Final, NamedTuple

from turnwire.core.actions import Finish, Restart, Steered
from turnwire.core.coalescing import coalesce
from turnwire.io.bell import Bell

if TYPE_CHECKING:
    from turnwire.events import Event

_WORTH_IT: Final = 15 / 16  # of a limit: what joining deltas has to come down to


class Inbox:
    """A queue of events with a limit in bytes.

    Attributes:
        events: What has arrived and was not read.
        size_bytes: What it weighs.
        look_at_bytes: The weight at which somebody should look whether it is too much.
        finish: How the turn ended, once it has.
    """

    __slots__ = ("_waiter", "events", "finish", "look_at_bytes", "size_bytes")

    def __init__(self, look_at_bytes: int) -> None:
        self.events: deque[Event] = deque()
        self.size_bytes = 0
        self.look_at_bytes = look_at_bytes
        self.finish: Finish | None = None
        self._waiter: asyncio.Future[None] | None = None

    def put(self, event: Event) -> bool:
        """Add an event; False if it is time to look at the weight."""
        self.events.append(event)
        self.size_bytes += len(event.raw)
        if self._waiter is not None:
            self._wake()
        return self.size_bytes <= self.look_at_bytes

    def restart(self, event: Event) -> None:
        """Forget what was not read, and put this instead."""
        self.clear()
        self.put(event)

    def clear(self) -> None:
        """Forget what was not read."""
        self.events.clear()
        self.size_bytes = 0

    def coalesce(self) -> None:
        """Join text deltas: fewer events, and not a character lost."""
        self.size_bytes -= coalesce(self.events)

    def close(self, finish: Finish) -> None:
        """Note how the turn ended; nothing is put after this."""
        self.finish = finish
        if self._waiter is not None:
            self._wake()

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)
        self._waiter = None

    async def wait_changed(self) -> None:
        """Wait for an event or for the end; cancelling is safe."""
        if self._waiter is None or self._waiter.done():
            self._waiter = asyncio.get_running_loop().create_future()
        await asyncio.shield(self._waiter)


class Overflow(NamedTuple):
    """Too much was not read.

    Attributes:
        turn: Which turn has to end.
        limit_bytes: How much would have been allowed.
        option: What the limit is called.
    """

    turn: int
    limit_bytes: int
    option: str


class Inboxes:
    """The inboxes of a client's turns, which have a limit each and one together.

    Args:
        limit_bytes: Of one.
        together_bytes: Of all.
    """

    def __init__(self, limit_bytes: int, together_bytes: int) -> None:
        self.by_turn: dict[int, Inbox] = {}
        self._by_steer: dict[int, Bell] = {}
        self._limit_bytes = limit_bytes
        self._together_bytes = together_bytes

    def open(self, turn: int) -> Inbox:
        """Make the inbox of a new turn."""
        inbox = self.by_turn[turn] = Inbox(self._look_at_bytes(0))
        return inbox

    def listen(self, steer: int) -> Bell:
        """Return what rings when a steer has moved."""
        bell = self._by_steer[steer] = Bell()
        return bell

    def tell(self, action: Restart | Finish | Steered) -> None:
        """Pass on what is more than an event."""
        match action:
            case Restart(turn, event):
                self.by_turn[turn].restart(event)
            case Finish(turn):
                self.by_turn.pop(turn).close(action)
            case Steered(steer, ended):
                self._by_steer[steer].ring()
                if ended:
                    del self._by_steer[steer]

    def relieve(self, turn: int) -> Overflow | None:
        """Do something about an inbox that has grown: join deltas.

        Returns:
            Which turn has to end, and why; None if that was enough.
        """
        inbox = self.by_turn[turn]
        if inbox.size_bytes > self._limit_bytes:
            inbox.coalesce()
            # What brings little room would have to be done again at once, and costs each time.
            if inbox.size_bytes > self._limit_bytes * _WORTH_IT:
                return Overflow(turn, self._limit_bytes, "buffer_bytes")
        if self._size_bytes > self._together_bytes:
            slowest = max(self.by_turn, key=lambda number: self.by_turn[number].size_bytes)
            self.by_turn[slowest].coalesce()
            if self._size_bytes > self._together_bytes * _WORTH_IT:
                return Overflow(slowest, self._together_bytes, "client_buffer_bytes")
        inbox.look_at_bytes = self._look_at_bytes(inbox.size_bytes)
        return None

    @property
    def _size_bytes(self) -> int:
        return sum(inbox.size_bytes for inbox in self.by_turn.values())

    def _look_at_bytes(self, size_bytes: int) -> int:
        # In steps, so that the inboxes need not be added up at each event.
        step = max(1, self._together_bytes // (4 * max(16, len(self.by_turn))))
        return min(self._limit_bytes, size_bytes + step)
