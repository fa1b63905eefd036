"""A turn as it is asked for, and its message as it is sent."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, Literal

import msgspec

if TYPE_CHECKING:
    from collections.abc import Sequence

    from turnwire.core.chain import Chain
    from turnwire.core.history import HistoryItem
    from turnwire.core.lane import LaneName
    from turnwire.core.params import Params

Transport = Literal["websocket", "http"]

_quote: Final = msgspec.json.Encoder().encode


@dataclass(frozen=True, slots=True)
class Deadlines:
    """Seconds that a turn may take; None means no limit.

    Attributes:
        queue: From submission until a lane is free.
        first_event: From the write to the server's first event.
        turn: From submission to the terminal event.
    """

    queue: float | None = 60.0
    first_event: float | None = 30.0
    turn: float | None = None


@dataclass(frozen=True, slots=True)
class TurnRequest:
    """What a caller wants done.

    Attributes:
        params: Everything but input and ``previous_response_id``.
        items: New items, or the full history if ``whole``; None if there is no ``input`` at all.
        transport: How to send it.
        chain: The chain that it belongs to, if any.
        whole: True if ``items`` is the full history of the chain.
        previous_response_id: The caller's own link, where there is no chain.
        warm_up: True if the model is not to run.
        credential: For HTTP, the fingerprint of the key in use.
        deadlines: How long it may take.
    """

    params: Params
    items: Sequence[HistoryItem] | None
    transport: Transport = "websocket"
    chain: Chain | None = None
    whole: bool = False
    previous_response_id: str | None = None
    warm_up: bool = False
    credential: str = ""
    deadlines: Deadlines = field(default_factory=Deadlines)

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
