"""The wire as others speak it: the beta's names, voices as objects, responses without usage."""

from __future__ import annotations

from typing import Any, Final, cast

Json = dict[str, Any]

_NAMES: Final = {
    f"response.{new}.{end}": f"response.{old}.{end}"
    for new, old in (
        ("output_audio", "audio"),
        ("output_audio_transcript", "audio_transcript"),
        ("output_text", "text"),
    )
    for end in ("delta", "done")
}
_PARTS: Final = {"output_text": "text", "output_audio": "audio"}
_FORMATS: Final = {"audio/pcm": "pcm16", "audio/pcmu": "g711_ulaw", "audio/pcma": "g711_alaw"}


def beta_events(event: Json) -> list[Json]:
    """Return what the beta would have sent in place of an event; nothing for what it had not."""
    kind: str = event["type"]
    if kind == "conversation.item.done":
        return []
    event = dict(event)
    event["type"] = (
        "conversation.item.created" if kind == "conversation.item.added" else _NAMES.get(kind, kind)
    )
    if "item" in event:
        event["item"] = _beta_item(event["item"])
    if "response" in event:
        response = event["response"]
        event["response"] = response | {"output": [_beta_item(item) for item in response["output"]]}
    if "session" in event:
        event["session"] = _beta_session(event["session"])
    return [event]


def _beta_item(item: Json) -> Json:
    if "content" not in item:
        return item
    content = [part | {"type": _PARTS.get(part["type"], part["type"])} for part in item["content"]]
    return item | {"content": content}


def _beta_session(session: Json) -> Json:
    flat = {name: value for name, value in session.items() if name not in ("type", "audio")}
    heard, said = session["audio"]["input"], session["audio"]["output"]
    flat["modalities"] = (
        ["text", "audio"] if flat.pop("output_modalities") == ["audio"] else ["text"]
    )
    flat["max_response_output_tokens"] = flat.pop("max_output_tokens")
    return flat | {
        "voice": said["voice"],
        "temperature": 0.8,
        "input_audio_format": _FORMATS[heard["format"]["type"]],
        "output_audio_format": _FORMATS[said["format"]["type"]],
        "input_audio_transcription": heard["transcription"],
        "input_audio_noise_reduction": heard["noise_reduction"],
        "turn_detection": heard["turn_detection"],
    }


_TYPES: Final = {old: new for new, old in _FORMATS.items()}
_FLAT: Final = {
    "input_audio_transcription": ("input", "transcription"),
    "input_audio_noise_reduction": ("input", "noise_reduction"),
    "turn_detection": ("input", "turn_detection"),
    "voice": ("output", "voice"),
    "speed": ("output", "speed"),
}


def of_beta(event: Json) -> Json:
    """Return an event of a client of the beta as GA has it."""
    if event.get("type") == "session.update" and isinstance(event.get("session"), dict):
        return event | {"session": _nested(cast("Json", event["session"]))}
    return event


def _nested(flat: Json) -> Json:
    if "audio" in flat or flat.get("type") == "realtime":
        return flat
    session: Json = {"type": "realtime"}
    audio: dict[str, Json] = {"input": {}, "output": {}}
    for name, value in flat.items():
        if name in _FLAT:
            side, inner = _FLAT[name]
            audio[side][inner] = value
        elif name in ("input_audio_format", "output_audio_format"):
            audio[name.split("_")[0]]["format"] = {"type": _TYPES.get(value, value)}
        elif name == "modalities":
            session["output_modalities"] = ["audio"] if "audio" in value else ["text"]
        elif name == "max_response_output_tokens":
            session["max_output_tokens"] = value
        elif name != "temperature":
            session[name] = value
    return session | {"audio": audio}


def with_voice(event: Json, voice: Json) -> Json:
    """Return an event with another voice wherever one is shown."""
    for name in ("session", "response"):
        inner = event.get(name)
        if isinstance(inner, dict) and "audio" in inner:
            inner = cast("Json", inner)
            output = inner["audio"]["output"] | {"voice": voice}
            event = event | {name: inner | {"audio": inner["audio"] | {"output": output}}}
    return event


def without_usage(event: Json) -> Json:
    """Return a ``response.done`` that does not say what it cost."""
    response = {name: value for name, value in event["response"].items() if name != "usage"}
    return event | {"response": response}
