"""Look inside a store: what it counts is what is there, and nothing is there that nobody needs."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING, Any

from turnwire.gateway.store.sqlite import FILE_NAME

if TYPE_CHECKING:
    from pathlib import Path

    from gateway.store.support import Stores


async def check_sound(stores: Stores, size_bytes: int, found: int) -> None:
    """Check a whole store against what it should hold."""
    match stores.kind:
        case "sqlite":
            assert check_file(stores.folder / "store" / FILE_NAME) == (size_bytes, found)
        case "redis":
            assert await _check_redis(stores) == (size_bytes, found)
        case _:
            pass  # the shelf has tests of its own


def check_file(path: Path) -> tuple[int, int]:
    """Return how many bytes and how many responses that can be found are in a file, all sound."""
    with closing(sqlite3.connect(path)) as sql:

        def one(query: str) -> Any:
            (row,) = sql.execute(query).fetchall()
            return row

        assert one("PRAGMA integrity_check") == ("ok",)
        assert sql.execute("PRAGMA foreign_key_check").fetchall() == []
        total = one("SELECT size_bytes, found FROM total")
        assert total == one("SELECT ifnull(sum(size_bytes), 0), count(stored_at) FROM link")
        assert one(
            "SELECT count(*) FROM link WHERE stored_at IS NULL"
            " AND number NOT IN (SELECT parent FROM link WHERE parent IS NOT NULL)"
        ) == (0,), "links that nobody needs"
        return total


async def _check_redis(stores: Stores) -> tuple[int, int]:
    from redis.asyncio import Redis

    redis: Any = Redis.from_url(stores.redis_url(), decode_responses=True)
    prefix = f"{{{stores.prefix}}}"
    fields = ("parent", "size", "holders")
    links = {
        key.removeprefix(f"{prefix}:link:"): dict(
            zip(fields, await redis.hmget(key, *fields), strict=True)
        )
        async for key in redis.scan_iter(f"{prefix}:link:*")
    }
    found = set(await redis.zrange(f"{prefix}:used", 0, -1))
    assert found == set(await redis.zrange(f"{prefix}:stored", 0, -1))
    for name, link in links.items():
        later = sum(other["parent"] == name for other in links.values())
        assert int(link["holders"]) == later + (name in found) > 0, name
    size_bytes = sum(int(link["size"]) for link in links.values())
    assert int(await redis.get(f"{prefix}:bytes") or 0) == size_bytes
    await redis.aclose()
    return size_bytes, len(found)
