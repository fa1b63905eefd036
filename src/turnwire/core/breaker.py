"""WebSocket or HTTP for `auto` turns: where sockets do not work, turns stop paying for the try.

It outlives sockets, so what one of them taught is known to the next.  It judges the way, never a
turn: an answer of the server's, even an error, says that the way works.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import Final, Literal

from turnwire.core.machine import advance


class BreakerState(Enum):
    """What `auto` turns do."""

    CLOSED = "closed"  # they use sockets
    OPEN = "open"  # they go over HTTP, until the cooldown is over
    HALF_OPEN = "half_open"  # one probes a socket; the others go over HTTP


class BreakerSignal(Enum):
    """What can happen to the breaker."""

    TRIP = "trip"  # sockets do not work
    PROBE = "probe"  # the cooldown is over and a turn is there
    GIVE_UP = "give_up"  # the probing turn ended and has shown nothing
    SUCCEED = "succeed"  # a turn ended well on a socket
    RESET = "reset"  # what was held against sockets does not count


_S, _E = BreakerState, BreakerSignal

TRANSITIONS: Final = {
    (_S.CLOSED,    _E.TRIP):    _S.OPEN,
    (_S.CLOSED,    _E.GIVE_UP): _S.CLOSED,  # an older turn ended well while it probed
    (_S.CLOSED,    _E.SUCCEED): _S.CLOSED,
    (_S.CLOSED,    _E.RESET):   _S.CLOSED,

    (_S.OPEN,      _E.TRIP):    _S.OPEN,    # dials and turns that had begun before
    (_S.OPEN,      _E.PROBE):   _S.HALF_OPEN,
    (_S.OPEN,      _E.GIVE_UP): _S.OPEN,    # an older turn was lost while it probed
    (_S.OPEN,      _E.SUCCEED): _S.CLOSED,  # an older socket works after all
    (_S.OPEN,      _E.RESET):   _S.CLOSED,

    (_S.HALF_OPEN, _E.TRIP):    _S.OPEN,
    (_S.HALF_OPEN, _E.GIVE_UP): _S.OPEN,    # its cooldown is over: the next turn may probe
    (_S.HALF_OPEN, _E.SUCCEED): _S.CLOSED,
    (_S.HALF_OPEN, _E.RESET):   _S.CLOSED,
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class BreakerSettings:
    """When to stay away from sockets, and for how long.

    Attributes:
        losses: How many turns lost in a row open it.
        cooldowns: Seconds until the next probe after the first opening, the second and so on; the
            last one stays.
    """

    losses: int = 3
    cooldowns: tuple[float, ...] = (300.0, 600.0, 1200.0)


@dataclass(frozen=True, slots=True)
class Health:
    """How a client reaches its server; ``dataclasses.asdict`` makes it ready for JSON.

    Attributes:
        transport: How the next turn of a client with ``transport="auto"`` would travel.
        state: ``closed``: sockets are used.  ``open``: they did not work and are left alone for a
            while.  ``half_open``: one turn finds out whether they work again.
        reason: What last went wrong with a socket, or None if nothing has since one worked.
        losses: Sockets lost in a row with turns on them; some more of them and it opens.
        seconds_until_probe: While ``open``, when a turn may try a socket again; 0 means the next
            one.  Otherwise None.
    """

    transport: Literal["websocket", "http"]
    state: Literal["closed", "open", "half_open"]
    reason: str | None
    losses: int
    seconds_until_probe: float | None


class Breaker:
    """What is known about sockets to one server with one credential.

    Its methods return a sentence for the log if `auto` turns now travel another way, else None.
    Nothing happens between calls: a cooldown ends when somebody asks.

    Args:
        settings: When to open, and for how long.
    """

    __slots__ = (
        "_credential", "_is_proven", "_losses", "_openings", "_reason", "_settings", "_state",
        "_until",
    )  # fmt: skip

    def __init__(self, settings: BreakerSettings | None = None) -> None:
        self._settings = settings or BreakerSettings()
        self._state = BreakerState.CLOSED
        self._credential: str | None = None
        self._reason: str | None = None
        self._losses = 0
        self._openings = 0  # in a row, without a success between them
        self._until = 0.0
        self._is_proven = False  # HTTP has worked since the last opening

    def allows(self, now: float) -> bool:
        """Say whether a turn may use a socket, and take the place of the probe if there is one.

        After a True the turn must try, and its end must be told: ``refused``, ``lost``,
        ``succeeded`` or ``gave_up_probe``.
        """
        if self._state is BreakerState.OPEN and now >= self._until:
            self._signal(BreakerSignal.PROBE)
            return True
        return self._state is BreakerState.CLOSED

    def refused(self, reason: str, now: float) -> str | None:
        """An upgrade failed: one is enough, for the next would cost its turn as much.

        Not for 401 and 429: those are about the key and the rate.
        """
        self._reason = reason
        return self._trip(now)

    def lost(self, reason: str, now: float) -> str | None:
        """A socket was lost with turns on it.

        Tell it once for each socket, however many turns it carried: they have one cause.
        """
        self._reason = reason
        if self._state is BreakerState.CLOSED:
            self._losses += 1
            if self._losses < self._settings.losses:
                return None
        return self._trip(now)

    def succeeded(self) -> str | None:
        """A turn ended well on a socket: whatever was known is forgotten."""
        was = self._state
        self._signal(BreakerSignal.SUCCEED)
        self._forget()
        return None if was is BreakerState.CLOSED else "sockets work again: turns use them"

    def gave_up_probe(self) -> None:
        """The probing turn ended for reasons that say nothing about sockets: the next may probe."""
        self._signal(BreakerSignal.GIVE_UP)

    def reached(self) -> None:
        """HTTP reached the server: if sockets did not, they are to blame."""
        self._is_proven = True

    def unreachable(self) -> str | None:
        """HTTP does not reach the server either, so sockets may not be to blame.

        What was held against them since HTTP last worked does not count: an opening is taken
        back, a probe that failed is as if it had been given up.  An opening that HTTP has proven
        since stays: the network that is down now says nothing about the proxy that was in the way
        before, and asking again would cost each turn a dial.
        """
        if self._state is BreakerState.CLOSED:
            self._forget()
            return None
        if self._state is BreakerState.HALF_OPEN or self._is_proven:
            return None
        if self._openings > 1:
            # Only the probe's failure is in doubt; what opened the breaker before is not.
            self._openings -= 1
            self._until = float("-inf")
            self._is_proven = True
            return None
        return self._reset("HTTP does not reach the server either: turns use sockets again")

    def seen(self, credential: str) -> str | None:
        """Note whose turns these are: what is known about one credential says nothing of another.

        Args:
            credential: Fingerprint of the key in use.
        """
        was, self._credential = self._credential, credential
        if was in (None, credential):
            return None
        return self._reset("the credential has changed: turns use sockets again")

    def health(self, now: float) -> Health:
        """Describe it, and change nothing."""
        left = max(0.0, self._until - now) if self._state is BreakerState.OPEN else None
        over_sockets = self._state is BreakerState.CLOSED or left == 0.0
        return Health(
            transport="websocket" if over_sockets else "http",
            state=self._state.value,
            reason=self._reason,
            losses=self._losses,
            seconds_until_probe=left,
        )

    def _trip(self, now: float) -> str | None:
        was = self._state
        self._signal(BreakerSignal.TRIP)
        if was is BreakerState.OPEN:
            return None
        cooldowns = self._settings.cooldowns
        cooldown = cooldowns[min(self._openings, len(cooldowns) - 1)]
        self._openings += 1
        self._until = now + cooldown
        self._is_proven = False
        return f"sockets do not work ({self._reason}): turns use HTTP for {cooldown:g} s"

    def _reset(self, sentence: str) -> str | None:
        was = self._state
        self._signal(BreakerSignal.RESET)
        self._forget()
        return None if was is BreakerState.CLOSED else sentence

    def _forget(self) -> None:
        self._reason, self._losses, self._openings = None, 0, 0

    def _signal(self, signal: BreakerSignal) -> None:
        self._state = advance(TRANSITIONS, self._state, signal)
