"""When a ``response.create`` may go out: one at a time, none while a response runs.

The server refuses a second response of the same talk while one is active
(``conversation_already_has_active_response``), so creates wait their turn here.
It may also begin one by itself, when its user has stopped speaking.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from enum import Enum
from typing import TYPE_CHECKING, Any, Final

from turnwire.core.machine import advance
from turnwire.events import encode

if TYPE_CHECKING:
    from collections.abc import Mapping


class Slot(Enum):
    """What the one place for a response is doing."""

    FREE = "free"
    ASKED = "asked"  # a create was sent, and nothing has come of it yet
    CONTESTED = "contested"  # the same, and the server has begun another one meanwhile
    ACTIVE = "active"
    CANCELLING = "cancelling"  # active, and told to stop


class Happening(Enum):
    """What the place is told."""

    ASK = "ask"
    REFUSED = "refused"  # the create, by an error that names it
    CREATED = "created"  # what was asked for
    BEGAN = "began"  # a response that the server began by itself
    CANCEL = "cancel"
    DONE = "done"  # the active one
    LOST = "lost"  # the socket


SLOTS: Final[Mapping[tuple[Slot, Happening], Slot]] = {
    (Slot.FREE, Happening.ASK): Slot.ASKED,
    (Slot.FREE, Happening.BEGAN): Slot.ACTIVE,
    (Slot.FREE, Happening.LOST): Slot.FREE,
    (Slot.ASKED, Happening.REFUSED): Slot.FREE,
    (Slot.ASKED, Happening.CREATED): Slot.ACTIVE,
    (Slot.ASKED, Happening.BEGAN): Slot.CONTESTED,
    (Slot.ASKED, Happening.DONE): Slot.FREE,  # servers exist that do not say `created`
    (Slot.ASKED, Happening.LOST): Slot.FREE,
    (Slot.CONTESTED, Happening.REFUSED): Slot.ACTIVE,
    (Slot.CONTESTED, Happening.CREATED): Slot.ACTIVE,
    (Slot.CONTESTED, Happening.BEGAN): Slot.CONTESTED,
    (Slot.CONTESTED, Happening.CANCEL): Slot.CONTESTED,
    (Slot.CONTESTED, Happening.DONE): Slot.ASKED,
    (Slot.CONTESTED, Happening.LOST): Slot.FREE,
    (Slot.ACTIVE, Happening.BEGAN): Slot.ACTIVE,  # the one before it is over, whatever it says
    (Slot.ACTIVE, Happening.CANCEL): Slot.CANCELLING,
    (Slot.ACTIVE, Happening.DONE): Slot.FREE,
    (Slot.ACTIVE, Happening.LOST): Slot.FREE,
    (Slot.CANCELLING, Happening.BEGAN): Slot.ACTIVE,
    (Slot.CANCELLING, Happening.CANCEL): Slot.CANCELLING,
    (Slot.CANCELLING, Happening.DONE): Slot.FREE,
    (Slot.CANCELLING, Happening.LOST): Slot.FREE,
}
_ASKED: Final = (Slot.ASKED, Slot.CONTESTED)


@dataclass(slots=True, eq=False)
class Asked:
    """One wish for a response.

    Attributes:
        body: What the caller wants of it; None for a response to what was said, whatever that is.
        tickets: Who waits for it; several wishes without a body become one response.
        event_id: Of the create that was sent, or empty.
        response_id: Of the response that came of it, or None.
        message: The create, if it did not have to wait behind audio.
        unwanted: True if the listener interrupted before it was created.
        size_bytes: Of the body.
    """

    body: Mapping[str, Any] | None
    tickets: list[int] = field(default_factory=list[int])
    event_id: str = ""
    response_id: str | None = None
    message: bytes = b""
    unwanted: bool = False
    size_bytes: int = 0


class Sequencer:
    """Who is answered next.

    Attributes:
        slot: What the one place for a response is doing.
        active: Id of the response in it, empty if this side was not told which; or None.
        since: When the slot took its state; whoever waits too long there is given up.
    """

    def __init__(self) -> None:
        self.slot = Slot.FREE
        self.active: str | None = None
        self.since = 0.0
        self._sent: Asked | None = None  # whose create is on its way, or has become `active`
        self._waiting: deque[Asked] = deque()

    @property
    def sent(self) -> Asked | None:
        """The wish whose create was sent and has come to nothing yet."""
        return self._sent if self.slot in _ASKED else None

    @property
    def waiting(self) -> int:
        """How many creates are still to be sent."""
        return len(self._waiting)

    @property
    def waiting_bytes(self) -> int:
        """The size of the bodies of those creates."""
        return sum(one.size_bytes for one in self._waiting)

    def _tell(self, happening: Happening, now: float) -> None:
        before, self.slot = self.slot, advance(SLOTS, self.slot, happening)
        if before is not self.slot:
            self.since = now

    def ask(self, body: Mapping[str, Any] | None, ticket: int) -> None:
        """Wish for a response; wishes without a body merge, up to the next one that has one."""
        if body is None and self._waiting and self._waiting[-1].body is None:
            self._waiting[-1].tickets.append(ticket)
        else:
            size_bytes = 0 if body is None else len(encode(body))
            self._waiting.append(Asked(body, [ticket], size_bytes=size_bytes))

    def next(self, now: float) -> Asked | None:
        """Take the wish whose create may be sent now."""
        if self.slot is not Slot.FREE or not self._waiting:
            return None
        self._tell(Happening.ASK, now)
        self._sent = self._waiting.popleft()
        return self._sent

    def created(self, response_id: str, *, granted: bool, now: float) -> Asked | None:
        """Note a response; return the wish that it grants.

        Args:
            response_id: Which response.
            granted: Whether it is what the create asked for, and not one of the server's own.
            now: The time.
        """
        asked = self.sent
        if asked is None or not granted:
            if self.slot not in _ASKED:
                self._sent = None
            self.active = response_id
            self._tell(Happening.BEGAN, now)
            return None
        asked.response_id = self.active = response_id
        self._tell(Happening.CREATED, now)
        return asked

    def refused(self, now: float) -> Asked | None:
        """Note that the create was refused; return whose it was."""
        asked, self._sent = self._sent, None
        self._tell(Happening.REFUSED, now)
        return asked

    def again(self, asked: Asked) -> None:
        """Have a wish be the next one once more."""
        asked.event_id, asked.response_id = "", None
        self._waiting.appendleft(asked)

    def cancelled(self, now: float) -> None:
        """Note that the active response was told to stop."""
        if self.active is not None:
            self._tell(Happening.CANCEL, now)

    def done(self, response_id: str, now: float) -> Asked | None:
        """Note the end of a response; return whose wish it was, if this side wished for it."""
        if self.active is None and self.slot is not Slot.ASKED:
            return None
        if self.active not in (None, "", response_id):
            return None
        ours = self._sent if self.slot is not Slot.CONTESTED else None
        if ours is not None:
            self._sent = None
        self.active = None
        self._tell(Happening.DONE, now)
        return ours

    def lost(self, now: float) -> Asked | None:
        """Free the slot, for the socket is gone; return whose wish was under way there."""
        asked, self._sent, self.active = self._sent, None, None
        self._tell(Happening.LOST, now)
        return asked

    def clear(self) -> list[Asked]:
        """Forget all wishes, and return them."""
        asked = [] if self._sent is None else [self._sent]
        asked += self._waiting
        self._sent = None
        self._waiting.clear()
        return asked
