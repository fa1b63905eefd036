"""Test peers for programs that speak the Responses WebSocket mode; nothing else imports them.

``Peer`` is a scripted server on a real socket, ``Clock`` is time for tests without one.
"""

from turnwire.testing.clock import Clock
from turnwire.testing.handshake import Refuse, refuse
from turnwire.testing.pair import Pair
from turnwire.testing.peer import Peer
from turnwire.testing.script import (
    Turns,
    abort,
    answer,
    call,
    close,
    completed,
    deltas,
    drop,
    echo,
    emit,
    error,
    failed,
    incomplete,
    item,
    reasoning,
    say,
    silence,
    wait,
)
from turnwire.testing.steps import Create, Gate, Script, Step
from turnwire.testing.wires import Connection, Post

__all__ = [
    "Clock",
    "Connection",
    "Create",
    "Gate",
    "Pair",
    "Peer",
    "Post",
    "Refuse",
    "Script",
    "Step",
    "Turns",
    "abort",
    "answer",
    "call",
    "close",
    "completed",
    "deltas",
    "drop",
    "echo",
    "emit",
    "error",
    "failed",
    "incomplete",
    "item",
    "reasoning",
    "refuse",
    "say",
    "silence",
    "wait",
]
