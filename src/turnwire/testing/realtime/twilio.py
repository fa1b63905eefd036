"""A phone call as Twilio Media Streams shows it: a simulator without a socket, in real time.

Source: Twilio's pages on the WebSocket messages of bidirectional Media Streams.  The other side is
the bridge: it gets what the caller says in messages of 20 ms, and what it sends is played, byte by
byte, at 8,000 a second.  ``twilio_socket.py`` puts it on a socket.
"""

from __future__ import annotations

import base64
from collections import deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

import msgspec

from turnwire.gateway.voice.formats import PCMU

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

Json = dict[str, Any]

RATE: Final = 8000  # bytes a second: µ-law
MEDIA_MS: Final = 20
_MEDIA_BYTES: Final = RATE * MEDIA_MS // 1000
_MS: Final = 1000
_ROUNDING: Final = 1e-9


@dataclass(frozen=True, slots=True)
class Mark:
    """The name of a place in what is played."""

    name: str


@dataclass(slots=True)
class Playing:
    """What waits to be heard, and what was.

    Attributes:
        heard: All that was played so far, silence left out.
        since: When the first byte of what waits begins to play.
    """

    since: float
    heard: bytearray = field(default_factory=bytearray)
    waiting: deque[bytes | Mark] = field(default_factory=deque["bytes | Mark"])

    def add(self, what: bytes | Mark, now: float) -> None:
        """Put audio or a mark behind what waits."""
        if not self.waiting:
            self.since = now
        self.waiting.append(what)

    def play(self, now: float) -> list[Mark]:
        """Play until now; return the marks that were passed."""
        passed: list[Mark] = []
        while self.waiting:
            first = self.waiting[0]
            if isinstance(first, Mark):
                passed.append(first)
                self.waiting.popleft()
                continue
            count = min(len(first), int((now - self.since) * RATE + _ROUNDING))
            self.heard += first[:count]
            self.since += count / RATE
            if count < len(first):
                self.waiting[0] = first[count:]
                break
            self.waiting.popleft()
        return passed

    def clear(self) -> list[Mark]:
        """Drop all that waits; return its marks."""
        marks = [each for each in self.waiting if isinstance(each, Mark)]
        self.waiting.clear()
        return marks

    @property
    def waiting_bytes(self) -> int:
        """How much audio waits."""
        return sum(len(each) for each in self.waiting if isinstance(each, bytes))

    @property
    def next_mark(self) -> float | None:
        """When the next mark is passed, or None."""
        size_bytes = 0
        for each in self.waiting:
            if isinstance(each, Mark):
                return self.since + size_bytes / RATE
            size_bytes += len(each)
        return None


class TwilioCall:
    """One call.

    Args:
        now: The time in seconds of any monotonic clock; the stream's timestamps count from here.
        stream_sid: The name of the stream.
        parameters: ``customParameters`` of the start message.
        continuous: True sends silence while the caller is silent, as Twilio does; False nothing.
        drops: Says of each media message, the first being 1, whether it is lost on its way.

    Attributes:
        playing: What the caller hears: ``playing.heard`` is all that was played.
        received: Every message of the bridge, with its time.
        is_over: True once ``stop`` was sent.
    """

    def __init__(
        self,
        *,
        now: float = 0.0,
        stream_sid: str = "MZ0001",
        parameters: Mapping[str, str] | None = None,
        continuous: bool = True,
        drops: Callable[[int], bool] = lambda _: False,
    ) -> None:
        self._begin = now
        self._sid = stream_sid
        self._parameters = dict(parameters or {})
        self._continuous = continuous
        self._drops = drops
        self._out: list[str] = []
        self._sequence = 0
        self._chunk = 0
        self._to_say = bytearray()
        self._next_media = now + MEDIA_MS / _MS
        self.playing = Playing(now)
        self.received: list[tuple[float, Json]] = []
        self.is_over = False
        self._begin_stream()

    def _begin_stream(self) -> None:
        self._out.append(_text({"event": "connected", "protocol": "Call", "version": "1.0.0"}))
        start = {
            "streamSid": self._sid,
            "accountSid": "AC0001",
            "callSid": "CA0001",
            "tracks": ["inbound"],
            "customParameters": self._parameters,
            "mediaFormat": {"encoding": "audio/x-mulaw", "sampleRate": RATE, "channels": 1},
        }
        self._send("start", start)

    # The caller

    def say(self, audio: bytes) -> None:
        """Say so much µ-law, in real time, from the next message on."""
        self._to_say += audio

    def press(self, digit: str) -> None:
        """Press a key."""
        self._send("dtmf", {"track": "inbound_track", "digit": digit})

    def hang_up(self, now: float) -> None:
        """End the call."""
        self.advance(now)
        self.is_over = True
        self._send("stop", {"accountSid": "AC0001", "callSid": "CA0001"})

    # The bridge

    def received_message(self, message: str | bytes, now: float) -> None:
        """Take a message of the bridge.

        Raises:
            ValueError: Twilio would refuse it; the text says why.
        """
        self.advance(now)
        event = msgspec.json.decode(message, type=Json)
        self.received.append((now, event))
        if event.get("streamSid") != self._sid:
            raise ValueError("this is not the `streamSid` of the start message")
        match event.get("event"):
            case "media":
                self.playing.add(base64.b64decode(event["media"]["payload"], validate=True), now)
            case "mark":
                self.playing.add(Mark(event["mark"]["name"]), now)
            case "clear":
                self._echo(self.playing.clear())
            case other:
                raise ValueError(f"{other!r} is no event that Twilio takes: media, mark, clear")
        self._echo(self.playing.play(now))

    def _echo(self, marks: list[Mark]) -> None:
        for mark in marks:
            self._send("mark", {"name": mark.name})

    def advance(self, now: float) -> None:
        """Play and say all that is due by this time, each at its own."""
        while (due := self.deadline) is not None and due <= now + _ROUNDING:
            self._echo(self.playing.play(due + _ROUNDING))
            if not self.is_over and due >= self._next_media - _ROUNDING:
                self._say_next()
        self._echo(self.playing.play(now))

    @property
    def deadline(self) -> float | None:
        """When something is due, or None."""
        if self.is_over:
            return None
        mark = self.playing.next_mark
        return self._next_media if mark is None else min(mark, self._next_media)

    def _say_next(self) -> None:
        audio = bytes(self._to_say[:_MEDIA_BYTES])
        del self._to_say[:_MEDIA_BYTES]
        at_ms = round((self._next_media - self._begin) * _MS) - MEDIA_MS
        self._next_media += MEDIA_MS / _MS
        if not audio and not self._continuous:
            return
        self._chunk += 1
        if self._drops(self._chunk):
            self._sequence += 1
            return
        audio += PCMU.silence(MEDIA_MS)[len(audio) :]
        media = {
            "track": "inbound",
            "chunk": str(self._chunk),
            "timestamp": str(at_ms),
            "payload": base64.b64encode(audio).decode(),
        }
        self._send("media", media)

    def _send(self, kind: str, inside: Json) -> None:
        self._sequence += 1
        head = {"event": kind, "sequenceNumber": str(self._sequence), "streamSid": self._sid}
        self._out.append(_text({**head, kind: inside}))

    def messages(self) -> list[str]:
        """Take what is to be sent to the bridge, in order."""
        out, self._out = self._out, []
        return out

    @property
    def heard_ms(self) -> float:
        """How much the caller has heard."""
        return len(self.playing.heard) * _MS / RATE


def _text(event: Json) -> str:
    return msgspec.json.encode(event).decode()
