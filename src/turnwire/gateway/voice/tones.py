"""The built-in voice: it speaks in tones, one burst for each word, and hears tones and silence.

So the transcript of whatever it says is known to the millisecond, and what was said to it can be
told without a model that understands speech.
"""

from __future__ import annotations

import math
from array import array
from bisect import bisect_right
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Final

import msgspec

from turnwire.gateway.json_shapes import object_or_empty
from turnwire.gateway.upstreams.scripted.arguments import arguments_for
from turnwire.gateway.voice.hearing import heard_tones
from turnwire.gateway.voice.model import Called, Spoken, Word, Written

if TYPE_CHECKING:
    from collections.abc import Sequence

    from turnwire.gateway.json_shapes import Json
    from turnwire.gateway.voice.conversation import Item
    from turnwire.gateway.voice.formats import AudioFormat
    from turnwire.gateway.voice.model import Asked, Saying

_MS: Final = 1000
_WORD_MS: Final = 160
_GAP_MS: Final = 60
_STEPS: Final = (400, 450, 500, 600, 670)  # Hz, of a scale without semitones
_AMPLITUDE: Final = 8000
_EDGE_MS: Final = 5  # of each burst, faded so that it does not click
_EXCERPT: Final = 80  # characters


@dataclass(frozen=True, slots=True)
class Burst:
    """One tone: when it begins and ends, in milliseconds, and its frequency in Hz."""

    from_ms: float
    to_ms: float
    hz: int


class Tones:
    """Bursts with silence between them.

    Args:
        bursts: In their order.
        ms: How long it all is.
    """

    def __init__(self, bursts: Sequence[Burst], ms: float) -> None:
        self.bursts = tuple(bursts)
        self._begins = [burst.from_ms for burst in self.bursts]
        self._ms = ms

    @property
    def ms(self) -> float:
        """How long it is."""
        return self._ms

    def audio(self, first: int, last: int, form: AudioFormat) -> bytes:
        """Return some of its samples."""
        samples = array("h", bytes(2 * (last - first)))
        index = max(0, bisect_right(self._begins, first * _MS / form.rate) - 1)
        for burst in self.bursts[index:]:
            begin, end = form.count(burst.from_ms), form.count(burst.to_ms)
            if begin >= last:
                break
            tone = _tone(burst.hz, end - begin, form.rate)
            low, high = max(begin, first), min(end, last)
            if low < high:
                samples[low - first : high - first] = tone[low - begin : high - begin]
        return form.encoded(samples)


@cache
def _tone(hz: int, count: int, rate: int) -> array[int]:
    """Return a sine with soft edges."""
    edge = rate * _EDGE_MS / _MS
    turn = 2 * math.pi * hz / rate
    return array(
        "h",
        (
            round(_AMPLITUDE * min(1.0, n / edge, (count - 1 - n) / edge) * math.sin(turn * n))
            for n in range(count)
        ),
    )


def spoken(text: str, speed: float = 1.0) -> Spoken:
    """Return a text as tones: a burst for each word, whose pitch its first letter tells."""
    words: list[Word] = []
    bursts: list[Burst] = []
    at_ms = 0.0
    for number, word in enumerate(text.split()):
        words.append(Word(f" {word}" if number else word, at_ms))
        bursts.append(Burst(at_ms, at_ms + _WORD_MS / speed, _STEPS[ord(word[0]) % len(_STEPS)]))
        at_ms += (_WORD_MS + _GAP_MS) / speed
    return Spoken(tuple(words), Tones(bursts, at_ms))


class TonesVoice:
    """Answers with what it heard or read; calls a function that is named to it."""

    def reply(self, asked: Asked) -> Sequence[Saying]:
        """Return the items of one response."""
        last = asked.items[-1] if asked.items else None
        call = _wanted_call(last, asked.parameters)
        if call is not None:
            return [call]
        text = _answer(last)
        if asked.speaks:
            return [spoken(text, asked.parameters["audio"]["output"].get("speed") or 1.0)]
        return [Written(tuple(word.text for word in spoken(text).words))]

    def transcribe(self, audio: bytes, form: AudioFormat) -> str:
        """Return what was heard."""
        return _told(audio, form)


def _answer(last: Item | None) -> str:
    if last is None:
        return "Hello. I hear tones, and answer in tones."
    if last.value["type"] == "function_call_output":
        return f"The function returned: {_excerpt(last.value['output'])}"
    tracks = [track for track in last.tracks.values() if track.data is not None]
    if tracks and last.value.get("role") == "user":
        told = _told(bytes(tracks[-1].data or b""), tracks[-1].form)
        return f"I heard {told} in {tracks[-1].ms} milliseconds."
    return f"You wrote: {_excerpt(last.text)}"


def _told(audio: bytes, form: AudioFormat) -> str:
    found = heard_tones(audio, form)
    if not found:
        return "silence"
    tones = " and ".join(f"{hz} Hz" for hz in found)
    return f"a tone of {tones}" if len(found) == 1 else f"{len(found)} tones of {tones}"


def _excerpt(text: str) -> str:
    return text if len(text) <= _EXCERPT else text[:_EXCERPT] + "…"


def _wanted_call(last: Item | None, parameters: Json) -> Called | None:
    """Return a call if the user has written the name of a function, or one is required."""
    functions = [tool for tool in parameters["tools"] if tool.get("type") == "function"]
    choice = parameters.get("tool_choice")
    if last is None or not functions or choice == "none":
        return None
    if last.value.get("role") != "user":
        return None
    forced = object_or_empty(choice).get("name")
    for function in functions:
        if function["name"] in (forced, *last.text.replace(".", " ").split()) or (
            choice == "required"
        ):
            arguments = arguments_for(function.get("parameters"), last.text)
            return Called(function["name"], msgspec.json.encode(arguments).decode())
    return None
