"""Whom an engine tells what happens; called on the engine's loop, and must not wait."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from turnwire.core.failure import Failure
    from turnwire.core.realtime.actions import Ticket
    from turnwire.events.realtime import RealtimeEvent


class Listener(Protocol):
    """The owner of a Realtime session."""

    def deliver(self, event: RealtimeEvent) -> None:
        """Take an event."""
        ...

    def settle(self, ticket: Ticket, answer: RealtimeEvent | Failure) -> None:
        """Take the answer to a question."""
        ...

    def flush(self, response_id: str | None) -> None:
        """Drop audio that was not played, of a response or of all: the listener was interrupted."""
        ...

    def wrote(self) -> None:
        """Note that a message was written, so that there may be room again."""
        ...

    def end(self, failure: Failure | None) -> None:
        """Note that nothing comes any more."""
        ...
