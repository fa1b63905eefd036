"""One socket of a Realtime session, from its dial to its end."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from enum import Enum
from typing import TYPE_CHECKING, Any, Final

from turnwire.core.machine import advance

if TYPE_CHECKING:
    from collections.abc import Mapping

    from turnwire.core.failure import Failure
    from turnwire.events.realtime import RealtimeSession


GOODBYE: Final = 1000  # the close code of this side


class Phase(Enum):
    """How far a socket has come."""

    DIALLING = "dialling"
    GREETING = "greeting"  # open, and not yet greeted with `session.created`
    CONFIGURING = "configuring"  # its configuration is under way
    SEEDING = "seeding"  # it is told what was said on the socket before it
    LIVE = "live"
    CLOSED = "closed"


class Step(Enum):
    """What takes a socket further."""

    OPENED = "opened"
    GREETED = "greeted"
    CONFIGURED = "configured"
    SEEDED = "seeded"
    ENDED = "ended"


STEPS: Final[Mapping[tuple[Phase, Step], Phase]] = {
    (Phase.DIALLING, Step.OPENED): Phase.GREETING,
    (Phase.GREETING, Step.GREETED): Phase.CONFIGURING,
    (Phase.CONFIGURING, Step.CONFIGURED): Phase.SEEDING,
    (Phase.SEEDING, Step.SEEDED): Phase.LIVE,
    (Phase.DIALLING, Step.ENDED): Phase.CLOSED,
    (Phase.GREETING, Step.ENDED): Phase.CLOSED,
    (Phase.CONFIGURING, Step.ENDED): Phase.CLOSED,
    (Phase.SEEDING, Step.ENDED): Phase.CLOSED,
    (Phase.LIVE, Step.ENDED): Phase.CLOSED,
}


@dataclass(slots=True)
class Connection:
    """One socket.

    Attributes:
        generation: Which one it is; rising.
        until: When it must be live, or is given up.
        opened_at: When the server took it.
        control: Messages to be written before any audio.
        control_bytes: Their size.
        unconfirmed: Ids of seeded items that the server has not shown yet.
        told: The items that it was told before it was live, as it was told them.
        told_changes: How far the talk had come then.
        held: Ids of calls that it was not told, because they have no output yet.
        refused: Ids of items that it was told and did not take.
        session: What the server said that the session is.
        expires_at: When the server ends it, or None.
        spoke: Whether it has sent anything but a greeting or an error.
        overran: Whether it said more than is kept before it was live.
        complaint: The last error before it was configured that did not say what it was about.
    """

    generation: int
    until: float
    phase: Phase = Phase.DIALLING
    opened_at: float = 0.0
    control: deque[bytes] = field(default_factory=deque[bytes])
    control_bytes: int = 0
    unconfirmed: set[str] = field(default_factory=set[str])
    told: dict[str, dict[str, Any]] = field(default_factory=dict[str, dict[str, Any]])
    told_changes: int = 0
    held: set[str] = field(default_factory=set[str])
    refused: list[str] = field(default_factory=list[str])
    session: RealtimeSession | None = None
    expires_at: float | None = None
    spoke: bool = False
    overran: bool = False
    complaint: Failure | None = None

    @property
    def is_beginning(self) -> bool:
        """True until it is live, or could be and waits for a pause of the talk."""
        if self.phase is Phase.SEEDING:
            return bool(self.unconfirmed)
        return self.phase not in (Phase.LIVE, Phase.CLOSED)

    @property
    def is_opening(self) -> bool:
        """True while it is open and not live: what is wished now it has to be told as well."""
        return self.phase in (Phase.GREETING, Phase.CONFIGURING, Phase.SEEDING)

    def step(self, step: Step) -> None:
        """Go on.

        Raises:
            IllegalTransition: That cannot happen in this phase.
        """
        self.phase = advance(STEPS, self.phase, step)

    def queue(self, message: bytes) -> None:
        """Have a message written before any audio."""
        self.control.append(message)
        self.control_bytes += len(message)

    def pull(self) -> bytes | None:
        """Return the next message apart from audio."""
        if not self.control:
            return None
        message = self.control.popleft()
        self.control_bytes -= len(message)
        return message
