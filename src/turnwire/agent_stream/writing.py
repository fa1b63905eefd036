"""Messages to plain dicts, in the shapes of pi-ai: to be kept as JSON, and read again."""

from __future__ import annotations

from dataclasses import fields, is_dataclass
from typing import TYPE_CHECKING, Any

from turnwire.agent_stream.reading import camel_case

if TYPE_CHECKING:
    from turnwire.agent_stream.messages import Message


def to_dict(message: Message) -> dict[str, Any]:
    """Return a message as a dict with keys in camelCase; what is None is left out."""
    written: dict[str, Any] = _plain(message)
    return written


def _plain(value: Any) -> Any:
    if is_dataclass(value) and not isinstance(value, type):
        named = {word: getattr(value, word) for word in ("role", "type") if hasattr(value, word)}
        members = {camel_case(each.name): getattr(value, each.name) for each in fields(value)}
        return named | {
            name: _plain(member) for name, member in members.items() if member is not None
        }
    if isinstance(value, list | tuple):
        return [_plain(each) for each in value]  # pyright: ignore[reportUnknownVariableType]  # any list
    return value
