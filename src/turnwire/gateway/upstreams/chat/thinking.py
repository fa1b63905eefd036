"""Reasoning between tags in the text of an answer, however the text is cut."""

from __future__ import annotations

from typing import Final, Literal

# Seen at the beginning of answers: DeepSeek, Qwen and most others; models that are asked for it;
# Gemini; Mistral.
_TAGS: Final = {
    "<think>": "</think>",
    "<thinking>": "</thinking>",
    "<thought>": "</thought>",
    "[THINK]": "[/THINK]",
}

Piece = tuple[Literal["reasoning", "text"], str]


class ThinkTags:
    """Splits an answer that may begin with reasoning.

    White space around the tags belongs to neither side.

    Args:
        inside: True if the answer begins inside the reasoning, without an opening tag.

    Attributes:
        passed: True once nothing more can be reasoning; the rest need not be fed.
    """

    def __init__(self, *, inside: bool = False) -> None:
        self.passed = False
        self._place: Literal["before", "inside", "behind"] = "inside" if inside else "before"
        self._closing = _TAGS["<think>"]
        self._begun = False  # something was said of the reasoning
        self._held = ""

    def feed(self, text: str) -> list[Piece]:
        """Take the next characters and return what can be said of them."""
        self._held += text
        pieces: list[Piece] = []
        if self._place == "before":
            pieces += self._open()
        if self._place == "inside":
            pieces += self._think()
        if self._place == "behind":
            pieces += self._answer()
        return pieces

    def end(self) -> list[Piece]:
        """Return what was held back; nothing more will come."""
        held, self._held = self._held, ""
        self.passed = True
        return [("reasoning" if self._place == "inside" else "text", held)] if held else []

    def drop_space(self) -> None:
        """Forget white space that was held back: what follows is no text."""
        self._held = self._held.strip() and self._held

    def _open(self) -> list[Piece]:
        begun = self._held.lstrip()
        for opening, closing in _TAGS.items():
            if begun.startswith(opening):
                self._place, self._closing = "inside", closing
                self._held = begun.removeprefix(opening)
                return []
        possible = not begun or any(opening.startswith(begun) for opening in _TAGS)
        return [] if possible else self.end()

    def _think(self) -> list[Piece]:
        thought, closed, rest = self._held.partition(self._closing)
        end = len(thought) if closed else len(thought) - _overlap(thought, self._closing)
        said = thought[:end].rstrip()
        self._held = thought[len(said) :]
        if closed:
            self._place, self._held = "behind", rest
        if not self._begun:
            said = said.lstrip()
        self._begun = self._begun or bool(said)
        return [("reasoning", said)] if said else []

    def _answer(self) -> list[Piece]:
        self._held = self._held.lstrip()
        return self.end() if self._held else []


def _overlap(text: str, tag: str) -> int:
    """Return how many characters at the end of a text may be the beginning of a tag."""
    longest = min(len(text), len(tag) - 1)
    return next((size for size in range(longest, 0, -1) if text.endswith(tag[:size])), 0)
