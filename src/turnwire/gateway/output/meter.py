"""How much one model run has said: it may not be without end, and somebody pays for it.

Pure.  Most upstreams count tokens and tell of them at the end; a turn that is ended before that is
charged an estimate, so that nobody has model runs for nothing by leaving early.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from turnwire.core.signals import signal_of
from turnwire.core.snapshot import DELTAS
from turnwire.core.turn import TERMINAL_SIGNALS
from turnwire.events import Event, ResponseOutputItemDoneEvent
from turnwire.gateway.input.tokens import BYTES_PER_TOKEN, estimated_usage
from turnwire.gateway.upstreams import UpstreamFailed
from turnwire.gateway.upstreams.deltas import (
    ArgumentsDelta,
    CallStarted,
    ReasoningDelta,
    ReasoningTextDelta,
    RefusalDelta,
    TextDelta,
)

if TYPE_CHECKING:
    from turnwire.gateway.context import Prompt
    from turnwire.gateway.upstreams.deltas import Delta

_CALL_BYTES: Final = 64  # what is around the name and the arguments of a call
_Text = TextDelta | ArgumentsDelta | ReasoningDelta | ReasoningTextDelta | RefusalDelta
# They repeat what came piece by piece; so do the items, but those may come alone.
_REPEATS: Final = ".done"


class Meter:
    """Measures the model run of one turn.

    Args:
        limit_bytes: What it may say.
    """

    __slots__ = ("_limit_bytes", "_pieces_bytes", "_prompt", "_whole_bytes")

    def __init__(self, limit_bytes: int) -> None:
        self._limit_bytes = limit_bytes
        self._prompt: Prompt | None = None
        self._pieces_bytes = 0
        self._whole_bytes = 0

    def began(self, prompt: Prompt) -> None:
        """The model is about to be asked."""
        self._prompt = prompt

    def spare(self) -> None:
        """The model has refused: what it was asked costs nothing."""
        self._prompt = None

    @property
    def output_bytes(self) -> int:
        """What was said so far; what came in pieces and then as a whole counts once."""
        return max(self._pieces_bytes, self._whole_bytes)

    def add(self, said: Delta | Event) -> None:
        """Count one piece."""
        if isinstance(said, _Text):
            self._pieces_bytes += _size_of(said.text)
        elif isinstance(said, CallStarted):
            self._pieces_bytes += _CALL_BYTES + _size_of(said.name)
        elif isinstance(said, Event):
            self._add_event(said)

    def check(self) -> None:
        """Go on only if it may.

        Raises:
            UpstreamFailed: It has said too much.
        """
        if self._pieces_bytes > self._limit_bytes or self._whole_bytes > self._limit_bytes:
            raise UpstreamFailed(
                f"The model said more than {self._limit_bytes} bytes in one turn, which is the"
                " gateway's limit. Ask for less, such as with `max_output_tokens`; or let whoever"
                " runs the gateway raise `max_output_bytes`."
            )

    def _add_event(self, event: Event) -> None:
        if type(event) in DELTAS:
            self._pieces_bytes += _size_of(event.delta)  # type: ignore[attr-defined]  # they have it
        elif isinstance(event, ResponseOutputItemDoneEvent) or not (
            event.type.endswith(_REPEATS) or signal_of(event) in TERMINAL_SIGNALS
        ):
            self._whole_bytes += len(event.raw)

    def estimated_tokens(self) -> int:
        """Return the input and output tokens of a turn that tells of none; 0 if no model ran."""
        if self._prompt is None:
            return 0
        usage = estimated_usage(
            self._prompt, output_tokens=-(-self.output_bytes // BYTES_PER_TOKEN)
        )
        return usage.input_tokens + usage.output_tokens


def _size_of(text: str) -> int:
    return len(text) if text.isascii() else len(text.encode())
