"""What one socket's server has to do, in plain dictionaries; it shares no line with the core.

A model of lanes as docs/protocol/lanes.md tells them: names, FIFO queues, places, the latest
response of each lane.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

Json = dict[str, Any]


@dataclass(eq=False)
class Create:
    """One create that was taken."""

    number: int
    lane: str | None
    message: Json
    size: int
    events: int = 0

    @property
    def parent(self) -> str | None:
        return self.message.get("previous_response_id")


@dataclass
class Lanes:
    """The lanes of one socket.

    Args:
        active_limit: Turns at once.
        named_limit: Lane names.
        queue_bytes: How much may wait.
    """

    active_limit: int
    named_limit: int
    queue_bytes: int
    lanes: dict[str | None, list[Create]] = field(default_factory=dict)  # first come, first served
    heads: list[str | None] = field(default_factory=list)  # lanes that wait for a place
    running: dict[str | None, Create] = field(default_factory=dict)
    latest: dict[str | None, str] = field(default_factory=dict)
    names: set[str] = field(default_factory=set)
    created: int = 0

    @property
    def waiting(self) -> list[Create]:
        return [create for queue in self.lanes.values() for create in queue]

    def refusal(
        self, message: Json, size: int, *, draining: bool, more: int = 0
    ) -> tuple[str, bool] | None:
        """Return the code of the error that answers a create, and whether it names the lane.

        Args:
            message: The create.
            size: Its bytes.
            draining: True if no new turns are taken.
            more: Bytes that wait besides creates.
        """
        name = message.get("stream_id")
        if name is not None and name not in list(self.names):
            good = isinstance(name, str) and 0 < len(name) <= 256
            allowed = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.-"
            if not good or set(name) - set(allowed):
                return "invalid_stream_id", False
            if len(self.names) >= self.named_limit:
                return "websocket_stream_limit_reached", True
        if draining:
            return "websocket_connection_limit_reached", name is not None
        if not self.has_room(size + more):
            return "websocket_queue_full", name is not None
        return None

    def has_room(self, size: int) -> bool:
        return sum(create.size for create in self.waiting) + size <= self.queue_bytes

    def take(self, message: Json, size: int) -> Create:
        self.created += 1
        name: str | None = message.get("stream_id")
        create = Create(self.created, name, message, size)
        if name is not None:
            self.names.add(name)
        queue = self.lanes.setdefault(name, [])
        queue.append(create)
        if name not in self.running and len(queue) == 1:
            self.heads.append(name)
        return create

    def start(self) -> list[tuple[Create, bool]]:
        """Start all that may start; say of each whether its parent is here."""
        started = []
        while self.heads and len(self.running) < self.active_limit:
            name = self.heads.pop(0)
            create = self.running[name] = self.lanes[name].pop(0)
            started.append((create, create.parent in self.latest.values()))
        return started

    def end(self, create: Create, response_id: str | None) -> str | None:
        """End a turn, with a response or with an error; return what is held no longer."""
        forgotten = self.keep(create, response_id)
        self.free(create)
        return forgotten

    def free(self, create: Create) -> None:
        """Let the next create of a lane wait for a place."""
        del self.running[create.lane]
        if self.lanes[create.lane]:
            self.heads.append(create.lane)

    def keep(self, create: Create, response_id: str | None) -> str | None:
        """Remember the response of a turn for its lane; return what is held no longer."""
        old = self.latest.get(create.lane)
        if response_id is not None:
            self.latest[create.lane] = response_id
        elif old is not None and old == create.parent:
            del self.latest[create.lane]
        return old if old is not None and old not in self.latest.values() else None
