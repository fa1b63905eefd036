"""The bytes of an answer as they come, with the HTTP library's own exceptions."""

from __future__ import annotations

from typing import TYPE_CHECKING

from turnwire.errors import TurnwireError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator

    from turnwire.adapters.drop_in.exchange import Exchange
    from turnwire.io.portal import Portal

    Raised = Callable[[TurnwireError], Exception]


class AsyncPieces:
    """A stream to iterate; an early end of it is an exception."""

    def __init__(self, exchange: Exchange, raised: Raised) -> None:
        self._exchange = exchange
        self._raised = raised

    async def __aiter__(self) -> AsyncIterator[bytes]:
        try:
            while piece := await self._exchange.next_piece():
                yield piece
        except TurnwireError as error:
            raise self._raised(error) from error

    async def aclose(self) -> None:
        """Stop the turn, if it has not ended."""
        await self._exchange.aclose()


class Pieces:
    """The same for threads: each wait brings all that has come."""

    def __init__(self, exchange: Exchange, raised: Raised, portal: Portal) -> None:
        self._exchange = exchange
        self._raised = raised
        self._portal = portal

    def __iter__(self) -> Iterator[bytes]:
        try:
            while piece := self._portal.call(self._exchange.next_piece()):
                yield piece
        except TurnwireError as error:
            raise self._raised(error) from error

    def close(self) -> None:
        """Stop the turn, if it has not ended; what is asked for later comes after that."""
        self._portal.start(self._exchange.aclose())  # may be called while Python is ending
