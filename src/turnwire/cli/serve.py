"""``turnwire serve``: the gateway, as a program."""

# No `from __future__ import annotations` here: typer reads the annotations.

import asyncio
import logging
import os
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Annotated, Final

import msgspec
import typer

from turnwire.cli.exits import ExitCode, exits
from turnwire.cli.serve_config import LogLevel, Told, configuration
from turnwire.cli.serve_texts import complaint, introduction, plan
from turnwire.cli.terminal import console, writing
from turnwire.errors import ConfigError
from turnwire.gateway.access import keys
from turnwire.gateway.config.building import build
from turnwire.gateway.config.schema import schema
from turnwire.gateway.config.tables import Config, UpstreamKind
from turnwire.gateway.config.writable import unwritable_in
from turnwire.gateway.process.garbage import collect_seldom
from turnwire.gateway.process.service_manager import READY, tell_service_manager
from turnwire.gateway.process.workers import serve_workers
from turnwire.gateway.server import serve_gateway

_LONGEST_NAME: Final = 64  # characters
EXAMPLES: Final = (
    "turnwire serve                           a scripted model, without a key",
    "turnwire serve --upstream http://127.0.0.1:8000/v1",
    "turnwire serve --upstream http://127.0.0.1:8000/v1 --data ~/.turnwire --workers 4",
    "turnwire serve --config gateway.toml",
    "turnwire serve --check gateway.toml      what it would do, or what is wrong",
    "turnwire serve --new-key alice           a key, and what to write into the file",
    "turnwire serve --port 0                  a free port, and says which",
    "turnwire serve --no-websocket            as servers that speak HTTP alone",
    "turnwire serve --allow-origin http://localhost:3000",
)


def serve_command(
    host: Annotated[
        str | None, typer.Option(help="Address to listen on.", show_default="127.0.0.1")
    ] = None,
    port: Annotated[
        int | None,
        typer.Option(
            min=0, max=65535, help="Port to listen on; 0 takes a free one.", show_default="8080"
        ),
    ] = None,
    *,
    upstream: Annotated[
        str | None,
        typer.Option(
            metavar="URL",
            help="The model server's base URL, such as http://127.0.0.1:8000/v1; without it a"
            " scripted model answers.",
        ),
    ] = None,
    kind: Annotated[
        UpstreamKind | None,
        typer.Option(help="What the upstream speaks; auto finds out.", show_default="auto"),
    ] = None,
    upstream_key_env: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="The environment variable with the upstream's key."),
    ] = None,
    config: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="A configuration in TOML; options win over it."),
    ] = None,
    check: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE", help="Say what a gateway with this file would do, or every mistake."
        ),
    ] = None,
    show_schema: Annotated[
        bool, typer.Option("--schema", help="Print the JSON schema of configuration files.")
    ] = False,
    new_key: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="Print a new key, and its entry for the file."),
    ] = None,
    data: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="Keep responses in a file in this folder."),
    ] = None,
    redis: Annotated[
        str | None,
        typer.Option(
            metavar="URL",
            help="Keep responses in Redis. If a password is in the address, set"
            " TURNWIRE_STORE_URL instead, and name none here.",
        ),
    ] = None,
    workers: Annotated[
        int | None,
        typer.Option(min=1, max=256, help="Processes that share the port.", show_default="1"),
    ] = None,
    tls_cert: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Certificate in PEM format.")
    ] = None,
    tls_key: Annotated[Path | None, typer.Option(metavar="FILE", help="Its private key.")] = None,
    allow_origin: Annotated[
        list[str] | None,
        typer.Option(
            metavar="ORIGIN",
            help="Let web pages of this origin in, such as http://localhost:3000; may be repeated.",
        ),
    ] = None,
    allow_host: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME", help="Answer under this host name as well; may be repeated."),
    ] = None,
    websocket: Annotated[
        bool | None,
        typer.Option(
            "--websocket/--no-websocket",
            help="Whether upgrades are accepted.",
            show_default="websocket",
        ),
    ] = None,
    linger: Annotated[
        float | None,
        typer.Option(
            min=0,
            help="Seconds that a stored turn runs on when its client has gone, so that it can be"
            " fetched.",
            show_default="0",
        ),
    ] = None,
    log_level: Annotated[LogLevel, typer.Option(help="What to log on stderr.")] = "warning",
) -> None:
    """Serve the Responses API over WebSocket and HTTP, in front of any model server.

    Without --upstream a scripted model answers, which needs no key.

    It listens on loopback, and refuses web pages and foreign host names unless they are allowed.
    """
    with exits():
        if show_schema:
            _print([msgspec.json.format(msgspec.json.encode(schema())).decode()])
            return
        if new_key is not None:
            _print(key_lines(new_key))
            return
        told = Told(
            config=check or config,
            host=host,
            port=port,
            upstream=upstream,
            kind=kind,
            upstream_key_env=upstream_key_env,
            data=data,
            redis=redis,
            workers=workers,
            tls_cert=tls_cert,
            tls_key=tls_key,
            allow_origin=tuple(allow_origin) if allow_origin else None,
            allow_host=tuple(allow_host) if allow_host else None,
            websocket=websocket,
            linger=linger,
        )
        found = configuration(told)
        if check is not None and not isinstance(found, tuple):
            found = unwritable_in(found) or found
        if isinstance(found, tuple):
            _complain(complaint(found))
            raise typer.Exit(ExitCode.USAGE)
        if check is not None:
            _print(plan(found))
            return
        serve(found, log_level)


def serve(config: Config, log_level: LogLevel) -> None:
    """Serve until Ctrl-C or SIGTERM.

    Raises:
        ConfigError: The address cannot be bound, or something else is not there.
    """
    logging.basicConfig(
        level=log_level.upper(), format="%(asctime)s %(levelname)s %(name)s: %(message)s"
    )
    with suppress(KeyboardInterrupt, asyncio.CancelledError):
        turns = asyncio.run(_serve(config, log_level))
        _print([f"Stopped. Turns served: {turns}."])


async def _serve(config: Config, log_level: LogLevel) -> int:
    def announce(url: str) -> None:
        collect_seldom()
        _print(introduction(f"{url}/v1", config))
        tell_service_manager(READY, os.environ)

    if config.workers > 1:
        return await serve_workers(config, on_ready=announce, log_level=log_level)
    gateway = build(config, os.environ).gateway()
    await serve_gateway(gateway, on_ready=lambda ready: announce(ready.url))
    return gateway.statistics().turns


def key_lines(name: str) -> list[str]:
    """Make a key, and return the lines that show it, this once, and its entry for the file.

    Raises:
        ConfigError: The name cannot be one.
    """
    if not 1 <= len(name) <= _LONGEST_NAME or not name.isprintable():
        raise ConfigError(f"a key needs a name of 1 to {_LONGEST_NAME} characters; give one")
    key = keys.new_key()
    return [
        "The key, shown this once; hand it over by a way that others cannot read:",
        "",
        key,
        "",
        "Its entry for the configuration file, which only knows it again:",
        "",
        "[[key]]",
        f"name = {msgspec.json.encode(name).decode()}",
        f'hash = "{keys.hash_of(key)}"',
    ]


def _print(lines: Sequence[str]) -> None:
    out = console()
    with writing():
        for line in lines:
            out.print(line)
        out.file.flush()


def _complain(lines: Sequence[str]) -> None:
    out = console(stderr=True)
    for line in lines:
        out.print(line, style="red" if line.startswith("error") else None)
