"""The events of a turn, as the runner reads them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from openai.types import responses as sdk

from turnwire.adapters.openai_agents import objects
from turnwire.errors import TurnwireError
from turnwire.events import (
    ResponseCompletedEvent,
    ResponseErrorEvent,
    ResponseIncompleteEvent,
    TurnRestartedEvent,
    TurnResumedEvent,
)

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Self

    from turnwire.client.turn import AsyncTurn
    from turnwire.events import Event

# An error is raised instead; the end is handed out whatever the server's word for it is; and what
# this side did is nothing that the SDK has a class for.
_NOT_HANDED_OUT = (
    ResponseCompletedEvent,
    ResponseErrorEvent,
    TurnRestartedEvent,
    TurnResumedEvent,
)


def _is_steered(event: Event) -> bool:
    """Tell the end of a response that goes on as another one from the end of a turn."""
    if not isinstance(event, ResponseIncompleteEvent):
        return False
    details = event.response.incomplete_details
    return details is not None and details.reason == "steered"


class EventStream:
    """An iterator of the official SDK's events, each made when it is asked for.

    Args:
        turn: The turn; closing the stream before its end cancels it.
        completed: Called when the turn has completed, before the event that says so is handed
            out: who reads may stop there.  It returns the response of that event.
        ended: Called at the end, however that came.
        error_of: Makes the exception to raise out of turnwire's.
    """

    def __init__(
        self,
        turn: AsyncTurn,
        *,
        completed: Callable[[], sdk.Response],
        ended: Callable[[], None],
        error_of: Callable[[TurnwireError], Exception],
    ) -> None:
        self._turn = turn
        self._completed = completed
        self._ended = ended
        self._error_of = error_of
        self._last_sequence_number = -1
        self._is_over = False

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Any:
        if self._is_over:
            raise StopAsyncIteration
        try:
            event = await anext(self._turn)
            while isinstance(event, _NOT_HANDED_OUT) or _is_steered(event):
                event = await anext(self._turn)
        except TurnwireError as error:
            self._end()
            raise self._error_of(error) from error
        except StopAsyncIteration:
            self._end()
            if self._turn.response is None or self._turn.response.status != "completed":
                raise
            return self._completed_event()
        self._last_sequence_number = event.sequence_number or self._last_sequence_number
        return objects.event(event)

    def _completed_event(self) -> sdk.ResponseCompletedEvent:
        return sdk.ResponseCompletedEvent.construct(
            None,
            response=self._completed(),
            sequence_number=self._last_sequence_number + 1,
            type="response.completed",
        )

    def _end(self) -> None:
        if not self._is_over:  # later the chain may have another turn
            self._is_over = True
            self._ended()

    async def aclose(self) -> None:
        """Cancel the turn if it has not ended."""
        self._end()
        await self._turn.aclose()
