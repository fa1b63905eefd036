"""Plant each known mistake in a copy; the tests must catch every one.

``make faults`` runs all of them, ``make faults ARGS="lane dial"`` those with such a word in their
name, and ``make faults ARGS=--minutes=25`` as many as fit, beginning elsewhere each day.
"""

# ruff: noqa: T201  # prints its table

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import date
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING

from drop_in_faults import DROP_IN_FAULTS
from gateway_faults import GATEWAY_FAULTS
from playback_faults import PLAYBACK_FAULTS
from realtime_faults import REALTIME_FAULTS
from recovery_faults import RECOVERY_FAULTS
from serving_steer_faults import SERVING_STEER_FAULTS
from steering_faults import STEERING_FAULTS
from twilio_faults import TWILIO_FAULTS

from faults import FAULTS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from fault import Fault

ROOT = Path(__file__).parents[2]
SOURCE = Path("src") / "turnwire"
TIMEOUT = 600.0  # seconds for one mistake; the tests take an eighth of it, on a quiet machine
SHORT = 20.0  # for one test elsewhere; what hangs is caught
AFTER_ALL = 120.0  # for a file of those: what hangs so that it cannot even be stopped is caught too
AT_ONCE = 2

POOL = ("test_pool",)
SERVERS = ("test_serving_steers", "test_serving")
# Pool tests cannot see what is wrong with the server's half, and the others see nothing else.
SERVERS_HALF = ("serving.py", "serving_steers.py", "served_steer.py", "steer_input.py")
BOTH_HALVES = ("connection.py", "lane.py", "turn.py")

_NAMED = re.compile(r"InvariantBroken: <([^>]*)>")
_FAILED = re.compile(r"^FAILED tests/[\w/]+/test_\w+\.py::(\w+)", re.MULTILINE)
_RAISED = re.compile(r"^E +(?:[\w.]*\.)?(\w+(?:Error|Transition|Exception))\b", re.MULTILINE)


def stale(fault: Fault) -> str | None:
    """Say what is wrong with a row of the table, or None."""
    text = (ROOT / SOURCE / fault.package / fault.file).read_text(encoding="utf-8")
    found = text.count(fault.old)
    return None if found == 1 else f"{fault.name}: its text stands {found} times in {fault.file}"


def run_copy(fault: Fault | None, tests: Sequence[str]) -> tuple[bool, str]:
    """Run tests on a copy with one mistake; return whether they pass, and why not."""
    with tempfile.TemporaryDirectory(prefix="turnwire-faults-") as name:
        copy = Path(name)
        shutil.copy(ROOT / "pyproject.toml", copy)
        for folder in ("src", "tests"):
            ignore = shutil.ignore_patterns("__pycache__")
            shutil.copytree(ROOT / folder, copy / folder, ignore=ignore)
        if fault is not None:
            path = copy / SOURCE / fault.package / fault.file
            text = path.read_text(encoding="utf-8")
            path.write_text(text.replace(fault.old, fault.new), encoding="utf-8")
        if fault is not None and fault.tests == "properties":
            passed, why = run_tests(copy, tests, "quick")  # finds most, in a tenth of the time
            if not passed:
                return passed, why
        return run_tests(copy, tests, "thorough")


def tests_for(fault: Fault) -> list[str]:
    """Return what may catch it, the most likely first."""
    if fault.tests != "properties":
        return [f"tests/{fault.tests}"]
    if fault.file.startswith("realtime/"):
        return ["tests/core/realtime", "tests/properties/realtime"]
    if fault.file in BOTH_HALVES:
        names = (*SERVERS, *POOL)
    else:
        names = SERVERS if fault.file in SERVERS_HALF else POOL
    return [*(f"tests/properties/{name}.py" for name in names), "tests/core"]


def run_tests(copy: Path, tests: Sequence[str], profile: str) -> tuple[bool, str]:
    """Run pytest in a copy."""
    long = any(test.startswith(("tests/properties", "tests/core")) for test in tests)
    options = ["-x", "-p", "no:cacheprovider", f"--timeout={TIMEOUT if long else SHORT}"]
    environment = os.environ | {
        "PYTHONPATH": str(copy / "src"),
        "PYTHONDONTWRITEBYTECODE": "1",
        "TURNWIRE_PROPERTIES": profile,
    }
    try:
        done = subprocess.run(
            [sys.executable, "-m", "pytest", *options, *tests],
            cwd=copy,
            env=environment,
            capture_output=True,
            text=True,
            timeout=2 * TIMEOUT if long else AFTER_ALL,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return False, "(the tests did not end)"
    return done.returncode == 0, reason(done.stdout)


def reason(output: str) -> str:
    """Return the name of the invariant that broke, of the test that failed, or of the exception."""
    named = _NAMED.findall(output) or _FAILED.findall(output) or _RAISED.findall(output)
    return named[0] if named else output.strip()[-400:]


def turned(faults: Sequence[Fault], today: int) -> list[Fault]:
    """Begin elsewhere each day: what does not fit into the time today is first some other day."""
    begin = today * 37 % len(faults)
    return [*faults[begin:], *faults[:begin]]


def main(arguments: list[str]) -> int:
    """Run the table, or as much as fits into ``--minutes=N``; 0 if every mistake was caught."""
    words = [each for each in arguments if not each.startswith("--minutes=")]
    minutes = [float(each.partition("=")[2]) for each in arguments if each not in words]
    everything = (
        *FAULTS,
        *RECOVERY_FAULTS,
        *DROP_IN_FAULTS,
        *STEERING_FAULTS,
        *SERVING_STEER_FAULTS,
        *GATEWAY_FAULTS,
        *PLAYBACK_FAULTS,
        *REALTIME_FAULTS,
        *TWILIO_FAULTS,
    )
    chosen = [each for each in everything if not words or any(word in each.name for word in words)]
    if not chosen:
        print(f"No mistake's name has one of the words {words}.")
        return 2
    problems = [problem for fault in chosen if (problem := stale(fault))]
    if problems:
        print("The table is stale:", *problems, sep="\n  ")
        return 2
    if minutes:
        chosen = turned(chosen, date.today().toordinal())  # noqa: DTZ011  # any day will do
    start = time.monotonic()
    until = start + 60 * minutes[0] if minutes else float("inf")
    passed, why = run_copy(None, [*dict.fromkeys(chain(*map(tests_for, chosen)))])
    if not passed:
        print(f"Without any mistake the tests fail: {why}")
        return 2
    print(f"Without a mistake all is well ({time.monotonic() - start:.0f} s).", flush=True)
    survivors = left_out = 0
    width = max(len(fault.name) for fault in chosen)

    def run_in_time(fault: Fault) -> tuple[bool, str] | None:
        return None if time.monotonic() > until else run_copy(fault, tests_for(fault))

    with ThreadPoolExecutor(AT_ONCE) as workers:
        results = workers.map(run_in_time, chosen)
        for fault, result in zip(chosen, results, strict=True):
            if result is None:
                left_out += 1
                continue
            survived, why = result
            survivors += survived
            verdict = f"NOT CAUGHT: {fault.harm}" if survived else f"caught by: {why}"
            print(f"{fault.name:<{width}}  {verdict}", flush=True)
    played = len(chosen) - left_out
    if left_out:
        print(f"{left_out} mistakes did not fit into the time; tomorrow begins elsewhere.")
    print(f"{played - survivors} of {played} mistakes caught in {time.monotonic() - start:.0f} s.")
    return 1 if survivors else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
