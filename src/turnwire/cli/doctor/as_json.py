"""The report for programs: one object, described in docs/howto/doctor.md#for-programs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

import turnwire
from turnwire.cli.terminal import harmless

if TYPE_CHECKING:
    from turnwire.cli.doctor.examination import Examination


def to_json(examination: Examination) -> str:
    """Return the whole report, indented."""
    conclusion = examination.conclusion
    report: dict[str, Any] = {
        "turnwire": turnwire.__version__,
        "usable": conclusion.usable,
        "sentence": harmless(conclusion.sentence),
        "exit_code": conclusion.code.value,
        "seconds": examination.seconds,
        "checks": {
            finding.name: {
                "verdict": finding.verdict.value,
                "said": finding.result.said,
                "advice": finding.result.advice,
                "details": finding.result.details,
            }
            for finding in examination.findings
        },
    }
    return msgspec.json.format(msgspec.json.encode(report), indent=2).decode()
