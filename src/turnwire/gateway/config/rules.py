"""What a configuration says as a whole: what cannot work, and what should be known about it.

Functions of the configuration and the environment; files and addresses are looked at elsewhere.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from turnwire.errors import ConfigError
from turnwire.gateway.access.hosts import is_loopback
from turnwire.gateway.config.reading import Mistake
from turnwire.gateway.config.tables import STORE_URL_VARIABLE
from turnwire.gateway.status.guard import check_status_settings
from turnwire.gateway.upstreams.address import SCHEMES, address_of, called

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from turnwire.gateway.config.tables import Config, UpstreamConfig


def mistakes_in(config: Config, environment: Mapping[str, str]) -> tuple[Mistake, ...]:
    """Return what cannot work, although each field by itself is as it should be."""
    return (
        *_in_upstreams(config, environment),
        *_in_store(config, environment),
        *_in_keys(config),
        *_in_status(config),
    )


def _in_upstreams(config: Config, environment: Mapping[str, str]) -> Iterator[Mistake]:
    yield from _twice("upstream", "name", [each.name for each in config.upstream])
    defaults = [index for index, each in enumerate(config.upstream) if each.default]
    for index in defaults[1:]:
        yield Mistake(
            f"upstream[{index}].default",
            "true, a second time",
            "one default upstream",
            "remove it from all but one",
        )
    for index, upstream in enumerate(config.upstream):
        place = f"upstream[{index}]"
        yield from _in_address(upstream, place)
        variable = upstream.api_key_env
        if variable is not None and not environment.get(variable):
            yield Mistake(
                f"{place}.api_key_env",
                "a variable that is not set",
                "a variable with the key in it",
                "set it where the gateway is started, or remove the field",
            )
        if upstream.credentials == "client" and config.key:
            yield Mistake(
                f"{place}.credentials",
                '"client", beside `[[key]]`',
                '"gateway"',
                "with `[[key]]` clients bring this gateway's keys, which are for no one else: name"
                " the upstream's key in `api_key_env`, or remove `[[key]]`",
            )


def _in_address(upstream: UpstreamConfig, place: str) -> Iterator[Mistake]:
    if upstream.kind == "scripted":
        if upstream.url:
            yield Mistake(
                f"{place}.url", "an address", "none for the scripted model", "remove it, or `kind`"
            )
        return
    wrong = _wrong_with(upstream)
    if wrong is not None:
        expected = "an address such as http://127.0.0.1:8000/v1"
        yield Mistake(f"{place}.url", wrong[0], expected, wrong[1])


def _wrong_with(upstream: UpstreamConfig) -> tuple[str, str] | None:
    """Return what an upstream's address is instead, and what to do; None if it can be used."""
    url = upstream.url.strip()
    if not url:
        return "nothing", "write the upstream's base URL"
    if not url.lower().startswith(tuple(f"{scheme}://" for scheme in SCHEMES)):
        return "an address without http:// or https://", "write http:// or https:// before it"
    address = address_of(url)
    if address is None:
        return "an address with a host or a port that is none", "correct it"
    if address.query and upstream.kind == "auto":
        return (
            "an address with a query",
            "leave the query out, or name the upstream's `kind`, which cannot be found out then",
        )
    return None


def _in_store(config: Config, environment: Mapping[str, str]) -> Iterator[Mistake]:
    store = config.store
    if store.kind == "sqlite" and not store.path:
        yield Mistake("store.path", "nothing", "a folder", "name one for the file")
    if store.kind == "redis" and not (store.url or environment.get(STORE_URL_VARIABLE)):
        yield Mistake(
            "store.url",
            "nothing",
            "an address such as redis://127.0.0.1:6379/0",
            f"write it, or set {STORE_URL_VARIABLE}",
        )
    unused = {"path": store.path and "sqlite", "url": store.url and "redis"}
    for field, kind in unused.items():
        if kind and kind != store.kind:
            yield Mistake(
                f"store.{field}",
                f'a value beside kind "{store.kind}"',
                f'it with kind "{kind}"',
                f'write kind = "{kind}", or remove `{field}`',
            )


def _in_keys(config: Config) -> Iterator[Mistake]:
    yield from _twice("key", "name", [key.name for key in config.key])
    yield from _twice("key", "hash", [key.hash for key in config.key])


def _in_status(config: Config) -> Iterator[Mistake]:
    try:
        check_status_settings(config.server)
    except ConfigError as error:
        what, _, advice = str(error).rpartition("; ")
        yield Mistake("server.status", what, "settings that fit together", advice)


def _twice(table: str, field: str, values: list[str]) -> Iterator[Mistake]:
    seen: Counter[str] = Counter()
    for index, value in enumerate(values):
        seen[value] += 1
        if seen[value] > 1:
            yield Mistake(
                f"{table}[{index}].{field}",
                f"what `{table}[{values.index(value)}]` has",
                f"a {field} of its own",
                "change one of the two",
            )


def notes_on(config: Config) -> tuple[str, ...]:
    """Return what an operator should know before others come."""
    return tuple(_notes(config))


def _notes(config: Config) -> Iterable[str]:
    server = config.server
    if not is_loopback(server.host):
        if not config.key:
            yield "whoever reaches this address can use it: there is no [[key]]"
        if config.tls is None:
            yield "what is said can be read on the way: there is no [tls], unless a proxy has it"
    for upstream in config.upstream:
        if upstream.kind == "websocket":
            yield (
                f"turns at {called(upstream.name)} cannot be steered: over WebSocket a server goes"
                " on with what was left"
            )
    if config.workers > 1 and config.store.kind == "memory":
        yield (
            "each worker has a memory of its own: stored responses are found by chance only;"
            " use a store of kind sqlite or redis"
        )
