"""HTTP exchanges: what comes back for a POST, or for the GET of a stored response."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

from turnwire.core import endings, resuming
from turnwire.core.actions import Fetch
from turnwire.core.arriving import event_of_turn
from turnwire.core.failure import CloseInfo, Failure, FailureKind, failure_of_json
from turnwire.core.placing import write
from turnwire.core.routing import begin_exchange
from turnwire.core.sse import MessageTooLong
from turnwire.events import MalformedMessage, decode_event

if TYPE_CHECKING:
    from collections.abc import Mapping

    from turnwire.core.actions import ConnectionId
    from turnwire.core.exchange import Exchange
    from turnwire.core.pool_turn import PoolTurn
    from turnwire.core.state import PoolState
    from turnwire.events import Event

_OK: Final = 200
_UNAUTHORIZED: Final = 401
_NOT_FOUND: Final = 404


def signed_in(
    state: PoolState, connection: ConnectionId, exchange: Exchange, credential: str, now: float
) -> None:
    """The key is there: say what is to be asked."""
    exchange.sign_in_until, exchange.heard_at = None, now
    turn = exchange.turn
    turn.credential = credential
    state.log(state.breaker.seen(credential))
    if exchange.purpose == "post":
        write(state, turn, now)
        return
    assert turn.response_id is not None  # or there would be nothing to fetch
    streamed = exchange.purpose == "stream"
    after = turn.last_sequence_number if streamed else None
    state.actions.append(Fetch(connection, turn.response_id, after, streamed))


def received(
    state: PoolState, connection: ConnectionId, exchange: Exchange, data: bytes, now: float
) -> None:
    """A piece of a stream came."""
    exchange.heard_at = now
    turn = exchange.turn
    try:
        for message in exchange.decoder.feed(data):
            event = decode_event(message)
            if exchange.purpose == "post" or _is_next(turn, event):
                event_of_turn(state, turn, event, now)
            if connection not in state.exchanges:
                break  # that was its terminal event, or it goes on elsewhere
    except (MalformedMessage, MessageTooLong) as error:
        failure = Failure(FailureKind.PROTOCOL, f"the server broke the protocol: {error}")
        endings.cut_off(state, turn, failure, now)


def fetched(
    state: PoolState, connection: ConnectionId, exchange: Exchange, body: bytes, now: float
) -> None:
    """A stored response came in one piece."""
    event = resuming.terminal_event(exchange, body)
    if event is not None:
        resuming.came_whole(state, exchange.turn)
        event_of_turn(state, exchange.turn, decode_event(event), now)
        return
    del state.exchanges[connection]
    if not resuming.look_again(state, exchange, body, now):
        _not_fetched(state, exchange, _OK, "it is not whole", now)


def refused(
    state: PoolState,
    connection: ConnectionId,
    exchange: Exchange,
    answer: tuple[int, Mapping[str, str], bytes],
    now: float,
) -> None:
    """The server answered with something else than was asked for."""
    status, headers, body = answer
    state.breaker.reached()
    said = failure_of_json(body, "no reason given", status=status, headers=headers)
    if exchange.purpose == "post":
        endings.server_failed(state, exchange.turn, replace(said, body=body), None, now)
        return
    del state.exchanges[connection]
    _not_fetched(state, exchange, status, f"HTTP {status}: {said.message}", now)


def ended(state: PoolState, exchange: Exchange, close: CloseInfo, now: float) -> None:
    """The stream ended, or there never was a connection."""
    turn = exchange.turn
    if close.reached:
        failure = lost_failure("the HTTP stream ended", close)
        endings.cut_off(state, turn, failure, now)
        return
    if close.signed_in:
        state.log(state.breaker.unreachable())
    if exchange.purpose == "post":
        endings.cut_off(state, turn, unreachable_failure(close), now, unwritten=True)
    else:
        endings.cut_off(state, turn, lost_failure("the server could not be reached", close), now)


def _is_next(turn: PoolTurn, event: Event) -> bool:
    """Say whether a fetched event is new; a gap before it means that something is missing."""
    last, number = turn.last_sequence_number, event.sequence_number
    if last is None or number is None or number == last + 1:
        return True
    if number <= last:
        return False  # the server began at the beginning
    turn.resume_failed = True
    raise MalformedMessage(f"events {last + 1} to {number - 1} are missing")


def _not_fetched(state: PoolState, exchange: Exchange, status: int, why: str, now: float) -> None:
    """A stored response could not be had: look at it another way, or do without."""
    turn = exchange.turn
    if exchange.purpose == "stream" and status not in (_UNAUTHORIZED, _NOT_FOUND):
        begin_exchange(state, turn, "look", now)
        return
    turn.resume_failed, turn.exchange = True, None
    message = f"the socket was lost, and its stored response could not be fetched: {why}"
    endings.cut_off(state, turn, Failure(FailureKind.LOST, message), now)


def unreachable_failure(close: CloseInfo) -> Failure:
    """Say that there was no connection."""
    if not close.signed_in:
        return Failure(FailureKind.SIGN_IN, close.reason)
    message = f"the server could not be reached: {close.reason or 'no reason given'}"
    return Failure(FailureKind.DIAL_TIMEOUT if close.timed_out else FailureKind.DIAL, message)


def lost_failure(what: str, close: CloseInfo) -> Failure:
    """Say how the way to the server broke."""
    reason = f" ({close.reason})" if close.reason else ""
    return Failure(
        FailureKind.LOST,
        f"{what} before the turn's terminal event{reason}",
        close_code=close.code,
        close_reason=close.reason,
    )
