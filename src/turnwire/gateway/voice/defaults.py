"""The session object as it is before anybody has changed it.

Source: the session object of the GA API, as openai-python 3.52 types it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from turnwire.gateway.voice.formats import PCM

if TYPE_CHECKING:
    from turnwire.gateway.json_shapes import Json

DEFAULT_MODEL: Final = "turnwire-voice"
VOICES: Final = (
    "alloy", "ash", "ballad", "coral", "echo", "sage", "shimmer", "verse", "marin", "cedar",
)  # fmt: skip


def server_vad() -> Json:
    """Return what detects turns by loudness, with the service's numbers."""
    return {
        "type": "server_vad",
        "threshold": 0.5,
        "prefix_padding_ms": 300,
        "silence_duration_ms": 500,
        "idle_timeout_ms": None,
        "create_response": True,
        "interrupt_response": True,
    }


def semantic_vad() -> Json:
    """Return what detects turns by meaning; here by a longer or shorter silence."""
    return {
        "type": "semantic_vad",
        "eagerness": "auto",
        "create_response": True,
        "interrupt_response": True,
    }


DETECTION: Final = {"server_vad": server_vad, "semantic_vad": semantic_vad}


def session_object(session_id: str, model: str, expires_at: int | None) -> Json:
    """Return a session object.

    Args:
        session_id: The server's name for it.
        model: The model that was dialled.
        expires_at: When it ends, in seconds since 1970.
    """
    return {
        "type": "realtime",
        "object": "realtime.session",
        "id": session_id,
        "model": model,
        "output_modalities": ["audio"],
        "instructions": "",
        "tools": [],
        "tool_choice": "auto",
        "max_output_tokens": "inf",
        "tracing": None,
        "truncation": "auto",
        "prompt": None,
        "expires_at": expires_at,
        "include": None,
        "audio": {
            "input": {
                "format": PCM.wire(),
                "transcription": None,
                "noise_reduction": None,
                "turn_detection": server_vad(),
            },
            "output": {"format": PCM.wire(), "voice": "marin", "speed": 1.0},
        },
    }
