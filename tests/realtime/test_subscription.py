"""Events on their way to one consumer."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from realtime.support import kinds
from turnwire import ConnectionLost, SlowConsumer
from turnwire.events import realtime as wire
from turnwire.realtime.readers import AudioStream, TranscriptStream
from turnwire.realtime.subscription import Subscription, size_of


def audio(data: bytes, item: str = "i", response: str = "r") -> wire.ResponseAudioDeltaEvent:
    return wire.ResponseAudioDeltaEvent(
        audio=data, response_id=response, item_id=item, content_index=0
    )


def words(delta: str, item: str = "i") -> wire.ResponseAudioTranscriptDeltaEvent:
    return wire.ResponseAudioTranscriptDeltaEvent(
        delta=delta, response_id="r", item_id=item, content_index=0
    )


def done(item: str = "i") -> wire.ResponseAudioDoneEvent:
    return wire.ResponseAudioDoneEvent(response_id="r", item_id=item, content_index=0)


def waiting(events: Subscription) -> list[Any]:
    found = []
    while (event := events.poll()) is not None:
        found.append(event)
    return found


def test_deltas_of_one_part_that_wait_are_joined() -> None:
    events = Subscription(10_000)
    for event in (audio(b"ab"), audio(b"cd"), audio(b"ef", "j"), words("a"), words("b"), done()):
        events.put(event)
    found = waiting(events)
    assert [getattr(event, "audio", None) or getattr(event, "delta", None) for event in found] == [
        b"abcd",
        b"ef",
        "ab",
        None,
    ]


def test_deltas_need_not_be_joined() -> None:
    events = Subscription(10_000, joins=False)
    events.put(audio(b"ab"))
    events.put(audio(b"cd"))
    assert [event.audio for event in waiting(events)] == [b"ab", b"cd"]


def test_what_does_not_fit_has_a_name_and_its_place() -> None:
    size = size_of(done())
    events = Subscription(2 * size)
    for item in ("1", "2", "3", "4"):
        events.put(done(item))
    first = events.poll()
    events.put(done("5"))
    found = [first, *waiting(events)]
    assert [getattr(event, "item_id", event.type) for event in found] == ["1", "2", "lagged", "5"]
    assert found[2] == wire.LaggedEvent(count=2, bytes=2 * size)
    assert events.waiting_bytes == 0


@pytest.mark.parametrize("ends", [False, True])
def test_a_gap_at_the_end_is_told_too(*, ends: bool) -> None:
    events = Subscription(size_of(done()))
    events.put(done("1"))
    events.put(done("2"))
    if ends:
        events.end(None)
    assert kinds([events.poll(), events.poll()]) == ["response.output_audio.done", "lagged"]  # type: ignore[list-item]
    if ends:
        with pytest.raises(StopAsyncIteration):
            events.poll()


def test_a_delta_that_fits_no_more_leaves_the_one_before_it_alone() -> None:
    events = Subscription(size_of(audio(b"ab")))
    events.put(audio(b"ab"))
    events.put(audio(b"cd"))
    events.put(audio(b"ef"))
    assert events.poll() == audio(b"ab")
    assert waiting(events)[0] == wire.LaggedEvent(count=2, bytes=2 * size_of(audio(b"cd")))


def test_what_comes_after_a_gap_is_not_joined_to_what_was_before() -> None:
    events = Subscription(2 * size_of(audio(b"12")))
    for event in (done(), audio(b"ab"), audio(b"x" * 400)):
        events.put(event)
    events.poll()
    events.put(audio(b"ef"))
    assert [getattr(event, "audio", event.type) for event in waiting(events)] == [
        b"ab",
        "lagged",
        b"ef",
    ]


def test_an_event_larger_than_the_limit_waits_alone() -> None:
    events = Subscription(100)
    events.put(audio(b"x" * 1000))
    events.put(done())
    assert kinds([events.poll()]) == ["response.output_audio.delta"]  # type: ignore[list-item]


def test_a_flush_takes_the_audio_that_waits() -> None:
    events = Subscription(10_000, joins=False)
    for event in (audio(b"ab"), words("a"), audio(b"cd", response="other"), done()):
        events.put(event)
    events.flush("other")
    assert [getattr(event, "audio", None) for event in (events.poll(),)] == [b"ab"]
    events.put(audio(b"ef"))
    events.flush(None)
    assert kinds(waiting(events)) == [
        "response.output_audio_transcript.delta",
        "response.output_audio.done",
    ]
    assert events.waiting_bytes == 0


async def test_the_end_comes_after_what_waits_and_stays() -> None:
    events = Subscription(10_000)
    events.put(done())
    events.end(ConnectionLost("gone", close_code=1006))
    events.put(done("late"))
    assert (await anext(events)).type == "response.output_audio.done"
    for _ in range(2):
        with pytest.raises(ConnectionLost, match="gone"):
            await anext(events)


async def test_a_cancelled_wait_loses_nothing() -> None:
    events = Subscription(10_000)
    reading = asyncio.ensure_future(anext(events))
    await asyncio.sleep(0)
    events.put(done())
    reading.cancel()
    await asyncio.wait((reading,))
    assert await anext(events) == done()


async def test_a_closed_reader_takes_nothing_and_is_at_its_end() -> None:
    events = Subscription(10_000)
    events.put(done())
    events.close()
    events.put(done())
    assert events.waiting_bytes == 0
    assert [event async for event in events] == []


@pytest.mark.parametrize("stream", ["audio", "transcripts"])
async def test_a_reader_of_one_thing_says_that_some_of_it_is_missing(stream: str) -> None:
    events = Subscription(size_of(audio(b"ab")), joins=False)
    event: Any = audio(b"ab") if stream == "audio" else words("ab")
    for _ in range(3):
        events.put(event)
    reader: Any = (
        AudioStream(events, 300, None, lambda: 0)
        if stream == "audio"
        else TranscriptStream(events, 300)
    )
    await anext(reader)
    events.put(event)
    with pytest.raises(SlowConsumer, match=r"2 events did not fit; .* `buffer_bytes`") as raised:
        await anext(reader)
    assert raised.value.limit_bytes == 300
    assert [one async for one in reader] == []


async def test_a_piece_was_read_when_the_next_one_is_asked_for() -> None:
    events = Subscription(10_000, joins=False)
    reports: list[tuple[int, int]] = []
    flushes = 0
    reader = AudioStream(events, 1, lambda *report: reports.append(report), lambda: flushes)
    events.put(audio(b"abcd"))
    events.put(audio(b"ef"))
    await anext(reader)
    assert reports == []
    flushes = 1
    await anext(reader)
    assert reports == [(4, 0)]
    assert reader.poll() is None
    assert reports == [(4, 0), (2, 1)]
