"""Counts of what happened, few enough to be kept for ever: no label comes from a client."""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from typing import TYPE_CHECKING, Final

from turnwire.gateway.observing.seen import OTHER, tidy_code

if TYPE_CHECKING:
    from turnwire.gateway.observing.seen import SeenTurn

# The gateway has some forty codes of its own; upstreams may bring theirs until here.
CODE_LIMIT: Final = 100
_CLOSE_CODES: Final = range(1000, 1016)  # RFC 6455, 7.4.1; the others are the client's own

FIRST_EVENT_BOUNDS: Final = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60)
DURATION_BOUNDS: Final = (0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300, 600)


class Distribution:
    """How often which size was seen.

    Args:
        bounds: Upper bounds of the classes, ascending; one more takes the rest.
    """

    def __init__(self, bounds: tuple[float, ...]) -> None:
        self.bounds = bounds
        self.counts = [0] * (len(bounds) + 1)
        self.total = 0.0

    def add(self, size: float) -> None:
        """Count one."""
        self.counts[bisect_left(self.bounds, size)] += 1
        self.total += size


class Tally:
    """Everything that is counted by kind; what has no kinds is in ``Statistics``.

    Attributes:
        turns: By outcome and transport.
        errors: Of turns, by code.
        messages: Messages on sockets that are closed now, which were refused before they became
            turns, by code.
        refusals: Requests over HTTP, by status; creates that were refused are turns, too.
        chains: ``hit``, ``miss``, and ``new`` for turns that continue nothing.
        tokens: ``input``, ``cached`` (a part of it), ``output``, ``reasoning`` (a part of that).
        closed: Sockets by close code.
        first_event: Seconds from the create to the first output, waiting included.
        duration: Seconds from the create to the end.
    """

    def __init__(self) -> None:
        self.turns: Counter[tuple[str, str]] = Counter()
        self.errors: Counter[str] = Counter()
        self.chains: Counter[str] = Counter()
        self.tokens: Counter[str] = Counter()
        self.closed: Counter[str] = Counter()
        self.messages: Counter[str] = Counter()
        self.refusals: Counter[str] = Counter()
        self.bytes_saved = 0
        self.first_event = Distribution(FIRST_EVENT_BOUNDS)
        self.duration = Distribution(DURATION_BOUNDS)

    def turn(self, turn: SeenTurn) -> None:
        """Count a turn that has ended."""
        assert turn.ended is not None  # the caller has just noted it
        self.turns[turn.outcome, turn.transport] += 1
        self.chains[turn.chain] += 1
        self.tokens["input"] += turn.input_tokens
        self.tokens["cached"] += turn.cached_tokens
        self.tokens["output"] += turn.output_tokens
        self.tokens["reasoning"] += turn.reasoning_tokens
        self.bytes_saved += turn.bytes_saved
        self.duration.add(turn.ended - turn.received)
        if turn.first_event is not None:
            self.first_event.add(turn.first_event - turn.received)
        if turn.code is not None:
            self.error(turn.code)

    def error(self, code: str | None) -> None:
        """Count an error."""
        code = tidy_code(code)
        self.errors[code if code in self.errors or len(self.errors) < CODE_LIMIT else OTHER] += 1

    def close(self, code: int) -> None:
        """Count a socket that was closed."""
        self.closed[str(code) if code in _CLOSE_CODES else OTHER] += 1
