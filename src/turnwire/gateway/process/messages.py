"""What workers and the process that started them say to each other while they serve.

They have a pair of connected sockets, which no other process can reach.  A message is its length in
four bytes and then MessagePack.
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, Final

import msgspec
from msgspec import Struct

from turnwire.gateway.observing.figures import Figures, Whole

if TYPE_CHECKING:
    from asyncio import StreamReader, StreamWriter

_LENGTH: Final = struct.Struct("!I")


class Ask(Struct, frozen=True, tag="ask"):
    """A worker wants the figures of all.

    Attributes:
        bars: Whether it wants the turns, too.
    """

    bars: bool


class Told(Struct, frozen=True, tag="told"):
    """A worker's own figures, as they were asked for."""

    figures: Figures


class Tell(Struct, frozen=True, tag="tell"):
    """The worker is asked for its own figures."""

    bars: bool


class Answer(Struct, frozen=True, tag="answer"):
    """The figures of all, for a worker that has asked."""

    whole: Whole


FromWorker = Ask | Told
ToWorker = Tell | Answer

_FROM_WORKER: Final[msgspec.msgpack.Decoder[FromWorker]] = msgspec.msgpack.Decoder(FromWorker)
_TO_WORKER: Final[msgspec.msgpack.Decoder[ToWorker]] = msgspec.msgpack.Decoder(ToWorker)


def send(writer: StreamWriter, message: FromWorker | ToWorker) -> None:
    """Send a message; there are never more than two on the way in one direction."""
    encoded = msgspec.msgpack.encode(message)
    writer.write(_LENGTH.pack(len(encoded)) + encoded)


async def from_worker(reader: StreamReader) -> FromWorker:
    """Return the next message of a worker.

    Raises:
        EOFError: It has ended.
        OSError: So it has.
    """
    return _FROM_WORKER.decode(await _one(reader))


async def to_worker(reader: StreamReader) -> ToWorker:
    """Return the next message to a worker.

    Raises:
        EOFError: Whoever started it has ended.
        OSError: So it has.
    """
    return _TO_WORKER.decode(await _one(reader))


async def _one(reader: StreamReader) -> bytes:
    (length,) = _LENGTH.unpack(await reader.readexactly(_LENGTH.size))
    return await reader.readexactly(length)
