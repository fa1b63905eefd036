"""What the outputs of file tools told the scripted model: which files there are, which words.

``list_files`` names files and folders, ``search_text`` names files, ``read_file`` gives words to
search for next.  Everything is bounded, so that a long exploration stays cheap.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import Any, Final

import msgspec

from turnwire.gateway.json_shapes import array_or_empty, is_array, is_object, object_or_empty
from turnwire.gateway.upstreams.scripted.evidence import has_extension

LIST: Final = "list_files"
READ: Final = "read_file"
SEARCH: Final = "search_text"

_MOST_FILES: Final = 500
_MOST_WORDS: Final = 100
_WORDS_OF_A_FILE: Final = 2
_HITS_OF_A_SEARCH: Final = 3
_READ_CHARACTERS: Final = 20_000

_LEAD: Final = re.compile(r"^[\s*•├└│─-]*")  # bullets and the lines of a tree
_SIZE: Final = re.compile(r"^\d+\s+(?=\S*[./])")  # a column of sizes before a path
_AFTER_PATH: Final = re.compile(r"\s{2,}|\t|\s\(|:(?=[\s\d])")
_FILE_NAME: Final = re.compile(r"[\w.~@]\S*|[\w.~@].*\.[A-Za-z0-9]{1,8}")
_LONGEST_PATH: Final = 300
_IDENTIFIER: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]{6,30}")


@dataclass(frozen=True, slots=True)
class Findings:
    """Ordered, without repeats, oldest first.

    Attributes:
        files: Files that listings named.
        folders: Folders that listings named.
        hits: Files that searches named.
        words: Words of the files that were read.
        read: Files that were read.
        lists: How many listings came back.
        searches: How many searches came back.
    """

    files: tuple[str, ...] = ()
    folders: tuple[str, ...] = ()
    hits: tuple[str, ...] = ()
    words: tuple[str, ...] = ()
    read: tuple[str, ...] = ()
    lists: int = 0
    searches: int = 0

    def after(self, tool: str, arguments: str, output: str) -> Findings:
        """Return the findings after the output of one more call."""
        if tool == LIST:
            names = named_paths(output)
            files = [name for name in names if not name.endswith("/")]
            folders = [name for name in names if name.endswith("/")]
            return replace(
                self,
                files=_joined(self.files, files, _MOST_FILES),
                folders=_joined(self.folders, folders, _MOST_FILES),
                lists=self.lists + 1,
            )
        if tool == SEARCH:
            names = [name for name in dict.fromkeys(named_paths(output)) if has_extension(name)]
            return replace(
                self,
                hits=_joined(self.hits, names[:_HITS_OF_A_SEARCH], _MOST_FILES),
                searches=self.searches + 1,
            )
        if tool == READ:
            found = dict.fromkeys(_IDENTIFIER.findall(output[:_READ_CHARACTERS]))
            new = [word for word in found if word not in self.words][:_WORDS_OF_A_FILE]
            return replace(
                self,
                words=_joined(self.words, new, _MOST_WORDS),
                read=_joined(self.read, _strings_of(arguments), _MOST_FILES),
            )
        return self

    def next_file(self) -> str | None:
        """Return a file that was not read yet, those that searches found first."""
        read = frozenset(self.read)
        return next((name for name in (*self.hits, *self.files) if name not in read), None)


def _strings_of(arguments: str) -> list[str]:
    try:
        loaded: Any = msgspec.json.decode(arguments)
    except (msgspec.MsgspecError, RecursionError):
        return []
    return [value for value in object_or_empty(loaded).values() if isinstance(value, str)]


def _joined(known: tuple[str, ...], new: list[str], limit: int) -> tuple[str, ...]:
    return tuple(dict.fromkeys((*known, *new)))[:limit]


def named_paths(output: str) -> list[str]:
    """Return the paths that an output names: a JSON list, or one path at the start of a line."""
    try:
        loaded: Any = msgspec.json.decode(output)
    except (msgspec.MsgspecError, RecursionError):
        return [name for line in output.splitlines() if (name := _path_at_start(line))]
    if is_object(loaded):
        loaded = next((value for value in loaded.values() if is_array(value)), None)
    return [name for entry in array_or_empty(loaded) if (name := _name_of(entry))]


def _name_of(entry: Any) -> str | None:
    if is_object(entry):
        entry = entry.get("path", entry.get("name", entry.get("file")))
    return entry if isinstance(entry, str) else None


def _path_at_start(line: str) -> str | None:
    line = _SIZE.sub("", _LEAD.sub("", line[:_LONGEST_PATH], count=1), count=1)
    name = _AFTER_PATH.split(line, maxsplit=1)[0].strip()
    looks_right = _FILE_NAME.fullmatch(name) and not name.endswith(("...", "…", ":"))
    return name if looks_right else None
