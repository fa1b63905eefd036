"""The server events that turnwire acts on, and those that users touch most.

Everything else becomes :class:`OtherEvent`: never an exception, never mistaken for another type.
Class and attribute names are the official SDK's. A new event type needs nothing here.
"""

from __future__ import annotations

from typing import Any, Final

import msgspec

from turnwire.events.base import Event, ResponseRef
from turnwire.events.response import ErrorBody, Item, Response, decode_item


class Lifecycle(Event, frozen=True, kw_only=True):
    """An event that carries the whole response object."""

    response: Response


class ResponseCreatedEvent(Lifecycle, frozen=True, kw_only=True, tag="response.created"):
    """The server made the response object."""


class ResponseQueuedEvent(Lifecycle, frozen=True, kw_only=True, tag="response.queued"):
    """The response waits for a place."""


class ResponseInProgressEvent(Lifecycle, frozen=True, kw_only=True, tag="response.in_progress"):
    """The model runs; a fork has bound its parent (protocol notes, section 5)."""


class ResponseCompletedEvent(Lifecycle, frozen=True, kw_only=True, tag="response.completed"):
    """Terminal: the response is whole."""


class ResponseIncompleteEvent(Lifecycle, frozen=True, kw_only=True, tag="response.incomplete"):
    """Terminal: the response stopped early; ``response.incomplete_details`` says why."""


class ResponseFailedEvent(Lifecycle, frozen=True, kw_only=True, tag="response.failed"):
    """Terminal: the model run failed; ``response.error`` says how."""


# Asking for the exact class is four times quicker than `isinstance`, once per event.
LIFECYCLE: Final[frozenset[type[Event]]] = frozenset(Lifecycle.__subclasses__())


class ResponseErrorEvent(Event, frozen=True, kw_only=True, tag="error"):
    """Terminal for its turn, not for the socket; both the nested and the flat shape."""

    error: ErrorBody | str | None = None
    status: int | None = None
    status_code: int | None = None
    headers: dict[str, Any] | None = None
    code: str | int | None = None
    message: str | None = None
    param: str | None = None


class _OutputItem(Event, frozen=True, kw_only=True):
    item_raw: msgspec.Raw = msgspec.field(name="item")
    output_index: int = 0

    @property
    def item(self) -> Item:
        """The item, decoded at each use."""
        return decode_item(self.item_raw)


class ResponseOutputItemAddedEvent(
    _OutputItem, frozen=True, kw_only=True, tag="response.output_item.added"
):
    """An output item begins."""


class ResponseOutputItemDoneEvent(
    _OutputItem, frozen=True, kw_only=True, tag="response.output_item.done"
):
    """An output item is whole."""


class _Delta(Event, frozen=True, kw_only=True, gc=False):
    delta: str = ""
    item_id: str = ""
    output_index: int = 0


class _ContentDelta(_Delta, frozen=True, kw_only=True, gc=False):
    content_index: int = 0


class ResponseTextDeltaEvent(
    _ContentDelta, frozen=True, kw_only=True, gc=False, tag="response.output_text.delta"
):
    """The next characters of a message."""


class ResponseRefusalDeltaEvent(
    _ContentDelta, frozen=True, kw_only=True, gc=False, tag="response.refusal.delta"
):
    """The next characters of a refusal."""


class ResponseReasoningTextDeltaEvent(
    _ContentDelta, frozen=True, kw_only=True, gc=False, tag="response.reasoning_text.delta"
):
    """The next characters of open reasoning."""


class ResponseReasoningSummaryTextDeltaEvent(
    _Delta, frozen=True, kw_only=True, gc=False, tag="response.reasoning_summary_text.delta"
):
    """The next characters of a reasoning summary."""

    summary_index: int = 0


class ResponseFunctionCallArgumentsDeltaEvent(
    _Delta, frozen=True, kw_only=True, gc=False, tag="response.function_call_arguments.delta"
):
    """The next characters of a call's JSON arguments."""


class ResponseCustomToolCallInputDeltaEvent(
    _Delta, frozen=True, kw_only=True, gc=False, tag="response.custom_tool_call_input.delta"
):
    """The next characters of a custom tool's input."""


class ResponseTextDoneEvent(
    Event, frozen=True, kw_only=True, gc=False, tag="response.output_text.done"
):
    """A message's text is whole."""

    text: str = ""
    item_id: str = ""
    output_index: int = 0
    content_index: int = 0


class ResponseFunctionCallArgumentsDoneEvent(
    Event, frozen=True, kw_only=True, gc=False, tag="response.function_call_arguments.done"
):
    """A call's arguments are whole."""

    arguments: str = ""
    name: str | None = None
    item_id: str = ""
    output_index: int = 0


class SteerRef(msgspec.Struct, frozen=True, kw_only=True):
    """Which steer an event is about.

    Attributes:
        id: The server's name of it, or None if it has not got one.
        previous_response_id: The response that was to be steered.
    """

    id: str | None = None
    previous_response_id: str | None = None


class _Steer(Event, frozen=True, kw_only=True):
    steer: SteerRef


class ResponseSteerAcceptedEvent(_Steer, frozen=True, kw_only=True, tag="response.steer.accepted"):
    """The server owns the input of a steer; it has not applied it yet."""


class ResponseSteerPendingEvent(_Steer, frozen=True, kw_only=True, tag="response.steer.pending"):
    """The input waits for the next turn, which has to answer what the model asked the client."""

    reason: str | None = None
    required_input: list[dict[str, Any]] = msgspec.field(default_factory=list[dict[str, Any]])


class ResponseSteerFailedEvent(_Steer, frozen=True, kw_only=True, tag="response.steer.failed"):
    """The input was given back; the response goes on as if nothing had been said."""

    error: ErrorBody = msgspec.field(default_factory=ErrorBody)


# As above.
STEERS: Final[frozenset[type[Event]]] = frozenset(_Steer.__subclasses__())
SteerEvent = ResponseSteerAcceptedEvent | ResponseSteerPendingEvent | ResponseSteerFailedEvent


class OtherEvent(Event, frozen=True, kw_only=True):
    """An event of a type that turnwire does not act on; everything is in ``to_dict()``."""

    event_type: str = ""
    response: ResponseRef | None = None

    @property
    def type(self) -> str:
        """The wire's name of the event."""
        return self.event_type


KnownEvent = (
    ResponseCreatedEvent
    | ResponseQueuedEvent
    | ResponseInProgressEvent
    | ResponseCompletedEvent
    | ResponseIncompleteEvent
    | ResponseFailedEvent
    | ResponseErrorEvent
    | ResponseOutputItemAddedEvent
    | ResponseOutputItemDoneEvent
    | ResponseTextDeltaEvent
    | ResponseRefusalDeltaEvent
    | ResponseReasoningTextDeltaEvent
    | ResponseReasoningSummaryTextDeltaEvent
    | ResponseFunctionCallArgumentsDeltaEvent
    | ResponseCustomToolCallInputDeltaEvent
    | ResponseTextDoneEvent
    | ResponseFunctionCallArgumentsDoneEvent
    | ResponseSteerAcceptedEvent
    | ResponseSteerPendingEvent
    | ResponseSteerFailedEvent
)
