"""What the caller wants of a session; each is one step, and nobody is waited for.

What is wished while no socket is live changes what the next one is told; nothing is sent blindly.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from turnwire.core.failure import Failure, FailureKind
from turnwire.core.realtime import breaking_off, losing, renewing, saying, speaking
from turnwire.core.realtime.actions import Wake
from turnwire.core.realtime.configuration import nested
from turnwire.core.realtime.heard_text import heard_text
from turnwire.core.realtime.interrupting import Truncate
from turnwire.core.realtime.resetting import plan_reset
from turnwire.core.realtime.state import About, Question, Status
from turnwire.core.realtime.statistics import RealtimeStatistics, statistics_of
from turnwire.core.realtime.uplink import LEAST_COMMIT_MS
from turnwire.events.realtime import AudioDroppedEvent, client

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from turnwire.core.realtime.actions import Ticket
    from turnwire.core.realtime.breaking_off import Cancel
    from turnwire.core.realtime.configuration import Configuration
    from turnwire.core.realtime.playback import HeardPart
    from turnwire.core.realtime.settings import RealtimeSettings
    from turnwire.core.realtime.state import RealtimeState

NOT_SENT = "nothing was sent: no socket is open now"


class Wishes:
    """The caller's half of the machine."""

    def __init__(self, state: RealtimeState) -> None:
        self._state = state

    # Readable.

    @property
    def settings(self) -> RealtimeSettings:
        """Limits and policies."""
        return self._state.settings

    @property
    def status(self) -> Status:
        """What the transport is doing."""
        return self._state.status

    @property
    def generation(self) -> int:
        """Which socket is spoken on, from 1; 0 before the first."""
        return self._state.connection.generation if self._state.connection else 0

    @property
    def configuration(self) -> Configuration:
        """The session's fields, as wanted and as the server has them."""
        return self._state.configuration

    @property
    def expires_at(self) -> float | None:
        """When the server ends the session, in seconds since 1970; None if it does not say."""
        expires_at = self._state.expires_at
        return None if expires_at is None else expires_at + self._state.began

    @property
    def backlog_ms(self) -> float:
        """How much of the user's audio waits to be sent."""
        return self._state.uplink.backlog_ms

    @property
    def uncommitted_ms(self) -> float:
        """How much of the user's audio was given since the last commit."""
        return self._state.uplink.uncommitted_ms

    def room_bytes(self) -> int:
        """Return how much audio may be given without any being dropped."""
        return self._state.uplink.room_bytes()

    def heard(self, now: float) -> tuple[HeardPart, ...]:
        """Return what was heard of each part that is remembered, oldest first."""
        return self._state.ledger.heard(now)

    def next_played(self, now: float) -> float | None:
        """Return when all that came will have been played; None if it has been, or nobody knows."""
        return self._state.ledger.next_change(now)

    def is_playing(self, now: float) -> bool:
        """Say whether something is still to be played."""
        return self._state.ledger.is_playing(now)

    def position_of(self, item_id: str, content_index: int, ms: float) -> int | None:
        """Return where in the stream of all audio a part has been played for so long, in bytes."""
        return self._state.ledger.position_of(item_id, content_index, ms)

    @property
    def awaits_response(self) -> bool:
        """Whether a response was asked for that has not begun."""
        sequencer = self._state.sequencer
        return sequencer.waiting > 0 or sequencer.sent is not None

    def item(self, item_id: str) -> dict[str, Any] | None:
        """Return an item of the talk, with the words that were heard, or None."""
        entry = self._state.items.get(item_id)
        return None if entry is None else entry.shown()

    def history(self) -> list[dict[str, Any]]:
        """Return the items of the talk, with the words that were heard."""
        return self._state.items.history()

    def statistics(self) -> RealtimeStatistics:
        """Return the counters."""
        return statistics_of(self._state)

    # The user's audio.

    def append(self, audio: bytes, now: float) -> None:
        """Take audio of the user's; what is dropped for it is told as ``audio_dropped``.

        Raises:
            NoRoom: The backlog is full, and the policy is not to drop; nothing was taken.
        """
        dropped_ms = self._state.uplink.append(audio, now)
        if dropped_ms:
            self._state.deliver(AudioDroppedEvent(ms=dropped_ms, reason="backlog"))
        self._wake()

    def commit(self) -> Failure | None:
        """Make an item of the audio that was given so far; a failure if it is too short.

        Raises:
            NoRoom: Too much waits to be sent apart from audio; nothing was done.
        """
        uplink = self._state.uplink
        if uplink.uncommitted_ms < LEAST_COMMIT_MS and not self._state.configuration.detects_turns:
            given = f"{uplink.uncommitted_ms:.0f} ms of audio were given since the last commit"
            message = f"{given}; the server takes {LEAST_COMMIT_MS:.0f} ms at least"
            return Failure(FailureKind.UNSENT, message)
        event = client.commit()
        saying.check_room(self._state, event)
        self._behind_audio(event, commits=True)
        return None

    def clear(self) -> None:
        """Empty the input buffer, and drop what was not sent of it.

        Raises:
            NoRoom: Too much waits to be sent apart from audio; nothing was done.
        """
        event = client.clear()
        saying.check_room(self._state, event)
        self._state.uplink.clear()
        self._behind_audio(event, commits=False)

    def _behind_audio(self, event: dict[str, Any], *, commits: bool) -> None:
        event["event_id"] = self._state.new_id("event")
        message = saying.encoded(self._state, event)
        self._state.uplink.mark(message, commits=commits, is_audios=True)
        self._wake()

    def _wake(self) -> None:
        live = self._state.live
        if live is not None:
            self._state.actions.append(Wake(live.generation))

    # The talk.

    def create_item(
        self,
        item: Mapping[str, Any],
        previous_id: str | None = None,
        fields: Mapping[str, Any] | None = None,
    ) -> tuple[str, Ticket]:
        """Add an item; return its id, and a ticket that its appearance settles.

        Args:
            item: In the shape of the wire; it gets an id unless it has one.
            previous_id: The item before it, ``"root"`` for none; at the end without.
            fields: More fields of the message itself; an ``event_id`` that is in use fails.

        Raises:
            NoRoom: Too much waits to be sent apart from audio; nothing was done.
        """
        event = {**client.item_create(item, previous_item_id=previous_id), **(fields or {})}
        saying.check_room(self._state, event)
        failure = saying.taken_id(self._state, event)
        return self._create(item, previous_id, fields or {}, failure)

    def _create(
        self,
        item: Mapping[str, Any],
        previous_id: str | None,
        fields: Mapping[str, Any],
        failure: Failure | None = None,
    ) -> tuple[str, Ticket]:
        ticket = self._state.number()
        named = dict(item)
        if named.get("id") is None:
            named["id"] = self._state.new_id("item")
        if failure is not None:
            self._state.settle(ticket, failure)
        else:
            saying.create_item(self._state, named, previous_id, ticket, fields)
        return str(named["id"]), ticket

    def delete_item(self, item_id: str) -> Ticket:
        """Remove an item; its disappearance settles the ticket.

        Raises:
            NoRoom: Too much waits to be sent apart from audio; nothing was done.
        """
        saying.check_room(self._state, client.item_delete(item_id))
        return self._delete(item_id)

    def _delete(self, item_id: str) -> Ticket:
        ticket = self._state.number()
        saying.delete_item(self._state, item_id, ticket)
        return ticket

    def retrieve_item(self, item_id: str) -> Ticket | Failure:
        """Ask for an item with its audio."""
        return self._asked(client.item_retrieve(item_id), Question(About.RETRIEVE, subject=item_id))

    def truncate_item(
        self, item_id: str, content_index: int, audio_end_ms: int, now: float
    ) -> Ticket | Failure:
        """Make the model forget what it said after a time.

        Raises:
            NoRoom: Too much waits to be sent apart from audio; nothing was done.
        """
        saying.check_room(self._state, client.item_truncate(item_id, content_index, audio_end_ms))
        what = Truncate(item_id, content_index, audio_end_ms)
        for each in self._state.ledger.of_item(item_id, now):
            entry = self._state.items.get(item_id)
            if each.part.content_index == content_index and entry is not None:
                words = entry.spoken(content_index)
                heard = heard_text(words, audio_end_ms, each.received_ms, finished=each.finished)
                self._state.items.set_heard(item_id, content_index, heard.text)
        question = Question(About.OTHER, subject=item_id, truncate=what)
        return self._asked(client.item_truncate(*what), question)

    def reset_history(self, items: Sequence[Mapping[str, Any]]) -> list[Ticket]:
        """Make the talk consist of these items: delete, change and add what differs.

        Raises:
            NoRoom: Too much waits to be sent apart from audio; nothing was done.
        """
        reset = plan_reset(self.history(), items, lambda: self._state.new_id("item"))
        deletes = [client.item_delete(item_id) for item_id in reset.deletes]
        creates = [client.item_create(item, previous_item_id=at) for item, at in reset.creates]
        saying.check_room(self._state, *deletes, *creates)
        deleted = [self._delete(item_id) for item_id in reset.deletes]
        return deleted + [self._create(item, at, {})[1] for item, at in reset.creates]

    def send(self, event: dict[str, Any]) -> Ticket | Failure:
        """Send a message that nothing here knows about; it needs a live socket.

        If it is lost before it was written, ``reconnected`` names its ``event_id``.

        Raises:
            NoRoom: Too much waits to be sent apart from audio; nothing was done.
        """
        return self._asked(dict(event), Question(About.RAW))

    def _asked(self, event: dict[str, Any], question: Question) -> Ticket | Failure:
        if self._state.live is None:
            return Failure(FailureKind.LOST, NOT_SENT)
        if (failure := saying.taken_id(self._state, event)) is not None:
            return failure
        saying.check_room(self._state, event)
        ticket = self._state.number()
        saying.say(self._state, event, replace(question, ticket=ticket), behind_audio=True)
        return ticket

    # Responses.

    def ask_response(self, body: Mapping[str, Any] | None, now: float) -> Ticket:
        """Wish for a response: asked for as soon as none is active.

        The ticket is settled by ``response.created`` and by ``response.done``, or by a failure.
        Wishes without a body that wait together become one response.

        Raises:
            NoRoom: Too much waits to be sent apart from audio; nothing was done.
        """
        if body is not None:
            saying.check_room(self._state, client.response_create(dict(body)))
        ticket = self._state.number()
        speaking.ask(self._state, body, ticket, now)
        return ticket

    def cancel_response(self, response_id: str | None, now: float) -> bool:
        """Stop a response, by default the active one; say whether there was one to stop."""
        which = response_id or self._state.sequencer.active
        running = self._state.running.get(which or "")
        if which is None or running is None or running.cancelled:
            return False
        speaking.stop(self._state, which, now)
        return True

    def interrupt(
        self,
        now: float,
        *,
        reason: str = "requested",
        cancel: Cancel = "auto",
        response_id: str | None = None,
    ) -> bool:
        """Stop what is heard and tell the server how far that was; False if nothing was."""
        return breaking_off.break_off(
            self._state, now, reason=reason, cancel=cancel, response_id=response_id
        )

    # The session.

    def update_session(
        self,
        fields: Mapping[str, Any],
        now: float,  # noqa: ARG002  # as all wishes that are answered in time
    ) -> Ticket:
        """Change what is given of the session; ``session.updated`` settles the ticket.

        Raises:
            NoRoom: Too much waits to be sent apart from audio; nothing was done.
        """
        saying.check_room(self._state, client.session_update(nested(fields)))
        ticket = self._state.number()
        saying.update(self._state, fields, ticket)
        return ticket

    def renew(self, now: float) -> None:
        """Go on with a new session in the next pause of the talk."""
        self._state.renew_asked, self._state.renew_not_before = True, 0.0
        renewing.renew(self._state, now)

    def close(self) -> None:
        """End everything; whoever waits is told that the session was closed."""
        if not self._state.ended:
            self._state.become(Status.CLOSING)
            losing.give_up(self._state, None)
