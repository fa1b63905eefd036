"""One response: what it says of itself, and whether it is to end."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, Literal

if TYPE_CHECKING:
    from turnwire.gateway.json_shapes import Json
    from turnwire.gateway.voice.conversation import Item
    from turnwire.gateway.voice.formats import AudioFormat

Status = Literal["in_progress", "completed", "cancelled", "incomplete", "failed"]

# What audio costs: the service counts a token for 100 ms heard, and for 50 ms said.
_HEARD_TOKEN_MS: Final = 100
SAID_TOKEN_MS: Final = 50
_TOKEN_CHARACTERS: Final = 4


@dataclass(slots=True, eq=False)
class Response:
    """A response from the moment it is asked for.

    Attributes:
        id: Its name.
        parameters: The session's, and those of its create over them.
        form: The audio format that its sound is made in.
        chain_id: The wire's ``conversation_id``; None outside of the default conversation.
        heard: The items that it answers.
        status: How it is.
        reason: Why it was cancelled or is incomplete.
        error: Why it failed.
        created: Whether the client knows of it.
        said_ms: Milliseconds of audio so far, also of what was truncated since.
        said_characters: Of text, transcripts and arguments so far; the same.
        output: Its items.
    """

    id: str
    parameters: Json
    form: AudioFormat
    chain_id: str | None
    heard: tuple[Item, ...] = ()
    status: Status = "in_progress"
    reason: str | None = None
    error: Json | None = None
    created: bool = False
    said_ms: float = 0.0
    said_characters: int = 0
    output: list[Item] = field(default_factory=list["Item"])

    @property
    def in_chain(self) -> bool:
        """Whether its items become part of the default conversation."""
        return self.chain_id is not None

    @property
    def active(self) -> bool:
        """Whether it is still being made."""
        return self.status == "in_progress"

    @property
    def speaks(self) -> bool:
        """Whether it is to be heard."""
        return "audio" in self.parameters["output_modalities"]

    @property
    def limit_tokens(self) -> float:
        """How many tokens it may have."""
        return float(self.parameters.get("max_output_tokens") or "inf")

    def end(self, status: Status, reason: str | None = None) -> None:
        """Let it be over; the first reason counts."""
        if self.active:
            self.status, self.reason = status, reason

    def json(self) -> Json:
        """Return the object of the wire as it is at its end."""
        output: Json = {
            "format": self.form.wire(),
            "voice": self.parameters["audio"]["output"]["voice"],
        }
        return {
            "object": "realtime.response",
            "id": self.id,
            "status": self.status,
            "status_details": self._details(),
            "output": [item.snapshot() for item in self.output],
            "conversation_id": self.chain_id,
            "output_modalities": self.parameters["output_modalities"],
            "max_output_tokens": self.parameters.get("max_output_tokens"),
            "audio": {"output": output},
            "usage": self.usage(),
            "metadata": self.parameters.get("metadata"),
        }

    def begun(self) -> Json:
        """Return it as it is told first; one that was cancelled before says so only at its end."""
        return self.json() | {"status": "in_progress", "status_details": None, "usage": None}

    def _details(self) -> Json:
        reason = {} if self.reason is None else {"reason": self.reason}
        error = {} if self.error is None else {"error": self.error}
        return {"type": self.status, **reason, **error}

    def usage(self) -> Json:
        """Return the tokens, estimated from lengths."""
        heard_text, heard_audio = _heard_tokens(self.heard)
        said_text = _parts(self.said_characters, _TOKEN_CHARACTERS)
        said_audio = _parts(round(self.said_ms), SAID_TOKEN_MS)
        heard, said = heard_text + heard_audio, said_text + said_audio
        return {
            "total_tokens": heard + said,
            "input_tokens": heard,
            "output_tokens": said,
            "input_token_details": {
                "text_tokens": heard_text,
                "audio_tokens": heard_audio,
                "image_tokens": 0,
                "cached_tokens": 0,
                "cached_tokens_details": {"text_tokens": 0, "audio_tokens": 0, "image_tokens": 0},
            },
            "output_token_details": {"text_tokens": said_text, "audio_tokens": said_audio},
        }


def _heard_tokens(items: tuple[Item, ...]) -> tuple[int, int]:
    """Return estimates for text and for audio."""
    characters = sum(len(item.text) + len(item.value.get("arguments", "")) for item in items)
    ms = sum(track.ms for item in items for track in item.tracks.values())
    return _parts(characters, _TOKEN_CHARACTERS), _parts(ms, _HEARD_TOKEN_MS)


def _parts(count: int, of: int) -> int:
    """Return how many parts there are, the last of which need not be full."""
    return -(-count // of)
