"""What the SDK says a session is to be, as the wire has it.

A field that is not given stays away; an explicit None is a value, for those that have one.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final, cast

from agents import UserError
from agents.realtime import DEFAULT_MODEL_SETTINGS
from pydantic import BaseModel

from turnwire.adapters.openai_agents.realtime.tools import session_tools, tool_choice
from turnwire.events.realtime import PCM16, PCMA, PCMU

if TYPE_CHECKING:
    from agents.realtime import RealtimeSessionModelSettings

Fields = dict[str, Any]

_FORMATS: Final = {
    "pcm": PCM16,
    "pcm16": PCM16,
    "audio/pcm": PCM16,
    "g711_ulaw": PCMU,
    "pcmu": PCMU,
    "audio/pcmu": PCMU,
    "g711_alaw": PCMA,
    "pcma": PCMA,
    "audio/pcma": PCMA,
}
# The SDK's name of a setting beside its `audio`, where the wire has it, and its name inside.
_AUDIO: Final = (
    ("input_audio_format", "input", "format"),
    ("input_audio_noise_reduction", "input", "noise_reduction"),
    ("input_audio_transcription", "input", "transcription"),
    ("turn_detection", "input", "turn_detection"),
    ("output_audio_format", "output", "format"),
    ("voice", "output", "voice"),
    ("speed", "output", "speed"),
)
_MAY_BE_NONE: Final = frozenset({"noise_reduction", "transcription", "turn_detection"})
_AS_THEY_ARE: Final = ("instructions", "prompt", "max_output_tokens", "tracing")
_NOT_NONE: Final = ("parallel_tool_calls", "reasoning")
_HUMP: Final = re.compile(r"(?<!^)(?=[A-Z])")


def opening_fields(settings: RealtimeSessionModelSettings, *, is_call: bool) -> Fields:
    """Return what a new session is told, with the SDK's defaults for what is not given.

    Args:
        settings: The SDK's.
        is_call: Whether it is a call's session; then the call knows the formats.

    Raises:
        UserError: A tool or a format is none that the wire has.
    """
    defaults = {
        name: value
        for name, value in DEFAULT_MODEL_SETTINGS.items()
        if not (is_call and name.endswith("_audio_format"))
    }
    return {"tracing": "auto", **_fields({**defaults, **settings})}


def changed_fields(settings: RealtimeSessionModelSettings) -> Fields:
    """Return what an open session is told: what is given, and nothing else.

    Tracing is left out: a server does not let it be changed.

    Raises:
        UserError: As above.
    """
    return _fields({name: value for name, value in settings.items() if name != "tracing"})


def _fields(settings: Mapping[str, Any]) -> Fields:
    fields: Fields = {}
    if settings.get("model_name"):
        fields["model"] = settings["model_name"]
    modalities = settings.get("output_modalities") or settings.get("modalities")
    if modalities:
        fields["output_modalities"] = list(modalities)
    audio = _audio(settings)
    if audio:
        fields["audio"] = audio
    if "tools" in settings or "handoffs" in settings:
        fields["tools"] = session_tools(settings.get("tools"), settings.get("handoffs"))
    if "tool_choice" in settings:
        fields["tool_choice"] = tool_choice(settings["tool_choice"])
    fields |= {name: _plain(settings[name]) for name in _AS_THEY_ARE if name in settings}
    given = {name: settings.get(name) for name in _NOT_NONE}
    return fields | {name: _plain(value) for name, value in given.items() if value is not None}


def _audio(settings: Mapping[str, Any]) -> Fields:
    nested: Mapping[str, Any] = settings.get("audio") or {}
    sides: dict[str, Fields] = {}
    for flat, side, name in _AUDIO:
        inside: Mapping[str, Any] = nested.get(side) or {}
        places = ((inside, name), (settings, flat))
        given = [each[key] for each, key in places if key in each]
        values = [value for value in given if value is not None or name in _MAY_BE_NONE]
        if values:
            sides.setdefault(side, {})[name] = _read(name, values[0])
    return cast("Fields", sides)


def _read(name: str, value: object) -> object:
    match name:
        case "format":
            return _format(value)
        case "turn_detection":
            return _detection(value)
        case _:
            return _plain(value)


def _format(value: object) -> Fields:
    plain = _plain(value)
    name = cast("Fields", plain).get("type") if isinstance(plain, dict) else plain
    known = _FORMATS.get(str(name))
    if known is None:
        raise UserError(f"{name!r} is no audio format of Realtime; take {', '.join(_FORMATS)}")
    return known.to_wire()


def _detection(value: object) -> object:
    """Return turn detection with the wire's names, whichever spelling the caller took."""
    plain = _plain(value)
    if not isinstance(plain, dict):
        return plain
    given = cast("Fields", plain)
    snake = {_HUMP.sub("_", name).lower(): inner for name, inner in given.items()}
    return snake | {name: inner for name, inner in given.items() if name in snake}


def _plain(value: Any) -> Any:
    """Return a value as JSON has it."""
    if isinstance(value, BaseModel):
        return value.model_dump(mode="json", exclude_unset=True)
    if isinstance(value, Mapping):
        fields = cast("Mapping[str, Any]", value)
        return {name: _plain(inner) for name, inner in fields.items()}
    return value
