"""A talk with microphone and speaker, until Ctrl-C."""

from __future__ import annotations

import asyncio
import time
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING

from turnwire.audio import DeviceError, EchoGuard, Microphone, Recorder, Speaker
from turnwire.cli.terminal import console, one_line
from turnwire.cli.voice.server import server
from turnwire.cli.voice.words import Words
from turnwire.errors import ConfigError
from turnwire.events import realtime as wire
from turnwire.realtime import connect
from turnwire.realtime.devices import SpeakerPlayhead

if TYPE_CHECKING:
    from collections.abc import Generator

    from turnwire.audio.devices.portaudio import SoundDevice
    from turnwire.cli.voice.plan import Plan
    from turnwire.events.realtime import RealtimeEvent
    from turnwire.realtime import RealtimeTransport, Subscription

_MS = 1000


async def live(plan: Plan, library: SoundDevice | None = None) -> None:
    """Talk until it is cancelled; then write the recording, if one is wanted.

    Args:
        plan: What was told.
        library: sounddevice, or what stands in for it.

    Raises:
        ConfigError: A device cannot be opened, or its extra is not installed.
        DeviceError: A device has ended by itself.
        TurnwireError: The session could not be opened, or is lost for good.
    """
    guard = EchoGuard() if plan.half_duplex else None
    speaker = Speaker(guard=guard, library=library)
    microphone = Microphone(guard=guard, library=library)
    playhead = SpeakerPlayhead(speaker)
    words = Words(shown=plan.shows_words)
    async with server(plan) as found:
        with ExitStack() as open_things:
            with opening():
                open_things.enter_context(speaker)
            async with connect(
                base_url=found.base_url,
                api_key=found.api_key,
                model=found.model,
                session=plan.session,
                trust_env=not found.embedded,
                playback=playhead,
            ) as rt:
                recorder = open_things.enter_context(Recorder(start=time.monotonic()))
                open_things.callback(words.end_line)
                if plan.record is not None:
                    open_things.callback(recorder.write, plan.record)
                playing = asyncio.create_task(playhead.play(rt))
                telling = asyncio.create_task(_tell(rt.events(), words, recorder))
                await asyncio.sleep(0)  # they take what comes from here on
                with opening():
                    open_things.enter_context(microphone)
                console(stderr=True).print("talk; Ctrl-C ends it", style="dim")
                listening = asyncio.create_task(_listen(microphone, rt, recorder))
                await until_one_ends(playing, telling, listening)


@contextmanager
def opening() -> Generator[None]:
    """Say that a device cannot be opened as a matter of what is there: nothing was said yet.

    Raises:
        ConfigError: It cannot.
    """
    try:
        yield
    except (DeviceError, ImportError) as error:
        raise ConfigError(str(error)) from None


async def until_one_ends(*tasks: asyncio.Task[None]) -> None:
    """Wait until one of the tasks ends, end the others, and raise what it raised."""
    try:
        done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
    for task in done:
        task.result()


async def _listen(microphone: Microphone, rt: RealtimeTransport, recorder: Recorder) -> None:
    async for chunk in microphone:
        ended = time.monotonic()
        lasted = microphone.audio_format.milliseconds(len(chunk)) / _MS
        recorder.heard_from_user(ended - lasted, chunk)
        rt.send_audio(chunk)


async def _tell(events: Subscription, words: Words, recorder: Recorder) -> None:
    async for event in events:
        words.show(event)
        note = _note(event)
        if note is not None:
            words.end_line()
            console(stderr=True).print(note, style="dim")
        if isinstance(event, wire.ResponseAudioDeltaEvent):
            recorder.played_to_user(time.monotonic(), event.audio)
        elif isinstance(event, wire.AudioInterruptedEvent):
            recorder.cut(time.monotonic(), "interrupted")


def _note(event: RealtimeEvent) -> str | None:
    match event:
        case wire.AudioInterruptedEvent():
            return (
                f"interrupted: {event.heard_ms / _MS:.1f} s of it were heard,"
                f" {event.dropped_ms / _MS:.1f} s more never will be"
            )
        case wire.ReconnectedEvent():
            return f"the session goes on in another one, {event.gap_ms:.0f} ms later"
        case wire.AudioDroppedEvent():
            return f"{event.ms:.0f} ms of what you said did not reach the server in time"
        case wire.RealtimeErrorEvent():
            said = event.error.message or event.error.code or "no reason given"
            return f"the server says: {one_line(said)}"
        case _:
            return None
