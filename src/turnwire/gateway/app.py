"""The web application: WebSocket, SSE and JSON on one path, and a few pages beside it."""

from __future__ import annotations

import logging
import math
from contextlib import AsyncExitStack
from typing import TYPE_CHECKING, Final

from aiohttp import web

from turnwire.events import encode
from turnwire.gateway.access.cors import PAGE, is_preflight, let_page_read, preflight_headers
from turnwire.gateway.access.hosts import refused_access
from turnwire.gateway.access.keys import CALLER, Keyring
from turnwire.gateway.access.owner import KEY_PROTOCOL, owner_of
from turnwire.gateway.config.settings import Settings
from turnwire.gateway.config.tables import Limits
from turnwire.gateway.downstream.cancelling import Cancelling
from turnwire.gateway.downstream.compacting import Compacting
from turnwire.gateway.downstream.input_items import InputItems
from turnwire.gateway.downstream.lingering import Lingering
from turnwire.gateway.downstream.open_work import OpenWork
from turnwire.gateway.downstream.post import PostedTurn
from turnwire.gateway.downstream.stored import StoredResponses
from turnwire.gateway.downstream.websocket import DownstreamSocket
from turnwire.gateway.observing import Observer
from turnwire.gateway.observing.access_log import AccessLog
from turnwire.gateway.observing.seen import Refused, tidy_code
from turnwire.gateway.observing.statistics import Statistics
from turnwire.gateway.refusal import RequestRefused, TurnRefused
from turnwire.gateway.status import STATUS_PATHS, StatusRoutes
from turnwire.gateway.store import MemoryStore, Store
from turnwire.gateway.store.event_log import EventLogs
from turnwire.gateway.turns import Turns
from turnwire.gateway.upstreams.scripted import ScriptedUpstream
from turnwire.gateway.voice.route import REALTIME_PATHS, RealtimeRoute

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from turnwire.gateway.json_shapes import Json
    from turnwire.gateway.observing.figures import Siblings
    from turnwire.gateway.upstreams import Upstream


_log = logging.getLogger(__name__)

# Interop rule R1: every path that real clients dial.
RESPONSES_PATHS: Final = (
    "/v1/responses",
    "/responses",
    "/v1/codex/responses",
    "/backend-api/codex/responses",
)

# A balancer has no key, and an operator has another one.
_WITHOUT_KEY: Final = frozenset({"/healthz"}) | STATUS_PATHS

STATISTICS: Final = web.AppKey("statistics", Statistics)
WORK: Final = web.AppKey("work", OpenWork)
OBSERVER: Final = web.AppKey("observer", Observer)
STATUS: Final = web.AppKey("status", StatusRoutes)


def create_app(
    settings: Settings | None = None,
    *,
    upstream: Upstream | None = None,
    store: Store | None = None,
    keyring: Keyring | None = None,
    siblings: Siblings | None = None,
) -> web.Application:
    """Return the gateway as an application of ``aiohttp.web``.

    Run it with ``handler_cancellation=True``, as :class:`Gateway` does, so that an HTTP client
    that vanishes stops its model run at once.

    Args:
        settings: The defaults if None.
        upstream: The model; the scripted one if None.
        store: Where responses are kept; in memory if None.
        keyring: The keys that may come in; everybody may if None.
        siblings: The other processes on the port, for the status page and the metrics; or None.
    """
    settings = settings or Settings()
    routes = _Routes(
        settings,
        upstream or ScriptedUpstream(),
        store or MemoryStore(settings.store_bytes, settings.store_responses),
        keyring or Keyring((), Limits()),
        siblings,
    )
    app = web.Application(
        middlewares=[_answers_in_json, routes.guard], client_max_size=settings.max_message_bytes
    )
    app[STATISTICS] = routes.statistics
    app[WORK] = routes.work
    app[OBSERVER] = routes.observer
    app[STATUS] = routes.status
    routes.status.add_to(app)
    for path in RESPONSES_PATHS:
        app.router.add_get(path, routes.connect, allow_head=False)
        app.router.add_post(path, routes.create)
        app.router.add_get(path + "/{id}", routes.stored.retrieve, allow_head=False)
        app.router.add_delete(path + "/{id}", routes.stored.delete)
        app.router.add_get(path + "/{id}/input_items", routes.input_items.list_items)
        app.router.add_post(path + "/{id}/cancel", routes.cancelling.cancel)
        app.router.add_post(path + "/compact", routes.compact)
    for path in ("/v1/models", "/models"):
        app.router.add_get(path, routes.list_models)
    for path in REALTIME_PATHS:
        app.router.add_get(path, routes.connect_voice, allow_head=False)
    app.router.add_get("/healthz", routes.health)
    app.on_response_prepare.append(let_page_read)
    app.on_startup.append(routes.open)
    app.on_shutdown.append(routes.stop)
    app.on_cleanup.append(routes.close)
    return app


