"""Exit codes and the one line that goes with each."""

from __future__ import annotations

import re

import pytest
import typer

from architecture.repository import ROOT
from turnwire import errors
from turnwire.cli.exits import MEANINGS, ExitCode, exit_code_of, exits, keep_secret
from turnwire.events import Response


def system_error() -> errors.ConfigError:
    error = errors.ConfigError("cannot listen on 127.0.0.1:80; choose another port")
    error.__cause__ = OSError(98, "address in use")
    return error


CODES = [
    (errors.ConfigError("x"), ExitCode.USAGE),
    (errors.UnansweredCalls("x", call_ids=("a",)), ExitCode.USAGE),
    (system_error(), ExitCode.UNREACHABLE),
    (errors.DialError("x"), ExitCode.UNREACHABLE),
    (errors.AuthenticationError("x", status=401), ExitCode.UNREACHABLE),
    (errors.DialTimeout("x"), ExitCode.UNREACHABLE),
    (errors.QueueTimeout("x"), ExitCode.UNREACHABLE),
    (errors.FirstEventTimeout("x"), ExitCode.UNREACHABLE),
    (errors.TurnTimeout("x"), ExitCode.INTERRUPTED),
    (errors.ProgressTimeout("x"), ExitCode.INTERRUPTED),
    (errors.ConnectionLost("x", close_code=1006), ExitCode.INTERRUPTED),
    (errors.TurnInterrupted("x", delivery="writing"), ExitCode.UNREACHABLE),
    (errors.TurnInterrupted("x", delivery="accepted"), ExitCode.INTERRUPTED),
    (errors.TurnInterrupted("x", delivery="output"), ExitCode.INTERRUPTED),
    (errors.TurnError("x", status=400), ExitCode.TURN_FAILED),
    (errors.TurnError("x", status=401), ExitCode.UNREACHABLE),
    (errors.PreviousResponseNotFound("x"), ExitCode.TURN_FAILED),
    (errors.RateLimited("x", status=429), ExitCode.TURN_FAILED),
    (errors.ContextTooLong("x"), ExitCode.TURN_FAILED),
    (errors.RequestTooLarge("x"), ExitCode.TURN_FAILED),
    (errors.ToolLoopLimit("x", response=Response()), ExitCode.TURN_FAILED),
    (errors.ProtocolError("x"), ExitCode.TURN_FAILED),
    (errors.SteerFailed("x"), ExitCode.TURN_FAILED),
    (errors.SteerUnknown("x"), ExitCode.TURN_FAILED),
    (errors.DeviceError("x"), ExitCode.TURN_FAILED),
    (errors.SlowConsumer("x", limit_bytes=1), ExitCode.TURN_FAILED),
    (errors.QueueFull("x", limit_bytes=1), ExitCode.TURN_FAILED),
]


@pytest.mark.parametrize(("error", "code"), CODES, ids=lambda each: type(each).__name__)
def test_every_error_has_its_code(error: errors.TurnwireError, code: ExitCode) -> None:
    assert exit_code_of(error) is code


def test_no_error_is_forgotten() -> None:
    never_raised = {"SteerError", "TurnwireError", "TransportError"}
    assert {type(error).__name__ for error, _ in CODES} == {*errors.__all__} - never_raised


def ended(error: BaseException) -> int:
    """Return the exit code that an error leads to."""
    with pytest.raises(typer.Exit) as caught, exits():
        raise error
    return caught.value.exit_code


@pytest.mark.parametrize(
    ("error", "line"),
    [
        (errors.ConfigError("no\nmodel"), "error: no model\n"),
        (
            errors.AuthenticationError("refused with HTTP 401", status=401),
            (
                "error: refused with HTTP 401; check OPENAI_API_KEY, and that --base-url is the"
                " server it belongs to\n"
            ),
        ),
        (
            errors.DialError("no answer"),
            "error: no answer; check --base-url, and that the server runs\n",
        ),
        (errors.TurnTimeout("too long"), "error: too long; give it more with --timeout\n"),
        (
            errors.RateLimited("slow down", status=429, retryable=True),
            "error: slow down; the same may succeed later\n",
        ),
        (
            errors.ToolLoopLimit("use `max_turns`", response=Response()),
            "error: the model still calls tools after all its turns; allow more with --max-turns\n",
        ),
        (errors.TurnError("evil \x1b]52;c;x\x07 text"), "error: evil ]52;c;x text\n"),
    ],
    ids=lambda each: type(each).__name__,
)
def test_an_error_is_one_harmless_line_that_says_what_to_do(
    error: errors.TurnwireError, line: str, capsys: pytest.CaptureFixture[str]
) -> None:
    ended(error)
    assert capsys.readouterr() == ("", line)


def test_the_key_is_never_shown(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-secret")
    ended(errors.TurnError("the key sk-secret is wrong"))
    assert capsys.readouterr().err == "error: the key *** is wrong\n"


def test_a_key_from_elsewhere_is_never_printed(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    monkeypatch.setattr("turnwire.cli.exits._secrets", set())
    keep_secret("ek_secret")
    keep_secret("")
    ended(errors.TurnError("the key ek_secret is wrong"))
    assert capsys.readouterr().err == "error: the key *** is wrong\n"


def test_ctrl_c_says_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    assert ended(KeyboardInterrupt()) == 130
    assert capsys.readouterr() == ("", "")


def test_what_is_not_expected_is_not_hidden() -> None:
    with pytest.raises(ZeroDivisionError), exits():
        raise ZeroDivisionError


def test_the_documented_table_is_the_real_one() -> None:
    page = (ROOT / "docs" / "howto" / "command-line.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| (\d+) \| (.+) \|$", page, flags=re.MULTILINE)
    assert rows == [(str(code.value), said) for code, said in MEANINGS.items()]
