"""What a telephone line tells; in words that are no provider's own."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import msgspec

from turnwire.events.realtime import RealtimeEvent


class CallStartedEvent(RealtimeEvent, frozen=True, kw_only=True, tag="call_started"):
    """The line is open: from now on both sides can be heard.

    Attributes:
        stream_id: The stream's name; what is played goes there.
        call_id: The call's name, for the provider's other interfaces.
        account_id: Whose call it is.
        parameters: What the answer to the incoming call gave along (TwiML's ``Parameter``).
    """

    stream_id: str
    call_id: str | None = None
    account_id: str | None = None
    parameters: dict[str, str] = msgspec.field(default_factory=dict[str, str])


class KeyPressedEvent(RealtimeEvent, frozen=True, kw_only=True, tag="dtmf"):
    """The caller pressed a key.

    Attributes:
        digit: ``0`` to ``9``, ``*``, ``#``, or ``A`` to ``D``.
    """

    digit: str


class MarkPlayedEvent(RealtimeEvent, frozen=True, kw_only=True, tag="mark_played"):
    """A mark came back that is none of the bridge's own.

    Attributes:
        name: Its name.
    """

    name: str


class CallStoppedEvent(RealtimeEvent, frozen=True, kw_only=True, tag="call_stopped"):
    """The call is over, or the stream was stopped."""


class CallMessageEvent(RealtimeEvent, frozen=True, kw_only=True, tag="call_message"):
    """The line said something else; see ``to_dict()``.

    Attributes:
        name: What it calls it, such as ``connected``.
    """

    name: str


@dataclass(frozen=True, slots=True)
class MediaHeard:
    """Some audio of the caller's.

    Attributes:
        audio: In the line's format.
        timestamp_ms: Where it begins, in milliseconds since the stream began; None: unknown.
        number: Counts the messages with audio; None: unknown.
    """

    audio: bytes = field(repr=False)
    timestamp_ms: int | None = None
    number: int | None = None


LineEvent = (
    CallStartedEvent
    | KeyPressedEvent
    | MarkPlayedEvent
    | CallStoppedEvent
    | CallMessageEvent
    | MediaHeard
)


@dataclass(frozen=True, slots=True)
class Play:
    """Play this behind what was given before."""

    audio: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class Mark:
    """Say this name when all that was given before has been played."""

    name: str


@dataclass(frozen=True, slots=True)
class Clear:
    """Forget what was given and has not been played."""


Outgoing = Play | Mark | Clear
Json = dict[str, Any]
