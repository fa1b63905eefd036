"""The scene: two answers are on their way to the ear when somebody interrupts the first."""

from __future__ import annotations

import asyncio
import math
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from turnwire.audio import Speaker
from turnwire.cli.demo_voice.loudspeaker import BLOCK_MS, Loudspeaker
from turnwire.cli.demo_voice.user import User
from turnwire.cli.voice.live import until_one_ends
from turnwire.cli.voice.plan import TRANSCRIBER
from turnwire.errors import ProgressTimeout
from turnwire.events import realtime as wire
from turnwire.gateway import Gateway
from turnwire.gateway.voice.defaults import DEFAULT_MODEL
from turnwire.realtime import connect
from turnwire.realtime.devices import SpeakerPlayhead

if TYPE_CHECKING:
    from turnwire.events.realtime import AudioFormat, RealtimeEvent
    from turnwire.realtime import HeardPart, RealtimeTransport, Subscription

QUESTIONS: Final = (
    "Tell me of the sea: how it is at dawn, at noon, at dusk and in the dead of night",
    "And then tell me of the ships, one by one, from the small ones to the large ones",
)
_ANSWERS: Final = len(QUESTIONS) + 1  # the last one answers who interrupted
_LONGEST: Final = 30.0  # seconds; it takes eight
_TAIL: Final = 0.15  # seconds of silence at the end


class ObservedPlayhead(SpeakerPlayhead):
    """Notes when audio arrived, and how long an interruption took.

    Attributes:
        arrivals: When audio arrived, and how many bytes.
        interrupted_at: When the speaker was silent; None before.
        reaction: Seconds from the arrival of the message that said so until then.
    """

    def __init__(self, speaker: Speaker) -> None:
        super().__init__(speaker)
        self.arrivals: list[tuple[float, int]] = []
        self.interrupted_at: float | None = None
        self.reaction = 0.0

    def handed_over(self, size_bytes: int, audio_format: AudioFormat, now: float) -> None:
        """Note an arrival."""
        super().handed_over(size_bytes, audio_format, now)
        self.arrivals.append((now, size_bytes))

    def flush(self, now: float, response_id: str | None = None) -> int:
        """Silence the speaker, and note when it was; ``now`` is when the message arrived."""
        heard = super().flush(now, response_id)
        self.interrupted_at = time.monotonic()
        self.reaction = self.interrupted_at - now
        return heard


@dataclass(slots=True)
class Answer:
    """One item of the assistant's, as it arrived."""

    item_id: str
    words: str = ""
    audio: bytearray = field(default_factory=bytearray)


@dataclass(frozen=True, slots=True, kw_only=True)
class Scene:
    """What happened; seconds since the beginning.

    Attributes:
        answers: The assistant's items, in order.
        user: All that the user's microphone heard, from ``user_from`` on.
        ear: All that the user's ear heard of the assistant, from ``ear_from`` on.
        spoke_at: When the user began to speak.
        interrupted_at: When the loudspeaker was told to be silent.
        reaction: From the arrival of ``speech_started`` until then.
        arrivals: When the assistant's audio arrived, and how many bytes.
        ledger: What the transport knows of each item.
        truncated: Where the server cut items, in milliseconds.
        deleted: Which items it deleted.
        history: The talk as the model has it now.
        heard_by_server: What the server heard the user say.
    """

    answers: tuple[Answer, ...]
    user: bytes
    user_from: float
    ear: bytes
    ear_from: float
    spoke_at: float
    interrupted_at: float
    reaction: float
    arrivals: tuple[tuple[float, int], ...]
    ledger: tuple[HeardPart, ...]
    truncated: dict[str, int]
    deleted: frozenset[str]
    history: list[dict[str, Any]]
    heard_by_server: str


