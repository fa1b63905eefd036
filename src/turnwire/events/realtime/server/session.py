"""The session itself, its errors and its limits."""

import msgspec

from turnwire.events.realtime.base import RealtimeEvent
from turnwire.events.realtime.response import RealtimeError
from turnwire.events.realtime.session import RealtimeSession


class SessionEvent(RealtimeEvent, frozen=True, kw_only=True):
    """An event that carries the whole session."""

    session: RealtimeSession = RealtimeSession()


class SessionCreatedEvent(SessionEvent, frozen=True, kw_only=True, tag="session.created"):
    """The session is there, with the server's defaults; always the first event."""


class SessionUpdatedEvent(SessionEvent, frozen=True, kw_only=True, tag="session.updated"):
    """The whole session after an update."""


class Conversation(msgspec.Struct, frozen=True, kw_only=True):
    """The object in which the items live."""

    id: str | None = None
    object: str | None = None


class ConversationCreatedEvent(
    RealtimeEvent, frozen=True, kw_only=True, tag="conversation.created"
):
    """The list of items is there; right after ``session.created``."""

    conversation: Conversation = Conversation()


class RateLimit(msgspec.Struct, frozen=True, kw_only=True):
    """One limit; ``reset_seconds`` is the time until it is whole again."""

    name: str | None = None
    limit: int | None = None
    remaining: int | None = None
    reset_seconds: float | None = None


class RateLimitsUpdatedEvent(RealtimeEvent, frozen=True, kw_only=True, tag="rate_limits.updated"):
    """What is left, at the beginning of a response."""

    rate_limits: list[RateLimit] = msgspec.field(default_factory=list[RateLimit])


class RealtimeErrorEvent(RealtimeEvent, frozen=True, kw_only=True, tag="error"):
    """Something went wrong; most errors leave the session as it is.

    Attributes:
        error: The error; ``error.event_id`` names the client event that caused it.
    """

    error: RealtimeError = RealtimeError()

    def __repr__(self) -> str:
        """Name the error; its message may quote what was said, so it stays out of logs."""
        return f"RealtimeErrorEvent(event_id={self.event_id!r}, error={self.error!r})"


class UnknownEvent(RealtimeEvent, frozen=True, kw_only=True):
    """An event of a type or a shape that turnwire does not know; ``to_dict()`` has it all."""

    event_type: str = ""

    @property
    def type(self) -> str:
        """The wire's name of the event."""
        return self.event_type


SessionEvents = (
    SessionCreatedEvent
    | SessionUpdatedEvent
    | ConversationCreatedEvent
    | RateLimitsUpdatedEvent
    | RealtimeErrorEvent
)
