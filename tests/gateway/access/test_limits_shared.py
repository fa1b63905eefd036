"""Limits that hold for several processes together."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from cli.command import environment
from turnwire.errors import ConfigError
from turnwire.gateway.access import limits_shared
from turnwire.gateway.access.limits import Allowance, OverLimit
from turnwire.gateway.access.limits_shared import LimitTable, limit_table
from turnwire.gateway.config.tables import Limits

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def table() -> Iterator[LimitTable]:
    with limit_table(rows=2, workers=3) as (made, _):
        yield made


def test_what_one_worker_has_open_the_others_cannot(table: LimitTable) -> None:
    limits = Limits(sockets=2, active_turns=1)
    one, two, three = (table.allowance(0, worker, limits) for worker in (1, 2, 3))
    assert (one.open_socket(), two.open_socket()) == (None, None)
    assert three.open_socket() == OverLimit("sockets", 2, 1)
    two.close_socket()
    assert three.open_socket() is None
    assert one.begin_turn(0) is None
    assert two.begin_turn(0) == OverLimit("active_turns", 1, 1)
    one.end_turn(0, 0)
    assert two.begin_turn(0) is None
    other = table.allowance(1, 1, limits)
    assert (other.open_socket(), other.begin_turn(0)) == (None, None), "keys are not mixed"


def test_requests_and_tokens_are_taken_from_one_bucket(table: LimitTable) -> None:
    one, two = (
        table.allowance(0, worker, Limits(requests_per_minute=3, tokens_per_minute=60))
        for worker in (1, 2)
    )
    assert (one.begin_turn(1000), two.begin_turn(1000), one.begin_turn(1000)) == (None,) * 3
    assert two.begin_turn(1000) == OverLimit("requests", 3, 20)
    assert two.begin_turn(1020) is None
    one.end_turn(100, 1020)
    assert two.begin_turn(1040) == OverLimit("tokens", 60, 21)
    assert two.begin_turn(1061) is None


def test_it_decides_as_for_one_process(table: LimitTable) -> None:
    limits = Limits(sockets=1, active_turns=2, requests_per_minute=7, tokens_per_minute=100)
    for_one, shared = Allowance(limits), table.allowance(1, 2, limits)
    now = 5000.0
    decided = []
    for step in range(200):
        now += 1.7
        for allowance in (for_one, shared):
            over = allowance.begin_turn(now)
            decided.append(over and (over.what, round(over.retry_after, 6)))
            if over is None:
                allowance.end_turn(step % 40, now)
    assert decided[::2] == decided[1::2]
    assert {over and over[0] for over in decided} == {None, "requests", "tokens"}


def test_what_a_worker_had_open_is_given_back_and_what_it_used_is_not(table: LimitTable) -> None:
    limits = Limits(sockets=2, active_turns=2, requests_per_minute=3)
    one, two = (table.allowance(1, worker, limits) for worker in (1, 2))
    for worker in (one, two):
        assert (worker.open_socket(), worker.begin_turn(0)) == (None, None)
    table.free(1)
    anew = table.allowance(1, 1, limits)
    assert (anew.open_socket(), anew.begin_turn(0)) == (None, None)
    assert two.open_socket() == OverLimit("sockets", 2, 1)
    anew.end_turn(0, 0)
    assert two.begin_turn(0) == OverLimit("requests", 3, 20)


def test_a_key_without_limits_is_not_counted(table: LimitTable) -> None:
    assert type(table.allowance(0, 1, Limits())) is Allowance
    assert table.allowance(0, 1, Limits(sockets=1)).limits_turns is False


def test_no_room_for_the_table_is_a_clear_error(monkeypatch: pytest.MonkeyPatch) -> None:
    def full() -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(limits_shared.tempfile, "TemporaryFile", full)
    with (
        pytest.raises(ConfigError, match="No space left on device; make room in"),
        limit_table(1, 2),
    ):
        pass


# Takes turns until none are left, and says how many it got.
GREEDY = """
import sys
from turnwire.gateway.access.limits_shared import LimitTable
from turnwire.gateway.config.tables import Limits

file, worker = map(int, sys.argv[1:])
allowance = LimitTable(file, 1, 4).allowance(
    0, worker, Limits(active_turns=2, requests_per_minute=3000)
)
print("ready", flush=True)
sys.stdin.readline()
begun = 0
while True:
    over = allowance.begin_turn(0)
    if over is None:
        begun += 1
        allowance.end_turn(0, 0)
    elif over.what == "requests":
        break
print(begun, flush=True)
"""

# Begins a turn, and dies while nobody else can get at the row.
DYING = """
import os, signal, sys
from turnwire.gateway.access.limits_shared import LimitTable
from turnwire.gateway.config.tables import Limits

file, worker = map(int, sys.argv[1:])
table = LimitTable(file, 1, 4)
assert table.allowance(0, worker, Limits(active_turns=1)).begin_turn(0) is None
with table.held(0):
    os.kill(os.getpid(), signal.SIGKILL)
"""


def started(program: str, file: int, worker: int) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", program, str(file), str(worker)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        pass_fds=[file],
        env=environment(),
        text=True,
    )


@pytest.mark.io
@pytest.mark.slow
def test_processes_that_take_at_the_same_time_get_no_more_than_there_is() -> None:
    with limit_table(rows=1, workers=4) as (table, file):
        workers = [started(GREEDY, file, number) for number in (1, 2, 3, 4)]
        for worker in workers:
            assert worker.stdout is not None
            assert worker.stdout.readline() == "ready\n"
        taken = [int(each.communicate(timeout=60)[0]) for each in _all_told(workers)]
        assert sum(taken) == 3000
        assert table.counted(0) == (0, 0)


def _all_told(workers: list[subprocess.Popen[str]]) -> list[subprocess.Popen[str]]:
    for worker in workers:
        assert worker.stdin is not None
        worker.stdin.write("go\n")
        worker.stdin.flush()
    return workers


@pytest.mark.io
@pytest.mark.slow
def test_a_worker_that_dies_with_a_row_in_its_hands_leaves_it_to_the_others() -> None:
    with limit_table(rows=1, workers=4) as (table, file):
        dead = started(DYING, file, 1)
        assert (dead.communicate(timeout=60)[0], dead.returncode) == ("", -9)
        alive = table.allowance(0, 2, Limits(active_turns=1))
        assert alive.begin_turn(0) == OverLimit("active_turns", 1, 1)
        table.free(1)
        assert alive.begin_turn(0) is None
