"""What can be asked of a transport at any moment."""

from __future__ import annotations

from copy import deepcopy
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from collections.abc import Mapping

    from turnwire.core.realtime.machine import RealtimeMachine
    from turnwire.core.realtime.statistics import RealtimeStatistics
    from turnwire.errors import TurnwireError
    from turnwire.events.realtime import AudioFormat
    from turnwire.realtime.inbox import Inbox
    from turnwire.realtime.options import RealtimeOptions

StatusName = Literal["disconnected", "connecting", "connected", "reconnecting", "closing"]


class Facts:
    """What is known of a session."""

    options: RealtimeOptions
    _machine: RealtimeMachine
    _inbox: Inbox

    @property
    def status(self) -> StatusName:
        """``disconnected``, ``connecting``, ``connected``, ``reconnecting`` or ``closing``."""
        return self._machine.status.value

    @property
    def error(self) -> TurnwireError | None:
        """Why the session was lost for good; None while it is not, and if it was closed here."""
        return self._inbox.error()

    @property
    def generation(self) -> int:
        """Which socket of the session is spoken on, from 1; 0 before the first."""
        return self._machine.generation

    @property
    def session(self) -> Mapping[str, Any]:
        """The session's fields as the server last described them; empty before that.

        It is a copy, and read-only: ``update_session`` changes them.
        """
        return MappingProxyType(deepcopy(self._machine.configuration.effective))

    @property
    def model(self) -> str | None:
        """The model, as the server names it, or as it was asked for."""
        named = self._machine.configuration.effective.get("model")
        return named if isinstance(named, str) else self.options.model

    @property
    def expires_at(self) -> float | None:
        """When the server ends the session, in seconds since 1970; None if it does not say."""
        return self._machine.expires_at

    @property
    def input_format(self) -> AudioFormat:
        """The format of audio that is sent."""
        return self._machine.configuration.input_format

    @property
    def output_format(self) -> AudioFormat:
        """The format of audio that comes."""
        return self._machine.configuration.output_format

    @property
    def history(self) -> list[dict[str, Any]]:
        """The talk so far, oldest first, with the words of the model that were heard.

        Items are in the shape of the wire, without audio; a part of the model's that was cut off
        has ``cut_off`` and ends where the listener stopped hearing, to within a word or two.
        """
        return self._machine.history()

    def item(self, item_id: str) -> dict[str, Any] | None:
        """Return one item as ``history`` has it, or None if it is not there."""
        return self._machine.item(item_id)

    @property
    def awaits_response(self) -> bool:
        """True while a response was asked for that has not begun."""
        return self._machine.awaits_response

    def statistics(self) -> RealtimeStatistics:
        """Return the counters."""
        return self._machine.statistics()
