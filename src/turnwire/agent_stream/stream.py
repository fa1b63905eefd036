"""The stream that a runner reads."""

from __future__ import annotations

from typing import TYPE_CHECKING

from turnwire.agent_stream.events import DoneEvent, ErrorEvent
from turnwire.errors import TurnwireError

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterator
    from types import TracebackType
    from typing import Self

    from turnwire.agent_stream.events import AgentEvent
    from turnwire.agent_stream.messages import AssistantMessage


class AgentStream:
    """The events of one answer; it begins when it is first read.

    Whatever fails is an event, never an exception: the last event is ``done`` or ``error``, there
    is exactly one of them, and nothing comes after it.  Leaving ``async with`` or cancelling the
    task that reads ends the turn; so does leaving ``async for`` early, once nobody holds the
    stream any more.
    """

    def __init__(self, events: AsyncGenerator[AgentEvent]) -> None:
        self._events = events
        self._message: AssistantMessage | None = None

    def __aiter__(self) -> AsyncIterator[AgentEvent]:
        return self

    async def __anext__(self) -> AgentEvent:
        event = await anext(self._events)
        if isinstance(event, DoneEvent | ErrorEvent):
            self._message = event.message
        return event

    async def result(self) -> AssistantMessage:
        """Read to the end and return the final message; if it failed, ``error_message`` says how.

        Cancelling it ends the turn.

        Raises:
            TurnwireError: The stream was closed before its end.
        """
        async for _ in self:
            pass
        if self._message is None:
            raise TurnwireError("the stream was closed before its end, so it has no result")
        return self._message

    async def aclose(self) -> None:
        """End the turn if it still runs; no further event comes."""
        await self._events.aclose()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.aclose()
