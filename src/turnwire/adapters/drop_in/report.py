"""How a request travelled, for ``response.extensions["turnwire"]``."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from turnwire.client.turn import AsyncTurn
    from turnwire.core.chain import ChainMiss
    from turnwire.core.request import Route


class Report:
    """How a request travelled; of a stream that goes on it says how things stand."""

    def __init__(self, turn: AsyncTurn | None, why: str = "") -> None:
        """Report on a turn; or, without one, on a request that went over HTTP.

        Args:
            turn: The turn, which was submitted.
            why: Why there is none.
        """
        self._turn = turn
        self._why = why

    @property
    def transport(self) -> Route:
        """``websocket`` or ``http``."""
        return "http" if self._turn is None else self._turn.transport

    @property
    def transport_reason(self) -> str:
        """Why that way: begins with ``preferred``, ``requested``, ``fallback`` or ``delegated``."""
        return self._why if self._turn is None else self._turn.transport_reason

    @property
    def chain_miss(self) -> ChainMiss | None:
        """Why everything was sent although there was a history; None if only what was new."""
        return None if self._turn is None else self._turn.chain_miss

    @property
    def sent_bytes(self) -> int:
        """Bytes of JSON written to the socket, resends included; 0 over HTTP."""
        return 0 if self._turn is None else self._turn.sent_bytes

    @property
    def full_bytes(self) -> int:
        """What they would have been with the whole history each time."""
        return 0 if self._turn is None else self._turn.full_bytes

    @property
    def model_runs(self) -> int | None:
        """How many runs of the model it may have started; None over HTTP, where nobody knows."""
        return None if self._turn is None else self._turn.model_runs

    def __repr__(self) -> str:
        miss = self.chain_miss
        return (
            f"Report(transport={self.transport!r}, transport_reason={self.transport_reason!r},"
            f" chain_miss={miss!r}, sent_bytes={self.sent_bytes}, full_bytes={self.full_bytes})"
        )
