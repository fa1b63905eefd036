"""Where an answer goes: its text to stdout as it comes, everything else to stderr."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Final, Self

from turnwire.cli.terminal import StdoutFailed, console, harmless, one_line, writing
from turnwire.events import (
    Event,
    ResponseFunctionToolCall,
    ResponseOutputItemDoneEvent,
    ResponseReasoningSummaryTextDeltaEvent,
    ResponseReasoningTextDeltaEvent,
    ResponseRefusalDeltaEvent,
    ResponseTextDeltaEvent,
)

if TYPE_CHECKING:
    from types import TracebackType

    from rich.status import Status

_LONGEST_ARGUMENTS: Final = 160  # characters


class Screen:
    """Shows the events of turns.

    Args:
        as_json: Write every event as one line to stdout, and no text.

    Raises:
        StdoutFailed: There is no stdout; later, where it cannot be written.
    """

    def __init__(self, *, as_json: bool) -> None:
        self._as_json = as_json
        self._stderr = console(stderr=True)
        with writing():
            self._stdout_is_terminal = sys.stdout.isatty()
        self._waiting: Status | None = None
        self._open_line: str | None = None  # what a line was begun with and not ended: see _begin
        self._said_text = False
        reconfigure = getattr(sys.stdout, "reconfigure", None)
        if reconfigure is not None:
            # A lone surrogate, or an old code page, must not end an answer.
            reconfigure(errors="replace")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._stop_waiting()
        if not isinstance(error, BrokenPipeError | StdoutFailed):
            self._end_line()

    def wait(self, what: str) -> None:
        """Show that something goes on, until the next thing is shown."""
        self._stop_waiting()
        if self._stderr.is_terminal:
            self._waiting = self._stderr.status(what, spinner="dots")
            self._waiting.start()

    def note(self, text: str) -> None:
        """Say something on stderr."""
        self._stop_waiting()
        self._end_line()
        self._stderr.print(text, style="dim")

    def show(self, event: Event) -> None:
        """Show an event; the callback for a chain."""
        if self._as_json:
            _write_event(event.raw)
        match event:
            case ResponseTextDeltaEvent() | ResponseRefusalDeltaEvent():
                self.say(event.delta)
            case ResponseReasoningSummaryTextDeltaEvent() | ResponseReasoningTextDeltaEvent():
                self._think(event.delta)
            case ResponseOutputItemDoneEvent(item=ResponseFunctionToolCall() as call):
                arguments = one_line(call.arguments)[:_LONGEST_ARGUMENTS]
                self.note(f"→ {one_line(call.name)} {arguments}")
                self.wait("running tools")
            case _:
                pass

    def say(self, text: str) -> None:
        """Write a piece of the answer to stdout."""
        if self._as_json or not text:
            return
        self._said_text = True
        self._begin("text")
        with writing():
            sys.stdout.write(harmless(text) if self._stdout_is_terminal else text)
            sys.stdout.flush()
        if text.endswith("\n"):
            self._open_line = None

    @property
    def said_text(self) -> bool:
        """True once any text was written."""
        return self._said_text

    def _think(self, text: str) -> None:
        """Write a piece of reasoning, for people only."""
        if not self._stderr.is_terminal or not text:
            return
        self._begin("reasoning")
        self._stderr.print(harmless(text), style="dim italic", end="")
        if text.endswith("\n"):
            self._open_line = None

    def _begin(self, kind: str) -> None:
        self._stop_waiting()
        if self._open_line != kind:
            self._end_line()
            self._open_line = kind

    def _end_line(self) -> None:
        if self._open_line == "text":
            with writing():
                sys.stdout.write("\n")
                sys.stdout.flush()
        elif self._open_line == "reasoning":
            self._stderr.print()
        self._open_line = None

    def _stop_waiting(self) -> None:
        if self._waiting is not None:
            self._waiting.stop()
            self._waiting = None


def _write_event(raw: bytes) -> None:
    # Outside of strings JSON may be broken into lines, inside it cannot be: this loses nothing.
    with writing():
        sys.stdout.buffer.write(raw.replace(b"\n", b" ").replace(b"\r", b" ") + b"\n")
        sys.stdout.buffer.flush()
