"""The two colours of a transport, for every library of the family."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from turnwire.adapters.drop_in.answer import STREAM_TYPE
from turnwire.adapters.drop_in.delegates import Delegates
from turnwire.adapters.drop_in.drop_in import Delegated, DropIn
from turnwire.adapters.drop_in.exchange import Exchange
from turnwire.adapters.drop_in.report import Report
from turnwire.errors import TurnwireError
from turnwire.io.portal import Portal

if TYPE_CHECKING:
    from turnwire.adapters.drop_in.family import Family
    from turnwire.adapters.drop_in.options import DropInOptions
    from turnwire.core.breaker import Health
    from turnwire.core.statistics import PoolStatistics

_STREAM_HEADERS: Final = {"content-type": STREAM_TYPE, "cache-control": "no-store"}
_NOT_A_CREATE: Final = Delegated(
    Report(None, "delegated: only creating a response goes over a socket")
)


class AsyncDoor:
    """An async transport.

    Args:
        family: The library.
        wrapped: What everything else goes through; None for transports of the library's own.
        options: See :class:`DropInOptions`.
    """

    def __init__(self, family: Family, wrapped: Any, options: DropInOptions) -> None:
        family.check_wrapped(wrapped, "AsyncBaseTransport")
        self._family = family
        self._drop_in = DropIn(options)
        self._delegates = Delegates(family.library.AsyncHTTPTransport, wrapped, family, options)

    async def handle(self, request: Any) -> Any:
        """Answer a request over a socket, or have it answered."""
        try:
            self._drop_in.check_open()
            if not self._family.is_ours(request):
                return await self._delegate(request, _NOT_A_CREATE)
            await request.aread()
            exchange = await self._drop_in.ask(self._family.asked(request))
        except TurnwireError as error:
            raise self._family.error(error, request) from error
        if not isinstance(exchange, Exchange):
            return await self._delegate(request, exchange)
        answer = exchange.answer
        if answer is not None:
            headers = {**answer.headers, "content-length": str(len(answer.body))}
            return self._family.response(
                answer.status, headers, exchange.report, stream=self._family.whole(answer.body)
            )
        stream = self._family.async_stream(exchange, request)
        return self._family.response(200, _STREAM_HEADERS, exchange.report, stream=stream)

    async def _delegate(self, request: Any, delegated: Delegated) -> Any:
        try:
            response = await self._delegates.transport(request).handle_async_request(request)
        except self._family.not_reached:
            await delegated.note_http(reached=False)
            raise
        await delegated.note_http(reached=True)
        return self._family.delegated(response, delegated.report)

    def health(self) -> Health:
        """Say whether sockets are used."""
        return self._drop_in.health()

    def statistics(self) -> PoolStatistics:
        """Return the counters."""
        return self._drop_in.statistics()

    async def end(self) -> None:
        """Close everything, the wrapped transport too."""
        await self._drop_in.aclose()
        for each in self._delegates.made:
            await each.aclose()


class Door:
    """A blocking transport; its sockets live on a thread of their own, which begins with the first.

    Args:
        family: The library.
        wrapped: As for :class:`AsyncDoor`.
        options: See :class:`DropInOptions`.
    """

    def __init__(self, family: Family, wrapped: Any, options: DropInOptions) -> None:
        family.check_wrapped(wrapped, "BaseTransport")
        self._family = family
        self._drop_in = DropIn(options)
        self._portal = Portal(self._drop_in.aclose)
        self._delegates = Delegates(family.library.HTTPTransport, wrapped, family, options)

    def handle(self, request: Any) -> Any:
        """Answer a request over a socket, or have it answered."""
        try:
            self._drop_in.check_open()
            if not self._family.is_ours(request):
                return self._delegate(request, _NOT_A_CREATE)
            request.read()
            exchange = self._portal.call(self._drop_in.ask(self._family.asked(request)))
        except TurnwireError as error:
            raise self._family.error(error, request) from error
        if not isinstance(exchange, Exchange):
            return self._delegate(request, exchange)
        answer = exchange.answer
        if answer is not None:
            headers = {**answer.headers, "content-length": str(len(answer.body))}
            return self._family.response(
                answer.status, headers, exchange.report, stream=self._family.whole(answer.body)
            )
        stream = self._family.stream(exchange, request, self._portal)
        return self._family.response(200, _STREAM_HEADERS, exchange.report, stream=stream)

    def _delegate(self, request: Any, delegated: Delegated) -> Any:
        try:
            response = self._delegates.transport(request).handle_request(request)
        except self._family.not_reached:
            self._portal.start(delegated.note_http(reached=False))
            raise
        if delegated.server is not None:  # or there may be no thread yet, and none is needed
            self._portal.start(delegated.note_http(reached=True))
        return self._family.delegated(response, delegated.report)

    def health(self) -> Health:
        """Say whether sockets are used."""
        return self._portal.look(self._drop_in.health)

    def statistics(self) -> PoolStatistics:
        """Return the counters."""
        return self._portal.look(self._drop_in.statistics)

    def end(self) -> None:
        """Close everything, the wrapped transport too."""
        self._portal.close()
        for each in self._delegates.made:
            each.close()
