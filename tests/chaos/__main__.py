"""Ask a faulty server many thousand questions; nothing may be lost, repeated or mixed up.

``make chaos`` asks 20,000; ``make chaos ARGS="--seed 7 --round 12"`` plays one round again.
"""

# ruff: noqa: T201  # prints its table

from __future__ import annotations

import argparse
import multiprocessing
import os
import sys
import time
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from typing import TYPE_CHECKING

from chaos.faults import DOORS, TIMES, TURNS
from chaos.playing import Outcome, play_numbered
from chaos.report import table

if TYPE_CHECKING:
    from collections.abc import Iterator

_TURNS = 20_000
_TURNS_OF_A_ROUND = 500


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="chaos", description=__doc__.splitlines()[0])
    parser.add_argument("--seed", help="of all choices; by default a new one")
    parser.add_argument("--turns", type=int, default=_TURNS, help="how many, about")
    parser.add_argument("--seconds", type=float, help="begin no round after so many")
    parser.add_argument("--only", choices=(*TURNS, *DOORS, *TIMES), help="this fault alone")
    parser.add_argument("--round", type=int, help="this round alone")
    parser.add_argument(
        "--jobs", type=int, default=2 * (os.cpu_count() or 1), help="rounds at once"
    )
    return parser.parse_args()


def outcomes(options: argparse.Namespace) -> Iterator[tuple[int, Outcome]]:
    """Play the rounds, several at once in processes of their own."""
    numbers = range(-(-options.turns // _TURNS_OF_A_ROUND))
    if options.round is not None:
        numbers = range(options.round, options.round + 1)
    work = partial(play_numbered, options.seed, options.only, _TURNS_OF_A_ROUND)
    if options.jobs == 1 or len(numbers) == 1:
        for number in numbers:
            yield work(number)
            if _is_over(options):
                return
        return
    fresh = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(options.jobs, mp_context=fresh) as processes:
        for result in processes.map(work, numbers):
            yield result
            if _is_over(options):
                processes.shutdown(cancel_futures=True)
                return


def _is_over(options: argparse.Namespace) -> bool:
    return bool(options.seconds) and time.monotonic() - _STARTED > options.seconds


def main() -> int:
    """Run; 1 if a rule was broken."""
    options = arguments()
    options.seed = options.seed or str(int.from_bytes(os.urandom(3)))
    print(f"seed {options.seed}", flush=True)
    total = Outcome()
    for number, outcome in outcomes(options):
        total += outcome
        if sys.stderr.isatty():
            print(f"\r\x1b[Kround {number}: {total.turns} turns", end="", file=sys.stderr)
    print(table(total, options.seed, time.monotonic() - _STARTED))
    return 1 if total.violations else 0


_STARTED = time.monotonic()

if __name__ == "__main__":
    sys.exit(main())
