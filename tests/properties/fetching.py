"""What is stored: it goes on when its socket is gone, and is fetched; and callers who read."""

# ruff: noqa: FBT001  # rules are called by name, with what Hypothesis draws

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
from hypothesis import strategies as st
from hypothesis.stateful import precondition, rule

from properties.invariants import require
from properties.losses import CLOSE_CODES
from properties.steering import Steering
from properties.way import flip, pick
from turnwire.core.failure import CloseInfo

if TYPE_CHECKING:
    from properties.book import Asked
    from properties.service import Run

ANSWERS = (
    *("events",) * 4,
    *("events from the beginning", "events with a gap"),
    *("whole",) * 3,
    *("not streamed", "not found", "no connection", "lost"),
)
# What a run says before it is cut off.
SAID = (("created",), ("created", "item"), ("in progress", "delta"), ("item", "item", "delta"))


class Fetching(Steering):
    """Stored responses."""

    @precondition(lambda self: self.audible)
    @rule(which=pick, said=st.sampled_from(SAID), reads=st.sampled_from([0, 0, 1, 99]), style=pick)
    def cut_off(self, which: int, said: tuple[str, ...], reads: int, style: int) -> None:
        """A run is lost in its middle, and perhaps goes on."""
        run = self.audible[which % len(self.audible)]
        for step in said:
            if run.ended is None and run.wired:
                self.speak(run, step, style)
        asked = self._asked(run)
        if asked.live:
            self.ledger.read(asked, reads)
        if run.wired and run.http:
            self.lose_exchange(run.connection, style)
        elif run.wired:
            self.lose_socket(run.connection, CLOSE_CODES[style % len(CLOSE_CODES)])
        if style % 3:
            self._run_on(which, ("item", "delta")[style % 2], style)
            self._run_on(which, ("item", "delta", "completed", "fail")[style % 4], style)
        if self.service.gets and style % 5:
            self.answer_get(ANSWERS[style % len(ANSWERS)])

    def _run_on(self, which: int, step: str, style: int) -> None:
        """What is stored goes on although nobody listens."""
        orphans = [run for run in self.service.orphans.values() if run.ended is None]
        if not orphans:
            return
        run = orphans[which % len(orphans)]
        if step == "fail":
            self.service.fail(run, 0, "invalid_prompt")
        else:
            self.progress(run, step, style)

    @precondition(lambda self: self.service.gets)
    @rule(how=st.sampled_from(ANSWERS))
    def answer_get(self, how: str) -> None:
        service, ledger = self.service, self.ledger
        exchange = next(iter(service.gets))
        get = service.gets[exchange]
        run = service.orphans.get(get.response_id)
        if run is not None and run.credential != get.credential:
            run = None  # somebody else's
        if how.startswith("events") and get.streamed and run is not None:
            self._stream_from(exchange, run, how)
        elif how == "whole" and run is not None:
            self._answer_whole(exchange, run)
        elif how in ("no connection", "lost"):
            ledger.hung_up(exchange)
            ledger.pool.lost(exchange, CloseInfo(None, reached=how == "lost"), ledger.now)
            ledger.perform()
        else:
            ledger.hung_up(exchange)
            status = 400 if how == "not streamed" else 404
            ledger.pool.refused(exchange, status, {}, b"no", ledger.now)
            ledger.perform()

    def _owner(self, run: Run) -> Asked:
        asked = self._asked(run)
        require("a GET is for a turn that waits for it", asked.live and asked.fetching, asked)
        require("a response that may have a successor is not fetched", not run.in_doubt, asked)
        return asked

    def _stream_from(self, exchange: int, run: Run, how: str) -> None:
        """Send the events after those that arrived; then the run goes on as if it were a POST."""
        asked, after = self._owner(run), self.service.gets[exchange].after
        require("it asks for what comes next", after == run.log[asked.heard - 1]["sequence_number"])
        ended, run.ended = run.ended, None
        self.service.fetch(exchange)
        start = run.base if how == "events from the beginning" else asked.heard
        if how == "events with a gap":
            if asked.heard + 1 >= len(run.log):
                run.ended = ended
                self._end_stream(exchange, run)
                return
            start += 1
        log = run.log.copy()
        for number, event in enumerate(log[start:], start):
            if not (asked.live and run.wired and run.connection == exchange):
                break
            if number == len(log) - 1 and ended is not None:
                run.ended = ended
                run.told_end = how != "events with a gap"
                run.wired = False
                self.service.posts.pop(exchange, None)
            self.stream(run, msgspec.json.encode(event))
        if how == "events with a gap":
            broken = asked.restarted or asked.last is not run or not asked.live
            require("a gap in the numbers is noticed", broken, asked)
        if run.ended is None and not run.wired:
            run.ended = ended

    def _end_stream(self, exchange: int, run: Run) -> None:
        """The stream ends before it has begun."""
        ledger, asked = self.ledger, self._asked(run)
        ended = run.ended
        fate = self.fate(asked)
        ledger.hung_up(exchange)
        run.ended = ended
        ledger.pool.lost(exchange, CloseInfo(None), ledger.now)
        self.judge(fate, ledger.perform())

    def _answer_whole(self, exchange: int, run: Run) -> None:
        ledger, asked = self.ledger, self._owner(run)
        body = self.service.whole(run)
        half_shown = asked.seen_output
        if run.ended is not None and not half_shown:
            asked.whole_answer = body
            run.told_end = True
        ledger.service.gets.pop(exchange)
        ledger.exchanges.discard(exchange)
        ledger.pool.fetched(exchange, msgspec.json.encode(body), ledger.now)
        ledger.perform()
        if run.ended is not None and not half_shown:
            require("a whole answer ends its turn", not asked.live, asked)

    # Callers who read.

    @precondition(lambda self: self.ledger.live)
    @rule(which=pick, everything=flip)
    def read(self, which: int, everything: bool) -> None:
        reading = [asked for asked in self.ledger.live if asked.inbox]
        if reading:
            self.ledger.read(reading[which % len(reading)], 99 if everything else 1)
