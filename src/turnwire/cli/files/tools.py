"""What a model may do with a folder: list it, read a file, search for text.

Each answer is bounded and says what it left out.  Errors name paths as the model gave them, never
as the machine knows them.
"""

from __future__ import annotations

import codecs
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

from turnwire.cli.files.folder import Folder, LeftOut

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterator
    from pathlib import Path

LISTED_ENTRIES: Final = 200
READ_BYTES: Final = 32 * 1024  # of one answer
SCANNED_BYTES: Final = 8 * 2**20  # of one file
SEARCHED_FILES: Final = 5_000
SEARCHED_BYTES: Final = 64 * 2**20
SEARCHED_FILE_BYTES: Final = 2**20
FOUND_LINES: Final = 100
FOUND_LINE_CHARACTERS: Final = 200
_SNIFFED_BYTES: Final = 8 * 1024
_UNREADABLE: Final = "\ufffd"


class FileTools:
    """Three read-only tools below a folder.

    Args:
        root: The folder.

    Raises:
        ConfigError: There is no such folder.
    """

    def __init__(self, root: Path) -> None:
        self._folder = Folder(root)

    def functions(self) -> list[Callable[..., str]]:
        """Return the tools as a chain takes them."""
        return [self.list_files, self.read_file, self.search_text]

    def list_files(self, path: str = ".") -> str:
        """List the files of a folder, with sizes in bytes; folders end in a slash.

        Args:
            path: The folder, relative to the root.
        """
        left_out = LeftOut()
        with _errors_about(path):
            real = self._folder.locate(path)
            if not real.is_dir():
                raise NotADirectoryError(_why_no_folder(real, path))
            entries = self._folder.entries(real, left_out)
            lines = [self._line(entry) for entry in entries[:LISTED_ENTRIES]]
        if len(entries) > LISTED_ENTRIES:
            lines.append(f"[cut: {LISTED_ENTRIES} of {len(entries)} entries are shown]")
        return "\n".join([*lines, *left_out.note()]) or "[the folder is empty]"

    def read_file(self, path: str, first_line: int = 1) -> str:
        """Read a text file, or the part of it that fits an answer.

        Args:
            path: The file, relative to the root.
            first_line: Where to start, counted from 1.
        """
        if first_line < 1:
            raise ValueError(f"first_line is {first_line}; lines are counted from 1")
        with _errors_about(path):
            real = self._folder.locate(path)
            if real.is_dir():
                raise IsADirectoryError(f"{path} is a folder; use list_files")
            if not real.exists():
                raise FileNotFoundError(f"there is no file {path}; list_files says what there is")
            data, size_bytes = self._folder.read(real, SCANNED_BYTES)
        if _is_binary(data):
            raise ValueError(f"{path} is a binary file of {size_bytes} bytes; only text is shown")
        return _page(data, size_bytes, first_line)

    def search_text(self, text: str, path: str = ".") -> str:
        """Find the lines that contain a text, upper and lower case alike.

        Args:
            text: What to look for, literally.
            path: Where: a folder or a file, relative to the root.
        """
        if not text.strip():
            raise ValueError("the text to look for is empty")
        left_out = LeftOut()
        with _errors_about(path):
            real = self._folder.locate(path)
            if not real.exists():
                raise FileNotFoundError(
                    f"there is nothing at {path}; list_files says what there is"
                )
            files = iter([real]) if real.is_file() else self._folder.walk(real, left_out)
            found, cut = self._search(files, text.lower(), left_out)
        notes = [*cut, *left_out.note()]
        return "\n".join([*(found or [f"[no line contains {text!r}]"]), *notes])

    def _line(self, entry: Path) -> str:
        name = self._folder.name(entry)
        if entry.is_dir():
            return f"{name}/"
        try:
            return f"{name}  {entry.stat().st_size}"
        except OSError:  # a link that leads nowhere, or a file that has just gone
            return f"{name}  (not readable)"

    def _search(
        self, files: Iterator[Path], text: str, left_out: LeftOut
    ) -> tuple[list[str], list[str]]:
        """Return the lines found, and a note if there may be more."""
        found: list[str] = []
        read_bytes = 0
        for count, file in enumerate(files):
            if count == SEARCHED_FILES or read_bytes > SEARCHED_BYTES:
                return found, [f"[cut: only {count} files were searched; name a folder]"]
            data = self._searchable(file, left_out)
            read_bytes += len(data)
            if text not in data.decode(errors="replace").lower():
                continue
            for number, raw_line in enumerate(data.splitlines(), 1):
                line = raw_line.decode(errors="replace")
                if text not in line.lower():
                    continue
                if len(found) == FOUND_LINES:
                    return found, [f"[cut: the first {FOUND_LINES} lines found are shown]"]
                found.append(f"{self._folder.name(file)}:{number}: {_excerpt(line.strip())}")
        return found, []

    def _searchable(self, file: Path, left_out: LeftOut) -> bytes:
        """Return what a search sees of a file: all of it or nothing."""
        try:
            data, size_bytes = self._folder.read(file.resolve(), SEARCHED_FILE_BYTES)
        except OSError:
            left_out.add("not readable")
            return b""
        if _is_binary(data):
            left_out.add("binary")
            return b""
        if size_bytes > SEARCHED_FILE_BYTES:
            left_out.add(f"larger than {SEARCHED_FILE_BYTES} bytes")
            return b""
        return data


