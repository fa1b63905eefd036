"""Whether the files of a configuration can be written; nothing is made or changed to find out."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from turnwire.gateway.config.reading import Mistake
from turnwire.gateway.observing.access_log import STDERR
from turnwire.gateway.store.sqlite import FILE_NAME

if TYPE_CHECKING:
    from collections.abc import Iterator

    from turnwire.gateway.config.tables import Config


def unwritable_in(config: Config) -> tuple[Mistake, ...]:
    """Return what the gateway would fail to write, by whoever asks."""
    return tuple(_unwritable(config))


def _unwritable(config: Config) -> Iterator[Mistake]:
    log = config.server.access_log
    if log not in ("", STDERR):
        reason = _wrong_with_file(Path(log))
        if reason is not None:
            yield Mistake(
                "server.access_log",
                reason,
                "a file that can be written, in a folder that is there",
                'mend that, give another file, or "-" for stderr',
            )
    if config.store.kind == "sqlite":
        folder = Path(config.store.path).expanduser()
        reason = _wrong_with_folder(folder) or _wrong_with_file(folder / FILE_NAME, made=True)
        if reason is not None:
            yield Mistake(
                "store.path",
                reason,
                "a folder that can be written, or made",
                "mend that, or give another folder",
            )


def _wrong_with_file(path: Path, *, made: bool = False) -> str | None:
    """Say why a file cannot be written; ``made`` if its folder is made for it."""
    if os.path.lexists(path):
        if path.is_dir():
            return f"{path}, which is a folder"
        return None if os.access(path, os.W_OK) else f"{path}, which may not be written"
    return None if made else _wrong_with_folder(path.parent, made=False)


def _wrong_with_folder(folder: Path, *, made: bool = True) -> str | None:
    """Say why nothing can be put into a folder; ``made`` if it is made where it is missing."""
    if made:
        folder = next(each for each in (folder, *folder.absolute().parents) if _is_there(each))
    if not folder.is_dir():
        return f"{folder}, which is {'no folder' if _is_there(folder) else 'not there'}"
    if not os.access(folder, os.W_OK | os.X_OK):
        return f"{folder}, a folder that may not be written"
    return None


def _is_there(path: Path) -> bool:
    return os.path.lexists(path)
