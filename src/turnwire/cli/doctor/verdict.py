"""What the findings come to: one sentence and an exit code."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal

from turnwire.cli import exits
from turnwire.cli.doctor.findings import Verdict
from turnwire.cli.exits import ExitCode

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from turnwire.cli.doctor.case import Case
    from turnwire.cli.doctor.findings import Finding

Usable = Literal["websocket", "http", "nothing"]

# The table is in docs/howto/doctor.md#exit-codes; the numbers are those of the other commands.
HTTP_ONLY: Final = ExitCode.TURN_FAILED
_AS_ELSEWHERE: Final = (ExitCode.STDOUT_FAILED, ExitCode.CTRL_C, ExitCode.BROKEN_PIPE)
MEANINGS: Final = {
    ExitCode.OK: "WebSocket mode is usable",
    HTTP_ONLY: "only HTTP is usable",
    ExitCode.USAGE: "an option or the base URL is wrong; nothing was sent",
    ExitCode.UNREACHABLE: "nothing is usable: the server cannot be reached, or refuses the key",
    **{code: exits.MEANINGS[code] for code in _AS_ELSEWHERE},
}


@dataclass(frozen=True, slots=True)
class Conclusion:
    """What can be used.

    Attributes:
        usable: ``websocket``, which implies nothing about HTTP; ``http``; or ``nothing``.
        sentence: The same for people, with the reason.
        code: The exit code.
    """

    usable: Usable
    sentence: str
    code: ExitCode


def conclude(case: Case, findings: Sequence[Finding]) -> Conclusion:
    """Weigh the findings."""
    problems = {each.name: each for each in findings if each.verdict is Verdict.PROBLEM}
    if case.configuration.endpoint is None:
        return Conclusion("nothing", "Nothing was sent: the base URL is wrong.", ExitCode.USAGE)
    key_passes = "sign_in" not in problems and not case.key_refused
    if case.is_upgraded and key_passes and not case.turns_fail:
        tried = case.turn_was_tried
        works = "works" if tried else "seems to work: a socket opens, though no turn was tried"
        sentence = f"WebSocket mode {works}{_but(list(problems.values()))}."
        return Conclusion("websocket", sentence, ExitCode.OK)
    if case.posted is not None and key_passes and "http" not in problems:
        why = case.turns_fail or _why(problems, "handshake")
        sentence = (
            f"WebSocket mode does not work ({why}); HTTP does, and"
            ' `transport="auto"` falls back to it.'
        )
        return Conclusion("http", sentence, HTTP_ONLY)
    why = _why(problems, "dns", "connect", "tls", "sign_in", "warm_up", "handshake", "http")
    return Conclusion("nothing", f"Nothing works: {why}.", ExitCode.UNREACHABLE)


def _but(problems: Sequence[Finding]) -> str:
    if not problems:
        return ""
    return f", but mind {', '.join(each.check.title for each in problems)}"


def _why(problems: Mapping[str, Finding], *names: str) -> str:
    """Return what the first of these checks found."""
    for name in names:
        if name in problems:
            return problems[name].result.said
    return "see above"
