"""How large a message may be: what turnwire allows, and, if asked to, what the server takes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import aiohttp

from turnwire.cli.doctor.findings import note, ok, problem
from turnwire.cli.doctor.line import LineEnded
from turnwire.cli.doctor.units import bytes_text
from turnwire.core.settings import PoolSettings
from turnwire.io.websocket import INBOUND_BYTES

if TYPE_CHECKING:
    from turnwire.cli.doctor.case import Case
    from turnwire.cli.doctor.findings import Result

LATE: Final = "the line may be too slow for the probe: it sends 16 MiB"
# Several servers close from 16 MiB on: docs/protocol/limits.md#sizes
PROBE_BYTES: Final = 16 * 2**20 - 2**10
_TOO_BIG: Final = 1009
# A type that no server knows: it may refuse it or ignore it, and can run no model for it.
_HEAD: Final = b'{"type":"turnwire.size_probe","padding":"'
_TAIL: Final = b'"}'


async def size(case: Case) -> Result:
    """Say the limits, and with ``--probe-size`` send a message just below 16 MiB."""
    ours = PoolSettings().message_bytes
    known = (
        f"turnwire sends messages up to {bytes_text(ours)} and takes {bytes_text(INBOUND_BYTES)}"
    )
    details: dict[str, Any] = {
        "sends_bytes": ours,
        "takes_bytes": INBOUND_BYTES,
        "probe_bytes": None,
    }
    if not case.told.probe_size:
        return ok(f"{known}; --probe-size finds the server's limit out", **details)
    details["probe_bytes"] = PROBE_BYTES
    async with case.line() as line:
        padding = b" " * (PROBE_BYTES - len(_HEAD) - len(_TAIL))
        try:
            await line.send(_HEAD + padding + _TAIL)
            await line.ping()  # messages are read in order: with the pong, it was taken
        except LineEnded as ended:
            await case.hang_up()
            if ended.code == _TOO_BIG:
                return _too_big("the server closes with 1009 (too big)", details)
            return problem(
                f"the server ended the socket at {bytes_text(PROBE_BYTES)}:"
                f" {case.quote(str(ended))}",
                "keep messages small, or use HTTP for large ones",
                **details,
            )
        except (aiohttp.ClientError, OSError):
            await case.hang_up()
            return _too_big("the server ended the socket while it was sent", details)
        return ok(f"the server takes {bytes_text(PROBE_BYTES)}; {known}", **details)


def _too_big(why: str, details: dict[str, Any]) -> Result:
    return note(
        f"{why} at {bytes_text(PROBE_BYTES)}",
        '`transport="auto"` sends what a socket does not take over HTTP',
        **details,
    )
