"""What a docstring tells the model: a description, and one for each parameter.

With the extra ``tools`` the docstring is read as Google, NumPy or Sphinx style, whichever it is.
Without it the whole docstring is the description: nothing is lost, it is only less tidy.
"""

from __future__ import annotations

import importlib
import inspect
from typing import TYPE_CHECKING, Any, NamedTuple, cast

if TYPE_CHECKING:
    import griffe

# What a docstring lacks is not worth a log line: annotations say it.
_QUIET: griffe.PerStyleOptions = {
    "google": {"warnings": False},
    "numpy": {"warnings": False},
    "sphinx": {"warnings": False},
}


class Documentation(NamedTuple):
    """What the docstring says.

    Attributes:
        description: For the tool as a whole; empty if there is no docstring.
        parameters: By name.
    """

    description: str
    parameters: dict[str, str]


def read_docstring(text: str | None) -> Documentation:
    """Split a docstring into the tool's description and its parameters' descriptions."""
    cleaned = inspect.cleandoc(text or "")
    try:
        reader = importlib.import_module("griffe")
    except ImportError:
        return Documentation(cleaned, {})
    sections = reader.parse_auto(reader.Docstring(cleaned), per_style_options=_QUIET)
    return _fold(cast("list[griffe.DocstringSection]", sections))


def _fold(sections: list[griffe.DocstringSection]) -> Documentation:
    """Keep text, notes and examples; what is returned and raised is not the model's to choose."""
    description: list[str] = []
    parameters: dict[str, str] = {}
    for section in sections:
        value: Any = section.value
        match section.kind.value:
            case "text":
                description.append(value)
            case "admonition":
                description.append(f"{section.title}: {value.description}")
            case "examples":
                description.append("Examples:\n" + "\n".join(text for _, text in value))
            case "parameters" | "other parameters":
                parameters |= {parameter.name: parameter.description for parameter in value}
            case _:
                pass
    return Documentation("\n\n".join(description), parameters)
