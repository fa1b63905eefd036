"""Random histories of a pool: callers ask, the service speaks, sockets die, time passes.

The invariants are in ``ledger.py``, the model of the service in ``service.py``.
"""

# ruff: noqa: FBT001  # rules are called by name, with what Hypothesis draws

from __future__ import annotations

import sys
from typing import Any

from hypothesis import strategies as st
from hypothesis.stateful import precondition, rule

from properties.book import Asked, Head, History
from properties.fetching import Fetching
from properties.invariants import require
from properties.items import Json, context, edited, open_calls, question, tool_output
from properties.profiles import PROFILE
from properties.steering import STORIES
from properties.way import flip, pick, rarely
from turnwire.core.chain import Chain
from turnwire.core.request import Deadlines

DEADLINES = (
    Deadlines(),
    Deadlines(queue=None),
    Deadlines(queue=1.0),
    Deadlines(turn=4.0),
    Deadlines(first_event=2.0),
    Deadlines(progress=6.0),
    Deadlines(write=4.0),
)
WAYS = ("websocket", "websocket", "auto", "auto", "http")
POLICIES = ("safe", "safe", "safe", "always", "never")
TOOLS: dict[str, Json] = {
    "more tools": {"tools": [{"type": "function", "name": "a"}, {"type": "function", "name": "b"}]},
    "other tools": {"tools": [{"type": "mcp", "name": "a"}]},
}
STORE: tuple[Json, ...] = ({"store": False}, {}, {"store": True}, {"store": False})
# What a caller may do with a chain besides going on.
CHANGES = (
    *("nothing",) * 6,
    "another model",
    "more tools",
    "other tools",
    "another store",
    *("warm up",) * 2,
    "leave a call open",
    "leave a call open",
    "a large item",
    "no new item",
    "edit an item",
    "edit an item",
    "cut the history",
)
# How dials end in the end.
GOES_AWAY = ("is not here", "is gone", "hangs up")
DIAL_IN_THE_END = {"is not here": "426", "is gone": "unreachable"}


