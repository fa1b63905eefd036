"""Steering of the turns of one connection, as the steering guide tells it.

An accepted steer waits with its turn.  At the end of an item that turn ends as incomplete, or it
comes to its own end; then a successor follows by itself, or, if the client owes answers, with the
next create that continues the response.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, cast

from turnwire.testing.clock import reach
from turnwire.testing.rules import required_input
from turnwire.testing.steps import (
    Accept,
    Close,
    Drop,
    Reject,
    Steer,
    SteerScript,
    SteerStep,
    Swallow,
    Wait,
    input_items,
)
from turnwire.testing.turn import AcceptedSteer, Turn

if TYPE_CHECKING:
    from collections.abc import Sequence

    from turnwire.testing.connection import Connection
    from turnwire.testing.model import Model
    from turnwire.testing.steps import Json

_INHERITED_NOT: Final = ("type", "input", "previous_response_id", "stream_id", "generate")


class Steering:
    """The steers of one connection.

    Args:
        connection: Where acknowledgements go.
        model: Whose turns are steered; counts steers and notes what a script raises.
        script: What to do with each steer that passes the rules; None if steering is unknown here.
    """

    def __init__(self, connection: Connection, model: Model, script: SteerScript | None) -> None:
        self._connection = connection
        self._model = model
        self._script = script
        self._turns: dict[str, Turn] = {}

    def note(self, turn: Turn) -> None:
        """Let a turn be steered."""
        self._turns[turn.response_id] = turn

    async def steer(self, message: Json) -> None:
        """Answer one ``response.steer``."""
        turn = self._turns.get(str(message.get("previous_response_id")))
        code = self._refusal(message, turn)
        if turn is None or self._script is None or code is not None:
            await self._fail(message, turn, code or "steering_not_supported")
            return
        self._model.steers += 1
        steer = Steer(
            self._model.steers,
            turn.response_id,
            input_items(message["input"]),
            is_active=turn.ending is None,
        )
        for step in self._steps(self._script, steer):
            await self._do(step, message, turn, steer)

    def _steps(self, script: SteerScript, steer: Steer) -> list[SteerStep]:
        try:
            return list(script(steer))
        except Exception as exception:  # noqa: BLE001  # raised again when the test leaves the peer
            self._model.failed(exception)
            return [Reject("script_failed")]

    async def _do(self, step: SteerStep, message: Json, turn: Turn, steer: Steer) -> None:
        match step:
            case Accept(interrupts):
                await self._accept(message, turn, steer, interrupts=interrupts)
            case Reject(code):
                identity = _identity(steer)
                accepted = next((each for each in turn.steers if each.id == identity), None)
                if accepted is not None:
                    turn.steers.remove(accepted)
                await self._fail(message, turn, code, accepted)
            case Wait(until):
                await reach(until, self._model.clock, self._model.changes.note)
            case Close(code, reason):
                await self._connection.close(code, reason)
            case Drop(reset):
                self._connection.drop(reset=reset)
            case Swallow():
                pass

    def _refusal(self, message: Json, turn: Turn | None) -> str | None:
        """Return the code of the rule that the steer breaks."""
        value: Any = message.get("input")
        if self._script is None:
            return "steering_not_supported"
        if turn is None:
            return "response_not_found"
        if not value or not isinstance(value, str | list) or not _are_messages(value):
            return "invalid_input"
        if turn.ending == "completed" and not required_input(turn.context):
            return "response_already_completed"
        if turn.ending not in ("completed", None):
            return "response_not_active"
        return None

    async def _accept(self, message: Json, turn: Turn, steer: Steer, *, interrupts: bool) -> None:
        accepted = AcceptedSteer(_identity(steer), message["input"], list(steer.input), interrupts)
        turn.steers.append(accepted)
        await self._send(turn, "response.steer.accepted", steer=_named(accepted, turn))
        if turn.ending == "completed":
            await self._pend(turn)

    async def _pend(self, turn: Turn) -> None:
        for steer in turn.steers:
            if not steer.is_pending:
                steer.is_pending = True
                await self._send(
                    turn,
                    "response.steer.pending",
                    reason="waiting_for_required_input",
                    required_input=required_input(turn.context),
                    steer=_named(steer, turn),
                )

    def take(self, request: Json, lane: str | None) -> list[Json]:
        """Return what waits for this create, which commits it."""
        turn = self._turns.get(str(request.get("previous_response_id")))
        if turn is None or turn.create.lane != lane:
            return []
        taken, turn.steers = turn.steers, []
        return [item for steer in taken for item in steer.items]

    async def after(self, turn: Turn) -> tuple[Json, Sequence[Json]] | None:
        """Once a turn has ended: return the request of its successor and what it begins with."""
        if not turn.steers or turn.ending is None:
            return None
        if turn.ending == "completed" and required_input(turn.context):
            await self._pend(turn)
            return None
        steers, turn.steers = turn.steers, []
        if turn.ending not in ("completed", "steered"):
            for steer in steers:
                message = {"previous_response_id": turn.response_id, "input": steer.input}
                await self._fail(message, turn, "successor_creation_failed", steer)
            return None
        request = {
            name: value for name, value in turn.create.request.items() if name not in _INHERITED_NOT
        }
        request |= {"previous_response_id": turn.response_id, "input": []}
        return request, [item for steer in steers for item in steer.items]

    async def _fail(
        self, message: Json, turn: Turn | None, code: str, accepted: AcceptedSteer | None = None
    ) -> None:
        steer = {name: message.get(name) for name in ("previous_response_id", "input")}
        if accepted is not None:
            steer["id"] = accepted.id
        failure = {
            "type": "invalid_request_error",
            "code": code,
            "message": f"The steer was returned: {code}.",
        }
        await self._send(turn, "response.steer.failed", error=failure, steer=steer)

    async def _send(self, turn: Turn | None, kind: str, **members: Any) -> None:
        event: Json = {"type": kind, **members}
        if turn is None:
            await self._connection.send(event | {"sequence_number": 0})
        else:
            await self._connection.send(turn.number(event), turn.create.lane)


def _identity(steer: Steer) -> str:
    return f"steer_{steer.number:032x}"


def _named(steer: AcceptedSteer, turn: Turn) -> Json:
    return {"id": steer.id, "previous_response_id": turn.response_id}


def _are_messages(value: Any) -> bool:
    return isinstance(value, str) or all(map(_is_message, value))


def _is_message(item: Any) -> bool:
    members: Json = cast("Json", item) if isinstance(item, dict) else {}
    return (
        members.keys() <= {"type", "role", "content"}
        and members.get("type", "message") == "message"
        and members.get("role") == "user"
    )
