"""Random histories of a pool: callers ask, the service speaks, sockets die, time passes.

The invariants are in ``ledger.py``, the model of the service in ``service.py``.
"""

from __future__ import annotations

import sys
from typing import Any

import msgspec
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule
from properties.invariants import require
from properties.items import (
    MAKERS,
    Json,
    answer,
    context,
    edited,
    open_calls,
    question,
    tool_output,
)
from properties.ledger import Asked, Batch, Head, History, Ledger
from properties.profiles import PROFILE
from properties.service import Run, Service

from turnwire.core.chain import Chain
from turnwire.core.request import Deadlines
from turnwire.core.settings import PoolSettings

flip = st.booleans()
pick = st.integers(0, 719)  # indices and variants: taken modulo what there is
rarely = st.integers(0, 7).map(lambda number: number == 0)

DEADLINES = (
    Deadlines(),
    Deadlines(queue=None),
    Deadlines(queue=1.0),
    Deadlines(turn=4.0),
    Deadlines(first_event=2.0),
)
TOOLS: dict[str, Json] = {
    "more tools": {"tools": ["a", "b"]},
    "tools in another order": {"tools": ["b", "a"]},
}
STORE: tuple[Json, ...] = ({"store": False}, {}, {"store": True}, {"store": False})
# What a caller may do with a chain besides going on.
CHANGES = (
    *("nothing",) * 6,
    "another model",
    "more tools",
    "tools in another order",
    "another store",
    "warm up",
    "leave a call open",
    "leave a call open",
    "a large item",
    "no new item",
    "edit an item",
    "edit an item",
    "cut the history",
)
# What the service may say next about a run.
STEPS = (
    *("created", "in progress", "item", "item", "delta", "unknown", "error"),
    *("completed", "completed", "incomplete"),
)
NOISE: tuple[Json, ...] = (
    {"type": "keepalive", "sequence_number": 9},
    {"type": "codex.rate_limits", "rate_limits": {"primary": {"used_percent": 3}}},
)
MOST_RESENDS = 4  # after that a refusal is the turn's own error
GARBAGE = (b"[]", b"null", b"{", b'{"type":7}', b"\xff", b"")
CLOSE_CODES = (1000, 1001, 1005, 1006, 1008, 1009, 1011, 1012, 4402)


