"""The faulty server: a peer whose script answers every question, or spoils the answer.

It counts model runs by question, and keeps a line for each thing that it did about one.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections import Counter, defaultdict
from typing import TYPE_CHECKING, Any, Self

from chaos.faults import DOORS, TURNS, is_unread
from chaos.wording import TOOL, answer_to, meanings, question_in
from turnwire.testing import Create, Peer, Step, answer, call, drop, reasoning, wait
from turnwire.testing.plan import Event, plan

if TYPE_CHECKING:
    from random import Random

    from aiohttp import web

    from chaos.faults import Steps
    from chaos.rounds import Round
    from chaos.wording import Json, Meaning
    from turnwire.testing.steps import Error

_TICK = 0.01

# What the rules of the peer may refuse without anybody having made a mistake.
_FAIR = ("previous_response_not_found", "websocket_stream_limit_reached")


class Service:
    """Serves one round.

    Attributes:
        peer: The server.
        runs: Model runs by question.
        excuses: How often a question was answered so that it may be asked again.
        injected: Faults by kind.
        stories: What was done about each question.
    """

    def __init__(self, told: Round) -> None:
        self._told = told
        self.runs: Counter[str] = Counter()
        self.excuses: Counter[str] = Counter()
        self.injected: Counter[str] = Counter()
        self.stories: defaultdict[str, list[str]] = defaultdict(list)
        self._unnamed: defaultdict[str, list[int]] = defaultdict(list)
        self._attempts: Counter[str] = Counter()
        self._requests: Counter[str] = Counter()
        self._keys = 1
        self.peer = Peer(
            self._script,
            handshake=lambda request: self._door("upgrade", request),
            posts=lambda request: self._door("post", request),
            retrievals=lambda request: self._door("retrieval", request),
            key="key-1",
            **told.peer,
        )
        self._ticking: asyncio.Task[None] | None = None

    async def sign_in(self) -> str:
        """The key, as a client's `api_key` asks for it."""
        return self.peer.key or ""

    async def __aenter__(self) -> Self:
        await self.peer.__aenter__()
        self._ticking = asyncio.create_task(self._tick())
        return self

    async def __aexit__(self, *about: object) -> None:
        assert self._ticking is not None  # set on entering
        self._ticking.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await self._ticking
        await self.peer.__aexit__(None, None, None)

    async def _tick(self) -> None:
        """Let the peer's clock go, and do what happens now and then."""
        rng = self._told.stream("times")
        loop = asyncio.get_running_loop()
        then = loop.time()
        while True:
            await asyncio.sleep(_TICK)
            now = loop.time()
            elapsed, then = now - then, now
            self.peer.clock.advance(elapsed)
            if rng.random() < elapsed * self._told.times.get("forget", 0.0):
                self.injected["forget"] += 1
                self.peer.forget()
            if rng.random() < elapsed * self._told.times.get("rotate key", 0.0):
                self.injected["rotate key"] += 1
                self._keys += 1
                self.peer.key = f"key-{self._keys}"

    def _door(self, which: str, request: web.Request) -> Any:
        self._requests[which] += 1
        number = self._requests[which]
        rng = self._told.stream(f"{which} {number}")
        chosen = rng.random() < self._told.door_rate
        if not chosen or not self._told.doors or (self._told.once and number % 4 != 3):
            return None
        name = rng.choice(self._told.doors)
        self.injected[name] += 1
        if which == "retrieval" and rng.random() < 0.5:
            return drop(after=rng.randrange(1, 4))
        return DOORS[name](rng)

    def _script(self, create: Create) -> Steps:
        question = question_in(create.input)
        self._attempts[question.id] += 1
        attempt = self._attempts[question.id]
        rng = self._told.stream(f"{question.id} attempt {attempt}")
        said = answer_to(question, meanings([*create.history, *create.input]))
        steps: Steps = [_step(one) for one in said]
        events = sum(isinstance(act, Event) for act in plan(create, steps, "resp").acts)
        if rng.random() < self._told.delay_rate:
            steps.append(wait(rng.random() ** 2 * 0.08, after=rng.randrange(events)))
        name = self._choose(rng, create, attempt)
        if name is not None:
            steps = TURNS[name].edit(rng, steps, events)
            self.injected[name] += 1
            self.excuses[question.id] += TURNS[name].busy
        unread = is_unread(steps)
        self.runs[question.id] += not unread
        if create.connection is not None and create.lane is None and not unread:
            self._unnamed[question.id].append(create.connection)
        place = "POST" if create.connection is None else f"socket {create.connection}"
        parent = create.request.get("previous_response_id")
        self.stories[question.id].append(
            f"attempt {attempt}: {place}, lane {create.lane}, after {parent}, "
            f"{len(create.history)}+{len(create.input)} items, fault {name}, run {not unread}"
        )
        return steps

    def _choose(self, rng: Random, create: Create, attempt: int) -> str | None:
        told = self._told
        if rng.random() >= told.fault_rate or (told.once and attempt > 1):
            return None
        name = rng.choice(told.faults) if told.faults else None
        if name is None:
            return None
        match TURNS[name].only:
            case "socket" if create.connection is None:
                return None
            case "lane" if create.connection is None or create.lane is not None:
                return None  # of two turns nobody could say whose it is
            case "unstored" if create.connection is None or create.is_stored:
                return None  # the store would repeat it
            case "continued" if not create.history or create.connection is None:
                return None
            case _:
                return name

    def unsure(self, question_id: str) -> int:
        """Return how many runs of a question were on a lane that an end of the socket names.

        Told without a lane that the socket is too old, a client takes the turn on the default lane
        for unread, as docs/protocol/lanes.md#errors-without-a-lane has it; it may have begun.
        """
        return sum(
            any(_is_age_limit(event) for event in self.peer.connections[index].sent)
            for index in self._unnamed[question_id]
        )

    def wrongs(self) -> list[str]:
        """Return what the server has to complain about, at the end."""
        wrong = [
            f"the server refused by its rules: {refusal}"
            for refusal in self.peer.refusals
            if not _is_fair(refusal)
        ]
        wrong += [f"the script failed: {failure!r}" for failure in self.peer._server.model.failures]
        self.peer._server.model.failures.clear()
        if self.peer.model_runs != self.runs.total():
            wrong.append(f"{self.peer.model_runs} model runs and {self.runs.total()} in the book")
        return wrong


def _is_age_limit(event: Json) -> bool:
    inside = event.get("error")
    code = inside.get("code") if isinstance(inside, dict) else event.get("code")
    return code == "websocket_connection_limit_reached"


def _is_fair(refusal: Error) -> bool:
    return refusal.code in _FAIR or refusal.param == "stream_id"


def _step(said: Meaning) -> Step:
    match said:
        case ("reasoning", text):
            return reasoning(text)
        case ("call", call_id, arguments):
            return call(TOOL, arguments, call_id=call_id)
        case (_, text):
            return answer(text)
        case _:
            raise AssertionError(said)