class PoolMachine(Fetching):
    """Callers ask, and time passes."""

    def ask(self, params: Json, items: list[Json], **how: Any) -> Asked | None:
        return self.ledger.submit(self.mark("t"), params, items, **how)

    @rule(count=st.integers(1, 4), variant=pick, way=st.sampled_from(WAYS), linked=rarely)
    def ask_plainly(self, count: int, variant: int, way: str, linked: bool) -> None:
        stored = [key for key, kept in self.service.kept.items() if kept.stored and linked]
        for _ in range(count if self.is_open else 1):
            self.ask(
                {"model": "m1"} | STORE[variant % 4],
                [question(self.mark("q"), parts=False)],
                transport=way,
                replay=POLICIES[variant % 5],
                link=stored[variant % len(stored)] if stored else None,
                deadlines=DEADLINES[variant % 7],
            )

    @precondition(lambda self: self.is_open)
    @rule(
        which=pick,
        variant=pick,
        change=st.sampled_from(CHANGES),
        whole=flip,
        way=st.sampled_from(WAYS),
    )
    def ask_in_chain(self, which: int, variant: int, change: str, whole: bool, way: str) -> None:
        if len(self.histories) < 2:
            self.histories.append(History(Chain()))
        history = self.histories[which % len(self.histories)]
        self._ask_in_chain(history, variant, change, whole=whole, way=way)

    def _ask_in_chain(
        self, history: History, variant: int, change: str, *, whole: bool, way: str = "websocket"
    ) -> Asked | None:
        """Go on with a chain: by new items, or by its history in whatever form, perhaps edited."""
        head = history.head
        params: Json = {"model": "m2" if change == "another model" else "m1"}
        params |= {"temperature": variant % 3} | TOOLS.get(change, {})
        params |= {"generate": False} if change == "warm up" else {}
        keeps_store = head is not None and change != "another store"
        params |= {"store": head.run.stored} if keeps_store else STORE[variant % 4]
        new = self._new_items(history, change, variant)
        items = [*self._echoed(history, change, variant), *new] if whole else new
        return self.ask(
            params,
            items,
            history=history,
            whole=whole,
            transport=way,
            replay=POLICIES[variant % 5],
            deadlines=DEADLINES[variant % 7],
        )

    @precondition(lambda self: self.is_open)
    @rule(which=pick, variant=pick, style=pick, whole=flip)
    def go_on_in_peace(self, which: int, variant: int, style: int, whole: bool) -> None:
        """A turn of a chain from its question to its end; the shortest way to a deep history."""
        history = self.histories[which % len(self.histories)] if self.histories else None
        if history is None:
            history = History(Chain())
            self.histories.append(history)
        self._go_on(history, variant, style, whole=whole)

    def _go_on(self, history: History, variant: int, style: int, *, whole: bool) -> None:
        asked = self._ask_in_chain(history, variant, "nothing", whole=whole)
        for _ in range(3):
            if self.ledger.dialing:
                self.answer_dial("open")
            else:
                self._answer(asked, style)

    @precondition(lambda self: self.is_open)
    @rule(which=pick, variant=pick, style=pick, story=st.sampled_from(STORIES), ends=flip)
    def steer_a_chain(
        self, which: int, variant: int, style: int, story: tuple[str, ...], ends: bool
    ) -> None:
        """A turn of a chain that is steered, from its question to one of its ends."""
        if not self.histories:
            self.histories.append(History(Chain()))
        history = self.histories[which % len(self.histories)]
        self.ledger.slow = False
        self.write_all()
        asked = self._ask_in_chain(history, variant, "nothing", whole=style % 2 == 0)
        if self.ledger.dialing:
            self.answer_dial("open")
        if asked is not None:
            self.tell(asked, story, style)
            self.tell(asked, ("in progress", "item", "completed") if ends else (), style)
        if story[-1] == "pend" and style % 4:  # and then it goes on, or somebody else does
            self._go_on(history, variant, style, whole=style % 2 == 1)

    @precondition(lambda self: self.histories and self.is_open)
    @rule(which=pick, variant=pick, source_first=flip)
    def fork(self, which: int, variant: int, source_first: bool) -> None:
        """Two chains from here on, and both go on at once."""
        source = self.histories[which % len(self.histories)]
        head = Head(source.head.run, borrowed=True) if source.head else None
        other = History(source.chain.fork(), list(source.items), head)
        if len(self.histories) < 5:
            self.histories.append(other)
        whole = variant % 2 == 0
        order = (source, other) if source_first else (other, source)
        asked = [self._ask_in_chain(each, variant, "nothing", whole=whole) for each in order]
        for each in reversed(asked):  # the second is answered first, if it is on the wire at all
            if variant % 3:
                self._answer(each, variant)

    @precondition(lambda self: self.histories and self.is_open)
    @rule(which=pick, variant=pick, style=pick, company=flip)
    def interrupt(self, which: int, variant: int, style: int, company: bool) -> None:
        """The user breaks in, and the service finishes what nobody hears; then it goes on."""
        history = self.histories[which % len(self.histories)]
        if company:  # alone on its socket it would take that along
            self._go_on(history, variant, style, whole=False)
            self.ask_plainly(1, variant, "websocket", linked=False)
        asked = self._ask_in_chain(history, variant, "nothing", whole=False)
        if asked is not None and asked.live:
            self._drop(asked, "cancel")
            self._answer(asked, style)
            self._ask_in_chain(history, variant, "nothing", whole=False)

    def _answer(self, asked: Asked | None, style: int) -> None:
        """Have the service answer a turn, if it is on the wire at all."""
        self.write_all()
        if asked is not None and asked.last in self.audible:
            self.complete(asked.last, style)

    def _new_items(self, history: History, change: str, variant: int) -> list[Json]:
        calls = sorted(open_calls(context(history.items)))
        answered = calls[change == "leave a call open" :]
        new = [tool_output(call_id, self.mark("o")) for call_id in answered]
        size = 900 if change == "a large item" else 1
        if not new or variant % 4 == 0:
            new.append(question(self.mark("q") * size, parts=variant % 2 == 0))
        return [] if change == "no new item" else new

    def _echoed(self, history: History, change: str, variant: int) -> list[Json]:
        """Return the history as a caller would hand it back."""
        shown = {
            output.meaning: output.echo(variant + index)
            for index, asked in enumerate(self.ledger.asked.values())
            for run in asked.runs
            for output in (*run.past, *run.output)
            if output.shown
        }
        items = [
            shown.get(key, item)
            for key, item in zip(context(history.items), history.items, strict=True)
        ]
        if items and change == "edit an item":
            index = variant % len(items)
            items[index] = edited(items[index], self.mark("e"))
        return items[: variant % len(items)] if items and change == "cut the history" else items

    @precondition(lambda self: self.ledger.live)
    @rule(which=pick, how=st.sampled_from(["cancel", "cancel", "overflow"]))
    def drop(self, which: int, how: str) -> None:
        self._drop(self.ledger.live[which % len(self.ledger.live)], how)

    def _drop(self, asked: Asked, how: str) -> None:
        if how == "cancel":
            asked.cancelled = True
            self.ledger.pool.cancel(asked.turn.id, self.ledger.now)
        else:
            self.ledger.pool.overflowed(asked.turn.id, 10, self.ledger.now)
        batch = self.ledger.perform()
        require("a turn that is dropped ends at once", batch.finished[:1] == [asked], how, batch)

    # The end.

    def teardown(self) -> None:
        """Everything ends if the service answers, or if it does not; then nothing is left."""
        if not hasattr(self, "ledger") or sys.exc_info()[1] is not self.outer:
            return  # something is broken already
        ledger = self.ledger
        ledger.slow = self.end == "hangs up"  # before anything is written
        for _ in range(600):
            if not ledger.live:
                break
            self._go_towards_the_end()
        left = [asked.mark for asked in ledger.live]
        require("every turn ends, whatever the service does", not left, self.end, left)
        self.close()

    def _go_towards_the_end(self) -> None:
        ledger, answers = self.ledger, self.end == "answers"
        for socket in self.service.sockets.values():
            socket.deaf |= self.end == "is deaf"
        if ledger.outbox:
            self._end_writing()
        elif ledger.dialing:
            self.answer_dial(DIAL_IN_THE_END.get(self.end, "open"))
        elif self.service.gets:
            self._end_fetching()
        elif not answers and self.service.posts:
            self.lose_exchange(next(iter(self.service.posts)), 0)
        elif self.end in GOES_AWAY and self.service.sockets:
            self.lose_socket(next(iter(self.service.sockets)), 1000)
        elif answers and self.audible:
            self.complete(self.audible[0], 0)
        elif self.end == "is busy" and self.audible:
            self.speak(self.audible[0], "error", 1)
        else:
            self.pass_time(1.0)

    def _end_fetching(self) -> None:
        self.answer_get("events" if self.end == "answers" else "not found")
        if self.service.gets:
            self.answer_get("whole")

    def _end_writing(self) -> None:
        if self.ledger.slow:
            self.lose_socket(next(iter(self.ledger.outbox)), 1000)
        else:
            self.write_all()

    def close(self) -> None:
        ledger = self.ledger
        ledger.closed = True
        ledger.pool.close(ledger.now)
        ledger.perform()
        require("after close every turn has ended", not ledger.live, ledger.live)
        require("after close no deadline is left", ledger.pool.deadline() is None)
        open_still = [*self.service.sockets, *ledger.exchanges, *ledger.dialing]
        require("after close every socket is closed", not open_still, open_still)
        for asked in ledger.asked.values():
            counted, told = self.service.model_runs[asked.mark], asked.turn.model_runs
            require("every model run is counted", counted <= told, asked, counted, told)

    @precondition(lambda self: self.closes_early and self.marks > 30)
    @rule(gracefully=flip)
    def close_early(self, gracefully: bool) -> None:
        if not gracefully:
            self.close()
            return
        ledger = self.ledger
        ledger.draining = True
        waiting = ledger.waiting
        ledger.pool.drain(ledger.now)
        batch = ledger.perform()
        require("draining ends what waits", set(waiting) <= set(batch.finished), waiting, batch)


TestPool = PoolMachine.TestCase
TestPool.settings = PROFILE
