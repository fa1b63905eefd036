"""What was asked and how it ended, and every rule that must hold of it.

Nothing here asks the code under test what is right: expectations come from the questions and from
what callers know to be their history.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from chaos.wording import answer_to, meaning, meanings, text_of
from turnwire import ConfigError, PreviousResponseNotFound, TurnwireError

if TYPE_CHECKING:
    from chaos.rounds import Round
    from chaos.service import Service
    from chaos.wording import Json, Meaning, Question
    from turnwire import Response

_MOST_SHOWN = 10


@dataclass(slots=True)
class Asked:
    """One turn, as its caller saw it.

    Attributes:
        question: What was asked.
        new: The turn's own items.
        how: How it was read.
        shown: The text that its caller was handed and that still counts.
        read: True if its caller read the stream to the end.
        may_end: True if its caller ended it, or let its time run out.
        excused: True if the client was closed under it.
        error: What it raised.
        turn: The client's turn; None if there is none, or if the client made it itself.
        linked: True if its caller linked it by hand to an earlier response.
        resumed: True if it was fetched from the store after a loss.
        unseen: True if its number of model runs is not told to its caller.
    """

    question: Question
    new: list[Json]
    how: str
    shown: str = ""
    read: bool = False
    may_end: bool = False
    excused: bool = False
    error: BaseException | None = None
    turn: Any = None
    unseen: bool = False
    linked: bool = False
    resumed: bool = False
    ending: str = ""
    notes: list[str] = field(default_factory=list[str])

    @property
    def model_runs(self) -> int:
        try:
            runs: int = self.turn.model_runs
        except (AttributeError, TurnwireError):  # it was not made, or not started
            return 0
        return runs

    @property
    def response(self) -> Response | None:
        """What it ended well with."""
        return self.turn.response if self.turn is not None else None


class Book:
    """The book of one round."""

    def __init__(self, told: Round, service: Service) -> None:
        self.told = told
        self.service = service
        self.asked: list[Asked] = []
        self.violations: list[str] = []
        self.endings: Counter[str] = Counter()
        self.warm_ups = 0
        self.broken = 0

    @property
    def turns(self) -> int:
        return len(self.asked) + self.warm_ups

    def violated(self, rule: str, asked: Asked | None = None, *about: object) -> None:
        """Note that something was not as it has to be."""
        self.broken += 1
        if len(self.violations) >= _MOST_SHOWN:
            return
        lines = [f"{rule}: {', '.join(str(one) for one in about)}"]
        if asked is not None:
            lines += [
                f"  question {asked.question.id} ({asked.question.kind}), read by {asked.how!r}",
                f"  ended {asked.ending!r}: {asked.error!r}",
                f"  the turn: {_turn_story(asked.turn)}",
                f"  caller: {'; '.join(asked.notes)}",
                *(f"  server: {line}" for line in self.service.stories[asked.question.id]),
            ]
        self.violations.append("\n".join(lines))

    def judge(self, asked: Asked, history: list[Meaning]) -> list[Meaning]:
        """Compare how a turn ended with what had to be; return the history from then on."""
        context = [*history, *meanings(asked.new)]
        expected = answer_to(asked.question, context)
        response = asked.response
        asked.ending = _ending(asked, response)
        self.endings[asked.ending] += 1
        if response is not None:
            self._judge_answer(asked, response, expected)
            return context + expected
        self._judge_error(asked, text_of(expected))
        return history

    def _judge_answer(self, asked: Asked, response: Response, expected: list[Meaning]) -> None:
        got = [meaning(item.to_dict()) for item in response.output]
        if got != expected:
            self.violated("a turn gets its own answer", asked, _short(got), _short(expected))
        # A response that was fetched in one piece has no deltas, if none was shown before.
        whole = asked.shown or not asked.resumed
        if asked.read and whole and asked.shown != text_of(expected):
            self.violated(
                "the text of a stream is the answer", asked, asked.shown, text_of(expected)
            )
        if response.status not in ("completed", "incomplete"):
            self.violated("success has a terminal event", asked, response.status)
        if asked.error is not None and not (asked.may_end or asked.excused):
            self.violated("a turn ends once", asked)

    def _judge_error(self, asked: Asked, text: str) -> None:
        error = asked.error
        if error is None:
            self.violated("no turn is lost without an error", asked)
            return
        if not isinstance(error, TurnwireError):
            self.violated("errors are turnwire's own", asked)
        elif isinstance(error, ConfigError) and not asked.excused:
            self.violated("nothing was wrong with the arguments", asked)
        elif isinstance(error, PreviousResponseNotFound) and not asked.linked:
            self.violated("a chain sends again what the server forgot", asked)
        elif not self.told.is_wild and not asked.may_end:
            self.violated("here every turn ends well", asked)
        if not text.startswith(asked.shown):
            self.violated("what is shown is of the answer", asked, asked.shown, text)
        partial: Response | None = getattr(error, "partial", None)
        if partial is not None:
            if not text.startswith(partial.output_text):
                self.violated("a partial begins the answer", asked, partial.output_text, text)
            if not partial.output_text.startswith(asked.shown):
                about = (asked.shown, partial.output_text)
                self.violated("a partial holds all that was shown", asked, *about)

    def restarted(self, asked: Asked, model_runs: int) -> None:
        """A stream begins anew: nothing of it may have been shown."""
        asked.notes.append(f"restarted, {model_runs} runs")
        if asked.shown:
            self.violated("after output was shown nothing is sent again", asked, asked.shown)
        asked.shown = ""

    def close(self) -> None:
        """Compare the model runs, now that nothing runs any more."""
        seen = Counter(asked.question.id for asked in self.asked)
        for question_id, times in seen.items():
            if times > 1:
                self.violated("questions are asked once", None, question_id)
        for asked in self.asked:
            unsure = self.service.unsure(asked.question.id)
            runs = self.service.runs[asked.question.id] - unsure
            if not asked.unseen and runs > asked.model_runs:
                about = f"{runs} runs, {asked.model_runs} declared"
                self.violated("every model run is declared", asked, about)
            allowed = 1 + self.service.excuses[asked.question.id] + self._repeats
            if runs > allowed:
                self.violated("a turn is repeated once", asked, f"{runs} runs, {allowed} allowed")
        for strange in self.service.runs.keys() - seen.keys():
            self.violated("the server runs what was asked", None, strange)
        for wrong in self.service.wrongs():
            self.violated("the server has no complaint", None, wrong)

    @property
    def _repeats(self) -> int:
        return self.told.client.get("replay") != "never"


def _ending(asked: Asked, response: Response | None) -> str:
    if response is not None:
        return str(response.status)
    if asked.may_end and asked.error is not None and "cancelled it" in str(asked.error):
        return "cancelled"
    return type(asked.error).__name__


def _short(said: list[Meaning]) -> str:
    return repr(said)[:300]


def _turn_story(turn: Any) -> str:
    try:
        return (
            f"{turn.transport} ({turn.transport_reason}), delivery {turn.delivery}, "
            f"{turn.response_id}, miss {turn.chain_miss}, {turn.model_runs} runs, "
            f"{turn.resends} resends"
        )
    except (TurnwireError, AttributeError) as error:
        return repr(error)
