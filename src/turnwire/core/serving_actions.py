"""What the server's half of a socket wants done, and what those who watch it may know."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import msgspec

Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Start:
    """Run a turn.

    Attributes:
        turn: Its number on this socket.
        request: The ``response.create`` object, without ``type`` and ``stream_id``; what steers
            said to the response that it continues stands before its own input.
        parent_cached: True if this socket holds the response that it continues.
    """

    turn: int
    request: Json
    parent_cached: bool


@dataclass(frozen=True, slots=True)
class Interrupt:
    """Let this turn end between two items, as ``steered``; it may come to its own end before."""

    turn: int


@dataclass(frozen=True, slots=True)
class Stop:
    """Nobody wants this turn any more: stop its model run."""

    turn: int


class Reply(msgspec.Struct, frozen=True, gc=False):
    """Send this message; a struct, as there is one for every event.

    Attributes:
        turn: The running turn among whose events it takes a number without being one, or None.
    """

    data: bytes
    turn: int | None = None


@dataclass(frozen=True, slots=True)
class Forget:
    """This socket no longer holds this response."""

    response_id: str


@dataclass(frozen=True, slots=True)
class HangUp:
    """Close the socket."""

    code: int
    reason: str


ServingAction = Start | Interrupt | Stop | Reply | Forget | HangUp


@dataclass(frozen=True, slots=True)
class Place:
    """Where a turn is on its socket, for those who watch.

    Attributes:
        lane: 0 is the default lane; the named ones count from 1, in order of their first use.
        received: When its create came.
    """

    lane: int
    received: float
