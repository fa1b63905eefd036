"""Answers creates over sockets: whoever asked cannot tell, apart from the bytes."""

from __future__ import annotations

import asyncio
import logging
import os
import threading
from collections import OrderedDict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from turnwire.adapters.drop_in.options import client_options
from turnwire.adapters.drop_in.report import Report
from turnwire.adapters.drop_in.server import Server
from turnwire.client.options import config_of
from turnwire.client.runtime import Runtime
from turnwire.core.breaker import Breaker
from turnwire.core.statistics import PoolStatistics
from turnwire.errors import ConfigError, QueueTimeout

if TYPE_CHECKING:
    from turnwire.adapters.drop_in.asked import Asked
    from turnwire.adapters.drop_in.exchange import Exchange
    from turnwire.adapters.drop_in.options import DropInOptions
    from turnwire.core.breaker import Health
    from turnwire.core.request import Replay

_log: Final = logging.getLogger("turnwire")

_MOST_SERVERS: Final = 16  # pairs of a server and a credential, each with sockets of its own
_NOT_UNDERSTOOD: Final = "delegated: the body is no create that can be understood"
_IN_THE_BACKGROUND: Final = "delegated: a background response has no socket to come back on"


@dataclass(frozen=True, slots=True)
class Delegated:
    """Asked for what does not go over a socket, or not now.

    Attributes:
        report: How it goes instead, and why.
        server: Where it would have gone, if sockets did not work; it wants to know whether HTTP
            reaches the server.
    """

    report: Report
    server: Server | None = None

    async def note_http(self, *, reached: bool) -> None:
        """Say whether HTTP reached the server."""
        if self.server is not None:
            self.server.runtime.note_http(reached=reached)


class DropIn:
    """Everything that a transport needs to know, and no HTTP library.

    Args:
        options: See :class:`DropInOptions`.

    Raises:
        ConfigError: An option is unknown or wrong.
    """

    def __init__(self, options: DropInOptions) -> None:
        self._options = client_options(options)
        self._replay: Replay | None = options.get("replay")
        self._chain_bytes = options.get("chain_bytes", 128 * 2**20)
        self._ended = PoolStatistics()
        self._closed = False
        self._not_ours: list[object] = []  # kept: collecting them would close what is not ours
        self._begin()

    def _begin(self) -> None:
        self._pid = os.getpid()
        self._lock = threading.Lock()  # event loops of several threads may share it
        self._servers: OrderedDict[object, Server] = OrderedDict()
        self._closing: dict[Server, asyncio.Task[None]] = {}

    def _leave_parent_alone(self) -> None:
        """Begin anew after a fork: sockets, and whoever held the lock, are the other process's."""
        if self._pid != os.getpid():
            self._not_ours.append((self._servers, self._closing))
            self._begin()

    async def ask(self, asked: Asked) -> Exchange | Delegated:
        """Answer a create, as far as its first event; or say why it has to go over HTTP.

        Cancelling it cancels the turn.

        Raises:
            TurnwireError: There is no answer: the server was not reached, or the way to it broke.
        """
        self.check_open()
        self._leave_parent_alone()
        try:
            with self._lock:
                server = self._server(asked)
        except (ConfigError, QueueTimeout) as error:
            if self._options.get("transport") == "websocket":
                raise
            return _delegated(f"fallback: {error}")
        found = server.find(asked.body)
        if found is None or found.body.shape.is_background:
            server.leave(found)
            return _delegated(_NOT_UNDERSTOOD if found is None else _IN_THE_BACKGROUND)
        exchange = server.exchange(found, asked)
        if await exchange.begin(streams=found.body.shape.streams):
            return exchange
        return Delegated(exchange.report, server)

    def check_open(self) -> None:
        """Refuse to go on after ``aclose``.

        Raises:
            ConfigError: It is closed.
        """
        if self._closed:
            raise ConfigError("the transport is closed; make another one")

    def _server(self, asked: Asked) -> Server:
        """Return the server for a request, and let it in."""
        key = (asked.url, *asked.headers.items())
        server = self._servers.get(key)
        if server is None:
            if len(self._servers) >= _MOST_SERVERS:
                self._let_one_go()
            config = config_of(
                {**self._options, "base_url": asked.url, "default_headers": asked.headers}
            )
            server = self._servers[key] = Server(Runtime(config), self._chain_bytes, self._replay)
        self._servers.move_to_end(key)
        server.enter()
        return server

    def _let_one_go(self) -> None:
        """Close the sockets that were not used for longest, such as those of an old key."""
        for key, server in self._servers.items():
            if not server.users:
                del self._servers[key]
                _log.warning(
                    "requests come with more than %d sets of URL, key and headers, and each has"
                    " sockets and chains of its own: give headers that change to nobody, or to"
                    " the client instead of the request",
                    _MOST_SERVERS,
                )
                ending = self._end(server)
                self._closing[server] = asyncio.get_running_loop().create_task(ending)
                return
        raise QueueTimeout(f"requests with {_MOST_SERVERS} other sets of headers are under way")

    async def _end(self, server: Server) -> None:
        await server.runtime.aclose()
        with self._lock:
            del self._closing[server]
            self._ended += server.runtime.statistics()

    def health(self) -> Health:
        """Say whether sockets are used: by the server for which things stand worst."""
        self._leave_parent_alone()
        with self._lock:
            servers = tuple(self._servers.values())
        known = [server.runtime.health() for server in servers]
        return min(known, default=Breaker().health(0.0), key=lambda health: health.transport)

    def statistics(self) -> PoolStatistics:
        """Return counters of sockets, turns and chains of all servers together."""
        self._leave_parent_alone()
        with self._lock:
            servers, ended = (*self._servers.values(), *self._closing), self._ended
        return sum((server.runtime.statistics() for server in servers), ended)

    async def aclose(self) -> None:
        """Close all sockets; exchanges that go on end with an error, at once."""
        self._closed = True
        self._leave_parent_alone()
        with self._lock:
            servers = (*self._servers.values(), *self._closing)
        await asyncio.gather(*(server.runtime.aclose() for server in servers))


def _delegated(why: str) -> Delegated:
    return Delegated(Report(None, why))
