"""The words of both sides on stdout, as they come; whose they are stands before them."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Final, Literal

from turnwire.cli.terminal import harmless, writing
from turnwire.events import realtime as wire

if TYPE_CHECKING:
    from turnwire.events.realtime import RealtimeEvent

Side = Literal["user", "assistant"]
_WIDTH: Final = len("assistant") + 2


class Words:
    """Prints the words of events.

    Args:
        shown: False prints nothing.
    """

    def __init__(self, *, shown: bool) -> None:
        self._shown = shown
        self._open: tuple[Side, str] | None = None  # the item whose words are on the last line
        self._begun: set[str] = set()  # items of which a delta came
        reconfigure = getattr(sys.stdout, "reconfigure", None)
        if reconfigure is not None:
            reconfigure(errors="replace")  # an old code page must not end a talk

    def show(self, event: RealtimeEvent) -> None:
        """Print what an event says; most say nothing."""
        match event:
            case wire.ResponseAudioTranscriptDeltaEvent() | wire.ResponseTextDeltaEvent():
                self._say("assistant", event.item_id, event.delta)
            case wire.ResponseAudioTranscriptDoneEvent():
                self._say_whole("assistant", event.item_id, event.transcript)
            case wire.ConversationItemInputAudioTranscriptionDeltaEvent():
                self._say("user", event.item_id, event.delta)
            case wire.ConversationItemInputAudioTranscriptionCompletedEvent():
                self._say_whole("user", event.item_id, event.transcript)
            case _:
                pass

    def end_line(self) -> None:
        """End the line that was begun."""
        if self._open is not None:
            self._write("\n")
        self._open = None

    def _say(self, side: Side, item_id: str, text: str) -> None:
        if not self._shown or not text:
            return
        self._begun.add(item_id)
        if self._open != (side, item_id):
            self.end_line()
            self._write(f"{side:<{_WIDTH}}")
            self._open = side, item_id
            text = text.lstrip()  # the other side may have spoken in the middle of a sentence
        self._write(harmless(text))

    def _say_whole(self, side: Side, item_id: str, text: str) -> None:
        """Print the words of a server that sends them all at once, and no deltas."""
        if item_id in self._begun:
            self._begun.discard(item_id)
        else:
            self._say(side, item_id, text)

    def _write(self, text: str) -> None:
        with writing():
            sys.stdout.write(text)
            sys.stdout.flush()
