"""The gateway on a port: embedded in a program, or as a program of its own."""

from __future__ import annotations

import asyncio
import signal
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final, Self

from aiohttp import web

from turnwire.errors import ConfigError
from turnwire.gateway.app import STATISTICS, WORK, create_app
from turnwire.gateway.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType

    from turnwire.gateway.statistics import Statistics
    from turnwire.gateway.store import Store
    from turnwire.gateway.upstreams import Upstream

_NOW: Final = 0.001  # seconds; 0 would mean for ever


class Gateway:
    """A gateway that runs while the ``async with`` block does.

    Example::

        async with Gateway() as gateway:
            client = turnwire.AsyncClient(base_url=gateway.base_url)

    Args:
        host: Address to bind.
        port: TCP port; 0, the default here, lets the system choose.
        upstream: The model; the scripted ``turnwire-demo`` if None.
        store: Where responses are kept; in memory if None.
        settings: Everything else; see :class:`Settings`. Not together with ``host`` or ``port``.
    """

    def __init__(
        self,
        host: str | None = None,
        port: int | None = None,
        *,
        upstream: Upstream | None = None,
        store: Store | None = None,
        settings: Settings | None = None,
    ) -> None:
        if settings is not None and (host is not None or port is not None):
            raise ConfigError("give `host` and `port` inside `settings`, or no `settings`")
        self._settings = settings or Settings(host=host or "127.0.0.1", port=port or 0)
        self._app = create_app(self._settings, upstream=upstream, store=store)
        self._runner: web.AppRunner | None = None
        self._port = 0

    async def __aenter__(self) -> Self:
        """Listen.

        Raises:
            ConfigError: The address cannot be bound.
        """
        runner = web.AppRunner(
            self._app,
            handler_cancellation=True,  # a client that vanished wants no answer
            access_log=None,
            shutdown_timeout=_NOW,  # whoever gets more time got it before
        )
        await runner.setup()
        site = web.TCPSite(runner, self._settings.host, self._settings.port)
        try:
            await site.start()
        except OSError as error:
            await runner.cleanup()
            raise ConfigError(
                f"cannot listen on {self._settings.host}:{self._settings.port}:"
                f" {error.strerror or error}; choose another host or port"
            ) from error
        self._runner = runner
        self._port = runner.addresses[0][1]
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Stop listening, let running turns finish within ``drain_timeout``, and close."""
        assert self._runner is not None  # `async with` enters before it exits
        # Not by aiohttp's own means: those stop reading at once, and nobody would be answered.
        for site in tuple(self._runner.sites):
            await site.stop()
        await self._app[WORK].drain(self._settings.drain_timeout)
        await self._runner.cleanup()

    @property
    def port(self) -> int:
        """The port that is bound."""
        return self._port

    @property
    def url(self) -> str:
        """The root, such as ``http://127.0.0.1:8080``; where bound to all addresses, loopback."""
        host = {"": "127.0.0.1", "0.0.0.0": "127.0.0.1", "::": "::1"}.get(  # noqa: S104  # compared
            self._settings.host, self._settings.host
        )
        return f"http://[{host}]:{self._port}" if ":" in host else f"http://{host}:{self._port}"

    @property
    def base_url(self) -> str:
        """What clients take as ``base_url``."""
        return f"{self.url}/v1"

    def statistics(self) -> Statistics:
        """Return the counters as they are now."""
        return self._app[STATISTICS].copy()


async def serve(
    settings: Settings | None = None,
    *,
    upstream: Upstream | None = None,
    on_ready: Callable[[Gateway], Any] | None = None,
) -> None:
    """Run the gateway until SIGINT or SIGTERM; running turns get ``drain_timeout`` to finish.

    A second signal stops at once.

    Args:
        settings: The defaults if None.
        upstream: The model; the scripted one if None.
        on_ready: Called once it listens, for instance to print ``gateway.url``.

    Raises:
        ConfigError: The address cannot be bound.
    """
    loop = asyncio.get_running_loop()
    asked = asyncio.Event()
    task = asyncio.current_task()
    assert task is not None  # this is a coroutine

    def stop() -> None:
        if asked.is_set():
            task.cancel()
        asked.set()

    signals = (signal.SIGINT, signal.SIGTERM)
    for number in signals:
        with suppress(NotImplementedError):  # Windows: Ctrl-C raises KeyboardInterrupt instead
            loop.add_signal_handler(number, stop)
    try:
        async with Gateway(settings=settings or Settings(), upstream=upstream) as gateway:
            if on_ready is not None:
                on_ready(gateway)
            await asked.wait()
    finally:
        for number in signals:
            with suppress(NotImplementedError):
                loop.remove_signal_handler(number)


def run(
    settings: Settings | None = None,
    *,
    upstream: Upstream | None = None,
    on_ready: Callable[[Gateway], Any] | None = None,
) -> None:
    """Do what :func:`serve` does, for callers without an event loop."""
    with suppress(KeyboardInterrupt, asyncio.CancelledError):
        asyncio.run(serve(settings, upstream=upstream, on_ready=on_ready))
