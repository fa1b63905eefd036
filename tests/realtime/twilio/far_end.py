"""The caller's end of a line that takes time, in memory: independent of what is tested."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

from turnwire.testing.realtime import TwilioCall

if TYPE_CHECKING:
    from turnwire.realtime.twilio import MediaStream, Received


class FarEnd:
    """A simulated call on one side, a stream on the other, and time between them.

    Args:
        stream: What is tested.
        latency: Seconds that a message needs, each way.
        said: Takes what the stream makes of the call's messages.
    """

    def __init__(self, stream: MediaStream, latency: float = 0.0, **options: object) -> None:
        self.stream = stream
        self.now = 0.0
        self.call = TwilioCall(**{"continuous": False, **options})  # type: ignore[arg-type]
        self.received: list[Received] = []
        self._latency = latency
        self._there: deque[tuple[float, str]] = deque()
        self._back: deque[tuple[float, str]] = deque()
        self.cleared_at: list[int] = []  # what had been heard, for each clear
        self.settle()

    def settle(self) -> None:
        """Carry what is due now."""
        moved = True
        while moved:
            moved = False
            while (message := self.stream.pull(self.now)) is not None:
                self._there.append((self.now + self._latency, message))
            while self._there and self._there[0][0] <= self.now:
                self._arrive(self._there.popleft()[1])
                moved = True
            self.call.advance(self.now)
            self._back += [(self.now + self._latency, each) for each in self.call.messages()]
            while self._back and self._back[0][0] <= self.now:
                self.received.append(self.stream.received(self._back.popleft()[1], self.now))
                moved = True

    def _arrive(self, message: str) -> None:
        self.call.received_message(message, self.now)
        if '"clear"' in message:
            self.cleared_at.append(len(self.call.playing.heard))

    def until(self, now: float) -> None:
        """Let time pass."""
        while (due := self._due()) is not None and due <= now:
            self.now = max(self.now, due)
            self.settle()
        self.now = now
        self.settle()

    def _due(self) -> float | None:
        dues = [each[0][0] for each in (self._there, self._back) if each]
        mark = self.call.playing.next_mark
        if not self.call._continuous and not self.call._to_say:
            dues += [] if mark is None else [mark]
        elif self.call.deadline is not None:
            dues.append(self.call.deadline)
        return min(dues, default=None)

    def sent(self, kind: str) -> list[dict[str, object]]:
        """What the call got."""
        return [event for _, event in self.call.received if event["event"] == kind]
