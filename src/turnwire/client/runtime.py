"""What a client's turns share: its configuration and its engine, made on first use."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from turnwire.client.params import checked_transport, encode_params
from turnwire.core.request import TurnRequest
from turnwire.errors import ConfigError, DialError
from turnwire.io.endpoint import SignInFailed
from turnwire.io.engine import Engine

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from turnwire.client.config import Config
    from turnwire.client.params import Transport
    from turnwire.core.chain import Chain
    from turnwire.core.history import HistoryItem
    from turnwire.core.params import Params
    from turnwire.core.statistics import PoolStatistics


class Runtime:
    """One client's configuration and engine."""

    def __init__(self, config: Config) -> None:
        self._config = config
        self._engine: Engine | None = None
        self._closed = False

    def statistics(self) -> PoolStatistics | None:
        """Return the engine's counters; None before the first turn."""
        return self._engine.statistics() if self._engine else None

    def transport(self, wanted: Transport | None) -> Transport:
        """Return the transport of a turn: what it wants, else the client's.

        Raises:
            ConfigError: There is no such transport.
        """
        return checked_transport(wanted or self._config.transport)

    def encode_params(self, given: Mapping[str, Any], transport: Transport | None) -> Params:
        """Check and encode parameters for a transport.

        Raises:
            ConfigError: They do not fit.
        """
        return encode_params(given, self.transport(transport))

    async def request(
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
    ) -> tuple[Engine, TurnRequest]:
        """Build a turn's request, and the engine if this is the first turn.

        Raises:
            ConfigError: The client is closed, or belongs to another event loop.
            DialError: The function that returns the key raised.
        """
        engine = self._running_engine()
        chosen = self.transport(transport)
        deadlines = self._config.pool.deadlines
        if timeout is not None:
            deadlines = replace(deadlines, turn=timeout)
        return engine, TurnRequest(
            params=params,
            items=items,
            transport=chosen,
            chain=chain,
            whole=whole,
            previous_response_id=previous_response_id,
            warm_up=warm_up,
            credential=await _fingerprint(engine) if chosen == "http" else "",
            deadlines=deadlines,
        )

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
        elif self._engine.loop is not asyncio.get_running_loop():
            raise ConfigError("a client belongs to one event loop; make another one for this loop")
        return self._engine

    async def aclose(self) -> None:
        """Close the engine; calling it again does nothing."""
        self._closed = True
        engine, self._engine = self._engine, None
        if engine is not None:
            await engine.aclose()


async def _fingerprint(engine: Engine) -> str:
    try:
        return await engine.fingerprint()
    except SignInFailed as error:
        raise DialError(str(error)) from error
