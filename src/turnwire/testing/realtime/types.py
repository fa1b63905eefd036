"""The types of events that there are, so that a misspelt one is noticed.

Source: the official package's unions of server and client events.
"""

from __future__ import annotations

from difflib import get_close_matches
from typing import TYPE_CHECKING, Final

from turnwire.errors import ConfigError
from turnwire.gateway.voice.client_events import ANSWERS

if TYPE_CHECKING:
    from collections.abc import Set as AbstractSet

_TYPO: Final = 0.8  # how alike two names are of which one is meant

SERVER_TYPES: Final = frozenset(
    {
        "conversation.created", "conversation.item.added", "conversation.item.created",
        "conversation.item.deleted", "conversation.item.done",
        "conversation.item.input_audio_transcription.completed",
        "conversation.item.input_audio_transcription.delta",
        "conversation.item.input_audio_transcription.failed",
        "conversation.item.input_audio_transcription.segment", "conversation.item.retrieved",
        "conversation.item.truncated", "error", "input_audio_buffer.cleared",
        "input_audio_buffer.committed", "input_audio_buffer.dtmf_event_received",
        "input_audio_buffer.speech_started", "input_audio_buffer.speech_stopped",
        "input_audio_buffer.timeout_triggered", "mcp_list_tools.completed",
        "mcp_list_tools.failed", "mcp_list_tools.in_progress", "output_audio_buffer.cleared",
        "output_audio_buffer.started", "output_audio_buffer.stopped", "rate_limits.updated",
        "response.content_part.added", "response.content_part.done", "response.created",
        "response.done", "response.function_call_arguments.delta",
        "response.function_call_arguments.done", "response.mcp_call.completed",
        "response.mcp_call.failed", "response.mcp_call.in_progress",
        "response.mcp_call_arguments.delta", "response.mcp_call_arguments.done",
        "response.output_audio.delta", "response.output_audio.done",
        "response.output_audio_transcript.delta", "response.output_audio_transcript.done",
        "response.output_item.added", "response.output_item.done", "response.output_text.delta",
        "response.output_text.done", "session.created", "session.updated",
    }
)  # fmt: skip
CLIENT_TYPES: Final = frozenset({*ANSWERS, "output_audio_buffer.clear"})


def check_type(kind: str, known: AbstractSet[str]) -> None:
    """Find out whether a type is meant as it is written; tests may have types of their own.

    Raises:
        ConfigError: It is like one that there is, and not that one.
    """
    close = () if kind in known else get_close_matches(kind, known, n=1, cutoff=_TYPO)
    if close:
        raise ConfigError(f"there is no event `{kind}`; did you mean `{close[0]}`?")
