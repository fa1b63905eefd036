"""What can be read of a turn at any time, from any thread that may look at it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from turnwire.core.turn import TurnState
from turnwire.errors import TurnwireError

if TYPE_CHECKING:
    from turnwire.core.chain import ChainMiss
    from turnwire.core.pool_turn import PoolTurn
    from turnwire.core.request import Route
    from turnwire.events import Response, Usage
    from turnwire.io.inbox import Inbox

_ENDED_WELL: Final = frozenset({TurnState.COMPLETED, TurnState.INCOMPLETE})


class TurnFacts:
    """The readable side of a turn."""

    _turn: PoolTurn | None = None
    _inbox: Inbox | None = None

    @property
    def _record(self) -> PoolTurn:
        if self._turn is None:
            raise TurnwireError("the turn was not started")
        return self._turn

    @property
    def has_ended(self) -> bool:
        """True once nothing more comes from the server; there may be events to read."""
        return self._inbox is not None and self._inbox.finish is not None

    @property
    def transport(self) -> Route:
        """How the turn travels: ``websocket`` or ``http``."""
        return self._record.route

    @property
    def transport_reason(self) -> str:
        """Why that way: begins with ``requested``, ``preferred`` or ``fallback``."""
        return self._record.transport_reason

    @property
    def delivery(self) -> str:
        """``queued``, ``writing``, ``accepted``, ``output``, ``steering`` or ``terminal``."""
        return self._record.delivery

    @property
    def response_id(self) -> str | None:
        """The response's id, once the server has named it."""
        return self._record.response_id

    @property
    def chain_miss(self) -> ChainMiss | None:
        """Why the whole history was sent, or None if only what is new was."""
        return self._record.chain_miss

    @property
    def sent_bytes(self) -> int:
        """Bytes of JSON written for this turn, resends included."""
        return self._record.sent_bytes

    @property
    def full_bytes(self) -> int:
        """What they would have been with the whole history each time."""
        return self._record.full_bytes

    @property
    def resends(self) -> int:
        """How often the turn was written again, for whatever reason."""
        return self._record.resends

    @property
    def model_runs(self) -> int:
        """How many runs of the model this turn may have started."""
        return self._record.model_runs

    @property
    def response(self) -> Response | None:
        """The final response, once the turn has ended well."""
        ended_well = self._turn is not None and self._turn.state in _ENDED_WELL
        finish = self._inbox.finish if self._inbox and ended_well else None
        return finish.response if finish else None

    @property
    def responses(self) -> list[Response]:
        """The turn's responses so far: each but the last was steered, and the next continues it."""
        last = self.response
        return [*self._record.responses, *(() if last is None else (last,))]

    @property
    def usage(self) -> Usage | None:
        """Tokens, once the turn has ended and if the server says."""
        return self.response.usage if self.response is not None else None

    @property
    def partial(self) -> Response:
        """What has arrived so far, as a response of status ``in_progress``.

        Made anew each time, by joining what has come: read it now and then, not at every event.
        """
        return self._record.snapshot.partial()
