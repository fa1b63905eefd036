"""``turnwire doctor``, from options to an exit code."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from turnwire.cli.doctor.as_json import to_json
from turnwire.cli.doctor.examination import examine
from turnwire.cli.doctor.report import Report
from turnwire.cli.terminal import console, writing

if TYPE_CHECKING:
    from turnwire.cli.doctor.case import Told
    from turnwire.cli.exits import ExitCode


def doctor(told: Told) -> ExitCode:
    """Examine a server and print what was found.

    Raises:
        StdoutFailed: The report cannot be written.
    """
    if told.as_json:
        examination = asyncio.run(examine(told))
        with writing():
            console().file.write(to_json(examination) + "\n")
    else:
        report = Report(console())
        examination = asyncio.run(examine(told, on_finding=report.show))
        report.end(examination)
    return examination.conclusion.code
