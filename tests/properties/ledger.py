"""A pool between a caller and the service, and a book of what both of them did.

Every invariant is checked against this book: what the test asked for and what the service saw.
Nothing is ever asked of the pool, a chain or a turn, except for the few numbers that they promise
to their callers, which are then compared with the book.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

import msgspec

from properties.book import Asked, Batch
from properties.finishing import note_end
from properties.gauges import LATE, check_counts, check_deadline, check_sockets
from properties.invariants import require
from properties.messages import check_message, check_order, check_resend
from properties.service import Get, Run, Service, is_output
from properties.steers import check_steers, note_lost, note_moved, note_sent
from turnwire.core.actions import (
    Close,
    Deliver,
    Dial,
    Fetch,
    Finish,
    Log,
    Ping,
    Post,
    Restart,
    Send,
    SignIn,
    Steered,
)
from turnwire.core.failure import CloseInfo
from turnwire.core.history import HistoryItem
from turnwire.core.params import Params
from turnwire.core.pool import Pool
from turnwire.core.request import Deadlines, Transport, TurnRequest

if TYPE_CHECKING:
    from collections.abc import Callable

    from properties.book import History
    from properties.items import Json
    from properties.service import Socket
    from properties.steers import Said
    from turnwire.core.actions import Action
    from turnwire.core.settings import PoolSettings
    from turnwire.events import Event

encode = msgspec.json.encode

NOISE: tuple[bytes, ...] = (
    b'{"type":"keepalive","sequence_number":900}',
    b'{"type":"codex.rate_limits","rate_limits":{"primary":{"used_percent":3}}}',
)


class Ledger:
    """The caller's side of the test, and a shell that does what the pool wants done."""

    def __init__(self, service: Service, settings: PoolSettings) -> None:
        self.service = service
        self.settings = settings
        self.pool = Pool(settings)
        self.now = 0.0
        self.key = "key-1"
        self.key_fails = False  # the next sign-in does
        self.slow = False  # messages wait to be written
        self.message_bytes = settings.message_bytes  # the limit, as it was learnt
        self.dialing: dict[int, float] = {}
        self.outbox: dict[int, deque[Run]] = {}  # by connection: handed over, not written
        self.pings: list[int] = []  # without a pong
        self.exchanges: set[int] = set()
        self.asked: dict[str, Asked] = {}
        self.by_number: dict[int, Asked] = {}
        self.said: dict[int, Said] = {}
        self.gone: list[int] = []  # connections that are closed: something may still come
        self.left_alone_until = 0.0  # after a dial that failed
        self.shunned_until = 0.0  # sockets, by `auto` turns
        self.shunned_at = 0.0
        self.known_key = self.key  # with which the pool was let in last
        self.stood_still = 0.0  # seconds
        self.retries = 0
        self.responses = 0
        self.closed = self.draining = False

    @property
    def live(self) -> list[Asked]:
        return [asked for asked in self.asked.values() if asked.live]

    @property
    def waiting(self) -> list[Asked]:
        """Turns that are on no wire: for a lane, for a pause to be over, or behind their chain."""
        return [
            asked
            for asked in self.live
            if not asked.fetching and (asked.last is None or not asked.last.wired)
        ]

    @property
    def queued_bytes(self) -> int:
        said = [said.weight for said in self.said.values() if said.state == "waiting"]
        return sum(asked.weight for asked in self.waiting) + sum(said)

    def has_room(self, weight: int) -> bool:
        queued = self.queued_bytes
        return not queued or queued + weight <= self.settings.queue_bytes

    def before(self, asked: Asked) -> list[Asked]:
        """Return the turns of the same chain that have to end first."""
        live = [other for other in self.live if other.history is asked.history]
        return live[: live.index(asked)] if asked.history else []

    # What the caller does.

    def submit(
        self,
        mark: str,
        params: Json,
        items: list[Json],
        *,
        transport: Transport = "websocket",
        replay: str = "safe",
        history: History | None = None,
        whole: bool = False,
        link: str | None = None,
        deadlines: Deadlines,
    ) -> Asked | None:
        params = params | {"metadata": {"turn": mark}}
        request = TurnRequest(
            Params(params),
            [HistoryItem.of(item) for item in items],
            transport=transport,
            chain=history.chain if history else None,
            whole=whole,
            previous_response_id=link,
            warm_up=params.get("generate") is False,
            replay=replay,  # type: ignore[arg-type]
            deadlines=deadlines,
        )
        weight = len(encode(params)) - 2 + sum(len(encode(item)) for item in items)
        fits = self.has_room(weight)
        turn = self.pool.submit(request, self.now)
        require("queue bytes: a turn is taken if and only if it fits", (turn is not None) is fits)
        if turn is None:
            return None
        asked = Asked(
            mark,
            turn,
            params,
            items,
            transport,
            replay,
            history,
            whole,
            link,
            self.now,
            deadlines,
            weight,
        )
        self.asked[mark] = self.by_number[turn.id] = asked
        self.perform()
        return asked

    def read(self, asked: Asked, count: int) -> None:
        """Hand events to the caller, who then has seen them."""
        handed, asked.inbox = asked.inbox[:count], asked.inbox[count:]
        if handed:
            asked.turn.shown = asked.has_read = True
            asked.has_seen |= any(handed)

    # What the pool wants done.

    def perform(self) -> Batch:
        """Do every action in order, and check each; what the shell answers at once comes after."""
        batch = Batch()
        while actions := self.pool.actions():
            answers = [self._do(action, batch) for action in actions]
            for answer in filter(None, answers):
                answer()
        for asked in self.live:
            run = asked.last
            if run is not None and run.ended is not None:
                run.recovered = True
        check_steers(self)
        check_counts(self)
        check_deadline(self)
        check_sockets(self)
        return batch

    def pong(self) -> None:
        """Answer every ping of a socket that is there."""
        for connection in self.pings:
            socket = self.service.sockets[connection]
            if not socket.deaf:
                socket.alive_at, socket.doubted = self.now, False
                self.pool.ponged(connection, self.now)
        self.pings = [each for each in self.pings if self.service.sockets[each].deaf]

    def hear(self, connection: int, data: bytes) -> None:
        """Have a message arrive."""
        socket = self.service.sockets.get(connection)
        if socket is not None:
            socket.heard_at = socket.alive_at = self.now
            socket.doubted = False
        self.pool.received(connection, data, self.now)

    def _do(self, action: Action, batch: Batch) -> Callable[[], None] | None:
        batch.others += not isinstance(action, Deliver | Restart | Finish | Close | Log | Steered)
        match action:
            case Dial(connection):
                self._dial(connection)
            case Send(connection, number, data) if number in self.said:
                return note_sent(self, self.said[number], connection, data)
            case Send(connection, number, data):
                return self._send(self._owner(number), connection, data)
            case Ping(connection):
                require("only open sockets are pinged", connection in self.service.sockets)
                self.pings.append(connection)
            case SignIn(exchange):
                self.exchanges.add(exchange)
                return lambda: self._sign_in(exchange)
            case Post(exchange, number, body):
                return self._post(self._owner(number), exchange, body)
            case Fetch(exchange, response_id, after, streamed):
                self.service.gets[exchange] = Get(response_id, after, streamed, self.key)
            case Close(connection):
                self.hung_up(connection)
                batch.closed.append(connection)
            case _:
                self._tell(action, batch)
        return None

    def _tell(self, action: Action, batch: Batch) -> None:
        match action:
            case Deliver(number, event):
                self._deliver(self._owner(number), event, batch)
            case Restart(number, _):
                self._restart(self._owner(number))
                batch.restarted.append(self.by_number[number])
            case Finish(number):
                asked = self._owner(number)
                note_end(self, asked, action)
                batch.finished.append(asked)
            case Steered(number, ended):
                note_moved(self, number, ended=ended)
            case _:
                pass

    def _owner(self, number: int) -> Asked:
        require("actions name turns that were submitted", number in self.by_number, number)
        asked = self.by_number[number]
        require("a turn ends once and nothing follows", asked.live, asked.mark)
        return asked

    def _dial(self, connection: int) -> None:
        self.dialing[connection] = self.now
        old = [each for each in self.service.sockets.values() if self.is_old(each)]
        sockets = len(self.dialing) + len(self.service.sockets) - len(old)
        require("sockets <= limit", sockets <= self.settings.sockets, sockets)
        require("no dial after close", not self.closed and not self.draining)

    def is_old(self, socket: Socket, *, overdue: bool = False) -> bool:
        """Say whether a socket is to be replaced because of its age; or should be gone by now."""
        max_age = self.settings.max_age
        if max_age is None:
            return False
        limit = max_age * 1.05 + LATE + self.stood_still if overdue else max_age - LATE
        return self.now - socket.opened_at > limit

    def hung_up(self, connection: int) -> None:
        """A connection is closed, whoever closed it."""
        if self.dialing.pop(connection, None) is not None:
            self.left_alone_until = self.now + max(
                self.settings.redial, *self.settings.dial_backoff.delays
            )
        for run in self.outbox.pop(connection, ()):
            run.wired, run.ended = False, "lost"  # for all that the pool knows
        self.service.closed(connection)
        note_lost(self, connection)
        self.exchanges.discard(connection)
        self.pings = [each for each in self.pings if each != connection]
        self.gone.append(connection)

    def take_back(self, asked: Asked) -> None:
        """Say that nothing of a turn's last message was written."""
        run = asked.runs.pop()
        run.wired = False
        asked.repeated, asked.restarted = run.before

    def know_key(self) -> None:
        """The pool hears of the key only now; what it knew was about another one."""
        if self.known_key != self.key:
            self.known_key, self.shunned_until = self.key, 0.0

    def _sign_in(self, exchange: int) -> None:
        if self.key_fails:
            self.key_fails = False
            self.exchanges.discard(exchange)
            close = CloseInfo(None, reached=False, signed_in=False)
            self.pool.lost(exchange, close, self.now)
        else:
            self.know_key()
            self.pool.signed_in(exchange, self.now, credential=self.key)

    def _begin(self, asked: Asked, connection: int, data: bytes, *, http: bool) -> Run:
        message: Json = msgspec.json.decode(data)
        before = asked.repeated, asked.restarted
        if asked.runs:
            check_resend(asked)
        check_message(self, asked, message, None if http else connection)
        self.responses += 1
        run = Run(connection, message, f"resp_{self.responses}_", len(data), http=http)
        run.before = before
        asked.runs.append(run)
        asked.sent += 1
        asked.sent_at = self.now
        asked.heard, asked.has_seen, asked.restarted, asked.fetching = 0, False, False, False
        return run

    def _send(self, asked: Asked, connection: int, data: bytes) -> Callable[[], None] | None:
        require("message size", len(data) <= self.message_bytes, len(data))
        require("an HTTP turn goes over HTTP", asked.transport != "http", asked)
        check_order(self, asked, connection)
        run = self._begin(asked, connection, data, http=False)
        self.outbox.setdefault(connection, deque()).append(run)
        return None if self.slow else lambda: self.write(connection)

    def write(self, connection: int) -> None:
        """Write the messages that wait for a socket; a ping would have had to wait as well."""
        if connection in self.service.sockets:
            self.service.sockets[connection].excused_until = self.now
        for run in self.outbox.pop(connection, ()):
            asked = self.asked[run.mark]
            self.service.write(run)
            asked.written_at = self.now
            self.pool.written(connection, asked.turn.id, self.now)

    def _post(self, asked: Asked, exchange: int, body: bytes) -> Callable[[], None]:
        require("a WebSocket turn goes over sockets", asked.transport != "websocket", asked)
        run = self._begin(asked, exchange, body, http=True)
        require("POST asks for a stream", run.message["stream"] is True)
        require("POST names no lane", "stream_id" not in run.message)
        self.service.post(run, self.key)
        asked.written_at = self.now
        return lambda: self.pool.written(exchange, asked.turn.id, self.now)

    def _deliver(self, asked: Asked, event: Event, batch: Batch) -> None:
        """Every event of the run comes once and in order, and no other one does."""
        kind = event.type
        batch.delivered.append((asked.mark, event.raw))
        asked.inbox.append(is_output(kind))
        if kind == "turn.resumed":
            require("output that was shown is followed by what comes next", asked.runs)
            asked.fetching = True
            asked.fetches += 1
            batch.resumed.append(asked)
        elif event.raw not in NOISE:
            run, said = asked.last, msgspec.json.decode(event.raw)
            if asked.whole_answer is not None and said.get("response") == asked.whole_answer:
                return  # made of what came in one piece
            said.pop("stream_id", None)
            wanted = run.log[asked.heard] if run and asked.heard < len(run.log) else None
            require("events come once and in order", said == wanted, asked, said, wanted)
            asked.heard += 1

    def _restart(self, asked: Asked) -> None:
        require("output that was shown is never followed by a restart", not asked.has_seen, asked)
        require("a restart is told once", not asked.restarted, asked)
        asked.restarted, asked.fetching = True, False
        asked.inbox = [False]  # what was not read is forgotten

    # Time.

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
