"""One folder and what is in it: which paths lead into it, and which names are shown.

Every path that a model gives goes through :meth:`Folder.locate`.  Hidden names are refused: that
is where keys live.
"""

from __future__ import annotations

import os
import re
import stat
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from turnwire.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_GENERATED: Final = frozenset({"__pycache__", "node_modules"})
_CONTROL: Final = re.compile(r"[\x00-\x1f\x7f-\x9f]")
# Never wait for the other end of a pipe, never follow a link that was put here a moment ago.
_OPEN_FLAGS: Final = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_NOFOLLOW", 0)
_BINARY: Final = getattr(os, "O_BINARY", 0)


@dataclass(slots=True)
class LeftOut:
    """What a listing or a search does not show, by reason."""

    counts: dict[str, int] = field(default_factory=dict[str, int])

    def add(self, reason: str) -> None:
        """Count one more."""
        self.counts[reason] = self.counts.get(reason, 0) + 1

    def note(self) -> list[str]:
        """Return the line that says so, or nothing."""
        said = ", ".join(f"{count} {reason}" for reason, count in self.counts.items())
        return [f"[left out: {said}]"] if said else []


class Folder:
    """A folder, opened for reading.

    Args:
        root: The folder; links in its own path are followed once, here.

    Raises:
        ConfigError: There is no such folder.
    """

    def __init__(self, root: Path) -> None:
        self.root = root.resolve()
        if not self.root.is_dir():
            raise ConfigError(f"there is no folder {str(root)!r}; name one that exists with --root")

    def locate(self, path: str) -> Path:
        """Return the real path that a given path leads to; it need not exist.

        Raises:
            PermissionError: It leads out of the folder, or to something hidden.
            ValueError: It is no path at all.
        """
        if "\0" in path:
            raise ValueError("the path contains a NUL character; give one that list_files names")
        try:
            real = (self.root / path).resolve()
        except (OSError, RuntimeError) as error:
            raise ValueError(f"{path[:200]!r} leads nowhere; give a path of list_files") from error
        if not real.is_relative_to(self.root):
            raise PermissionError(f"{path} leads out of the folder; give a path below it")
        hidden = next(filter(_is_hidden, real.relative_to(self.root).parts), None)
        if hidden is not None:
            raise PermissionError(f"{path} is hidden ({hidden}); hidden files cannot be read here")
        return real

    def name(self, real: Path) -> str:
        """Return a real path as it is shown: below the root, with forward slashes, on one line."""
        return _CONTROL.sub("?", real.relative_to(self.root).as_posix())

    def entries(self, real: Path, left_out: LeftOut) -> list[Path]:
        """Return the files and folders that may be shown, by name."""
        shown: list[Path] = []
        for entry in sorted(real.iterdir()):
            reason = self._reason_to_leave_out(entry)
            if reason is None:
                shown.append(entry)
            else:
                left_out.add(reason)
        return shown

    def walk(self, real: Path, left_out: LeftOut) -> Iterator[Path]:
        """Yield the files below a folder; links to folders are not followed, so this ends."""
        for entry in self.entries(real, left_out):
            if not entry.is_dir():
                yield entry
            elif not entry.is_symlink():
                try:
                    yield from self.walk(entry, left_out)
                except PermissionError:
                    left_out.add("not permitted")

    def read(self, real: Path, limit_bytes: int) -> tuple[bytes, int]:
        """Return the beginning of a file and its whole size.

        Raises:
            OSError: It cannot be read, or is no plain file.
        """
        descriptor = os.open(real, _OPEN_FLAGS | _BINARY)
        with os.fdopen(descriptor, "rb") as file:
            about = os.fstat(descriptor)
            if not stat.S_ISREG(about.st_mode):
                raise OSError("it is no plain file")
            return file.read(limit_bytes), about.st_size

    def _reason_to_leave_out(self, entry: Path) -> str | None:
        if _is_hidden(entry.name):
            return "hidden"
        if entry.name in _GENERATED:
            return "generated"
        if entry.is_symlink():
            if not entry.exists():
                return "linked to nowhere"
            try:
                self.locate(str(entry))
            except (PermissionError, ValueError):
                return "linked to elsewhere"
        return None


def _is_hidden(name: str) -> bool:
    return name.startswith(".")
