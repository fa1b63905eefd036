"""A process that writes a SQLite store and tells what is safe, until somebody kills it."""

from __future__ import annotations

import asyncio
import os
import random
import signal
from typing import TYPE_CHECKING, NamedTuple
from zlib import crc32

from gateway.store.support import link
from turnwire.gateway.store.sqlite import SqliteStore

if TYPE_CHECKING:
    from multiprocessing.connection import Connection
    from pathlib import Path

    from turnwire.gateway.context import Context


def named(name: str, parent: Context | None) -> Context:
    """Return the link of this name; its size follows from that."""
    return link(name, parent, (10, 1000, 20_000)[crc32(name.encode()) % 3])


class Plan(NamedTuple):
    """What a writer does.

    Attributes:
        name: What its responses are called, before their number.
        limit_bytes: How much the store keeps.
        seed: What its choices come from.
        last_step: Step of SQLite's machine in which the process kills itself; 0 for none.
    """

    name: str
    limit_bytes: int
    seed: int
    last_step: int


def write(folder: Path, plan: Plan, pipe: Connection) -> None:
    """Write chains for ever, and send each response's id once the store has it."""
    asyncio.run(_write(folder, plan, pipe))


async def _write(folder: Path, plan: Plan, pipe: Connection) -> None:
    chance = random.Random(plan.seed)
    store = SqliteStore(folder, plan.limit_bytes, 10**6, timeout=30.0)
    await store.open()
    if plan.last_step:
        await store._there(lambda: _die(store, plan.last_step))
    newest = None
    number = 0
    while True:
        newest = named(f"{plan.name}-{number}", newest if chance.random() < 0.8 else None)
        await store.put(newest)
        pipe.send(newest.response_id)
        number += 1
        if chance.random() < 0.3:
            await store.get(f"{plan.name}-{chance.randrange(number)}", "me")


def _die(store: SqliteStore, last_step: int) -> None:
    assert store._file
    store._file._sql.set_progress_handler(lambda: os.kill(os.getpid(), signal.SIGKILL), last_step)


async def open_and_tell(folder: Path, pipe: Connection) -> None:
    """Open a store as soon as the test says so."""
    pipe.recv()
    store = SqliteStore(folder, 10**6, 100, timeout=30.0)
    await store.open()
    await store.put(link(f"of-{os.getpid()}"))
    await store.close()
    pipe.send(f"of-{os.getpid()}")


def open_together(folder: Path, pipe: Connection) -> None:
    """Do that in a process."""
    asyncio.run(open_and_tell(folder, pipe))
