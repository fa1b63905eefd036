"""The model's responses: beginning, parts and end."""

import msgspec

from turnwire.events.realtime.base import RealtimeEvent
from turnwire.events.realtime.item import RealtimeContentPart, RealtimeItem, today
from turnwire.events.realtime.response import RealtimeResponse


class _Response(RealtimeEvent, frozen=True, kw_only=True):
    response: RealtimeResponse = RealtimeResponse()

    @property
    def response_id(self) -> str:
        """The id of the response, or empty."""
        return self.response.id


class ResponseCreatedEvent(_Response, frozen=True, kw_only=True, tag="response.created"):
    """The model begins to answer."""


class ResponseDoneEvent(_Response, frozen=True, kw_only=True, tag="response.done"):
    """The model is done, whatever ``response.status`` says; nothing of it follows."""


class _OutputItem(RealtimeEvent, frozen=True, kw_only=True):
    item: RealtimeItem
    output_index: int = 0
    response_id: str = ""


class ResponseOutputItemAddedEvent(
    _OutputItem, frozen=True, kw_only=True, tag="response.output_item.added"
):
    """An output item begins."""


class ResponseOutputItemDoneEvent(
    _OutputItem, frozen=True, kw_only=True, tag="response.output_item.done"
):
    """An output item is whole."""


class _ContentPart(RealtimeEvent, frozen=True, kw_only=True):
    part: RealtimeContentPart = RealtimeContentPart()
    response_id: str = ""
    item_id: str = ""
    output_index: int = 0
    content_index: int = 0

    def __post_init__(self) -> None:
        """Give the part the name that it has within its item."""
        msgspec.structs.force_setattr(self, "part", today(self.part))


class ResponseContentPartAddedEvent(
    _ContentPart, frozen=True, kw_only=True, tag="response.content_part.added"
):
    """A part of a message begins."""


class ResponseContentPartDoneEvent(
    _ContentPart, frozen=True, kw_only=True, tag="response.content_part.done"
):
    """A part of a message is whole."""


ResponseEvents = (
    ResponseCreatedEvent
    | ResponseDoneEvent
    | ResponseOutputItemAddedEvent
    | ResponseOutputItemDoneEvent
    | ResponseContentPartAddedEvent
    | ResponseContentPartDoneEvent
)
