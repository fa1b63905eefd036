"""What a client's turns share: its configuration, and an engine for each event loop."""

from __future__ import annotations

import asyncio
import contextlib
import warnings
import weakref
from dataclasses import replace
from itertools import count
from typing import TYPE_CHECKING, Any, Final

from turnwire.client.checking import checked_limit, checked_word
from turnwire.client.options import TRANSPORTS, checked_replay, checked_unanswered
from turnwire.client.params import encode_params
from turnwire.core.breaker import Breaker
from turnwire.core.request import TurnRequest
from turnwire.core.statistics import PoolStatistics
from turnwire.errors import ConfigError
from turnwire.io.engine import Engine

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from turnwire.client.options import Config
    from turnwire.core.answers import Unanswered
    from turnwire.core.breaker import Health
    from turnwire.core.chain import Chain
    from turnwire.core.history import HistoryItem
    from turnwire.core.params import Params
    from turnwire.core.request import Deadlines, Replay, Transport

    Start = Callable[[], tuple[Engine, TurnRequest]]

_LOOK_SECONDS: Final = 1.0


class Runtime:
    """One client's configuration and engines.

    An event loop has an engine of its own, so that nothing is shared between loops; so has a
    process that was forked off, which leaves its parent's alone.
    """

    def __init__(self, config: Config) -> None:
        self._config = config
        self._engines: list[Engine] = []
        self._numbers = count(1)  # of all engines: chains may go from one to the other
        self._ended = PoolStatistics()
        self._not_ours: list[Engine] = []  # kept: collecting them would close what is not ours
        self._closed = False
        self._unclosed = weakref.finalize(self, _let_go, self._engines)
        self._unclosed.atexit = False

    def statistics(self) -> PoolStatistics:
        """Return the engines' counters: zeros before the first turn, the last ones at the end."""
        ours = [engine for engine in self._engines if not engine.forked]
        return sum((engine.statistics() for engine in ours), self._ended)

    def health(self) -> Health:
        """Return what is known of WebSocket mode: by the worst of the engines."""
        known = [engine.health() for engine in self._engines]
        return min(known, default=Breaker().health(0.0), key=lambda health: health.transport)

    def note_http(self, *, reached: bool) -> None:
        """Take in whether HTTP reached the server, for a turn that was handed over."""
        here = asyncio.get_running_loop()
        for engine in self._engines:
            if engine.loop is here and not engine.forked:
                engine.note_http(reached=reached)

    def transport(self, wanted: Transport | None) -> Transport:
        """Return the transport of a turn: what it wants, else the client's.

        Raises:
            ConfigError: There is no such transport.
        """
        if wanted is None:
            return self._config.transport
        return checked_word("transport", wanted, TRANSPORTS)

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
        replay: Replay | None = None,
        unanswered: Unanswered | None = None,
        chain: Chain | None = None,
        whole: bool = False,
        previous_response_id: str | None = None,
        warm_up: bool = False,
        deadlines: Deadlines | None = None,
        hands_over: bool = False,
    ) -> Start:
        """Return how to start a turn.

        Raises:
            ConfigError: ``transport``, ``timeout``, ``replay`` or ``unanswered`` is wrong.
        """
        config = self._config
        deadlines = deadlines or config.pool.deadlines
        if checked_limit("timeout", timeout) is not None:
            deadlines = replace(deadlines, turn=timeout)
        request = TurnRequest(
            params=params,
            items=items,
            transport=self.transport(transport),
            chain=chain,
            whole=whole,
            previous_response_id=previous_response_id,
            warm_up=warm_up,
            replay=config.replay if replay is None else checked_replay(replay),
            unanswered=config.unanswered if unanswered is None else checked_unanswered(unanswered),
            deadlines=deadlines,
            hands_over=hands_over,
        )

        def start() -> tuple[Engine, TurnRequest]:
            engine = self._running_engine()
            if chain is not None and chain.turn is not None and not engine.has(chain.turn):
                self._take_over(chain, chain.turn)
            return engine, request

        return start

    def _take_over(self, chain: Chain, turn: int) -> None:
        """Let a chain go on here whose turn runs, or ran, elsewhere."""
        if any(engine.has(turn) for engine in self._engines):
            raise ConfigError(
                "a turn of this chain runs in another event loop; wait for its end there"
            )
        chain.forget_turns()  # its loop is gone, or it runs in the process that forked this one

    def _running_engine(self) -> Engine:
        if self._closed:
            raise ConfigError("the client is closed; make another one")
        self._forget_ended()
        loop = asyncio.get_running_loop()
        for engine in self._engines:
            if engine.loop is loop:
                return engine
        engine = Engine(
            self._config.endpoint,
            self._config.pool,
            inbox_bytes=self._config.buffer_bytes,
            client_bytes=self._config.client_buffer_bytes,
            numbers=self._numbers,
        )
        self._engines.append(engine)
        return engine

    def _forget_ended(self) -> None:
        """Let engines go whose loop has ended, or that are another process's."""
        for engine in tuple(self._engines):
            if not (engine.forked or engine.closed):
                continue
            try:
                self._engines.remove(engine)
            except ValueError:  # another thread, with a loop of its own, was faster
                continue
            if engine.forked:
                self._not_ours.append(engine)
            else:
                self._ended += engine.statistics()

    async def aclose(self) -> None:
        """Close all engines; everybody who calls this waits for the same end."""
        self._closed = True
        self._unclosed.detach()
        self._forget_ended()
        here = asyncio.get_running_loop()
        for engine in self._engines:  # at once: it goes on even if this is cancelled
            if engine.loop is here:
                engine.begin_to_end()
            else:
                with contextlib.suppress(RuntimeError):  # its loop has ended, and it too
                    engine.loop.call_soon_threadsafe(engine.begin_to_end)
        ends = [_end(engine, here) for engine in self._engines]
        errors = await asyncio.gather(*ends, return_exceptions=True)
        for error in errors:
            if isinstance(error, BaseException):
                raise error


def _let_go(engines: list[Engine]) -> None:
    """Nobody holds the client any more; if nobody closed it, its sockets are closed here."""
    left = [engine for engine in engines if not (engine.forked or engine.closed)]
    for engine in left:
        with contextlib.suppress(RuntimeError):  # its loop ended just now
            engine.loop.call_soon_threadsafe(engine.begin_to_end)
    if left:
        warnings.warn(
            "a client of turnwire was not closed: use `async with`, or call `aclose()`",
            ResourceWarning,
            stacklevel=2,
        )


async def _end(engine: Engine, here: asyncio.AbstractEventLoop) -> None:
    if engine.loop is here:
        await engine.aclose()
    elif engine.loop.is_running():
        ending = engine.aclose()
        try:
            end = asyncio.run_coroutine_threadsafe(ending, engine.loop)
        except RuntimeError:  # its loop ended just now, and so did the engine
            ending.close()
            return
        # A loop that ends meanwhile cancels this, or never gets to it: either way it has ended.
        while not (end.done() or engine.closed):
            await asyncio.wait((asyncio.wrap_future(end),), timeout=_LOOK_SECONDS)
