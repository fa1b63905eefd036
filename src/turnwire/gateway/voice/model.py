"""What a voice model is asked and what it says: values, and the one interface."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Sequence

    from turnwire.gateway.json_shapes import Json
    from turnwire.gateway.voice.conversation import Item
    from turnwire.gateway.voice.formats import AudioFormat


class Sound(Protocol):
    """Something that can be heard, made piece by piece."""

    @property
    def ms(self) -> float:
        """How long it is."""
        ...

    def audio(self, first: int, last: int, form: AudioFormat) -> bytes:
        """Return the samples from ``first`` up to, without, ``last``, as the format has them."""
        ...


@dataclass(frozen=True, slots=True)
class Word:
    """A piece of a transcript, and when it begins to be heard, in milliseconds."""

    text: str
    at_ms: float


@dataclass(frozen=True, slots=True)
class Spoken:
    """A message that is heard; where only text is wanted, its words are written."""

    words: tuple[Word, ...]
    sound: Sound

    @property
    def text(self) -> str:
        """The whole transcript."""
        return "".join(word.text for word in self.words)


@dataclass(frozen=True, slots=True)
class Written:
    """A message of text, in the pieces in which it comes."""

    pieces: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Called:
    """A call of a function of the client's; without ``call_id`` it gets a new one."""

    name: str
    arguments: str
    call_id: str | None = None


@dataclass(frozen=True, slots=True)
class Failed:
    """The end of a response that could not be made."""

    code: str
    message: str


Saying = Spoken | Written | Called | Failed


@dataclass(frozen=True, slots=True)
class Asked:
    """What a response is to answer.

    Attributes:
        number: 1 for the first response of the session.
        items: What was said so far, oldest first.
        parameters: The session's parameters, and those of this response over them.
        speaks: False if only text is wanted.
    """

    number: int
    items: Sequence[Item]
    parameters: Json
    speaks: bool


class Voice(Protocol):
    """A model that hears and speaks."""

    def reply(self, asked: Asked) -> Sequence[Saying]:
        """Return the items of one response."""
        ...

    def transcribe(self, audio: bytes, form: AudioFormat) -> str:
        """Return what a user has said."""
        ...
