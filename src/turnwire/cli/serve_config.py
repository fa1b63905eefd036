"""What ``turnwire serve`` was told, by a file and by options, as one configuration."""

from __future__ import annotations

import os
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Literal

import msgspec

from turnwire.errors import ConfigError
from turnwire.gateway.config.building import build
from turnwire.gateway.config.readable import unreadable_in
from turnwire.gateway.config.reading import Mistake, read_config
from turnwire.gateway.config.rules import mistakes_in
from turnwire.gateway.config.tables import Config, StoreConfig, Tls, UpstreamConfig, UpstreamKind

if TYPE_CHECKING:
    from pathlib import Path

    from turnwire.gateway.config.settings import Settings

LogLevel = Literal["debug", "info", "warning", "error"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """The options; None where one was not given, so that the file's word stands."""

    config: Path | None = None
    host: str | None = None
    port: int | None = None
    upstream: str | None = None
    kind: UpstreamKind | None = None
    upstream_key_env: str | None = None
    data: Path | None = None
    redis: str | None = None
    workers: int | None = None
    tls_cert: Path | None = None
    tls_key: Path | None = None
    allow_origin: tuple[str, ...] | None = None
    allow_host: tuple[str, ...] | None = None
    websocket: bool | None = None
    linger: float | None = None


def configuration(told: Told) -> Config | tuple[Mistake, ...]:
    """Return what file and options say together, or every mistake in it.

    Raises:
        ConfigError: The file cannot be read, or options do not go together.
    """
    given = Config() if told.config is None else read_config(_text_of(told.config))
    if isinstance(given, tuple):
        return given
    config = merged(given, told)
    mistakes = mistakes_in(config, os.environ) or unreadable_in(config)
    return mistakes or _built(config)


def merged(config: Config, told: Told) -> Config:
    """Return the configuration with the options' word in place of the file's.

    Raises:
        ConfigError: Options do not go together.
    """
    changes = {
        "workers": told.workers,
        "server": _server(config.server, told),
        "tls": _tls(told),
        "store": _store(told),
        "upstream": _upstream(told),
    }
    return msgspec.structs.replace(
        config, **{name: value for name, value in changes.items() if value is not None}
    )


def _server(server: Settings, told: Told) -> Settings:
    changes: dict[str, Any] = {
        "host": told.host,
        "port": told.port,
        "allowed_origins": told.allow_origin,
        "allowed_hosts": told.allow_host,
        "websocket": told.websocket,
        "linger": told.linger,
    }
    return replace(server, **{name: value for name, value in changes.items() if value is not None})


def _tls(told: Told) -> Tls | None:
    if told.tls_cert is None and told.tls_key is None:
        return None
    if told.tls_cert is None or told.tls_key is None:
        raise ConfigError("TLS needs two files: give --tls-cert and --tls-key")
    return Tls(cert=str(told.tls_cert), key=str(told.tls_key))


def _store(told: Told) -> StoreConfig | None:
    if told.data is not None and told.redis is not None:
        raise ConfigError("there is one store: give --data or --redis, not both")
    if told.data is not None:
        return StoreConfig(kind="sqlite", path=str(told.data))
    return None if told.redis is None else StoreConfig(kind="redis", url=told.redis)


def _upstream(told: Told) -> tuple[UpstreamConfig, ...] | None:
    if told.upstream is None:
        if told.upstream_key_env is not None or told.kind not in (None, "scripted"):
            raise ConfigError("--kind and --upstream-key-env need --upstream; give it too")
        return None if told.kind is None else (UpstreamConfig(kind="scripted"),)
    return (
        UpstreamConfig(
            kind=told.kind or "auto", url=told.upstream, api_key_env=told.upstream_key_env
        ),
    )


def _built(config: Config) -> Config | tuple[Mistake, ...]:
    """Try whether files and packages are there; nothing is opened or dialled."""
    try:
        build(config, os.environ)
    except (ConfigError, ImportError) as error:
        what, _, advice = str(error).rpartition("; ")
        what, advice = (what, advice) if what else (advice, "install or mend what is missing")
        return (Mistake("the whole", what, "what can be used", advice),)
    return config


def _text_of(path: Path) -> str:
    try:
        return path.read_text("utf-8")
    except OSError as error:
        raise ConfigError(f"cannot read {path}: {error.strerror or error}") from None
    except UnicodeDecodeError:
        raise ConfigError(f"{path} is not text in UTF-8; write it anew") from None
