"""What each message adds to the counters of its turn, its chain and the pool."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from turnwire.core.pool_turn import PoolTurn
    from turnwire.core.state import PoolState


def count_message(state: PoolState, turn: PoolTurn, size_bytes: int) -> None:
    """Count a message that is about to be written."""
    turn.message_bytes = size_bytes
    _add(state, turn, 1)


def count_steer(state: PoolState, turn: PoolTurn, size_bytes: int) -> None:
    """Count what is about to be said to a turn that runs; less than nothing takes it back."""
    chain = turn.request.chain
    for each in (turn, state.counts, *(() if chain is None else (chain.statistics,))):
        each.sent_bytes += size_bytes
        each.full_bytes += size_bytes


def uncount_message(state: PoolState, turn: PoolTurn) -> None:
    """Take back what was counted for a turn's last message: not one byte of it was written."""
    _add(state, turn, -1)


def _add(state: PoolState, turn: PoolTurn, sign: int) -> None:
    earlier_bytes = turn.sent_bytes - (turn.message_bytes if sign < 0 else 0)
    again = sign if earlier_bytes else 0
    sent_bytes = sign * turn.message_bytes
    saved_bytes = turn.composed.saved_bytes if turn.composed is not None else 0
    full_bytes = sent_bytes + sign * saved_bytes
    turn.resends += again
    turn.sent_bytes += sent_bytes
    turn.full_bytes += full_bytes
    turn.model_runs += sign * turn.runs_model
    chain = turn.request.chain
    counts = (state.counts,) if chain is None else (state.counts, chain.statistics)
    for each in counts:
        each.resends += again
        each.sent_bytes += sent_bytes
        each.full_bytes += full_bytes
        if turn.chain_miss is not None:
            misses, reason = each.chain_misses, turn.chain_miss.reason
            misses[reason] = misses.get(reason, 0) + sign
            if not misses[reason]:
                del misses[reason]
        elif turn.composed is not None and turn.composed.previous_response_id is not None:
            each.chain_hits += sign
    if chain is not None and not again:
        chain.statistics.turns += sign
        chain.statistics.fallbacks += sign * turn.transport_reason.startswith("fallback")
