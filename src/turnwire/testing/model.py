"""The model behind the peer: binds creates to their chains, asks the script, performs its acts.

Counts what it does.  Does not know how creates arrive.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field, replace
from functools import partial
from typing import TYPE_CHECKING, Any, Literal

from turnwire.testing.clock import Clock, reach
from turnwire.testing.faults import error
from turnwire.testing.flag import Changes, Flag
from turnwire.testing.plan import Act, Event, Plan, Spoken, plan
from turnwire.testing.rules import bind
from turnwire.testing.steps import (
    Close,
    Create,
    Drop,
    Error,
    HalfOpen,
    Json,
    Ping,
    Say,
    Script,
    Silence,
    Step,
    StopReading,
    Swallow,
    Wait,
    WithholdPongs,
)
from turnwire.testing.turn import Turn
from turnwire.testing.wires import GONE, error_event

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from turnwire.testing.rules import Memory
    from turnwire.testing.wires import Wire

Resumes = Literal["off", "json", "stream"]


@dataclass(slots=True)
class Model:
    """Runs creates as the script says.

    Attributes:
        script: What to do with each create.
        warm_up: What to do with each warm-up.
        resumes: Whether stored turns outlive their connection; see ``Peer``.
        changes: Told everything that happens.
        clock: What ``wait(seconds)`` waits for.
        model_runs: Creates that it began to answer, warm-ups apart.
        warm_ups: Creates with ``generate: false`` that it accepted.
        steers: Steers that reached the script.
        refusals: Errors of the rules, in order.
        failures: What the script raised.
        turns: The turns of stored responses, by the response's id.
        tasks: Turns that go on without a connection.
    """

    script: Script
    warm_up: Sequence[Step]
    resumes: Resumes
    changes: Changes
    clock: Clock
    model_runs: int = 0
    warm_ups: int = 0
    steers: int = 0
    refusals: list[Error] = field(default_factory=list[Error])
    failures: list[Exception] = field(default_factory=list[Exception])
    turns: dict[str, Turn] = field(default_factory=dict[str, Turn])
    tasks: set[asyncio.Task[Any]] = field(default_factory=set[asyncio.Task[Any]])
    _asked: int = 0
    _responses: int = 0

    async def turn_away(self, wire: Wire, refusal: Error, lane: str | None = None) -> None:
        """Send the refusal of a rule."""
        self._refused(refusal)
        await wire.refuse(refusal, lane, 0)

    def _refused(self, refusal: Error) -> None:
        self.refusals.append(refusal)
        self.changes.note()

    def begin(
        self,
        request: Json,
        memory: Memory,
        connection: int | None = None,
        lane: str | None = None,
        steered: Sequence[Json] = (),
    ) -> Turn:
        """Bind a create to its chain and ask the script; nothing is sent yet."""
        create = Create(0, connection, lane, request, (), steered)
        whole = request | {"input": create.input} if steered else request
        history = bind(whole, memory)
        if isinstance(history, Error):
            self._refused(history)
            return Turn(create, "", Plan([history], []), memory)
        self._responses += 1
        response_id = f"resp_{self._responses}"
        create = replace(create, number=self._asked + 1, history=history)
        self._asked += not create.is_warm_up
        goes_on = self.resumes != "off" and create.is_stored
        planned = self._plan(create, response_id, goes_on=goes_on)
        if not planned.is_refusal:
            self.warm_ups += create.is_warm_up
            self.model_runs += not create.is_warm_up
        turn = Turn(create, response_id, planned, memory, goes_on)
        if create.is_stored and not planned.is_refusal:
            self.turns[response_id] = turn
        self.changes.note()
        return turn

    def _plan(self, create: Create, response_id: str, *, goes_on: bool) -> Plan:
        try:
            steps = self.warm_up if create.is_warm_up else self.script(create)
            return plan(create, steps, response_id, goes_on=goes_on)
        except Exception as exception:  # noqa: BLE001  # raised again when the test leaves the peer
            return Plan([self.failed(exception)], [])

    def failed(self, exception: Exception) -> Error:
        """Note what a script raised, and say how to tell the client."""
        self.failures.append(exception)
        message = f"The script of the peer failed: {describe(exception)}"
        return error("script_failed", message=message)  # 400: nobody is to try that again

    def keep(self, task: asyncio.Task[Any]) -> None:
        """Hold a turn that goes on without its connection."""
        self.tasks.add(task)
        task.add_done_callback(self.tasks.discard)

    async def perform(self, turn: Turn, wire: Wire) -> None:
        """Do what was planned, up to its end or, unless it outlives that, the connection's."""
        exit_ = _Exit(wire, outlived=turn.goes_on)
        try:
            for act in turn.plan.acts:
                if not await self._do(act, turn, wire, exit_):
                    break
                self.changes.note()
                if turn.is_interrupted:
                    await self._do(turn.interruption(), turn, wire, exit_)
                    break
        finally:
            turn.is_over = True
            self.changes.note()

    async def _do(self, act: Act, turn: Turn, wire: Wire, exit_: _Exit) -> bool:
        """Do one act; return False if it is the last one."""
        match act:
            case Swallow():
                return False
            case Close(code, reason):
                await exit_.use(wire.close, code, reason)
                return exit_.close()
            case Drop(reset):
                wire.drop(reset=reset)
                return exit_.close()
            case HalfOpen():
                wire.half_open()
                if not exit_.close():
                    await Flag().wait()  # until the connection ends and this is cancelled
            case Silence():
                await Flag().wait()
            case Wait(until):
                await reach(until, self.clock, self.changes.note)
            case _:
                await _speak(act, turn, wire, exit_)
        return True


async def _speak(act: Spoken, turn: Turn, wire: Wire, exit_: _Exit) -> None:
    """Do an act after which the turn goes on."""
    lane = turn.create.lane
    match act:
        case Event(event, ending):
            if ending is not None:
                turn.settle(ending)
            await exit_.use(wire.send, turn.number(event), lane)
            await asyncio.sleep(0)  # lets the lanes interleave, event by event
        case Error():
            turn.settle("error")
            await exit_.use(wire.refuse, act, lane, turn.next_number)
            turn.number(error_event(replace(act, shape="flat", numbered=False), 0))
        case Say(data, binary):
            await exit_.use(partial(wire.say, data, binary=binary))
        case Ping(count):
            await exit_.use(wire.ping, count)
        case StopReading(until):
            wire.stop_reading(until)
        case WithholdPongs():
            wire.withhold_pongs()


@dataclass(slots=True)
class _Exit:
    """The way to a connection that a stored turn may outlive."""

    wire: Wire
    outlived: bool
    is_gone: bool = False

    async def use(self, send: Callable[..., Awaitable[None]], *arguments: Any) -> None:
        """Send something, or nothing if the turn has outlived its connection."""
        if self.is_gone:
            return
        try:
            await send(*arguments)
        except GONE:
            self.close()
            if not self.is_gone:
                raise

    def close(self) -> bool:
        """Note that the connection is gone; return whether the turn goes on."""
        self.is_gone = self.outlived
        return self.outlived


def describe(exception: Exception) -> str:
    """Say what a script raised: type and text."""
    return f"{type(exception).__name__}: {exception}"
