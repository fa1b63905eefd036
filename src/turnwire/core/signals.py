"""What an event means for its turn: one row per event type that the core acts on.

Everything else shows the caller something and passes through.
"""

from __future__ import annotations

from typing import Final

from turnwire.core.turn import TurnSignal
from turnwire.events import (
    STEERS,
    Event,
    OtherEvent,
    ResponseCompletedEvent,
    ResponseCreatedEvent,
    ResponseErrorEvent,
    ResponseFailedEvent,
    ResponseIncompleteEvent,
    ResponseInProgressEvent,
    ResponseQueuedEvent,
    TurnRestartedEvent,
    TurnResumedEvent,
)

_E = TurnSignal

# Which signal an event is; a class that is not here shows the caller something.
_SIGNAL_OF_CLASS: Final[dict[type[Event], TurnSignal]] = {
    ResponseCreatedEvent: _E.ACCEPT,
    ResponseQueuedEvent: _E.ACCEPT,
    ResponseInProgressEvent: _E.ACCEPT,
    ResponseCompletedEvent: _E.COMPLETE,
    ResponseIncompleteEvent: _E.INCOMPLETE,
    ResponseFailedEvent: _E.FAIL,
    ResponseErrorEvent: _E.FAIL,
}

_OURS: Final = (TurnRestartedEvent, TurnResumedEvent)

# The same by name, for servers whose events have odd shapes and for gateways' own terminals:
# docs/protocol/events.md#terminal-events
SIGNAL_OF_TYPE: Final[dict[str, TurnSignal]] = {
    "response.created": _E.ACCEPT,
    "response.queued": _E.ACCEPT,
    "response.in_progress": _E.ACCEPT,
    "response.completed": _E.COMPLETE,
    "response.incomplete": _E.INCOMPLETE,
    "response.failed": _E.FAIL,
    "response.cancelled": _E.FAIL,
    "response.error": _E.FAIL,
    "error": _E.FAIL,
}

_SIGNAL_OF_STATUS: Final[dict[str | None, TurnSignal]] = {
    "completed": _E.COMPLETE,
    "incomplete": _E.INCOMPLETE,
    "failed": _E.FAIL,
    "cancelled": _E.FAIL,
}


def signal_of(event: Event) -> TurnSignal | None:
    """Say what an event means for its turn; None if nothing.

    Events that are not the response's, such as ``keepalive``, mean nothing: they do not even show
    that the server has taken the turn.

    An unknown ``response.*`` event whose response has a final status ends the turn: gateways send
    ``response.done`` and the like.
    """
    signal = _SIGNAL_OF_CLASS.get(type(event))
    if signal is not None:
        return signal
    if isinstance(event, OtherEvent):
        return _signal_of_other(event)
    return None if isinstance(event, _OURS) or type(event) in STEERS else _E.PRODUCE


def _signal_of_other(event: OtherEvent) -> TurnSignal | None:
    by_name = SIGNAL_OF_TYPE.get(event.type)
    if by_name is not None:
        return by_name
    if not event.type.startswith("response.") or event.type.startswith("response.steer."):
        return None
    if event.response is not None:
        by_status = _SIGNAL_OF_STATUS.get(event.response.status)
        if by_status is not None:
            return by_status
    return _E.PRODUCE
