"""Counters of a pool: what happened since it was made, and what is true now."""

from __future__ import annotations

from dataclasses import dataclass, field, replace


@dataclass(slots=True)
class PoolStatistics:
    """Counters and gauges; sizes in bytes.

    Attributes:
        turns: Turns submitted.
        completed: Turns that ended with `completed` or `incomplete`.
        failed: Turns that ended with a failure.
        cancelled: Turns that their caller dropped.
        resends: Messages written again after the server refused them unread.
        dials: Sockets dialled.
        failed_dials: Dials that did not end in an open socket.
        chain_hits: Turns that sent only what was new.
        chain_misses: Turns that sent everything although there was a history, by reason.
        sent_bytes: Bytes of messages and bodies written.
        drained_bytes: Bytes read for turns that nobody waited for.
        unrouted_events: Events that belonged to no turn.
        sockets: Sockets now.
        active: Turns on the wire now, abandoned ones included.
        waiting: Turns that wait for a lane now.
        queued_bytes: What they weigh.
    """

    turns: int = 0
    completed: int = 0
    failed: int = 0
    cancelled: int = 0
    resends: int = 0
    dials: int = 0
    failed_dials: int = 0
    chain_hits: int = 0
    chain_misses: dict[str, int] = field(default_factory=dict[str, int])
    sent_bytes: int = 0
    drained_bytes: int = 0
    unrouted_events: int = 0
    sockets: int = 0
    active: int = 0
    waiting: int = 0
    queued_bytes: int = 0

    def count_miss(self, reason: str) -> None:
        """Count one chain miss."""
        self.chain_misses[reason] = self.chain_misses.get(reason, 0) + 1

    def snapshot(
        self, *, sockets: int, active: int, waiting: int, queued_bytes: int
    ) -> PoolStatistics:
        """Return a copy with the gauges filled in."""
        return replace(
            self,
            chain_misses=dict(self.chain_misses),
            sockets=sockets,
            active=active,
            waiting=waiting,
            queued_bytes=queued_bytes,
        )
