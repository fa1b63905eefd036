"""Puts creates of a response on a socket, under the interface of ``httpx2``.

``AsyncOpenAI(http_client=turnwire.httpx2.AsyncClient())`` is all: docs/howto/drop-in.md.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Unpack

from turnwire.extras import needs

with needs("httpx2"):
    import httpx2

from turnwire.adapters.drop_in.client_arguments import client_arguments
from turnwire.adapters.drop_in.doors import AsyncDoor, Door
from turnwire.adapters.drop_in.family import Family

if TYPE_CHECKING:
    from turnwire.adapters.drop_in.options import DropInOptions
    from turnwire.core.breaker import Health
    from turnwire.core.statistics import PoolStatistics

__all__ = ["AsyncClient", "AsyncTransport", "Client", "Transport"]

_FAMILY = Family(httpx2)


class AsyncTransport(httpx2.AsyncBaseTransport):
    """Sends creates over a socket, and everything else through another transport, untouched.

    Where sockets do not work creates go that way too, and ``response.extensions["turnwire"]``
    says why.

    Args:
        wrapped: The other transport; by default one of the library's own, for each proxy that the
            environment names.  It is closed together with this one.
        **options: See :class:`~turnwire.adapters.drop_in.options.DropInOptions`.

    Raises:
        ConfigError: An option is unknown or wrong.
    """

    def __init__(
        self,
        wrapped: httpx2.AsyncBaseTransport | None = None,
        **options: Unpack[DropInOptions],
    ) -> None:
        self._door = AsyncDoor(_FAMILY, wrapped, options)

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        """Answer a request; cancelling it cancels the turn.

        Raises:
            httpx2.TransportError: There is no answer, or the way to the server broke.
        """
        response: httpx2.Response = await self._door.handle(request)
        return response

    def health(self) -> Health:
        """Say whether sockets are used, and when they are tried again."""
        return self._door.health()

    def statistics(self) -> PoolStatistics:
        """Return counters of sockets, turns and chains."""
        return self._door.statistics()

    async def aclose(self) -> None:
        """Close all sockets, and the wrapped transport."""
        await self._door.end()


class Transport(httpx2.BaseTransport):
    """The blocking twin of :class:`AsyncTransport`; threads may share it.

    Args:
        wrapped: As for :class:`AsyncTransport`.
        **options: As for :class:`AsyncTransport`.

    Raises:
        ConfigError: An option is unknown or wrong.
    """

    def __init__(
        self, wrapped: httpx2.BaseTransport | None = None, **options: Unpack[DropInOptions]
    ) -> None:
        self._door = Door(_FAMILY, wrapped, options)

    def handle_request(self, request: httpx2.Request) -> httpx2.Response:
        """Answer a request.

        Raises:
            httpx2.TransportError: There is no answer, or the way to the server broke.
        """
        response: httpx2.Response = self._door.handle(request)
        return response

    def health(self) -> Health:
        """Say whether sockets are used, and when they are tried again."""
        return self._door.health()

    def statistics(self) -> PoolStatistics:
        """Return counters of sockets, turns and chains."""
        return self._door.statistics()

    def close(self) -> None:
        """Close all sockets, and the wrapped transport."""
        self._door.end()


class AsyncClient(httpx2.AsyncClient):
    """A client on an :class:`AsyncTransport`, with the official SDK's timeouts and redirects.

    Args:
        **options: Arguments of the library's client, and options of the transport; ``transport``
            may be ``auto``, ``websocket`` or ``http``, or a transport to wrap.

    Raises:
        ConfigError: An option is wrong, or does not fit here.
    """

    def __init__(self, **options: Any) -> None:
        super().__init__(**client_arguments(_FAMILY, AsyncTransport, _async, options))

    @property
    def turnwire(self) -> AsyncTransport:
        """The transport, for its health and its counters."""
        assert isinstance(self._transport, AsyncTransport)  # made in the constructor
        return self._transport


class Client(httpx2.Client):
    """The blocking twin of :class:`AsyncClient`, on a :class:`Transport`.

    Args:
        **options: As for :class:`AsyncClient`.

    Raises:
        ConfigError: An option is wrong, or does not fit here.
    """

    def __init__(self, **options: Any) -> None:
        super().__init__(**client_arguments(_FAMILY, Transport, _blocking, options))

    @property
    def turnwire(self) -> Transport:
        """The transport, for its health and its counters."""
        assert isinstance(self._transport, Transport)  # made in the constructor
        return self._transport


def _async(wrapped: httpx2.AsyncBaseTransport | None, options: DropInOptions) -> AsyncTransport:
    return AsyncTransport(wrapped, **options)


def _blocking(wrapped: httpx2.BaseTransport | None, options: DropInOptions) -> Transport:
    return Transport(wrapped, **options)
