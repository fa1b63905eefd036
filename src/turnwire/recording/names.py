"""Names that a client makes anew each time, and that the server says again: of events, of items.

The recorded server is made to say those of the client that is there now.
"""

from __future__ import annotations

import re
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final, cast

import msgspec

from turnwire.recording.redaction import PLACEHOLDER
from turnwire.recording.secrecy import REMOVED

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, MutableMapping

_STRING: Final = re.compile(r'"[^"\\]*(?:\\.[^"\\]*)*"', re.DOTALL)


def learn(names: MutableMapping[str, str], recorded: Any, arrived: Any) -> None:
    """Note what a client calls things now: JSON strings, by those that were recorded."""
    before, now = dict(_given(recorded)), dict(_given(arrived))
    for place in before.keys() & now.keys():
        old, new = before[place], now[place]
        if REMOVED in old or not old.strip(PLACEHOLDER):
            continue  # what it was is not known
        if old == new:
            names.pop(_encoded(old), None)
        else:
            names[_encoded(old)] = _encoded(new)


def learn_from(names: MutableMapping[str, str], recorded: bytes, arrived: bytes) -> None:
    """Do the same with messages, if they are JSON."""
    with suppress(msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        learn(names, msgspec.json.decode(recorded), msgspec.json.decode(arrived))


def with_names(text: str, names: Mapping[str, str]) -> str:
    """Return a recorded JSON text with the names of today."""
    return _STRING.sub(lambda found: names.get(found[0], found[0]), text) if names else text


def _given(event: Any) -> Iterator[tuple[str, str]]:
    """Return the names that a client's message gives, by place: docs/protocol/realtime.md."""
    named = {"event_id": _member(event, "event_id")}
    match _member(event, "type"):
        case "conversation.item.create":
            named["item"] = _member(_member(event, "item"), "id")
        case "response.create":
            given = _member(_member(event, "response"), "input")
            for index, item in enumerate(_elements(given)):
                named[f"input[{index}]"] = _member(item, "id")
        case _:
            pass
    return ((place, name) for place, name in named.items() if isinstance(name, str))


def _encoded(name: str) -> str:
    return msgspec.json.encode(name).decode()


def _member(value: Any, name: str) -> Any:
    return cast("dict[str, Any]", value).get(name) if isinstance(value, dict) else None


def _elements(value: Any) -> list[Any]:
    return list(cast("Iterable[Any]", value)) if isinstance(value, list) else []
