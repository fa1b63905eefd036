"""The simulated way to the server: it delays, keeps order, loses nothing, and counts."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import pytest

from turnwire.cli.demo.counts import ByteCounts
from turnwire.cli.demo.link import DelayLine, Link

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Awaitable, Callable
    from pathlib import Path

    Serve = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


def test_pieces_arrive_late_and_in_order() -> None:
    line = DelayLine(0.5)
    line.put(b"a", now=1.0)
    line.put(b"b", now=1.25)
    assert (line.next_arrival(), line.size_bytes) == (1.5, 2)
    assert line.take_arrived(1.25) == []
    assert line.take_arrived(1.5) == [b"a"]
    assert (line.next_arrival(), line.size_bytes) == (1.75, 1)
    assert line.take_arrived(9.0) == [b"b"]
    assert (line.next_arrival(), line.size_bytes) == (None, 0)


def test_many_pieces_cross_at_once() -> None:
    line = DelayLine(0.5)
    for piece in (b"a", b"b", b"c"):
        line.put(piece, now=1.0)
    assert line.take_arrived(1.5) == [b"a", b"b", b"c"]


def test_the_first_piece_waits_for_the_handshake_and_the_next_do_not_overtake() -> None:
    line = DelayLine(0.5, opens_at=2.0)
    line.put(b"early", now=1.0)
    line.put(b"in time", now=2.0)
    line.put(b"late", now=2.25)
    assert line.next_arrival() == 2.5
    assert line.take_arrived(2.5) == [b"early", b"in time"]
    assert line.take_arrived(2.75) == [b"late"]


def test_counts_are_seen_by_whoever_opens_the_file(tmp_path: Path) -> None:
    with ByteCounts.create(tmp_path / "counts") as mine, ByteCounts(tmp_path / "counts") as theirs:
        theirs.count_sent(5)
        theirs.count_sent(2)
        theirs.count_received(2**40)
        assert (mine.sent, mine.received) == (7, 2**40)


@asynccontextmanager
async def linked(serve: Serve, path: Path, rtt: float) -> AsyncGenerator[tuple[Link, ByteCounts]]:
    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    with ByteCounts.create(path) as counts:
        async with server, Link(port, rtt=rtt, counts=counts) as link:
            yield link, counts


async def shout_back(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Answer in upper case once the other side has said everything."""
    said = await reader.read()
    writer.write(said.upper() + b"!")
    writer.close()


@pytest.mark.io
@pytest.mark.parametrize("rtt", [0.0, 0.002])
async def test_everything_crosses_both_ways_and_is_counted(tmp_path: Path, rtt: float) -> None:
    said = b"abcdefgh" * 100_000
    async with linked(shout_back, tmp_path / "counts", rtt) as (link, counts):
        reader, writer = await asyncio.open_connection("127.0.0.1", link.port)
        writer.write(said)
        writer.write_eof()
        heard = await reader.read()
        writer.close()
        assert heard == said.upper() + b"!"
        assert (counts.sent, counts.received) == (len(said), len(said) + 1)


@pytest.mark.io
async def test_a_connection_that_nobody_takes_ends(tmp_path: Path) -> None:
    with ByteCounts.create(tmp_path / "counts") as counts:
        async with Link(9, rtt=0.0, counts=counts) as link:
            reader, writer = await asyncio.open_connection("127.0.0.1", link.port)
            assert await reader.read() == b""
            writer.close()


@pytest.mark.io
async def test_leaving_ends_what_still_crosses(tmp_path: Path) -> None:
    heard = asyncio.Event()

    async def say_nothing(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readexactly(1)
        heard.set()
        await reader.read()
        writer.close()

    async with linked(say_nothing, tmp_path / "counts", 0.0) as (link, _):
        reader, writer = await asyncio.open_connection("127.0.0.1", link.port)
        writer.write(b"x")
        await heard.wait()
    assert await reader.read() == b""
    writer.close()
