"""The beta's names for today's events and fields, in both directions.

OpenAI switched the beta off in 2026; Azure's preview, clones and old recordings still speak it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final, cast

from turnwire.events.realtime.audio_format import AudioFormat

TODAY_OF_BETA: Final[Mapping[str, str]] = {
    "conversation.item.created": "conversation.item.added",
    "response.audio.delta": "response.output_audio.delta",
    "response.audio.done": "response.output_audio.done",
    "response.audio_transcript.delta": "response.output_audio_transcript.delta",
    "response.audio_transcript.done": "response.output_audio_transcript.done",
    "response.text.delta": "response.output_text.delta",
    "response.text.done": "response.output_text.done",
    "transcription_session.created": "session.created",
    "transcription_session.updated": "session.updated",
}

# Where the beta's flat fields of a session live today.
_NESTED: Final[Mapping[str, tuple[str, ...]]] = {
    "input_audio_format": ("audio", "input", "format"),
    "input_audio_noise_reduction": ("audio", "input", "noise_reduction"),
    "input_audio_transcription": ("audio", "input", "transcription"),
    "turn_detection": ("audio", "input", "turn_detection"),
    "output_audio_format": ("audio", "output", "format"),
    "voice": ("audio", "output", "voice"),
    "speed": ("audio", "output", "speed"),
    "modalities": ("output_modalities",),
    "max_response_output_tokens": ("max_output_tokens",),
}
_FORMATS: Final = frozenset({"input_audio_format", "output_audio_format"})
_BETA_AUDIO: Final = ["text", "audio"]  # it refuses audio alone, and today's server both
_BETA_PART: Final = {"output_text": "text", "output_audio": "audio"}


def session_from_beta(fields: Mapping[str, Any]) -> dict[str, Any]:
    """Return a session in today's shape; one that has it already comes back the same."""
    session: dict[str, Any] = dict(fields)
    for flat, path in _NESTED.items():
        if flat not in session:
            continue
        value = session.pop(flat)
        if flat in _FORMATS and value is not None:
            value = AudioFormat.read(value).to_wire()
        elif flat == "modalities" and "audio" in (value or ()):
            value = ["audio"]
        _put(session, path, value)
    return session


def to_beta(event: Mapping[str, Any]) -> dict[str, Any]:
    """Return a client event as the beta wants it.

    Sessions and responses become flat, and what the model said is called ``text`` and ``audio``.
    Fields that the beta never had go out as they are: its server says what it does not know.
    """
    beta = dict(event)
    kind = beta.get("type")
    if kind == "session.update":
        session = _object(beta.get("session"))
        if session.get("type") == "transcription":
            beta["type"] = "transcription_session.update"
        beta["session"] = _flat({key: session[key] for key in session if key != "type"})
    elif kind == "response.create" and isinstance(beta.get("response"), Mapping):
        response = _flat(_object(beta["response"]))
        if isinstance(response.get("input"), list):
            response["input"] = [_item_to_beta(_object(item)) for item in response["input"]]
        beta["response"] = response
    elif kind == "conversation.item.create":
        beta["item"] = _item_to_beta(_object(beta.get("item")))
    return beta


def inside(found: object, *path: str) -> object:
    """Return a nested field, or None where there is none."""
    for name in path:
        if not isinstance(found, Mapping):
            return None
        found = cast("Mapping[str, object]", found).get(name)
    return found


def _flat(fields: dict[str, Any]) -> dict[str, Any]:
    """Move what is nested today to where the beta has it."""
    flat = {key: value for key, value in fields.items() if key != "audio"}
    for name, path in _NESTED.items():
        found, value = _take(fields, path)
        if not found:
            continue
        if name in _FORMATS and value is not None:
            value = AudioFormat.read(value).to_beta()
        elif value == ["audio"]:
            value = _BETA_AUDIO
        flat.pop(path[0], None)
        flat[name] = value
    left = _left(fields.get("audio"), (path for path in _NESTED.values() if path[0] == "audio"))
    return flat | ({"audio": left} if left else {})


def _left(audio: object, taken: Iterable[tuple[str, ...]]) -> dict[str, Any]:
    """Return what of ``audio`` has no place in the beta, so that nothing is lost in silence."""
    gone = {path[1:] for path in taken}
    left: dict[str, Any] = {}
    for side, fields in _object(audio).items():
        rest = {key: value for key, value in _object(fields).items() if (side, key) not in gone}
        if rest:
            left[side] = rest
    return left


def _item_to_beta(item: dict[str, Any]) -> dict[str, Any]:
    content = item.get("content")
    if item.get("role") != "assistant" or not isinstance(content, (list, tuple)):
        return item
    parts = cast("list[Any]", content)
    return item | {"content": [_part_to_beta(part) for part in parts]}


def _part_to_beta(part: object) -> dict[str, Any]:
    fields = _object(part)
    name = _BETA_PART.get(str(fields.get("type")))
    return fields if name is None else fields | {"type": name}


def _object(value: object) -> dict[str, Any]:
    return dict(cast("Mapping[str, Any]", value)) if isinstance(value, Mapping) else {}


def _take(fields: dict[str, Any], path: tuple[str, ...]) -> tuple[bool, Any]:
    found: Any = fields
    for name in path:
        if not isinstance(found, Mapping) or name not in found:
            return False, None
        found = cast("Mapping[str, Any]", found)[name]
    return True, found


def _put(fields: dict[str, Any], path: tuple[str, ...], value: Any) -> None:
    """Set a nested field where nobody set it, in copies of what is on the way."""
    for name in path[:-1]:
        fields[name] = _object(fields.get(name))
        fields = fields[name]
    fields.setdefault(path[-1], value)
