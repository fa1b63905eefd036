"""The vocabulary of scripts: what the model says.

A script is a function from what is asked to what is said, or the replies in their order, of which
the last one is said for ever:

    RealtimeServer(reply(counted(3000), counted(3000)))       # two items of three seconds each
    RealtimeServer([reply(call("weather", city="Oslo")), reply(speech("It rains."))])
    RealtimeServer(lambda asked: [text(asked.items[-1].text.upper())])

A ``str`` in place of an item is ``speech`` of it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

import msgspec

from turnwire.errors import ConfigError
from turnwire.gateway.voice.model import Asked, Called, Failed, Saying, Spoken, Word, Written
from turnwire.gateway.voice.tones import TonesVoice, spoken
from turnwire.testing.realtime.sounds import Counted, Toned

if TYPE_CHECKING:
    from turnwire.gateway.voice.formats import AudioFormat

Reply = Sequence["Saying | Numbered"]
ReplyTold = Sequence["Saying | Numbered | str"]  # a `str` is one, too
Script = Callable[[Asked], ReplyTold] | ReplyTold | Sequence[ReplyTold]

_WORD_MS: Final = 200


@dataclass(frozen=True, slots=True)
class Numbered:
    """Sound that gets its item's number when it is said: 1 for the first of the connection."""

    ms: float
    make: Callable[[int, float], Counted | Toned]
    words: str | None = None


def reply(*items: Saying | Numbered | str) -> Reply:
    """Return one response's items; a ``str`` is spoken.

    Raises:
        ConfigError: One cannot be said.
    """
    return tuple(_item(each) for each in items)


def checked(script: Script) -> Callable[[Asked], Reply] | Sequence[Reply]:
    """Return a script as a function, or as replies in their order.

    Raises:
        ConfigError: Something in it cannot be said.
    """
    if callable(script):
        return lambda asked: _reply(script(asked))
    if not _is_list(script):
        return [reply(_item(script))]
    if all(isinstance(each, str) or not _is_list(each) for each in script):
        return [_reply(script)]
    return [_reply(each) if _is_list(each) else reply(_item(each)) for each in script]


def _reply(told: Any) -> Reply:
    return reply(*told) if _is_list(told) else reply(told)


def _is_list(told: Any) -> bool:
    return isinstance(told, Sequence) and not isinstance(told, str | bytes)


def _item(told: Any) -> Saying | Numbered:
    if isinstance(told, str):
        return speech(told)
    if not isinstance(told, Saying | Numbered):
        raise ConfigError(
            f"{type(told).__name__} is nothing that can be said; use speech(…), text(…),"
            " counted(…), toned(…), call(…) or failed(…) of turnwire.testing.realtime"
        )
    return told


def counted(ms: float = 1000.0, words: str | None = None) -> Numbered:
    """Say audio in which each sample can be told; ``oracle.py`` reads it.

    Args:
        ms: How long it is.
        words: Its transcript, spread evenly; ``w1 w2 …``, one for each 200 ms, by default.
    """
    return Numbered(ms, Counted, words)


def toned(ms: float = 1000.0, words: str | None = None) -> Numbered:
    """Say a tone whose frequency tells the item, for what is decoded or resampled on its way."""
    return Numbered(ms, Toned, words)


def speech(words: str) -> Spoken:
    """Say a text as the built-in voice does, a burst for each word."""
    return spoken(words)


def text(words: str) -> Written:
    """Write a text, word by word, even if audio is wanted."""
    pieces = words.split(" ")
    return Written((pieces[0], *(f" {piece}" for piece in pieces[1:])))


def call(name: str, call_id: str | None = None, /, **arguments: Any) -> Called:
    """Call a function of the client's."""
    return Called(name, msgspec.json.encode(arguments).decode(), call_id)


def failed(code: str = "server_error", message: str = "The script says so.") -> Failed:
    """End the response as failed; what stands before it has been said."""
    return Failed(code, message)


@dataclass(slots=True)
class Replied:
    """What was said to one response.

    Attributes:
        asked: What it was asked.
        sayings: Its items.
        response_id: Its name, once it was created.
        item_ids: The names of those items that were begun.
    """

    asked: Asked
    sayings: Sequence[Saying]
    response_id: str | None = None
    item_ids: list[str] = field(default_factory=list[str])


class ScriptedVoice:
    """Plays a script on one connection, and numbers what can be told by its sound.

    Attributes:
        replies: What was said so far.
    """

    def __init__(
        self, script: Script, transcribe: Callable[[bytes, AudioFormat], str] | None
    ) -> None:
        self._script = checked(script)
        self._transcribe = transcribe or TonesVoice().transcribe
        self._number = 0
        self.replies: list[Replied] = []

    def reply(self, asked: Asked) -> Sequence[Saying]:
        """Return the items of one response."""
        script = self._script
        items = script(asked) if callable(script) else _nth(script, asked.number)
        sayings = [self._said(each) for each in items]
        self.replies.append(Replied(asked, sayings))
        return sayings

    def transcribe(self, audio: bytes, form: AudioFormat) -> str:
        """Return what a user has said."""
        return self._transcribe(audio, form)

    def _said(self, saying: Saying | Numbered) -> Saying:
        if not isinstance(saying, Numbered):
            return saying
        self._number += 1
        words = saying.words
        if words is None:
            words = " ".join(f"w{n + 1}" for n in range(max(1, round(saying.ms / _WORD_MS))))
        split = words.split()
        each_ms = saying.ms / len(split)
        timed = (Word(f" {word}" if n else word, n * each_ms) for n, word in enumerate(split))
        return Spoken(tuple(timed), saying.make(self._number, saying.ms))


def _nth(replies: Sequence[Reply], number: int) -> Reply:
    return replies[min(number, len(replies)) - 1]
