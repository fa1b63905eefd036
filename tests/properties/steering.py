"""Callers steer, and the service makes of it what it likes."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
from hypothesis import strategies as st
from hypothesis.stateful import precondition, rule

from properties.invariants import require
from properties.items import call, context, open_calls
from properties.steers import Said, heard_by, say
from properties.voice import Voice
from properties.way import pick

if TYPE_CHECKING:
    from properties.book import Asked
    from properties.service import Run

MOST_PHASES = 2
# What becomes of a turn that is steered, step by step.
STORIES = (
    ("say", "created", "accept", "item", "incomplete", "successor", "created", "item"),
    ("created", "item", "say", "say", "accept", "completed", "successor", "item"),
    ("created", "say", "accept", "incomplete", "successor", "say", "accept", "completed"),
    ("created", "item", "say", "completed"),
    ("created", "say", "error"),
    ("created", "item", "say", "accept", "completed", "fail"),
    ("created", "say", "accept", "item", "error", "fail"),
    ("created", "call", "say", "say", "accept", "completed", "pend"),
    ("created", "call", "say", "completed", "pend"),
    ("in progress", "call", "say", "accept", "completed", "pend"),
)


class Steering(Voice):
    """Turns are steered."""

    @precondition(lambda self: self.ledger.asked)
    @rule(which=pick, count=st.integers(1, 2), style=pick)
    def steer(self, which: int, count: int, style: int) -> None:
        """Say something to a turn, mostly to one that runs; sometimes the service ends it then."""
        heard = [asked for asked in self.ledger.live if self._runs(asked)]
        turns = heard or self.ledger.live or list(self.ledger.asked.values())
        if style % 5 == 0:
            turns = list(self.ledger.asked.values())
        asked = turns[which % len(turns)]
        told = [say(self.ledger, asked, self.mark("s")) for _ in range(count)]
        if style % 3 and asked.live:
            for said in filter(None, told):
                self.answer_steer(said, "accept" if style % 7 else "reject")
            run = asked.last
            if style % 2 and run in self.audible and run is not None:
                self.speak(run, ("completed", "incomplete")[style % 4 // 2], style)
                self.speak(run, "item", style) if run in self.audible else None

    def tell(self, asked: Asked, story: tuple[str, ...], style: int) -> None:
        """Tell a story of a turn, for as long as it goes on."""
        for step in story:
            run = asked.last
            if run is None or run not in self.audible or run.http or run.refusal is not None:
                return
            if step == "say":
                say(self.ledger, asked, self.mark("s"))
            elif step == "call" and run.between is None and self.service.start(run):
                self._started(run)
                output = call(self.mark(f"{run.response_id}-"))
                self._emit(run, self.service.produce(run, output, streamed=True))
            elif step in ("accept", "reject"):
                for said in run.undecided:
                    self.answer_steer(said, step)
            elif step in ("successor", "pend", "fail") and run.between is not None:
                self._go_on_after(run, step)
            elif step not in ("call", "successor", "pend", "fail"):
                self.speak(run, step, style)

    def _go_on_after(self, run: Run, step: str) -> None:
        while run.between is not None and run in self.audible and run.undecided:
            here = all(said.target == run.response_id for said in run.undecided)
            told = {said.state for said in run.undecided} == {"accepted"}
            if step == "successor" and here and told and run.between != "failed":
                self._begin_successor(run, run.undecided)
            elif step == "pend" and here and run.between == "completed" and self._asks(run):
                self._pend(run, run.undecided[0])
            else:
                self._fail_steer(run, run.undecided[0])

    def _asks(self, run: Run) -> bool:
        """Say whether a response has a call that waits for the client."""
        return bool(open_calls(tuple(output.meaning for output in run.output)))

    def _runs(self, asked: Asked) -> bool:
        run = asked.speaking
        return run is not None and not run.http and run in self.audible and not run.unread

    # What the service says of a steer.

    @precondition(lambda self: self._answerable)
    @rule(which=pick, how=st.sampled_from(["accept", "accept", "accept", "reject", "unknown"]))
    def answer_some_steer(self, which: int, how: str) -> None:
        self.answer_steer(self._answerable[which % len(self._answerable)], how)

    @property
    def _answerable(self) -> list[Said]:
        return [said for run in self.audible for said in run.undecided]

    def answer_steer(self, said: Said, how: str) -> None:
        run = said.asked.last
        if run is None or run not in self.audible or said not in run.undecided:
            return
        oldest = next(
            each
            for each in self.ledger.said.values()
            if each is said or (each.target == said.target and each.state == "submitted")
        )
        if said.state == "submitted":
            said = oldest  # they are answered in order
        late = run.between is not None or said.target != run.response_id
        if how == "unknown" and said.state == "submitted":
            self._refuse_type(run)
        elif how == "accept" and said.state == "submitted" and not late:
            said.steer_id, said.state = f"steer_{said.mark}", "accepted"
            self._tell(run, "accepted", said)
        elif how != "accept" or late:
            self._fail_steer(run, said)

    def _fail_steer(self, run: Run, said: Said) -> None:
        said.state = "failed"
        error = {"type": "invalid_request_error", "code": "response_not_active", "message": "No."}
        self._tell(run, "failed", said, error=error)

    def _pend(self, run: Run, said: Said) -> None:
        said.steer_id, said.state = f"steer_{said.mark}", "pending"
        socket = self.service.sockets[run.connection]
        socket.pending.setdefault(run.lane, []).append(said)
        self._tell(run, "pending", said, required_input=[])

    def _tell(self, run: Run, kind: str, said: Said, **members: object) -> None:
        about = {"previous_response_id": said.target}
        if said.steer_id is not None:
            about["id"] = said.steer_id
        event = self.service.event(run, f"response.steer.{kind}", steer=about, **members)
        if run.between is not None and not run.undecided:
            self.service.leave(run, run.between)  # no successor follows
        self._emit(run, event)

    def _refuse_type(self, run: Run) -> None:
        """The service does not know steers at all: it says so to the connection."""
        ledger, connection = self.ledger, run.connection
        said = next(
            each
            for each in ledger.said.values()
            if each.connection == connection and each.state == "submitted"
        )
        steered = said.asked.last
        said.state = "failed"
        ends = steered is not None and steered.between is not None and not steered.undecided
        if ends and steered is not None:
            self.service.leave(steered, steered.between or "")
            steered.told_end = True
        wanted = {each for each in ledger.live if each is said.asked and ends}
        speaking = {each for each in ledger.live if each.speaking is not None}
        error = {"code": "invalid_value", "message": "Unknown type: response.steer"}
        ledger.hear(connection, msgspec.json.encode({"type": "error", "error": error}))
        batch = ledger.perform()
        require("an unknown type is about its steer alone", not batch.delivered, batch)
        finished = (speaking | wanted) & {*batch.finished}  # others have just found their place
        require("an unknown type is about its steer alone", finished == wanted, batch)

    # What follows a steered response.

    def decide(self, run: Run, style: int) -> None:
        undecided = run.undecided
        if not undecided:  # nobody waits for it any more
            self._begin_successor(run, [])
            return
        pended = any(said.state == "pending" for said in run.steers)
        accepted = [said for said in undecided if said.state == "accepted"]
        ours = run.between in ("completed", "incomplete") and run.phases < MOST_PHASES
        silent = all(said.target == run.response_id for said in undecided) and style % 3 == 1
        heard = accepted or (undecided if silent else [])
        if style % 11 == 10 and not self._asked(run).cancelled:
            self._break_off(run, style)
        elif ours and heard and not pended and style % 2 == 0:
            self._begin_successor(run, heard)
        elif run.between == "completed" and self._asks(run) and style % 3 == 0:
            if undecided[0].target == run.response_id:
                self._pend(run, undecided[0])
            else:
                self._fail_steer(run, undecided[0])
        else:
            self._fail_steer(run, undecided[0])

    def _break_off(self, run: Run, style: int) -> None:
        """An error comes where the successor was due."""
        event = self.service.fail(run, style, "bad_request")
        for said in run.undecided:
            said.state = "unknown"
        self._emit(run, event)

    def _begin_successor(self, run: Run, heard: list[Said]) -> None:
        """The service goes on by itself; its first event commits what it heard."""
        ledger, service, asked = self.ledger, self.service, self._asked(run)
        assert run.context is not None  # it has started
        if asked.live and asked.history is not None:
            asked.history.items = [*heard_by(asked), *(each.terminal for each in run.output)]
            asked.history.head = None
        asked.tail = [said.item for said in heard]
        run.context += tuple(output.meaning for output in run.output)
        run.context += context(asked.tail)
        ledger.responses += 1
        run.past += run.output
        run.response_id, run.output = f"resp_{ledger.responses}_", []
        run.phases, run.base, run.between, run.between_at = run.phases + 1, len(run.log), None, -1.0
        service.model_runs[run.mark] += 1
        for said in heard:
            said.state, said.successor = "committed", run.response_id
        self._emit(run, service.lifecycle(run, "response.created"))
