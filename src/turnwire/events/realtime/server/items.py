"""The list of items: what came, changed and went."""

from turnwire.events.realtime.base import RealtimeEvent
from turnwire.events.realtime.item import RealtimeItem


class _Placed(RealtimeEvent, frozen=True, kw_only=True):
    item: RealtimeItem
    previous_item_id: str | None = None


class ConversationItemAdded(_Placed, frozen=True, kw_only=True, tag="conversation.item.added"):
    """An item took its place; the model's are still empty. The beta's ``…item.created``."""


class ConversationItemDone(_Placed, frozen=True, kw_only=True, tag="conversation.item.done"):
    """An item is whole; the beta does not say so."""


class ConversationItemRetrieved(
    RealtimeEvent, frozen=True, kw_only=True, tag="conversation.item.retrieved"
):
    """The item that the client asked for, with its audio in base64."""

    item: RealtimeItem


class ConversationItemTruncatedEvent(
    RealtimeEvent, frozen=True, kw_only=True, tag="conversation.item.truncated"
):
    """The model forgot what came after ``audio_end_ms``, and the item's whole transcript."""

    item_id: str = ""
    content_index: int = 0
    audio_end_ms: int = 0


class ConversationItemDeletedEvent(
    RealtimeEvent, frozen=True, kw_only=True, tag="conversation.item.deleted"
):
    """An item is gone."""

    item_id: str


ItemEvents = (
    ConversationItemAdded
    | ConversationItemDone
    | ConversationItemRetrieved
    | ConversationItemTruncatedEvent
    | ConversationItemDeletedEvent
)
