"""What the gateway counts; the model runs above all, because every duplicate shows in them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final

# Those of now; all the others only grow.
NOW: Final = ("sockets_open", "model_runs_active")


@dataclass(slots=True)
class Statistics:
    """Counters since the gateway started; those that end in ``_open`` or ``_active`` are of now.

    Attributes:
        model_runs: Generations that the upstream was asked for.
        model_runs_stopped: Those that were stopped because nobody wanted them any more.
        turns: Turns that were started, refused ones included.
        turns_lingering: Those that ran on without the client that had asked for them.
        bytes_in: Messages and request bodies received, after decompression.
        bytes_out: Messages and response bodies sent, before compression.
    """

    sockets: int = 0
    sockets_open: int = 0
    turns: int = 0
    turns_refused: int = 0
    turns_lingering: int = 0
    model_runs: int = 0
    model_runs_active: int = 0
    model_runs_stopped: int = 0
    bytes_in: int = 0
    bytes_out: int = 0

    def copy(self) -> Statistics:
        """Return the counters as they are now."""
        return replace(self)
