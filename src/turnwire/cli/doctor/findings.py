"""What a check finds: a verdict, what was seen, and what to do about it."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

    from turnwire.cli.doctor.case import Case


class Verdict(StrEnum):
    """How good or bad a finding is."""

    OK = "ok"
    NOTE = "note"  # works otherwise, or is worth knowing
    PROBLEM = "problem"
    SKIPPED = "skipped"  # what was seen says why


@dataclass(frozen=True, slots=True)
class Result:
    """What a check returns.

    Attributes:
        verdict: How good or bad it is.
        said: What was seen, in one line.
        advice: What to do, or nothing.
        details: The same for programs; see docs/howto/doctor.md.
    """

    verdict: Verdict
    said: str
    advice: str = ""
    details: Mapping[str, Any] = field(default_factory=dict[str, Any])


def ok(said: str, advice: str = "", /, **details: Any) -> Result:
    """Return that all is well."""
    return Result(Verdict.OK, said, advice, details)


def note(said: str, advice: str = "", /, **details: Any) -> Result:
    """Return something worth knowing."""
    return Result(Verdict.NOTE, said, advice, details)


def problem(said: str, advice: str = "", /, **details: Any) -> Result:
    """Return something that keeps turns from working, or that costs."""
    return Result(Verdict.PROBLEM, said, advice, details)


class Skip(Exception):  # the outcome of a check, not a fault
    """The check cannot be done; the text says why."""


@dataclass(frozen=True, slots=True)
class Check:
    """One check.

    Attributes:
        name: Its stable name.
        title: Its name for people.
        theme: The heading that it stands under.
        run: Does it.
        late: What to do when it takes too long.
        is_upload: True if it sends megabytes, for which there is a longer limit.
    """

    name: str
    title: str
    theme: str
    run: Callable[[Case], Awaitable[Result]]
    late: str = ""
    is_upload: bool = False


@dataclass(frozen=True, slots=True)
class Finding:
    """A check with its result, without secrets."""

    check: Check
    result: Result

    @property
    def name(self) -> str:
        """The check's stable name."""
        return self.check.name

    @property
    def verdict(self) -> Verdict:
        """How good or bad it is."""
        return self.result.verdict
