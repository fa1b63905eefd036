"""What the session is to be, and what the server says that it is."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, cast

from turnwire.events import encode
from turnwire.events.realtime import PCM16, AudioFormat

if TYPE_CHECKING:
    from collections.abc import Mapping

# Fields that users say in a word, and where the wire has them.
_PLACES: Final[Mapping[str, tuple[str, ...]]] = {
    "voice": ("audio", "output", "voice"),
    "speed": ("audio", "output", "speed"),
    "output_format": ("audio", "output", "format"),
    "input_format": ("audio", "input", "format"),
    "turn_detection": ("audio", "input", "turn_detection"),
    "transcription": ("audio", "input", "transcription"),
    "noise_reduction": ("audio", "input", "noise_reduction"),
}
_FORMATS: Final = ("input_format", "output_format")
_TYPE: Final = "realtime"


def nested(fields: Mapping[str, Any]) -> dict[str, Any]:
    """Return fields in the shape of the wire; those that are not given stay away, None stays.

    Args:
        fields: Of the wire, or said in a word: ``voice``, ``speed``, ``turn_detection`` and so on.
    """
    shaped: dict[str, Any] = {}
    for name, value in fields.items():
        path = _PLACES.get(name, (name,))
        if name in _FORMATS and value is not None:
            value = AudioFormat.read(value).to_wire()  # noqa: PLW2901  # the same, as the wire has it
        piece: Any = value
        for step in reversed(path[1:]):
            piece = {step: piece}
        shaped = merged(shaped, {path[0]: piece})
    return shaped


def merged(old: Mapping[str, Any], new: Mapping[str, Any]) -> dict[str, Any]:
    """Return ``old`` with what ``new`` says; inside of ``audio`` too, where ``new`` may be partial.

    Other objects, such as turn detection, are replaced as a whole, as the server does it.
    """
    result = dict(old)
    for name, value in new.items():
        before = result.get(name)
        if name in {"audio", "input", "output"} and isinstance(value, dict):
            outer = cast("dict[str, Any]", before) if isinstance(before, dict) else {}
            result[name] = merged(outer, cast("dict[str, Any]", value))
        else:
            result[name] = value
    return result


class Configuration:
    """The session's fields.

    Attributes:
        effective: What the server said last, or empty.
    """

    def __init__(self, wanted: Mapping[str, Any]) -> None:
        self._granted = nested(wanted)
        self._asked: dict[int, dict[str, Any]] = {}  # by ticket; not answered yet
        self._sizes: dict[int, int] = {}  # of these, in bytes
        self.effective: dict[str, Any] = {}

    @property
    def wanted(self) -> dict[str, Any]:
        """What its owner asked for, all together; a new session is opened with it."""
        fields = self._granted
        for each in self._asked.values():
            fields = merged(fields, each)
        return fields

    @property
    def kind(self) -> str:
        """``realtime`` or ``transcription``; every update has to name it."""
        return str(self.wanted.get("type", _TYPE))

    @property
    def asked_bytes(self) -> int:
        """The size of what was asked for and has no answer yet."""
        return sum(self._sizes.values())

    def want(self, fields: Mapping[str, Any], ticket: int) -> dict[str, Any]:
        """Note what is asked for, and return what is to be sent: that, and the kind."""
        shaped = self._asked[ticket] = nested(fields)
        self._sizes[ticket] = len(encode(shaped))
        return {"type": self.kind, **shaped}

    def answered(self, ticket: int | None, *, granted: bool) -> None:
        """Note the answer to what was asked for; what was refused is not wanted any more."""
        shaped = self._asked.pop(ticket, None) if ticket is not None else None
        if shaped is None or ticket is None:
            return
        del self._sizes[ticket]
        if granted:
            self._granted = merged(self._granted, shaped)

    def opening(self) -> dict[str, Any] | None:
        """Return what a new session is to be told first, or None if nothing was asked for."""
        fields = {name: value for name, value in self._granted.items() if name != "tracing"}
        return {**fields, "type": self.kind} if fields else None

    def pending(self) -> list[tuple[int, dict[str, Any]]]:
        """Return what else was asked for, by ticket: the server may refuse some of it."""
        return [(ticket, {"type": self.kind, **each}) for ticket, each in self._asked.items()]

    def echoed(self, fields: Mapping[str, Any]) -> None:
        """Take in what the server said."""
        self.effective = dict(fields)

    def _inside(self, *path: str) -> Any:
        """Return a field of the server's last word, or else of what was asked for."""
        for fields in (self.effective, self.wanted):
            found: Any = fields
            for step in path:
                if not isinstance(found, dict) or step not in found:
                    break
                found = cast("dict[str, Any]", found)[step]
            else:
                return found
        return _MISSING

    @property
    def output_format(self) -> AudioFormat:
        """The format of what the model says."""
        return self._format("output")

    @property
    def input_format(self) -> AudioFormat:
        """The format of what the user says."""
        return self._format("input")

    def _format(self, side: str) -> AudioFormat:
        found = self._inside("audio", side, "format")
        return PCM16 if found is _MISSING else AudioFormat.read(found)

    @property
    def detects_turns(self) -> bool:
        """Whether the server finds out by itself when somebody speaks; its default is yes."""
        return self._inside("audio", "input", "turn_detection") is not None

    def _detection(self, name: str) -> bool:
        found = self._inside("audio", "input", "turn_detection")
        if found is _MISSING:
            return True
        if not isinstance(found, dict):
            return False
        return cast("dict[str, Any]", found).get(name) is not False

    @property
    def interrupts(self) -> bool:
        """Whether the server cancels a response when somebody speaks; its default is yes."""
        return self._detection("interrupt_response")

    @property
    def answers(self) -> bool:
        """Whether the server responds when somebody has spoken; its default is yes."""
        return self._detection("create_response")


_MISSING: Final = object()
