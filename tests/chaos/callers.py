"""Callers: each keeps asking, by its own stream of random numbers, in every way that there is."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from chaos.book import Asked
from chaos.reading import ANY, NOTHING_SHOWN, WHOLE, read
from chaos.wording import TOOL, Question, answer_to, meanings, text_of
from turnwire import TurnInterrupted, TurnwireError

if TYPE_CHECKING:
    from chaos.book import Book
    from chaos.clients import Clients, Opened
    from chaos.rounds import Round
    from chaos.wording import Json, Meaning
    from turnwire import Response

_KINDS = ("plain",) * 6 + ("reason",) * 3 + ("long",)
_PADDINGS = (0,) * 6 + (40,) * 6 + (3000,) * 3 + (120_000,)
_CHAIN: dict[str, Any] = {"model": "chaos", "instructions": "Answer what is asked."}
_MOST_ITEMS = 24  # a longer chain is let go


async def look(question: str) -> str:
    """Look something up.

    Args:
        question: What about.
    """
    return Question(question).found


look.__name__ = TOOL


@dataclass(slots=True, eq=False)
class Line:
    """A chain and what its caller knows to be in it."""

    opened: Opened
    chain: Any
    store: bool
    history: list[Meaning] = field(default_factory=list["Meaning"])


class Caller:
    """One caller of a round."""

    def __init__(self, number: int, book: Book, clients: Clients) -> None:
        self._number = number
        self._book = book
        self._clients = clients
        self._rng = book.told.stream(f"caller {number}")
        self._questions = 0
        self._lines: list[Line] = []
        self._ways = _ways(book.told)
        self._acts = [
            (self._one_turn, 30), (self._tool_call, 8), (self._tool_loop, 6),
            (self._several_turns, 6), (self._fork, 5), (self._warm_up, 4), (self._reload, 3),
            (self._whole_history, 4), (self._single, 14), (self._linked, 4),
        ]  # fmt: skip

    async def call(self) -> None:
        """Keep asking until the round has had enough turns."""
        acts = [act for act, _ in self._acts]
        weights = [weight for _, weight in self._acts]
        while self._book.turns < self._book.told.turns and self._book.broken < 50:
            (act,) = self._rng.choices(acts, weights)
            await act()

    # What it asks with.

    def _question(self, kind: str | None = None) -> Question:
        self._questions += 1
        chosen: Any = kind or self._rng.choice(_KINDS)
        question_id = f"{self._book.told.number}.{self._number}.{self._questions}"
        return Question(question_id, chosen, self._rng.choice(_PADDINGS))

    def _asked(self, question: Question, new: list[Json] | None = None) -> Asked:
        asked = Asked(
            question, [question.item] if new is None else new, self._rng.choice(self._ways)
        )
        self._book.asked.append(asked)
        return asked

    def _store(self) -> bool:
        return self._book.told.temper == "resume" or self._rng.random() < 0.5

    def _limits(self, asked: Asked) -> dict[str, Any]:
        """Give few turns a limit in which they may or may not be answered."""
        if not self._book.told.is_wild or self._rng.random() > 0.04:
            return {}
        asked.may_end = True
        return {"timeout": 0.002 + self._rng.random() * 0.1}

    def _line(self) -> Line:
        """Choose a chain, an old one or a new one."""
        rng = self._rng
        self._lines = [
            line for line in self._lines if len(line.history) < _MOST_ITEMS and line.opened.is_open
        ]
        if self._lines and rng.random() < 0.85:
            return rng.choice(self._lines)
        opened, store = self._clients.choose(rng), self._store()
        chain = opened.client.chain(tools=[look], store=store, **_CHAIN)
        line = Line(opened, chain, store)
        self._lines.append(line)
        return line

    async def _read(self, asked: Asked, make: Any, opened: Opened) -> None:
        try:
            turn = make(**self._limits(asked))
        except TurnwireError as error:
            turn, asked.error = None, error
        if turn is not None:
            await read(self._book, self._rng, asked, turn)
        asked.excused = not opened.is_open

    # What it does.

    async def _one_turn(self) -> None:
        line = self._line()
        asked = self._asked(self._question())
        await self._ask(line, asked)
        cut = isinstance(asked.error, TurnInterrupted) and asked.question.kind != "reason"
        if cut and self._rng.random() < 0.3:
            await self._go_on(line, asked)

    async def _ask(self, line: Line, asked: Asked, **given: Any) -> None:
        given = given or {"input": asked.new}
        await self._read(asked, lambda **more: line.chain.turn(**given, **more), line.opened)
        line.history = self._book.judge(asked, line.history)

    async def _go_on(self, line: Line, cut: Asked) -> None:
        """Continue what was cut off: its input, what was finished of it, and a question more."""
        asked = self._asked(self._question())
        asked.new = [*cut.new, *_finished(cut), *asked.new]
        asked.notes.append(f"continues {cut.question.id}")
        await self._read(
            asked,
            lambda **more: cut.turn.continue_from_partial([asked.question.item]),
            line.opened,
        )
        line.history = self._book.judge(asked, line.history)

    async def _tool_call(self) -> None:
        """Run the tool by hand."""
        line = self._line()
        asked = self._asked(self._question("tool"))
        await self._ask(line, asked)
        if asked.response is None:
            return
        follow_up = asked.question.follow_up
        again = self._asked(follow_up, [asked.question.output_of(line.history[-1][1])])
        await self._ask(line, again)
        if again.response is None:
            self._forget(line)  # the call stays without its output

    async def _tool_loop(self) -> None:
        """Have the client run the tool: turns that nobody sees."""
        line, question = self._line(), self._question("tool")
        first, second = self._asked(question), self._asked(question.follow_up, [])
        first.unseen = second.unseen = True
        first.how = second.how = "run"
        context = [*line.history, *meanings([question.item])]
        context += answer_to(question, context)
        context += meanings([question.output_of(context[-1][1])])
        expected = answer_to(question.follow_up, context)
        error: TurnwireError | None = None
        try:
            async with asyncio.timeout(100):
                response = await line.chain.run([question.item])
        except TurnwireError as raised:
            error = raised
        except TimeoutError:
            self._book.violated("no turn hangs", first)
            error = TurnwireError("hangs")
        if error is None and _is_call(response):
            self._forget(line)  # its first turn was incomplete, and the loop left it at that
            first.ending = second.ending = "incomplete"
            if response.status != "incomplete":
                self._book.violated("a tool loop runs the tools", first)
        elif error is None:
            line.history = context + expected
            if response.output_text != text_of(expected):
                about = response.output_text, text_of(expected)
                self._book.violated("a tool loop gets its own answer", second, *about)
            first.ending = second.ending = "completed"
        else:
            first.error = second.error = error
            first.ending = second.ending = type(error).__name__
            if not self._book.told.is_wild:
                self._book.violated("here every turn ends well", second)
            self._forget(line)
        self._book.endings[first.ending] += 2

    async def _several_turns(self) -> None:
        """Ask several things on one chain without waiting: they run one after the other."""
        line = self._line()
        several = [self._asked(self._question()) for _ in range(self._rng.randrange(2, 4))]
        turns: list[Any] = []
        try:
            for asked in several:
                turns.append(line.chain.turn(asked.new))
                asked.turn = turns[-1]
                await turns[-1].submit()
        except TurnwireError as error:
            for asked in several[len(turns) - 1 :]:
                asked.error, asked.turn = error, asked.turn or turns[-1]
        reading = zip(several, turns, strict=False)
        await asyncio.gather(*(read(self._book, self._rng, asked, turn) for asked, turn in reading))
        for asked in several:
            asked.excused = not line.opened.is_open
            line.history = self._book.judge(asked, line.history)

    async def _fork(self) -> None:
        line = self._line()
        other = Line(line.opened, line.chain.fork(), line.store, list(line.history))
        self._lines.append(other)
        first, second = self._asked(self._question()), self._asked(self._question())
        await asyncio.gather(self._ask(line, first), self._ask(other, second))

    async def _warm_up(self) -> None:
        line, told = self._line(), self._book.told
        if told.client["transport"] == "http":
            return
        question = self._question()
        self._book.warm_ups += 1
        try:
            async with asyncio.timeout(100):
                await line.chain.warm_up([question.item])
        except TurnwireError as error:
            self._book.endings[f"warm-up {type(error).__name__}"] += 1
            if not told.is_wild:
                self._book.violated("here every warm-up ends well", None, repr(error))
        except TimeoutError:
            self._book.violated("no warm-up hangs")
        else:
            self._book.endings["warm-up completed"] += 1
            line.history = [*line.history, *meanings([question.item])]

    async def _reload(self) -> None:
        """Dump a chain, and go on with it in whichever client."""
        line = self._line()
        opened = self._clients.choose(self._rng)
        dump = line.chain.dump()
        chain = opened.load_chain(dump, tools=[look], store=line.store, **_CHAIN)
        self._lines.remove(line)
        loaded = Line(opened, chain, line.store, line.history)
        self._lines.append(loaded)
        await self._ask(loaded, self._asked(self._question()))

    async def _whole_history(self) -> None:
        """Give the whole history, as frameworks do."""
        line = self._line()
        asked = self._asked(self._question())
        await self._ask(line, asked, history=[*line.chain.history, *asked.new])

    async def _single(self) -> None:
        """Ask without a chain."""
        opened = self._clients.choose(self._rng)
        asked = self._asked(self._question())
        store = self._store()
        given = {"input": asked.new, "model": "chaos", "store": store}
        await self._read(
            asked, lambda **more: opened.client.responses.stream(**given, **more), opened
        )
        self._book.judge(asked, [])

    async def _linked(self) -> None:
        """Ask without a chain, linked by hand to what a chain has stored."""
        line = self._line()
        parent = line.chain.previous_response_id
        if parent is None or not line.store or not self._book.told.is_wild:
            return
        asked = self._asked(self._question())
        asked.linked = True
        given = {"input": asked.new, "model": "chaos", "previous_response_id": parent}
        await self._read(
            asked,
            lambda **more: line.opened.client.responses.stream(**given, **more),
            line.opened,
        )
        self._book.judge(asked, list(line.history))

    def _forget(self, line: Line) -> None:
        if line in self._lines:
            self._lines.remove(line)


def _ways(told: Round) -> tuple[str, ...]:
    """Return the ways of reading in which no turn may be lost there."""
    match told.temper, told.peer.get("resumes"):
        case ("wild", _):
            return ANY
        case ("resend", _) | ("resume", "json"):
            return NOTHING_SHOWN
        case _:
            return WHOLE


def _is_call(response: Response) -> bool:
    return any(item.type == "function_call" for item in response.output)


def _finished(cut: Asked) -> list[Json]:
    """Return the items of a turn that were done when it was cut off."""
    partial: Response | None = getattr(cut.error, "partial", None)
    items = [item.to_dict() for item in partial.output] if partial is not None else []
    return [item for item in items if item.get("status") == "completed"]
