"""One create, from the first byte of its answer to the last."""

from __future__ import annotations

import weakref
from typing import TYPE_CHECKING

from turnwire.adapters.drop_in.answer import Answer, failed, refusal, stream_piece, whole
from turnwire.adapters.drop_in.beginning import Beginning
from turnwire.adapters.drop_in.report import Report
from turnwire.client.turn import failure_of, wait_ended
from turnwire.core.failure import FailureKind
from turnwire.core.signals import signal_of
from turnwire.core.turn import TERMINAL_SIGNALS
from turnwire.errors import TurnError, TurnInterrupted, TurnwireError
from turnwire.events import ResponseErrorEvent, TurnRestartedEvent

if TYPE_CHECKING:
    from collections import deque
    from collections.abc import Callable, Iterable

    from turnwire.adapters.drop_in.connecting import Connecting
    from turnwire.client.turn import AsyncTurn
    from turnwire.events import Event

    Ended = Callable[[bool], None]  # told once, whether it ended well


class Exchange:
    """A turn as the answer to an HTTP request.

    Attributes:
        report: How it travels.
        answer: The answer in one piece; None if there is a stream to read.

    Args:
        turn: The turn, which was not submitted.
        connecting: Bounds the time without any socket.
        ended: Told whether the turn ended well; also if nobody reads the answer to its end.
    """

    def __init__(self, turn: AsyncTurn, connecting: Connecting, ended: Ended) -> None:
        self._turn = turn
        self._connecting = connecting
        self._ended = weakref.finalize(self, ended, False)  # noqa: FBT003  # its only argument
        self._ended.atexit = False
        self._first: deque[Event] | None = None
        self._beginning = Beginning()
        self._has_end = False  # whether the terminal event was handed out
        self._number = 0  # for an event that the server would have numbered over HTTP
        self.report = Report(turn)
        self.answer: Answer | None = None

    async def begin(self, *, streams: bool) -> bool:
        """Wait until it is known what the answer begins with; False if it goes over HTTP instead.

        Cancelling it cancels the turn.

        Raises:
            TurnwireError: There is no answer: the server was not reached, or the way to it broke.
        """
        try:
            await self._turn.submit()
            with self._connecting.limited(self._turn):
                await (self._first_events() if streams else self._all())
        except TurnwireError as error:
            if self._connecting.ended(error):
                self.report = self._connecting.fall_back()
                return False
            failure = failure_of(self._turn)
            handed_over = failure is not None and failure.kind is FailureKind.HANDED_OVER
            self.answer = None if failure is None else refusal(failure)
            if self.answer is None and not handed_over:
                raise
            return not handed_over
        finally:
            if self._first is None:
                await self.aclose()
        return True

    async def _all(self) -> None:
        end = await wait_ended(self._turn)
        try:
            self.answer = whole(await self._turn.get_final_response())
        except TurnError:
            self.answer = failed(end)
            if self.answer is None:
                raise

    async def _first_events(self) -> None:
        events = await self._turn.next_batch()
        while events and isinstance(events[0], TurnRestartedEvent):  # of what nobody has seen
            events.popleft()
            events = events or await self._turn.next_batch()
        if isinstance(events[0], ResponseErrorEvent):
            await self._turn.next_batch()  # which raises what the event says
        self._first = events

    async def next_piece(self) -> bytes:
        """Return the next bytes of the stream: all that have come; nothing at its end.

        Cancelling it loses nothing.

        Raises:
            TurnwireError: The stream broke before the turn's terminal event.
        """
        try:
            events = await self._next_events()
        except TurnwireError as error:
            events = self._beginning.rest()
            if not events:
                await self.aclose()
                if isinstance(error, TurnInterrupted) or not self._has_end:
                    raise
        if not events:
            await self.aclose()
            return b""
        self._has_end = signal_of(events[-1]) in TERMINAL_SIGNALS
        final = self._turn.response
        if final is not None:
            self._tell_end()  # now: whoever has the last event may go on at once
        return stream_piece(events, final, self._next_number(events))

    async def _next_events(self) -> deque[Event]:
        events, self._first = self._first, None
        while True:
            if events is None:
                events = await self._turn.next_batch()
            shown = self._beginning.passed(events) if events else self._beginning.rest()
            if shown or not events:
                return shown
            events = None

    def _next_number(self, events: Iterable[Event]) -> int:
        known = [event.sequence_number for event in events if event.sequence_number is not None]
        self._number = max([self._number, *(number + 1 for number in known)])
        return self._number

    async def aclose(self) -> None:
        """Stop it, if it has not ended."""
        await self._turn.aclose()
        self._tell_end()

    def _tell_end(self) -> None:
        found = self._ended.detach()
        if found is not None:
            found[1](self._turn.response is not None)
