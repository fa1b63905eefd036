"""What ``session.update`` and ``response.create`` may set, merged and checked."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from turnwire.gateway.json_shapes import Json, is_array, is_object, object_or_empty
from turnwire.gateway.voice.defaults import DETECTION, VOICES
from turnwire.gateway.voice.formats import FORMATS
from turnwire.gateway.voice.refusals import (
    missing,
    tracing_is_frozen,
    unknown_member,
    voice_is_frozen,
    wrong_type,
    wrong_value,
)

if TYPE_CHECKING:
    from collections.abc import Iterable

_SESSION: Final = frozenset(
    {
        "type", "model", "output_modalities", "instructions", "audio", "tools", "tool_choice",
        "parallel_tool_calls", "reasoning", "prompt", "max_output_tokens", "truncation", "tracing",
        "include",
    }
)  # fmt: skip
_RESPONSE: Final = frozenset(
    {
        "output_modalities", "instructions", "audio", "tools", "tool_choice",
        "parallel_tool_calls", "reasoning", "prompt", "max_output_tokens", "metadata", "input",
        "conversation",
    }
)  # fmt: skip
_INPUT: Final = frozenset({"format", "transcription", "noise_reduction", "turn_detection"})
_OUTPUT: Final = frozenset({"format", "voice", "speed"})
_TOOLS: Final = {"function": ("name",), "mcp": ("server_label",)}  # and what each needs
_SLOWEST: Final = 0.25
_FASTEST: Final = 1.5


def updated_session(session: Json, change: Any, *, has_spoken: bool) -> Json:
    """Return the session with what the client gave, and with all the rest as it was.

    Args:
        session: The session object.
        change: ``session`` of a ``session.update``.
        has_spoken: Whether the model has said anything aloud, after which its voice stays.

    Raises:
        Refused: Something in it cannot be; then nothing of it counts.
    """
    if not is_object(change):
        raise missing("session")
    if "type" not in change:
        raise missing("session.type")
    if change["type"] != session["type"]:
        raise wrong_value("session.type", change["type"], [session["type"]])
    _check_members(change, _SESSION, "session")
    _check_shared(change, "session")
    if (
        session["tracing"] is not None
        and change.get("tracing", session["tracing"]) != session["tracing"]
    ):
        raise tracing_is_frozen()
    merged = _merged(session, change)
    voice = session["audio"]["output"]["voice"]
    if has_spoken and merged["audio"]["output"]["voice"] != voice:
        raise voice_is_frozen()
    return merged


def response_parameters(session: Json, change: Any) -> Json:
    """Return what counts for one response: the session's parameters, and its own over them.

    Raises:
        Refused: Something in it cannot be.
    """
    if change is None:
        change = {}
    if not is_object(change):
        raise wrong_type("response", "an object", "something else")
    _check_members(change, _RESPONSE, "response")
    _check_shared(change, "response")
    if change.get("conversation") not in (None, "auto", "none"):
        raise wrong_value("response.conversation", change["conversation"], ["auto", "none"])
    return _merged(session, change)


def _check_members(given: Json, known: frozenset[str], where: str) -> None:
    for name in given:
        if name not in known:
            raise unknown_member(f"{where}.{name}")


def _check_shared(change: Json, where: str) -> None:
    if "output_modalities" in change and change["output_modalities"] not in (["audio"], ["text"]):
        given = change["output_modalities"]
        raise wrong_value(f"{where}.output_modalities", given, ["[audio]", "[text]"])
    limit = change.get("max_output_tokens", "inf")
    if limit not in (None, "inf") and (not isinstance(limit, int) or limit < 1):
        raise wrong_value(f"{where}.max_output_tokens", limit, ["an integer above 0", "inf"])
    _check_tools(change.get("tools", []), f"{where}.tools")
    audio = change.get("audio")
    if audio is None:
        return
    if not is_object(audio):
        raise wrong_type(f"{where}.audio", "an object", "something else")
    _check_members(audio, frozenset({"input", "output"}), f"{where}.audio")
    _check_input(object_or_empty(audio.get("input")), f"{where}.audio.input")
    _check_output(object_or_empty(audio.get("output")), f"{where}.audio.output")


def _check_tools(tools: Any, where: str) -> None:
    if not is_array(tools) or not all(is_object(tool) for tool in tools):
        raise wrong_type(where, "an array of objects", "something else")
    for index, tool in enumerate(tools):
        kind = tool.get("type", "function")
        if not _is_one_of(kind, _TOOLS):
            raise wrong_value(f"{where}[{index}].type", kind, _TOOLS)
        for name in _TOOLS[kind]:  # not inside of `function`, as Chat Completions has it
            if name not in tool:
                raise missing(f"{where}[{index}].{name}")
            if not isinstance(tool[name], str):
                raise wrong_type(f"{where}[{index}].{name}", "a string", type(tool[name]).__name__)
        if "function" in tool:
            raise unknown_member(f"{where}[{index}].function")


def _check_input(given: Json, where: str) -> None:
    _check_members(given, _INPUT, where)
    _check_format(given, where)
    detection = given.get("turn_detection")
    if detection is None:
        return
    if not is_object(detection):
        raise wrong_type(f"{where}.turn_detection", "an object", type(detection).__name__)
    kind = detection.get("type")
    if kind is not None and not _is_one_of(kind, DETECTION):
        raise wrong_value(f"{where}.turn_detection.type", kind, DETECTION)
    for name, value in detection.items():
        param = f"{where}.turn_detection.{name}"
        if name in {"create_response", "interrupt_response"} and not isinstance(value, bool):
            raise wrong_type(param, "a boolean", type(value).__name__)
        if name.endswith("_ms") and not _is_count(value) and (name, value) != (_IDLE, None):
            raise wrong_type(param, "an integer", type(value).__name__)
        if name == "threshold" and not (_is_number(value) and 0 <= value <= 1):
            raise wrong_value(param, value, ["a number from 0 to 1"])
        if name == "eagerness" and value not in ("low", "medium", "high", "auto"):
            raise wrong_value(param, value, ["low", "medium", "high", "auto"])


_IDLE: Final = "idle_timeout_ms"


def _check_output(given: Json, where: str) -> None:
    _check_members(given, _OUTPUT, where)
    _check_format(given, where)
    speed = given.get("speed", 1.0)
    if not _is_number(speed) or not _SLOWEST <= speed <= _FASTEST:
        raise wrong_value(f"{where}.speed", speed, [f"a number from {_SLOWEST} to {_FASTEST}"])
    voice = given.get("voice", VOICES[0])
    if voice not in VOICES and not (is_object(voice) and isinstance(voice.get("id"), str)):
        raise wrong_value(f"{where}.voice", voice, VOICES)


def _check_format(given: Json, where: str) -> None:
    form = given.get("format")
    if form is None:
        return
    kind = object_or_empty(form).get("type")
    known = next((each for name, each in FORMATS.items() if name == kind), None)
    if known is None:
        raise wrong_value(f"{where}.format.type", kind, FORMATS)
    rate = object_or_empty(form).get("rate", known.rate)
    if rate != known.rate:
        raise wrong_value(f"{where}.format.rate", rate, [str(known.rate)])


def _is_one_of(value: Any, names: Iterable[str]) -> bool:
    return value in tuple(names)  # not in a table: JSON has values that cannot be looked up


def _is_count(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


# Members that are replaced as a whole: half of one and half of another would mean nothing.
_WHOLE: Final = frozenset({"format", "metadata", "tool_choice", "tracing", "truncation", "prompt"})


def _merged(old: Json, change: Json) -> Json:
    merged = dict(old)
    for name, value in change.items():
        if name == "turn_detection" and is_object(value):
            merged[name] = _detection(old.get(name), value)
        elif name == "format" and value is not None:
            merged[name] = FORMATS[value["type"]].wire()
        elif name not in _WHOLE and is_object(value) and is_object(old.get(name)):
            merged[name] = _merged(old[name], value)
        elif name not in {"format", "audio"} or value is not None:
            merged[name] = value
    return merged


def _detection(old: Json | None, change: Json) -> Json:
    """Return a detection with all its members; those of another kind do not stay."""
    kind = change.get("type") or (old or {}).get("type", "server_vad")
    kept = old if old is not None and old["type"] == kind else DETECTION[kind]()
    return {**kept, **change, "type": kind}
