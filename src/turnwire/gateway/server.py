"""The gateway on a port: embedded in a program, or as a program of its own."""

from __future__ import annotations

import asyncio
import signal
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any, Final, Self

from aiohttp import web

from turnwire.errors import ConfigError
from turnwire.gateway.app import STATISTICS, STATUS, WORK, create_app
from turnwire.gateway.config.settings import Settings

if TYPE_CHECKING:
    import ssl
    from collections.abc import Callable, Generator
    from types import TracebackType

    from turnwire.gateway.access.keys import Keyring
    from turnwire.gateway.observing.figures import Figures, Siblings
    from turnwire.gateway.observing.statistics import Statistics
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
        keyring: The keys that may come in; everybody may if None.
        ssl_context: Speaks TLS with it; see ``turnwire.gateway.access.tls.server_context``.
        reuse_port: True lets other processes bind the same port, and share what comes.
        siblings: These other processes, so that metrics and status page are of all; or None.
    """

    def __init__(
        self,
        host: str | None = None,
        port: int | None = None,
        *,
        upstream: Upstream | None = None,
        store: Store | None = None,
        settings: Settings | None = None,
        keyring: Keyring | None = None,
        ssl_context: ssl.SSLContext | None = None,
        reuse_port: bool = False,
        siblings: Siblings | None = None,
    ) -> None:
        if settings is not None and (host is not None or port is not None):
            raise ConfigError("give `host` and `port` inside `settings`, or no `settings`")
        self._settings = settings or Settings(host=host or "127.0.0.1", port=port or 0)
        self._app = create_app(
            self._settings, upstream=upstream, store=store, keyring=keyring, siblings=siblings
        )
        self._ssl_context = ssl_context
        self._reuse_port = reuse_port
        self._runner: web.AppRunner | None = None
        self._port = 0

    async def __aenter__(self) -> Self:
        """Listen.

        Raises:
            ConfigError: The address cannot be bound, or the store cannot be opened.
        """
        runner = web.AppRunner(
            self._app,
            handler_cancellation=True,  # a client that vanished wants no answer
            access_log=None,
            shutdown_timeout=_NOW,  # whoever gets more time got it before
        )
        try:
            await runner.setup()
            await self._listen(runner)
        except BaseException:
            await runner.cleanup()  # the store may be open, and upstreams looked after
            raise
        self._runner = runner
        self._port = runner.addresses[0][1]
        return self

    async def _listen(self, runner: web.AppRunner) -> None:
        site = web.TCPSite(
            runner,
            self._settings.host,
            self._settings.port,
            ssl_context=self._ssl_context,
            reuse_port=self._reuse_port or None,
        )
        try:
            await site.start()
        except (OSError, UnicodeError) as error:  # the latter of names that cannot be any
            why = getattr(error, "strerror", None) or error
            raise ConfigError(
                f"cannot listen on {self._settings.host}:{self._settings.port}: {why}; choose"
                " another host or port"
            ) from error

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Stop listening, let running turns finish within ``drain_timeout``, and close."""
        assert self._runner is not None  # `async with` enters before it exits
        # Not by aiohttp's own means: those stop reading at once, and nobody would be answered.
        # The port stays open meanwhile: who comes now, a balancer above all, is told to go away.
        await self._app[WORK].drain(self._settings.drain_timeout)
        await self._runner.cleanup()

    @property
    def port(self) -> int:
        """The port that is bound."""
        return self._port

    @property
    def url(self) -> str:
        """The root, such as ``http://127.0.0.1:8080``; where bound to all addresses, loopback."""
        return url_of(self._settings.host, self._port, tls=self._ssl_context is not None)

    @property
    def base_url(self) -> str:
        """What clients take as ``base_url``."""
        return f"{self.url}/v1"

    def statistics(self) -> Statistics:
        """Return the counters as they are now."""
        return self._app[STATISTICS].copy()

    def figures(self, *, bars: bool) -> Figures:
        """Return what operators are shown of this process, its turns among them if wanted."""
        return self._app[STATUS].figures(bars=bars)


def url_of(host: str, port: int, *, tls: bool = False) -> str:
    """Return the root of a gateway that is bound to this host."""
    host = {"": "127.0.0.1", "0.0.0.0": "127.0.0.1", "::": "::1"}.get(  # noqa: S104  # compared
        host, host
    )
    host = f"[{host}]" if ":" in host else host
    return f"{'https' if tls else 'http'}://{host}:{port}"


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
    gateway = Gateway(settings=settings or Settings(), upstream=upstream)
    await serve_gateway(gateway, on_ready=on_ready)


async def serve_gateway(
    gateway: Gateway,
    *,
    on_ready: Callable[[Gateway], Any] | None = None,
) -> None:
    """Do what :func:`serve` does, with a gateway that was made already.

    Args:
        gateway: Not entered yet.
        on_ready: Called once it listens.

    Raises:
        ConfigError: The address cannot be bound.
    """
    asked = asyncio.Event()
    with stopping_on_signals(asked):
        async with gateway:
            if on_ready is not None:
                on_ready(gateway)
            await asked.wait()


@contextmanager
def stopping_on_signals(asked: asyncio.Event) -> Generator[None]:
    """Set the event on SIGINT or SIGTERM; once it is set, a signal cancels the current task."""
    loop = asyncio.get_running_loop()
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
        yield
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
