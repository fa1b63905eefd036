"""The pool's limits; every number has a source or a reason."""

from __future__ import annotations

from dataclasses import dataclass, field

from turnwire.core.request import Deadlines


@dataclass(frozen=True, slots=True)
class PoolSettings:
    """Limits of one pool; durations in seconds, sizes in bytes.

    Attributes:
        sockets: Sockets at most.
        active_limit: Turns at once on a socket: docs/protocol/lanes.md.
        named_limit: Distinct lane names of a socket: docs/protocol/lanes.md.
        lanes: Whether the server has lanes; None means "find out when it matters".
        dial: How long a dial may take.
        redial: How long to leave a server alone after a dial failed while other sockets work.
        drain: How long an abandoned turn may go on before its socket takes no new turns.
        drain_bytes: How much of an abandoned turn is read before the same.
        queue_bytes: How much may wait to be sent.
        message_bytes: The largest message for a socket: docs/protocol/limits.md#sizes.
        deadlines: The defaults of a turn.
    """

    sockets: int = 4
    active_limit: int = 16
    named_limit: int = 32
    lanes: bool | None = None
    dial: float = 5.0
    redial: float = 5.0
    drain: float = 10.0
    drain_bytes: int = 4 * 2**20
    queue_bytes: int = 64 * 2**20
    message_bytes: int = 16 * 2**20 - 2**19
    deadlines: Deadlines = field(default_factory=Deadlines)
