"""``turnwire serve``: the gateway, as a program."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Final

from turnwire.cli.ask import DEMO_MODEL
from turnwire.cli.terminal import console, writing
from turnwire.gateway import Gateway, Settings, run

if TYPE_CHECKING:
    from collections.abc import Sequence

_LOOPBACK: Final = ("127.", "localhost", "::1")


def serve(settings: Settings, log_level: str) -> None:
    """Serve until Ctrl-C or SIGTERM.

    Raises:
        ConfigError: The address cannot be bound.
    """
    logging.basicConfig(
        level=log_level.upper(), format="%(asctime)s %(levelname)s %(name)s: %(message)s"
    )
    started: list[Gateway] = []

    def announce(gateway: Gateway) -> None:
        started.append(gateway)
        _print(introduction(gateway, settings))

    run(settings, on_ready=announce)
    for gateway in started:
        _print([f"Stopped. Turns served: {gateway.statistics().turns}."])


def introduction(gateway: Gateway, settings: Settings) -> list[str]:
    """Return the lines that say where the gateway is and what to do with it."""
    base_url = gateway.base_url
    ways = "WebSocket and HTTP" if settings.websocket else "HTTP alone"
    lines = [
        f"turnwire gateway on {base_url} ({ways})",
        f"  model   {DEMO_MODEL}: scripted, needs no key; any other name is answered by it too",
        f'  ask     turnwire ask --base-url {base_url} --model {DEMO_MODEL} "Hello"',
        f"  or set  OPENAI_BASE_URL={base_url} OPENAI_MODEL={DEMO_MODEL} OPENAI_API_KEY=unused",
    ]
    if not settings.host.startswith(_LOOPBACK):
        lines.append("  note    whoever reaches this address can use it: there is no sign-in")
    return [*lines, "Ctrl-C stops it."]


def _print(lines: Sequence[str]) -> None:
    out = console()
    with writing():
        for line in lines:
            out.print(line)
        out.file.flush()
