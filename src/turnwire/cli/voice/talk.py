"""One question and its answer: a file or a text goes to a session, the reply comes back."""

from __future__ import annotations

import asyncio
import time
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from turnwire.audio import Recorder
from turnwire.cli.terminal import console, one_line
from turnwire.cli.voice.reply import Reply
from turnwire.cli.voice.server import server
from turnwire.cli.voice.words import Words
from turnwire.events import realtime as wire
from turnwire.realtime import connect

if TYPE_CHECKING:
    from turnwire.cli.voice.plan import Plan
    from turnwire.events.realtime import RealtimeEvent, RealtimeResponse
    from turnwire.realtime import RealtimeTransport, Subscription

_LATE_WORDS: Final = 5.0  # seconds that the words of the user may come after the reply
_WRITTEN_DOWN: Final = (
    wire.ConversationItemInputAudioTranscriptionCompletedEvent,
    wire.ConversationItemInputAudioTranscriptionFailedEvent,
)


@dataclass(frozen=True, slots=True)
class Outcome:
    """How it went.

    Attributes:
        response: As it ended.
        said: Seconds of the user's.
        waited: Seconds from the end of that to the first sound of the reply; None if it has none.
        replied: Seconds of the reply.
    """

    response: RealtimeResponse
    said: float
    waited: float | None
    replied: float


async def talk(plan: Plan) -> Outcome:
    """Ask, keep what is answered, and return how it went.

    Raises:
        ConfigError: Something is missing; nothing was sent.
        TurnwireError: As from the transport; what had come is in the files.
    """
    words = Words(shown=plan.shows_words)
    async with (
        server(plan) as found,
        connect(
            base_url=found.base_url,
            api_key=found.api_key,
            model=found.model,
            session=plan.session,
            # A proxy cannot know what runs inside of this process.
            trust_env=not found.embedded,
            overflow="block",
            wait_for="updated",
        ) as rt,
    ):
        with ExitStack() as files:
            reply = files.enter_context(Reply(plan.out, rt.output_format))
            recorder = files.enter_context(Recorder(rt.input_format, rt.output_format))
            files.callback(words.end_line)
            if plan.record is not None:
                files.callback(recorder.write, plan.record, rate=rt.output_format.rate)
            return await _Exchange(plan, rt, words, reply, recorder).run()


class _Exchange:
    """The talk itself: one side is sent while the other is read."""

    def __init__(
        self, plan: Plan, rt: RealtimeTransport, words: Words, reply: Reply, recorder: Recorder
    ) -> None:
        self._plan = plan
        self._rt = rt
        self._words = words
        self._reply = reply
        self._recorder = recorder
        self._said = 0.0
        self._asked_at = 0.0
        self._waited: float | None = None
        self._written_down = False  # what the user said

    async def run(self) -> Outcome:
        events = self._rt.events()
        if self._plan.text is not None:
            self._rt.send_message(self._plan.text, respond=False)
        await self._say()
        self._asked_at = time.monotonic()
        pending = self._rt.request_response()
        reading = asyncio.create_task(self._read(events))
        try:
            response = await pending
            await reading
        finally:
            reading.cancel()
            await asyncio.gather(reading, return_exceptions=True)
        return Outcome(response, self._said, self._waited, self._reply.seconds)

    async def _say(self) -> None:
        audio_format = self._rt.input_format
        for chunk in self._plan.said():
            self._recorder.heard_from_user(self._said, chunk)
            self._said += len(chunk) / audio_format.bytes_per_second
            await self._rt.feed(chunk)
        if self._said:
            self._rt.commit()

    async def _read(self, events: Subscription) -> None:
        """Take what comes until the reply is over, and then the words that are still missing."""
        await self._take_until(events, wire.ResponseDoneEvent)
        if self._said and self._plan.shows_words and not self._written_down:
            with suppress(TimeoutError):
                async with asyncio.timeout(_LATE_WORDS):
                    await self._take_until(events, *_WRITTEN_DOWN)

    async def _take_until(self, events: Subscription, *last: type[RealtimeEvent]) -> None:
        async for event in events:
            self._take(event)
            if isinstance(event, last):
                return

    def _take(self, event: RealtimeEvent) -> None:
        self._words.show(event)
        self._written_down |= isinstance(event, _WRITTEN_DOWN)
        match event:
            case wire.ResponseAudioDeltaEvent():
                if self._waited is None:
                    self._waited = time.monotonic() - self._asked_at
                self._reply.write(event.audio)
                # As it would have been heard: the user first, then what had to be waited for.
                self._recorder.played_to_user(self._said + self._waited, event.audio)
            case wire.RealtimeErrorEvent():
                self._words.end_line()
                said = one_line(event.error.message or event.error.code or "no reason given")
                console(stderr=True).print(f"the server says: {said}", style="dim")
            case _:
                pass
