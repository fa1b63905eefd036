"""Drives a served session without a socket, as a client that only writes things down."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING, Any

import msgspec

from turnwire.testing.realtime import ServedSession
from turnwire.testing.steps import Say

if TYPE_CHECKING:
    from collections.abc import Sequence

    from turnwire.testing.realtime.served import WireStep

Json = dict[str, Any]


class Drive:
    """One served session, its clock, and all the steps that it took."""

    def __init__(self, script: Any = None, **options: Any) -> None:
        self.served = ServedSession(script, **options)
        self.now = 0.0
        self.steps: list[tuple[float, WireStep]] = []
        self._take()

    def _take(self) -> None:
        self.steps += [(self.now, step) for step in self.served.steps()]

    def send(self, type: str, **members: Any) -> None:  # noqa: A002
        self.served.received(msgspec.json.encode({"type": type, **members}), self.now)
        self._take()

    def until(self, now: float) -> None:
        while (due := self.served.deadline) is not None and due <= now:
            self.now = max(self.now, due)
            self.served.advance(self.now)
            self._take()
        self.now = now
        self.served.advance(now)
        self._take()

    def events(self) -> list[Json]:
        """Return the events that were written."""
        return [event for _, event in self.timed()]

    def timed(self) -> list[tuple[float, Json]]:
        texts = ((at, step.data) for at, step in self.steps if isinstance(step, Say))
        return [(at, msgspec.json.decode(data)) for at, data in texts]

    def types(self) -> list[str]:
        return [event["type"] for event in self.events()]


def audio_by_item(events: Sequence[Json]) -> dict[str, bytes]:
    """Return the audio of each item."""
    found: dict[str, bytes] = {}
    for event in events:
        if event["type"] == "response.output_audio.delta":
            audio = base64.b64decode(event["delta"])
            found[event["item_id"]] = found.get(event["item_id"], b"") + audio
    return found
