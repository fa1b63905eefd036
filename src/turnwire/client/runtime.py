"""What a client's turns share: its configuration and its engine, made on first use."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from turnwire.client.checking import checked_limit, checked_transport
from turnwire.client.params import encode_params
from turnwire.core.request import TurnRequest
from turnwire.core.statistics import PoolStatistics
from turnwire.errors import ConfigError, DialError, DialTimeout, TransportError, TurnTimeout
from turnwire.io.endpoint import SignInFailed
from turnwire.io.engine import Engine

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping, Sequence

    from turnwire.client.config import Config
    from turnwire.core.chain import Chain
    from turnwire.core.history import HistoryItem
    from turnwire.core.params import Params
    from turnwire.core.request import Deadlines, Transport
    from turnwire.io.endpoint import SignedIn

    Submission = tuple[Engine, TurnRequest, Mapping[str, str]]  # with the headers of a POST
    Start = Callable[[], Awaitable[Submission]]


class Runtime:
    """One client's configuration and engine."""

    def __init__(self, config: Config) -> None:
        self._config = config
        self._engine: Engine | None = None
        self._closed = False

    def statistics(self) -> PoolStatistics:
        """Return the engine's counters: zeros before the first turn, the last ones at the end."""
        return self._engine.statistics() if self._engine else PoolStatistics()

    def transport(self, wanted: Transport | None) -> Transport:
        """Return the transport of a turn: what it wants, else the client's.

        Raises:
            ConfigError: There is no such transport.
        """
        return self._config.transport if wanted is None else checked_transport(wanted)

    def encode_params(self, given: Mapping[str, Any], transport: Transport | None) -> Params:
        """Check and encode parameters for a transport.

        Raises:
            ConfigError: They do not fit.
        """
        return encode_params(given, self.transport(transport))

    def starter(
        self,
        params: Params,
        items: Sequence[HistoryItem] | None,
        *,
        transport: Transport | None,
        timeout: float | None,
        chain: Chain | None = None,
        whole: bool = False,
        previous_response_id: str | None = None,
        warm_up: bool = False,
    ) -> Start:
        """Return how to start a turn.

        Raises:
            ConfigError: ``transport`` or ``timeout`` is wrong.
        """
        chosen = self.transport(transport)
        deadlines = self._config.pool.deadlines
        if checked_limit("timeout", timeout) is not None:
            deadlines = replace(deadlines, turn=timeout)
        request = TurnRequest(
            params=params,
            items=items,
            transport=chosen,
            chain=chain,
            whole=whole,
            previous_response_id=previous_response_id,
            warm_up=warm_up,
            deadlines=deadlines,
        )

        async def start() -> Submission:
            engine = self._running_engine()
            if chosen == "websocket":  # which signs in at the dial
                return engine, request, {}
            (headers, credential), left = await self._sign_in(engine, deadlines)
            return engine, replace(request, credential=credential, deadlines=left), headers

        return start

    def _running_engine(self) -> Engine:
        if self._closed:
            raise ConfigError("the client is closed; make another one")
        if self._engine is None:
            self._engine = Engine(
                self._config.endpoint,
                self._config.pool,
                inbox_bytes=self._config.inbox_bytes,
                heartbeat=self._config.heartbeat,
            )
        _check_whereabouts(self._engine)
        return self._engine

    async def _sign_in(self, engine: Engine, deadlines: Deadlines) -> tuple[SignedIn, Deadlines]:
        """Sign in for one POST, within the turn's time, of which less is left then."""
        dial, turn = self._config.pool.dial, deadlines.turn
        began = engine.loop.time()
        try:
            async with asyncio.timeout(dial if turn is None else min(dial, turn)):
                signed_in = await engine.sign_in()
        except SignInFailed as error:
            raise _unsent(DialError(str(error))) from error
        except TimeoutError:
            if turn is not None and turn <= dial:
                message = f"the api_key function took the turn's whole time of {turn} s"
                raise _unsent(TurnTimeout(message)) from None
            message = f"the api_key function did not return within {dial} s"
            raise _unsent(DialTimeout(message)) from None
        if turn is not None:
            deadlines = replace(deadlines, turn=turn - (engine.loop.time() - began))
        return signed_in, deadlines

    async def aclose(self) -> None:
        """Close the engine; everybody who calls this waits for the same end.

        Raises:
            ConfigError: The engine belongs to another event loop.
        """
        engine = self._engine
        if engine is None or engine.closed or engine.forked:
            self._closed = True
            return
        _check_whereabouts(engine)
        self._closed = True
        await engine.aclose()


def _unsent(error: TransportError) -> TransportError:
    error.delivery = "queued"
    return error


def _check_whereabouts(engine: Engine) -> None:
    if engine.forked:
        raise ConfigError("the client was used before a fork; make another one in each process")
    if engine.loop is not asyncio.get_running_loop():
        raise ConfigError(
            "a client belongs to one event loop: close it there, and make another one for this loop"
        )