class _Routes:
    def __init__(
        self,
        settings: Settings,
        upstream: Upstream,
        store: Store,
        keyring: Keyring,
        siblings: Siblings | None,
    ) -> None:
        self._settings = settings
        self._keyring = keyring
        self._upstream = upstream
        self._store = store
        worker = siblings.number if siblings else None
        self._access_log = (
            AccessLog(settings.access_log, worker=worker) if settings.access_log else None
        )
        self.statistics = Statistics()
        self.observer = Observer(lambda: upstream.models, self._access_log)
        self.status = StatusRoutes(
            settings, self.observer, self.statistics, upstream, store, siblings=siblings
        )
        self._lingering = Lingering(settings.linger, self.statistics)
        self.work = OpenWork(self._lingering)
        logs = EventLogs(settings.log_bytes, settings.store_responses)
        self._turns = Turns(
            upstream,
            store,
            self.statistics,
            logs,
            max_output_bytes=settings.max_output_bytes,
        )
        self.stored = StoredResponses(store, logs, self._lingering, settings, self.statistics)
        self.input_items = InputItems(store, logs)
        self.cancelling = Cancelling(store, logs)
        self._compacting = Compacting(self._turns, self.statistics, self.observer)
        is_scripted = isinstance(upstream, ScriptedUpstream)
        self._voice = RealtimeRoute(settings, self.statistics, self.work, offered=is_scripted)

    @web.middleware
    async def guard(
        self, request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
    ) -> web.StreamResponse:
        hosts = request.headers.getall("Host", [])
        origin = request.headers.get("Origin")
        reason = refused_access(
            self._settings, host=", ".join(hosts) if hosts else None, origin=origin
        )
        if reason is not None:
            raise RequestRefused(reason, status=403, code="access_denied")
        if origin is not None:
            request[PAGE] = origin
            if is_preflight(request.method, request.headers):
                return web.Response(status=204, headers=preflight_headers(request.headers))
        if request.path not in _WITHOUT_KEY:
            request[CALLER] = self._keyring.caller(request.headers)
        return await handler(request)

    async def connect(self, request: web.Request) -> web.StreamResponse:
        if not _wants_socket(request) or not self._settings.websocket:
            raise _upgrade_required(wanted=self._settings.websocket)
        self._refuse_if_stopping()
        caller = request[CALLER]
        socket = DownstreamSocket(
            self._turns,
            self._settings,
            self.statistics,
            self._lingering,
            self.observer,
            default_model=request.query.get("model"),
            caller=caller,
            protocols=_acceptable(request),
        )
        with caller.allowance.socket(), self.work.socket(socket):
            return await socket.serve(request)

    async def connect_voice(self, request: web.Request) -> web.StreamResponse:
        self._refuse_if_stopping()
        return await self._voice.connect(request, _acceptable(request))

    async def create(self, request: web.Request) -> web.StreamResponse:
        self._refuse_if_stopping()
        with self.work.request():
            turn = PostedTurn(
                self._turns, self._settings, self.statistics, self._lingering, self.observer
            )
            return await turn.serve(request)

    async def compact(self, request: web.Request) -> web.Response:
        self._refuse_if_stopping()
        with self.work.request():
            return await self._compacting.compact(request)

    def _refuse_if_stopping(self) -> None:
        if self.work.stopping:
            raise RequestRefused(
                "The gateway is stopping. Try again later.",
                status=503,
                kind="server_error",
                code="server_shutdown",
                headers=self._when_stopped(),
            )

    def _when_stopped(self) -> dict[str, str]:
        return {"Retry-After": str(max(1, math.ceil(self._settings.drain_timeout)))}

    async def open(self, app: web.Application) -> None:  # noqa: ARG002
        await self._store.open()
        start_upstream = getattr(self._upstream, "start", None)
        if start_upstream is not None:
            start_upstream()

    async def stop(self, app: web.Application) -> None:  # noqa: ARG002
        self.work.stop()
        self.status.stop()

    async def close(self, app: web.Application) -> None:  # noqa: ARG002
        async with AsyncExitStack() as closing:  # backwards, each one whatever the others say
            if self._access_log is not None:
                closing.callback(self._access_log.close)
            closing.push_async_callback(self._store.close)
            close_upstream = getattr(self._upstream, "aclose", None)
            if close_upstream is not None:
                closing.push_async_callback(close_upstream)
            await self.work.close()

    async def list_models(self, request: web.Request) -> web.Response:  # noqa: ARG002
        models = [
            {"id": name, "object": "model", "created": 0, "owned_by": "turnwire"}
            for name in self._upstream.models
        ]
        return _json({"object": "list", "data": models})

    async def health(self, request: web.Request) -> web.Response:  # noqa: ARG002
        if self.work.stopping:  # so that balancers send nobody here any more
            return _json({"status": "draining"}, 503, self._when_stopped())
        return _json({"status": "ok"})


