"""A pool between a caller and the service, and a book of what both of them did.

Every invariant is checked against this book: what the test asked for and what the service saw.
Nothing is ever asked of the pool, a chain or a turn, except for the few numbers that they promise
to their callers, which are then compared with the book.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import msgspec

from properties.invariants import require
from properties.items import Context, Json, context, open_calls
from properties.service import SHAPE, Run, Service
from turnwire.core.actions import Close, Deliver, Dial, Finish, Post, Send
from turnwire.core.failure import CloseInfo
from turnwire.core.history import HistoryItem
from turnwire.core.params import Params
from turnwire.core.pool import Pool
from turnwire.core.request import Deadlines, Transport, TurnRequest

if TYPE_CHECKING:
    from turnwire.core.chain import Chain
    from turnwire.core.pool_turn import PoolTurn
    from turnwire.core.settings import PoolSettings

ENVELOPE = {"type", "stream", "stream_id", "previous_response_id", "input"}
encode = msgspec.json.encode


@dataclass
class Head:
    """The last response of a chain, if the next turn may continue it."""

    run: Run
    borrowed: bool = False  # of a fork: the lane belongs to the other chain


@dataclass(eq=False)
class History:
    """What a chain's caller believes it to hold."""

    chain: Chain
    items: list[Json] = field(default_factory=list)
    head: Head | None = None


@dataclass(eq=False, repr=False)
class Asked:
    """A turn as the test asked for it, and what became of it."""

    mark: str
    turn: PoolTurn
    params: Json
    items: list[Json]
    transport: Transport
    history: History | None
    whole: bool
    link: str | None
    at: float
    deadlines: Deadlines
    weight: int
    runs: list[Run] = field(default_factory=list)  # every writing of it
    refused: int = 0  # how many of those the server refused unread
    written_at: float = 0.0
    expected: Context | None = None  # what the model is to see, fixed at the first writing
    cancelled: bool = False
    finish: Finish | None = None

    def __repr__(self) -> str:
        return self.mark

    @property
    def live(self) -> bool:
        return self.finish is None

    @property
    def plain(self) -> bool:
        return self.history is None and self.link is None and self.transport == "websocket"


@dataclass
class Batch:
    """What the pool wanted done after one input."""

    delivered: list[tuple[str, bytes]] = field(default_factory=list)
    finished: list[Asked] = field(default_factory=list)
    closed: list[int] = field(default_factory=list)
    others: int = 0


