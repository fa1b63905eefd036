"""Plays one round, and looks at what it left behind."""

from __future__ import annotations

import asyncio
import gc
import logging
import os
import threading
import time
import warnings
from collections import Counter
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any, Final

from chaos.book import Book
from chaos.callers import Caller
from chaos.clients import Clients
from chaos.rounds import Round, round_of
from chaos.service import Service

_DESCRIPTORS: Final = Path("/proc/self/fd")
_MEMORY: Final = Path("/proc/self/statm")
_MOST_SECONDS: Final = 240.0  # for one round
COUNTERS: Final = (
    "resends", "repeats", "retries", "fallbacks", "resumes", "rotations", "lost_sockets", "dials",
    "failed_dials", "chain_hits",
)  # fmt: skip


@dataclass(slots=True)
class Outcome:
    """What came of one or more rounds.

    Attributes:
        turns: Turns that were asked for.
        warm_ups: Of those, warm-ups.
        runs: Model runs that the server saw.
        endings: How turns ended.
        injected: What was done to them.
        counters: Of the clients.
        resident: Bytes of the process at the end of the round.
        violations: What was not as it has to be.
    """

    turns: int = 0
    warm_ups: int = 0
    runs: int = 0
    endings: Counter[str] = field(default_factory=Counter[str])
    injected: Counter[str] = field(default_factory=Counter[str])
    counters: Counter[str] = field(default_factory=Counter[str])
    resident: list[int] = field(default_factory=list[int])
    violations: list[str] = field(default_factory=list[str])

    def __iadd__(self, other: Outcome) -> Outcome:  # noqa: PYI034  # final
        for each in fields(self):
            mine: Any = getattr(self, each.name)
            setattr(self, each.name, mine + getattr(other, each.name))
        return self


class _Heard(logging.Handler):
    """Keeps what the client says is its own mistake."""

    def __init__(self) -> None:
        super().__init__(logging.ERROR)
        self.records: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.records.append(logging.Formatter().format(record)[-1500:])


def play_numbered(seed: str, only: str | None, turns: int, number: int) -> tuple[int, Outcome]:
    """Choose a round and play it, perhaps in a process of its own."""
    return number, play(round_of(seed, number, turns, only))


def play(told: Round) -> Outcome:
    """Play a round in a loop of its own."""
    started = time.monotonic()
    before = _left_open()
    heard = _Heard()
    loggers = [logging.getLogger(name) for name in ("turnwire", "asyncio", "aiohttp")]
    for logger in loggers:
        logger.addHandler(heard)
    try:
        with warnings.catch_warnings(record=True) as warned:
            warnings.simplefilter("always", ResourceWarning)
            outcome = asyncio.run(_play(told))
            gc.collect()
    finally:
        for logger in loggers:
            logger.removeHandler(heard)
    wrong = outcome.violations
    wrong += [f"nothing of ours fails: {record}" for record in heard.records[:3]]
    wrong += [f"nothing warns: {warning.message}" for warning in warned[:3]]
    after = _left_open()
    wrong += [
        f"nothing is left behind: {what} {after[what]}, before {before[what]}"
        for what in before
        if after[what] != before[what]
    ]
    seconds = time.monotonic() - started
    about = f"round {told.number} ({told.temper}, {told.colour}, {seconds:.1f} s)"
    if wrong:
        wrong = [*wrong, f"its server: {told.peer}, its clients: {told.client}"]
    outcome.violations = [f"{about}: {violation}" for violation in wrong]
    outcome.resident = [_resident_bytes()]
    return outcome


async def _play(told: Round) -> Outcome:
    async with Service(told) as service:
        book = Book(told, service)
        clients = Clients(told, service)
        async with clients:
            try:
                async with asyncio.timeout(_MOST_SECONDS), asyncio.TaskGroup() as group:
                    for number in range(told.callers):
                        group.create_task(Caller(number, book, clients).call())
            except TimeoutError:
                book.violated("no round hangs", None, f"{book.turns} of {told.turns} turns")
        clients.judge(book)
        book.close()
    left = await _tasks_left()
    if left:
        book.violated("no task is left", None, left)
    counted = clients.statistics()
    return Outcome(
        turns=book.turns,
        warm_ups=book.warm_ups,
        runs=service.runs.total(),
        endings=book.endings,
        injected=service.injected,
        counters=Counter({name: getattr(counted, name) for name in COUNTERS}),
        violations=book.violations,
    )


async def _tasks_left() -> list[str]:
    """Return the tasks that do not end by themselves; what was cancelled needs a moment."""
    for _ in range(200):
        left = asyncio.all_tasks() - {asyncio.current_task()}
        if not left:
            return []
        await asyncio.sleep(0.005)
    return [repr(task)[:200] for task in left]


def _left_open() -> dict[str, Any]:
    found: dict[str, Any] = {"threads": sorted(each.name for each in threading.enumerate())}
    if _DESCRIPTORS.is_dir():
        found["descriptors"] = len(list(_DESCRIPTORS.iterdir()))
    return found


def _resident_bytes() -> int:
    try:
        return int(_MEMORY.read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except OSError:
        return 0
