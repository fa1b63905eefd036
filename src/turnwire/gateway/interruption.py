"""How a turn is made to end before its model has said everything: steered, or cancelled.

A steered turn ends between two items; a cancelled one at once.  Either way its model run is closed
at that moment, even if it is silent, so that no more is generated than was shown.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, Literal, Protocol

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable


class Interruptible(Protocol):
    """What builds the events of a response, and knows where it may end."""

    @property
    def finish(self) -> str | None:
        """Why it ended; None until the model has said everything."""
        ...

    @property
    def at_boundary(self) -> bool:
        """True if no item is open, and the client owes no answer."""
        ...

    def ends_before(self, piece: Any) -> bool:
        """Say whether a steered response ends before this piece of the model's."""
        ...


class Interruption:
    """Ends one turn's model run early, if somebody asks for it.

    Attributes:
        outcome: How the model run was ended, or None if it came to its own end.
    """

    __slots__ = (
        "_asked", "_cancelled", "_cutting", "_pausing", "_reading", "_task", "outcome",
    )  # fmt: skip

    def __init__(self) -> None:
        self.outcome: Literal["steered", "cancelled"] | None = None
        self._asked = False
        self._cancelled = False
        self._reading: Interruptible | None = None  # while the next piece is waited for
        self._pausing = False  # while the client is waited for
        self._task: asyncio.Task[Any] | None = None
        self._cutting = False

    def steer(self) -> None:
        """Let the turn end at the next boundary."""
        self._asked = True
        reading = self._reading
        if reading is not None and reading.finish is None and reading.at_boundary:
            self._cut()

    def cancel(self) -> None:
        """Let the turn end now."""
        self._asked = self._cancelled = True
        if self._pausing or (self._reading is not None and self._reading.finish is None):
            self._cut()

    def _cut(self) -> None:
        if not self._cutting and self._task is not None:
            self._cutting = True
            self._task.cancel()

    async def pause(self, room: Callable[[], Awaitable[None]]) -> None:
        """Wait until the client has room for more, unless the turn is cancelled.

        What a cancelled turn still says is little, and nobody may have to wait for its client.
        """
        if self._cancelled:
            return
        self._pausing, self._task = True, asyncio.current_task()
        try:
            await room()
        except asyncio.CancelledError:
            if not self._cutting or self._undo_cut():
                raise
            self._cutting = False
        finally:
            self._pausing = False

    async def next_of(self, pieces: AsyncIterator[Any], response: Interruptible) -> Any:
        """Return the model's next piece, or None if there is none or the turn ends here.

        Cancelling it ends the model run, too, and is passed on.
        """
        if self._asked and self._ends(response, boundary=response.at_boundary):
            return None
        self._reading, self._task = response, asyncio.current_task()
        try:
            piece = await anext(pieces, None)
        except (asyncio.CancelledError, Exception):
            if not self._cutting or self._undo_cut():
                raise
            piece = None  # how the model took it is nobody's concern
        else:
            if self._cutting:
                self._undo_cut()
                piece = None
        finally:
            self._reading = None
        if self._asked:
            boundary = self._cutting or (piece is not None and response.ends_before(piece))
            return None if self._ends(response, boundary=boundary) else piece
        return piece

    def _undo_cut(self) -> bool:
        """Take our cancellation back; return whether somebody else has cancelled the task, too."""
        assert self._task is not None  # it was cancelled by us
        return self._task.uncancel() > 0

    def _ends(self, response: Interruptible, *, boundary: bool) -> bool:
        if response.finish is not None:
            return False  # the model has said everything, so the turn is complete
        if self._cancelled:
            self.outcome = "cancelled"
        elif boundary:
            self.outcome = "steered"
        return self.outcome is not None
