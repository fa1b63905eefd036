"""What the core asks its shell to do: one ordered list, done in a ``match``."""

from __future__ import annotations

import msgspec

from turnwire.core.failure import Failure
from turnwire.core.steer import SteerId
from turnwire.events import Event, Response, TurnRestartedEvent, TurnResumedEvent

ConnectionId = int
TurnId = int


class Dial(msgspec.Struct, frozen=True, gc=False):
    """Open a socket; answer with ``dialed``, ``refused`` or ``lost``."""

    connection: ConnectionId


class Send(msgspec.Struct, frozen=True, gc=False):
    """Write a message of a turn or a steer, once, in the order of these actions.

    Answer with ``written``.
    """

    connection: ConnectionId
    turn: TurnId | SteerId
    data: bytes


class Ping(msgspec.Struct, frozen=True, gc=False):
    """Send a ping; answer with ``ponged`` when its pong comes."""

    connection: ConnectionId


class SignIn(msgspec.Struct, frozen=True, gc=False):
    """Begin an HTTP exchange by getting its key; answer with ``signed_in``, or with ``lost``."""

    connection: ConnectionId


class Post(msgspec.Struct, frozen=True, gc=False):
    """POST a turn's body; answer with ``received`` and ``lost``, or with ``refused``."""

    connection: ConnectionId
    turn: TurnId
    body: bytes


class Fetch(msgspec.Struct, frozen=True, gc=False):
    """GET a stored response; answer as to a POST, or with ``fetched`` if it came in one piece.

    Attributes:
        connection: The exchange.
        response_id: Which response.
        starting_after: The last event that is known, or None.
        streamed: Whether to ask for events.
    """

    connection: ConnectionId
    response_id: str
    starting_after: int | None
    streamed: bool


class Close(msgspec.Struct, frozen=True, gc=False):
    """Close a socket or abort an exchange; nothing more is expected from it."""

    connection: ConnectionId
    code: int = 1000


class Deliver(msgspec.Struct, frozen=True):
    """Hand an event to the turn's caller."""

    turn: TurnId
    event: Event


class Restart(msgspec.Struct, frozen=True):
    """Forget what the turn's caller has not read yet, and hand out this instead."""

    turn: TurnId
    event: TurnRestartedEvent | TurnResumedEvent


class Log(msgspec.Struct, frozen=True, gc=False):
    """Tell whoever watches, in one line without content."""

    message: str


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


class Steered(msgspec.Struct, frozen=True, gc=False):
    """A steer has moved: whoever waits for it should look.

    Attributes:
        steer: Which steer.
        ended: True if nothing more will happen to it.
    """

    steer: SteerId
    ended: bool


Action = (
    Dial | Send | Ping | SignIn | Post | Fetch | Close | Deliver | Restart | Log | Finish | Steered
)