def _acceptable(request: web.Request) -> tuple[str, ...]:
    """Choose among the subprotocols of a client; one that carries a key only if there is no other.

    Whatever a client offers is accepted (interop rule R2): an offer without a taker fails in
    browsers, and would be logged with the key in it.
    """
    offered = request.headers.get("Sec-WebSocket-Protocol", "")
    protocols = tuple(name.strip() for name in offered.split(",") if name.strip())
    without_key = tuple(name for name in protocols if not name.startswith(KEY_PROTOCOL))
    return without_key or protocols


def _json(body: Json, status: int = 200, headers: dict[str, str] | None = None) -> web.Response:
    return web.Response(
        body=encode(body), status=status, content_type="application/json", headers=headers
    )


def _wants_socket(request: web.Request) -> bool:
    return request.headers.get("Upgrade", "").strip().lower() == "websocket"


def _upgrade_required(*, wanted: bool) -> RequestRefused:
    """Return the 426 on which the clients that can fall back to HTTP do so at once (R4)."""
    message = (
        "GET on this path opens a WebSocket; send `Upgrade: websocket`, or POST a create."
        if wanted
        else "WebSocket is switched off here; POST a create."
    )
    return RequestRefused(
        message,
        status=426,
        code="upgrade_required",
        headers={"Upgrade": "websocket"} if wanted else None,
    )


@web.middleware
async def _answers_in_json(
    request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
) -> web.StreamResponse:
    """Say every refusal in the shape that API clients read."""
    try:
        return await handler(request)
    except RequestRefused as refusal:
        request.app[OBSERVER].refused(refusal.status)
        if not isinstance(refusal, TurnRefused):
            _tell_refused(request, refusal.status, refusal.code or refusal.kind)
        return _json(refusal.body(), refusal.status, refusal.headers)
    except web.HTTPException as error:
        if error.status < web.HTTPBadRequest.status_code:
            raise
        _tell_refused(request, error.status, "_".join(error.reason.lower().split()))
        kept = {name: error.headers[name] for name in ("Allow",) if name in error.headers}
        return _json(_body_of(error), error.status, kept)
    except ConnectionError:
        raise  # nobody is there to be answered
    except Exception:  # noqa: BLE001  # the last resort: a client that waits must get an answer
        _log.exception("a request failed")
        failure = RequestRefused("The gateway failed.", status=500, kind="server_error")
        return _json(failure.body(), failure.status)


def _tell_refused(request: web.Request, status: int, code: str) -> None:
    caller = request.get(CALLER)
    connects = _wants_socket(request) or (request.method == "GET" and _is_resource(request))
    creates = request.method == "POST" and _is_resource(request)
    request.app[OBSERVER].not_taken(
        Refused(
            wanted="connect" if connects else "create" if creates else "other",
            status=status,
            code=tidy_code(code),
            owner=owner_of(request.headers),
            key_name="" if caller is None else caller.name,
        )
    )


def _is_resource(request: web.Request) -> bool:
    return request.path in RESPONSES_PATHS


def _body_of(error: web.HTTPException) -> Json:
    message = {
        404: "There is nothing on this path. The API is on /v1/responses.",
        405: "This path does not take this method.",
        413: "The request body is too large.",
    }.get(error.status, error.reason)
    return RequestRefused(message, status=error.status).body()
