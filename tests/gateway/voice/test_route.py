"""The voice model behind the gateway's door: who gets in, and what they meet there."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import aiohttp
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from gateway.support import Client, Puppet, Talk, talk, until
from gateway.voice.story import Says, assert_on_the_wire, base64_of, tone
from turnwire.gateway import Settings
from turnwire.gateway.access.keys import Keyring, hash_of, new_key
from turnwire.gateway.access.limits import Allowance
from turnwire.gateway.app import WORK
from turnwire.gateway.config.tables import Key, Limits
from turnwire.gateway.observing.statistics import Statistics
from turnwire.gateway.voice.endpoint import VoiceSocket
from turnwire.gateway.voice.formats import PCM
from turnwire.gateway.voice.settings import VoiceSettings
from turnwire.gateway.voice.tones import spoken

if TYPE_CHECKING:
    from turnwire.gateway.voice.formats import AudioFormat
    from turnwire.gateway.voice.model import Asked, Saying

pytestmark = [pytest.mark.interop, pytest.mark.io]

PATH = "/v1/realtime?model=any"


async def respond(talking: Talk, client: Any) -> list[dict[str, Any]]:
    await client.send({"type": "response.create"})
    return await client.until("response.done", "error")


async def status_of(talking: Talk, **options: Any) -> int:
    """Dial and return the status of the refusal."""
    try:
        await talking.dial(PATH, **options)
    except aiohttp.WSServerHandshakeError as error:  # kept no longer: it knows all our sockets
        return error.status
    raise AssertionError("the dial was not refused")


@pytest.mark.parametrize("path", [PATH, "/realtime"])
async def test_a_turn(path: str) -> None:
    async with talk() as talking:
        client = await talking.dial(path)
        created = await client.event()
        assert created["type"] == "session.created"
        events = await respond(talking, client)
        for event in [created, *events]:
            assert_on_the_wire(event)
        assert events[-1]["response"]["status"] == "completed"
        statistics = talking.gateway.statistics()
        assert (statistics.model_runs, statistics.sockets_open) == (1, 1)


async def test_speech_is_heard_and_answered() -> None:
    async with talk() as talking:
        client = await talking.dial(PATH)
        audio = tone(300) + PCM.silence(600)
        await client.send({"type": "input_audio_buffer.append", "audio": base64_of(audio)})
        events = await client.until("response.done")
        (item,) = events[-1]["response"]["output"]
        said = item["content"][0]["transcript"]
        assert said == "I heard a tone of 440 Hz in 800 milliseconds."


async def test_a_gateway_before_model_servers_has_no_voice_and_says_why() -> None:
    async with talk(Puppet()) as talking:
        status, body = await talking.get(PATH)
        assert (status, body["error"]["code"]) == (404, "realtime_not_served")
        assert "`turnwire serve`" in body["error"]["message"]
        assert await status_of(talking) == 404


async def test_it_needs_an_upgrade() -> None:
    async with talk() as talking:
        status, body = await talking.get(PATH)
        assert (status, body["error"]["code"]) == (426, "upgrade_required")
    async with talk(websocket=False) as talking:
        assert await status_of(talking) == 426


@pytest.mark.parametrize("query", ["call_id=rtc_1", "intent=transcription"])
async def test_what_is_not_served_is_refused(query: str) -> None:
    async with (
        talk() as talking,
        talking.session.get(
            f"{talking.gateway.url}/v1/realtime?{query}", headers={"Upgrade": "websocket"}
        ) as answer,
    ):
        assert answer.status == 400
        assert (await answer.json())["error"]["param"] == query.partition("=")[0]


async def test_pages_and_strangers_stay_outside() -> None:
    async with talk() as talking:
        assert await status_of(talking, headers={"Origin": "https://example.com"}) == 403
        assert await status_of(talking, headers={"Host": "example.com"}) == 403


async def test_keys_and_limits_are_those_of_the_gateway() -> None:
    key = new_key()
    limits = Limits(sockets=1, requests_per_minute=1)
    keyring = Keyring([Key(name="alice", hash=hash_of(key), limits=limits)], Limits())
    async with talk(keyring=keyring) as talking:
        assert await status_of(talking) == 401
        protocols = ("realtime", f"openai-insecure-api-key.{key}")
        client = await talking.dial(PATH, protocols=protocols)
        assert client.raw.protocol == "realtime"
        assert await status_of(talking, headers={"Authorization": f"Bearer {key}"}) == 429
        await client.until("conversation.created")
        assert (await respond(talking, client))[-1]["type"] == "response.done"
        refused = (await respond(talking, client))[-1]["error"]
        assert (refused["type"], refused["code"]) == ("rate_limit_error", "rate_limit_exceeded")


@pytest.mark.parametrize(
    "options",
    [
        {"headers": {"OpenAI-Beta": "realtime=v1"}},
        {"protocols": ("realtime", "openai-beta.realtime-v1")},
    ],
    ids=["header", "subprotocol"],
)
async def test_the_beta_gets_in_and_is_told_to_leave(options: Any) -> None:
    async with talk() as talking:
        client = await talking.dial(PATH, **options)
        event = await client.event()
        assert_on_the_wire(event)
        assert event["error"]["code"] == "beta_api_shape_disabled"
        closed = await client.raw.receive()
        assert closed.data == 4000
        assert closed.extra == "invalid_request_error.beta_api_shape_disabled"


async def test_messages_that_are_no_text_are_refused() -> None:
    async with talk() as talking:
        client = await talking.dial(PATH)
        await client.until("conversation.created")
        await client.raw.send_bytes(b"{}")
        assert (await client.event())["error"]["code"] == "invalid_json"


async def test_a_session_that_is_too_old_is_told_and_closed() -> None:
    async with talk(max_age=0.05) as talking:
        client = await talking.dial(PATH)
        await client.until("conversation.created")
        assert (await client.event())["error"]["code"] == "session_expired"
        closed = await client.raw.receive()
        assert closed.data == 1001
        assert "maximum duration" in closed.extra


async def test_a_client_that_leaves_takes_its_response_along() -> None:
    async with talk() as talking:
        client = await talking.dial(PATH)
        await client.send({"type": "response.create"})
        await client.until("response.created")
        await client.raw.close()
        await until(lambda: talking.gateway.statistics().sockets_open == 0)


async def test_a_gateway_that_stops_lets_a_reply_end() -> None:
    async with talk(drain_timeout=10.0) as talking:
        client = await talking.dial(PATH)
        idle = await talking.dial(PATH)
        await idle.until("conversation.created")
        await client.send({"type": "response.create"})
        await client.until("response.created")
        talking.gateway._app[WORK].stop()
        assert await idle.closed() == 1001
        await client.send({"type": "response.create", "response": {"conversation": "none"}})
        assert (await client.until("error"))[-1]["error"]["code"] == "server_shutdown"
        events = await client.until("response.done")
        assert events[-1]["response"]["status"] == "completed"
        assert await client.closed() == 1001


async def test_a_client_that_does_not_read_is_waited_for() -> None:
    served: list[tuple[VoiceSocket, web.Request]] = []

    async def connect(request: web.Request) -> web.StreamResponse:
        socket = VoiceSocket(
            Says([spoken("word " * 2000)]),
            VoiceSettings(speed=4.0),
            Settings(outbox_bytes=20_000),
            Statistics(),
            model="m",
            protocols=(),
            allowance=Allowance(Limits()),
        )
        served.append((socket, request))
        return await socket.serve(request)

    app = web.Application()
    app.router.add_get("/", connect)
    async with TestServer(app) as server, aiohttp.ClientSession() as session:
        client = Client(await session.ws_connect(server.make_url("/")))
        await client.until("conversation.created")
        socket, request = served[0]
        request.protocol.pause_writing()  # as the loop does when buffers are full
        await client.send({"type": "response.create"})
        await until(lambda: socket._stands_at is not None)
        response = socket._session.responding.active
        assert response is not None
        stood_at, said_ms = socket._session.now, response.said_ms
        bytes_in = socket._statistics.bytes_in
        await client.send({"type": "input_audio_buffer.clear"})
        await until(lambda: socket._statistics.bytes_in > bytes_in)
        assert (socket._session.now, response.said_ms) == (stood_at, said_ms)
        request.protocol.resume_writing()
        await client.until("input_audio_buffer.cleared")
        await client.event()
        assert response.said_ms > said_ms
        await client.send({"type": "response.cancel"})
        await client.until("response.done")
        await client.raw.close()


class Broken:
    """A voice that cannot do one of the two things of a voice."""

    def __init__(self, broken: str) -> None:
        self._broken = broken

    def reply(self, asked: Asked) -> list[Saying]:
        if self._broken == "reply":
            raise ZeroDivisionError
        return [spoken("Yes.")]

    def transcribe(self, audio: bytes, form: AudioFormat) -> str:
        raise ZeroDivisionError


@pytest.mark.parametrize("broken", ["reply", "transcribe"])
@pytest.mark.parametrize("delay", [0.0, 0.01], ids=["while reading", "while talking"])
async def test_a_voice_that_fails_is_told_and_closed(
    broken: str, delay: float, caplog: pytest.LogCaptureFixture
) -> None:
    settings = VoiceSettings(created_delay=delay, transcription_delay=delay)

    async def connect(request: web.Request) -> web.StreamResponse:
        socket = VoiceSocket(
            Broken(broken),
            settings,
            Settings(),
            Statistics(),
            model="m",
            protocols=(),
            allowance=Allowance(Limits()),
        )
        return await socket.serve(request)

    app = web.Application()
    app.router.add_get("/", connect)
    async with TestServer(app) as server, aiohttp.ClientSession() as session:
        client = Client(await session.ws_connect(server.make_url("/")))
        audio = {"input": {"turn_detection": None, "transcription": {"model": "any"}}}
        update = {"type": "realtime", "audio": audio}
        await client.send({"type": "session.update", "session": update})
        await client.send({"type": "input_audio_buffer.append", "audio": base64_of(tone(300))})
        await client.send({"type": "input_audio_buffer.commit"})
        await client.send({"type": "response.create"})
        event = (await client.until("error"))[-1]
        assert_on_the_wire(event)
        assert (event["error"]["type"], event["error"]["code"]) == ("server_error", "server_error")
        assert await client.closed() == 1011
    (record,) = (each for each in caplog.records if each.name.startswith("turnwire."))
    assert record.exc_info is not None
    assert record.exc_info[0] is ZeroDivisionError


async def test_a_gateway_that_has_no_time_left_closes_at_once() -> None:
    async with talk() as talking:
        client = await talking.dial(PATH)
        await client.until("conversation.created")
        (socket,) = talking.gateway._app[WORK]._sockets
        socket.give_up()
        assert await client.closed() == 1001
