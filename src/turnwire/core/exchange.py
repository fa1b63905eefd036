"""One HTTP exchange: a turn's POST, or the GET that fetches its stored response."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

from turnwire.core.sse import SSEDecoder

if TYPE_CHECKING:
    from turnwire.core.pool_turn import PoolTurn

Purpose = Literal["post", "stream", "look"]  # run it, fetch its events, fetch what there is


@dataclass(slots=True)
class Exchange:
    """One exchange; it carries one turn.

    Attributes:
        turn: The turn.
        purpose: What is asked for.
        credential: Fingerprint of the key in use, once there is one.
        begins_at: When to begin; it waits until then.
        sign_in_until: When getting the key has taken too long.
        looks: How often the response was looked at and not whole.
        heard_at: When bytes last came.
    """

    turn: PoolTurn
    purpose: Purpose = "post"
    credential: str = ""
    begins_at: float | None = None
    sign_in_until: float | None = None
    looks: int = 0
    heard_at: float = 0.0
    decoder: SSEDecoder = field(default_factory=SSEDecoder)
