"""A turn as it is asked for, and its message as it is sent."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, Literal

import msgspec

if TYPE_CHECKING:
    from collections.abc import Sequence

    from turnwire.core.answers import Unanswered
    from turnwire.core.chain import Chain
    from turnwire.core.history import HistoryItem
    from turnwire.core.lane import LaneName
    from turnwire.core.params import Params

Transport = Literal["auto", "websocket", "http"]  # what a caller asks for
Route = Literal["websocket", "http"]  # how a turn travels

_quote: Final = msgspec.json.Encoder().encode


@dataclass(frozen=True, slots=True)
class Deadlines:
    """Seconds that a turn may take; None means no limit.

    Attributes:
        queue: From submission until a lane is free.
        write: From the decision to write until the message is written.
        first_event: From then to the server's first event.
        progress: Without any event on the turn's connection, once the first has come.
        turn: From submission to the terminal event.
    """

    queue: float | None = 60.0
    write: float | None = 30.0
    first_event: float | None = 30.0
    progress: float | None = None
    turn: float | None = None


@dataclass(frozen=True, slots=True)
class Interruption:
    """What a `replay` function is asked about: a turn that the server has perhaps run.

    Attributes:
        reason: What went wrong.
        delivery: ``writing``, ``accepted`` or ``output``; its caller has seen no output.
        response_id: Once the server had named it.
        close_code: Of the socket, or None.
        hosted_tools: Kinds of its tools that the server runs and that may have side effects.
    """

    reason: str
    delivery: str
    response_id: str | None
    close_code: int | None
    hosted_tools: tuple[str, ...]


Replay = Literal["never", "safe", "always"] | Callable[[Interruption], bool]


@dataclass(frozen=True, slots=True)
class TurnRequest:
    """What a caller wants done.

    Attributes:
        params: Everything but input and ``previous_response_id``.
        items: New items, or the full history if ``whole``; None if there is no ``input`` at all.
        transport: How its caller wants it sent.
        chain: The chain that it belongs to, if any.
        whole: True if ``items`` is the full history of the chain.
        previous_response_id: The caller's own link, where there is no chain.
        warm_up: True if the model is not to run.
        replay: Whether it may be sent again after the server has perhaps run it.
        unanswered: What to do about tool calls in the history that have no answer.
        deadlines: How long it may take.
        hands_over: True if its caller has a way of its own over HTTP: instead of going that way
            an `auto` turn ends, and ``transport_reason`` says why.
    """

    params: Params
    items: Sequence[HistoryItem] | None
    transport: Transport = "websocket"
    chain: Chain | None = None
    whole: bool = False
    previous_response_id: str | None = None
    warm_up: bool = False
    replay: Replay = "safe"
    unanswered: Unanswered = "error"
    deadlines: Deadlines = field(default_factory=Deadlines)
    hands_over: bool = False

    @property
    def size_bytes(self) -> int:
        """How much the caller's own part weighs while it waits."""
        return len(self.params.encoded) + sum(len(item.encoded) for item in self.items or ())


def websocket_message(
    params: Params,
    items: Sequence[HistoryItem] | None,
    previous_response_id: str | None,
    lane: LaneName,
) -> bytes:
    """Join a ``response.create`` from parts that are already encoded."""
    fields = [b'{"type":"response.create"']
    if params.encoded:
        fields.append(params.encoded)
    if lane is not None:
        fields.append(b'"stream_id":"%s"' % lane.encode())
    return _finish(fields, items, previous_response_id)


def steer_message(response_id: str, items: Sequence[HistoryItem]) -> bytes:
    """Join a ``response.steer``; it names no lane: docs/protocol/steering.md."""
    return _finish([b'{"type":"response.steer"'], items, response_id)


def http_body(
    params: Params, items: Sequence[HistoryItem] | None, previous_response_id: str | None
) -> bytes:
    """Join the body of a streamed ``POST /responses``."""
    fields = [b'{"stream":true']
    if params.encoded:
        fields.append(params.encoded)
    return _finish(fields, items, previous_response_id)


def _finish(
    fields: list[bytes], items: Sequence[HistoryItem] | None, previous_response_id: str | None
) -> bytes:
    if previous_response_id is not None:
        fields.append(b'"previous_response_id":' + _quote(previous_response_id))
    if items is not None:
        fields.append(b'"input":[' + b",".join([item.encoded for item in items]) + b"]")
    return b",".join(fields) + b"}"
