"""The report for people: a line for each finding, as it is made."""

from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING, Final

from rich.text import Text

from turnwire.cli.doctor.checks import CHECKS
from turnwire.cli.doctor.findings import Verdict
from turnwire.cli.terminal import harmless, writing

if TYPE_CHECKING:
    from rich.console import Console

    from turnwire.cli.doctor.examination import Examination
    from turnwire.cli.doctor.findings import Finding

_STYLES: Final = {
    Verdict.OK: "green",
    Verdict.NOTE: "yellow",
    Verdict.PROBLEM: "bold red",
    Verdict.SKIPPED: "dim",
}
_VERDICT_WIDTH: Final = max(map(len, Verdict))
_TITLE_WIDTH: Final = max(len(check.title) for check in CHECKS)
_INDENT: Final = 2 + _VERDICT_WIDTH + 2 + _TITLE_WIDTH + 2
_NARROWEST: Final = 20  # characters for a text, however small the terminal


class Report:
    """Writes to a console."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._theme = ""

    def show(self, finding: Finding) -> None:
        """Write one finding."""
        check, result = finding.check, finding.result
        lines = self._lines(harmless(result.said))
        if result.advice:
            lines += self._lines(f"→ {harmless(result.advice)}")
        text = Text("  ")
        text.append(f"{result.verdict:<{_VERDICT_WIDTH}}", style=_STYLES[result.verdict])
        text.append(f"  {check.title:<{_TITLE_WIDTH}}  ")
        text.append(f"\n{' ' * _INDENT}".join(lines))
        with writing():
            if check.theme != self._theme:
                self._console.print(Text(check.theme, style="bold"))
                self._theme = check.theme
            self._console.print(text)
            self._console.file.flush()

    def _lines(self, text: str) -> list[str]:
        if not self._console.is_terminal:
            return [text]  # for grep
        return textwrap.wrap(text, max(_NARROWEST, self._console.width - _INDENT)) or [""]

    def end(self, examination: Examination) -> None:
        """Write what it comes to."""
        conclusion = examination.conclusion
        style = {"websocket": "bold green", "http": "bold yellow"}.get(
            conclusion.usable, "bold red"
        )
        with writing():
            self._console.print()
            self._console.print(Text(harmless(conclusion.sentence), style=style))
