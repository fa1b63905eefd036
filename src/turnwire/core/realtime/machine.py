"""The Realtime machine: it is told what happened, and says what is to be done.

No I/O and no clock: times are float seconds of one monotonic clock, given with each input.
After each input the shell takes ``actions()`` and does them in order, and asks ``deadline()`` when
to come back if nothing happens sooner.
What the caller wants is in ``wishes.py``, the other half of this face.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from turnwire.core.failure import CloseInfo, Failure, FailureKind
from turnwire.core.realtime import arriving, connecting, failing, losing, renewing, speaking
from turnwire.core.realtime.configuration import Configuration
from turnwire.core.realtime.connection import Phase
from turnwire.core.realtime.items import Items
from turnwire.core.realtime.playback import Ledger
from turnwire.core.realtime.sequencer import Sequencer
from turnwire.core.realtime.state import RealtimeState, Status
from turnwire.core.realtime.uplink import Mark, Uplink
from turnwire.core.realtime.wishes import Wishes
from turnwire.events.realtime import (
    MalformedMessage,
    RealtimeErrorEvent,
    SessionCreatedEvent,
    client,
    decode_realtime_event,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import Any

    from turnwire.core.realtime.actions import Action, Generation
    from turnwire.core.realtime.connection import Connection
    from turnwire.core.realtime.playhead import Playhead
    from turnwire.core.realtime.settings import RealtimeSettings

_HISTORY_BYTES: Final = 16 * 2**20  # of items, without audio


class RealtimeMachine(Wishes):
    """One session of a caller's, over however many sockets it takes.

    Args:
        settings: Limits and policies.
        session: What the session is to be, in the shape of the wire or in words such as ``voice``.
        playhead: Knows how much of the audio was played.
        prefix: Of ids that are made here, different for each machine.
        began: Seconds since 1970 when ``now`` was zero.
        chance: Between 0 and 1, drawn anew each time; for pauses.
    """

    def __init__(
        self,
        settings: RealtimeSettings,
        session: Mapping[str, Any],
        playhead: Playhead,
        *,
        prefix: str = "",
        began: float = 0.0,
        chance: Callable[[], float] = lambda: 1.0,
    ) -> None:
        configuration = Configuration(session)
        super().__init__(
            RealtimeState(
                settings=settings,
                prefix=prefix,
                began=began,
                chance=chance,
                configuration=configuration,
                items=Items(_HISTORY_BYTES, settings.audio_bytes),
                uplink=Uplink(settings, configuration.input_format),
                ledger=Ledger(playhead),
                sequencer=Sequencer(),
            )
        )

    # What the shell does with it.

    def actions(self) -> list[Action]:
        """Return what is to be done, and forget it."""
        actions = self._state.actions
        if actions:
            self._state.actions = []
        return actions

    def deadline(self, now: float) -> float | None:
        """Return when to ``tick`` if nothing happens sooner."""
        state = self._state
        if state.ended:
            return None
        due = renewing.deadlines(state, now)
        due.extend(each.until for each in state.questions.values() if each.until is not None)
        for one in (speaking.deadline(state), state.uplink.due() if state.live else None):
            if one is not None:
                due.append(one)
        return min(due, default=None)

    def pull(self, generation: Generation, now: float) -> bytes | None:
        """Return the next message to be written on a socket: control first, then audio."""
        state, socket = self._state, self._socket(generation)
        if socket is None:
            return None
        message = socket.pull()
        if message is None and socket is state.live:
            found = state.uplink.pull(now)
            if isinstance(found, bytes):
                return client.append(found)
            message = found.message if isinstance(found, Mark) else None
        if message is not None:
            state.stamp(message, now)
        return message

    def _socket(self, generation: Generation) -> Connection | None:
        for socket in (self._state.connection, self._state.successor):
            if socket is not None and socket.generation == generation:
                return None if socket.phase is Phase.CLOSED else socket
        return None

    # What happened.

    def open(self, now: float) -> None:
        """Begin: dial the first socket."""
        self._state.connection = connecting.dial(self._state, now)
        self._state.become(Status.CONNECTING)

    def opened(self, generation: Generation, now: float) -> None:
        """A dial succeeded."""
        socket = self._socket(generation)
        if socket is not None and not self._state.ended:
            connecting.opened(self._state, socket, now)

    def refused(self, generation: Generation, failure: Failure, now: float) -> None:
        """A dial was answered with something else than a socket, or could not even sign in."""
        self._over(generation, failure, now)

    def lost(self, generation: Generation, close: CloseInfo, now: float) -> None:
        """A socket closed, or could not be opened."""
        reason = f" ({close.reason})" if close.reason else ""
        kind = FailureKind.LOST if close.reached else FailureKind.DIAL
        message = f"the socket closed with code {close.code}{reason}"
        if not close.reached:
            message = f"the socket could not be opened: {close.reason or 'no reason given'}"
        failure = Failure(kind, message, close_code=close.code, close_reason=close.reason)
        self._over(generation, failure, now)

    def _over(self, generation: Generation, failure: Failure, now: float) -> None:
        socket = self._socket(generation)
        if socket is not None and not self._state.ended:
            again = not losing.is_hopeless(failure)
            losing.ended(self._state, socket, failure, now, again=again)
            self._go_over(now)
            self._after(now)

    def _go_over(self, now: float) -> None:
        """Have the socket that is the next one now be live, if it was ready."""
        if (successor := self._state.connection) is not None and not self._state.ended:
            connecting.advance(self._state, successor, now)

    def malformed(self, generation: Generation, what: str, now: float) -> None:
        """A socket said what is no event; the events around it are none the worse for it."""
        if self._socket(generation) is not None:
            self._state.log(f"the server broke the protocol: {what}")
            self._state.counts.malformed += 1
            self._after(now)

    def received(self, generation: Generation, data: bytes, now: float) -> None:
        """A socket said something; what a socket says that is not spoken on any more is ignored."""
        state, socket = self._state, self._socket(generation)
        if socket is None or state.ended:
            return
        try:
            event = decode_realtime_event(data)
        except MalformedMessage as error:
            self.malformed(generation, str(error), now)
            return
        if not isinstance(event, (RealtimeErrorEvent, SessionCreatedEvent)):
            socket.spoke = True
        if socket is not state.live:
            connecting.received(state, socket, event, now)
        else:
            arriving.arrived(state, event, now)
            if isinstance(event, RealtimeErrorEvent):
                self._heed(socket, event, now)
        self._after(now)

    def _heed(self, socket: Connection, event: RealtimeErrorEvent, now: float) -> None:
        """Leave a session that the server is about to end."""
        failure = failing.failure_of(event.error)
        if failing.is_fatal(event.error):
            losing.give_up(self._state, failure)
        elif event.error.code == failing.EXPIRED and self._state.settings.reconnect:
            losing.leave(self._state, socket, failure, now)
            self._go_over(now)

    def tick(self, now: float) -> None:
        """Time has passed."""
        state = self._state
        if state.ended:
            return
        renewing.expire(state, now)
        speaking.expire(state, now)
        for event_id, question in list(state.questions.items()):
            if question.until is not None and now >= question.until:
                what = f"a message ({question.about.value})"
                state.give_up(event_id, f"the server did not answer {what}: its time is over")
        if state.live is not None and state.uplink.is_due(now):
            self._wake()
        self._after(now)

    def _after(self, now: float) -> None:
        """Do what any change may have made possible."""
        if not self._state.ended and (self._state.successor or self._state.renew_asked):
            renewing.renew(self._state, now)
