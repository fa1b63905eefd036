"""Chains in one SQLite file: each link a row that is written once and names the row before it.

Blocks; knows no loop and no thread (``sqlite.py`` does).  Every method is one transaction, so a
process may be killed at any moment, and several may use one file.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from turnwire.gateway.store.link import encode_link, joined
from turnwire.gateway.store.sqlite_schema import transaction

if TYPE_CHECKING:
    import sqlite3

    from turnwire.gateway.context import Context
    from turnwire.gateway.store.known_links import KnownLinks
    from turnwire.gateway.store.link import Link

_FIND: Final = "SELECT number FROM link WHERE response_id = ? AND owner = ? AND stored_at > ?"
_LINEAGE: Final = """
WITH RECURSIVE lineage (parent, data) AS (
    SELECT parent, data FROM link WHERE number = ?
    UNION ALL
    SELECT link.parent, link.data FROM lineage JOIN link ON link.number = lineage.parent
)
SELECT data FROM lineage
"""
_USE: Final = """
UPDATE link SET used = (SELECT ifnull(max(used), 0) + 1 FROM link WHERE stored_at IS NOT NULL)
WHERE response_id = ? AND stored_at IS NOT NULL
"""
_NEEDED: Final = """
SELECT parent, stored_at IS NOT NULL OR EXISTS (
    SELECT 1 FROM link AS later WHERE later.parent = link.number
) FROM link WHERE number = ?
"""
_MOST_USES_NOTED: Final = 1000


class LinkFile:
    """The chains in an open file.

    Args:
        sql: From :func:`open_sqlite`; belongs to this object now.
        limit_bytes: Bytes of all links, shared ones counted once.
        limit_count: Responses that can be found.
        ttl: Seconds that a response can be found; None for no end.
        known: What need not be read again.

    All methods may raise ``sqlite3.Error``, and have done nothing then.
    """

    def __init__(
        self,
        sql: sqlite3.Connection,
        *,
        limit_bytes: int,
        limit_count: int,
        ttl: float | None,
        known: KnownLinks,
    ) -> None:
        self._sql = sql
        self._limit_bytes = limit_bytes
        self._limit_count = limit_count
        self._ttl = ttl
        self._known = known
        self._uses: dict[str, None] = {}  # noted by `get`, written by the next `put`

    def close(self) -> None:
        """Write what was used, and let go of the file."""
        try:
            with transaction(self._sql):
                self._write_uses()
        finally:
            self._sql.close()

    def get(self, response_id: str, owner: str, now: float) -> Context | None:
        """Return the chain that ends with this response; reads only links that are not known."""
        row = self._row(_FIND, response_id, owner, self._oldest(now))
        if row is None:
            return None
        chain = self._known.get(response_id) or self._read(row[0])
        if chain is not None:
            self._uses.pop(response_id, None)
            self._uses[response_id] = None  # reading stays reading: it waits for no writer
            if len(self._uses) > _MOST_USES_NOTED:
                del self._uses[next(iter(self._uses))]
            self._known.use(chain)
        return chain

    def put(self, context: Context, now: float) -> None:
        """Write the links that are not there yet, and make room."""
        with transaction(self._sql):
            self._write_uses()
            missing: list[Context] = []
            for link in context.lineage():
                if self._number(link):
                    break
                missing.append(link)
            for link in reversed(missing):
                self._sql.execute(
                    "INSERT INTO link (response_id, parent, owner, size_bytes, data)"
                    " VALUES (?, ?, ?, ?, ?)",
                    (
                        link.response_id,
                        self._number(link.parent),
                        link.owner,
                        link.size_bytes,
                        encode_link(link),
                    ),
                )
            self._sql.execute(
                "UPDATE link SET stored_at = ? WHERE response_id = ?", (now, context.response_id)
            )
            self._sql.execute(_USE, (context.response_id,))
            self._make_room(now)
        self._known.use(context)

    def delete(self, response_id: str, owner: str) -> None:
        """Let a response not be found any more, and remove the links that only it needed."""
        with transaction(self._sql):
            row = self._row(
                "SELECT number FROM link WHERE response_id = ? AND owner = ?", response_id, owner
            )
            if row is not None:
                self._forget(row[0])
        self._known.forget(response_id)

    # One row after the other

    def _row(self, query: str, *values: Any) -> tuple[Any, ...] | None:
        row: tuple[Any, ...] | None = self._sql.execute(query, values).fetchone()
        return row

    def _number(self, link: Context | None) -> int | None:
        if link is None:
            return None
        row = self._row("SELECT number FROM link WHERE response_id = ?", link.response_id)
        return row[0] if row else None

    def _read(self, number: int) -> Context | None:
        links: list[Link] = []
        rows = self._sql.execute(_LINEAGE, (number,))
        try:
            # SQLite finds the next row when it is asked for.
            parent = self._known.read((data for (data,) in rows), links)
        finally:
            rows.close()
        return joined(links, parent)

    def _oldest(self, now: float) -> float:
        return float("-inf") if self._ttl is None else now - self._ttl

    def _write_uses(self) -> None:
        self._sql.executemany(_USE, [(response_id,) for response_id in self._uses])
        self._uses.clear()

    def _make_room(self, now: float) -> None:
        while row := self._row(
            "SELECT number FROM link WHERE stored_at <= ? ORDER BY stored_at LIMIT 1",
            self._oldest(now),
        ):
            self._forget(row[0])
        while self._row(
            "SELECT 1 FROM total WHERE size_bytes > ? OR found > ?",
            self._limit_bytes,
            self._limit_count,
        ):
            row = self._row(
                "SELECT number FROM link WHERE stored_at IS NOT NULL ORDER BY used LIMIT 1"
            )
            if row is None:
                return
            self._forget(row[0])

    def _forget(self, number: int | None) -> None:
        self._sql.execute("UPDATE link SET stored_at = NULL WHERE number = ?", (number,))
        while number is not None:
            row = self._row(_NEEDED, number)
            if row is None or row[1]:
                return
            self._sql.execute("DELETE FROM link WHERE number = ?", (number,))
            number = row[0]
