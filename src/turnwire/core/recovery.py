"""What may be done with a turn that was cut off or refused: one table.

A turn that the server has certainly not run is written again freely.  One that it has perhaps run
is written again at most once, if its policy allows, and never after its caller saw output of it.
Decides only; ``recovering.py`` does what was decided.  Reasons: docs/decisions/0009-recovery.md.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import Final


class Recovery(Enum):
    """What to do."""

    MOVE = "move"  # the server has not read it: another place
    RESEND = "resend"  # write it again
    RESEND_IN_FULL = "resend in full"  # write it again, with the whole history
    RESEND_LATER = "resend later"  # the same, after a pause
    RESUME = "resume"  # fetch the stored response instead of running the model again
    FALL_BACK = "fall back"  # over HTTP, built from scratch
    FAIL = "fail"


class Cause(Enum):
    """What went wrong."""

    DIAL = "dial"  # no socket could be opened, or no connection for the POST
    STALE_KEY = "stale key"  # a 401, and a new key can be had
    TOO_LARGE = "too large"  # no socket takes the message
    LOST = "lost"  # the socket or the stream ended before the terminal event
    AGE_LIMIT = "age limit"  # the server ends the socket's life and has not read the turn
    PARENT_GONE = "parent gone"  # the server lost what the turn continues; the chain has it all
    NO_LANES = "no lanes"  # the server does not know `stream_id`
    NO_NAMES = "no names"  # the server takes no more lane names
    BUSY = "busy"  # overload, or a limit on the rate
    ANSWER = "answer"  # any other error of the server's: it is the answer
    OURS = "ours"  # the caller's limits, or its client was closed


class Delivery(Enum):
    """How much of the turn the server may have seen."""

    UNSENT = "unsent"  # nothing of it
    WRITTEN = "written"  # perhaps all of it
    ACCEPTED = "accepted"  # all of it
    OUTPUT = "output"  # and it has answered


class Home(Enum):
    """Where the response is that the turn continues."""

    ANYWHERE = "anywhere"  # nowhere at all, or in the server's store
    SOCKET = "socket"  # only on its socket; the chain has the whole history
    LOST = "lost"  # was only on a socket; the caller linked it by hand


@dataclass(frozen=True, slots=True)
class Situation:
    """Everything that the decision depends on.

    Attributes:
        cause: What went wrong.
        delivery: How much of the turn the server may have seen.
        shown: Whether its caller has seen output.
        id_known: Whether the response can be fetched: its id is known, it is stored, and its
            caller allows it.
        home: Where the response is that the turn continues.
        may_repeat: Whether another model run is allowed: by the turn's policy, and once.
        may_wait: Whether the budget for later tries allows one more.
        may_fall_back: Whether the turn may change to HTTP.
    """

    cause: Cause
    delivery: Delivery
    shown: bool
    id_known: bool
    home: Home
    may_repeat: bool
    may_wait: bool
    may_fall_back: bool


@dataclass(frozen=True, slots=True)
class Row:
    """One rule; what is None does not matter."""

    cause: Cause
    delivery: tuple[Delivery, ...] | None
    recovery: Recovery
    shown: bool | None = None
    id_known: bool | None = None
    home: Home | None = None
    may_repeat: bool | None = None
    may_wait: bool | None = None
    may_fall_back: bool | None = None

    def fits(self, situation: Situation) -> bool:
        """Say whether the rule is about this situation."""
        return (
            self.cause is situation.cause
            and (self.delivery is None or situation.delivery in self.delivery)
            and self.shown in (None, situation.shown)
            and self.id_known in (None, situation.id_known)
            and self.home in (None, situation.home)
            and self.may_repeat in (None, situation.may_repeat)
            and self.may_wait in (None, situation.may_wait)
            and self.may_fall_back in (None, situation.may_fall_back)
        )


_C, _D, _R = Cause, Delivery, Recovery
_UNSENT = (_D.UNSENT,)
_UNREAD = (_D.UNSENT, _D.WRITTEN)  # by now the server has said that it did not run it
_NO_OUTPUT = (_D.UNSENT, _D.WRITTEN, _D.ACCEPTED)
_NAMED = (_D.ACCEPTED, _D.OUTPUT)  # the response exists

# The first rule that fits decides; where none does, the turn fails.
RULES: Final = (
    Row(_C.DIAL,        _UNSENT,    _R.FALL_BACK,      may_fall_back=True),
    Row(_C.DIAL,        _UNSENT,    _R.RESEND_LATER,   may_wait=True),
    Row(_C.STALE_KEY,   _UNREAD,    _R.RESEND),
    Row(_C.TOO_LARGE,   _UNREAD,    _R.FALL_BACK,      may_fall_back=True),
    Row(_C.LOST,        _UNSENT,    _R.MOVE),
    Row(_C.LOST,        _NAMED,     _R.RESUME,         id_known=True),
    Row(_C.LOST,        None,       _R.FAIL,           shown=True),
    Row(_C.LOST,        None,       _R.FAIL,           home=Home.LOST),
    Row(_C.LOST,        None,       _R.RESEND_IN_FULL, home=Home.SOCKET, may_repeat=True),
    Row(_C.LOST,        None,       _R.RESEND,         may_repeat=True),
    Row(_C.AGE_LIMIT,   _UNREAD,    _R.MOVE),
    Row(_C.PARENT_GONE, _NO_OUTPUT, _R.RESEND_IN_FULL),
    Row(_C.NO_LANES,    _NO_OUTPUT, _R.RESEND),
    Row(_C.NO_NAMES,    _NO_OUTPUT, _R.MOVE),
    Row(_C.BUSY,        _NO_OUTPUT, _R.RESEND_LATER,   may_wait=True),
)  # fmt: skip


def decide(situation: Situation) -> Recovery:
    """Return what may be done; total over all situations."""
    for rule in RULES:
        if rule.fits(situation):
            return rule.recovery
    return Recovery.FAIL
