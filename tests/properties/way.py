"""The way between a pool and the service: dials, sockets that die, garbage, keys that change."""

# ruff: noqa: FBT001  # rules are called by name, with what Hypothesis draws

from __future__ import annotations

import sys

import msgspec
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule

from properties.invariants import require
from properties.ledger import Asked, Batch, History, Ledger
from properties.service import Run, Service
from turnwire.core.settings import PoolSettings

flip = st.booleans()
pick = st.integers(0, 719)  # indices and variants: taken modulo what there is
rarely = st.integers(0, 7).map(lambda number: number == 0)

GARBAGE = (b"[]", b"null", b"{", b'{"type":7}', b"\xff", b"")
CLOSE_CODES = (1000, 1001, 1005, 1006, 1008, 1009, 1011, 1012, 4402)


class Way(RuleBasedStateMachine):
    """A pool, the service, and what lies between them."""

    @initialize(
        lanes=st.sampled_from(["echo", "echo", "echo", "ignore", "reject"]),
        known=flip,
        sockets=st.integers(1, 3),
        active=st.integers(2, 3),
        names=st.integers(1, 4),
        fewer=st.sampled_from([False, False, False, True]),
        closes=st.sampled_from([False] * 9 + [True]),
    )
    def begin(  # noqa: PLR0917  # called by name
        self,
        lanes: str,
        known: bool,
        sockets: int,
        active: int,
        names: int,
        fewer: bool,
        closes: bool,
    ) -> None:
        settings = PoolSettings(
            sockets=sockets,
            active_limit=active,
            named_limit=names,
            lanes=lanes == "echo" if known else None,
            queue_bytes=1000,
            message_bytes=2500,
        )
        self.service = Service(lanes, active, names, names - fewer)
        self.ledger = Ledger(self.service, settings)
        self.histories: list[History] = []
        self.lanes_seen = settings.lanes is not None
        self.marks = 0
        self.closes_early = closes
        self.outer = sys.exc_info()[1]

    def mark(self, prefix: str) -> str:
        self.marks += 1
        return f"{prefix}{self.marks}"

    @property
    def is_open(self) -> bool:
        return not (self.ledger.closed or self.ledger.draining)

    def _asked(self, run: Run) -> Asked:
        return self.ledger.asked[run.mark]

    @precondition(lambda self: self.ledger.dialing)
    @rule(outcome=st.sampled_from(["open"] * 4 + ["refused", "unreachable"]))
    def answer_dial(self, outcome: str) -> None:
        ledger = self.ledger
        connection = next(iter(ledger.dialing))
        if outcome == "open":
            del ledger.dialing[connection]
            self.service.connect(connection, ledger.key)
            ledger.pool.dialed(connection, ledger.now, credential=ledger.key)
        elif outcome == "refused":
            ledger.hung_up(connection)
            ledger.pool.refused(connection, 503, {}, b'{"error":"no"}', ledger.now)
        else:
            ledger.lose(connection, None)
        ledger.perform()

    @rule(what=st.sampled_from(["socket", "exchange", "garbage", "late", "key"]), which=pick)
    def disturb_the_way(self, what: str, which: int) -> None:
        service = self.service
        sockets, posts, gone = list(service.sockets), list(service.posts), self.ledger.gone
        match what:
            case "socket" if sockets:
                self._lose_socket(sockets[which % len(sockets)], which)
            case "exchange" if posts:
                self._lose_exchange(posts[which % len(posts)], refused=which % 2 == 0)
            case "garbage" if sockets:
                self._send_garbage(sockets[which % len(sockets)], which)
            case "late" if gone:
                self._hear_from_the_dead(gone[which % len(gone)], which)
            case "key":
                self.ledger.key = f"key-{which % 2}"

    def _lose_socket(self, connection: int, which: int) -> None:
        victims = self._live_on(connection)
        batch = self.ledger.lose(connection, CLOSE_CODES[which % len(CLOSE_CODES)])
        require("a lost socket ends its turns", set(victims) <= set(batch.finished), victims)

    def _lose_exchange(self, exchange: int, *, refused: bool) -> None:
        ledger = self.ledger
        run = self.service.posts[exchange]
        ledger.hung_up(exchange)
        if refused and not run.events:
            run.ended = "failed"
            ledger.pool.refused(exchange, 429, {"Retry-After": "1"}, b"slow down", ledger.now)
            ledger.perform()
        else:
            ledger.lose(exchange, None)
        require("a lost exchange ends its turn", not self._asked(run).live, run.mark)

    def _send_garbage(self, connection: int, which: int) -> None:
        victims = self._live_on(connection)
        self.ledger.pool.received(connection, GARBAGE[which % len(GARBAGE)], self.ledger.now)
        batch = self.ledger.perform()
        require("garbage closes its socket", batch.closed == [connection], batch)
        require("garbage ends its turns", set(victims) <= set(batch.finished), victims)

    def _hear_from_the_dead(self, connection: int, which: int) -> None:
        """Messages that were under way when we closed, and then the close itself."""
        ledger = self.ledger
        late = {"type": "response.created", "response": {"id": "resp_late"}}
        ledger.pool.received(connection, msgspec.json.encode(late), ledger.now)
        ledger.pool.received(connection, GARBAGE[which % len(GARBAGE)], ledger.now)
        batch = ledger.perform()
        require("a closed socket changes nothing", batch == Batch(), batch)
        require("a closed socket changes nothing", ledger.lose(connection, 1006) == Batch())

    def _live_on(self, connection: int) -> list[Asked]:
        runs = self.service.sockets[connection].runs.values()
        return [self._asked(run) for run in runs if self._asked(run).live]
