"""Test peers for programs that speak the Responses WebSocket mode; nothing else imports them.

``Peer`` is a scripted server on a real socket; its vocabulary is in ``script.py`` (what the model
says) and ``faults.py`` (what happens to the wire).  ``Clock`` is time for tests without sockets,
``virtual_time`` for tests with them.
"""

from turnwire.testing.clock import Clock
from turnwire.testing.connection import Connection
from turnwire.testing.doors import Refuse, redirect, refuse
from turnwire.testing.faults import (
    abort,
    accept,
    close,
    drop,
    emit,
    error,
    half_open,
    ping,
    reject,
    say,
    silence,
    stop_reading,
    swallow,
    wait,
    withhold_pongs,
)
from turnwire.testing.log import Entry
from turnwire.testing.pair import Pair
from turnwire.testing.peer import Peer
from turnwire.testing.replay import Replay
from turnwire.testing.retrieving import Retrieval
from turnwire.testing.script import (
    Turns,
    answer,
    call,
    completed,
    deltas,
    echo,
    failed,
    incomplete,
    item,
    reasoning,
    reencrypted,
    terminal,
)
from turnwire.testing.steps import Create, Gate, Script, Steer, SteerStep, Step
from turnwire.testing.virtual import VirtualLoop, virtual_time
from turnwire.testing.wires import Post

__all__ = [
    "Clock",
    "Connection",
    "Create",
    "Entry",
    "Gate",
    "Pair",
    "Peer",
    "Post",
    "Refuse",
    "Replay",
    "Retrieval",
    "Script",
    "Steer",
    "SteerStep",
    "Step",
    "Turns",
    "VirtualLoop",
    "abort",
    "accept",
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
    "half_open",
    "incomplete",
    "item",
    "ping",
    "reasoning",
    "redirect",
    "reencrypted",
    "refuse",
    "reject",
    "say",
    "silence",
    "stop_reading",
    "swallow",
    "terminal",
    "virtual_time",
    "wait",
    "withhold_pongs",
]
