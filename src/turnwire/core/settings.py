"""The pool's limits; every number has a source or a reason."""

from __future__ import annotations

from dataclasses import dataclass, field

from turnwire.core.backoff import Backoff
from turnwire.core.breaker import BreakerSettings
from turnwire.core.request import Deadlines


@dataclass(frozen=True, slots=True)
class PoolSettings:
    """Limits of one pool; durations in seconds, sizes in bytes.

    Attributes:
        sockets: Sockets at most.
        active_limit: Turns at once on a socket: docs/protocol/lanes.md.
        named_limit: Distinct lane names of a socket: docs/protocol/lanes.md.
        lanes: Whether the server has lanes; None means "find out when it matters".
        dial: How long a dial may take, and how long the key for a POST.
        dial_backoff: When to dial again while no socket works.
        redial: How long to leave a server alone after a dial failed while other sockets work.
        refreshes_key: Whether another key can be had after one was refused.
        drain: How long an abandoned turn may go on before its socket takes no new turns.
        drain_bytes: How much of an abandoned turn is read before the same.
        queue_bytes: How much may wait to be sent.
        message_bytes: The largest message for a socket: docs/protocol/limits.md#sizes.
        ping_interval: How long a socket may be silent before it is pinged; None for never.
        ping_timeout: How long a pong may take before the socket counts as dead.
        probe_after: How long a socket may be silent and still be used without a ping.
        probe: How long the pong may take that a turn waits for.
        max_age: When a socket is replaced: docs/protocol/limits.md#age; None for never.
        max_age_jitter: By how much that differs at most, either way.
        retries: How often a turn is sent again that the server was too busy for.
        resume: Whether a stored response is fetched when its socket was lost.
        breaker: When `auto` turns stay away from WebSocket.
        deadlines: The defaults of a turn.
    """

    sockets: int = 4
    active_limit: int = 16
    named_limit: int = 32
    lanes: bool | None = None
    dial: float = 5.0
    dial_backoff: Backoff = field(default_factory=Backoff)
    redial: float = 5.0
    refreshes_key: bool = False
    drain: float = 10.0
    drain_bytes: int = 4 * 2**20
    queue_bytes: int = 64 * 2**20
    message_bytes: int = 16 * 2**20 - 2**19
    ping_interval: float | None = 20.0
    ping_timeout: float = 20.0
    probe_after: float = 60.0
    probe: float = 2.0
    max_age: float | None = 50 * 60.0
    max_age_jitter: float = 2 * 60.0
    retries: int = 2
    resume: bool = False
    breaker: BreakerSettings = field(default_factory=BreakerSettings)
    deadlines: Deadlines = field(default_factory=Deadlines)
