"""The one string in the arguments of a custom tool's function, read while they come."""

from __future__ import annotations

import json
import re
from typing import Any, Final

from turnwire.gateway.json_shapes import is_object
from turnwire.gateway.upstreams.chat.tools import CUSTOM_ARGUMENT

_HEAD: Final = re.compile(rf'\s*\{{\s*"{CUSTOM_ARGUMENT}"\s*:\s*"')
# As much of a JSON string as is whole: no half escapes, no half surrogate pairs.
_WHOLE: Final = re.compile(
    r"""(?: [^"\\]+
          | \\ [^u]
          | \\u [dD][89abAB][0-9a-fA-F]{2} \\u [dD][c-fC-F][0-9a-fA-F]{2}
          | \\u [dD][89abAB][0-9a-fA-F]{2} (?= [^\\] | \\[^u] | \\u[^dD] | \\u[dD][^c-fC-F] )
          | \\u (?! [dD][89abAB] ) [0-9a-fA-F]{4}
          | \\u (?= [0-9a-fA-F]{0,3} [^0-9a-fA-F] )
        )*""",
    re.VERBOSE | re.DOTALL,
)
_ESCAPE: Final = re.compile(r"""\\(["\\/bfnrt]|u[0-9a-fA-F]{4})?""")


class StringArgument:
    """Takes the pieces of ``{"input": "…"}`` and returns the pieces of the string.

    Models do not always keep to it; what begins differently is read when it is whole.
    """

    def __init__(self) -> None:
        self._held = ""
        self._inside = False
        self._closed = False

    def feed(self, text: str) -> str:
        """Take the next characters and return those of the string that are certain."""
        if self._closed:
            return ""
        self._held += text
        if not self._inside:
            head = _HEAD.match(self._held)
            if head is None:
                return ""
            self._inside = True
            self._held = self._held[head.end() :]
        whole = _WHOLE.match(self._held)
        end = whole.end() if whole else 0
        said = self._held[:end]
        self._held = self._held[end:]
        self._closed = self._held.startswith('"')
        return _unquoted(said)

    def end(self) -> str:
        """Return what is left of the string; nothing more will come."""
        if self._inside:
            return "" if self._closed else _unquoted(self._held)
        return _string_in(self._held)


def _unquoted(text: str) -> str:
    """Read the inside of a JSON string, and whatever models write in place of one."""
    # An escape that JSON does not know, such as ``\d``, was meant as it stands.
    known = _ESCAPE.sub(lambda found: found[0] if found[1] else r"\\", text)
    string = str(json.loads(f'"{known}"', strict=False))  # line ends may stand as they are
    return string.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


def _string_in(arguments: str) -> str:
    """Return the string that a model most likely meant."""
    try:
        value: Any = json.loads(arguments, strict=False)
    except ValueError:
        return arguments  # it wrote the input as it is
    if is_object(value):
        chosen = value.get(CUSTOM_ARGUMENT, next(iter(value.values())) if len(value) == 1 else None)
        return chosen if isinstance(chosen, str) else ("" if not value else arguments)
    return value if isinstance(value, str) else arguments