@contextmanager
def _errors_about(path: str) -> Generator[None]:
    """Say what the system refused without the real path, which is nobody's business."""
    try:
        yield
    except OSError as error:
        if error.strerror is None:  # one of ours
            raise
        raise OSError(f"{path} cannot be read: {error.strerror.lower()}") from None


def _why_no_folder(real: Path, path: str) -> str:
    if real.exists():
        return f"{path} is a file; use read_file"
    return f"there is no folder {path}; list_files without a path says what there is"


def _is_binary(data: bytes) -> bool:
    return b"\0" in data[:_SNIFFED_BYTES]


def _excerpt(line: str) -> str:
    cut = len(line) > FOUND_LINE_CHARACTERS
    return line[:FOUND_LINE_CHARACTERS] + "…" if cut else line


def _page(data: bytes, size_bytes: int, first_line: int) -> str:
    """Return the lines from one on, as many as fit, and notes about the rest."""
    lines = data.splitlines(keepends=True)
    if first_line > max(len(lines), 1):
        raise ValueError(f"first_line is {first_line}; the file has {len(lines)} lines")
    kept = 0
    left_bytes = READ_BYTES
    for line in lines[first_line - 1 :]:
        if len(line) > left_bytes:
            break
        left_bytes -= len(line)
        kept += 1
    cut_line = kept == 0 and bool(lines)  # one line that is longer than an answer
    last = first_line - 1 + max(kept, cut_line)
    page = b"".join(lines[first_line - 1 : last])[:READ_BYTES]
    whole = not cut_line and (last < len(lines) or size_bytes == len(data))
    # Unless the page is whole, a character that the cut went through is left out, not misread.
    text = codecs.getincrementaldecoder("utf-8")("replace").decode(page, final=whole)
    notes: list[str] = []
    if cut_line:
        notes.append(f"[cut: line {first_line} is {len(lines[first_line - 1])} bytes long]")
    if last < len(lines):
        notes.append(
            f"[cut: lines {first_line} to {last} of {len(lines)}; go on with first_line={last + 1}]"
        )
    if size_bytes > len(data):
        notes.append(f"[cut: only the first {len(data)} of {size_bytes} bytes can be read]")
    if text.count(_UNREADABLE) > page.count(_UNREADABLE.encode()):
        notes.append(f"[not UTF-8: what could not be read is shown as {_UNREADABLE}]")
    if not notes:
        return text or "[the file is empty]"
    return text + ("" if text.endswith("\n") or not text else "\n") + "\n".join(notes)
