"""The vocabulary of scripts, the wire's half: what happens between, instead of or after events.

A step happens where it stands in the list, or, with ``after=``, once so many events of the turn
(or the first event of that type) were sent; ``after=0`` is before the first:

    [answer("Hello world"), drop(after=3)]
    [answer("Hello world"), wait(gate, after="response.created")]

This file knows no sockets and no rules of the service.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from turnwire.testing.steps import (
    Accept,
    After,
    Close,
    Drop,
    Emit,
    Error,
    ErrorShape,
    Gate,
    HalfOpen,
    Ping,
    Reject,
    Say,
    Silence,
    StopReading,
    Swallow,
    Wait,
    WithholdPongs,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

# These codes say how an end looks from outside; they do not travel.
_UNSENDABLE_CLOSE_CODES: Final = frozenset({1006, 1015})

_DEFAULT_PARAM: Final = {
    "previous_response_not_found": "previous_response_id",
    "invalid_stream_id": "stream_id",
    "websocket_stream_limit_reached": "stream_id",
}
_WITHOUT_LANE: Final = frozenset({"invalid_stream_id", "websocket_connection_limit_reached"})


def emit(type: str, /, *, after: After = None, **members: Any) -> Emit:  # noqa: A002  # the wire's word
    """Send an event as given, known or not."""
    return Emit({"type": type, **members}, after)


def error(
    code: str | None,
    status: int | None = 400,
    *,
    shape: ErrorShape = "nested",
    message: str = "The request was refused by the script.",
    kind: str | None = None,
    param: str | None = None,
    headers: Mapping[str, str] | None = None,
    lane: bool | None = None,
    numbered: bool | None = None,
    after: After = None,
) -> Error:
    """Send an ``error`` event, which ends the turn and leaves the connection open.

    Args:
        code: The machine-readable reason, or None where a server gives none.
        status: The HTTP status that it stands for, or None to leave it out.
        shape: One of the shapes met in the field: ``nested`` (the hosted service), ``flat`` (as in
            SSE), ``status_code`` (nested, the status under another name), ``detail`` (its text
            under another name), ``text`` (its text alone).
        message: The text for people.
        kind: ``error.type``; derived from the status by default.
        param: The parameter at fault; derived from the code by default.
        headers: Sent beside the error (WebSocket), or as response headers (POST).
        lane: Whether it has the turn's ``stream_id``; by default as the service does with this
            code.
        numbered: Whether it has a ``sequence_number``; by default only the flat shape has one.
        after: When; see the module.
    """
    server_fault = status is not None and status >= 500  # noqa: PLR2004  # HTTP's classes
    kind = kind or ("server_error" if server_fault else "invalid_request_error")
    param = param or _DEFAULT_PARAM.get(code or "")
    lane = code not in _WITHOUT_LANE if lane is None else lane
    numbered = shape == "flat" if numbered is None else numbered
    return Error(code, status, message, kind, param, headers, shape, lane, numbered, after)


def say(data: bytes | str, *, binary: bool = False, after: After = None) -> Say:
    """Send one message that need not be an event, nor JSON, nor text."""
    return Say(data.encode() if isinstance(data, str) else data, binary, after)


def wait(until: Gate | float, *, after: After = None) -> Wait:
    """Hold the turn at a gate, or for so many seconds of the peer's clock, which a test moves."""
    return Wait(until, after)


def close(code: int = 1000, reason: str = "", *, after: After = None) -> Close:
    """Close the WebSocket properly; 1005 stands for a close without a code.

    Raises:
        ValueError: The code never travels; ``drop()`` makes the other side see 1006.
    """
    if code in _UNSENDABLE_CLOSE_CODES:
        raise ValueError(f"Close code {code} cannot be sent; use drop() or abort().")
    return Close(code, reason, after)


def drop(*, after: After = None) -> Drop:
    """End the TCP connection without a closing handshake."""
    return Drop(reset=False, after=after)


def abort(*, after: After = None) -> Drop:
    """Reset the TCP connection."""
    return Drop(reset=True, after=after)


def silence(*, after: After = None) -> Silence:
    """Say nothing more in this turn, not even that it ended; pings are still answered."""
    return Silence(after)


def swallow(*, after: After = None) -> Swallow:
    """Leave the create unanswered, as if it had never arrived; its lane is free for the next."""
    return Swallow(after)


def ping(count: int = 1, *, after: After = None) -> Ping:
    """Send so many pings; before a ``silence()`` they are all that comes."""
    return Ping(count, after)


def half_open(*, after: After = None) -> HalfOpen:
    """Be gone without a word: nothing is sent, read or answered any more, and TCP stays up."""
    return HalfOpen(after)


def stop_reading(until: Gate | float | None = None, *, after: After = None) -> StopReading:
    """Read nothing from the connection, pings neither, until the gate opens or the time is up.

    The turn goes on meanwhile.  Without an argument nothing is ever read again.
    """
    return StopReading(until, after)


def withhold_pongs(*, after: After = None) -> WithholdPongs:
    """Answer no ping from here on; everything else goes on."""
    return WithholdPongs(after)


def accept(*, interrupts: bool = True) -> Accept:
    """Accept a steer, which goes into a successor of the response that it steers.

    Args:
        interrupts: True to end that response, as incomplete, once its current item is done; False
            to let it come to its own end.
    """
    return Accept(interrupts)


def reject(code: str) -> Reject:
    """Return a steer with ``response.steer.failed``; after ``accept()``, one that was accepted."""
    return Reject(code)
