"""What an engine tells, on its way to whoever waits for it."""

from __future__ import annotations

import logging
import math
import time
from typing import TYPE_CHECKING, Any, Final
from weakref import WeakSet

from turnwire.core.failure import Failure, FailureKind
from turnwire.events.realtime import AudioDroppedEvent
from turnwire.io.bell import Bell
from turnwire.realtime.answers import error_of
from turnwire.realtime.subscription import Subscription

if TYPE_CHECKING:
    from collections.abc import Callable

    from turnwire.core.realtime.actions import Ticket
    from turnwire.errors import TurnwireError
    from turnwire.events.realtime import RealtimeEvent
    from turnwire.realtime.answers import Answer, Outcome
    from turnwire.realtime.subscription import Reader

_log: Final = logging.getLogger("turnwire")
_CLOSED: Final = Failure(FailureKind.CLOSED, "the Realtime session is closed", close_code=1000)
_QUIET: Final = 10.0  # seconds between two warnings of dropped audio
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
        self._warned_at = -math.inf
        self._failed: WeakSet[Outcome] = WeakSet()
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
        if isinstance(event, AudioDroppedEvent):
            self._warn(event)
        self._tell_bridges(lambda bridge: bridge.put(event))
        for reader in tuple(self._readers):
            reader.put(event)
        self.changed.ring()

    def _warn(self, event: AudioDroppedEvent) -> None:
        """Log that audio is dropped, once in a while: many do not read such events."""
        now = time.monotonic()
        if event.reason == "backlog" and now - self._warned_at >= _QUIET:
            self._warned_at = now
            _log.warning(
                "%.0f ms of audio were dropped, for more waits than `backlog_ms`; audio of a file"
                " goes with `feed`, which waits for room",
                event.ms,
            )

    def settle(self, ticket: Ticket, answer: RealtimeEvent | Failure) -> None:
        """Take an answer."""
        waiting = self._answers.get(ticket)
        if waiting is not None and waiting.settle(answer):
            del self._answers[ticket]
            if isinstance(answer, Failure):
                self._failed.add(waiting.noted)

    def flush(self, response_id: str | None) -> None:
        """Drop audio that was not played, of a response or of all."""
        self._tell_bridges(lambda bridge: bridge.flush(response_id))
        for reader in tuple(self._readers):
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
            answer.noted.taken = True  # the end itself is told
        for outcome in self._failed:
            outcome.tell()
        for bridge in tuple(self._bridges):
            _end(bridge, self.error())
        for reader in tuple(self._readers):
            reader.end(self.error())
        self.changed.ring()

    def _tell_bridges(self, tell: Callable[[Reader], None]) -> None:
        """Tell every bridge something; one that fails is told no more, and all others go on."""
        for bridge in tuple(self._bridges):
            try:
                tell(bridge)
            except Exception as error:  # noqa: BLE001  # the other actions are to be done
                _log.exception("a bridge of the Realtime session failed; it is told no more")
                if bridge in self._bridges:
                    self._bridges.remove(bridge)
                    _end(bridge, error)


def _end(bridge: Reader, error: BaseException | None) -> None:
    try:
        bridge.end(error)
    except Exception:  # noqa: BLE001  # the others are to hear of the end
        _log.exception("a bridge of the Realtime session failed at its end")
