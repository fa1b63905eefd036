"""What a model says, piece by piece, whatever protocol it speaks.

Upstreams yield these; ``responder.py`` turns them into wire events.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, slots=True)
class TextDelta:
    """The next characters of the answer."""

    text: str


@dataclass(frozen=True, slots=True)
class ReasoningDelta:
    """The next characters of the reasoning's summary."""

    text: str


@dataclass(frozen=True, slots=True)
class CallStarted:
    """The model calls a function.

    Attributes:
        index: Tells the calls of one turn apart, as pieces of several may come interleaved.
        call_id: The upstream's id, or None to have one made.
    """

    index: int
    name: str
    call_id: str | None = None


@dataclass(frozen=True, slots=True)
class ArgumentsDelta:
    """The next characters of a call's arguments."""

    index: int
    text: str


@dataclass(frozen=True, slots=True)
class CallEnded:
    """A call is whole; calls that are still open when the model finishes are whole, too."""

    index: int


@dataclass(frozen=True, slots=True)
class UsageReport:
    """Tokens of the turn; may come before or with the end, the last one counts."""

    input_tokens: int = 0
    cached_tokens: int = 0
    cache_write_tokens: int = 0
    output_tokens: int = 0
    reasoning_tokens: int = 0


FinishReason = Literal["stop", "max_output_tokens", "content_filter"]


@dataclass(frozen=True, slots=True)
class Finished:
    """The model said everything; a stream that ends without this was cut."""

    reason: FinishReason = "stop"


Delta = (
    TextDelta | ReasoningDelta | CallStarted | ArgumentsDelta | CallEnded | UsageReport | Finished
)
