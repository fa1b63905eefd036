"""The store in a file: killed at any moment, shared by processes, recognised, never blocking."""

from __future__ import annotations

import asyncio
import multiprocessing
import random
import sqlite3
import stat
from contextlib import closing, suppress
from typing import TYPE_CHECKING, Any

import pytest

from gateway.store.sound import check_file
from gateway.store.support import chain, link, told
from gateway.store.writer import Plan, named, open_together, write
from turnwire.errors import ConfigError
from turnwire.gateway.store import StoreUnavailable
from turnwire.gateway.store.sqlite import FILE_NAME, SqliteStore

if TYPE_CHECKING:
    from multiprocessing.context import ForkServerContext
    from pathlib import Path

    from turnwire.gateway.context import Context

pytestmark = pytest.mark.io


@pytest.fixture(scope="module")
def processes() -> ForkServerContext:
    """Processes that start at once, with everything imported."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["gateway.store.writer"])
    return context


async def opened(folder: Path, limit_bytes: int = 2**30) -> SqliteStore:
    store = SqliteStore(folder, limit_bytes, 10**6)
    await store.open()
    return store


def whole(context: Context) -> bool:
    """Say whether each link is what its writer put there."""
    made: Context | None = None
    for each in reversed([*context.lineage()]):
        made = named(each.response_id, made)
    return told(made) == told(context)


@pytest.mark.slow
@pytest.mark.parametrize("limit_bytes", [2**30, 100_000])
@pytest.mark.parametrize("seed", range(8))
async def test_kill_9_takes_nothing_that_was_acknowledged(
    tmp_path: Path, processes: ForkServerContext, limit_bytes: int, seed: int
) -> None:
    chance = random.Random(seed)
    acknowledged: list[str] = []
    writers = []
    for name in ("a", "b"):
        ours, theirs = processes.Pipe(duplex=False)
        # From outside after so many answers, or by themselves in the middle of some statement.
        answers = chance.choice([0, chance.randrange(1, 80)])
        last_step = 0 if answers else chance.randrange(500, 200_000)
        plan = Plan(name, limit_bytes, chance.randrange(2**32), last_step)
        process = processes.Process(target=write, args=(tmp_path, plan, theirs), daemon=True)
        process.start()
        theirs.close()
        writers.append((process, ours, answers))
    for process, ours, answers in writers:
        with suppress(EOFError):
            acknowledged.extend(ours.recv() for _ in range(answers))
            if answers:
                process.kill()
            while True:  # until it is dead: what it said before counts, too
                acknowledged.append(ours.recv())
        process.join()
        assert process.exitcode == -9
        ours.close()
    size_bytes, found = check_file(tmp_path / FILE_NAME)
    assert size_bytes <= limit_bytes
    store = await opened(tmp_path)
    kept = [await store.get(name, "me") for name in acknowledged]
    assert all(whole(context) for context in kept if context)
    if limit_bytes == 2**30:
        assert None not in kept
        assert found - len(acknowledged) in range(3), "at most what each was about to say"
    await store.put(link("after"))
    await store.close()
    check_file(tmp_path / FILE_NAME)


async def test_processes_may_open_a_new_file_together(
    tmp_path: Path, processes: ForkServerContext
) -> None:
    pipes = []
    for _ in range(6):
        ours, theirs = processes.Pipe()
        processes.Process(target=open_together, args=(tmp_path, theirs), daemon=True).start()
        theirs.close()
        pipes.append(ours)
    for pipe in pipes:
        pipe.send("now")
    names = [pipe.recv() for pipe in pipes]
    store = await opened(tmp_path)
    assert [told(await store.get(name, "me")) for name in names] == [
        told(link(name)) for name in names
    ]
    await store.close()


async def test_it_is_there_after_a_restart(tmp_path: Path) -> None:
    *_, leaf = chain("a", "b", "c")
    before = await opened(tmp_path / "made" / "by it")
    await before.put(leaf)
    await before.close()
    after = await opened(tmp_path / "made" / "by it")
    assert told(await after.get("c", "me")) == told(leaf)
    await after.close()


async def test_what_was_read_last_is_known_after_a_restart(tmp_path: Path) -> None:
    before = await opened(tmp_path)
    for name in ("a", "b"):
        await before.put(link(name))
    await before.get("a", "me")
    await before.close()
    after = await opened(tmp_path, limit_bytes=20)
    await after.put(link("c"))
    assert [await after.get(name, "me") is not None for name in "abc"] == [True, False, True]
    await after.close()


async def test_nobody_else_can_read_the_file(tmp_path: Path) -> None:
    store = await opened(tmp_path / "folder")
    await store.put(link("a"))
    modes = {
        path.name: stat.S_IMODE(path.stat().st_mode) for path in (tmp_path / "folder").iterdir()
    }
    assert modes == dict.fromkeys([FILE_NAME, FILE_NAME + "-wal", FILE_NAME + "-shm"], 0o600)
    assert stat.S_IMODE((tmp_path / "folder").stat().st_mode) == 0o700
    await store.close()


async def refused(folder: Path) -> str:
    store = SqliteStore(folder, 1000, 10, timeout=0.01)
    with pytest.raises(ConfigError) as raised:
        await store.open()
    await store.close()
    return str(raised.value)


async def test_a_file_of_a_newer_schema_says_what_to_do(tmp_path: Path) -> None:
    await (await opened(tmp_path)).close()
    path = tmp_path / FILE_NAME
    with closing(sqlite3.connect(path)) as sql:
        sql.execute("PRAGMA user_version = 2")
    assert await refused(tmp_path) == (
        f"the store {path} was written by a newer turnwire (schema 2; this one knows 1); upgrade,"
        " or choose another folder"
    )


async def test_the_file_of_another_program_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / FILE_NAME
    with closing(sqlite3.connect(path)) as sql:
        sql.execute("CREATE TABLE theirs (x)")
    before = path.read_bytes()
    assert await refused(tmp_path) == (f"{path} belongs to another program; choose another folder")
    assert path.read_bytes() == before


@pytest.mark.parametrize("content", [b"not a database, but long enough to be looked at" * 100])
async def test_what_is_no_database_says_so(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / FILE_NAME
    path.write_bytes(content)
    assert "cannot use the store" in await refused(tmp_path)
    assert path.read_bytes() == content


async def test_a_file_system_without_shared_memory_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    connect = sqlite3.connect

    def without_shared_memory(path: Path, **options: Any) -> sqlite3.Connection:
        return connect(f"file:{path}?vfs=unix-none", uri=True, **options)

    monkeypatch.setattr(sqlite3, "connect", without_shared_memory)
    assert await refused(tmp_path) == (
        f"the store {tmp_path / FILE_NAME} is on a file system without shared memory (journal mode"
        " 'delete'); choose a folder on a local disk"
    )


async def test_a_folder_that_cannot_be_made_says_so(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    assert "cannot use the store" in await refused(tmp_path / "file")


async def test_a_file_that_somebody_holds_is_a_503_and_then_works_again(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    store = SqliteStore(tmp_path, 1000, 10, timeout=0.01)
    await store.open()
    await store.put(link("before"))
    with closing(sqlite3.connect(tmp_path / FILE_NAME, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(StoreUnavailable) as raised:
            await store.put(link("a"))
        assert told(await store.get("before", "me")) == told(link("before")), "reading goes on"
    assert (raised.value.status, raised.value.code) == (503, "store_unavailable")
    assert "database is locked" in caplog.text
    await store.put(link("a"))
    assert told(await store.get("a", "me")) == told(link("a"))
    await store.close()


async def test_the_loop_goes_on_while_the_file_is_waited_for(tmp_path: Path) -> None:
    store = SqliteStore(tmp_path, 1000, 10, timeout=30)
    await store.open()
    with closing(sqlite3.connect(tmp_path / FILE_NAME, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        putting = asyncio.create_task(store.put(link("a")))
        for _ in range(100):
            await asyncio.sleep(0)
        assert not putting.done()
        other.execute("ROLLBACK")
    await putting
    await store.close()


async def test_a_closed_store_is_unavailable(tmp_path: Path) -> None:
    store = await opened(tmp_path)
    await store.close()
    for asked in (store.get("a", "me"), store.put(link("a")), store.delete("a", "me")):
        with pytest.raises(StoreUnavailable, match="closed"):
            await asked


async def test_a_link_of_a_newer_form_is_a_503(tmp_path: Path) -> None:
    store = await opened(tmp_path)
    await store.put(link("a"))
    await store.close()
    with closing(sqlite3.connect(tmp_path / FILE_NAME)) as sql:
        sql.execute("UPDATE link SET data = x'02'")
        sql.commit()
    store = await opened(tmp_path)
    with pytest.raises(StoreUnavailable, match="newer turnwire"):
        await store.get("a", "me")
    await store.close()


async def test_a_put_writes_its_own_link_only(tmp_path: Path) -> None:
    store = await opened(tmp_path)
    links = chain(*map(str, range(50)))
    written = []
    for each in links:
        before = await rows_changed(store)
        await store.put(each)
        written.append(await rows_changed(store) - before)
    assert set(written) == {written[0]}
    await store.close()


async def rows_changed(store: SqliteStore) -> int:
    file = store._file
    assert file
    return await store._there(lambda: file._sql.total_changes)
