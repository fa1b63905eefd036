"""What was heard of what the model said."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import TYPE_CHECKING, Final

from turnwire.core.realtime.playhead import Reported
from turnwire.errors import ConfigError

if TYPE_CHECKING:
    from turnwire.core.realtime.machine import RealtimeMachine
    from turnwire.core.realtime.playback import HeardPart
    from turnwire.core.realtime.playhead import Playhead
    from turnwire.realtime.inbox import Inbox

_LOOK_AGAIN: Final = 0.05  # seconds, where a player that reports to its playhead is all that knows
_SOON: Final = 0.001  # seconds


class Hearing:
    """Somebody who hears a session, and says how far."""

    _machine: RealtimeMachine
    _playhead: Playhead
    _inbox: Inbox

    def _now(self) -> float:
        raise NotImplementedError

    @property
    def heard(self) -> tuple[HeardPart, ...]:
        """What was received and heard of each audio part, oldest first; milliseconds."""
        return self._machine.heard(self._now())

    @property
    def is_playing(self) -> bool:
        """True while audio is still to be heard."""
        return self._machine.is_playing(self._now())

    @property
    def _flushes(self) -> int:
        return self._playhead.flushes if isinstance(self._playhead, Reported) else 0

    def played(self, size_bytes: int, *, flushes: int | None = None) -> None:
        """Say that so much more audio was played, with ``playback="reported"``.

        Args:
            size_bytes: How much more, in the order in which it came.
            flushes: For reports that may come late, with a ``Reported`` of your own: its
                ``flushes`` when that audio came.

        Raises:
            ConfigError: The session has another playhead, or the size is negative.
        """
        if not isinstance(self._playhead, Reported):
            raise ConfigError('`played` needs `playback="reported"`')
        if size_bytes < 0:
            raise ConfigError("`size_bytes` is how much more was played: zero or more")
        self._playhead.report(size_bytes, flushes=flushes)
        self._inbox.changed.ring()

    def _was_read(self, size_bytes: int, flushes: int) -> None:
        self.played(size_bytes, flushes=flushes)

    def position_of(self, item_id: str, content_index: int, ms: float) -> int | None:
        """Return what to tell ``Reported.report_total`` if a part has been played for so long.

        Args:
            item_id: Of which item.
            content_index: Which part of it.
            ms: For how many milliseconds.

        Returns:
            Bytes since the start; None if the part is not known, or was interrupted.
        """
        return self._machine.position_of(item_id, content_index, ms)

    async def wait_played(self) -> None:
        """Wait until all that came so far has been heard, or was interrupted, or the session ends.

        Audio that is still being made is not waited for: await its response first.
        """
        while self.is_playing and not self._inbox.ended:
            now = self._now()
            change = self._machine.next_played(now)
            seconds = _LOOK_AGAIN if change is None else max(change - now, _SOON)
            with suppress(TimeoutError):
                async with asyncio.timeout(seconds):
                    await self._inbox.changed.wait()
