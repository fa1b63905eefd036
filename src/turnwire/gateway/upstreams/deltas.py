"""What a model says, piece by piece, whatever protocol it speaks.

Upstreams yield these; ``responder.py`` turns them into wire events.  One is made for every token,
so they are structs: as immutable as a frozen dataclass, at a fifth of the price.
"""

from __future__ import annotations

from typing import Literal

import msgspec

from turnwire.gateway.json_shapes import Json  # msgspec reads it at run time


class TextDelta(msgspec.Struct, frozen=True, gc=False):
    """The next characters of the answer.

    Attributes:
        logprobs: What the wire says of these characters' tokens, ready to be sent.
    """

    text: str
    logprobs: tuple[Json, ...] = ()


class RefusalDelta(msgspec.Struct, frozen=True, gc=False):
    """The next characters of why the model will not answer."""

    text: str


class ReasoningDelta(msgspec.Struct, frozen=True, gc=False):
    """The next characters of the reasoning's summary."""

    text: str


class ReasoningTextDelta(msgspec.Struct, frozen=True, gc=False):
    """The next characters of the reasoning itself, from models that show it."""

    text: str


class CallStarted(msgspec.Struct, frozen=True, gc=False):
    """The model calls a tool.

    Attributes:
        index: Tells the calls of one turn apart, as pieces of several may come interleaved.
        call_id: The upstream's id, or None to have one made.
        kind: What the tool takes: JSON arguments, or text as it is.
        namespace: The namespace that the client declared the tool in, or None.
    """

    index: int
    name: str
    call_id: str | None = None
    kind: Literal["function", "custom"] = "function"
    namespace: str | None = None


class ArgumentsDelta(msgspec.Struct, frozen=True, gc=False):
    """The next characters of a call's arguments, or of a custom tool's input."""

    index: int
    text: str


class CallEnded(msgspec.Struct, frozen=True, gc=False):
    """A call is whole; calls that are still open when the model finishes are whole, too."""

    index: int


class UsageReport(msgspec.Struct, frozen=True, gc=False):
    """Tokens of the turn; may come before or with the end, the last one counts."""

    input_tokens: int = 0
    cached_tokens: int = 0
    cache_write_tokens: int = 0
    output_tokens: int = 0
    reasoning_tokens: int = 0


FinishReason = Literal["stop", "max_output_tokens", "content_filter"]


class Finished(msgspec.Struct, frozen=True, gc=False):
    """The model said everything; a stream that ends without this was cut."""

    reason: FinishReason = "stop"


Delta = (
    TextDelta
    | RefusalDelta
    | ReasoningDelta
    | ReasoningTextDelta
    | CallStarted
    | ArgumentsDelta
    | CallEnded
    | UsageReport
    | Finished
)
