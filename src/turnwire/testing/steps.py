"""The steps that scripts are made of, and the create that a script sees.

Values only; how to write them conveniently is in ``script.py``.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

Json = dict[str, Any]
After = int | str | None
ErrorShape = Literal["nested", "flat", "status_code", "detail"]
OutputEdit = Callable[[list[Json]], list[Json]] | list[Json] | None


@dataclass(frozen=True, slots=True)
class Create:
    """One create, as a script sees it.

    Attributes:
        number: 1 for the first that reached a script of this peer, over all connections.
        connection: Index into ``peer.connections``, or None for a POST.
        lane: Its ``stream_id``; None for the default lane and for a POST.
        request: The whole object, as it arrived.
        history: Input and output items of the chain that it continues, oldest first.
    """

    number: int
    connection: int | None
    lane: str | None
    request: Json
    history: Sequence[Json] = ()

    @property
    def is_warm_up(self) -> bool:
        """True if it asks for no model run; ``prewarm`` wins over ``generate``."""
        options = self.request.get("prompt_cache_options")
        prewarm = isinstance(options, dict) and options.get("prewarm") is True  # pyright: ignore[reportUnknownVariableType, reportUnknownMemberType]
        return prewarm or self.request.get("generate") is False

    @property
    def input(self) -> list[Json]:
        """Its own input as items; a string becomes a user message."""
        return input_items(self.request.get("input"))

    @property
    def text(self) -> str:
        """The text of the last user message of its input, or an empty string."""
        users = [item for item in self.input if item.get("role") == "user"]
        return message_text(users[-1]) if users else ""


@dataclass(frozen=True, slots=True)
class Output:
    """An output item of the model, and the pieces in which it is streamed."""

    item: Json
    pieces: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Emit:
    """An event as given; it gets a sequence number and the lane's name."""

    event: Json
    after: After = None


@dataclass(frozen=True, slots=True)
class End:
    """The terminal event of a response."""

    status: Literal["completed", "failed", "incomplete"]
    output: OutputEdit = None
    members: Json = field(default_factory=dict[str, Any])


@dataclass(frozen=True, slots=True)
class Error:
    """An ``error`` event; the first step of a script: the create is refused."""

    code: str | None
    status: int | None
    message: str
    kind: str
    param: str | None = None
    headers: Mapping[str, str] | None = None
    shape: ErrorShape = "nested"
    lane: bool = True
    after: After = None


@dataclass(frozen=True, slots=True)
class Say:
    """One message, whatever it is."""

    data: bytes
    binary: bool = False
    after: After = None


@dataclass(frozen=True, slots=True)
class Wait:
    """Hold the turn until the gate opens."""

    gate: Gate
    after: After = None


@dataclass(frozen=True, slots=True)
class Close:
    """Close the WebSocket with this code; a POST is cut off."""

    code: int
    reason: str = ""
    after: After = None


@dataclass(frozen=True, slots=True)
class Drop:
    """Close the TCP connection without a closing handshake."""

    reset: bool = False
    after: After = None


@dataclass(frozen=True, slots=True)
class Silence:
    """Send nothing more for this turn; the connection stays up and is read."""

    after: After = None


ModelStep = Output | End
WireStep = Emit | Error | Say | Wait | Close | Drop | Silence
Step = ModelStep | WireStep
Script = Callable[[Create], Iterable[Step]]


class Gate:
    """A door in a script; the test opens it.  Tests wait for it instead of sleeping."""

    def __init__(self) -> None:
        self._opened = asyncio.Event()
        self._reached = asyncio.Event()

    def open(self) -> None:
        """Let everybody through, now and later."""
        self._opened.set()

    async def wait_reached(self) -> None:
        """Wait until a turn stands at the gate."""
        await self._reached.wait()

    async def pass_through(self) -> None:
        """Wait until the gate is open; the peer calls it."""
        self._reached.set()
        await self._opened.wait()


# What scripts and rules both need to read a request


def input_items(value: Any) -> list[Json]:
    """Return ``input`` as items; a string becomes a user message."""
    if value is None:
        return []
    if isinstance(value, str):
        return [{"type": "message", "role": "user", "content": value}]
    items: list[Json] = list(value)
    return items


def message_text(message: Json) -> str:
    """Return the text of a message, whichever form its content has."""
    content: Any = message.get("content")
    if isinstance(content, str):
        return content
    parts: list[Json] = content or []
    return "".join(str(part.get("text", "")) for part in parts)
