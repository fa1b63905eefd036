"""The two sides of a turn between a pool and the server's half: who asked, and who serves."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from turnwire.core.serving import error_event

if TYPE_CHECKING:
    from collections.abc import Iterable

    from turnwire.core.actions import Finish
    from turnwire.core.pool_turn import PoolTurn
    from turnwire.events import Event
    from turnwire.testing.pair import Pair

Json = dict[str, Any]


@dataclass(eq=False)
class Asked:
    """The caller's side of one turn."""

    turn: PoolTurn
    events: list[Event] = field(default_factory=list["Event"])
    finish: Finish | None = None

    @property
    def types(self) -> list[str]:
        """The types of the events that were delivered."""
        return [event.type for event in self.events]

    @property
    def text(self) -> str | None:
        """What the model said, or None if the turn did not end well."""
        if self.finish is None or self.finish.failure is not None or self.finish.response is None:
            return None
        return self.finish.response.output_text

    @property
    def failure(self) -> str | None:
        """The failure's code, or else its kind; None if there is none."""
        failure = self.finish.failure if self.finish else None
        return None if failure is None else failure.code or failure.kind.value


@dataclass(eq=False)
class Served:
    """The server's side of one turn, running.

    Attributes:
        connection: The socket or the exchange that it came over.
        request: The create, without `type` and `stream_id`.
        response_id: The id that its response will have.
    """

    pair: Pair
    connection: int
    number: int | None  # of the socket's turn; None over HTTP
    request: Json
    response_id: str

    @property
    def texts(self) -> list[str]:
        """The input, an item a word: its text, its output, or its type."""
        items: list[Json] = self.request.get("input", [])
        return [str(item.get("content") or item.get("output") or item["type"]) for item in items]

    def emit(self, kind: str, **members: object) -> None:
        """Send one event."""
        self.pair.emit(self, {"type": kind, **members})

    def accept(self) -> None:
        """Send ``response.created`` and ``response.in_progress``."""
        for kind in ("response.created", "response.in_progress"):
            self.emit(kind, response=self._response("in_progress", []))

    def complete(
        self, text: str | None = None, *, calls: Iterable[str] = (), status: str = "completed"
    ) -> str:
        """Send everything up to the terminal event; return the response's id.

        Args:
            text: What the model says, or None for no message.
            calls: Ids of the function calls that it makes.
            status: ``completed`` or ``incomplete``.
        """
        output: list[Json] = [
            {"type": "function_call", "call_id": call, "name": "f", "arguments": "{}"}
            for call in calls
        ]
        if text is not None:
            part: Json = {"type": "output_text", "text": text, "annotations": []}
            output.append({"type": "message", "role": "assistant", "content": [part]})
        for index, item in enumerate(output):
            item["id"] = f"{self.response_id}_{index}"
        self.accept()
        for index, item in enumerate(output):
            self.emit("response.output_item.done", output_index=index, item=item)
        self.emit(f"response.{status}", response=self._response(status, output))
        return self.response_id

    def fail(self, code: str = "server_error", *, status: int = 500) -> None:
        """Send an ``error`` event."""
        self.pair.emit(self, error_event("no", status=status, code=code))

    def _response(self, status: str, output: list[Json]) -> Json:
        return {"id": self.response_id, "object": "response", "status": status, "output": output}
