"""One of several processes that share a port; started by ``workers.py``, not by people.

Its order comes as one line of JSON on stdin, and its reports go as lines to stdout.  When stdin
ends, whoever started it is gone, and it drains and ends, too.
"""

from __future__ import annotations

import asyncio
import logging
import os
import sys
from contextlib import suppress

import msgspec
from msgspec import Struct

from turnwire.errors import ConfigError
from turnwire.gateway.config.building import build
from turnwire.gateway.config.tables import Config
from turnwire.gateway.process.garbage import collect_seldom
from turnwire.gateway.server import stopping_on_signals


class Order(Struct, frozen=True):
    """What a worker is to do.

    Attributes:
        config: With the port that is to be shared.
        number: Tells workers apart in the log.
        log_level: Name of the level.
    """

    config: Config
    number: int
    log_level: str


class Report(Struct, frozen=True, omit_defaults=True):
    """What has become of a worker.

    Attributes:
        ready: True once it listens.
        turns: How many it has served, at its end.
        failure: Why it cannot start.
    """

    ready: bool = False
    turns: int = 0
    failure: str = ""


def main() -> int:
    """Serve until a signal or the end of stdin; return the exit code."""
    order = msgspec.json.decode(sys.stdin.buffer.readline(), type=Order)
    logging.basicConfig(
        level=order.log_level.upper(),
        format=f"%(asctime)s %(levelname)s worker {order.number} %(name)s: %(message)s",
    )
    try:
        with suppress(asyncio.CancelledError):
            asyncio.run(_serve(order.config))
    except (ConfigError, ImportError) as error:
        _say(Report(failure=str(error)))
        return 1
    return 0


async def _serve(config: Config) -> None:
    asked = asyncio.Event()
    gateway = build(config, os.environ).gateway(reuse_port=True)
    loop = asyncio.get_running_loop()
    order = sys.stdin.fileno()

    def left_alone() -> None:
        loop.remove_reader(order)  # its end can be read again and again
        asked.set()

    loop.add_reader(order, left_alone)
    with stopping_on_signals(asked):  # until the report is out, whatever comes meanwhile
        try:
            async with gateway:
                collect_seldom()
                _say(Report(ready=True))
                await asked.wait()
        finally:
            loop.remove_reader(order)
            _say(Report(turns=gateway.statistics().turns))


def _say(report: Report) -> None:
    with suppress(BrokenPipeError):  # nobody listens any more
        sys.stdout.buffer.write(msgspec.json.encode(report) + b"\n")
        sys.stdout.buffer.flush()


if __name__ == "__main__":
    sys.exit(main())
