"""The vocabulary of faults: what happens to events on their way, and to the socket.

Each one strikes where it says: ``on`` is the type of an event of the server, or the number of the
event on its connection, the first being 1, or None for every event; ``nth`` is which of those that
match (all of them if None).  A type that is misspelt is a ``ConfigError``.

    RealtimeServer(faults=[close(1011, on="response.output_audio.delta", nth=3)])
    RealtimeServer(faults=lambda index: [drop(on=10)] if index == 0 else [])

Knows no sockets.
"""

from __future__ import annotations

import random
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import msgspec

from turnwire.testing.realtime import dialect
from turnwire.testing.realtime.types import CLIENT_TYPES, SERVER_TYPES, check_type
from turnwire.testing.steps import Close, Drop, HalfOpen, Say, WithholdPongs

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

Json = dict[str, Any]
FOR_EVER: Final = float("inf")


@dataclass(frozen=True, slots=True)
class Hold:
    """Send nothing for so many seconds; what comes after waits behind it."""

    seconds: float


@dataclass(frozen=True, slots=True)
class Pieces:
    """One text message in so many WebSocket frames of at most this size."""

    data: bytes
    size_bytes: int


Step = Json | Hold | Pieces | Say | Close | Drop | HalfOpen | WithholdPongs
On = str | int | None


@dataclass(frozen=True, slots=True)
class Fault:
    """Something that becomes of certain events: ``act`` turns what would be sent into steps."""

    act: Callable[[Json], Sequence[Step]]
    on: On
    nth: int | None

    def __post_init__(self) -> None:
        """Refuse what is misspelt: it would never strike."""
        if isinstance(self.on, str):
            check_type(self.on, SERVER_TYPES)


@dataclass(frozen=True, slots=True)
class ClientFault:
    """What becomes of an event of the client instead of its answer: an error, or nothing."""

    type: str
    nth: int | None
    error: Json | None

    def __post_init__(self) -> None:
        """Refuse what is misspelt: it would never strike."""
        check_type(self.type, CLIENT_TYPES)


# Time


def delay(
    seconds: float, *, jitter: float = 0.0, seed: int = 0, on: On = None, nth: int | None = None
) -> Fault:
    """Let events come so many seconds later, each by up to ``jitter`` more; the order stays."""
    dice = random.Random(seed)  # noqa: S311  # nobody is to be surprised
    return Fault(lambda event: [Hold(seconds + jitter * dice.random()), event], on, nth)


def stall(seconds: float = FOR_EVER, *, on: On, nth: int | None = 1) -> Fault:
    """Send nothing from this event on, for so many seconds; pings are answered, reading goes on."""
    return Fault(lambda event: [Hold(seconds), event], on, nth)


# The end


def close(code: int = 1000, reason: str = "", *, on: On, nth: int | None = 1) -> Fault:
    """Close the WebSocket instead of sending this event."""
    return Fault(lambda _: [Close(code, reason)], on, nth)


def drop(*, reset: bool = False, on: On, nth: int | None = 1) -> Fault:
    """End the TCP connection instead of sending this event; with a reset if told so."""
    return Fault(lambda _: [Drop(reset)], on, nth)


def half_open(*, on: On, nth: int | None = 1) -> Fault:
    """Be gone without a word instead of sending this event: no pong either; TCP stays up."""
    return Fault(lambda _: [HalfOpen()], on, nth)


def withhold_pongs(*, on: On, nth: int | None = 1) -> Fault:
    """Answer no ping from this event on; all else goes on."""
    return Fault(lambda event: [event, WithholdPongs()], on, nth)


# Events


def duplicate(*, on: On, nth: int | None = 1) -> Fault:
    """Send this event twice."""
    return Fault(lambda event: [event, event], on, nth)


def leave_out(*, on: On, nth: int | None = None) -> Fault:
    """Send this event never: ``response.created``, say, so that the response is only done."""
    return Fault(lambda _: [], on, nth)


def unknown(*, on: On, nth: int | None = 1, **members: Any) -> Fault:
    """Send an event of a type that nobody knows before this one."""
    event = {"type": "response.unheard_of", "event_id": "event_unknown", **members}
    return Fault(lambda known: [event, known], on, nth)


def garbled(data: bytes = b'{"type": "response.', *, on: On, nth: int | None = 1) -> Fault:
    """Send a text message that is no JSON before this event."""
    return Fault(lambda event: [Say(data), event], on, nth)


def insert(inserted: Json, *, on: On, nth: int | None = 1) -> Fault:
    """Send this event before that one."""
    return Fault(lambda event: [inserted, event], on, nth)


def change(how: Callable[[Json], Json], *, on: On = None, nth: int | None = None) -> Fault:
    """Send what this function makes of an event."""
    return Fault(lambda event: [how(event)], on, nth)


def pieces(size_bytes: int, *, on: On = None, nth: int | None = None) -> Fault:
    """Send messages that are larger than this in several frames, as servers split what is large."""

    def split(event: Json) -> Sequence[Step]:
        data = msgspec.json.encode(event)
        return [Pieces(data, size_bytes) if len(data) > size_bytes else event]

    return Fault(split, on, nth)


# Dialects


def beta_names() -> Fault:
    """Speak with the names of the beta, as clones and old recordings do."""
    return Fault(dialect.beta_events, None, None)


def voice_object(voice_id: str = "voice_1") -> Fault:
    """Show the voice as an object, as the service does with voices of one's own."""
    return change(lambda event: dialect.with_voice(event, {"id": voice_id}))


def without_usage() -> Fault:
    """Leave ``usage`` out of each ``response.done``."""
    return change(dialect.without_usage, on="response.done")


# The client's events


def ignore(type: str, *, nth: int | None = 1) -> ClientFault:  # noqa: A002  # the wire's word
    """Do nothing with this event of the client, and do not answer it."""
    return ClientFault(type, nth, None)


def refuse_event(
    type: str,  # noqa: A002  # the wire's word
    code: str,
    message: str = "The script refuses this.",
    *,
    kind: str = "invalid_request_error",
    nth: int | None = 1,
) -> ClientFault:
    """Answer this event of the client with an error, which names it."""
    error = {"type": kind, "code": code, "message": message, "param": None}
    return ClientFault(type, nth, error)


class FaultLine:
    """The faults of one connection, and how often each has been reached."""

    def __init__(self, faults: Sequence[Fault | ClientFault]) -> None:
        self._faults = [each for each in faults if isinstance(each, Fault)]
        self._client_faults = [each for each in faults if isinstance(each, ClientFault)]
        self._reached: Counter[int] = Counter()
        self._sent = 0

    def steps(self, event: Json) -> list[Step]:
        """Return what is to be done in place of sending an event."""
        self._sent += 1
        steps: list[Step] = [event]
        for index, fault in enumerate(self._faults):
            if fault.on not in (None, event["type"], self._sent):
                continue
            self._reached[index] += 1
            if fault.nth not in (None, self._reached[index]):
                continue
            done = [fault.act(step) if isinstance(step, dict) else [step] for step in steps]
            steps = [step for each in done for step in each]
        return steps

    def client_fault(self, event: Json) -> ClientFault | None:
        """Return what becomes of an event of the client, if it is not to be served."""
        for index, fault in enumerate(self._client_faults):
            if fault.type == event.get("type"):
                self._reached[-1 - index] += 1
                if fault.nth in (None, self._reached[-1 - index]):
                    return fault
        return None
