"""How the command ends: an exit code and one line for all that can be expected to happen."""

from __future__ import annotations

import os
import sys
from contextlib import contextmanager
from enum import IntEnum
from typing import TYPE_CHECKING, Final

import typer

from turnwire.cli.terminal import StdoutFailed, console, one_line, writing
from turnwire.errors import (
    ConfigError,
    ConnectionLost,
    DialTimeout,
    ProgressTimeout,
    QueueTimeout,
    ToolLoopLimit,
    TransportError,
    TurnError,
    TurnInterrupted,
    TurnTimeout,
    TurnwireError,
)
from turnwire.io.describing import ADVICE

if TYPE_CHECKING:
    from collections.abc import Generator

_UNAUTHORIZED: Final = 401
_secrets: Final[set[str]] = set()


class ExitCode(IntEnum):
    """What a script reads; the table is in docs/howto/command-line.md#exit-codes."""

    OK = 0
    TURN_FAILED = 1
    USAGE = 2
    UNREACHABLE = 3
    INTERRUPTED = 4
    STDOUT_FAILED = 5
    CTRL_C = 130  # 128 + SIGINT, as shells have it
    BROKEN_PIPE = 141  # 128 + SIGPIPE


MEANINGS: Final = {
    ExitCode.OK: "all went well",
    ExitCode.TURN_FAILED: "a turn failed, --max-turns was reached, or a result is of no use",
    ExitCode.USAGE: "an option, the environment or the prompt is wrong; nothing was sent",
    ExitCode.UNREACHABLE: "the server cannot be reached or refused the key; or a port is taken",
    ExitCode.INTERRUPTED: "the answer was cut off; what had come is on stdout",
    ExitCode.STDOUT_FAILED: "stdout is closed or cannot be written, as on a full disk",
    ExitCode.CTRL_C: "Ctrl-C",
    ExitCode.BROKEN_PIPE: "whoever read stdout closed it",
}


@contextmanager
def exits() -> Generator[None]:
    """Turn what can be expected to go wrong into one red line on stderr and an exit code.

    Raises:
        typer.Exit: With the code.
    """
    try:
        yield
        with writing():
            sys.stdout.flush()
    except KeyboardInterrupt:
        raise typer.Exit(ExitCode.CTRL_C) from None
    except BrokenPipeError:
        _silence_stdout()
        raise typer.Exit(ExitCode.BROKEN_PIPE) from None
    except StdoutFailed as error:
        _silence_stdout()
        complain(str(error))
        raise typer.Exit(ExitCode.STDOUT_FAILED) from None
    except TurnwireError as error:
        complain(_line_about(error))
        raise typer.Exit(exit_code_of(error)) from None


def keep_secret(key: str) -> None:
    """Have a key that came from elsewhere than ``OPENAI_API_KEY`` never be printed."""
    _secrets.add(key)


def complain(message: str) -> None:
    """Print one red line on stderr, without the key, should a server have repeated it."""
    for key in {os.environ.get("OPENAI_API_KEY", ""), *_secrets} - {""}:
        message = message.replace(key, "***")
    console(stderr=True).print(f"error: {message}", style="red")


def exit_code_of(error: TurnwireError) -> ExitCode:
    """Return the exit code for an error."""
    match error:
        case ConfigError():
            return ExitCode.UNREACHABLE if _is_of_the_system(error) else ExitCode.USAGE
        case TurnTimeout() | ProgressTimeout() | ConnectionLost():
            return ExitCode.INTERRUPTED
        case TransportError() | TurnError(status=401):
            return ExitCode.UNREACHABLE
        case TurnInterrupted(delivery="queued" | "writing"):
            return ExitCode.UNREACHABLE  # the server never answered
        case TurnInterrupted():
            return ExitCode.INTERRUPTED
        case _:
            return ExitCode.TURN_FAILED


def _is_of_the_system(error: ConfigError) -> bool:
    """Say whether the system refused, such as a port that is taken, and not a check of ours."""
    return isinstance(error.__cause__, OSError)


def _line_about(error: TurnwireError) -> str:
    if isinstance(error, ToolLoopLimit):
        return "the model still calls tools after all its turns; allow more with --max-turns"
    return one_line(str(error)).removesuffix(ADVICE) + _hint(error)


def _hint(error: TurnwireError) -> str:
    """Return what to do next, where the error does not say it."""
    if getattr(error, "status", None) == _UNAUTHORIZED:
        return "; check OPENAI_API_KEY, and that --base-url is the server it belongs to"
    match error:
        case TurnTimeout():
            return "; give it more with --timeout"
        case QueueTimeout():
            return "; try again later"
        case DialTimeout():
            return "; check --base-url and the network"
        case TransportError() if exit_code_of(error) is ExitCode.UNREACHABLE:
            return "; check --base-url, and that the server runs"
        case TurnInterrupted() if exit_code_of(error) is ExitCode.UNREACHABLE:
            return "; check --base-url, and that the server runs"
        case TurnError(retryable=True):
            return "; the same may succeed later"
        case _:
            return ""


def _silence_stdout() -> None:
    """Keep the interpreter from complaining about stdout once more when it exits."""
    if sys.stdout is not None:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
