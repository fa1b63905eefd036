"""The writer of a socket, on a socket that only notes what it is given."""

import asyncio
import logging
from types import SimpleNamespace
from typing import Any

import pytest

from turnwire.gateway.downstream.outbox import Outbox
from turnwire.gateway.downstream.socket_writer import SocketWriter
from turnwire.gateway.downstream.text_messages import text_messages
from turnwire.gateway.observing.statistics import Statistics


class Wire:
    """A socket, its request and its stream in one; notes what happens to it."""

    def __init__(self, *, compress: bool = False) -> None:
        self.noted: list[object] = []
        self.compress = compress
        self.closed = False
        self.closing = False
        self.protocol = SimpleNamespace(writing_paused=False)
        self.transport: Any = self
        self.drained = asyncio.Event()

    def write(self, data: bytes) -> None:
        self.noted.append(data)

    def is_closing(self) -> bool:
        return self.closing

    def abort(self) -> None:
        self.noted.append("abort")

    async def drain(self) -> None:
        if self.protocol.writing_paused:
            self.noted.append("drain")
            await self.drained.wait()
            self.protocol.writing_paused = False

    async def send_frame(self, message: bytes, _: int) -> None:
        self.noted.append(("compressed", message))

    async def close(self, *, code: int, message: bytes) -> None:
        self.noted.append(("close", code, message.decode()))


def writer_of(wire: Wire, outbox: Outbox, *, stall_timeout: float = 60.0) -> SocketWriter:
    given: Any = wire
    return SocketWriter(outbox, given, given, given, Statistics(), stall_timeout=stall_timeout)


async def some_turns() -> None:
    for _ in range(5):
        await asyncio.sleep(0)


async def test_what_comes_in_one_turn_of_the_loop_is_written_at_once() -> None:
    wire, outbox = Wire(), Outbox(100)
    outbox.put(b"before there was a writer")
    writer_of(wire, outbox)
    outbox.put(b"a")
    assert wire.noted == []
    await asyncio.sleep(0)
    outbox.put(b"b")
    await asyncio.sleep(0)
    first = text_messages([b"before there was a writer", b"a"])
    assert [first, text_messages([b"b"])] == wire.noted
    assert outbox.size_bytes == 0


async def test_much_is_written_in_pieces_while_the_client_reads() -> None:
    wire, outbox = Wire(), Outbox(10**6)
    message = b"a" * 2**15
    for _ in range(5):
        outbox.put(message)
    writer_of(wire, outbox)
    await asyncio.sleep(0)
    assert [text_messages([message] * count) for count in (2, 2, 1)] == wire.noted


async def test_while_the_client_is_behind_messages_wait_and_then_go_together() -> None:
    wire, outbox = Wire(), Outbox(100)
    wire.protocol.writing_paused = True
    writer_of(wire, outbox)
    outbox.put(b"a")
    await some_turns()
    outbox.put(b"b")
    await some_turns()
    assert (wire.noted, outbox.size_bytes) == (["drain"], 2)
    wire.drained.set()
    await some_turns()
    assert (["drain", text_messages([b"a", b"b"])], 0) == (wire.noted, outbox.size_bytes)
    outbox.put(b"c")
    await some_turns()
    assert wire.noted[2:] == [text_messages([b"c"])]


async def test_a_client_that_reads_nothing_for_too_long_is_dropped(
    caplog: pytest.LogCaptureFixture,
) -> None:
    wire, outbox = Wire(), Outbox(1)
    wire.protocol.writing_paused = True
    with caplog.at_level(logging.WARNING):
        writer_of(wire, outbox, stall_timeout=0.001)
        outbox.put(b"a")
        await outbox.room()
    assert wire.noted == ["drain", "abort"]
    assert ["read nothing for too long" in record.message for record in caplog.records] == [True]


async def test_the_socket_is_closed_once_everything_is_out() -> None:
    wire, outbox = Wire(), Outbox(100)
    writer = writer_of(wire, outbox)
    outbox.put(b"a")
    outbox.finish(1001, "bye")
    await some_turns()
    await writer.end()
    assert [text_messages([b"a"]), ("close", 1001, "bye")] == wire.noted


async def test_compressed_messages_are_left_to_aiohttp_in_order() -> None:
    wire, outbox = Wire(compress=True), Outbox(100)
    writer_of(wire, outbox)
    for message in (b"a", b"b"):
        outbox.put(message)
    await some_turns()
    outbox.put(b"c")
    await some_turns()
    assert [("compressed", message) for message in (b"a", b"b", b"c")] == wire.noted
    assert outbox.size_bytes == 0


@pytest.mark.parametrize("gone", ["closed", "closing"])
async def test_nothing_is_written_to_a_client_that_has_gone_and_nobody_waits(gone: str) -> None:
    wire, outbox = Wire(), Outbox(1)
    setattr(wire, gone, True)
    writer_of(wire, outbox)
    outbox.put(b"a")
    await outbox.room()
    assert (wire.noted, outbox.size_bytes) == ([], 0)


async def test_at_its_end_it_lets_go_of_what_cannot_be_written() -> None:
    wire, outbox = Wire(), Outbox(1)
    wire.protocol.writing_paused = True
    writer = writer_of(wire, outbox)
    outbox.put(b"a")
    await some_turns()
    await writer.end()
    await outbox.room()
    assert (wire.noted, outbox.size_bytes) == (["drain"], 0)


async def test_after_its_end_nothing_is_written_even_if_it_was_about_to_be() -> None:
    wire, outbox = Wire(), Outbox(1)
    writer = writer_of(wire, outbox)
    outbox.put(b"a")
    await writer.end()
    await some_turns()
    outbox.put(b"b")
    await some_turns()
    assert (wire.noted, outbox.size_bytes) == ([], 0)
