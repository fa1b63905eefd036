"""A user without a microphone: silence, and at one moment a sentence, in real time."""

from __future__ import annotations

import asyncio
import math
import time
from typing import TYPE_CHECKING, Final

from turnwire.audio import PCM16
from turnwire.cli.voice.plan import tone_phrase

if TYPE_CHECKING:
    from turnwire.realtime import RealtimeTransport

_CHUNK_MS: Final = 20.0


class User:
    """Sends a piece each 20 ms, as a microphone does.

    Attributes:
        began: When the first piece begins, in seconds of ``time.monotonic``.
        said: All pieces so far.
        spoke_at: When the sentence began.
    """

    def __init__(self) -> None:
        self.began = 0.0
        self.said = bytearray()
        self.spoke_at = math.inf

    def speak_at(self, at: float) -> None:
        """Let the sentence begin at a time, or with the next piece after it."""
        self.spoke_at = at

    async def talk(self, rt: RealtimeTransport) -> None:
        """Send pieces until it is cancelled."""
        self.began = time.monotonic()
        size = PCM16.bytes_in(_CHUNK_MS)
        waiting = b""
        begun = False
        while True:
            starts = self.began + PCM16.milliseconds(len(self.said)) / 1000
            if not begun and starts >= self.spoke_at:
                waiting, begun, self.spoke_at = tone_phrase(), True, starts
            chunk, waiting = waiting[:size].ljust(size, b"\0"), waiting[size:]
            await asyncio.sleep(starts + _CHUNK_MS / 1000 - time.monotonic())
            self.said += chunk
            rt.send_audio(chunk)
