"""Redacts a JSON text piece by piece: it stays JSON, of the same length, with the same names.

Texts become placeholders and digits ones; names of members, ``true``, ``false``, ``null`` stay.
A text that is no JSON object or array becomes placeholders altogether, from where it shows.
"""

from __future__ import annotations

from typing import Final

_PLACEHOLDER: Final = "x"
_LITERALS: Final = {"t": "rue", "f": "alse", "n": "ull"}
_SPACE: Final = frozenset(" \t\r\n")
_OF_NUMBERS: Final = frozenset("+-.eE")


class JsonText:
    """One JSON text, fed in any number of pieces."""

    def __init__(self) -> None:
        self._open: list[str] = []
        self._begun = False
        self._hopeless = False  # it is no JSON
        self._in_text = False
        self._escaped = False
        self._name_next = False  # the next text is the name of a member
        self._number = False
        self._literal = ""  # what must follow

    def feed(self, piece: str) -> str:
        """Redact the next piece."""
        return "".join(map(self._one, piece))

    def _one(self, character: str) -> str:
        if self._hopeless:
            return _PLACEHOLDER
        if self._in_text:
            return self._inside(character)
        if self._literal:
            return self._go_on_with_literal(character)
        was_number, self._number = self._number, False
        if character in _SPACE:
            return character
        if not self._open:
            return self._begin(character)
        if character in "0123456789":
            self._number = True
            return "1"
        if character in _OF_NUMBERS and (was_number or character == "-"):
            self._number = True
            return character
        return self._structure(character)

    def _begin(self, character: str) -> str:
        if self._begun or character not in "{[":
            self._hopeless = True
            return _PLACEHOLDER
        self._begun = True
        return self._structure(character)

    def _inside(self, character: str) -> str:
        if self._escaped:
            self._escaped = False
        elif character == "\\":
            self._escaped = True
        elif character == '"':
            self._in_text = False
            return character
        return character if self._name_next else _PLACEHOLDER

    def _go_on_with_literal(self, character: str) -> str:
        if character != self._literal[0]:
            self._hopeless = True
            return _PLACEHOLDER
        self._literal = self._literal[1:]
        return character

    def _structure(self, character: str) -> str:
        match character:
            case '"':
                self._in_text = True
            case "{" | "[":
                self._open.append(character)
                self._name_next = character == "{"
            case "}" | "]":
                self._open.pop()
                self._name_next = False
            case ",":
                self._name_next = self._open[-1] == "{"
            case ":":
                self._name_next = False
            case "t" | "f" | "n":
                self._literal = _LITERALS[character]
            case _:
                self._hopeless = True
                return _PLACEHOLDER
        return character
