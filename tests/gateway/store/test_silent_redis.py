"""A Redis that takes connections and answers nothing: turns do not wait for it again and again."""

from __future__ import annotations

import asyncio
import re
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import pytest

from gateway.store.support import link
from gateway.support import talk, until
from turnwire.gateway.store import StoreUnavailable
from turnwire.gateway.store.redis import RedisStore
from turnwire.gateway.store.silence import Silence

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

COMMAND = re.compile(rb"^\*\d+\r\n", re.MULTILINE)
NOTHING = b"$-1\r\n"


def test_several_waits_in_a_row_make_sure_and_an_answer_ends_it() -> None:
    silence = Silence(2)
    told = [silence.waited_in_vain()]
    silence.answered()
    told += [silence.waited_in_vain() for _ in range(3)]
    assert (told, silence.is_certain) == ([False, False, True, False], True)
    silence.answered()
    assert not silence.is_certain


class MutePeer:
    """Takes connections, counts what it is asked, and says nothing until it is told to."""

    def __init__(self) -> None:
        self.url = ""
        self.asked = 0
        self.speaks = False

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(2**16):
            commands = len(COMMAND.findall(data))
            self.asked += commands
            if self.speaks:
                writer.write(NOTHING * commands)
        writer.close()


@asynccontextmanager
async def mute_peer() -> AsyncIterator[MutePeer]:
    peer = MutePeer()
    server = await asyncio.start_server(peer.serve, "127.0.0.1", 0)
    peer.url = f"redis://127.0.0.1:{server.sockets[0].getsockname()[1]}/0?protocol=2"
    async with server:
        yield peer


@asynccontextmanager
async def store_at(peer: MutePeer, **options: Any) -> AsyncIterator[RedisStore]:
    store = RedisStore(peer.url, 2**20, 1000, **{"timeout": 0.02, **options})
    try:
        yield store
    finally:
        await store.close()


async def ask_in_vain(store: RedisStore) -> None:
    with pytest.raises(StoreUnavailable):
        await store.get("a", "me")


@pytest.mark.io
async def test_after_some_waits_in_vain_it_is_not_asked_any_more() -> None:
    async with mute_peer() as peer, store_at(peer, probe_pause=3600) as store:
        assert store.available
        for _ in range(3):
            await ask_in_vain(store)
        asked = peer.asked
        assert asked
        for _ in range(50):
            await ask_in_vain(store)
            for refused in (store.check(), store.put(link("b")), store.delete("a", "me")):
                with pytest.raises(StoreUnavailable):
                    await refused
        assert (peer.asked, store.available) == (asked, False)


@pytest.mark.io
async def test_it_is_asked_again_once_it_answers_a_probe(caplog: pytest.LogCaptureFixture) -> None:
    async with mute_peer() as peer, store_at(peer, timeout=0.05, probe_pause=0) as store:
        for _ in range(3):
            await ask_in_vain(store)
        peer.speaks = True
        await until(lambda: store.available)
        assert await store.get("a", "me") is None
        await store.check()
    told = [record.getMessage().split(" ", 3)[3].partition(":")[0] for record in caplog.records]
    assert told == [
        "does not answer", "is not asked any more until it answers", "answers again",
    ]  # fmt: skip


class NotOpened(RedisStore):
    """Was opened while Redis still spoke."""

    async def open(self) -> None:
        pass


@pytest.mark.io
async def test_stored_turns_get_the_error_at_once_and_others_run() -> None:
    async with mute_peer() as peer:
        store = NotOpened(peer.url, 2**20, 1000, timeout=0.02, probe_pause=3600)
        async with talk(store=store) as here:
            client = await here.dial()
            codes = [
                (await client.refused(input="x", previous_response_id="resp_x"))["error"]["code"]
                for _ in range(3)
            ]
            asked = peer.asked
            codes += [(await client.refused(input="x"))["error"]["code"] for _ in range(10)]
            assert codes == ["store_unavailable"] * 13
            assert (await here.post(input="x"))[0] == 503
            assert peer.asked == asked
            await client.respond(input="x", store=False)
            assert here.gateway.statistics().model_runs == 1
