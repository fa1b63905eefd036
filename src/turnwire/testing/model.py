"""The model behind the peer: binds creates to their chains, asks the script, performs its acts.

Counts what it does.  Does not know how creates arrive.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from turnwire.testing.plan import Ending, Event, Plan, plan
from turnwire.testing.rules import Memory, Node, bind
from turnwire.testing.script import error
from turnwire.testing.steps import (
    Close,
    Create,
    Drop,
    Error,
    Json,
    Say,
    Script,
    Silence,
    Step,
    Wait,
    input_items,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from turnwire.testing.wires import Wire


@dataclass(frozen=True, slots=True)
class Turn:
    """One create with everything that will happen to it."""

    create: Create
    response_id: str
    plan: Plan


@dataclass(slots=True)
class Model:
    """Runs creates as the script says.

    Attributes:
        script: What to do with each create.
        warm_up: What to do with each warm-up.
        changed: Called after everything that happens.
        model_runs: Creates that it began to answer, warm-ups apart.
        warm_ups: Creates with ``generate: false`` that it accepted.
        refusals: Errors of the rules, in order.
        failures: What the script raised.
    """

    script: Script
    warm_up: Sequence[Step]
    changed: Callable[[], None]
    model_runs: int = 0
    warm_ups: int = 0
    refusals: list[Error] = field(default_factory=list[Error])
    failures: list[Exception] = field(default_factory=list[Exception])
    _asked: int = 0
    _responses: int = 0

    async def turn_away(self, wire: Wire, refusal: Error, lane: str | None = None) -> None:
        """Send the refusal of a rule."""
        self._refused(refusal)
        await wire.refuse(refusal, lane, 0)

    def _refused(self, refusal: Error) -> None:
        self.refusals.append(refusal)
        self.changed()

    def begin(
        self, request: Json, memory: Memory, connection: int | None = None, lane: str | None = None
    ) -> Turn:
        """Bind a create to its chain and ask the script; nothing is sent yet."""
        history = bind(request, memory)
        if isinstance(history, Error):
            self._refused(history)
            return Turn(Create(0, connection, lane, request), "", Plan([history], []))
        self._responses += 1
        response_id = f"resp_{self._responses}"
        create = Create(self._asked + 1, connection, lane, request, history)
        self._asked += not create.is_warm_up
        planned = self._plan(create, response_id)
        if not planned.is_refusal:
            self.warm_ups += create.is_warm_up
            self.model_runs += not create.is_warm_up
        self.changed()
        return Turn(create, response_id, planned)

    def _plan(self, create: Create, response_id: str) -> Plan:
        try:
            steps = self.warm_up if create.is_warm_up else self.script(create)
            return plan(create, steps, response_id)
        except Exception as exception:  # noqa: BLE001  # raised again when the test leaves the peer
            self.failures.append(exception)
            message = f"The script of the peer failed: {describe(exception)}"
            broken = error("script_failed", 500, message=message)
            return Plan([broken], [])

    async def perform(self, turn: Turn, wire: Wire, memory: Memory) -> None:
        """Do what was planned, up to its end or to the end of the connection."""
        sequence_number = 0
        lane = turn.create.lane
        for act in turn.plan.acts:
            match act:
                case Event(event, ending):
                    if ending is not None:
                        _settle(turn, ending, memory)
                    await wire.send(event | {"sequence_number": sequence_number}, lane)
                    sequence_number += 1
                    await asyncio.sleep(0)  # lets the lanes interleave, event by event
                case Error():
                    _settle(turn, "error", memory)
                    await wire.refuse(act, lane, sequence_number)
                case Say(data, binary):
                    await wire.say(data, binary=binary)
                case Wait(gate):
                    await gate.pass_through()
                case Silence():
                    await asyncio.Event().wait()  # until the connection ends and this is cancelled
                case Close(code, reason):
                    await wire.close(code, reason)
                    return
                case Drop(reset):
                    wire.drop(reset=reset)
                    return
            self.changed()


def describe(exception: Exception) -> str:
    """Say what a script raised: type and text."""
    return f"{type(exception).__name__}: {exception}"


def _settle(turn: Turn, ending: Ending, memory: Memory) -> None:
    """Update what is remembered; before the terminal event leaves, so that no fork can miss it."""
    create = turn.create
    match ending:
        case "completed":
            own = input_items(create.request.get("input"))
            node = Node(turn.response_id, (*create.history, *own, *turn.plan.output))
            memory.keep(create.lane, node, store=create.request.get("store") is not False)
        case "incomplete":
            memory.forget(create.lane)
        case "failed" | "error":
            memory.evict(create.lane, create.request.get("previous_response_id"))
