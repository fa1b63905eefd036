"""The half of a transport that is spoken through: audio, the talk, interruptions, the session."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from turnwire.core.failure import Failure
from turnwire.errors import ConfigError
from turnwire.realtime.answers import Confirmed, Taken, error_of
from turnwire.realtime.raw import WAYS, is_object
from turnwire.realtime.sound import Sound
from turnwire.realtime.talk import Talk
from turnwire.realtime.wishing import check_json, check_session

if TYPE_CHECKING:
    from collections.abc import Mapping

    from turnwire.core.realtime.breaking_off import Cancel
    from turnwire.events.realtime import RealtimeEvent
    from turnwire.realtime.answers import Answer


class Speaking(Sound, Talk):
    """What is said to a session."""

    def send(self, event: Mapping[str, Any]) -> Answer[RealtimeEvent | None]:
        """Send any event of the client's, in the shape of the wire.

        Events that have a method of their own take its way, so that nothing goes out at the wrong
        time: a ``response.create`` waits until none is active.  An ``event_id`` of yours is kept
        where the event has no method and where it creates an item; all others get another one,
        for an error that names it is told where the result is awaited.

        Returns:
            To be awaited, or not, for the event that confirms it: ``session.updated``, an item's
            ``added``, ``deleted``, ``truncated`` or ``retrieved``, ``response.created``.  For all
            others it is None, at once.

        Raises:
            ConfigError: It has no type, lacks a field, has one of a wrong shape, or JSON cannot
                hold it.
            QueueFull: Too many bytes wait to be sent.
            ConnectionLost: No socket is open just now, for events that have no method of their
                own; nothing was sent.
        """
        self._check_open()
        given: object = event  # by a caller whom no type checker warned
        kind = event.get("type") if is_object(given) else None
        if not isinstance(kind, str):
            raise ConfigError('an event needs a `type`, such as "response.create"')
        check_json(event)
        asking = WAYS.get(kind)
        try:
            if asking is not None:
                return asking(self, event)
            failure = self._wish(self._machine.send, dict(event))
        except KeyError as error:
            raise ConfigError(f"a `{kind}` needs `{error.args[0]}`") from None
        if isinstance(failure, Failure):
            raise error_of(failure)
        self._act()
        return Taken()

    def cancel_response(self, response_id: str | None = None) -> bool:
        """Stop making a response, by default the active one; False if there is none.

        What of it has arrived is still heard; ``interrupt`` stops that too.
        """
        self._check_open()
        cancelled = self._wish(self._machine.cancel_response, response_id, self._now())
        self._act()
        return cancelled

    def interrupt(
        self,
        *,
        cancel: Cancel = "auto",
        response_id: str | None = None,
        reason: str = "requested",
    ) -> bool:
        """Stop what is heard, and tell the server how far it was heard; in one step.

        It happens by itself when the server hears the user speak.

        Args:
            cancel: Whether to cancel what is still being made; ``auto`` leaves it to a server that
                does it by itself.
            response_id: Stop only this response.
            reason: For the ``audio_interrupted`` event.

        Returns:
            False if nothing was to be heard any more, and nothing was made: nothing was done.
        """
        self._check_open()
        interrupted = self._wish(
            self._machine.interrupt,
            self._now(),
            reason=reason,
            cancel=cancel,
            response_id=response_id,
        )
        self._act()
        return interrupted

    # The session.

    def update_session(self, **fields: Any) -> Confirmed:
        """Change what is given of the session, and nothing else; None is a value.

        Args:
            **fields: As for ``session`` of ``connect``.

        Returns:
            To be awaited for ``session.updated``; a refusal is raised there.
        """
        self._check_open()
        if fields.keys() == {"session"}:
            raise ConfigError("give the fields themselves: `update_session(voice=…)`")
        check_session(fields)
        ticket = self._wish(self._machine.update_session, fields, self._now())
        return self._waits(ticket, Confirmed())

    def renew(self) -> None:
        """Go on in a new session, in the next pause of the talk: see ``ReconnectedEvent``."""
        self._check_open()
        self._wish(self._machine.renew, self._now())
        self._act()