async def play(after: float) -> Scene:
    """Play the scene.

    Args:
        after: After how many seconds of the first answer the user interrupts.

    Raises:
        ProgressTimeout: It did not come to its end.
        TurnwireError: The session failed.
    """
    try:
        async with asyncio.timeout(_LONGEST):
            return await _Play(after).run()
    except TimeoutError:
        raise ProgressTimeout(
            f"the scene did not come to its end within {_LONGEST:.0f} s; try again when the"
            " machine has less to do"
        ) from None


class _Play:
    """The scene while it is played."""

    def __init__(self, after: float) -> None:
        self._after = after
        self._answers: dict[str, Answer] = {}
        self._truncated: dict[str, int] = {}
        self._deleted: set[str] = set()
        self._heard_by_server = ""
        self._ended = 0  # responses
        self._changed = asyncio.Event()
        self._user = User()

    async def run(self) -> Scene:
        loudspeaker = Loudspeaker()
        speaker = Speaker(block_ms=BLOCK_MS, library=loudspeaker.library)
        playhead = ObservedPlayhead(speaker)
        async with (
            Gateway() as gateway,
            connect(
                base_url=gateway.base_url,
                api_key="",
                model=DEFAULT_MODEL,
                session={"transcription": {"model": TRANSCRIBER}},
                trust_env=False,
                playback=playhead,
            ) as rt,
        ):
            with speaker:
                work = [
                    asyncio.create_task(playhead.play(rt)),
                    asyncio.create_task(self._read(rt.events())),
                ]
                await asyncio.sleep(0)  # they take what comes from here on
                work.append(asyncio.create_task(self._user.talk(rt)))
                work.append(asyncio.create_task(self._talk(rt)))
                await until_one_ends(*work)
            return self._scene(rt, playhead, loudspeaker)

    async def _talk(self, rt: RealtimeTransport) -> None:
        """Ask twice: the model answers faster than it speaks, so both answers are soon there."""
        for question in QUESTIONS:
            rt.send_message(question, respond=False)
            await rt.request_response()
        while self._ended < _ANSWERS:
            self._changed.clear()
            await self._changed.wait()
        await rt.wait_played()
        await asyncio.sleep(_TAIL)

    async def _read(self, events: Subscription) -> None:
        async for event in events:
            self._take(event)
            self._changed.set()

    def _take(self, event: RealtimeEvent) -> None:
        match event:
            case wire.ResponseAudioDeltaEvent():
                if math.isinf(self._user.spoke_at):  # the first sound
                    self._user.speak_at(time.monotonic() + self._after)
                self._answer(event.item_id).audio += event.audio
            case wire.ResponseAudioTranscriptDeltaEvent():
                self._answer(event.item_id).words += event.delta
            case wire.ConversationItemTruncatedEvent():
                self._truncated[event.item_id] = event.audio_end_ms
            case wire.ConversationItemDeletedEvent():
                self._deleted.add(event.item_id)
            case wire.ConversationItemInputAudioTranscriptionCompletedEvent():
                self._heard_by_server = event.transcript
            case wire.ResponseDoneEvent():
                self._ended += 1
            case _:
                pass

    def _answer(self, item_id: str) -> Answer:
        return self._answers.setdefault(item_id, Answer(item_id))

    def _scene(
        self, rt: RealtimeTransport, playhead: ObservedPlayhead, loudspeaker: Loudspeaker
    ) -> Scene:
        began = min(loudspeaker.began, self._user.began)
        cut = playhead.interrupted_at
        if cut is None:
            raise ProgressTimeout("nobody was interrupted: the server did not hear the user speak")
        return Scene(
            answers=tuple(self._answers.values()),
            user=bytes(self._user.said),
            user_from=self._user.began - began,
            ear=loudspeaker.sounded,
            ear_from=loudspeaker.began - began,
            spoke_at=self._user.spoke_at - began,
            interrupted_at=cut - began,
            reaction=playhead.reaction,
            arrivals=tuple((at - began, size) for at, size in playhead.arrivals),
            ledger=rt.heard,
            truncated=dict(self._truncated),
            deleted=frozenset(self._deleted),
            history=rt.history,
            heard_by_server=self._heard_by_server,
        )
