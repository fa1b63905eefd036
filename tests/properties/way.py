"""The way between a pool and the service: dials and their ends, keys, time, sleep."""

# ruff: noqa: FBT001  # rules are called by name, with what Hypothesis draws

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import msgspec
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule

from properties.book import Asked, Batch
from properties.finishing import ITS_OWN_FAULT
from properties.invariants import require
from properties.ledger import Ledger
from properties.service import Run, Service
from turnwire.core.failure import CloseInfo
from turnwire.core.settings import PoolSettings

if TYPE_CHECKING:
    from properties.book import History

flip = st.booleans()
pick = st.integers(0, 719)  # indices and variants: taken modulo what there is
rarely = st.integers(0, 7).map(lambda number: number == 0)

COOLDOWN = 300.0  # how long `auto` turns leave sockets alone after a refused upgrade
LONGEST_PAUSE = 60.0
# What answers a dial.
DIALS = ("open",) * 14 + ("426", "401", "429", "503", "429 for an hour", "unreachable", "no key")
# How the server is in the end.
ENDS = ("answers",) * 6 + ("is busy", "is not here", "is gone", "is deaf", "hangs up")


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
        variant=st.integers(0, 5039),
        end=st.sampled_from(ENDS),
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
        variant: int,
        end: str,
    ) -> None:
        settings = PoolSettings(
            sockets=sockets,
            active_limit=active,
            named_limit=names,
            lanes=lanes == "echo" if known else None,
            queue_bytes=1000,
            message_bytes=2500,
            refreshes_key=variant % 2 == 0,
            retries=variant % 3,
            resume=variant % 5 < 2,
            max_age=12.0 if variant % 7 < 3 else None,
            max_age_jitter=0.0,
            ping_interval=6.0 if variant % 4 else None,
            ping_timeout=4.0,
            probe_after=10.0,
        )
        self.service = Service(lanes, active, names, names - fewer)
        self.ledger = Ledger(self.service, settings)
        self.histories: list[History] = []
        self.lanes_seen = settings.lanes is not None
        self.key_changed = False  # since the last dial that worked
        self.marks = 0
        self.closes_early = closes
        self.end = "answers" if end == "is deaf" and settings.ping_interval is None else end
        self.outer = sys.exc_info()[1]

    def mark(self, prefix: str) -> str:
        self.marks += 1
        return f"{prefix}{self.marks}"

    @property
    def is_open(self) -> bool:
        return not (self.ledger.closed or self.ledger.draining)

    def _asked(self, run: Run) -> Asked:
        return self.ledger.asked[run.mark]

    # Dials.

    @precondition(lambda self: self.ledger.dialing)
    @rule(outcome=st.sampled_from(DIALS))
    def answer_dial(self, outcome: str) -> None:
        ledger = self.ledger
        connection = next(iter(ledger.dialing))
        if outcome == "open":
            del ledger.dialing[connection]
            self.service.connect(connection, ledger.key, ledger.now)
            self.key_changed = False
            ledger.know_key()
            ledger.pool.dialed(connection, ledger.now, credential=ledger.key)
            ledger.perform()
            return
        ledger.hung_up(connection)
        hopeless = not ledger.dialing and all(
            socket.retired or ledger.is_old(socket) for socket in self.service.sockets.values()
        )
        batch = self._fail_dial(connection, outcome, hopeless=hopeless)
        if outcome in ("unreachable", "503", "429"):
            patient = [
                asked
                for asked in batch.finished
                if asked.transport == "auto" and asked.generates and not self._at_fault(asked)
            ]
            require("where sockets do not work auto turns go over HTTP", not patient, patient)

    def _fail_dial(self, connection: int, outcome: str, *, hopeless: bool) -> Batch:
        ledger = self.ledger
        # Those that wait for a socket for certain: no pause, no other turn of their chain.
        waiting = [asked for asked in ledger.waiting if not asked.sent and not ledger.before(asked)]
        sure = hopeless and not self.service.sockets and not ledger.dialing
        match outcome:
            case "unreachable":
                ledger.pool.lost(connection, CloseInfo(1006), ledger.now)
                return ledger.perform()
            case "no key":
                ledger.pool.lost(connection, CloseInfo(1006, signed_in=False), ledger.now)
                batch = ledger.perform()
                if sure:
                    require("who cannot be let in is told", set(waiting) <= set(batch.finished))
                return batch
            case "401":
                return self._refuse_key(connection, waiting, sure=sure)
            case "429" | "503":
                return self._refuse(connection, int(outcome), {})
            case "429 for an hour":
                return self._refuse(connection, 429, {"retry-after": "3600"})
            case _:
                return self._forbid_sockets(connection, waiting, sure=sure)

    def _refuse(self, connection: int, status: int, headers: dict[str, str]) -> Batch:
        ledger = self.ledger
        ledger.pool.refused(connection, status, headers, b'{"error":"no"}', ledger.now)
        return ledger.perform()

    def _refuse_key(self, connection: int, waiting: list[Asked], *, sure: bool) -> Batch:
        batch = self._refuse(connection, 401, {})
        another = self.ledger.settings.refreshes_key and not self.key_changed
        if sure:
            ended = set(waiting) & set(batch.finished)
            want = set() if another else set(waiting)
            require("a refused key is changed once", ended == want, waiting, batch)
            require(
                "with a new key it is tried at once", not another or not waiting or batch.others
            )
            self.key_changed = another
        return batch

    def _forbid_sockets(self, connection: int, waiting: list[Asked], *, sure: bool) -> Batch:
        """There is no WebSocket mode here, and there will be none for a while."""
        ledger = self.ledger
        auto = [asked for asked in waiting if asked.transport == "auto"]
        if sure and auto:
            ledger.shunned_at, ledger.shunned_until = ledger.now, ledger.now + COOLDOWN
        batch = self._refuse(connection, 426, {})
        if sure:
            others = {asked for asked in waiting if asked.transport == "websocket"}
            require(
                "who wants a socket alone is told", others <= set(batch.finished), others, batch
            )
            lost = [each for each in auto if not each.live and each.generates]
            lost = [each for each in lost if not self._at_fault(each)]
            require("where sockets do not work auto turns go over HTTP", not lost, lost)
        return batch

    def _at_fault(self, asked: Asked) -> bool:
        """Say whether a turn ended for a reason that is its own, or HTTP's."""
        failure = asked.finish.failure if asked.finish else None
        over_http = asked.last is not None and asked.last.http
        return failure is not None and (failure.kind in ITS_OWN_FAULT or over_http)

    # Keys, and what is on the way.

    def change_the_way(self, what: str) -> None:
        ledger = self.ledger
        match what:
            case "key":
                ledger.key = f"key-{self.marks}"
            case "key fails":
                ledger.key_fails = True
            case "pong":
                ledger.pong()
                ledger.perform()
            case _:
                ledger.slow = what == "slow"
                if what != "slow":
                    self.write_all()

    def write_all(self) -> None:
        for connection in list(self.ledger.outbox):
            self.ledger.write(connection)
            self.ledger.perform()

    def hear_from_the_dead(self, connection: int, garbage: bytes) -> None:
        """Messages that were under way when we closed, and then the close itself."""
        ledger = self.ledger
        late = {"type": "response.created", "response": {"id": "resp_late"}}
        ledger.pool.received(connection, msgspec.json.encode(late), ledger.now)
        ledger.pool.received(connection, garbage, ledger.now)
        ledger.pool.ponged(connection, ledger.now)
        ledger.pool.refused(connection, 500, {}, b"", ledger.now)
        ledger.pool.signed_in(connection, ledger.now)
        ledger.pool.lost(connection, CloseInfo(1006), ledger.now)
        batch = ledger.perform()
        require("a closed socket changes nothing", batch == Batch(), batch)
