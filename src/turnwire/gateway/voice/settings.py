"""How the voice model behaves, apart from what it says."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

MIB: Final = 2**20


@dataclass(frozen=True, slots=True, kw_only=True)
class VoiceSettings:
    """What a session goes by; durations in seconds unless they say otherwise.

    Attributes:
        speed: How many times faster than it is played audio is made; the hosted service was seen
            at 6 to 9.
        chunk_ms: Milliseconds of audio in one event.
        created_delay: From what asks for a response to ``response.created``.
        first_output_delay: From there to its first item.
        transcription_delay: From the commit of what a user said to its transcript, which may so
            come after the reply.
        late_chunks: Chunks that still come after a cancel, before the response is done.
        chunks_after_done: The same, after it is done.
        shorter_ms: By how much less audio the server believes to have sent than it has: 85 was met
            in the field.
        cancels_before_created: False answers a cancel that comes before ``response.created`` as if
            there were nothing to cancel, and the response is spoken after all.
        says_chain_created: Whether the session begins with ``conversation.created`` as well.
        onset_ms: How long sound has to be loud until it counts as speech.
        max_age: After so long the session has expired; None for never.
        max_audio_bytes: Largest audio of one append, decoded.
        buffer_bytes: Audio that may wait to be committed.
        item_bytes: What the items of one session may take; beyond it the oldest lose their audio.
        active_limit: Responses at once, those outside of the default conversation included.
    """

    speed: float = 8.0
    chunk_ms: float = 100.0
    created_delay: float = 0.0
    first_output_delay: float = 0.0
    transcription_delay: float = 0.0
    late_chunks: int = 0
    chunks_after_done: int = 0
    shorter_ms: int = 0
    cancels_before_created: bool = True
    says_chain_created: bool = True
    onset_ms: int = 50
    max_age: float | None = 3600.0
    max_audio_bytes: int = 15 * MIB
    buffer_bytes: int = 32 * MIB
    item_bytes: int = 256 * MIB
    active_limit: int = 16
