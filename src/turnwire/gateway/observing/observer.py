"""Who is told of every socket and every turn, and tells those who count, log and draw."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from turnwire.gateway.observing.seen import SeenSocket, SeenTurn
from turnwire.gateway.observing.tally import Tally
from turnwire.gateway.observing.timeline import Timeline
from turnwire.gateway.store.event_log import TERMINAL_TYPES

if TYPE_CHECKING:
    from collections import Counter
    from collections.abc import Callable, Collection

    from turnwire.core.serving import Place, Serving
    from turnwire.gateway.context import Prompt
    from turnwire.gateway.json_shapes import Json
    from turnwire.gateway.observing.access_log import AccessLog
    from turnwire.gateway.observing.seen import Refused, Transport


class Observer:
    """Sees the gateway work.

    Args:
        models: Returns the names that the gateway lists; others are not repeated.  Asked when a
            turn names one that was not among them.
        access_log: Gets a line for each turn and socket, or None.
        clock: Returns seconds that never go back.

    Attributes:
        sockets: Those that are open, by number.
        tally: What happened since the start.
        timeline: What happened just now.
        started: When the gateway started.
    """

    def __init__(
        self,
        models: Callable[[], Collection[str]] = tuple,
        access_log: AccessLog | None = None,
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._models = models
        self._known: frozenset[str] = frozenset()
        self._access_log = access_log
        self.clock = clock
        self.started = clock()
        self.sockets: dict[int, SeenSocket] = {}
        self.tally = Tally()
        self.timeline = Timeline()
        self._sockets = 0
        self._turns = 0

    # Sockets

    def opened(self, owner: str, serving: Serving, key_name: str = "") -> SeenSocket:
        """Take a socket that was opened; ``closed`` must follow."""
        self._sockets += 1
        socket = SeenSocket(self._sockets, owner, self.clock(), serving, key_name=key_name)
        self.sockets[socket.number] = socket
        self.timeline.changed()
        if self._access_log is not None:
            self._access_log.opened(socket)
        return socket

    def closed(self, socket: SeenSocket, code: int) -> None:
        """Take its end."""
        del self.sockets[socket.number]
        self.tally.messages.update(socket.serving.refused)
        self.tally.close(code)
        self.timeline.changed()
        if self._access_log is not None:
            self._access_log.closed(socket, code, self.clock())

    def refused_messages(self) -> Counter[str]:
        """Return how many messages were refused before they became turns, by code."""
        total = self.tally.messages.copy()
        for socket in self.sockets.values():
            total.update(socket.serving.refused)
        return total

    def refused(self, status: int) -> None:
        """Count a request over HTTP that was refused."""
        self.tally.refusals[str(status)] += 1
        self.timeline.changed()

    def not_taken(self, refused: Refused) -> None:
        """Take what was refused before it became a socket or a turn."""
        if self._access_log is not None:
            self._access_log.refused(refused)

    # Turns

    def posted(self, owner: str, *, streamed: bool, key_name: str = "") -> TurnWatch:
        """Return the watch of a turn that came by POST."""
        return self._watch("sse" if streamed else "json", owner, key_name, None, None)

    def on_lane(self, socket: SeenSocket, place: Place) -> TurnWatch:
        """Return the watch of a turn whose lane is free now."""
        socket.turns += 1
        return self._watch("websocket", socket.owner, socket.key_name, socket, place)

    def _watch(
        self,
        transport: Transport,
        owner: str,
        key_name: str,
        socket: SeenSocket | None,
        place: Place | None,
    ) -> TurnWatch:
        now = self.clock()
        received = now if place is None else place.received
        self._turns += 1
        turn = SeenTurn(
            number=self._turns,
            transport=transport,
            owner=owner,
            received=received,
            started=max(now, received),
            socket=socket.number if socket is not None else None,
            lane=place.lane if place is not None else None,
            key_name=key_name,
        )
        return TurnWatch(self, turn)

    def asked(self, turn: SeenTurn, prompt: Prompt) -> None:
        """Take what the model is asked."""
        if prompt.parameters.model not in self._known:
            self._known = frozenset(self._models())
        turn.asked(prompt, self._known)

    def ended(self, turn: SeenTurn) -> None:
        """Take a turn's end; its outcome is in the events that were shown."""
        turn.ended = self.clock()
        self.tally.turn(turn)
        self.timeline.end(turn)
        if self._access_log is not None:
            self._access_log.turn(turn)


class TurnWatch:
    """What ``Turns`` tells of one turn.

    A turn that is stopped before its first step was never begun, and is not counted.
    """

    __slots__ = ("_observer", "_turn")

    def __init__(self, observer: Observer, turn: SeenTurn) -> None:
        self._observer = observer
        self._turn = turn

    def began(self) -> None:
        """The turn runs; ``ended`` must follow."""
        self._observer.timeline.begin(self._turn)

    def asked(self, prompt: Prompt) -> None:
        """The model is about to be asked."""
        self._observer.asked(self._turn, prompt)

    def at_upstream(self, name: str) -> None:
        """An upstream is asked that has a name; the last one is the one that answers."""
        self._turn.upstream = name

    def shown(self, event: Json) -> None:
        """An event is about to be shown; most of them change nothing here."""
        if self._turn.first_event is None or event["type"] in TERMINAL_TYPES:
            self._turn.shown(event, self._observer.clock())
            self._observer.timeline.changed()

    def ended(self, estimated_tokens: int = 0) -> None:
        """The turn has ended, whichever way.

        Args:
            estimated_tokens: What it is charged if no event has told of its tokens.
        """
        self._turn.estimate(estimated_tokens)
        self._observer.ended(self._turn)
