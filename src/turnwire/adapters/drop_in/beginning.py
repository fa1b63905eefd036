"""The events of a stream before any output: held back, because a turn may begin again."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Final

from turnwire.core.signals import signal_of
from turnwire.core.turn import TurnSignal
from turnwire.events import TurnRestartedEvent

if TYPE_CHECKING:
    from collections.abc import Iterable

    from turnwire.events import Event

_MOST_BYTES: Final = 2**16
_BEFORE_OUTPUT: Final = (TurnSignal.ACCEPT, None)


class Beginning:
    """Lets events through once there is output.

    Until then a turn whose socket was lost is begun again, with another id; the official SDK
    breaks off if a stream has two beginnings.
    """

    def __init__(self) -> None:
        self._held: deque[Event] = deque()
        self._size_bytes = 0
        self._is_over = False

    def passed(self, events: deque[Event]) -> deque[Event]:
        """Return what may be shown, now that these events have come."""
        if self._is_over:
            return events
        for event in events:
            if isinstance(event, TurnRestartedEvent):
                self._held.clear()
            self._held.append(event)
        self._size_bytes += sum(len(event.raw) for event in events)
        self._is_over = self._size_bytes > _MOST_BYTES or _has_output(events)
        return self.rest() if self._is_over else deque()

    def rest(self) -> deque[Event]:
        """Return what was held back, for nothing else will come."""
        held, self._held = self._held, deque()
        return held


def _has_output(events: Iterable[Event]) -> bool:
    return any(signal_of(event) not in _BEFORE_OUTPUT for event in events)
