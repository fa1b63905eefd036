"""What ``turnwire serve`` says: what it does or would do, and what is wrong."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

from turnwire.cli.ask import DEMO_MODEL
from turnwire.gateway.config.rules import notes_on
from turnwire.gateway.config.tables import Limits
from turnwire.gateway.server import url_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from turnwire.gateway.config.reading import Mistake
    from turnwire.gateway.config.tables import Config, UpstreamConfig

_ALL_ADDRESSES: Final = frozenset({"", "0.0.0.0", "::"})  # noqa: S104  # compared


def introduction(base_url: str, config: Config) -> list[str]:
    """Return the lines that say where the gateway is and what to do with it."""
    shared = f", {config.workers} workers" if config.workers > 1 else ""
    key = "…" if config.key else "unused"
    if config.upstream:
        model = "MODEL"
        models = [f"  model   {_asked(upstream)}" for upstream in config.upstream]
        setting = f"OPENAI_BASE_URL={base_url} OPENAI_API_KEY={key}"
    else:
        model = DEMO_MODEL
        models = [
            f"  model   {model}: scripted, needs no key; any other name is answered by it too"
        ]
        setting = f"OPENAI_BASE_URL={base_url} OPENAI_MODEL={model} OPENAI_API_KEY={key}"
    return [
        f"turnwire gateway on {base_url}{_elsewhere(config)} ({_ways(config)}{shared})",
        *models,
        f'  ask     turnwire ask --base-url {base_url} --model {model} "Hello"',
        f"  or set  {setting}",
        *(f"  note    {note}" for note in notes_on(config)),
        "Ctrl-C stops it.",
    ]


def plan(config: Config) -> list[str]:
    """Return the lines that say what a gateway with this configuration does."""
    return [
        "The configuration is in order. The gateway would",
        f"  listen on {_place(config)} ({_ways(config)})",
        f"  run {_workers(config.workers)}",
        *_upstream_lines(config),
        f"  keep responses in {_store(config)}",
        f"  let in {_callers(config)}",
        *_limit_lines(config),
        *(f"  note: {note}" for note in notes_on(config)),
    ]


def complaint(mistakes: Sequence[Mistake]) -> list[str]:
    """Return the lines about what is wrong."""
    count = "one mistake" if len(mistakes) == 1 else f"{len(mistakes)} mistakes"
    lines = [f"error: {count} in the configuration; nothing was started"]
    for mistake in mistakes:
        lines += [
            f"  {mistake.field}",
            f"    got       {mistake.got}",
            f"    expected  {mistake.expected}",
            f"    to do     {mistake.advice}",
        ]
    return lines


def _place(config: Config) -> str:
    host, port = config.server.host, config.server.port
    if not port:
        return f"a free port of {host or 'all addresses'}"
    return url_of(host, port, tls=config.tls is not None) + "/v1" + _elsewhere(config)


def _elsewhere(config: Config) -> str:
    return " and all other addresses" if config.server.host in _ALL_ADDRESSES else ""


def _ways(config: Config) -> str:
    return "WebSocket and HTTP" if config.server.websocket else "HTTP alone"


def _workers(count: int) -> str:
    return "one process" if count == 1 else f"{count} processes on that port"


def _upstream_lines(config: Config) -> Iterator[str]:
    if not config.upstream:
        yield "  answer with the scripted model"
    for upstream in config.upstream:
        models = "any model" if upstream.models == ("*",) else ", ".join(upstream.models)
        yield f"  ask {_asked(upstream)} for {models}"


def _asked(upstream: UpstreamConfig) -> str:
    if upstream.kind == "scripted":
        return f"{upstream.name}, the scripted model"
    speaks = "what it speaks is found out" if upstream.kind == "auto" else upstream.kind
    return f"{upstream.name} at {_without_secrets(upstream.url)} ({speaks})"


def _without_secrets(url: str) -> str:
    """Return an address without the password and the query that may be in it."""
    parts = urlsplit(url)
    return parts._replace(netloc=parts.netloc.rpartition("@")[2], query="", fragment="").geturl()


def _store(config: Config) -> str:
    match config.store.kind:
        case "memory":
            return "memory, until it ends"
        case "sqlite":
            return f"a file in {config.store.path}"
        case "redis":
            return "Redis"


def _callers(config: Config) -> str:
    if not config.key:
        return "whoever reaches it, without a key"
    return "the keys " + ", ".join(key.name for key in config.key)


def _limit_lines(config: Config) -> Iterator[str]:
    everybody = "each key" if config.key else "all clients together"
    if config.limits != Limits():
        yield f"  allow {everybody} {_limits(config.limits)}"
    for key in config.key:
        if key.limits is not None:
            yield f"  allow {key.name} {_limits(key.limits)}"


def _limits(limits: Limits) -> str:
    words = {
        "sockets": limits.sockets,
        "turns at once": limits.active_turns,
        "requests a minute": limits.requests_per_minute,
        "tokens a minute": limits.tokens_per_minute,
    }
    named = [f"{limit} {what}" for what, limit in words.items() if limit is not None]
    return ", ".join(named) or "anything"
