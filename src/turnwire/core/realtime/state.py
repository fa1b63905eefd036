"""All that the Realtime machine knows; its modules are functions over this."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field, replace
from enum import Enum
from typing import TYPE_CHECKING, Any, Final

from turnwire.core.failure import Failure, FailureKind
from turnwire.core.realtime.actions import Deliver, Log, Settle
from turnwire.core.realtime.connection import Connection, Phase
from turnwire.core.realtime.interrupting import Announced, Truncate
from turnwire.events.realtime import AudioDroppedEvent, ConnectionChangeEvent

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from turnwire.core.realtime.actions import Action, Ticket
    from turnwire.core.realtime.configuration import Configuration
    from turnwire.core.realtime.items import Items
    from turnwire.core.realtime.playback import Ledger
    from turnwire.core.realtime.sequencer import Sequencer
    from turnwire.core.realtime.settings import RealtimeSettings
    from turnwire.core.realtime.uplink import Uplink
    from turnwire.events.realtime import RealtimeEvent

QUESTIONS_KEPT: Final = 1024  # no answer is sure to come; the oldest are given up
IDS_KEPT: Final = 256


class Status(Enum):
    """What the transport is doing."""

    DISCONNECTED = "disconnected"
    CONNECTING = "connecting"
    CONNECTED = "connected"
    RECONNECTING = "reconnecting"
    CLOSING = "closing"


class About(Enum):
    """What a message of this side's was about; an error that names the message is about it too."""

    OPENING = "opening"  # the configuration of a new session
    UPDATE = "update"
    SEED = "seed"
    ITEM = "item"
    DELETE = "delete"
    RETRIEVE = "retrieve"
    TRUNCATE = "truncate"
    RETRUNCATE = "retruncate"  # after the server said that its audio is shorter
    CANCEL = "cancel"
    RESPONSE = "response"
    RAW = "raw"  # the caller's own, of which nothing here knows
    OTHER = "other"


@dataclass(frozen=True, slots=True)
class Question:
    """A message that may be answered by an error, and perhaps by an event.

    Attributes:
        about: What it was about.
        ticket: Who waits for the answer, or None.
        subject: Id of the item, or of the response.
        truncate: What it asked to be truncated.
        until: When it is given up, or None.
        generation: The socket that it was written on; 0 if it waits for the next one.
    """

    about: About
    ticket: Ticket | None = None
    subject: str = ""
    truncate: Truncate | None = None
    until: float | None = None
    generation: int = 0

    @property
    def is_sequenced(self) -> bool:
        """Whether the sequencer waits for the answer, and for how long."""
        return self.about is About.RESPONSE and self.ticket is None


@dataclass(slots=True)
class Running:
    """A response that was created and is not done.

    Attributes:
        heard_at: When the server last said something of it.
        tickets: Who waits for its end.
        cancelled: Whether somebody cancelled it.
        out_of_band: Whether it is none of the talk's (``conversation: "none"``).
    """

    heard_at: float
    tickets: Sequence[Ticket] = ()
    cancelled: bool = False
    out_of_band: bool = False


class Known:
    """The last so many ids."""

    def __init__(self) -> None:
        self._ids: dict[str, None] = {}

    def __contains__(self, one: str) -> bool:
        return one in self._ids

    def add(self, one: str) -> None:
        """Remember an id, and forget the oldest if there are too many."""
        self._ids[one] = None
        if len(self._ids) > IDS_KEPT:
            del self._ids[next(iter(self._ids))]

    def discard(self, one: str) -> None:
        """Forget an id."""
        self._ids.pop(one, None)

    def __len__(self) -> int:
        return len(self._ids)


@dataclass(slots=True)
class Counts:
    """What happened so far; a caller reads it as ``RealtimeStatistics``."""

    sockets: int = 0
    reconnects: int = 0
    failed_dials: int = 0
    responses: int = 0
    interruptions: int = 0
    truncates: int = 0
    truncate_errors: int = 0
    late_deltas: int = 0
    swallowed_errors: int = 0
    malformed: int = 0
    replayed_ms: float = 0.0
    first_audio_after: float | None = None  # seconds, from the end of speech
    input_tokens: int = 0
    output_tokens: int = 0


