"""What the Realtime machine asks its shell to do: one ordered list, done in a ``match``."""

from __future__ import annotations

import msgspec

from turnwire.core.failure import Failure
from turnwire.events.realtime import RealtimeEvent

Generation = int
Ticket = int


class Dial(msgspec.Struct, frozen=True, gc=False):
    """Open a socket; answer with ``opened``, ``refused`` or ``lost``."""

    generation: Generation


class Close(msgspec.Struct, frozen=True, gc=False):
    """Close a socket, or give up its dial; nothing more is expected from it."""

    generation: Generation
    code: int = 1000


class Wake(msgspec.Struct, frozen=True, gc=False):
    """There is something to be written: have the writer pull until there is nothing."""

    generation: Generation


class Deliver(msgspec.Struct, frozen=True):
    """Hand an event to whoever listens."""

    event: RealtimeEvent


class Flush(msgspec.Struct, frozen=True, gc=False):
    """Drop audio that was delivered and not played: the listener was interrupted.

    Attributes:
        response_id: Of this response only, or None for all.
    """

    response_id: str | None = None


class Settle(msgspec.Struct, frozen=True):
    """Answer what somebody waits for.

    Attributes:
        ticket: The number that the question returned.
        answer: The event that answers it, or a failure.
    """

    ticket: Ticket
    answer: RealtimeEvent | Failure


class Log(msgspec.Struct, frozen=True, gc=False):
    """Tell whoever watches, in one line without content."""

    message: str


class End(msgspec.Struct, frozen=True):
    """It is over: closed by its owner (None), or given up."""

    failure: Failure | None


Action = Dial | Close | Wake | Deliver | Flush | Settle | Log | End
