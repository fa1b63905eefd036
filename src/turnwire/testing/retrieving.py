"""``GET /v1/responses/{id}``: stored responses, whole or as the rest of their stream."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Final

import msgspec
from aiohttp import web

from turnwire.testing.doors import DoorStep, perform_door
from turnwire.testing.faults import error
from turnwire.testing.steps import Drop
from turnwire.testing.wires import drop_transport, error_body, json_answer

if TYPE_CHECKING:
    from collections.abc import Mapping

    from turnwire.testing.log import Log
    from turnwire.testing.model import Model
    from turnwire.testing.steps import Error
    from turnwire.testing.turn import Turn

_NO_STREAM: Final = error(None, param="stream", message="This response cannot be streamed.")
_BAD_NUMBER: Final = error(
    "invalid_type", param="starting_after", message="`starting_after` is a number from 0 on."
)


class Retrieval:
    """One GET of a stored response as the peer saw it.

    Attributes:
        index: Its place in ``peer.retrievals``.
        headers: Those of the request.
        response_id: The response that was asked for.
        is_stream: True if the rest of its stream was asked for.
        starting_after: The number after which that begins, or None.
        status: The status that was answered, None before.
        sent: The events that were streamed.
    """

    def __init__(self, index: int, request: web.Request, log: Log) -> None:
        self.index = index
        self.headers: Mapping[str, str] = request.headers
        self.response_id = request.match_info["id"]
        self.is_stream = request.query.get("stream") == "true"
        self.status: int | None = None
        self.sent: list[dict[str, object]] = []
        self._number = request.query.get("starting_after")
        self._request = request
        self._log = log
        self._name = f"retrieval {index}"
        log.add(self._name, "client", "request", note=request.path_qs)

    @property
    def starting_after(self) -> int | None:
        """The sequence number that the client has, or None."""
        is_number = self._number is not None and self._number.isdecimal()
        return int(self._number or 0) if is_number else None

    async def answer(self, model: Model, step: DoorStep) -> web.StreamResponse:
        """Answer it; a ``drop(after=n)`` as the step cuts the stream off after so many events."""
        limit = step.after if isinstance(step, Drop) else None
        if not isinstance(limit, int):
            done = await perform_door(step, self._request, model.clock, model.changes)
            if done is not None:
                return self._answered(done)
        turn = model.turns.get(self.response_id)
        if turn is None or not (turn.goes_on or turn.ending is not None):
            text = f"Response with id {self.response_id[:64]!r} not found."
            return self._refused(error(None, 404, message=text))
        if not self.is_stream:
            return self._answered(json_answer(200, turn.response()))
        if model.resumes != "stream":
            return self._refused(_NO_STREAM)
        if self._number is not None and self.starting_after is None:
            return self._refused(_BAD_NUMBER)
        return await self._stream(model, turn, limit if isinstance(limit, int) else None)

    async def _stream(self, model: Model, turn: Turn, limit: int | None) -> web.StreamResponse:
        stream = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
        self.status = stream.status
        await stream.prepare(self._request)
        begin = -1 if self.starting_after is None else self.starting_after
        position = begin + 1
        while limit is None or len(self.sent) < limit:
            await model.changes.until(partial(turn.has, position))
            if len(turn.sent) <= position:
                return stream
            event = turn.sent[position]
            position += 1
            data = msgspec.json.encode(event)
            self._log.add(self._name, "peer", "text", data)
            self.sent.append(event)
            kind: str = event["type"]
            await stream.write(b"event: %b\ndata: %b\n\n" % (kind.encode(), data))
        drop_transport(self._request, reset=False)
        return stream

    def _refused(self, refusal: Error) -> web.StreamResponse:
        status = 400 if refusal.status is None else refusal.status
        return self._answered(json_answer(status, {"error": error_body(refusal)}))

    def _answered(self, answer: web.StreamResponse) -> web.StreamResponse:
        self.status = answer.status
        self._log.add(self._name, "peer", "answer", note=str(answer.status))
        return answer

    def __repr__(self) -> str:
        return f"<Retrieval of {self.response_id}: status={self.status}, {len(self.sent)} events>"