@dataclass(slots=True)
class RealtimeState:
    """The state.

    Attributes:
        prefix: Of ids that are made here, so that they are nobody else's.
        began: Seconds since 1970 when ``now`` was zero.
        chance: Between 0 and 1, drawn anew each time.
        connection: The socket that is spoken on, or the one that will be.
        successor: The socket that will replace it.
        unwritten: Ids of messages with questions that wait to be written, by the message.
        outside: Tickets of out-of-band responses that were asked for, by the id of the create.
        outside_later: Such responses that wait for a socket, and their tickets.
        over: Responses that ended, so that what is said of them twice counts once.
        given_up: Creates that came to nothing in time; what comes of them yet is cancelled.
        turn_ended: True from the end of somebody's turn, found by the server, to its item.
        items_outside: Items of out-of-band responses; they are in nobody's history.
        owed: True while the server is to answer what somebody said.
        owed_since: When that was said.
        speech_ended: When somebody stopped speaking, until the answer is heard.
        announced: Items that are to be spoken and of which no audio has come yet.
        delete_when_added: Items nobody is to hear of.
        gone: Items that were deleted; what is still said of them brings none of them back.
    """

    settings: RealtimeSettings
    prefix: str
    began: float
    chance: Callable[[], float]
    configuration: Configuration
    items: Items
    uplink: Uplink
    ledger: Ledger
    sequencer: Sequencer
    status: Status = Status.DISCONNECTED
    connection: Connection | None = None
    successor: Connection | None = None
    actions: list[Action] = field(default_factory=list["Action"])
    questions: dict[str, Question] = field(default_factory=dict[str, Question])
    unwritten: dict[bytes, str] = field(default_factory=dict[bytes, str])
    running: dict[str, Running] = field(default_factory=dict[str, Running])
    outside: dict[str, Ticket] = field(default_factory=dict[str, "Ticket"])
    outside_later: list[tuple[Mapping[str, Any], Ticket]] = field(
        default_factory=list[tuple["Mapping[str, Any]", "Ticket"]]
    )
    over: Known = field(default_factory=Known)
    given_up: Known = field(default_factory=Known)
    tombstones: Known = field(default_factory=Known)
    items_outside: Known = field(default_factory=Known)
    calls: Known = field(default_factory=Known)
    announced: dict[str, Announced] = field(default_factory=dict[str, Announced])
    delete_when_added: Known = field(default_factory=Known)
    gone: Known = field(default_factory=Known)
    counts: Counts = field(default_factory=Counts)
    numbers: int = 0
    generations: int = 0
    was_live: bool = False
    turn_ended: bool = False
    owed: bool = False
    owed_since: float = 0.0
    speech_ended: float | None = None
    speaking: bool = False  # the user
    expires_at: float | None = None
    renew_asked: bool = False
    renew_not_before: float = 0.0
    redial_at: float | None = None
    failures: int = 0
    quick_deaths: int = 0
    lost_at: float = 0.0
    loss: str = ""
    lost: list[str] = field(default_factory=list[str])
    left_out: tuple[str, ...] = ()
    ended: bool = False
    held: deque[RealtimeEvent] = field(default_factory=deque["RealtimeEvent"])

    @property
    def live(self) -> Connection | None:
        """The socket that is spoken on, or None."""
        socket = self.connection
        return socket if socket is not None and socket.phase is Phase.LIVE else None

    def number(self) -> int:
        """Return the next number, for ids and tickets."""
        self.numbers += 1
        return self.numbers

    def new_id(self, kind: str) -> str:
        """Return an id that nobody else has."""
        return f"{kind}_{self.prefix}{self.number()}"

    def deliver(self, event: RealtimeEvent) -> None:
        """Hand an event to whoever listens."""
        self.actions.append(Deliver(event))

    def settle(self, ticket: Ticket | None, answer: RealtimeEvent | Failure) -> None:
        """Answer who waits."""
        if ticket is not None:
            self.actions.append(Settle(ticket, answer))

    def log(self, message: str) -> None:
        """Tell whoever watches."""
        self.actions.append(Log(message))

    def become(self, status: Status) -> None:
        """Change the status, and say so."""
        if status is not self.status:
            self.status = status
            generation = self.connection.generation if self.connection else 0
            self.deliver(ConnectionChangeEvent(status=status.value, generation=generation))

    def ask(self, event_id: str, question: Question, message: bytes = b"") -> None:
        """Remember what a message was about, and the message until it is written."""
        self.questions[event_id] = question
        if message:
            self.unwritten[message] = event_id
        if len(self.questions) > QUESTIONS_KEPT:
            oldest = next(one for one, each in self.questions.items() if not each.is_sequenced)
            what = f"a message ({self.questions[oldest].about.value})"
            self.give_up(
                oldest,
                f"too many answers are waited for: {QUESTIONS_KEPT} at most; nobody waits for that"
                f" to {what} any more, whatever becomes of it",
            )

    def give_up(self, event_id: str, message: str) -> None:
        """Wait no longer for the answer to a message."""
        question = self.questions.pop(event_id)
        if question.about is About.UPDATE:
            self.configuration.answered(question.ticket, granted=True)
        if question.about is About.RESPONSE:
            self.outside.pop(event_id, None)
            self.given_up.add(event_id)
        self.settle(question.ticket, Failure(FailureKind.PROGRESS_TIMEOUT, message))

    def stamp(self, message: bytes, now: float) -> None:
        """Note when the question of a message is given up, which is being written now."""
        event_id = self.unwritten.pop(message, "")
        question = self.questions.get(event_id)
        if question is None or question.is_sequenced:
            return
        is_update = question.about is About.UPDATE
        settings = self.settings
        seconds = settings.update_timeout if is_update else settings.answer_timeout
        self.questions[event_id] = replace(question, until=now + seconds)

    def forget_unwritten(self, socket: Connection) -> list[str]:
        """Return the ids of messages that a socket did not take, and forget those messages."""
        found: list[str] = []
        for message, event_id in list(self.unwritten.items()):
            question = self.questions.get(event_id)
            if question is None or question.generation == socket.generation:
                del self.unwritten[message]
                found.append(event_id)
        return found

    def questions_about(
        self, about: About, subject: str | None = None, *, socket: Connection | None = None
    ) -> list[str]:
        """Return the ids of messages about something, oldest first; of all sockets or of one."""
        return [
            event_id
            for event_id, question in self.questions.items()
            if question.about is about
            and subject in (None, question.subject)
            and (socket is None or question.generation == socket.generation)
        ]

    def echoed(self, fields: Mapping[str, Any]) -> None:
        """Take in what the server says that the session is."""
        self.configuration.echoed(fields)
        dropped_ms = self.uplink.change_format(self.configuration.input_format)
        if dropped_ms:
            self.deliver(AudioDroppedEvent(ms=dropped_ms, reason="format"))
