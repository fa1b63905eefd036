"""The shell between a call's socket and a Realtime session: moves messages, decides nothing."""

from __future__ import annotations

import asyncio
import logging
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final

from turnwire.core.realtime.configuration import merged, nested
from turnwire.errors import ConnectionLost, SlowConsumer
from turnwire.realtime.twilio.conversion import resampler
from turnwire.realtime.twilio.media_stream import MediaStream
from turnwire.realtime.twilio.playout import Playout
from turnwire.realtime.twilio.words import LINE

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

    from turnwire.audio import Resampler
    from turnwire.events.realtime import RealtimeEvent
    from turnwire.realtime.transport import RealtimeTransport
    from turnwire.realtime.twilio.events import CallStartedEvent
    from turnwire.realtime.twilio.hearing import HearingSettings

    Receive = Callable[[], Awaitable[str | bytes | Mapping[str, Any] | None]]
    Send = Callable[[str], Awaitable[object]]

_log: Final = logging.getLogger("turnwire")


class TwilioBridge:
    """Lets a caller and a model talk: Twilio Media Streams on one side, a session on the other.

    The session speaks the telephone's µ-law both ways, unless its ``session`` names other formats;
    those are converted, with ``turnwire[audio]``.  What was heard follows from the marks that
    come back, and an interruption clears the line before anything else.

    What the line says besides is an event of the session's: ``call_started``, ``dtmf``,
    ``mark_played``, ``call_stopped``, for ``rt.on(…)`` and ``rt.events()``.

    Args:
        rt: A session that was not opened yet; its ``playback`` is the bridge's from now on.
        receive: Returns the next message of Twilio's socket: a text, bytes, or the object in it;
            None when the socket is closed.
        send: Sends a text on it.
        mark_ms: After how much audio a mark follows; milliseconds.
        limit_bytes: How much of the model's audio may wait to be heard.
        hearing: How holes in the caller's audio are filled.

    Raises:
        ConfigError: The session was opened already.
        ImportError: Other formats than µ-law need ``turnwire[audio]``.
    """

    def __init__(
        self,
        rt: RealtimeTransport,
        receive: Receive,
        send: Send,
        *,
        mark_ms: float = 100.0,
        limit_bytes: int = 16 * 2**20,
        hearing: HearingSettings | None = None,
    ) -> None:
        self._rt = rt
        self._receive = receive
        self._send = send
        self._limit_bytes = limit_bytes
        self._playout = Playout(mark_ms, limit_bytes)
        self._stream = MediaStream(self._playout, hearing)
        self._news = asyncio.Event()
        self._over = asyncio.Event()
        self._error: BaseException | None = None
        self._resampler: Resampler | None = None
        self._heard_as = LINE
        telephone = nested({"input_format": LINE, "output_format": LINE})
        session = merged(telephone, nested(rt.options.session or {}))
        rt.prepare(self, playback=self._playout, session=session)
        for each in (rt.input_format, rt.output_format):
            resampler(LINE, each)  # what is missing is missed before anybody calls

    @property
    def call(self) -> CallStartedEvent | None:
        """The call, once it has begun."""
        return self._stream.started

    @property
    def stream(self) -> MediaStream:
        """The stream, for its counters."""
        return self._stream

    async def run(self) -> None:
        """Carry the call until either side ends it.

        Then the session is closed, and the socket is yours to close.  The session is opened unless
        you have done so.  Cancelling ends the call in the same way.

        Raises:
            TurnwireError: The session could not be opened, or was lost for good.
            SlowConsumer: The line takes less audio than the model makes, beyond ``limit_bytes``.
            ProtocolError: The stream is none of Twilio's.
        """
        work = [
            asyncio.create_task(each, name=f"turnwire-twilio-{name}")
            for name, each in (
                ("session", self._session()),
                ("hear", self._hear()),
                ("speak", self._speak()),
            )
        ]
        try:
            await asyncio.wait(work, return_when=asyncio.FIRST_COMPLETED)
        finally:
            ended = [task for task in work if task.done()]
            for task in work:
                task.cancel()
            await self._rt.aclose()
            await asyncio.gather(*work, return_exceptions=True)
        for task in ended:
            task.result()

    # The session tells; in the step in which it came.

    def put(self, event: RealtimeEvent) -> None:
        """Take an event of the session's; for the transport."""
        self._stream.told(event)
        if self._playout.overflowed:
            what = f"{self._limit_bytes} bytes of audio wait to be heard (`limit_bytes`)"
            self.end(SlowConsumer(what, limit_bytes=self._limit_bytes))
        self._news.set()

    def flush(self, response_id: str | None) -> None:  # noqa: ARG002  # the playout knows them all
        """Note that the line is to be cleared; for the transport."""
        self._news.set()

    def end(self, error: BaseException | None) -> None:
        """Note that the session is over; for the transport."""
        if not self._over.is_set():
            self._error = error
            self._over.set()

    # What runs while there is a call.

    async def _session(self) -> None:
        if self._rt.status == "disconnected" and not self._over.is_set():
            await self._rt.open()
        await self._over.wait()
        if self._error is not None:
            raise self._error

    async def _hear(self) -> None:
        """Read what the line says, until it is over."""
        try:
            while not self._stream.is_over:
                message = await self._receive()
                if message is None:
                    return
                self._take(message)
        except OSError as error:
            _log.info("the line was lost: %s", type(error).__name__)

    def _take(self, message: str | bytes | Mapping[str, Any]) -> None:
        received = self._stream.received(message, _now())
        self._send_audio(received.audio)
        if received.event is not None:
            self._rt.deliver(received.event)
        self._news.set()

    async def _speak(self) -> None:
        """Send what there is to be heard, and notice when the line is mute."""
        try:
            while True:
                self._news.clear()
                message = self._stream.pull(_now())
                if message is None:
                    await self._rest()
                    continue
                await self._send(message)
                await asyncio.sleep(0)  # a socket with room never waits, and others have to speak
        except OSError as error:
            _log.info("the line was lost: %s", type(error).__name__)

    async def _rest(self) -> None:
        """Wait until there may be something to be sent, or the line has been mute for too long."""
        deadline = self._stream.deadline()
        waiting = None if deadline is None else max(0.0, deadline - _now())
        try:
            async with asyncio.timeout(waiting):
                await self._news.wait()
        except TimeoutError:
            self._send_audio(self._stream.tick(_now()))

    def _send_audio(self, audio: bytes) -> None:
        if not audio:
            return
        wanted = self._rt.input_format
        if wanted != self._heard_as:
            self._resampler, self._heard_as = resampler(LINE, wanted), wanted
        with suppress(ConnectionLost):  # the session says so itself
            self._rt.send_audio(audio if self._resampler is None else self._resampler.feed(audio))


def _now() -> float:
    return asyncio.get_running_loop().time()
