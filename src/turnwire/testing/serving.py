"""One WebSocket connection being served: its messages, its lanes, its age."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, Final

from turnwire.testing.faults import error, swallow
from turnwire.testing.plan import plan
from turnwire.testing.rules import decode_message
from turnwire.testing.steering import Steering
from turnwire.testing.steps import Create, Error
from turnwire.testing.turn import Turn
from turnwire.testing.wires import GONE

if TYPE_CHECKING:
    from collections.abc import Coroutine, Iterable

    from turnwire.testing.connection import Connection
    from turnwire.testing.lanes import LaneQueues
    from turnwire.testing.model import Model
    from turnwire.testing.rules import Memory
    from turnwire.testing.steps import Json, SteerScript, Step

_NOT_TEXT: Final = error("invalid_json", message="Send text messages, not binary ones.")
_TOO_OLD: Final = error(
    "websocket_connection_limit_reached", message="This connection is too old; open a new one."
)


class Serving:
    """Serves one connection."""

    def __init__(
        self,
        connection: Connection,
        lanes: LaneQueues,
        memory: Memory,
        model: Model,
        steer: SteerScript | None,
    ) -> None:
        self._connection = connection
        self._lanes = lanes
        self._memory = memory
        self._model = model
        self._steering = Steering(connection, model, steer)
        self._tasks: dict[asyncio.Task[None], Turn | None] = {}
        self._has_ended = False

    async def run(self, opening: Iterable[Step], age_limit: float | None) -> None:
        """Serve until the connection ends."""
        greeting = Create(0, self._connection.index, None, {"store": False})
        planned = plan(greeting, (*opening, swallow()), "")
        greeted = Turn(greeting, "", planned, self._memory)
        self._start(self._model.perform(greeted, self._connection))
        if age_limit is not None:
            self._start(self._age(age_limit))
        await asyncio.sleep(0)  # lets it begin: what it says of reading holds for the first message
        try:
            await self._connection.read(self._received)
        finally:
            await self._leave()

    async def _leave(self) -> None:
        """End what ends with the connection; the model keeps the turns that do not."""
        self._has_ended = True
        ending: list[asyncio.Task[None]] = []
        for task, turn in self._tasks.items():
            if turn is not None and turn.goes_on:
                self._model.keep(task)
            else:
                task.cancel()
                ending.append(task)
        await asyncio.gather(*ending, return_exceptions=True)

    async def _age(self, limit: float) -> None:
        await self._model.clock.alarm(limit).wait()
        await self._connection.refuse(_TOO_OLD)
        await self._connection.close()

    def _start(self, doing: Coroutine[Any, Any, None], turn: Turn | None = None) -> None:
        task = asyncio.create_task(doing)
        self._tasks[task] = turn
        task.add_done_callback(self._done)

    def _done(self, task: asyncio.Task[None]) -> None:
        self._tasks.pop(task, None)
        if task.cancelled():
            return
        exception = task.exception()
        if isinstance(exception, Exception) and not isinstance(exception, GONE):
            self._model.failed(exception)  # GONE: run() sees the end of the connection as well

    async def _received(self, data: bytes | None) -> None:
        message = _NOT_TEXT if data is None else decode_message(data)
        if isinstance(message, Error):
            await self._model.turn_away(self._connection, message)
            return
        self._connection.received.append(message)
        self._model.changes.note()
        match message["type"]:
            case "response.create":
                refusal = self._lanes.add(message)
                if refusal is not None:
                    name = message.get("stream_id")
                    await self._model.turn_away(self._connection, refusal, name)
                self._start_ready()
            case "response.steer":
                self._start(self._steering.steer(message))
            case "response.processed":
                pass  # an acknowledgement; nothing is expected
            case kind:
                unknown = error("invalid_event", param="type", message=f"Unknown type {kind!r}.")
                await self._model.turn_away(self._connection, unknown)

    def _start_ready(self) -> None:
        while not self._has_ended and (ready := self._lanes.take()) is not None:
            lane, request = ready
            turn = self._begin(request, lane, self._steering.take(request, lane))
            self._start(self._perform(turn), turn)

    def _begin(self, request: Json, lane: str | None, steered: Iterable[Json]) -> Turn:
        index = self._connection.index
        turn = self._model.begin(request, self._memory, index, lane, tuple(steered))
        if turn.response_id:
            self._steering.note(turn)
        return turn

    async def _perform(self, turn: Turn) -> None:
        lane = turn.create.lane
        await self._model.perform(turn, self._connection)
        while (successor := await self._steering.after(turn)) is not None:
            turn = self._begin(successor[0], lane, successor[1])
            await self._model.perform(turn, self._connection)
        self._lanes.release(lane)
        self._start_ready()
