"""Half duplex: the microphone is mute while the speaker sounds."""

from __future__ import annotations

_REMEMBERED = 4  # spans: what a microphone hands over late may belong to the one before


class EchoGuard:
    """Says which moments of the microphone would only hear the speaker.

    For rooms without headphones and without echo cancellation.  Its price: who speaks while the
    speaker does is not heard, so nobody can interrupt by voice.

    Times are seconds of one clock for both devices.  Two threads may use one guard.

    Args:
        tail_ms: For how long the room still echoes after the speaker has ended, in milliseconds.
    """

    def __init__(self, tail_ms: float = 250.0) -> None:
        self._tail = tail_ms / 1000
        # Replaced as a whole, never changed: the other thread sees the old or the new one.
        self._spans: tuple[tuple[float, float], ...] = ()

    def sounds(self, start: float, end: float) -> None:
        """Say that the speaker sounds between two moments; later ones come later."""
        spans = self._spans
        if spans and start <= spans[-1][1] + self._tail:
            start, spans = spans[-1][0], spans[:-1]
        self._spans = (*spans[1 - _REMEMBERED :], (start, end))

    def mutes(self, start: float, end: float) -> bool:
        """Tell whether some of what was heard between two moments may be echo."""
        return any(start < until + self._tail and since < end for since, until in self._spans)
