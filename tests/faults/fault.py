"""One known mistake."""

from __future__ import annotations

from typing import Literal, NamedTuple


class Fault(NamedTuple):
    """One mistake.

    Attributes:
        name: What is wrong.
        file: Where, below ``src/turnwire/core``.
        old: The text that is right.
        new: The text that is wrong.
        harm: What it would do to users.
        tests: Who must see it: the property tests, or the stories and tables of the core.
    """

    name: str
    file: str
    old: str
    new: str
    harm: str
    tests: Literal["properties", "core"] = "properties"
