"""What the service says: one event at a time, of any run, in any order that the wire allows."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
from hypothesis import strategies as st
from hypothesis.stateful import precondition, rule

from properties.book import MOST_REFUSALS, Batch
from properties.invariants import require
from properties.items import MAKERS, Json, answer, context
from properties.ledger import NOISE
from properties.losses import Losses
from properties.steers import note_begun
from properties.way import LONGEST_PAUSE, pick

if TYPE_CHECKING:
    from properties.service import Run

# What the service may say next about a run.
STEPS = (
    *("created", "in progress", "item", "item", "delta", "unknown", "error"),
    *("completed", "completed", "incomplete"),
)
# Errors of a run: code, status, headers, and whether they mean "later".
ERRORS: tuple[tuple[str | None, int, dict[str, str], bool], ...] = (
    ("server_error", 400, {}, True),
    ("rate_limit_exceeded", 400, {"retry-after": "2"}, True),
    ("bad_request", 400, {}, False),
    (None, 503, {"retry-after-ms": "250"}, True),
    ("rate_limit_exceeded", 429, {"x-should-retry": "false"}, False),
    ("insufficient_quota", 429, {}, False),
    ("odd", 400, {"x-should-retry": "true"}, True),
    ("server_is_overloaded", 503, {"retry-after": "61"}, True),
)


class Voice(Losses):
    """The service speaks."""

    @property
    def audible(self) -> list[Run]:
        return [run for run in self.service.runs if not run.silent and not self._is_deaf(run)]

    def _is_deaf(self, run: Run) -> bool:
        socket = self.service.sockets.get(run.connection)
        return socket is not None and socket.deaf

    @precondition(lambda self: self.audible)
    @rule(which=pick, step=st.sampled_from(STEPS), style=pick)
    def say_something(self, which: int, step: str, style: int) -> None:
        self.speak(self.audible[which % len(self.audible)], step, style)

    @precondition(lambda self: self.audible)
    @rule(which=pick, style=pick)
    def say_all(self, which: int, style: int) -> None:
        self.complete(self.audible[which % len(self.audible)], style)

    def complete(self, run: Run, style: int) -> None:
        for step in ("in progress", "item", "completed"):
            if run.ended is None and run.wired:
                self.speak(run, step, style)

    def speak(self, run: Run, step: str, style: int) -> None:
        service = self.service
        if run.between is not None:
            self.decide(run, style)
        elif run.refusal is not None:
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
            self._fail(run, style)
        elif not service.start(run):
            self._lose_parent(run, style)
        else:
            self._started(run)
            self._emit(run, self.progress(run, step, style))

    def decide(self, run: Run, style: int) -> None:
        """Say what follows a response that was steered."""
        raise NotImplementedError

    def progress(self, run: Run, step: str, style: int) -> Json:
        """Return an event of a model that runs."""
        service = self.service
        match step:
            case "item" if run.generates and len(run.output) < 3:
                make = MAKERS[style % 3] if style % 2 else answer
                output = make(self.mark(f"{run.response_id}-"))
                return service.produce(run, output, streamed=style % 5 > 0)
            case "delta" if run.generates:
                text = {"delta": f"{run.response_id}…", "output_index": len(run.output)}
                return service.event(run, "response.output_text.delta", **text)
            case "completed" | "incomplete":
                return service.terminal(run, step, style)
            case _:
                return service.lifecycle(run, "response.in_progress")

    def _started(self, run: Run) -> None:
        asked = self._asked(run)
        wanted, took = asked.expected, context([said.item for said in run.took])
        if wanted is not None and not run.phases:
            wanted = (*wanted[: asked.before], *took, *wanted[asked.before :])
        wanted = run.context if run.phases else wanted
        require("the model sees the caller's history", run.context == wanted, run.context, wanted)

    def _fail(self, run: Run, style: int) -> None:
        """End a run with an error; some mean that it may be tried again."""
        code, status, headers, later = ERRORS[style % len(ERRORS)]
        in_response = style % 3 == 0 and run.context is not None
        if in_response:  # there it has neither a status nor headers
            headers = {}
            later = code in ("server_error", "rate_limit_exceeded", "server_is_overloaded")
        event = self.service.fail(run, style, code, status=status, headers=headers)
        patient = float(headers.get("retry-after", 0)) <= LONGEST_PAUSE
        self._emit(run, event, later=later, rests=patient)

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

    def _emit(
        self,
        run: Run,
        event: Json,
        *,
        refused: bool = False,
        later: bool = False,
        rests: bool = False,
    ) -> None:
        """Send an event; it must reach the turn that it belongs to, and nobody else.

        Args:
            run: Whose event it is.
            event: The event.
            refused: True if it says that nothing ran, so that the turn has to go on.
            later: True if the turn may go on after a pause, before its output.
            rests: True if it has to, as long as it may.
        """
        ledger = self.ledger
        asked = self._asked(run)
        heard = asked.live and asked.last is run
        note_begun(run, event["type"])
        asked.steered |= any(said.state == "committed" for said in run.took)
        if run.between is not None and run.between_at < 0:
            run.between_at = ledger.now
        again = not asked.steered
        refused = refused and heard and again and asked.refusals < MOST_REFUSALS
        later = later and heard and again and not run.visible
        rests = rests and later and self.may_rest(asked)
        run.leave = refused or later
        run.told_end = run.ended is not None
        run.clean &= run.leave
        if heard and run.ended is not None and not run.http:
            ledger.shunned_until = 0.0  # sockets work after all
        writings = asked.sent
        others = [each for each in ledger.live if each is not asked and each.speaking is not None]
        data = msgspec.json.encode(event)
        if run.http:
            batch = self.stream(run, data)
        else:
            ledger.hear(run.connection, data)
            batch = ledger.perform()
        goes_on = run.leave and (asked.live or run.recovered)
        delivered = [(run.mark, data)] if heard and not goes_on else []
        require("an event reaches its turn alone", batch.delivered == delivered, event, batch)
        ends = heard and run.ended is not None and not goes_on
        ended = asked in batch.finished and not goes_on
        require("a terminal event ends its turn", ended is ends, event, batch)
        require("and no other one", not set(others) & set(batch.finished), event, batch)
        if refused:
            # Unless the message with everything in it is too large, or it needs another lane.
            again = asked.sent == writings + 1 or not asked.live or run.needs_place or run.http
            require("a refused turn is written again", goes_on and again, run.mark)
            asked.refusals += 1
        elif later:
            require("a server that is busy is asked again", goes_on or not rests, asked)
            if goes_on:
                self.rested(asked)
        told = heard and run.ended != "failed" and event["type"].startswith("response.")
        self.lanes_seen |= told and run.echo is not None

    def stream(self, run: Run, data: bytes) -> Batch:
        """The same over HTTP: as bytes, cut somewhere."""
        ledger = self.ledger
        stream = b"event: x\ndata: " + data + b"\n\n"
        cut = len(data) // 2
        ledger.pool.received(run.connection, stream[:cut], ledger.now)
        ledger.pool.received(run.connection, stream[cut:], ledger.now)
        if run.ended is not None:
            ledger.exchanges.discard(run.connection)
        return ledger.perform()

    @rule(
        what=st.sampled_from(["forget", "lose a parent", "silence", "noise", "age", "short lives"]),
        which=pick,
    )
    def be_odd(self, what: str, which: int) -> None:
        service = self.service
        sockets, runs, kept = list(service.sockets), service.runs, list(service.kept)
        match what:
            case "forget" if kept:
                service.forget(kept[which % len(kept)])
            case "lose a parent":
                self._lose_a_parent(which)
            case "silence" if runs:  # for ever: its first event's deadline has to end it
                run = runs[which % len(runs)]
                run.silent = run.unread
            case "noise" if sockets:
                self._make_noise(sockets[which % len(sockets)], NOISE[which % len(NOISE)])
            case "age" if sockets:
                self._reach_the_age_limit(sockets[which % len(sockets)])
            case "short lives":
                for _ in range(2 * MOST_REFUSALS):
                    if self.ledger.dialing:
                        self.answer_dial("open")
                    young = [each for each, its in service.sockets.items() if not its.retired]
                    for connection in young[:1]:
                        self._reach_the_age_limit(connection)

    def _lose_a_parent(self, which: int) -> None:
        """Lose the parent of a turn that is on the wire, perhaps after it has said something."""
        kept = self.service.kept
        begins = [run for run in self.audible if run.context is None and run.between is None]
        runs = [run for run in begins if run.parent in kept]
        if runs and runs[0].refusal is None and runs[0].parent is not None:
            if which % 3:
                self.speak(runs[0], ("created", "unknown")[which % 2], which // 2)
            self.service.forget(runs[0].parent)
            self.speak(runs[0], "in progress", which)

    def _make_noise(self, connection: int, data: bytes) -> None:
        """An event of no turn and of a type that nobody knows changes nothing."""
        default = self.service.sockets[connection].runs.get(None)
        wanted = Batch()
        if default is not None and self.service.lanes != "echo":
            return  # whose it is can only be guessed
        if self.service.sockets[connection].deaf or connection in self.ledger.outbox:
            return
        if default is not None:  # it may be meant for the turn of the default lane
            wanted.delivered += [(default.mark, data)] * self._asked(default).live
        probed = connection in self.ledger.pings  # then somebody may wait for just that
        self.ledger.hear(connection, data)
        batch = self.ledger.perform()
        calm = probed or batch == wanted
        require("unknown events change nothing", calm, batch, wanted)

    def _reach_the_age_limit(self, connection: int) -> None:
        """The service says that a connection's time is over; what runs may go on."""
        ledger, socket = self.ledger, self.service.sockets[connection]
        default = socket.runs.get(None)
        worn_out = default is not None and self._asked(default).refusals >= MOST_REFUSALS
        if not self.lanes_seen or not self.is_open or worn_out or socket.deaf:
            return  # then it may be taken for the error of the turn that probes
        if connection in ledger.outbox:
            return
        error = {"code": "websocket_connection_limit_reached", "message": "60 minutes"}
        event = {"type": "error", "status": 400, "error": error}
        socket.retired = True
        if default is not None and default.unread and self._asked(default).live:
            self.service.refuse(default)
            default.leave = True
            self._asked(default).refusals += 1
        running = self.live_on(connection)
        ledger.hear(connection, msgspec.json.encode(event))
        batch = ledger.perform()
        require("old age ends no turn", not set(running) & set(batch.finished), batch)
        for run in list(socket.runs.values()):
            if run.refusal is not None and run.ended is None:
                self.speak(run, "error", style=0)
