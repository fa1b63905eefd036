"""Fetching a stored response instead of running the model again.

Unproved on the hosted service, so it has to be asked for: docs/protocol/recovery.md#resume.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

import msgspec

from turnwire.core.actions import Deliver, Restart
from turnwire.core.backoff import exponential
from turnwire.core.routing import begin_exchange
from turnwire.core.turn import TurnState
from turnwire.events import TurnResumedEvent

if TYPE_CHECKING:
    from turnwire.core.exchange import Exchange
    from turnwire.core.failure import Failure
    from turnwire.core.pool_turn import PoolTurn
    from turnwire.core.state import PoolState

_MOST_LOOKS: Final = 8  # with pauses that double, about half a minute
_FINAL: Final = ("completed", "incomplete", "failed", "cancelled")


class _Fetched(msgspec.Struct):
    status: str | None = None


def resume(state: PoolState, turn: PoolTurn, failure: Failure, now: float) -> None:
    """Fetch what the server has stored of a turn that was cut off."""
    turn.connection = turn.lane = None
    turn.release_source()
    turn.resumes += 1
    state.counts.resumes += 1
    # Without numbers nobody could tell which events are still to come.
    numbered = turn.last_sequence_number is not None
    begin_exchange(state, turn, "stream" if numbered else "look", now)
    progress = turn.request.deadlines.progress
    state.note_deadline(None if progress is None else now + progress)
    if numbered:
        event = _resumed(turn, failure.message, turn.last_sequence_number)
        state.actions.append(Deliver(turn.id, event))


def came_whole(state: PoolState, turn: PoolTurn) -> None:
    """Tell that the response came in one piece: pieces that wait to be read do not count."""
    event = _resumed(turn, "the stored response came in one piece", None)
    state.actions.append(Restart(turn.id, event))


def _resumed(turn: PoolTurn, reason: str, starting_after: int | None) -> TurnResumedEvent:
    assert turn.response_id is not None  # or it could not be fetched
    fields = {
        "reason": reason,
        "response_id": turn.response_id,
        "starting_after": starting_after,
    }
    raw = msgspec.json.encode({"type": "turn.resumed", **fields})
    return TurnResumedEvent(
        raw=raw, reason=reason, response_id=turn.response_id, starting_after=starting_after
    )


def terminal_event(exchange: Exchange, body: bytes) -> bytes | None:
    """Make the terminal event of a response that came in one piece; None if it is not whole."""
    try:
        status = msgspec.json.decode(body, type=_Fetched).status
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return None
    turn = exchange.turn
    if status not in _FINAL or (turn.shown and turn.state is TurnState.OUTPUT):
        return None  # half of it was shown, and what is missing cannot be told from this
    kind = "failed" if status == "cancelled" else status
    return b'{"type":"response.%s","response":%s}' % (kind.encode(), body)


def look_again(state: PoolState, exchange: Exchange, body: bytes, now: float) -> bool:
    """Ask once more, later, if the response still runs; False if that makes no sense."""
    try:
        runs = msgspec.json.decode(body, type=_Fetched).status in ("queued", "in_progress")
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return False
    turn = exchange.turn
    shown = turn.shown and turn.state is TurnState.OUTPUT
    if not runs or shown or exchange.looks >= _MOST_LOOKS:
        return False
    begin_later(state, exchange, now)
    return True


def begin_later(state: PoolState, exchange: Exchange, now: float) -> None:
    """Look at the response again after a pause."""
    looks = exchange.looks + 1
    number = state.next_number()
    begins_at = now + exponential(looks, 1.0)
    state.exchanges[number] = replace(
        exchange,
        purpose="look",
        begins_at=begins_at,
        sign_in_until=None,
        looks=looks,
        heard_at=begins_at,
    )
    exchange.turn.exchange = number
    state.note_deadline(begins_at)
