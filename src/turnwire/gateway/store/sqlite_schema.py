"""The file of the SQLite store: made, recognised, opened so that it survives a killed process."""

from __future__ import annotations

import os
import sqlite3
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

from turnwire.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Generator
    from pathlib import Path

SCHEMA: Final = 1
_APPLICATION: Final = 0x74776972  # "twir": no other program's file is taken for ours

# A link stays while it can be found (it has a `stored_at`) or another one has it as its parent.
# Triggers keep the totals, so that they are right whatever changes the links.
_TABLES: Final = (
    """CREATE TABLE link (
        number INTEGER PRIMARY KEY,
        response_id TEXT NOT NULL UNIQUE,
        parent INTEGER REFERENCES link (number),
        owner TEXT NOT NULL,
        size_bytes INTEGER NOT NULL,
        stored_at REAL,
        used INTEGER,
        data BLOB NOT NULL
    )""",
    "CREATE INDEX link_by_parent ON link (parent) WHERE parent IS NOT NULL",
    "CREATE INDEX link_by_use ON link (used) WHERE stored_at IS NOT NULL",
    "CREATE INDEX link_by_age ON link (stored_at) WHERE stored_at IS NOT NULL",
    "CREATE TABLE total (size_bytes INTEGER NOT NULL, found INTEGER NOT NULL)",
    "INSERT INTO total VALUES (0, 0)",
    """CREATE TRIGGER link_written AFTER INSERT ON link BEGIN
        UPDATE total SET size_bytes = size_bytes + new.size_bytes;
    END""",
    """CREATE TRIGGER link_removed AFTER DELETE ON link BEGIN
        UPDATE total SET size_bytes = size_bytes - old.size_bytes;
    END""",
    """CREATE TRIGGER link_found AFTER UPDATE OF stored_at ON link BEGIN
        UPDATE total SET found = found + (new.stored_at IS NOT NULL) - (old.stored_at IS NOT NULL);
    END""",
    f"PRAGMA application_id = {_APPLICATION}",
    f"PRAGMA user_version = {SCHEMA}",
)


def open_sqlite(path: Path, patience: float) -> sqlite3.Connection:
    """Open a store, and make it if there is none, readable by nobody else.

    Args:
        path: The file, in whatever folder; that is made, too.
        patience: Seconds to wait for another process that writes, now and later.

    Raises:
        ConfigError: It cannot be opened, or is not ours.
    """
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        os.close(os.open(path, os.O_CREAT | os.O_RDWR, 0o600))
        sql = sqlite3.connect(path, timeout=patience, isolation_level=None)
        try:
            _prepare(sql, path, patience)
        except BaseException:
            sql.close()
            raise
    except (OSError, sqlite3.Error) as error:
        raise ConfigError(
            f"cannot use the store {path}: {error}; choose another folder, or move the file away"
        ) from error
    return sql


@contextmanager
def transaction(sql: sqlite3.Connection) -> Generator[None]:
    """Do all of it or nothing."""
    sql.execute("BEGIN IMMEDIATE")
    try:
        yield
        sql.execute("COMMIT")
    except BaseException:
        if sql.in_transaction:  # some errors have ended it already
            sql.execute("ROLLBACK")
        raise


def _prepare(sql: sqlite3.Connection, path: Path, patience: float) -> None:
    # In this order: another process may be making them, and it makes both at once.
    if _tables(sql) and _number(sql, "application_id") != _APPLICATION:
        raise ConfigError(f"{path} belongs to another program; choose another folder")
    mode = _write_ahead(sql, time.monotonic() + patience)
    if mode != "wal":
        raise ConfigError(
            f"the store {path} is on a file system without shared memory (journal mode {mode!r});"
            " choose a folder on a local disk"
        )
    # What was committed is in the operating system's hands and outlives the process, killed at
    # whatever moment.  Only a power cut can take the last commits back, and never the file's
    # soundness; clients send the full input then.  FULL would make every turn wait for the disk.
    sql.execute("PRAGMA synchronous = NORMAL")
    sql.execute("PRAGMA foreign_keys = ON")
    with transaction(sql):
        if not _tables(sql):
            for statement in _TABLES:
                sql.execute(statement)
        schema = _number(sql, "user_version")
        if schema > SCHEMA:
            raise ConfigError(
                f"the store {path} was written by a newer turnwire (schema {schema}; this one"
                f" knows {SCHEMA}); upgrade, or choose another folder"
            )


def _write_ahead(sql: sqlite3.Connection, deadline: float) -> str:
    while True:
        try:
            (mode,) = sql.execute("PRAGMA journal_mode = WAL").fetchone()
        except sqlite3.OperationalError:
            # Two open a new file at the same time: here SQLite does not wait by itself.
            if time.monotonic() > deadline:
                raise
            time.sleep(0.005)
        else:
            return str(mode)


def _tables(sql: sqlite3.Connection) -> int:
    (count,) = sql.execute("SELECT count(*) FROM sqlite_master").fetchone()
    return int(count)


def _number(sql: sqlite3.Connection, pragma: str) -> int:
    (number,) = sql.execute(f"PRAGMA {pragma}").fetchone()
    return int(number)
