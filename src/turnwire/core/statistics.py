"""Counters of a pool: what happened since it was made, and what is true now."""

from __future__ import annotations

from dataclasses import dataclass, field, fields, replace


@dataclass(slots=True)
class PoolStatistics:
    """Counters and gauges; sizes in bytes.

    Attributes:
        turns: Turns submitted.
        completed: Turns that ended with `completed` or `incomplete`.
        failed: Turns that ended with a failure.
        cancelled: Turns that their caller dropped.
        resends: Messages written again, for whatever reason.
        repeats: Of those, turns that the server had perhaps run already.
        retries: Of those, turns that the server had been too busy for.
        resumes: Stored responses fetched after their socket was lost.
        fallbacks: `auto` turns that went over HTTP.
        lost_sockets: Sockets that ended with turns on them, or without an answer to a ping.
        rotations: Sockets replaced because of their age.
        dials: Sockets dialled.
        failed_dials: Dials that did not end in an open socket.
        reuses: Turns written on a socket that had carried one before.
        chain_hits: Turns that sent only what was new.
        chain_misses: Turns that sent everything although there was a history, by reason.
        sent_bytes: Bytes of messages and bodies written.
        full_bytes: What they would have been with the whole history in each.
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
    repeats: int = 0
    retries: int = 0
    resumes: int = 0
    fallbacks: int = 0
    lost_sockets: int = 0
    rotations: int = 0
    dials: int = 0
    failed_dials: int = 0
    reuses: int = 0
    chain_hits: int = 0
    chain_misses: dict[str, int] = field(default_factory=dict[str, int])
    sent_bytes: int = 0
    full_bytes: int = 0
    drained_bytes: int = 0
    unrouted_events: int = 0
    sockets: int = 0
    active: int = 0
    waiting: int = 0
    queued_bytes: int = 0

    def __add__(self, other: PoolStatistics) -> PoolStatistics:
        reasons = dict.fromkeys((*self.chain_misses, *other.chain_misses))
        misses = {
            reason: self.chain_misses.get(reason, 0) + other.chain_misses.get(reason, 0)
            for reason in reasons
        }
        numbers = {
            field.name: getattr(self, field.name) + getattr(other, field.name)
            for field in fields(self)
            if field.name != "chain_misses"
        }
        return PoolStatistics(**numbers, chain_misses=misses)

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


@dataclass(slots=True)
class ChainStatistics:
    """Counters of one chain's turns; sizes in bytes.

    Attributes:
        turns: Turns that were written.
        chain_hits: Of their messages, those that held only what was new.
        chain_misses: Those that held everything although there was a history, by reason.
        sent_bytes: Bytes of messages and bodies written.
        full_bytes: What they would have been with the whole history in each.
        resends: Messages written again, for whatever reason.
        fallbacks: Turns that went over HTTP although WebSocket was preferred.
    """

    turns: int = 0
    chain_hits: int = 0
    chain_misses: dict[str, int] = field(default_factory=dict[str, int])
    sent_bytes: int = 0
    full_bytes: int = 0
    resends: int = 0
    fallbacks: int = 0

    def copy(self) -> ChainStatistics:
        """Return the counters as they are now."""
        return replace(self, chain_misses=dict(self.chain_misses))
