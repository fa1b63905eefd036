"""What a caller can wait for, blocking: an item, an update, a response."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Generic, TypeVar

from turnwire.events.realtime import RealtimeEvent
from turnwire.realtime.answers import response_of

if TYPE_CHECKING:
    from turnwire.events.realtime import RealtimeResponse
    from turnwire.realtime import answers
    from turnwire.realtime.sync.thread import Thread

T_co = TypeVar("T_co", covariant=True)


class Answer(Generic[T_co]):
    """Something to be waited for, or not; see :class:`turnwire.realtime.Answer`."""

    def __init__(self, thread: Thread, answer: answers.Answer[T_co]) -> None:
        self._thread = thread
        self._answer = answer

    @property
    def done(self) -> bool:
        """True once it is known."""
        return self._answer.done

    @property
    def failed(self) -> bool:
        """True if it is known, and is an error."""
        return self._answer.failed

    def result(self, timeout: float | None = None) -> T_co:
        """Wait for it and return it.

        Args:
            timeout: Seconds; None for as long as it takes.

        Raises:
            TimeoutError: It took longer; it may still come.
            TurnError: The server refused.
            ConnectionLost: The session was closed, or lost before the answer came.
        """

        async def wait() -> T_co:
            async with asyncio.timeout(timeout):
                return await self._answer

        if self._answer.done:
            return self._answer.outcome()
        return self._thread.wait_or(wait(), self._answer.outcome)


class PendingResponse(Answer["RealtimeResponse"]):
    """A response that was asked for; see :class:`turnwire.realtime.PendingResponse`."""

    _answer: answers.PendingResponse

    def __init__(self, thread: Thread, answer: answers.PendingResponse) -> None:
        super().__init__(thread, answer)
        self.begun = Answer(thread, answer.begun)

    @property
    def response_id(self) -> str | None:
        """Its id, or None as long as it has none."""
        return self._answer.response_id

    def created(self, timeout: float | None = None) -> RealtimeResponse:
        """Wait until the server has begun it; seconds, None for as long as it takes.

        Raises:
            TimeoutError: It took longer.
            TurnwireError: As of ``result``.
        """
        return response_of(self.begun.result(timeout))


class PendingItem(Answer[RealtimeEvent]):
    """An item that was sent; see :class:`turnwire.realtime.PendingItem`.

    Attributes:
        item_id: Its id.
    """

    def __init__(self, thread: Thread, answer: answers.PendingItem) -> None:
        super().__init__(thread, answer)
        self.item_id = answer.item_id
