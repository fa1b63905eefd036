"""What the things mean that upstreams say, be they deltas or events of the wire."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from turnwire.core.signals import signal_of
from turnwire.core.turn import TurnSignal
from turnwire.events import Event
from turnwire.gateway.upstreams.deltas import Finished, UsageReport

if TYPE_CHECKING:
    from turnwire.gateway.upstreams.deltas import Delta

_ENDS: Final = {
    TurnSignal.COMPLETE: True,
    TurnSignal.INCOMPLETE: True,
    TurnSignal.FAIL: False,
}


def shows(item: Delta | Event) -> bool:
    """Say whether a client sees something of it, so that no other upstream may take over."""
    if isinstance(item, Event):
        return signal_of(item) is not TurnSignal.ACCEPT
    return not isinstance(item, UsageReport)


def ended(item: Delta | Event) -> bool | None:
    """Say whether it is the end, and then whether all went well; None if it is not the end."""
    if isinstance(item, Event):
        signal = signal_of(item)
        return None if signal is None else _ENDS.get(signal)
    return True if type(item) is Finished else None
