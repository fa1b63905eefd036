"""The access log: one JSON object a line for each turn, each socket, and whatever was refused.

Times, sizes and outcomes; no content, no header, no key, no name that a client made up.  Who it was
is said with the name that the configuration gives the key, or else with a fingerprint of the key.
"""

from __future__ import annotations

import logging
import time
from datetime import UTC, datetime
from logging.handlers import WatchedFileHandler
from pathlib import Path
from typing import TYPE_CHECKING, Final

from turnwire.errors import ConfigError
from turnwire.events import encode

if TYPE_CHECKING:
    from collections.abc import Callable

    from turnwire.gateway.json_shapes import Json
    from turnwire.gateway.observing.seen import Refused, SeenSocket, SeenTurn

STDERR: Final = "-"
_FINGERPRINT: Final = 12  # digits of the owner's hash: enough to tell keys apart


class AccessLog:
    """Writes lines.

    A file is appended to and opened anew after it was moved away, so that ``logrotate`` needs no
    signal; several processes may share one.

    Args:
        target: ``"-"`` for stderr, else the path of a file.
        worker: The number of this process among several, which stands in each line; or None.
        clock: Returns the Unix time.

    Raises:
        ConfigError: The file cannot be written.
    """

    def __init__(
        self,
        target: str,
        *,
        worker: int | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._clock = clock
        self._worker: Json = {} if worker is None else {"worker": worker}
        self._out: logging.Handler = logging.StreamHandler() if target == STDERR else _file(target)
        self._out.setFormatter(logging.Formatter("%(message)s"))

    def opened(self, socket: SeenSocket) -> None:
        """Write that a socket was opened."""
        self._write("socket_opened", socket, {"socket": socket.number})

    def closed(self, socket: SeenSocket, code: int, now: float) -> None:
        """Write that a socket was closed; ``now`` is of the clock that the socket was seen by."""
        self._write(
            "socket_closed",
            socket,
            {
                "socket": socket.number,
                "close_code": code,
                "duration_seconds": round(now - socket.opened, 6),
                "turns": socket.turns,
            },
        )

    def turn(self, turn: SeenTurn) -> None:
        """Write how a turn went that has ended."""
        self._write("turn", turn, turn_fields(turn))

    def refused(self, refused: Refused) -> None:
        """Write what was refused before it became a socket or a turn."""
        socket: Json = {} if refused.socket is None else {"socket": refused.socket}
        self._write(
            "refused",
            refused,
            {**socket, "wanted": refused.wanted, "status": refused.status, "code": refused.code},
        )

    def close(self) -> None:
        """Close the file."""
        self._out.close()

    def _write(self, event: str, whose: SeenSocket | SeenTurn | Refused, details: Json) -> None:
        now = datetime.fromtimestamp(self._clock(), UTC).isoformat(timespec="milliseconds")
        line: Json = {
            "time": now.replace("+00:00", "Z"),
            "event": event,
            "owner": whose.key_name or whose.owner[:_FINGERPRINT],
        }
        text = encode(line | self._worker | details).decode()
        # Not through a logger: nobody else's configuration decides what is in this file.
        self._out.handle(logging.makeLogRecord({"msg": text}))


def _file(path: str) -> WatchedFileHandler:
    """Return what writes a file, and opens it with the first line."""
    try:
        Path(path).open("a").close()
    except OSError as error:
        raise ConfigError(
            f"cannot write the access log {path}: {error.strerror or error};"
            ' give another file, or "-" for stderr'
        ) from error
    return WatchedFileHandler(path, encoding="utf-8", delay=True)


def turn_fields(turn: SeenTurn) -> Json:
    """Return what the log says of a turn; what is not known is left out."""
    assert turn.ended is not None  # lines are written at the end
    fields: Json = {
        "transport": turn.transport,
        "socket": turn.socket,
        "named_lane": bool(turn.lane) if turn.lane is not None else None,
        "model": turn.model,
        "upstream": turn.upstream,
        "chain": turn.chain,
        "queued_seconds": round(turn.started - turn.received, 6),
        "first_event_seconds": (
            None if turn.first_event is None else round(turn.first_event - turn.received, 6)
        ),
        "duration_seconds": round(turn.ended - turn.received, 6),
        "items_in": turn.items_in,
        "bytes_in": turn.bytes_in,
        "bytes_saved": turn.bytes_saved,
        "input_tokens": turn.input_tokens,
        "cached_tokens": turn.cached_tokens,
        "output_tokens": turn.output_tokens,
        "estimated_tokens": turn.estimated_tokens or None,
        "outcome": turn.outcome,
        "code": turn.code,
        "status": turn.status,
    }
    return {name: value for name, value in fields.items() if value is not None}