class Ledger:
    """The caller's side of the test."""

    def __init__(self, service: Service, settings: PoolSettings) -> None:
        self.service = service
        self.settings = settings
        self.pool = Pool(settings)
        self.now = 0.0
        self.key = "key-1"
        self.dialing: dict[int, float] = {}
        self.asked: dict[str, Asked] = {}
        self.by_number: dict[int, Asked] = {}
        self.gone: list[int] = []  # connections that are closed: something may still come
        self.left_alone_until = 0.0  # after a dial that failed
        self.closed = self.draining = False

    @property
    def live(self) -> list[Asked]:
        return [asked for asked in self.asked.values() if asked.live]

    @property
    def waiting(self) -> list[Asked]:
        return [asked for asked in self.live if not asked.runs or asked.runs[-1].ended]

    # What the caller does.

    def submit(
        self,
        mark: str,
        params: Json,
        items: list[Json],
        *,
        transport: Transport = "websocket",
        history: History | None = None,
        whole: bool = False,
        link: str | None = None,
        deadlines: Deadlines,
    ) -> Asked | None:
        params = params | {"metadata": {"turn": mark}}
        warm_up = params.get("generate") is False
        request = TurnRequest(
            Params(params),
            [HistoryItem.of(item) for item in items],
            transport=transport,
            chain=history.chain if history else None,
            whole=whole,
            previous_response_id=link,
            warm_up=warm_up,
            credential=self.key,
            deadlines=deadlines,
        )
        weight = len(encode(params)) - 2 + sum(len(encode(item)) for item in items)
        queued = sum(asked.weight for asked in self.waiting)
        fits = not self.waiting or queued + weight <= self.settings.queue_bytes
        turn = self.pool.submit(request, self.now)
        require("queue bytes: a turn is taken if and only if it fits", (turn is not None) is fits)
        if turn is None:
            return None
        asked = Asked(
            mark, turn, params, items, transport, history, whole, link, self.now, deadlines, weight
        )
        self.asked[mark] = self.by_number[turn.id] = asked
        self.perform()
        return asked

    # What the pool wants done.

    def perform(self) -> Batch:
        """Do every action in order, and check each."""
        batch = Batch()
        for action in self.pool.actions():
            match action:
                case Dial(connection):
                    self.dialing[connection] = self.now
                    sockets = len(self.dialing) + len(self.service.sockets)
                    require("sockets <= limit", sockets <= self.settings.sockets, sockets)
                    require("no dial after close", not self.closed and not self.draining)
                    batch.others += 1
                case Send(connection, number, data):
                    self._write(self._owner(number), connection, data)
                    batch.others += 1
                case Post(exchange, number, body):
                    self._post(self._owner(number), exchange, body)
                    batch.others += 1
                case Close(connection):
                    self.hung_up(connection)
                    batch.closed.append(connection)
                case Deliver(number, event):
                    batch.delivered.append((self._owner(number).mark, event.raw))
                case Finish(number):
                    asked = self._owner(number)
                    self._finish(asked, action)
                    batch.finished.append(asked)
        self.check_counts()
        self.check_deadline()
        self.check_retired()
        return batch

    def hung_up(self, connection: int) -> None:
        """A connection is closed, whoever closed it."""
        if self.dialing.pop(connection, None) is not None:
            self.left_alone_until = self.now + self.settings.redial
        self.service.closed(connection)
        self.gone.append(connection)

    def _owner(self, number: int) -> Asked:
        require("actions name turns that were submitted", number in self.by_number, number)
        asked = self.by_number[number]
        require("a turn ends once and nothing follows", asked.live, asked.mark)
        return asked

    def _write(self, asked: Asked, connection: int, data: bytes) -> None:
        message: Json = msgspec.json.decode(data)
        require("message size", len(data) <= self.settings.message_bytes, len(data))
        require("messages are creates", message["type"] == "response.create")
        self._check_message(asked, message)
        self._check_order(asked, connection)
        head = asked.history.head if asked.history else None
        socket = self.service.sockets[connection]
        if not asked.runs and head is not None:
            source = head.run
            there = connection == source.connection and socket.last.get(source.lane) is source
            undisturbed = source.stored or (there and not head.borrowed)
            if undisturbed and self.service.holds(
                source.response_id, connection, socket.credential
            ):
                self._check_increment(asked, source, message)
        asked.runs.append(self.service.write(connection, message))

    def _post(self, asked: Asked, exchange: int, body: bytes) -> None:
        message: Json = msgspec.json.decode(body)
        require("POST asks for a stream", message["stream"] is True)
        require("POST names no lane", "stream_id" not in message)
        self._check_message(asked, message)
        head = asked.history.head if asked.history else None
        if not asked.runs and head is not None:
            key = asked.turn.request.credential
            if self.service.holds(head.run.response_id, None, key):
                self._check_increment(asked, head.run, message)
        credential = asked.turn.request.credential
        asked.runs.append(self.service.post(exchange, message, credential))

    def _check_message(self, asked: Asked, message: Json) -> None:
        given = {name: value for name, value in message.items() if name not in ENVELOPE}
        require("all parameters are sent, and no others", given == asked.params, given)
        allowed = asked.refused + 1
        require("a resend needs a refusal", len(asked.runs) < allowed, asked.mark)
        if not asked.runs:
            asked.expected = self._intended(asked)
        asked.written_at = self.now
        parent = message.get("previous_response_id")
        if asked.history is None:
            require("the caller's own link is sent", parent == asked.link, parent)
        elif parent is not None:
            require("only completed responses are continued", parent in self.service.chainable)
            require("a lost parent is not named again", parent not in self._lost(asked), parent)
            kept = self.service.kept.get(parent)
            if kept is not None:
                shape = {name: message.get(name) for name in SHAPE}
                require("a chain keeps its parameters", shape == kept.shape, shape, kept.shape)
                answered = context(message.get("input", []))
                left = open_calls(kept.context) & open_calls(kept.context + answered)
                require("a chain goes on with every call answered", not left, left)

    def _intended(self, asked: Asked) -> Context:
        """Return what the caller wants the model to see: its history and the new items."""
        if asked.history is not None and not asked.whole:
            return context([*asked.history.items, *asked.items])
        kept = self.service.kept.get(asked.link) if asked.link else None
        return (kept.context if kept else ()) + context(asked.items)

    def _lost(self, asked: Asked) -> set[str]:
        return {run.parent for run in asked.runs if run.parent and run.not_found}

    def _check_order(self, asked: Asked, connection: int) -> None:
        first = not asked.runs
        socket = self.service.sockets.get(connection)
        retired = socket is not None and socket.retired
        require("a retired socket takes no new turns", not (first and retired), connection)
        if first and asked.plain:
            before = [other.mark for other in self.waiting if other.plain and not other.runs]
            require("the queue is first come, first served", before[0] == asked.mark, before)
        before = self._before(asked)
        require("turns of a chain run one after the other", not before, asked, before)
        require("a pool that drains takes no new turns", not (first and self.draining), asked)

    def _before(self, asked: Asked) -> list[Asked]:
        """Return the turns of the same chain that have to end first."""
        live = [other for other in self.live if other.history is asked.history]
        return live[: live.index(asked)] if asked.history else []

    def _check_increment(self, asked: Asked, source: Run, message: Json) -> None:
        """Demand that an undisturbed chain sends only what is new."""
        assert asked.history is not None
        old, new = context(asked.history.items), context(asked.items)
        if asked.whole:
            if new[: len(old)] != old:
                return
            new = new[len(old) :]
        same = all(asked.params.get(name) == source.message.get(name) for name in SHAPE)
        fresh = bool(new) or not source.generates
        if same and fresh and not open_calls(old) & open_calls(old + new):
            sent = (message.get("previous_response_id"), context(message["input"]))
            wanted = (source.response_id, new)
            require("an undisturbed chain sends only what is new", sent == wanted, sent, wanted)

    def _finish(self, asked: Asked, finish: Finish) -> None:
        asked.finish = finish
        run = asked.runs[-1] if asked.runs else None
        outcome = run.ended if run else None
        well = outcome in ("completed", "incomplete")
        if asked.cancelled:
            require("a cancelled turn has no failure", finish.failure is None)
        else:
            claims = finish.failure is None
            require("only a terminal event is success", claims is well, outcome, finish)
        if well and run is not None and not asked.cancelled:
            assert finish.response is not None
            shown = context([item.to_dict() for item in finish.response.output])
            produced = tuple(output.meaning for output in run.output)
            require("the final response is whole", shown == produced, shown, produced)
        generates = asked.params.get("generate", True)
        runs = (len(asked.runs) - asked.refused) * generates
        require("model runs", asked.turn.model_runs == runs, asked.turn.model_runs, runs)
        counted = self.service.model_runs[asked.mark]
        require("every model run is counted", counted <= runs, counted, runs)
        require("resends are declared", asked.turn.resends == max(0, len(asked.runs) - 1))
        self._remember(asked, run)

    def _remember(self, asked: Asked, run: Run | None) -> None:
        """Write down what the chain's caller believes from now on."""
        history = asked.history
        if history is None or run is None:
            return
        history.head = None
        if run.ended in ("completed", "incomplete") and not asked.cancelled:
            kept = asked.items if asked.whole else [*history.items, *asked.items]
            history.items = [*kept, *(output.terminal for output in run.output)]
            history.head = Head(run) if run.ended == "completed" else None

    # What must be true after every step.

    def check_deadline(self) -> None:
        """Demand that the pool wants to be woken in time for all that is due."""
        due = [at + self.settings.dial for at in self.dialing.values()]
        for asked in self.live:
            limits = asked.deadlines
            if limits.turn is not None:
                due.append(asked.at + limits.turn)
            unread = asked.runs and asked.runs[-1].unread and not asked.runs[-1].ended
            if unread and limits.first_event is not None:
                due.append(asked.written_at + limits.first_event)
        if not self.dialing and not self.service.sockets:
            stranded = [each for each in self.waiting if each.transport == "websocket"]
            due += [self.left_alone_until for each in stranded if not self._before(each)]
        if due:
            deadline = self.pool.deadline()
            require("a deadline is set", deadline is not None, due)
            assert deadline is not None
            require("the deadline is the earliest", deadline <= min(due), deadline, due)

    def check_counts(self) -> None:
        """Compare the pool's gauges with the book."""
        shown, service = self.pool.statistics(), self.service
        wanted = {
            "sockets": len(service.sockets) + len(self.dialing),
            "active": len(service.runs),
            "waiting": len([asked for asked in self.waiting if not self._before(asked)]),
            "queued_bytes": sum(asked.weight for asked in self.waiting),
        }
        found = {name: getattr(shown, name) for name in wanted}
        require("the gauges are right", found == wanted, found, wanted)

    def check_retired(self) -> None:
        """Demand that a socket whose time is over goes when nobody waits for it any more."""
        for connection, socket in self.service.sockets.items():
            waited_for = any(self.asked[run.mark].live for run in socket.runs.values())
            kept = waited_for or not socket.retired
            require("a retired socket closes with its last turn", kept, connection)

    # Time, and the end.

    def wait(self, until: float) -> Batch:
        """Let time pass as a shell does: wake the pool if its deadline has come."""
        self.now = max(self.now, until)
        deadline = self.pool.deadline()
        if deadline is None or deadline > self.now:
            return Batch()
        self.pool.tick(self.now)
        batch = self.perform()
        after = self.pool.deadline()
        require("a tick makes progress", after is None or after > self.now, after, self.now)
        return batch

    def lose(self, connection: int, code: int | None) -> Batch:
        self.hung_up(connection)
        self.pool.lost(connection, CloseInfo(code), self.now)
        return self.perform()
