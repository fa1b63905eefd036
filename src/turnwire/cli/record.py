"""``turnwire record``: a relay that writes down what passes through it, as a program."""

# No `from __future__ import annotations` here: typer reads the annotations.

import asyncio
import os
import signal
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Final

import typer

from turnwire.cli.demo.units import bytes_text
from turnwire.cli.exits import ExitCode, complain, exits
from turnwire.cli.terminal import console, one_line, writing
from turnwire.errors import ConfigError
from turnwire.io.endpoint import fits_header
from turnwire.recording import Recorder
from turnwire.recording.access import is_loopback
from turnwire.recording.file import FULL, UNWRITABLE

DEFAULT_UPSTREAM: Final = "https://api.openai.com/v1"
_BETWEEN_COUNTS: Final = 0.5  # seconds
_STOPPED: Final = {
    FULL: "it is as large as --max-bytes allows; what is relayed from now on is not recorded",
    UNWRITABLE: "the file cannot be written; what is relayed from now on is not recorded",
}
EXAMPLES: Final = (
    "turnwire record --out session.jsonl",
    "turnwire record --out session.jsonl --redact-content",
    "turnwire record --upstream http://127.0.0.1:8080/v1 --out local.jsonl",
    "OPENAI_API_KEY=… turnwire record --api-key-from-environment --out session.jsonl",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """Everything that ``turnwire record`` was told."""

    upstream: str
    out: Path
    host: str
    port: int
    api_key_from_environment: bool
    redact_content: bool
    max_bytes: int


def record_command(
    out: Annotated[
        Path,
        typer.Option(metavar="FILE", help="The recording to make; nothing is overwritten."),
    ],
    *,
    upstream: Annotated[
        str, typer.Option(metavar="URL", help="The server's base URL.")
    ] = DEFAULT_UPSTREAM,
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[
        int, typer.Option(min=0, max=65535, help="Port to listen on; 0 takes a free one.")
    ] = 8081,
    api_key_from_environment: Annotated[
        bool,
        typer.Option(
            "--api-key-from-environment",
            help="Send OPENAI_API_KEY upstream in place of what clients send.",
        ),
    ] = False,
    redact_content: Annotated[
        bool,
        typer.Option(
            "--redact-content", help="Record placeholders of the same length for what is said."
        ),
    ] = False,
    max_bytes: Annotated[
        int,
        typer.Option(
            min=1024, help="How large the file may become; relaying goes on without recording."
        ),
    ] = 2**30,
) -> None:
    """Record what passes between a client and a server, over WebSocket and HTTP, as JSON lines.

    Keys are not recorded. turnwire.testing.Replay serves a recording again, in tests.
    """
    with exits():
        plan = Plan(
            upstream=upstream,
            out=out,
            host=host,
            port=port,
            api_key_from_environment=api_key_from_environment,
            redact_content=redact_content,
            max_bytes=max_bytes,
        )
        if not record(plan):
            raise typer.Exit(ExitCode.TURN_FAILED)


def record(plan: Plan) -> bool:
    """Relay and record until Ctrl-C or SIGTERM; say whether the file could be written to its end.

    Raises:
        ConfigError: An option is wrong, the file exists, or the address cannot be bound.
    """
    recorder = Recorder(
        plan.upstream,
        plan.out,
        host=plan.host,
        port=plan.port,
        api_key=_key() if plan.api_key_from_environment else None,
        redact_content=plan.redact_content,
        max_bytes=plan.max_bytes,
        stopped=lambda reason: complain(f"recording stopped: {_STOPPED[reason]}"),
    )
    with suppress(KeyboardInterrupt):  # Windows: there is no handler for the signal
        asyncio.run(_record(recorder, plan))
    _print([f"Recorded: {counted(recorder)} in {one_line(str(plan.out))}."])
    return recorder.stopped != UNWRITABLE


def _key() -> str:
    key = os.environ.get("OPENAI_API_KEY", "")
    if not key:
        raise ConfigError("OPENAI_API_KEY is not set; set it, or let clients send their own key")
    if not fits_header(key):
        raise ConfigError("OPENAI_API_KEY contains a line break; strip it")
    return key


async def _record(recorder: Recorder, plan: Plan) -> None:
    loop = asyncio.get_running_loop()
    asked = asyncio.Event()
    signals = (signal.SIGINT, signal.SIGTERM)
    for number in signals:
        with suppress(NotImplementedError):
            loop.add_signal_handler(number, asked.set)
    try:
        async with recorder:
            _print(introduction(recorder, plan))
            await _count_until(asked, recorder)
    finally:
        for number in signals:
            with suppress(NotImplementedError):
                loop.remove_signal_handler(number)


async def _count_until(asked: asyncio.Event, recorder: Recorder) -> None:
    """Wait; on a terminal show what passed so far."""
    err = console(stderr=True)
    if not err.is_terminal:
        await asked.wait()
        return
    with err.status(counted(recorder), spinner="dots") as status:
        while not asked.is_set():
            with suppress(TimeoutError):
                await asyncio.wait_for(asked.wait(), _BETWEEN_COUNTS)
            status.update(counted(recorder))


def introduction(recorder: Recorder, plan: Plan) -> list[str]:
    """Return the lines that say where the recorder is and what to do with it."""
    base_url = recorder.base_url
    content = "placeholders for what is said" if plan.redact_content else "all that is said"
    key = "OPENAI_API_KEY" if plan.api_key_from_environment else "the client's, passed on"
    lines = [
        f"turnwire recorder on {base_url} (WebSocket and HTTP)",
        f"  file    {one_line(str(plan.out))}: {content}, without keys; for your eyes alone",
        f"  key     {key}",
        f"  or set  OPENAI_BASE_URL={base_url}",
    ]
    if not is_loopback(plan.host):
        lines.append("  note    whoever reaches this address can use it: there is no sign-in")
    return [*lines, "Ctrl-C stops it."]


def counted(recorder: Recorder) -> str:
    """Return what passed so far, in words."""
    counts = recorder.counts
    return (
        f"{_many(counts.sockets, 'socket')}, {_many(counts.exchanges, 'HTTP exchange')},"
        f" {_many(counts.messages, 'message')}; {bytes_text(recorder.size_bytes)}"
    )


def _many(number: int, what: str) -> str:
    return f"{number} {what}" if number == 1 else f"{number} {what}s"


def _print(lines: Sequence[str]) -> None:
    out = console()
    with writing():
        for line in lines:
            out.print(line)
        out.file.flush()