class PoolMachine(RuleBasedStateMachine):
    """Callers, a pool, and the service."""

    @initialize(
        lanes=st.sampled_from(["echo", "echo", "echo", "ignore", "reject"]),
        known=flip,
        sockets=st.integers(1, 3),
        active=st.integers(2, 3),
        names=st.integers(1, 4),
        fewer=rarely,
        closes=st.sampled_from([False] * 9 + [True]),
    )
    def begin(
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

    # Callers.

    def ask(self, params: Json, items: list[Json], **how: Any) -> Asked | None:
        return self.ledger.submit(self.mark("t"), params, items, **how)

    @rule(count=st.integers(1, 4), variant=pick, http=rarely, linked=rarely)
    def ask_plainly(self, count: int, variant: int, http: bool, linked: bool) -> None:
        stored = [key for key, kept in self.service.kept.items() if kept.stored and linked]
        for _ in range(count if self.is_open else 1):
            self.ask(
                {"model": "m1"} | STORE[variant % 4],
                [question(self.mark("q"), parts=False)],
                transport="http" if http else "websocket",
                link=stored[variant % len(stored)] if stored else None,
                deadlines=DEADLINES[variant % 5],
            )

    @precondition(lambda self: self.is_open)
    @rule(which=pick, variant=pick, change=st.sampled_from(CHANGES), whole=flip, http=rarely)
    def ask_in_chain(self, which: int, variant: int, change: str, whole: bool, http: bool) -> None:
        if len(self.histories) < 2:
            self.histories.append(History(Chain()))
        history = self.histories[which % len(self.histories)]
        self._ask_in_chain(history, variant, change, whole=whole, http=http)

    def _ask_in_chain(
        self, history: History, variant: int, change: str, *, whole: bool, http: bool = False
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
            transport="http" if http else "websocket",
            deadlines=DEADLINES[variant % 5],
        )

    @precondition(lambda self: self.is_open)
    @rule(which=pick, variant=pick, style=pick, whole=flip)
    def go_on_in_peace(self, which: int, variant: int, style: int, whole: bool) -> None:
        """A turn of a chain from its question to its end; the shortest way to a deep history."""
        history = self.histories[which % len(self.histories)] if self.histories else None
        if history is None:
            history = History(Chain())
            self.histories.append(history)
        asked = self._ask_in_chain(history, variant, "nothing", whole=whole)
        for _ in range(3):
            if self.ledger.dialing:
                self.answer_dial("open")
            elif asked is not None and asked.runs and asked.runs[-1].ended is None:
                self._complete(asked.runs[-1], style)

    @precondition(lambda self: self.histories and self.is_open)
    @rule(which=pick, variant=pick, source_first=flip)
    def fork(self, which: int, variant: int, source_first: bool) -> None:
        """Two chains from here on, and both go on at once."""
        source = self.histories[which % len(self.histories)]
        head = Head(source.head.run, borrowed=True) if source.head else None
        other = History(source.chain.fork(), list(source.items), head)
        if len(self.histories) < 5:
            self.histories.append(other)
        for history in (source, other) if source_first else (other, source):
            self._ask_in_chain(history, variant, "nothing", whole=variant % 2 == 0)

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
            for output in run.output
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
        asked = self.ledger.live[which % len(self.ledger.live)]
        if how == "cancel":
            asked.cancelled = True
            self.ledger.pool.cancel(asked.turn.id, self.ledger.now)
        else:
            self.ledger.pool.overflowed(asked.turn.id, 10, self.ledger.now)
        batch = self.ledger.perform()
        require("a turn that is dropped ends at once", batch.finished[:1] == [asked], how, batch)

    def _asked(self, run: Run) -> Asked:
        return self.ledger.asked[run.mark]

    # The way to the service.

    @precondition(lambda self: self.ledger.dialing)
    @rule(outcome=st.sampled_from(["open"] * 8 + ["refused", "unreachable"]))
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

    # The service.

    @property
    def audible(self) -> list[Run]:
        return [run for run in self.service.runs if not run.silent]

    @precondition(lambda self: self.audible)
    @rule(which=pick, step=st.sampled_from(STEPS), style=pick)
    def say_something(self, which: int, step: str, style: int) -> None:
        self._speak(self.audible[which % len(self.audible)], step, style)

    @precondition(lambda self: self.audible)
    @rule(which=pick, style=pick)
    def say_all(self, which: int, style: int) -> None:
        self._complete(self.audible[which % len(self.audible)], style)

    def _complete(self, run: Run, style: int) -> None:
        for step in ("in progress", "item", "completed"):
            if run.ended is None:
                self._speak(run, step, style)

    def _speak(self, run: Run, step: str, style: int) -> None:
        service = self.service
        if run.refusal is not None:
            # Once the pool drains there is no other lane to wait for.
            hopeless = run.needs_place and not self.is_open
            self._emit(run, service.fail(run, 2 - style % 2), refused=not hopeless)
        elif step == "created":
            self._emit(run, service.lifecycle(run, "response.created"))
        elif step == "unknown":
            of_the_lane = service.lanes == "echo" and style % 2
            kind = "keepalive" if of_the_lane else "response.hologram.delta"
            self._emit(run, service.event(run, kind, hologram="?"))
        elif step == "error":
            code = ("server_error", "rate_limit_exceeded", None)[style % 3]
            self._emit(run, service.fail(run, style, code or "bad_request"))
        elif not service.start(run):
            self._lose_parent(run, style)
        else:
            self._started(run)
            self._emit(run, self._progress(run, step, style))

    def _progress(self, run: Run, step: str, style: int) -> Json:
        """Return an event of a model that runs."""
        service = self.service
        match step:
            case "item" if run.generates and len(run.output) < 3:
                make = MAKERS[style % 3] if style % 2 else answer
                output = make(self.mark(f"{run.mark}-"))
                return service.produce(run, output, streamed=style % 5 > 0)
            case "delta" if run.generates:
                text = {"delta": f"{run.mark}…", "output_index": len(run.output)}
                return service.event(run, "response.output_text.delta", **text)
            case "completed" | "incomplete":
                return service.terminal(run, step, style)
            case _:
                return service.lifecycle(run, "response.in_progress")

    def _started(self, run: Run) -> None:
        asked = self._asked(run)
        wanted = asked.expected
        require("the model sees the caller's history", run.context == wanted, run.context, wanted)

    def _lose_parent(self, run: Run, style: int) -> None:
        """The parent is not to be found; only the service itself may be to blame."""
        asked = self._asked(run)
        assert run.parent is not None
        if asked.history is not None and asked.live:  # who dropped it no longer cares
            # Or lanes that are none: a fork that failed there took its parent along.
            innocent = run.parent in self.service.forgotten or self.service.lanes == "ignore"
            require("a chain names no parent that cannot be found", innocent, run.parent)
        how: Json = {"param": "previous_response_id"} if style % 2 else {}
        event = self.service.fail(run, 1 + style % 2, "previous_response_not_found", **how)
        self._emit(run, event, refused=asked.history is not None and not run.visible)

    def _emit(self, run: Run, event: Json, *, refused: bool = False) -> None:
        """Send an event; it must reach the turn that it belongs to, and nobody else."""
        ledger = self.ledger
        asked = self._asked(run)
        heard = asked.live and asked.runs[-1] is run
        refused = refused and len(asked.runs) <= MOST_RESENDS
        asked.refused += refused and heard
        writings = len(asked.runs)
        data = msgspec.json.encode(event)
        if run.http:
            batch = self._stream(run, data)
        else:
            ledger.pool.received(run.connection, data, ledger.now)
            batch = ledger.perform()
        delivered = [(run.mark, data)] if heard and not refused else []
        require("an event reaches its turn alone", batch.delivered == delivered, event, batch)
        if refused and heard:
            # Unless the message with everything in it is too large, or it needs another lane.
            again = len(asked.runs) == writings + 1 or not asked.live or run.needs_place
            require("a refused turn is written again", again, run.mark)
        ends = heard and run.ended is not None and not (refused and asked.live)
        over = [each for each in batch.finished if each.runs]
        require("a terminal event ends its turn alone", over == [asked] * ends, event, batch)
        self.lanes_seen |= run.echo is not None and run.ended != "failed" and heard

    def _stream(self, run: Run, data: bytes) -> Batch:
        """The same over HTTP: as bytes, cut somewhere."""
        ledger = self.ledger
        stream = b"event: x\ndata: " + data + b"\n\n"
        cut = len(data) // 2
        ledger.pool.received(run.connection, stream[:cut], ledger.now)
        ledger.pool.received(run.connection, stream[cut:], ledger.now)
        return ledger.perform()

    @rule(what=st.sampled_from(["forget", "silence", "noise", "age"]), which=pick)
    def be_odd(self, what: str, which: int) -> None:
        service = self.service
        sockets, runs, kept = list(service.sockets), service.runs, list(service.kept)
        match what:
            case "forget" if kept:
                service.forget(kept[which % len(kept)])
            case "silence" if runs:  # for ever: its first event's deadline has to end it
                run = runs[which % len(runs)]
                run.silent = run.unread
            case "noise" if sockets:
                self._make_noise(sockets[which % len(sockets)], NOISE[which % len(NOISE)])
            case "age" if sockets:
                self._reach_the_age_limit(sockets[which % len(sockets)])

    def _make_noise(self, connection: int, what: Json) -> None:
        """An event of no turn and of a type that nobody knows changes nothing."""
        default = self.service.sockets[connection].runs.get(None)
        data = msgspec.json.encode(what)
        wanted = Batch()
        if default is not None and self.service.lanes != "echo":
            return  # whose it is can only be guessed
        if default is not None:  # it may be meant for the turn of the default lane
            wanted.delivered += [(default.mark, data)] * self.ledger.asked[default.mark].live
        self.ledger.pool.received(connection, data, self.ledger.now)
        batch = self.ledger.perform()
        require("unknown events change nothing", batch == wanted, batch, wanted)

    def _reach_the_age_limit(self, connection: int) -> None:
        """The service says that a connection's time is over; what runs may go on."""
        socket = self.service.sockets[connection]
        default = socket.runs.get(None)
        worn_out = default is not None and len(self._asked(default).runs) > MOST_RESENDS
        if not self.lanes_seen or not self.is_open or worn_out:
            return  # then it may be taken for the error of the turn that probes
        error = {"code": "websocket_connection_limit_reached", "message": "60 minutes"}
        event = {"type": "error", "status": 400, "error": error}
        socket.retired = True
        if default is not None and default.unread and self._asked(default).live:
            self.service.refuse(default)
            self._asked(default).refused += 1
        running = self._live_on(connection)
        self.ledger.pool.received(connection, msgspec.json.encode(event), self.ledger.now)
        batch = self.ledger.perform()
        wanted = [] if running else [connection]
        require("a retired socket closes with its last turn", batch.closed == wanted, batch)
        require("old age ends no turn", not set(running) & set(batch.finished), batch)

    # Time, and the end.

    @rule(share=st.sampled_from([0.01, 0.1, 0.5, 1.0]))
    def pass_time(self, share: float) -> None:
        deadline = self.ledger.pool.deadline()
        ahead = 1.0 if deadline is None else max(0.0, deadline - self.ledger.now)
        self.ledger.wait(self.ledger.now + ahead * share)

    def teardown(self) -> None:
        """Everything ends if the service answers and time passes; then nothing is left."""
        if not hasattr(self, "ledger") or sys.exc_info()[1] is not self.outer:
            return  # something is broken already
        ledger = self.ledger
        for _ in range(400):
            if ledger.dialing:
                self.answer_dial("open")
            elif self.audible:
                self._complete(self.audible[0], 0)
            elif ledger.pool.deadline() is not None:
                self.pass_time(1.0)
            else:
                break
        left = [asked.mark for asked in ledger.live]
        require("every turn ends if the service answers and time passes", not left, left)
        self.close()

    def close(self) -> None:
        ledger = self.ledger
        ledger.closed = True
        ledger.pool.close(ledger.now)
        ledger.perform()
        require("after close every turn has ended", not ledger.live, ledger.live)
        require("after close no deadline is left", ledger.pool.deadline() is None)
        open_still = [*self.service.sockets, *self.service.posts, *ledger.dialing]
        require("after close every socket is closed", not open_still, open_still)
        ledger.check_counts()

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
