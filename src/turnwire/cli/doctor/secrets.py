"""What must never be shown: keys, and user names and passwords in URLs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final
from urllib.parse import parse_qsl, unquote, urlsplit

from turnwire.cli.terminal import one_line

if TYPE_CHECKING:
    from collections.abc import Iterable

_HIDDEN: Final = "***"
_LONGEST_QUOTE: Final = 200  # characters
# A shorter secret may be a word of ours, which never holds one.
_SHORTEST_ANYWHERE: Final = 8


class Secrets:
    """Hides what must not be shown in texts that others wrote, and at last in all of them."""

    def __init__(self, values: Iterable[str]) -> None:
        known = {each for value in values for each in (value, unquote(value)) if each}
        self._values = sorted(known, key=len, reverse=True)

    def quote(self, text: str) -> str:
        """Return a server's or the system's words: one harmless line, short, without secrets."""
        for value in self._values:
            text = text.replace(value, _HIDDEN)
        line = one_line(text)
        return line if len(line) <= _LONGEST_QUOTE else line[: _LONGEST_QUOTE - 1] + "…"

    def sweep(self, value: Any) -> Any:
        """Return a text, a list or a dict without the longer secrets: the last look."""
        match value:
            case str():
                for secret in self._values:
                    if len(secret) >= _SHORTEST_ANYWHERE:
                        value = value.replace(secret, _HIDDEN)
                return value
            case list():
                return [self.sweep(each) for each in value]  # pyright: ignore[reportUnknownVariableType]
            case dict():
                return {name: self.sweep(each) for name, each in value.items()}  # pyright: ignore[reportUnknownVariableType]
            case _:
                return value

    def __repr__(self) -> str:
        return "<Secrets>"


def secrets_in_url(url: str) -> list[str]:
    """Return what a URL has that must not be shown: its user part and the values of its query."""
    try:
        parts = urlsplit(url if "://" in url else f"http://{url}")
    except ValueError:
        return [url]
    userinfo = parts.netloc.rpartition("@")[0]
    user, _, password = userinfo.partition(":")
    values = [value for _, value in parse_qsl(parts.query)]
    return [each for each in (userinfo, user, password, parts.query, *values) if each]


def bare_url(url: str) -> str:
    """Return a URL without its user part and its query."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return "a URL that cannot be read"
    place = parts.netloc.rpartition("@")[2]
    return f"{parts.scheme}://{place}{parts.path}"
