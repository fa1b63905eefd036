"""What a prompt shows plainly: paths, quotations, addresses, dates, numbers, names, labels."""

from __future__ import annotations

import re
from typing import Final

from turnwire.gateway.upstreams.scripted.words import meaningful_words

_QUOTED: Final = re.compile(r'"([^"\n]+)"|“([^”\n]+)”|`([^`\n]+)`|(?<!\w)\'([^\'\n]+)\'(?!\w)')
_URL: Final = re.compile(r"https?://[^\s<>\"'`]+[^\s<>\"'`.,;:!?)]")
_EMAIL: Final = re.compile(r"[\w.+-]+@[\w-]+(?:\.[\w-]+)+")
_DATE: Final = re.compile(r"\b\d{4}-\d{2}-\d{2}(?:[T ]\d{2}:\d{2}(?::\d{2})?)?\b")
_NUMBER: Final = re.compile(r"(?<![\w.])-?\d+(?:\.\d+)?(?!\w)")
_BEFORE: Final = r"\b(?:in|for|at|from|to|of|near|called|named)\s+(?:the\s+)?(?:city\s+of\s+)?"
_NAME: Final = re.compile(_BEFORE + r"([A-Z]\w+(?:\s[A-Z]\w+)*)")
_PLACE: Final = re.compile(r"\b(?:in|for|at|near)\s+(?:the\s+)?(\w+)", re.IGNORECASE)
_PATH_TOKEN: Final = re.compile(r"[\w./~+@%-]+")
_EXTENSION: Final = re.compile(r".*\w\.[A-Za-z]\w{0,7}|\.[A-Za-z]\w+")
_NO_PATHS: Final = frozenset({"e.g", "i.e", "and/or", "n/a", "w/o"})


def paths_in(prompt: str) -> list[str]:
    """Return what looks like a path, in order: it has a slash in it, or an extension."""
    without_urls = _EMAIL.sub(" ", _URL.sub(" ", prompt))
    tokens = (token.rstrip(".") for token in _PATH_TOKEN.findall(without_urls))
    return [token for token in tokens if token not in _NO_PATHS and _looks_like_path(token)]


def _looks_like_path(token: str) -> bool:
    return has_extension(token) or ("/" in token and any(map(str.isalpha, token)))


def has_extension(path: str) -> bool:
    """Say whether a path looks like that of a file, not of a folder."""
    return _EXTENSION.fullmatch(path.rpartition("/")[2]) is not None


class Evidence:
    """What one prompt shows; values are used up as they are taken.

    Attributes:
        prompt: The prompt itself.
        stems: Its meaningful words.
    """

    def __init__(self, prompt: str) -> None:
        self.prompt = prompt
        self.stems = frozenset(meaningful_words(prompt))
        self._quoted = ["".join(groups) for groups in _QUOTED.findall(prompt)]
        self._paths = paths_in(prompt)
        self._numbers: list[str] = _NUMBER.findall(_DATE.sub(" ", prompt))
        self._names: list[str] = _NAME.findall(prompt)
        self._places = [p for p in _PLACE.findall(prompt) if meaningful_words(p)]
        self._urls: list[str] = _URL.findall(prompt)
        self._emails: list[str] = _EMAIL.findall(prompt)
        self._dates: list[str] = _DATE.findall(prompt)

    def path(self) -> str | None:
        """Take the next path."""
        return _take(self._paths)

    def quoted(self) -> str | None:
        """Take the next quotation."""
        return _take(self._quoted)

    def name(self) -> str | None:
        """Take the next capitalised name that follows a preposition."""
        return _take(self._names)

    def place(self) -> str | None:
        """Take the next word that says where or what for."""
        return _take(self._places)

    def url(self) -> str | None:
        """Take the next URL."""
        return _take(self._urls)

    def email(self) -> str | None:
        """Take the next e-mail address."""
        return _take(self._emails)

    def date(self) -> str | None:
        """Take the next date."""
        return _take(self._dates)

    def labelled(self, name: str) -> str | None:
        """Find ``name: value``, ``name=value`` or ``name "value"``."""
        found = self._search(rf"(?<!\w){_spoken(name)}\s*(?:[:=]\s*)?\"([^\"\n]*)\"")
        if found and found[1] in self._quoted:
            self._quoted.remove(found[1])
        found = found or self._search(rf"(?<!\w){_spoken(name)}\s*[:=]\s*([^\s,;]+)")
        return found[1].rstrip(".?!") if found else None

    def number(self, name: str, *, whole: bool) -> str | None:
        """Take the number that stands behind a name, else the next one."""
        found = self._search(rf"(?<!\w){_spoken(name)}\s*[:=]?\s*(-?\d+(?:\.\d+)?)")
        text = found[1] if found else None
        if text is None:
            fitting = (number for number in self._numbers if not (whole and "." in number))
            text = next(fitting, None)
        if text in self._numbers:
            self._numbers.remove(text)
        return text

    def says(self, value: str) -> bool:
        """Say whether a value stands in the prompt as a word."""
        return self._search(rf"(?<!\w){re.escape(value)}(?!\w)") is not None

    def wants(self, name: str) -> bool | None:
        """Say whether a flag is wanted; None if the prompt says nothing about it."""
        words = name.split("_")
        if not all(self.says(word) for word in words):
            return None
        refusal = rf"\b(?:no|not|without|don't|never)\s+(?:\w+\s+)?{re.escape(words[0])}"
        return self._search(refusal) is None

    def _search(self, pattern: str) -> re.Match[str] | None:
        return re.search(pattern, self.prompt, re.IGNORECASE)


def _spoken(name: str) -> str:
    return re.escape(name).replace("_", "[ _-]")


def _take(values: list[str]) -> str | None:
    return values.pop(0) if values else None
