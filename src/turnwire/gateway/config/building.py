"""From a configuration to what serves it; each part is imported only if it is wanted."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from msgspec.structs import replace

from turnwire.gateway.access.keys import Keyring
from turnwire.gateway.access.tls import server_context
from turnwire.gateway.config.tables import STORE_URL_VARIABLE
from turnwire.gateway.server import Gateway
from turnwire.gateway.store import MemoryStore
from turnwire.gateway.upstreams.scripted import ScriptedUpstream

if TYPE_CHECKING:
    import ssl
    from collections.abc import Awaitable, Callable, Mapping

    from turnwire.core.request import Transport
    from turnwire.gateway.access.keys import MakesAllowance
    from turnwire.gateway.config.settings import Settings
    from turnwire.gateway.config.tables import Config, StoreConfig, UpstreamConfig
    from turnwire.gateway.observing.figures import Siblings
    from turnwire.gateway.store import Store
    from turnwire.gateway.upstreams import Upstream
    from turnwire.gateway.upstreams.routed.routes import Route
    from turnwire.gateway.upstreams.timing import Timeouts


@dataclass(frozen=True, slots=True)
class Parts:
    """What a gateway is made of; see the arguments of :class:`Gateway`."""

    settings: Settings
    upstream: Upstream
    store: Store
    keyring: Keyring
    ssl_context: ssl.SSLContext | None

    def gateway(self, *, reuse_port: bool = False, siblings: Siblings | None = None) -> Gateway:
        """Return the gateway, to be entered once."""
        return Gateway(
            settings=self.settings,
            upstream=self.upstream,
            store=self.store,
            keyring=self.keyring,
            ssl_context=self.ssl_context,
            reuse_port=reuse_port,
            siblings=siblings,
        )


def build(
    config: Config, environment: Mapping[str, str], allowance: MakesAllowance | None = None
) -> Parts:
    """Make everything that the configuration names; nothing is opened or dialled yet.

    Args:
        config: One in which ``mistakes_in`` finds nothing.
        environment: Where the secrets are.
        allowance: See :class:`Keyring`.

    Raises:
        ConfigError: A file, an address or a package is not as it should be.
    """
    settings, tls = config.server, config.tls
    return Parts(
        settings=settings,
        upstream=build_upstream(config.upstream, environment),
        store=build_store(config.store, settings, environment),
        keyring=Keyring(config.key, config.limits, allowance),
        ssl_context=None if tls is None else server_context(tls.cert, tls.key),
    )


def build_store(store: StoreConfig, settings: Settings, environment: Mapping[str, str]) -> Store:
    """Make the store.

    Raises:
        ConfigError: Its address or its package is not as it should be.
    """
    limits = settings.store_bytes, settings.store_responses, store.ttl
    match store.kind:
        case "memory":
            return MemoryStore(*limits)
        case "sqlite":
            from turnwire.gateway.store.sqlite import SqliteStore  # noqa: PLC0415

            return SqliteStore(Path(store.path).expanduser(), *limits)
        case "redis":
            from turnwire.gateway.store.redis import RedisStore  # noqa: PLC0415

            url = environment.get(STORE_URL_VARIABLE) or store.url
            return RedisStore(url, *limits, prefix=store.prefix)


def build_upstream(
    upstreams: tuple[UpstreamConfig, ...], environment: Mapping[str, str]
) -> Upstream:
    """Make one upstream of all: they are asked by the name of the model.

    Raises:
        ConfigError: An address is none.
    """
    if not upstreams:
        return ScriptedUpstream()
    from turnwire.gateway.upstreams.routed import RoutedUpstream  # noqa: PLC0415

    default = next((upstream.name for upstream in upstreams if upstream.default), None)
    return RoutedUpstream([_route(each, environment) for each in upstreams], default=default)


def _route(config: UpstreamConfig, environment: Mapping[str, str]) -> Route:
    from turnwire.gateway.upstreams.routed.gate import GateSettings  # noqa: PLC0415
    from turnwire.gateway.upstreams.routed.routes import Route  # noqa: PLC0415

    api_key = environment.get(config.api_key_env or "") or None
    upstream = _one(config, api_key)
    return Route(
        name=config.name,
        upstream=upstream,
        models=config.models,
        limits=GateSettings(
            active_limit=config.active_limit,
            queue_turns=config.queue_turns,
            queue_timeout=config.queue_timeout,
        ),
        timeouts=_timeouts(config),
        retries=config.retries,
        longest_wait=config.longest_wait,
        lister=_lister(upstream, config, api_key),
    )


def _lister(
    upstream: Upstream, config: UpstreamConfig, api_key: str | None
) -> Callable[[], Awaitable[tuple[str, ...]]] | None:
    """Return what asks the server for its models; None if the gateway cannot ask."""
    from turnwire.gateway.upstreams.detecting import (  # noqa: PLC0415
        DetectingUpstream,
        list_models,
    )

    if isinstance(upstream, DetectingUpstream):
        return upstream.list_models
    if config.kind == "scripted" or config.credentials == "client" or "?" in config.url:
        return None
    return partial(list_models, config.url, api_key)


def _one(config: UpstreamConfig, api_key: str | None) -> Upstream:
    from turnwire.gateway.upstreams.routed.routes import plain_names  # noqa: PLC0415

    match config.kind:
        case "scripted":
            return ScriptedUpstream()
        case "responses" | "websocket":
            return _responses(config, api_key)
        case "chat":
            from turnwire.gateway.upstreams.chat import ChatUpstream  # noqa: PLC0415

            return ChatUpstream(
                config.url,
                config.chat,
                api_key=api_key,
                credentials=config.credentials,
                models=plain_names(config.models),
                connect_timeout=config.connect_timeout,
                timeouts=_timeouts(config),
            )
        case "auto":
            from turnwire.gateway.upstreams.detecting import DetectingUpstream  # noqa: PLC0415

            return DetectingUpstream(
                config.url,
                lambda found: _one(replace(config, kind=found.kind, url=found.url), api_key),
                api_key=api_key,
                credentials=config.credentials,
                models=plain_names(config.models),
            )


def _responses(config: UpstreamConfig, api_key: str | None) -> Upstream:
    from turnwire.gateway.upstreams.responses import (  # noqa: PLC0415
        ResponsesOptions,
        ResponsesUpstream,
    )
    from turnwire.gateway.upstreams.routed.routes import plain_names  # noqa: PLC0415

    own = config.responses
    by_socket: Transport = "auto" if own.fall_back else "websocket"
    options = ResponsesOptions(
        transport="http" if config.kind == "responses" else by_socket,
        continues=own.continues,
        api_key=api_key,
        credentials=config.credentials,
        models=plain_names(config.models),
        compacts=own.compacts,
        lanes=own.lanes,
        max_sockets=own.max_sockets,
        max_credentials=own.max_credentials,
        connect_timeout=config.connect_timeout,
        first_event_timeout=config.first_output_timeout,
    )
    return ResponsesUpstream(config.url, options)


def _timeouts(config: UpstreamConfig) -> Timeouts:
    from turnwire.gateway.upstreams.timing import Timeouts  # noqa: PLC0415

    return Timeouts(
        first_output=config.first_output_timeout,
        idle=config.idle_timeout,
        turn=config.turn_timeout,
    )
