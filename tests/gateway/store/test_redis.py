"""The store that gateways share: what it costs, and what happens when Redis is not well."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest

from gateway.store.redis_server import RedisServer
from gateway.store.support import chain, link, told
from turnwire.errors import ConfigError
from turnwire.gateway.store import StoreUnavailable
from turnwire.gateway.store.redis import RedisStore

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator
    from pathlib import Path

pytestmark = [pytest.mark.io, pytest.mark.servers]


@pytest.fixture
def server(tmp_path: Path) -> Iterator[RedisServer]:
    """A Redis that the test may stop."""
    server = RedisServer(tmp_path)
    server.start()
    yield server
    server.stop()


@pytest.fixture
async def store(server: RedisServer) -> AsyncIterator[RedisStore]:
    store = await opened(server)
    yield store
    await store.close()


async def opened(server: RedisServer, **options: Any) -> RedisStore:
    store = RedisStore(server.url, 2**20, 10_000, **options)
    await store.open()
    return store


async def scripts_run(store: RedisStore) -> int:
    statistics = await store._redis.info("commandstats")
    return sum(
        statistics.get(name, {"calls": 0})["calls"] for name in ("cmdstat_evalsha", "cmdstat_eval")
    )


async def bytes_sent(store: RedisStore) -> int:
    return (await store._redis.info("stats"))["total_net_input_bytes"]


async def test_a_turn_is_one_round_trip_for_each_thing_and_sends_what_it_adds(
    server: RedisServer, store: RedisStore
) -> None:
    links = chain(*map(str, range(40)), size=100)
    await store.put(links[0])
    await store.get("0", "me")
    await bytes_sent(store)
    scripts, sent = await scripts_run(store), []
    for each in links[1:]:
        before = await bytes_sent(store)
        await store.get(str(int(each.response_id) - 1), "me")
        await store.put(each)
        sent.append(await bytes_sent(store) - before)
    assert await scripts_run(store) - scripts == 2 * 39
    assert max(sent) - min(sent) < 20, "the length of the chain does not count"


@pytest.mark.parametrize(("length", "trips"), [(1, 1), (32, 1), (33, 2), (1032, 2), (1033, 3)])
async def test_a_chain_from_elsewhere_is_read_in_few_round_trips(
    server: RedisServer, store: RedisStore, length: int, trips: int
) -> None:
    links = chain(*map(str, range(length)))
    await store.put(links[-1])
    there = await opened(server)
    await there.get("unknown", "me")
    before = await scripts_run(there)
    assert told(await there.get(links[-1].response_id, "me")) == told(links[-1])
    assert await scripts_run(there) - before == trips
    await there.close()


async def test_only_what_is_new_here_is_decoded(
    server: RedisServer, store: RedisStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    links = chain(*map(str, range(20)))
    await store.put(links[17])
    there = await opened(server)
    await there.get("17", "me")
    await store.put(links[19])
    decoded: list[bytes] = []
    from turnwire.gateway.store import known_links

    decode = known_links.decode_link
    monkeypatch.setattr(
        known_links, "decode_link", lambda data: decoded.append(data) or decode(data)
    )
    assert told(await there.get("19", "me")) == told(links[19])
    assert len(decoded) == 2
    await there.close()


async def asked_in_vain(store: RedisStore) -> None:
    for asked in (
        store.get("a", "me"),
        store.put(link("b")),
        store.delete("a", "me"),
        store.check(),
    ):
        with pytest.raises(StoreUnavailable) as raised:
            await asked
        assert (str(raised.value), raised.value.status, raised.value.code) == (
            "The store of responses does not answer. Try again later.",
            503,
            "store_unavailable",
        )


async def test_a_redis_that_is_gone_is_a_503_and_is_found_again(
    server: RedisServer, store: RedisStore, caplog: pytest.LogCaptureFixture
) -> None:
    await store.put(link("a"))
    await store.check()
    server.stop()
    await asked_in_vain(store)
    server.start()
    await store.check()
    assert await store.get("a", "me") is None, "it kept nothing, and nothing else is believed"
    await store.put(link("b"))
    assert told(await store.get("b", "me")) == told(link("b"))
    said = [record.getMessage().partition(": ")[0] for record in caplog.records]
    where = f"Redis at {server.url.removeprefix('unix://')}"
    assert said == [f"{where} does not answer", f"{where} answers again"]


async def test_a_connection_that_was_closed_meanwhile_is_no_reason_to_fail(
    store: RedisStore,
) -> None:
    await store.put(link("a"))
    for _ in range(3):
        await store._redis.client_kill_filter(_type="normal", skipme=False)
        assert told(await store.get("a", "me")) == told(link("a"))


async def test_a_redis_that_hangs_is_a_503_and_is_found_again(server: RedisServer) -> None:
    store = await opened(server, timeout=0.1)
    await store.put(link("a"))
    server.pause()
    await asked_in_vain(store)
    server.resume()
    await _until_it_answers(store)
    assert told(await store.get("a", "me")) == told(link("a"))
    await store.close()


async def _until_it_answers(store: RedisStore) -> None:
    while True:
        try:
            return await store.check()
        except StoreUnavailable:
            await asyncio.sleep(0)


async def test_answers_that_come_too_late_are_nobody_elses(server: RedisServer) -> None:
    store = await opened(server, timeout=0.05)
    for name in ("a", "b"):
        await store.put(link(name, owner=name))
    fresh = await opened(server, timeout=0.05)
    server.pause()
    with pytest.raises(StoreUnavailable):
        await fresh.get("a", "a")
    server.resume()
    await _until_it_answers(fresh)
    assert told(await fresh.get("b", "b")) == told(link("b", owner="b"))
    await fresh.close()
    await store.close()


@pytest.mark.parametrize("hole", ["40", "10", "0"])
async def test_a_chain_with_a_hole_is_not_found(
    store: RedisStore, server: RedisServer, hole: str, caplog: pytest.LogCaptureFixture
) -> None:
    for each in chain(*map(str, range(50))):
        await store.put(each)
    await store._redis.delete(f"{{turnwire}}:link:{hole}")
    there = await opened(server)
    assert await there.get("49", "me") is None
    assert "does Redis evict keys" in caplog.text
    await there.put(link("after"))
    await there.delete("49", "me")
    await there.close()


async def test_a_link_of_a_newer_form_is_a_503(server: RedisServer, store: RedisStore) -> None:
    await store.put(link("a"))
    await store._redis.hset("{turnwire}:link:a", "data", b"\x02")
    there = await opened(server)
    with pytest.raises(StoreUnavailable, match="newer turnwire"):
        await there.get("a", "me")
    await there.close()


async def test_scripts_that_redis_forgot_are_given_again(store: RedisStore) -> None:
    await store.put(link("a"))
    await store._redis.script_flush()
    assert told(await store.get("a", "me")) == told(link("a"))


async def test_a_full_redis_is_a_503_and_nothing_is_half_written(
    store: RedisStore, caplog: pytest.LogCaptureFixture
) -> None:
    await store._redis.config_set("maxmemory", "1")
    with pytest.raises(StoreUnavailable):
        await store.put(link("a", size=1000))
    assert "iii" not in caplog.text, "content is in no log"
    await store._redis.config_set("maxmemory", "0")
    assert await store._redis.keys("*:link:*") == []


async def test_groups_of_gateways_do_not_see_each_other(server: RedisServer) -> None:
    one, other = await opened(server, prefix="one"), await opened(server, prefix="other")
    await one.put(link("a"))
    assert await other.get("a", "me") is None
    await one.close()
    await other.close()


async def failed_to_open(store: RedisStore) -> str:
    with pytest.raises(ConfigError) as raised:
        await store.open()
    return str(raised.value)


async def test_a_redis_that_is_not_there_says_what_to_do(tmp_path: Path) -> None:
    path = tmp_path / "none.sock"
    store = RedisStore(f"unix://user:secret@{path}", 1, 1)
    told_ = await failed_to_open(store)
    assert told_.startswith(f"cannot use Redis at {path}: ")
    assert told_.endswith("; start it, or choose another store")
    assert "secret" not in told_


async def test_a_redis_that_wants_a_password_says_so(
    server: RedisServer, store: RedisStore
) -> None:
    await store._redis.config_set("requirepass", "other")
    said = await failed_to_open(RedisStore(server.url + "?password=secret", 1, 1))
    assert "invalid username-password pair" in said
    assert "secret" not in said


async def test_what_a_newer_turnwire_wrote_says_what_to_do(
    server: RedisServer, store: RedisStore
) -> None:
    await store._redis.set("{turnwire}:schema", 2)
    assert await failed_to_open(RedisStore(server.url, 1, 1)) == (
        f"what is in Redis at {server.url.removeprefix('unix://')} was written by a newer turnwire"
        " (schema 2; this one knows 1); upgrade, or choose another prefix"
    )


@pytest.mark.parametrize("url", ["", "localhost:6379", "http://h", "redis://:secret@h:port/0"])
def test_a_url_that_is_not_understood_is_not_repeated(url: str) -> None:
    with pytest.raises(ConfigError) as raised:
        RedisStore(url, 1, 1)
    assert str(raised.value) == (
        "the URL of the Redis store is not understood; give redis://HOST:6379/0, rediss://… or"
        " unix:///PATH"
    )
    assert raised.value.__suppress_context__


def test_without_the_extra_it_says_which() -> None:
    code = """
import sys
sys.modules["redis"] = None
from turnwire.gateway.store.redis import RedisStore
try: RedisStore("redis://localhost", 1, 1)
except ImportError as error: print(error)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.startswith(
        'turnwire.gateway.store.redis needs redis: pip install "turnwire[redis]"'
    )
