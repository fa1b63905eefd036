"""A turn on the server's half of a socket, and the response of it that can be steered."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from turnwire.core.machine import advance
from turnwire.core.served_steer import ServedSteer
from turnwire.core.turn import TRANSITIONS, TurnSignal, TurnState

if TYPE_CHECKING:
    from turnwire.core.lane import Lane, LaneName

Json = dict[str, Any]


@dataclass(slots=True, eq=False)
class Target:
    """A response, as far as it can be steered; it outlives its turn.

    Attributes:
        turn: The number of its turn.
        lane: Where its events go.
        can_be_steered: False if its model or its create does not allow it.
        response_id: Empty until ``response.created``.
        sequence_number: That of its next event; steer events count, too.
        ending: How its turn ended, or None while it runs.
        required_input: Stubs for what the client has to answer.
        closed: True once no create can take steers along any more.
        steers: Accepted, and with no successor yet.
    """

    turn: int
    lane: LaneName
    can_be_steered: bool = False
    response_id: str = ""
    sequence_number: int = 0
    ending: TurnState | None = None
    required_input: list[Json] = field(default_factory=list[Json])
    closed: bool = False
    steers: list[ServedSteer] = field(default_factory=list[ServedSteer])

    @property
    def waits(self) -> bool:
        """True if the client has to answer before anything goes on."""
        return self.ending is TurnState.COMPLETED and bool(self.required_input)

    def number(self, event: Json) -> Json:
        """Return an event with its number among this response's events."""
        self.sequence_number += 1
        return event | {"sequence_number": self.sequence_number - 1}


@dataclass(slots=True, eq=False)
class ServedTurn:
    """One turn that a client asked for, or the automatic successor of a steered one.

    Attributes:
        lane: Its lane.
        request: The create, without ``type`` and ``stream_id``.
        size_bytes: What its message weighed.
        received: When that came.
        target: Its response, as far as it can be steered.
        automatic: True if no client has sent a create for it.
        carried: The response whose steers it commits if it begins, and these steers; or None.
    """

    lane: Lane[ServedTurn]
    request: Json
    size_bytes: int
    received: float
    target: Target
    automatic: bool = False
    carried: tuple[Target, list[ServedSteer]] | None = None
    state: TurnState = TurnState.QUEUED

    @property
    def number(self) -> int:
        """Its number on its socket."""
        return self.target.turn

    @property
    def parent(self) -> str | None:
        """The response that it continues."""
        return self.request.get("previous_response_id")

    def signal(self, signal: TurnSignal) -> None:
        """Move along the table."""
        self.state = advance(TRANSITIONS, self.state, signal)
