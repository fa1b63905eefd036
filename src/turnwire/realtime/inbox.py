"""What an engine tells, on its way to whoever waits for it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final
from weakref import WeakSet

from turnwire.core.failure import Failure, FailureKind
from turnwire.io.bell import Bell
from turnwire.realtime.answers import error_of
from turnwire.realtime.subscription import Subscription

if TYPE_CHECKING:
    from turnwire.core.realtime.actions import Ticket
    from turnwire.errors import TurnwireError
    from turnwire.events.realtime import RealtimeEvent
    from turnwire.realtime.answers import Answer
    from turnwire.realtime.subscription import Reader

_CLOSED: Final = Failure(FailureKind.CLOSED, "the Realtime session is closed", close_code=1000)
_FIRST_BYTES: Final = 2**20  # for the first reader, as long as there is none


class Inbox:
    """Readers and answers of one session.

    Attributes:
        first: Events since the beginning, for the first reader; None once there is one.
        changed: Rings with everything that is told.
        ended: Whether it is over.
    """

    def __init__(self) -> None:
        self.first: Subscription | None = Subscription(_FIRST_BYTES)
        self.changed = Bell()
        self.ended = False
        self._failure: Failure | None = None
        self._answers: dict[Ticket, Answer[Any]] = {}
        self._bridges: list[Reader] = []
        self._readers: WeakSet[Subscription] = WeakSet()
        self._readers.add(self.first)

    def subscribe(self, subscription: Subscription) -> Subscription:
        """Hand everything to a consumer from now on, as long as somebody holds it."""
        if self.ended:
            subscription.end(self.error())
        else:
            self._readers.add(subscription)
        return subscription

    def take_first(self, limit_bytes: int) -> Subscription | None:
        """Return what has waited for the first reader, once."""
        first, self.first = self.first, None
        if first is not None:
            first.allow(limit_bytes)
        return first

    def bridge(self, reader: Reader) -> None:
        """Hand everything to a bridge, before all others."""
        self._bridges.append(reader)

    def wait(self, ticket: Ticket, answer: Answer[Any]) -> None:
        """Have an answer settled."""
        self._answers[ticket] = answer

    def error(self) -> TurnwireError | None:
        """Build the error for which it is over, or None."""
        return None if self._failure is None else error_of(self._failure)

    def closed_error(self) -> TurnwireError:
        """Build the error for whoever wants something of a session that is over."""
        return error_of(self._failure or _CLOSED)

    # What the engine tells.

    def deliver(self, event: RealtimeEvent) -> None:
        """Take an event."""
        for reader in (*self._bridges, *self._readers):
            reader.put(event)
        self.changed.ring()

    def settle(self, ticket: Ticket, answer: RealtimeEvent | Failure) -> None:
        """Take an answer."""
        waiting = self._answers.get(ticket)
        if waiting is not None and waiting.settle(answer):
            del self._answers[ticket]

    def flush(self, response_id: str | None) -> None:
        """Drop audio that was not played, of a response or of all."""
        for reader in (*self._bridges, *self._readers):
            reader.flush(response_id)
        self.changed.ring()

    def wrote(self) -> None:
        """Note that there may be room again."""
        self.changed.ring()

    def end(self, failure: Failure | None) -> None:
        """Note that nothing comes any more."""
        if self.ended:
            return
        self.ended, self._failure = True, failure
        waiting, self._answers = list(self._answers.values()), {}
        for answer in waiting:
            answer.settle(failure or _CLOSED)
        for reader in (*self._bridges, *self._readers):
            reader.end(self.error())
        self.changed.ring()
