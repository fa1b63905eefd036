"""What is cut off: sockets and streams that are lost, garbage, silence, sleep; and what then."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from hypothesis import strategies as st
from hypothesis.stateful import rule

from properties.book import MOST_MOVES
from properties.finishing import ITS_OWN_FAULT
from properties.invariants import require
from properties.way import Way, pick
from turnwire.core.failure import CloseInfo, FailureKind

if TYPE_CHECKING:
    from properties.book import Asked, Batch
    from properties.service import Run

GARBAGE = (b"[]", b"null", b"{", b'{"type":7}', b"\xff", b"")
CLOSE_CODES = (1000, 1001, 1005, 1006, 1008, 1009, 1011, 1012, 4402)
TROUBLE = (
    *("sleep", "stand still", "go deaf"),
    *("key", "key fails", "slow", "slow", "quick", "write", "pong"),
)
TIMEOUTS = (
    FailureKind.QUEUE_TIMEOUT,
    FailureKind.FIRST_EVENT_TIMEOUT,
    FailureKind.PROGRESS_TIMEOUT,
    FailureKind.TURN_TIMEOUT,
)
MOST_FETCHES = 3
MOST_RETRIES = 15  # of all turns together, for certain


@dataclass
class Fate:
    """What may become of a turn whose way breaks."""

    asked: Asked
    run: Run
    unwritten: bool = False  # and the pool is told so
    may_go_on: bool = False
    must_go_on: bool = False


class Losses(Way):
    """Ways that break."""

    def fate(self, asked: Asked, *, unwritten: bool = False) -> Fate:
        """Say what may become of a turn if its way breaks now."""
        run = asked.last
        assert run is not None  # it is on its way
        if unwritten:
            moves = self.is_open and asked.moves < MOST_MOVES
            return Fate(asked, run, unwritten=True, may_go_on=True, must_go_on=moves)
        repeats = asked.may_repeat and not asked.seen_output and self.is_open
        fetches = self._can_be_fetched(asked, run)
        first = fetches and not asked.fetches
        return Fate(
            asked,
            run,
            may_go_on=asked.may_repeat or fetches,
            must_go_on=repeats or first,
        )

    def _can_be_fetched(self, asked: Asked, run: Run) -> bool:
        named = any("response" in event for event in run.log[: asked.heard])
        wanted = self.ledger.settings.resume and run.stored and run.generates
        return wanted and named and not run.in_doubt and asked.fetches < MOST_FETCHES

    def judge(self, fate: Fate, batch: Batch) -> None:
        """Compare what became of a turn with what may."""
        asked, ended = fate.asked, not fate.asked.live
        kind = asked.finish.failure.kind if asked.finish and asked.finish.failure else None
        if kind in TIMEOUTS:
            return  # its own limit came first
        if ended and len(asked.runs) > 1 and asked.runs[-1] is not fate.run:
            return  # it went on, and met its end at once
        stays = fate.must_go_on and ended and kind not in ITS_OWN_FAULT
        require("a turn that can go on does", not stays, asked, asked.finish)
        require("a turn that may not go on ends at once", ended or fate.may_go_on, asked)
        if fate.unwritten:
            asked.moves += not ended
            require("what was not written moves in silence", asked not in batch.restarted, asked)
        elif not ended and asked not in batch.resumed:
            told = asked in batch.restarted
            require("a caller is told that its turn begins anew", told, asked)

    # Sockets and streams.

    @rule(what=st.sampled_from(["socket", "exchange", "garbage", "late"]), which=pick)
    def disturb_the_way(self, what: str, which: int) -> None:
        service = self.service
        sockets, posts, gone = list(service.sockets), list(service.posts), self.ledger.gone
        if which % 2 and self.ledger.outbox:
            sockets = list(self.ledger.outbox)
        match what:
            case "socket" if sockets:
                self.lose_socket(sockets[which % len(sockets)], CLOSE_CODES[which % 9])
            case "exchange" if posts:
                self.lose_exchange(posts[which % len(posts)], which)
            case "garbage" if sockets:
                self._send_garbage(sockets[which % len(sockets)], which)
            case "late" if gone:
                self.hear_from_the_dead(gone[which % len(gone)], GARBAGE[which % len(GARBAGE)])

    def lose_socket(self, connection: int, code: int) -> None:
        ledger = self.ledger
        outbox = [self._asked(run) for run in ledger.outbox.pop(connection, ())]
        outbox = [asked for asked in outbox if asked.live]
        written = [asked for asked in self.live_on(connection) if asked not in outbox]
        fates = [self.fate(asked, unwritten=True) for asked in outbox]
        fates += [self.fate(asked) for asked in written]
        code, too_big = self._too_big(written, code)
        for asked in outbox:
            ledger.take_back(asked)
        ledger.hung_up(connection)
        if too_big is not None:
            run = too_big.last
            assert run is not None  # it was written
            run.ended, run.clean, run.leave = "failed", True, self._may_change(too_big)
            ledger.message_bytes = min(ledger.message_bytes, run.size_bytes - 1)
            fates = [fate for fate in fates if fate.asked is not too_big]
        unwritten = [asked.turn.id for asked in outbox]
        ledger.pool.lost(connection, CloseInfo(code), ledger.now, unwritten)
        batch = ledger.perform()
        for fate in fates:
            self.judge(fate, batch)
        if too_big is not None:
            self._judge_size(too_big)

    def _too_big(self, written: list[Asked], code: int) -> tuple[int, Asked | None]:
        """Find whose message is taken to be too large, if one is."""
        runs = [run for asked in written if (run := asked.last) is not None and run.unread]
        if code != 1009 or not runs:
            return code, None
        largest = max(runs, key=lambda run: run.size_bytes)
        if [run.size_bytes for run in runs].count(largest.size_bytes) > 1:
            return 1006, None  # which one nobody can tell
        return code, self._asked(largest)

    def _may_change(self, asked: Asked) -> bool:
        """Say whether a turn may go over HTTP instead."""
        return asked.transport == "auto" and asked.generates

    def _judge_size(self, asked: Asked) -> None:
        may = self._may_change(asked)
        failure = asked.finish.failure if asked.finish else None
        if may and failure is not None and failure.kind is FailureKind.SIGN_IN:
            return  # it did, and then there was no key
        require("what no socket takes goes over HTTP if it may", asked.live is may, asked)
        if asked.live:
            asked.refusals += 1
            run = asked.last
            require("what no socket takes goes over HTTP if it may", run and run.http, asked)

    def lose_exchange(self, exchange: int, which: int) -> None:
        """Lose a POST, or a GET that speaks; or refuse it if nothing was said."""
        ledger, run = self.ledger, self.service.posts[exchange]
        asked = self._asked(run)
        if run.log or not asked.live:
            fate = self.fate(asked) if asked.live else None
            ledger.hung_up(exchange)
            ledger.pool.lost(exchange, CloseInfo(None), ledger.now)
            batch = ledger.perform()
            if fate is not None:
                self.judge(fate, batch)
            return
        ledger.hung_up(exchange)
        how = ("429", "500", "401", "400", "not reached")[which % 5]
        if how == "not reached":
            self._not_reached(asked, exchange)
        else:
            self._refuse_post(asked, exchange, int(how))

    def may_rest(self, asked: Asked) -> bool:
        """Say whether a turn will be sent again later for certain."""
        ledger = self.ledger
        enough = asked.retries < ledger.settings.retries and ledger.retries < MOST_RETRIES
        return enough and self.is_open

    def rested(self, asked: Asked) -> None:
        asked.retries += 1
        self.ledger.retries += 1
        most = self.ledger.settings.retries
        require("a busy server is asked so often and no more", asked.retries <= most, asked)

    def _not_reached(self, asked: Asked, exchange: int) -> None:
        ledger, rests = self.ledger, self.may_rest(asked)
        ledger.take_back(asked)
        ledger.shunned_until = 0.0  # sockets may not be to blame
        ledger.pool.lost(exchange, CloseInfo(None, reached=False), ledger.now)
        ledger.perform()
        require("a POST that reached nobody is tried again", asked.live or not rests, asked)
        if asked.live:
            self.rested(asked)

    def _refuse_post(self, asked: Asked, exchange: int, status: int) -> None:
        ledger, run = self.ledger, asked.last
        assert run is not None  # it was written
        changes = status == 401 and ledger.settings.refreshes_key and not asked.key_changed
        busy = status in (429, 500)
        run.ended, run.clean, run.leave = "failed", True, changes or busy
        rests = busy and self.may_rest(asked)
        ledger.pool.refused(exchange, status, {}, b"no", ledger.now)
        ledger.perform()
        again = asked.live or run.recovered
        require("a refused POST is sent again if it may", again or not (rests or changes), asked)
        require("a refused POST ends its turn if it must", not again or changes or busy, asked)
        if again and changes:
            asked.key_changed = True
            asked.refusals += 1
        elif again:
            self.rested(asked)

    def _send_garbage(self, connection: int, which: int) -> None:
        ledger = self.ledger
        fates = [self.fate(asked) for asked in self.live_on(connection)]
        if not self.service.sockets[connection].deaf:
            ledger.hear(connection, GARBAGE[which % len(GARBAGE)])
            batch = ledger.perform()
            require("garbage closes its socket", connection in batch.closed, batch)
            for fate in fates:
                self.judge(fate, batch)

    def live_on(self, connection: int) -> list[Asked]:
        """Return the turns on a socket that somebody waits for."""
        return [
            asked
            for asked in self.ledger.live
            if (run := asked.speaking) is not None and run.connection == connection
        ]

    # Time.

    @rule(share=st.sampled_from([0.01, 0.1, 0.5, 1.0, 1.0]))
    def pass_time(self, share: float) -> None:
        ledger = self.ledger
        deadline = ledger.pool.deadline()
        ahead = 1.0 if deadline is None else max(0.0, deadline - ledger.now)
        self._wait(ledger.now + ahead * share)

    def _wait(self, until: float, *, reads: bool = True) -> None:
        ledger, sockets = self.ledger, self.service.sockets
        dead = {each for each, socket in sockets.items() if socket.deaf} | {*ledger.outbox}
        fates = {each: [self.fate(asked) for asked in self.live_on(each)] for each in dead}
        safe = [
            (asked, run)
            for asked in ledger.live
            if (run := asked.speaking) is not None and run.connection not in dead
        ]
        if reads:
            ledger.pong()
            ledger.perform()
        batch = ledger.wait(until)
        for connection in dead & {*batch.closed}:
            for fate in fates[connection]:
                self.judge(fate, batch)
        for asked, run in safe:
            failure = asked.finish.failure if asked.finish else None
            stays = asked.last is run and run.wired
            own_limit = failure is not None and failure.kind in TIMEOUTS
            own_limit |= asked.given_up
            require("time loses no turn whose socket answers", stays or own_limit, asked, batch)

    @rule(how=st.sampled_from(TROUBLE), which=pick)
    def trouble(self, how: str, which: int) -> None:
        ledger, sockets = self.ledger, self.service.sockets
        match how:
            case "sleep":
                self._sleep(10.0 * (which % 60))
            case "stand still":  # nothing is read for a while, and the pool is not to blame
                pause = 5.0 + which % 30
                ledger.stood_still += pause
                deadline = ledger.pool.deadline()
                until = ledger.now if deadline is None else max(ledger.now, deadline) + pause
                for socket in sockets.values():
                    socket.excused_until = until
                self._wait(until, reads=False)
            case "go deaf" if sockets and ledger.settings.ping_interval is not None:
                sockets[list(sockets)[which % len(sockets)]].deaf = True
            case _:
                self.change_the_way(how)

    def _sleep(self, seconds: float) -> None:
        """The machine sleeps, and its own clock stands still meanwhile."""
        ledger = self.ledger
        for socket in self.service.sockets.values():
            socket.doubted = True
            socket.opened_at -= seconds
        ledger.stood_still += seconds  # what is too old is found out late
        ledger.pool.woke(seconds, ledger.now)
        batch = ledger.perform()
        require("sleep itself ends nothing", not batch.finished and not batch.closed, batch)
        self._wait(ledger.now)
