"""What every Realtime event has."""

from __future__ import annotations

from typing import Any, Final, cast

import msgspec

from turnwire.events.base import RAW_FIELD_NAME

# No server uses such names; the decoder sets the fields.
_OWN: Final = "turnwire:"
_BETA_FIELD_NAME: Final = f"{_OWN}beta_type"
_SHOWN: Final = ("event_id", "response_id", "item_id", "call_id")


class RealtimeEvent(msgspec.Struct, frozen=True, kw_only=True, tag_field="type"):
    """An event of a Realtime session.

    Attributes:
        raw: The message as it arrived, or empty for an event that was never on the wire.
        beta_type: The beta's name of the event if it arrived under that, or None.
        event_id: The server's id of the event, or None.
    """

    raw: bytes = msgspec.field(default=b"", name=RAW_FIELD_NAME)
    beta_type: str | None = msgspec.field(default=None, name=_BETA_FIELD_NAME)
    event_id: str | None = None

    @property
    def type(self) -> str:
        """Today's name of the event, such as ``response.output_audio.delta``."""
        return str(self.__struct_config__.tag)

    @property
    def raw_type(self) -> str:
        """The name on the wire: ``type``, or what the beta called it."""
        return self.beta_type or self.type

    def to_dict(self) -> dict[str, Any]:
        """Return the whole event as it arrived, with fields that the class does not name."""
        return to_dict(self, self.raw)

    def __repr__(self) -> str:
        """Name the event and its ids; what was said stays out of logs."""
        return shown(self, ("type", *_SHOWN))


def to_dict(struct: msgspec.Struct, raw: bytes) -> dict[str, Any]:
    """Return what arrived; for a struct that was made here, the fields that are not None."""
    if raw:
        loaded: dict[str, Any] = msgspec.json.decode(raw)
        return loaded
    built: dict[str, Any] = _present(msgspec.to_builtins(struct))
    return built


def _present(value: Any) -> Any:
    """Leave out what is None, and our own fields."""
    if isinstance(value, dict):
        fields = cast("dict[str, Any]", value)
        return {
            name: _present(inner)
            for name, inner in fields.items()
            if inner is not None and not name.startswith(_OWN)
        }
    if isinstance(value, (list, tuple)):
        return [_present(inner) for inner in cast("list[Any]", value)]
    return value


def shown(struct: msgspec.Struct, names: tuple[str, ...]) -> str:
    """Return a ``repr`` of some fields, without those that are empty."""
    found = ((name, getattr(struct, name, None)) for name in names)
    inside = ", ".join(f"{name}={value!r}" for name, value in found if value)
    return f"{type(struct).__name__}({inside})"
