"""The life of one turn: from ``response.create`` to its terminal event.

Everything that can happen to a turn is in ``TRANSITIONS``; a pair that is not there is a bug.
What the states tell apart is how much the server may already have done: nothing (``QUEUED``),
perhaps something (``WRITING``), surely something (``ACCEPTED``), something visible (``OUTPUT``).
In ``STEERING`` a response has ended, and it is not known yet whether another one continues it.
This file does not know about sockets, time, or which side we are.
"""

from __future__ import annotations

from enum import Enum
from typing import Final


class TurnState(Enum):
    """Where a turn is."""

    QUEUED = "queued"
    WRITING = "writing"
    ACCEPTED = "accepted"
    OUTPUT = "output"
    STEERING = "steering"
    COMPLETED = "completed"
    INCOMPLETE = "incomplete"
    FAILED = "failed"
    CANCELLED = "cancelled"


class TurnSignal(Enum):
    """What can happen to a turn."""

    WRITE = "write"  # its message is about to be written; set before the write
    ACCEPT = "accept"  # the server knows it: created, queued, in_progress
    PRODUCE = "produce"  # the first thing a caller can see
    COMPLETE = "complete"
    INCOMPLETE = "incomplete"
    FAIL = "fail"  # an error, from the server or from the way to it
    CANCEL = "cancel"  # the caller no longer wants it
    REQUEUE = "requeue"  # it was refused or cut off, and will be written again
    HOLD = "hold"  # its response has ended, and a successor may follow: it was steered


_S, _E = TurnState, TurnSignal

TRANSITIONS: Final = {
    (_S.QUEUED,   _E.WRITE):      _S.WRITING,
    (_S.QUEUED,   _E.FAIL):       _S.FAILED,
    (_S.QUEUED,   _E.CANCEL):     _S.CANCELLED,

    (_S.WRITING,  _E.ACCEPT):     _S.ACCEPTED,
    (_S.WRITING,  _E.PRODUCE):    _S.OUTPUT,
    (_S.WRITING,  _E.COMPLETE):   _S.COMPLETED,    # a warm-up may be its terminal event alone
    (_S.WRITING,  _E.INCOMPLETE): _S.INCOMPLETE,
    (_S.WRITING,  _E.FAIL):       _S.FAILED,
    (_S.WRITING,  _E.CANCEL):     _S.CANCELLED,
    (_S.WRITING,  _E.REQUEUE):    _S.QUEUED,

    (_S.ACCEPTED, _E.ACCEPT):     _S.ACCEPTED,
    (_S.ACCEPTED, _E.PRODUCE):    _S.OUTPUT,
    (_S.ACCEPTED, _E.COMPLETE):   _S.COMPLETED,
    (_S.ACCEPTED, _E.INCOMPLETE): _S.INCOMPLETE,
    (_S.ACCEPTED, _E.FAIL):       _S.FAILED,
    (_S.ACCEPTED, _E.CANCEL):     _S.CANCELLED,
    (_S.ACCEPTED, _E.REQUEUE):    _S.QUEUED,
    (_S.ACCEPTED, _E.HOLD):       _S.STEERING,

    (_S.OUTPUT,   _E.ACCEPT):     _S.OUTPUT,       # a late refresh of the response object
    (_S.OUTPUT,   _E.PRODUCE):    _S.OUTPUT,
    (_S.OUTPUT,   _E.COMPLETE):   _S.COMPLETED,
    (_S.OUTPUT,   _E.INCOMPLETE): _S.INCOMPLETE,
    (_S.OUTPUT,   _E.FAIL):       _S.FAILED,
    (_S.OUTPUT,   _E.CANCEL):     _S.CANCELLED,
    (_S.OUTPUT,   _E.REQUEUE):    _S.QUEUED,       # its caller has seen nothing of it
    (_S.OUTPUT,   _E.HOLD):       _S.STEERING,

    (_S.STEERING, _E.ACCEPT):     _S.ACCEPTED,     # the successor has begun
    (_S.STEERING, _E.COMPLETE):   _S.COMPLETED,    # none will
    (_S.STEERING, _E.INCOMPLETE): _S.INCOMPLETE,
    (_S.STEERING, _E.FAIL):       _S.FAILED,
    (_S.STEERING, _E.CANCEL):     _S.CANCELLED,
}  # fmt: skip

TERMINAL_STATES: Final = frozenset({_S.COMPLETED, _S.INCOMPLETE, _S.FAILED, _S.CANCELLED})

# What the server's terminal events signal.
TERMINAL_SIGNALS: Final = frozenset({_E.COMPLETE, _E.INCOMPLETE, _E.FAIL})
