"""``/``, ``/status/...`` and ``/metrics``: for operators alone, see ``guard``."""

from __future__ import annotations

import asyncio
import os
from contextlib import suppress
from importlib.resources import files
from typing import TYPE_CHECKING, Final

from aiohttp import web

from turnwire.events import encode
from turnwire.gateway.observing.figures import SiblingsUnknown, Whole, alone, figures_of
from turnwire.gateway.observing.metrics import MetricsUnavailable, metrics_text
from turnwire.gateway.refusal import RequestRefused
from turnwire.gateway.status.guard import check_operator, check_status_settings
from turnwire.gateway.status.snapshot import snapshot

if TYPE_CHECKING:
    from turnwire.gateway.config.settings import Settings
    from turnwire.gateway.json_shapes import Json
    from turnwire.gateway.observing import Observer
    from turnwire.gateway.observing.figures import Figures, Siblings
    from turnwire.gateway.observing.statistics import Statistics
    from turnwire.gateway.store import Store
    from turnwire.gateway.upstreams import Upstream

# A page that loads nothing but its own two files, talks to nobody else, and cannot be framed.
_SECURITY: Final = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self';"
        " img-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    ),
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "Cache-Control": "no-store",
}
_FILES: Final = {
    "/": ("index.html", "text/html"),
    "/status/page.css": ("page.css", "text/css"),
    "/status/page.js": ("page.js", "text/javascript"),
    "/status/timeline.js": ("timeline.js", "text/javascript"),
    "/status/icon.svg": ("icon.svg", "image/svg+xml"),
}
STATUS_PATHS: Final = frozenset({*_FILES, "/status/events", "/metrics"})

_LOOK: Final = 0.25  # seconds between two looks whether anything has changed
_QUIET: Final = 2.0  # seconds after which numbers that are not drawn as turns are shown anyway
_VIEWERS: Final = 16  # each costs an encoding four times a second


class StatusRoutes:
    """Serves operators.

    Args:
        settings: Who is one.
        observer: Sees this process.
        statistics: Its counters.
        upstream: Whom it asks.
        store: Where it keeps responses.
        siblings: The workers that share the port with it, or None.

    Raises:
        ConfigError: The settings ask for a key and there is none.
    """

    def __init__(
        self,
        settings: Settings,
        observer: Observer,
        statistics: Statistics,
        upstream: Upstream,
        store: Store,
        *,
        siblings: Siblings | None = None,
    ) -> None:
        check_status_settings(settings)
        self._settings = settings
        self._observer = observer
        self._statistics = statistics
        self._upstream = upstream
        self._store = store
        self._siblings = siblings
        self._viewers = 0
        self._stopping = asyncio.Event()

    def add_to(self, app: web.Application) -> None:
        """Put the routes into an application."""
        for path in _FILES:
            app.router.add_get(path, self.show_file)
        app.router.add_get("/status/events", self.show_events, allow_head=False)
        app.router.add_get("/metrics", self.show_metrics)

    def stop(self) -> None:
        """End the streams of events: the gateway stops, and pages will dial again."""
        self._stopping.set()

    def figures(self, *, bars: bool) -> Figures:
        """Return the figures of this process, the turns among them if they are wanted."""
        siblings = self._siblings
        return figures_of(
            self._observer,
            self._statistics,
            self._upstream,
            store_up=getattr(self._store, "available", True),
            worker=siblings.number if siblings else None,
            share=(siblings.count if siblings else 1) if bars else 0,
        )

    async def show_file(self, request: web.Request) -> web.Response:
        """Answer with one of the page's files."""
        self._check(request)
        name, kind = _FILES[request.path]
        body = files("turnwire.gateway.status").joinpath("static", name).read_bytes()
        return web.Response(body=body, content_type=kind, charset="utf-8", headers=_SECURITY)

    async def show_metrics(self, request: web.Request) -> web.Response:
        """Answer in the text format of Prometheus."""
        self._check(request)
        try:
            body, content_type = metrics_text(await self._whole(bars=False))
        except MetricsUnavailable as error:
            raise RequestRefused(str(error), status=501, kind="server_error") from error
        except SiblingsUnknown as error:  # sums without them would go back
            raise RequestRefused(str(error), status=503, kind="server_error") from error
        return web.Response(body=body, headers={**_SECURITY, "Content-Type": content_type})

    async def show_events(self, request: web.Request) -> web.StreamResponse:
        """Stream what the page draws, as often as it changes."""
        self._check(request)
        if self._viewers >= _VIEWERS:
            raise RequestRefused(
                f"{_VIEWERS} status pages are open. Close one.",
                status=503,
                kind="server_error",
                headers={"retry-after": "5"},
            )
        answer = web.StreamResponse(headers={**_SECURITY, "Content-Type": "text/event-stream"})
        self._viewers += 1
        try:
            await answer.prepare(request)
            await self._stream(answer)
        except TimeoutError:  # it took nothing for too long; the answer has begun, so no error
            if request.transport is not None:
                request.transport.abort()
        finally:
            self._viewers -= 1
        return answer

    async def _stream(self, answer: web.StreamResponse) -> None:
        loop = asyncio.get_running_loop()
        shown: object = None
        at = 0.0
        while not self._stopping.is_set():
            drawn, whole = await self._look()
            if drawn != shown or loop.time() - at >= _QUIET:
                shown, at = drawn, loop.time()
                state = self._snapshot(whole or await self._whole(bars=True))
                async with asyncio.timeout(self._settings.stall_timeout):
                    await answer.write(b"data: %s\n\n" % encode(state))
            with suppress(TimeoutError):
                await asyncio.wait_for(self._stopping.wait(), _LOOK)

    async def _look(self) -> tuple[object, Whole | None]:
        """Return what is another one whenever turns are, and the figures if that took them."""
        if self._siblings is None:
            return self._observer.timeline.revision, None
        try:
            whole = await self._whole(bars=True)
        except SiblingsUnknown:
            whole = self._own_part(self._siblings)
        figures = whole.figures
        return (figures.bars, figures.sockets_open, figures.refusals, whole.answering), whole

    async def _whole(self, *, bars: bool) -> Whole:
        if self._siblings is None:
            return alone(self.figures(bars=bars))
        return await self._siblings.whole(bars=bars, seconds_old=_LOOK if bars else 0.0)

    def _own_part(self, siblings: Siblings) -> Whole:
        return Whole(self.figures(bars=True), siblings.count, {siblings.number: os.getpid()})

    def _snapshot(self, whole: Whole) -> Json:
        return snapshot(whole, self._observer.clock(), self._observer.timeline.seconds)

    def _check(self, request: web.Request) -> None:
        check_operator(self._settings, request.headers, request.remote)
