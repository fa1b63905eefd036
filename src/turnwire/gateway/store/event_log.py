"""The events of stored responses, for clients that come back for them.

One log a turn, numbered as every client saw them (docs/protocol/http.md#fetching-a-response); all
logs together are bounded in bytes, and the least recently used ones go first.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from typing import TYPE_CHECKING, Final, Literal

from turnwire.events import encode

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable

    from turnwire.gateway.context import Prompt
    from turnwire.gateway.json_shapes import Json

TERMINAL_TYPES: Final = frozenset(
    {"response.completed", "response.incomplete", "response.failed", "error"}
)

Gone = Literal["dropped", "stopped", "deleted"]
ShownEvent = tuple[str, bytes]  # its type; itself, with its number


def _do_nothing() -> None:
    pass


class EventsGone(Exception):  # an outcome of following, not a fault of ours
    """The events that are asked for are not here any more, or will never come."""

    def __init__(self, reason: Gone) -> None:
        super().__init__(reason)
        self.reason: Gone = reason


class EventLog:
    """What one turn has shown; an event's number is its place.

    It stays empty if the turn is not stored.

    Args:
        owner: Whose turn it is; see ``owner_of``.

    Attributes:
        response: The response as it began; None before that, and if it is not stored.
        running: True from its first event until its last one can be fetched.
        forgotten: True once nothing of the response is to be kept.
        gone: Why the events are not here any more, or None.
        size_bytes: What the events take.
        prompt: What the model was asked, while the turn runs.
        cancel: Ends the turn, while it runs.
    """

    def __init__(self, owner: str = "") -> None:
        self.owner = owner
        self.response: Json | None = None
        self.running = False
        self.forgotten = False
        self.gone: Gone | None = None
        self.size_bytes = 0
        self.prompt: Prompt | None = None
        self.cancel: Callable[[], None] = _do_nothing
        self._events: list[ShownEvent | None] = []
        self._count = 0
        self._ended = False
        self._news: asyncio.Event | None = None

    def begin(self, response: Json) -> None:
        """Keep what is shown from now on."""
        self.response = response
        self.running = True

    def add(self, event: Json) -> int:
        """Take the turn's next event; return how many bytes it takes here."""
        kind: str = event["type"]
        size_bytes = 0
        if self.gone is None:
            data = encode(event | {"sequence_number": self._count})
            self._events.append((kind, data))
            size_bytes = len(data)
            self.size_bytes += size_bytes
        self._count += 1
        if kind in TERMINAL_TYPES:
            self._ended = True
            self.running = False
            self.prompt, self.cancel = None, _do_nothing
        self._tell()
        return size_bytes

    def skip(self) -> None:
        """Leave a number out: what has it on the socket is about the response, and not of it."""
        if self.gone is None:
            self._events.append(None)
        self._count += 1

    def drop(self, reason: Gone) -> None:
        """Let the events go; whoever follows them is told."""
        self.gone = reason
        self._events = []
        self.size_bytes = 0
        self._tell()

    async def follow(self, after: int = -1) -> AsyncGenerator[ShownEvent]:
        """Yield the events with a greater number, each once, until the turn has ended.

        Raises:
            EventsGone: Before or while iterating.
        """
        place = after + 1
        while not (self._ended and place >= self._count):
            if self.gone is not None:
                raise EventsGone(self.gone)
            if place < self._count:
                event = self._events[place]
                place += 1
                if event is not None:
                    yield event
            else:
                self._news = self._news or asyncio.Event()
                await self._news.wait()

    async def ended(self) -> None:
        """Wait until the turn has ended, or was stopped."""
        while self.running:
            self._news = self._news or asyncio.Event()
            await self._news.wait()

    def _tell(self) -> None:
        news, self._news = self._news, None
        if news is not None:
            news.set()


class EventLogs:
    """The logs of the turns that run, and of those that ended last.

    Args:
        limit_bytes: Bytes of all events.
        limit_count: Logs that are kept; with 0 no turn can be fetched while it runs, either.
    """

    def __init__(self, limit_bytes: int, limit_count: int) -> None:
        self._limit_bytes = limit_bytes
        self._limit_count = limit_count
        self._running: dict[str, EventLog] = {}
        self._kept: OrderedDict[str, EventLog] = OrderedDict()
        self.size_bytes = 0

    def __len__(self) -> int:
        return len(self._kept)

    def get(self, response_id: str) -> EventLog | None:
        """Return the log of a response, perhaps without its events, and count it as used."""
        if response_id in self._kept:
            self._kept.move_to_end(response_id)
            return self._kept[response_id]
        return self._running.get(response_id)

    def begin(self, log: EventLog, response: Json) -> None:
        """Let a stored turn be found by the id of its response."""
        if self._limit_count:
            log.begin(response)
            self._running[response["id"]] = log
            self._kept[response["id"]] = log
            self._make_room()

    def add(self, log: EventLog, event: Json) -> None:
        """Take the next event of a turn, if the turn is stored."""
        if log.response is None or log.forgotten:
            return
        response_id = log.response["id"]
        self.size_bytes += log.add(event)
        if not log.running:
            del self._running[response_id]
        if response_id in self._kept:
            self._kept.move_to_end(response_id)
            self._make_room()

    def end(self, log: EventLog) -> None:
        """Note that no more events come; a turn without its terminal event leaves nothing."""
        if log.running:
            self.forget(log, "stopped")

    def forget(self, log: EventLog, reason: Gone) -> None:
        """Let nobody find this response's events any more, nor what is still to come."""
        log.forgotten = True
        log.running = False
        if log.response is not None:
            self._running.pop(log.response["id"], None)
            self._kept.pop(log.response["id"], None)
        self._drop(log, reason)

    def _make_room(self) -> None:
        while self.size_bytes > self._limit_bytes or len(self._kept) > self._limit_count:
            _, oldest = self._kept.popitem(last=False)
            self._drop(oldest, "dropped")

    def _drop(self, log: EventLog, reason: Gone) -> None:
        self.size_bytes -= log.size_bytes
        log.drop(reason)
