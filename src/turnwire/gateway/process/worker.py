"""One of several processes that share a port; started by ``workers.py``, not by people.

Its order comes as one line of JSON on stdin, and its reports go as lines to stdout.  When stdin
ends, whoever started it is gone, and it drains and ends, too.
"""

from __future__ import annotations

import asyncio
import logging
import os
import socket
import sys
from contextlib import suppress
from typing import TYPE_CHECKING

import msgspec
from msgspec import Struct

from turnwire.errors import ConfigError
from turnwire.gateway.access.limits_shared import LimitTable
from turnwire.gateway.config.building import build
from turnwire.gateway.config.tables import Config
from turnwire.gateway.process.garbage import collect_seldom
from turnwire.gateway.process.siblings import WorkerSiblings
from turnwire.gateway.server import stopping_on_signals

if TYPE_CHECKING:
    from turnwire.gateway.access.limits import Allowance
    from turnwire.gateway.config.tables import Limits
    from turnwire.gateway.server import Gateway


class Order(Struct, frozen=True):
    """What a worker is to do.

    Attributes:
        config: With the port that is to be shared.
        number: Tells workers apart in the log.
        log_level: Name of the level.
        connection: Descriptor of the socket on which figures are asked for.
        limits: Descriptor of the file in which limits are counted.
    """

    config: Config
    number: int
    log_level: str
    connection: int
    limits: int


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
            asyncio.run(_serve(order))
    except (ConfigError, ImportError) as error:
        _say(Report(failure=str(error)))
        return 1
    return 0


async def _serve(order: Order) -> None:
    asked = asyncio.Event()
    gateway, siblings = _made(order)
    loop = asyncio.get_running_loop()
    orders = sys.stdin.fileno()

    def left_alone() -> None:
        loop.remove_reader(orders)  # its end can be read again and again
        asked.set()

    loop.add_reader(orders, left_alone)
    with stopping_on_signals(asked):  # until the report is out, whatever comes meanwhile
        try:
            connection = socket.socket(fileno=order.connection)
            async with siblings.connected(gateway, connection), gateway:
                collect_seldom()
                _say(Report(ready=True))
                await asked.wait()
        finally:
            loop.remove_reader(orders)
            _say(Report(turns=gateway.statistics().turns))


def _made(order: Order) -> tuple[Gateway, WorkerSiblings]:
    config = order.config
    table = LimitTable(order.limits, rows_of(config), config.workers)

    def allowance(row: int, limits: Limits) -> Allowance:
        return table.allowance(row, order.number, limits)

    siblings = WorkerSiblings(order.number, config.workers)
    parts = build(config, os.environ, allowance)
    return parts.gateway(reuse_port=True, siblings=siblings), siblings


def rows_of(config: Config) -> int:
    """Return how many keys are counted; without any, all clients are one."""
    return max(len(config.key), 1)


def _say(report: Report) -> None:
    with suppress(BrokenPipeError):  # nobody listens any more
        sys.stdout.buffer.write(msgspec.json.encode(report) + b"\n")
        sys.stdout.buffer.flush()


if __name__ == "__main__":
    sys.exit(main())
