"""What the model says, piece by piece."""

import msgspec

from turnwire.events.realtime.base import RealtimeEvent


class _Output(RealtimeEvent, frozen=True, kw_only=True, gc=False):
    response_id: str = ""
    item_id: str = ""
    output_index: int = 0


class _Content(_Output, frozen=True, kw_only=True, gc=False):
    content_index: int = 0


class ResponseAudioDeltaEvent(
    _Content, frozen=True, kw_only=True, gc=False, tag="response.output_audio.delta"
):
    """The next piece of audio.

    Attributes:
        audio: The decoded audio, in the session's output format.
    """

    audio: bytes = msgspec.field(name="delta")

    @property
    def delta(self) -> str:
        """The audio in base64, encoded at each use."""
        return str(msgspec.to_builtins(self.audio))


class ResponseAudioDoneEvent(
    _Content, frozen=True, kw_only=True, gc=False, tag="response.output_audio.done"
):
    """All audio of a part was sent; playing it takes longer."""


class ResponseAudioTranscriptDeltaEvent(
    _Content, frozen=True, kw_only=True, gc=False, tag="response.output_audio_transcript.delta"
):
    """The next characters of what the model says; they come ahead of the audio."""

    delta: str


class ResponseAudioTranscriptDoneEvent(
    _Content, frozen=True, kw_only=True, gc=False, tag="response.output_audio_transcript.done"
):
    """All that the model said in a part."""

    transcript: str = ""


class ResponseTextDeltaEvent(
    _Content, frozen=True, kw_only=True, gc=False, tag="response.output_text.delta"
):
    """The next characters of a text."""

    delta: str


class ResponseTextDoneEvent(
    _Content, frozen=True, kw_only=True, gc=False, tag="response.output_text.done"
):
    """The whole text of a part."""

    text: str = ""


class ResponseFunctionCallArgumentsDeltaEvent(
    _Output, frozen=True, kw_only=True, gc=False, tag="response.function_call_arguments.delta"
):
    """The next characters of a function call's arguments."""

    call_id: str = ""
    delta: str


class ResponseFunctionCallArgumentsDoneEvent(
    _Output, frozen=True, kw_only=True, gc=False, tag="response.function_call_arguments.done"
):
    """The whole arguments of a function call, as JSON text."""

    call_id: str = ""
    name: str = ""
    arguments: str = ""


class OutputAudioBufferStarted(
    RealtimeEvent, frozen=True, kw_only=True, tag="output_audio_buffer.started"
):
    """The server began to play; only where it plays itself (WebRTC, SIP), as the next two."""

    response_id: str = ""


class OutputAudioBufferStopped(
    RealtimeEvent, frozen=True, kw_only=True, tag="output_audio_buffer.stopped"
):
    """The server played all of it."""

    response_id: str = ""


class OutputAudioBufferCleared(
    RealtimeEvent, frozen=True, kw_only=True, tag="output_audio_buffer.cleared"
):
    """The server dropped what it had not played: the user spoke, or the client asked."""

    response_id: str = ""


OutputEvents = (
    ResponseAudioDeltaEvent
    | ResponseAudioDoneEvent
    | ResponseAudioTranscriptDeltaEvent
    | ResponseAudioTranscriptDoneEvent
    | ResponseTextDeltaEvent
    | ResponseTextDoneEvent
    | ResponseFunctionCallArgumentsDeltaEvent
    | ResponseFunctionCallArgumentsDoneEvent
    | OutputAudioBufferStarted
    | OutputAudioBufferStopped
    | OutputAudioBufferCleared
)
