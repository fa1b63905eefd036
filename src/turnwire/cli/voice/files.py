"""The names of files, looked at before any of them is opened."""

from __future__ import annotations

from itertools import combinations
from typing import TYPE_CHECKING, Final

from turnwire.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

_SUFFIXES: Final = (".wav", ".wave")


def check_names(named: Mapping[str, Path | None]) -> None:
    """Find out whether each option that was given names a file, and each one another.

    Args:
        named: The files by their options; None is one that was not given.

    Raises:
        ConfigError: One names none, or two name the same, which would then be destroyed.
    """
    given = [(option, path) for option, path in named.items() if path is not None]
    for option, path in given:
        if not path.name:  # a path does not tell an empty string from the directory
            told = f"{path} is a directory" if path.is_absolute() else f"{option} is empty"
            raise ConfigError(f"{told}; name a file with {option}, or leave it out")
    for (option, path), (other, its_path) in combinations(given, 2):
        if _is_same(path, its_path):
            raise ConfigError(
                f"{option} and {other} are the same file, {path}, which would be destroyed;"
                f" name another one with {other}"
            )


def check_wav(option: str, path: Path) -> None:
    """Find out whether a file that will be written is named as what it will be.

    Raises:
        ConfigError: It is not.
    """
    if path.suffix.lower() not in _SUFFIXES:
        raise ConfigError(f"{option} {path} is no wav file; only wav is written: name a FILE.wav")


def _is_same(path: Path, other: Path) -> bool:
    try:
        return path.samefile(other)  # also if two names are linked
    except OSError:
        return path.resolve() == other.resolve()
