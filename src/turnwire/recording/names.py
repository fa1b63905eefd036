"""Names that a client makes anew each time, and that the server says again: of events, of items.

The recorded server is made to say those of the client that is there now.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final, cast

if TYPE_CHECKING:
    from collections.abc import Mapping

_STRING: Final = re.compile(r'"((?:[^"\\]|\\.)*)"', re.DOTALL)


def given_names(event: Any) -> dict[str, str]:
    """Return the names that a client's message gives, by place: docs/protocol/realtime.md."""
    names = {"event_id": _member(event, "event_id")}
    if _member(event, "type") == "conversation.item.create":
        names["item.id"] = _member(_member(event, "item"), "id")
    return {place: name for place, name in names.items() if isinstance(name, str)}


def renamed(recorded: Any, arrived: Any) -> dict[str, str]:
    """Return what a message that arrived calls otherwise than the recorded one."""
    before, now = given_names(recorded), given_names(arrived)
    places = before.keys() & now.keys()
    return {before[place]: now[place] for place in places if before[place] != now[place]}


def with_names(text: str, names: Mapping[str, str]) -> str:
    """Return a recorded JSON text with the names of today."""
    if not names:
        return text
    return _STRING.sub(lambda found: f'"{names.get(found[1], found[1])}"', text)


def _member(value: Any, name: str) -> Any:
    return cast("dict[str, Any]", value).get(name) if isinstance(value, dict) else None
