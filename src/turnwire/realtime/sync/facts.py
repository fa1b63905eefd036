"""What can be asked of a blocking transport, and what was heard."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

    from turnwire.core.realtime.playback import HeardPart
    from turnwire.core.realtime.statistics import RealtimeStatistics
    from turnwire.errors import TurnwireError
    from turnwire.events.realtime import AudioFormat
    from turnwire.realtime.facts import StatusName
    from turnwire.realtime.options import RealtimeOptions
    from turnwire.realtime.sync.thread import Thread
    from turnwire.realtime.transport import RealtimeTransport


class SyncFacts:
    """What is known of a session; see :class:`turnwire.realtime.RealtimeTransport`."""

    _transport: RealtimeTransport
    _thread: Thread

    @property
    def options(self) -> RealtimeOptions:
        """What it was made with."""
        return self._transport.options

    @property
    def status(self) -> StatusName:
        """``disconnected``, ``connecting``, ``connected``, ``reconnecting`` or ``closing``."""
        return self._transport.status

    @property
    def error(self) -> TurnwireError | None:
        """Why the session was lost for good; None while it is not, and if it was closed here."""
        return self._transport.error

    @property
    def generation(self) -> int:
        """Which socket of the session is spoken on, from 1; 0 before the first."""
        return self._transport.generation

    @property
    def session(self) -> Mapping[str, Any]:
        """The session's fields as the server last described them; a copy, and read-only."""
        return self._thread.do(lambda: self._transport.session)

    @property
    def model(self) -> str | None:
        """The model, as the server names it, or as it was asked for."""
        return self._transport.model

    @property
    def expires_at(self) -> float | None:
        """When the server ends the session, in seconds since 1970; None if it does not say."""
        return self._transport.expires_at

    @property
    def input_format(self) -> AudioFormat:
        """The format of audio that is sent."""
        return self._transport.input_format

    @property
    def output_format(self) -> AudioFormat:
        """The format of audio that comes."""
        return self._transport.output_format

    @property
    def history(self) -> list[dict[str, Any]]:
        """The talk so far, oldest first, with the words of the model that were heard."""
        return self._thread.do(lambda: self._transport.history)

    def item(self, item_id: str) -> dict[str, Any] | None:
        """Return one item as ``history`` has it, or None if it is not there."""
        return self._thread.do(lambda: self._transport.item(item_id))

    @property
    def awaits_response(self) -> bool:
        """True while a response was asked for that has not begun."""
        return self._thread.do(lambda: self._transport.awaits_response)

    def statistics(self) -> RealtimeStatistics:
        """Return the counters."""
        return self._thread.do(self._transport.statistics)

    # What was heard.

    @property
    def heard(self) -> tuple[HeardPart, ...]:
        """What was received and heard of each audio part, oldest first; milliseconds."""
        return self._thread.do(lambda: self._transport.heard)

    @property
    def is_playing(self) -> bool:
        """True while audio is still to be heard."""
        return self._thread.do(lambda: self._transport.is_playing)

    def played(self, size_bytes: int, *, flushes: int | None = None) -> None:
        """Say that so much more audio was played, with ``playback="reported"``.

        Raises:
            ConfigError: The session has another playhead, or the size is negative.
        """
        self._thread.do(lambda: self._transport.played(size_bytes, flushes=flushes))

    def position_of(self, item_id: str, content_index: int, ms: float) -> int | None:
        """Return what to tell ``Reported.report_total`` if a part has been played for so long."""
        return self._thread.do(lambda: self._transport.position_of(item_id, content_index, ms))

    def wait_played(self) -> None:
        """Wait until all that came so far has been heard, or was interrupted."""
        self._thread.wait_or(self._transport.wait_played(), lambda: None)

    # The user's audio.

    @property
    def muted(self) -> bool:
        """Whether ``send_audio`` drops what it is given."""
        return self._transport.muted

    @property
    def backlog_ms(self) -> float:
        """How many milliseconds of audio wait to be sent."""
        return self._thread.do(lambda: self._transport.backlog_ms)
