"""The SDK's playback tracker as a playhead: it knows items and milliseconds, a playhead bytes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from turnwire.core.realtime.playhead import Reported

if TYPE_CHECKING:
    from agents.realtime import RealtimePlaybackTracker

    from turnwire.realtime import RealtimeTransport


class TrackedPlayhead(Reported):
    """Asks a tracker whenever somebody asks it.

    An item that the tracker has gone past counts as played to its end.

    Args:
        tracker: What the application tells of its player.
    """

    def __init__(self, tracker: RealtimePlaybackTracker) -> None:
        super().__init__()
        self._tracker = tracker
        self._transport: RealtimeTransport | None = None

    def follow(self, transport: RealtimeTransport) -> None:
        """Take the transport whose audio is played."""
        self._transport = transport

    def note_format(self) -> None:
        """Tell the tracker how long a byte lasts."""
        if self._transport is not None:
            self._tracker.set_audio_format(self._transport.output_format.to_beta())

    def interrupted(self) -> None:
        """Tell the tracker, unless what it plays goes on."""
        item_id = self._tracker.get_state()["current_item_id"]
        goes_on = self._transport is not None and any(
            each.part.item_id == item_id and not each.is_settled for each in self._transport.heard
        )
        if item_id is not None and not goes_on:
            self._tracker.on_interrupted()

    def played_bytes(self, now: float) -> int:
        """Return how much has been played since the start."""
        state = self._tracker.get_state()
        item_id, ms = state["current_item_id"], state["elapsed_ms"]
        if self._transport is not None and item_id is not None and ms is not None:
            index = state["current_item_content_index"] or 0
            position = self._transport.position_of(item_id, index, ms)
            if position is not None:
                self.report_total(position)
        return super().played_bytes(now)
