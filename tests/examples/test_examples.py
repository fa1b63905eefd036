"""Every example runs, as users run it, and says what it always says."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from turnwire.gateway import Gateway

if TYPE_CHECKING:
    from pathlib import Path

    from turnwire.gateway import Statistics

from architecture.repository import ROOT, SOURCE

# Those that serve until they are stopped have tests of their own, in tests/realtime.
EXAMPLES = sorted(
    path for path in (ROOT / "examples").glob("*.py") if not path.stem.startswith("realtime_")
)

SAID = {
    "blocking": "FINAL after tool: \n42\none lane carries each turn and\nsent only what was new\n",
    "fork": (
        'You said: "Plan them without looking at the price.". The context holds 3 items.\n'
        'You said: "Plan them for little money.". The context holds 3 items.\n'
        "4 and 4 items\n"
    ),
    "parallel_lanes": "".join(
        f'You said: "Question {number}". The context holds 1 item.\n' for number in range(1, 9)
    )
    + "8 turns on 1 socket\n",
    "plain_socket": (
        'You said: "What is a lane?". The context holds 1 item.\n'
        'You said: "And a chain?". The context holds 3 items.\n'
    ),
    "single_turn": 'completed\nYou said: "Say hello". The context holds 1 item.\n',
    "streaming": (
        "one lane carries each turn and every event\ncompleted over websocket\n8 tokens of output\n"
    ),
    "tool_loop": (
        "the model: function_call\n" * 4 + "the model: message\n"
        "FINAL after tool: \n12\n0\nordered 20 of pear\nError: KeyError: 'plum'\n"
        "4 turns, 3 sent only what was new\n"
    ),
}


def run_example(path: Path, base_url: str) -> subprocess.CompletedProcess[str]:
    environment = {
        name: value for name, value in os.environ.items() if not name.startswith("OPENAI_")
    }
    environment |= {"OPENAI_BASE_URL": base_url, "PYTHONPATH": str(SOURCE.parent)}
    command = [sys.executable, "-W", "error", str(path)]
    return subprocess.run(
        command, env=environment, capture_output=True, text=True, timeout=50, check=False
    )


async def run_against_gateway(path: Path) -> tuple[subprocess.CompletedProcess[str], Statistics]:
    import asyncio

    async with Gateway() as gateway:
        done = await asyncio.to_thread(run_example, path, gateway.base_url)
        return done, gateway.statistics()


def test_every_example_has_its_expectation() -> None:
    assert [path.stem for path in EXAMPLES] == sorted(SAID)


@pytest.mark.io
@pytest.mark.slow
@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
async def test_example_runs(path: Path) -> None:
    done, _ = await run_against_gateway(path)
    assert (done.returncode, done.stdout, done.stderr) == (0, SAID[path.stem], "")


@pytest.mark.io
@pytest.mark.slow
async def test_blocking_example_talks_to_the_server_that_it_is_given() -> None:
    _, counts = await run_against_gateway(ROOT / "examples" / "blocking.py")
    assert (counts.sockets, counts.model_runs) == (1, 3)
