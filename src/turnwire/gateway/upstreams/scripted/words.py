"""The scripted model's idea of language: words, stems, pieces."""

from __future__ import annotations

import re
from typing import Final

_WORD: Final = re.compile(r"[A-Za-z][A-Za-z0-9]*")
_CAMEL: Final = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")
_PIECE: Final = re.compile(r"\s*\S+\s?|\s+")

# Words without a meaning of their own, and words that say only that something is wanted.
_STOP_WORDS: Final = """
    a about all an and any are as at be been but by can could do does for from get give had has
    have how i if in into is it its let like me my new not of off on one or our out over please
    should so some tell than that the their them then there these they this those to up us use
    used using want was we were what when where which who why will with would you your
"""
_EMPTY: Final = frozenset(_STOP_WORDS.split())
_SUFFIXES: Final = ("ing", "ed", "es", "s")
_SHORTEST_STEM: Final = 3


def pieces(text: str) -> list[str]:
    """Cut a text into words with the white space behind them; joined, they are the text."""
    return _PIECE.findall(text)


def meaningful_words(text: str) -> list[str]:
    """Return the stems of the words that carry meaning, in order, each once."""
    words = _WORD.findall(_CAMEL.sub(" ", text.replace("_", " ")))
    stems = (stem(word.lower()) for word in words if word.lower() not in _EMPTY)
    return list(dict.fromkeys(stems))


def stem(word: str) -> str:
    """Cut the endings that English adds most."""
    for suffix in _SUFFIXES:
        if word.endswith(suffix) and len(word) - len(suffix) >= _SHORTEST_STEM:
            return word[: -len(suffix)]
    return word


def excerpt(text: str, limit: int) -> str:
    """Return the text, cut after so many characters."""
    return text if len(text) <= limit else text[: limit - 1] + "…"
