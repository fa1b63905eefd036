"""The steps that scripts are made of, and the create that a script sees.

Values only; how to write them conveniently is in ``script.py``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from turnwire.testing.flag import Flag

Json = dict[str, Any]
After = int | str | None
ErrorShape = Literal["nested", "flat", "status_code", "detail", "text"]
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
        steered: Items of accepted steers that the service put before its own input.
    """

    number: int
    connection: int | None
    lane: str | None
    request: Json
    history: Sequence[Json] = ()
    steered: Sequence[Json] = ()

    @property
    def is_warm_up(self) -> bool:
        """True if it asks for no model run; ``prewarm`` wins over ``generate``."""
        options = self.request.get("prompt_cache_options")
        prewarm = isinstance(options, dict) and options.get("prewarm") is True  # pyright: ignore[reportUnknownVariableType, reportUnknownMemberType]
        return prewarm or self.request.get("generate") is False

    @property
    def input(self) -> list[Json]:
        """What is new in it, as items; a string becomes a user message."""
        return [*self.steered, *input_items(self.request.get("input"))]

    @property
    def is_stored(self) -> bool:
        """True if its response outlives its socket."""
        return self.request.get("store") is not False

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
    """The terminal event of a response; its type is that of its status, or the one given."""

    status: str
    output: OutputEdit = None
    members: Json = field(default_factory=dict[str, Any])
    type: str | None = None


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
    numbered: bool = False
    after: After = None


@dataclass(frozen=True, slots=True)
class Say:
    """One message, whatever it is."""

    data: bytes
    binary: bool = False
    after: After = None


@dataclass(frozen=True, slots=True)
class Wait:
    """Hold the turn until the gate opens, or for so many seconds of the peer's clock."""

    until: Gate | float
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


@dataclass(frozen=True, slots=True)
class Swallow:
    """Leave the create unanswered, as if it had never arrived."""

    after: After = None


@dataclass(frozen=True, slots=True)
class Ping:
    """Send so many pings."""

    count: int = 1
    after: After = None


@dataclass(frozen=True, slots=True)
class HalfOpen:
    """Be gone without a word: nothing is sent or read any more, and TCP stays up."""

    after: After = None


@dataclass(frozen=True, slots=True)
class StopReading:
    """Read nothing from the connection until the gate opens, for so many seconds, or ever again."""

    until: Gate | float | None = None
    after: After = None


@dataclass(frozen=True, slots=True)
class WithholdPongs:
    """Answer no ping from here on; everything else goes on."""

    after: After = None


@dataclass(frozen=True, slots=True)
class Accept:
    """Take a steer over; ``interrupts``: the response that it steers ends at its next item."""

    interrupts: bool = True
    after: After = None


@dataclass(frozen=True, slots=True)
class Reject:
    """Return a steer: before it was accepted, or after."""

    code: str
    after: After = None


ModelStep = Output | End
WireStep = (
    Emit
    | Error
    | Say
    | Wait
    | Close
    | Drop
    | Silence
    | Swallow
    | Ping
    | HalfOpen
    | StopReading
    | WithholdPongs
)
Step = ModelStep | WireStep
Script = Callable[[Create], Iterable[Step]]


@dataclass(frozen=True, slots=True)
class Steer:
    """One ``response.steer``, as a script sees it.

    Attributes:
        number: 1 for the first that reached the script of this peer.
        target: The response that it steers.
        input: Its items; a string becomes a user message.
        is_active: True while the response is being made.
    """

    number: int
    target: str
    input: Sequence[Json]
    is_active: bool


SteerStep = Accept | Reject | Wait | Close | Drop | Swallow
SteerScript = Callable[[Steer], Iterable[SteerStep]]


class Gate:
    """A door in a script; the test opens it.  Tests wait for it instead of sleeping."""

    def __init__(self) -> None:
        self._opened = Flag()
        self._reached = Flag()

    def open(self) -> None:
        """Let everybody through, now and later; any thread may call it."""
        self._opened.set()

    async def wait_reached(self) -> None:
        """Wait until a turn stands at the gate."""
        await self._reached.wait()

    def block_until_reached(self, timeout: float = 10.0) -> None:
        """The same for a test that is not async: block until a turn stands at the gate.

        Raises:
            TimeoutError: None came within so many seconds.
        """
        if not self._reached.block(timeout):
            raise TimeoutError(f"No turn reached the gate within {timeout} s; is it in the script?")

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
