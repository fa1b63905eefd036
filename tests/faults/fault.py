"""One known mistake."""

from __future__ import annotations

from typing import Literal, NamedTuple


class Fault(NamedTuple):
    """One mistake.

    Attributes:
        name: What is wrong.
        file: Where, below the package.
        old: The text that is right.
        new: The text that is wrong.
        harm: What it would do to users.
        tests: Who must see it: the property tests (``"properties"``), the stories and tables of the
            core (``"core"``), or a file or folder below ``tests``.
        package: Where the file is, below ``src/turnwire``.
    """

    name: str
    file: str
    old: str
    new: str
    harm: str
    tests: str = "properties"
    package: Literal["core", "gateway", "realtime"] = "core"
