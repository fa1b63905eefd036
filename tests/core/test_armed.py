"""Clocks are armed when they begin, not when something else happens to wake the pool."""

from __future__ import annotations

from typing import Any

import msgspec

from turnwire.core.actions import Dial, SignIn
from turnwire.core.chain import Chain
from turnwire.core.failure import CloseInfo
from turnwire.core.history import HistoryItem
from turnwire.core.params import Params
from turnwire.core.pool import Pool
from turnwire.core.request import Deadlines, TurnRequest
from turnwire.core.settings import PoolSettings
from turnwire.testing.pair import Pair

STILL = PoolSettings(ping_interval=None, max_age=None, resume=True)


def dialled(**clocks: float | None) -> tuple[Pool, int]:
    """Submit a turn at 0 s and open its socket at 100 s; no clock runs but those given."""
    nothing: dict[str, Any] = {"queue": None, "write": None, "first_event": None}
    item = HistoryItem.of({"role": "user", "content": "One."})
    request = TurnRequest(Params({"model": "m"}), [item], deadlines=Deadlines(**nothing | clocks))
    pool = Pool(STILL)
    pool.submit(request, 0.0)
    (dial,) = pool.actions()
    assert isinstance(dial, Dial)
    pool.dialed(dial.connection, 100.0)
    return pool, dial.connection


def hear(pool: Pool, connection: int, now: float) -> None:
    response = {"id": "resp_1", "status": "in_progress"}
    event = {"type": "response.created", "sequence_number": 0, "response": response}
    pool.received(connection, msgspec.json.encode(event), now)


def test_the_write_clock_begins_with_the_write() -> None:
    pool, connection = dialled()
    done = {"type": "response.completed", "response": {"id": "r", "status": "completed"}}
    pool.received(connection, msgspec.json.encode(done), 101.0)
    pool.tick(102.0)
    assert pool.deadline() is None
    clocks = Deadlines(queue=None, write=3.0, first_event=None)
    pool.submit(TurnRequest(Params({"model": "m"}), [], deadlines=clocks), 150.0)
    assert pool.deadline() == 153.0


def test_the_progress_clock_begins_with_the_first_event() -> None:
    pool, connection = dialled(progress=2.0)
    pool.tick(100.0)
    assert pool.deadline() is None
    hear(pool, connection, 110.0)
    assert pool.deadline() == 112.0


def test_a_fetch_has_its_whole_time_for_progress() -> None:
    pool, connection = dialled(progress=2.0)
    hear(pool, connection, 110.0)
    pool.actions()
    pool.lost(connection, CloseInfo(1006), 111.0)
    assert any(isinstance(action, SignIn) for action in pool.actions())
    pool.tick(111.5)
    assert pool.statistics().failed == 0


def test_a_drained_turn_takes_the_place_of_its_parent() -> None:
    both, chain = Pair(PoolSettings(sockets=1, lanes=True)), Chain()
    both.ask("One.", chain=chain, store=False)
    both.start().complete("1")
    both.ask("Beside.")
    beside = both.start()
    left = both.ask("Two.", chain=chain, store=False)
    drained = both.start()
    both.cancel(left)
    drained.complete("2")
    asked = both.ask("Three.", chain=chain, store=False)
    assert asked.turn.chain_miss is not None
    assert (asked.turn.chain_miss.reason, asked.turn.resends) == ("lane_taken", 0)
    beside.complete("!")
