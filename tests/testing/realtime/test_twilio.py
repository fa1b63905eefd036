"""The simulated call: played in real time, marks when they are passed, what is cleared."""

from __future__ import annotations

import base64
from typing import Any

import msgspec
import pytest
from aiohttp import web

from turnwire.testing import Clock
from turnwire.testing.realtime import PCMU, TwilioCall, counted_audio, read, twilio_line

Json = dict[str, Any]


def media(audio: bytes) -> bytes:
    payload = base64.b64encode(audio).decode()
    return msgspec.json.encode(
        {"event": "media", "streamSid": "MZ0001", "media": {"payload": payload}}
    )


def mark(name: str) -> bytes:
    return msgspec.json.encode({"event": "mark", "streamSid": "MZ0001", "mark": {"name": name}})


CLEAR = b'{"event":"clear","streamSid":"MZ0001"}'


class Line:
    """A call, and all it said to the bridge, with times."""

    def __init__(self, **options: Any) -> None:
        self.call = TwilioCall(**{"continuous": False, **options})
        self.now = 0.0
        self.said: list[tuple[float, Json]] = []
        self._take()

    def _take(self) -> None:
        self.said += [
            (round(self.now, 6), msgspec.json.decode(each)) for each in self.call.messages()
        ]

    def until(self, now: float) -> None:
        while (due := self.call.deadline) is not None and due <= now:
            self.now = max(self.now, due)
            self.call.advance(self.now)
            self._take()
        self.now = now
        self.call.advance(now)
        self._take()

    def gets(self, *messages: bytes) -> None:
        for message in messages:
            self.call.received_message(message, self.now)
        self._take()

    def marks(self) -> list[tuple[float, str]]:
        return [(at, each["mark"]["name"]) for at, each in self.said if each["event"] == "mark"]


def test_a_call_begins_as_twilio_s_do() -> None:
    line = Line(parameters={"who": "me"})
    (_, connected), (_, start) = line.said
    assert connected == {"event": "connected", "protocol": "Call", "version": "1.0.0"}
    assert (start["event"], start["sequenceNumber"], start["streamSid"]) == ("start", "1", "MZ0001")
    assert start["start"]["mediaFormat"] == {
        "encoding": "audio/x-mulaw",
        "sampleRate": 8000,
        "channels": 1,
    }
    assert start["start"]["customParameters"] == {"who": "me"}


def test_the_caller_is_heard_in_messages_of_20_ms() -> None:
    line = Line()
    said = counted_audio(1, 0, 400, sample_bytes=1)
    line.call.say(said)
    line.until(1.0)
    heard = [(at, each["media"]) for at, each in line.said if each["event"] == "media"]
    assert [(at, each["chunk"], each["timestamp"]) for at, each in heard] == [
        (0.02, "1", "0"),
        (0.04, "2", "20"),
        (0.06, "3", "40"),
    ]
    audio = b"".join(base64.b64decode(each["payload"]) for _, each in heard)
    assert audio == said + PCMU.silence(10)
    assert [each["sequenceNumber"] for _, each in line.said[1:]] == ["1", "2", "3", "4"]


def test_silence_is_sent_too_unless_it_is_not() -> None:
    line = Line(continuous=True)
    line.until(0.2)
    heard = [each["media"]["payload"] for _, each in line.said if each["event"] == "media"]
    assert heard == [base64.b64encode(b"\xff" * 160).decode()] * 10
    line = Line(continuous=False)
    line.until(0.2)
    line.call.say(b"\x00" * 160)
    line.until(0.3)
    (_, event) = line.said[-1]
    assert event["media"]["timestamp"] == "200"


def test_what_is_dropped_leaves_a_gap_in_the_numbers() -> None:
    line = Line(continuous=True, drops=lambda chunk: chunk == 2)
    line.until(0.06)
    told = [
        (e["media"]["chunk"], e["media"]["timestamp"], e["sequenceNumber"])
        for _, e in line.said[2:]
    ]
    assert told == [("1", "0", "2"), ("3", "40", "4")]


def test_marks_come_back_when_what_is_before_them_was_played() -> None:
    line = Line()
    line.gets(mark("at once"), media(bytes(800)), mark("a"), media(bytes(1600)), mark("b"))
    line.until(1.0)
    assert line.marks() == [(0.0, "at once"), (0.1, "a"), (0.3, "b")]


def test_sound_is_played_from_when_it_comes() -> None:
    line = Line()
    line.gets(media(bytes(800)), mark("a"))
    line.until(0.5)
    line.gets(media(bytes(800)), mark("b"))
    line.until(0.55)
    assert line.call.heard_ms == 150
    line.until(1.0)
    assert line.marks() == [(0.1, "a"), (0.6, "b")]


def test_clear_stops_at_the_sample_and_gives_back_all_marks() -> None:
    line = Line()
    audio = counted_audio(5, 0, 8000, sample_bytes=1)
    line.gets(media(audio[:4000]), mark("a"), media(audio[4000:]), mark("b"))
    line.until(0.25)
    line.gets(CLEAR)
    assert line.marks() == [(0.25, "a"), (0.25, "b")]
    line.until(2.0)
    assert read(bytes(line.call.playing.heard), sample_bytes=1)[0].count == 2000
    line.gets(media(bytes(80)), mark("c"))
    line.until(3.0)
    assert line.marks()[-1] == (2.01, "c")


def test_keys_and_the_end() -> None:
    line = Line()
    line.call.press("5")
    line.call.hang_up(0.0)
    line.until(0.1)
    assert [(each["event"]) for _, each in line.said] == ["connected", "start", "dtmf", "stop"]
    assert line.said[2][1]["dtmf"] == {"track": "inbound_track", "digit": "5"}
    assert (line.call.is_over, line.call.deadline) == (True, None)


@pytest.mark.parametrize(
    "message",
    [
        b"{",
        b"[]",
        b'{"event":"media","media":{"payload":""}}',
        b'{"event":"stop","streamSid":"MZ0001"}',
        b'{"event":"media","streamSid":"MZ0001","media":{"payload":"#"}}',
    ],
    ids=["cut", "array", "no stream", "unknown", "no base64"],
)
def test_what_twilio_refuses_is_an_error(message: bytes) -> None:
    with pytest.raises(ValueError, match=r"."):
        Line().gets(message)


@pytest.mark.io
async def test_a_call_on_a_socket() -> None:
    """The bridge here says back what it hears, with a mark behind each message."""

    async def bridge(request: web.Request) -> web.WebSocketResponse:
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        async for message in socket:
            event = message.json()
            if event["event"] == "media":
                await socket.send_str(media(base64.b64decode(event["media"]["payload"])).decode())
                await socket.send_str(mark(event["media"]["chunk"]).decode())
        return socket

    app = web.Application()
    app.router.add_get("/", bridge)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    clock = Clock()
    try:
        url = f"ws://127.0.0.1:{runner.addresses[0][1]}/"
        async with twilio_line(url, clock=clock, continuous=False) as line:
            line.say(counted_audio(1, 0, 320, sample_bytes=1))
            clock.advance(0.04)
            await line.wait_until(lambda: len(line.call.received) == 4)
            clock.advance(0.04)
            await line.wait_until(lambda: line.call.heard_ms == 40)
            (run,) = read(bytes(line.call.playing.heard), sample_bytes=1)
            assert (run.item, run.first, run.count) == (1, 0, 320)
            line.press("1")
            line.hang_up()
            await line.wait_until(lambda: line.close_code is not None)
            assert line.failure is None
    finally:
        await runner.cleanup()
