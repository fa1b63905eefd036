"""The far side of the demonstration: gateway and link, in a process of their own.

``python -m turnwire.cli.demo.far_side RTT COUNTS`` prints the link's port and serves until its
stdin ends, so it cannot outlive the process that started it.
"""

from __future__ import annotations

import asyncio
import signal
import sys
from pathlib import Path

from turnwire.cli.demo.counts import ByteCounts
from turnwire.cli.demo.link import Link
from turnwire.gateway import Gateway


async def serve(rtt: float, counts: ByteCounts) -> None:
    """Serve until stdin ends."""
    async with Gateway() as gateway, Link(gateway.port, rtt=rtt, counts=counts) as link:
        sys.stdout.write(f"{link.port}\n")
        sys.stdout.flush()
        await asyncio.to_thread(sys.stdin.read)


if __name__ == "__main__":
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the process that started this one
    try:
        opened = ByteCounts(Path(sys.argv[2]))
    except FileNotFoundError:
        sys.exit()  # it is gone already, and its folder with it
    with opened as shared:
        asyncio.run(serve(float(sys.argv[1]), shared))
