"""What the core asks its shell to do.  One ordered list; the shell is a ``match`` with six arms."""

from __future__ import annotations

import msgspec

from turnwire.core.failure import Failure
from turnwire.events import Event, Response

ConnectionId = int
TurnId = int


class Dial(msgspec.Struct, frozen=True, gc=False):
    """Open a socket; answer with ``dialed``, ``refused`` or ``lost``."""

    connection: ConnectionId


class Send(msgspec.Struct, frozen=True, gc=False):
    """Write a message of a turn, once; in the order of these actions."""

    connection: ConnectionId
    turn: TurnId
    data: bytes


class Post(msgspec.Struct, frozen=True, gc=False):
    """POST a turn's body; answer with ``received`` and ``lost``, or with ``refused``."""

    connection: ConnectionId
    turn: TurnId
    body: bytes


class Close(msgspec.Struct, frozen=True, gc=False):
    """Close a socket or abort an exchange; nothing more is expected from it."""

    connection: ConnectionId
    code: int = 1000


class Deliver(msgspec.Struct, frozen=True):
    """Hand an event to the turn's caller."""

    turn: TurnId
    event: Event


class Finish(msgspec.Struct, frozen=True):
    """The turn has ended; nothing follows.

    Attributes:
        turn: Which turn.
        response: The final response; with a failure, what had arrived before it.
        failure: Why it did not end well, or None.
    """

    turn: TurnId
    response: Response | None
    failure: Failure | None


Action = Dial | Send | Post | Close | Deliver | Finish
