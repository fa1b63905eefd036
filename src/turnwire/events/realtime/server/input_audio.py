"""The user's audio: what the server heard, and what it wrote down."""

from typing import Any

import msgspec

from turnwire.events.realtime.base import RealtimeEvent


class InputAudioBufferSpeechStartedEvent(
    RealtimeEvent, frozen=True, kw_only=True, tag="input_audio_buffer.speech_started"
):
    """The user began to speak.

    Attributes:
        audio_start_ms: Milliseconds of audio since the session began, padding included.
        item_id: The item that will hold the speech.
    """

    audio_start_ms: int = 0
    item_id: str = ""


class InputAudioBufferSpeechStoppedEvent(
    RealtimeEvent, frozen=True, kw_only=True, tag="input_audio_buffer.speech_stopped"
):
    """The user stopped; ``audio_end_ms`` counts from the beginning of the session."""

    audio_end_ms: int = 0
    item_id: str = ""


class InputAudioBufferCommittedEvent(
    RealtimeEvent, frozen=True, kw_only=True, tag="input_audio_buffer.committed"
):
    """The buffer became an item; ``previous_item_id`` is None for the first one."""

    item_id: str = ""
    previous_item_id: str | None = None


class InputAudioBufferClearedEvent(
    RealtimeEvent, frozen=True, kw_only=True, tag="input_audio_buffer.cleared"
):
    """The buffer is empty, as the client asked."""


class InputAudioBufferTimeoutTriggered(
    RealtimeEvent, frozen=True, kw_only=True, tag="input_audio_buffer.timeout_triggered"
):
    """Nobody spoke for the idle time; the milliseconds count from the session's beginning."""

    audio_start_ms: int = 0
    audio_end_ms: int = 0
    item_id: str = ""


class InputAudioBufferDtmfEventReceivedEvent(
    RealtimeEvent, frozen=True, kw_only=True, tag="input_audio_buffer.dtmf_event_received"
):
    """A key was pressed on the telephone; ``received_at`` is in seconds since 1970."""

    event: str = ""
    received_at: int = 0


class _Transcription(RealtimeEvent, frozen=True, kw_only=True):
    item_id: str = ""
    content_index: int = 0


class ConversationItemInputAudioTranscriptionDeltaEvent(
    _Transcription,
    frozen=True,
    kw_only=True,
    tag="conversation.item.input_audio_transcription.delta",
):
    """The next characters of what the user said."""

    delta: str = ""
    logprobs: list[Any] | None = None


class ConversationItemInputAudioTranscriptionCompletedEvent(
    _Transcription,
    frozen=True,
    kw_only=True,
    tag="conversation.item.input_audio_transcription.completed",
):
    """What the user said; ``usage`` is in tokens or in seconds."""

    transcript: str = ""
    usage: dict[str, Any] | None = None
    languages: list[Any] | None = None
    logprobs: list[Any] | None = None


class TranscriptionError(msgspec.Struct, frozen=True, kw_only=True):
    """Why there is no transcript."""

    type: str | None = None
    code: str | None = None
    message: str | None = None
    param: str | None = None


class ConversationItemInputAudioTranscriptionFailedEvent(
    _Transcription,
    frozen=True,
    kw_only=True,
    tag="conversation.item.input_audio_transcription.failed",
):
    """What the user said could not be written down; the model heard it all the same."""

    error: TranscriptionError = TranscriptionError()


class ConversationItemInputAudioTranscriptionSegment(
    _Transcription,
    frozen=True,
    kw_only=True,
    tag="conversation.item.input_audio_transcription.segment",
):
    """Who said what; ``start`` and ``end`` are in seconds."""

    id: str = ""
    text: str = ""
    speaker: str = ""
    start: float = 0.0
    end: float = 0.0


InputAudioEvents = (
    InputAudioBufferSpeechStartedEvent
    | InputAudioBufferSpeechStoppedEvent
    | InputAudioBufferCommittedEvent
    | InputAudioBufferClearedEvent
    | InputAudioBufferTimeoutTriggered
    | InputAudioBufferDtmfEventReceivedEvent
    | ConversationItemInputAudioTranscriptionDeltaEvent
    | ConversationItemInputAudioTranscriptionCompletedEvent
    | ConversationItemInputAudioTranscriptionFailedEvent
    | ConversationItemInputAudioTranscriptionSegment
)
