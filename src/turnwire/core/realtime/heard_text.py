"""What was heard of a transcript, if only so much of its audio was."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

# Scripts that write words without spaces between them: any character may be the last one.
_WITHOUT_SPACES: Final = (
    ("\u2e80", "\ua4cf"),
    ("\uf900", "\ufaff"),
    ("\uff00", "\uff60"),
    ("\U00020000", "\U0003ffff"),
)


@dataclass(frozen=True, slots=True)
class HeardText:
    """The text that was heard.

    Attributes:
        text: A beginning of the transcript that ends with a whole word.
        approximate: Whether it was cut by proportion, and may be off by some words.
    """

    text: str
    approximate: bool


def heard_text(
    transcript: str, heard_ms: float, received_ms: float, *, finished: bool = True
) -> HeardText:
    """Cut a transcript where its audio was broken off.

    The server erases the transcript of an item that it truncates, and never says which words were
    heard; people speak about as fast at the end of an item as at its beginning.

    Args:
        transcript: All that arrived of it.
        heard_ms: How much audio was heard.
        received_ms: How much was received.
        finished: Whether the item was received wholly; if not, its text runs ahead of its audio.
    """
    if heard_ms <= 0:
        return HeardText("", approximate=False)
    if heard_ms >= int(received_ms):
        return HeardText(transcript, approximate=not finished)
    end = int(len(transcript) * heard_ms / received_ms)
    while end and not _is_edge(transcript, end):
        end -= 1
    return HeardText(transcript[:end].rstrip(), approximate=True)


def _is_edge(text: str, at: int) -> bool:
    """Return whether a word ends before this place."""
    last, following = text[at - 1], text[at]
    return last.isspace() or following.isspace() or _stands_alone(last) or _stands_alone(following)


def _stands_alone(character: str) -> bool:
    return any(first <= character <= last for first, last in _WITHOUT_SPACES)
