"""A simulated call on a socket: dials the bridge, as Twilio does, and talks in real time."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import aiohttp

from turnwire.testing.clock import Clock
from turnwire.testing.flag import Changes
from turnwire.testing.realtime.resting import TimeOfLoop, rest
from turnwire.testing.realtime.twilio import TwilioCall

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable


class TwilioLine:
    """A call that is connected to a bridge.

    Attributes:
        call: The call itself.
        failure: Why Twilio would have ended the stream, or None.
    """

    def __init__(
        self, call: TwilioCall, socket: aiohttp.ClientWebSocketResponse, clock: Clock
    ) -> None:
        self.call = call
        self.failure: Exception | None = None
        self._socket = socket
        self._clock = clock
        self._changes = Changes()
        self._news = asyncio.Event()

    @property
    def close_code(self) -> int | None:
        """How the socket was closed, by whomever; None while it is open."""
        return self._socket.close_code

    def say(self, audio: bytes) -> None:
        """Say so much µ-law, in real time."""
        self.call.say(audio)

    def press(self, digit: str) -> None:
        """Press a key."""
        self.call.press(digit)
        self._news.set()

    def hang_up(self) -> None:
        """End the call."""
        self.call.hang_up(self._clock.now)
        self._news.set()

    async def wait_until(self, condition: Callable[[], bool]) -> None:
        """Wait until a condition over the call holds; looked at after all that happens."""
        await self._changes.until(condition)

    async def read(self) -> None:
        """Take what the bridge sends, until it closes."""
        async for message in self._socket:
            try:
                self.call.received_message(message.data, self._clock.now)
            except (ValueError, KeyError, TypeError) as error:
                self.failure = error
                break
            self._news.set()
            self._changes.note()
        self._changes.note()

    async def write(self) -> None:
        """Send what the call has to say, each message when it is due."""
        while not self._socket.closed:
            self.call.advance(self._clock.now)
            for message in self.call.messages():
                await self._socket.send_str(message)
            self._changes.note()
            if self.call.is_over:
                await self._socket.close()
                self._changes.note()
                return
            await rest(self._news, self.call.deadline, self._clock)


@asynccontextmanager
async def twilio_line(
    url: str, *, clock: Clock | None = None, **options: Any
) -> AsyncGenerator[TwilioLine]:
    """Dial a bridge and hold the line while the block runs.

    Args:
        url: Where the bridge listens, ``ws://…``.
        clock: What the call goes by; the loop's time by default, also if that is virtual.
        options: Those of ``TwilioCall``, without ``now``.
    """
    loop = asyncio.get_running_loop()
    if clock is None:
        of_loop = getattr(loop, "clock", None)
        clock = of_loop if isinstance(of_loop, Clock) else TimeOfLoop(loop)
    async with aiohttp.ClientSession() as session, session.ws_connect(url) as socket:
        line = TwilioLine(TwilioCall(now=clock.now, **options), socket, clock)
        tasks = [loop.create_task(line.read()), loop.create_task(line.write())]
        try:
            yield line
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
