"""Opening a session: handshakes, refusals, timeouts, attempts that are given up."""

from __future__ import annotations

import asyncio
import logging
from typing import Any

import pytest

from realtime.support import FAST, MANUAL, dial, kinds, take, talk, told, until
from turnwire import (
    AuthenticationError,
    ConfigError,
    ConnectionLost,
    DialError,
    DialTimeout,
    TurnError,
    realtime,
)
from turnwire.testing import Gate, refuse, wait
from turnwire.testing.realtime import RealtimeServer, faults

pytestmark = pytest.mark.io

SECRET = "sk-very-secret"


async def test_the_key_goes_in_a_header() -> None:
    async with talk(api_key=SECRET, server={**FAST, "key": SECRET}) as (rt, server):
        assert rt.status == "connected"
        headers = server.handshakes[0]
        assert headers["Authorization"] == f"Bearer {SECRET}"
        assert "OpenAI-Beta" not in headers
        assert "Sec-WebSocket-Protocol" not in headers
        assert "Sec-WebSocket-Extensions" not in headers


async def test_the_key_goes_as_a_subprotocol_in_the_order_of_browsers() -> None:
    async with talk(api_key="ek_1", auth="subprotocol", server={**FAST, "key": "ek_1"}) as (
        _,
        server,
    ):
        headers = server.handshakes[0]
        offered = headers["Sec-WebSocket-Protocol"].replace(" ", "")
        assert offered == "realtime,openai-insecure-api-key.ek_1"
        assert "Authorization" not in headers


async def test_a_key_that_no_subprotocol_can_be_is_not_sent() -> None:
    async with RealtimeServer() as server:
        with pytest.raises(DialError, match="characters that a subprotocol cannot have") as raised:
            await dial(server, api_key="two, words", auth="subprotocol").open()
        assert "two" not in str(raised.value)
        assert server.handshakes == []


async def test_who_asks_is_said_in_headers() -> None:
    options: dict[str, Any] = {
        "organization": "org",
        "project": "proj",
        "safety_identifier": "user-1",
        "default_headers": {"X-Mine": "yes", "api-key": "azure"},
        "api_key": "",
    }
    async with talk(**options) as (_, server):
        headers = server.handshakes[0]
        names = ("OpenAI-Organization", "OpenAI-Project", "OpenAI-Safety-Identifier", "X-Mine")
        assert [headers[name] for name in names] == ["org", "proj", "user-1", "yes"]
        assert headers["api-key"] == "azure"
        assert "Authorization" not in headers


async def test_the_query_names_the_model_or_the_call() -> None:
    async with RealtimeServer(**FAST) as server:
        for options in ({"model": "m", "query": {"x": "1"}}, {"call_id": "rtc_1"}):
            async with dial(server, **options):
                pass
        assert [dict(each.query) for each in server.connections] == [
            {"model": "m", "x": "1"},
            {"call_id": "rtc_1"},
        ]


async def test_a_sideband_sends_no_audio() -> None:
    async with talk(call_id="rtc_1", session=None) as (rt, server):
        with pytest.raises(ConfigError, match="a sideband"):
            rt.send_audio(b"\0\0")
        await rt.send_message("hello", respond=False)
        assert told(server, "input_audio_buffer.append") == []


async def test_the_key_is_asked_for_at_each_dial() -> None:
    keys = iter(["first", "second"])

    async def key() -> str:
        return next(keys)

    async with talk(api_key=key) as (rt, server):
        rt.renew()
        await until(lambda: rt.generation == 2)
        sent = [headers["Authorization"] for headers in server.handshakes]
        assert sent == ["Bearer first", "Bearer second"]


async def test_a_key_function_must_return_an_ephemeral_key_too() -> None:
    async with RealtimeServer() as server:
        with pytest.raises(DialError, match="not an ephemeral one") as raised:
            await dial(server, api_key=lambda: SECRET, require_ephemeral=True).open()
        assert SECRET not in str(raised.value)
        assert server.handshakes == []
        async with dial(server, api_key=lambda: "ek_1", require_ephemeral=True) as rt:
            assert rt.status == "connected"


async def test_a_key_function_that_fails_says_so_without_its_words() -> None:
    def key() -> str:
        raise RuntimeError(SECRET)

    async with RealtimeServer() as server:
        with pytest.raises(DialError, match="the api_key function raised RuntimeError") as raised:
            await dial(server, api_key=key).open()
        assert SECRET not in str(raised.value)


@pytest.mark.parametrize(
    ("step", "error", "status"),
    [
        (refuse(401), AuthenticationError, 401),
        (refuse(404), DialError, 404),
        (refuse(500), DialError, 500),
    ],
    ids=["401", "404", "500"],
)
async def test_a_refused_dial_says_what_the_server_said(
    step: Any, error: type[DialError], status: int
) -> None:
    async with RealtimeServer(handshake=step) as server:
        rt = dial(server, api_key=SECRET)
        with pytest.raises(error) as raised:
            await rt.open()
        assert raised.value.status == status
        assert SECRET not in repr(raised.value) + str(raised.value)
        assert (len(server.handshakes), rt.status) == (1, "disconnected")


async def test_nobody_listens() -> None:
    async with RealtimeServer() as server:
        url = server.http_url
    with pytest.raises(DialError, match="could not be opened: nobody listens there"):
        await realtime.connect(base_url=url, api_key="key").open()


async def test_a_server_that_does_not_answer_is_given_up() -> None:
    async with RealtimeServer(handshake=wait(Gate())) as server:
        with pytest.raises(DialTimeout, match=r"not ready within 0.05 s \(`timeout`\)"):
            await dial(server, timeout=0.05).open()


@pytest.mark.parametrize(
    ("wait_for", "held"), [("created", "session.created"), ("updated", "session.updated")]
)
async def test_a_session_that_is_not_ready_in_time_is_given_up(wait_for: str, held: str) -> None:
    async with RealtimeServer(faults=[faults.leave_out(on=held)]) as server:
        with pytest.raises(DialTimeout):
            await dial(server, timeout=0.1, wait_for=wait_for).open()
        await server.wait_until(lambda: not server.connections[0].is_open)


async def test_it_may_wait_for_the_echo_of_the_configuration() -> None:
    async with talk(wait_for="updated", session={**MANUAL, "voice": "marin"}) as (rt, _):
        assert rt.session["audio"]["output"]["voice"] == "marin"


async def test_a_close_before_the_session_is_ready_ends_the_attempt() -> None:
    async with RealtimeServer(faults=[faults.close(4001, "go away", on=1)]) as server:
        rt = dial(server)
        with pytest.raises(ConnectionLost) as raised:
            await rt.open()
        assert (raised.value.close_code, raised.value.close_reason) == (4001, "go away")
        assert rt.status == "disconnected"


async def test_a_configuration_that_is_refused_ends_the_attempt() -> None:
    refused = faults.refuse_event("session.update", "invalid_value", "no such thing")
    async with RealtimeServer(faults=[refused]) as server:
        with pytest.raises(TurnError, match="no such thing") as raised:
            await dial(server, wait_for="updated").open()
        assert raised.value.code == "invalid_value"


async def test_the_beta_header_is_refused_with_what_to_do() -> None:
    async with RealtimeServer() as server:
        with pytest.raises(TurnError, match="leave the `OpenAI-Beta` header out") as raised:
            await dial(server, default_headers={"OpenAI-Beta": "realtime=v1"}).open()
        assert raised.value.code == "beta_api_shape_disabled"
        assert len(server.handshakes) == 1


@pytest.mark.parametrize("auth", ["header", "subprotocol"])
async def test_a_server_of_the_beta_is_spoken_to_in_its_words(auth: str) -> None:
    beta = {**FAST, "accepts_beta": True, "faults": [faults.beta_names()]}
    session = {"turn_detection": None, "output_format": "g711_ulaw", "voice": "ash"}
    async with talk(server=beta, dialect="beta", auth=auth, session=session) as (rt, server):
        events = rt.events()
        said: list[str] = []
        rt.on("response.audio.delta", lambda event: said.append(event.raw_type))
        response = await rt.request_response()
        came = await take(events, "response.done")
        assert response.status == "completed"
        assert "response.output_audio.delta" in kinds(came)
        await until(lambda: said)
        assert said[0] == "response.audio.delta"
        assert str(rt.output_format.type) == "audio/pcmu"
        assert told(server, "session.update")[0]["session"] == {
            "turn_detection": None,
            "output_audio_format": "g711_ulaw",
            "voice": "ash",
        }
        headers = server.handshakes[0]
        if auth == "header":
            assert headers["OpenAI-Beta"] == "realtime=v1"
        else:
            assert headers["Sec-WebSocket-Protocol"].endswith("openai-beta.realtime-v1")


async def test_it_is_opened_once() -> None:
    async with talk() as (rt, server):
        with pytest.raises(ConfigError, match="opened already"):
            await rt.open()
        await rt.aclose()
        with pytest.raises(ConfigError, match="opened already"):
            await rt.open()
        assert len(server.handshakes) == 1


async def test_overlapping_opens_are_refused_and_the_first_goes_on() -> None:
    gate = Gate()
    async with RealtimeServer(handshake=wait(gate)) as server:
        rt = dial(server)
        first = asyncio.create_task(rt.open())
        await server.wait_until(lambda: len(server.handshakes) == 1)
        with pytest.raises(ConfigError, match="opened already"):
            await rt.open()
        gate.open()
        assert await first is rt
        assert (rt.status, len(server.handshakes)) == ("connected", 1)
        await rt.aclose()


async def test_closing_during_the_dial_ends_the_attempt() -> None:
    async with RealtimeServer(handshake=wait(Gate())) as server:
        rt = dial(server)
        opening = asyncio.create_task(rt.open())
        await server.wait_until(lambda: len(server.handshakes) == 1)
        await rt.aclose()
        with pytest.raises(ConnectionLost, match="the Realtime session is closed"):
            await opening
        assert rt.status == "disconnected"


async def test_closing_while_the_key_is_fetched_ends_the_attempt() -> None:
    asked = asyncio.Event()

    async def key() -> str:
        asked.set()
        await asyncio.Event().wait()
        return "never"

    async with RealtimeServer() as server:
        rt = dial(server, api_key=key)
        opening = asyncio.create_task(rt.open())
        await asked.wait()
        await rt.aclose()
        with pytest.raises(ConnectionLost):
            await opening
        assert server.handshakes == []


async def test_cancelling_an_open_closes_what_was_opened() -> None:
    async with RealtimeServer(faults=[faults.leave_out(on="session.created")]) as server:
        rt = dial(server)
        opening = asyncio.create_task(rt.open())
        await server.wait_until(lambda: len(server.connections) == 1)
        opening.cancel()
        await asyncio.wait((opening,))
        assert opening.cancelled()
        await server.wait_until(lambda: not server.connections[0].is_open)
        assert rt.status == "disconnected"


async def test_without_a_key_nothing_is_dialled_and_it_can_be_tried_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    rt = realtime.connect()
    with pytest.raises(ConfigError, match="no API key"):
        await rt.open()
    async with RealtimeServer() as server:
        monkeypatch.setenv("OPENAI_BASE_URL", server.http_url)
        async with rt:
            assert rt.status == "connected"


async def test_before_it_is_open_nothing_can_be_said() -> None:
    async with RealtimeServer() as server:
        rt = dial(server)
        with pytest.raises(ConfigError, match="not open yet"):
            rt.send_message("hello")
        await rt.aclose()
        with pytest.raises(ConnectionLost, match="the Realtime session is closed"):
            rt.send_message("hello")
        assert server.handshakes == []


async def test_a_socket_that_was_left_says_nothing_any_more() -> None:
    async with talk() as (rt, server):
        events = rt.events()
        rt.renew()
        await until(lambda: rt.generation == 2)
        old = server.connections[0]
        await old.send({"type": "response.unheard_of", "stale": True})
        await rt.send_message("hello", respond=False)
        await rt.aclose()
        came = [event async for event in events]
        assert not [event for event in came if b"stale" in event.raw]
        assert kinds(came).count("connection_change") >= 3


async def test_a_message_that_is_too_large_loses_the_socket() -> None:
    large = faults.change(lambda event: event | {"padding": "x" * 4096}, on="session.updated")
    async with RealtimeServer(faults=[large]) as server:
        rt = dial(server, inbound_bytes=4096, reconnect=False, wait_for="created")
        async with rt:
            with pytest.raises(ConnectionLost) as raised:
                async for _ in rt.events():
                    pass
        assert raised.value.close_code == 1009


async def test_messages_of_many_megabytes_arrive() -> None:
    padding = "x" * (31 * 2**20)
    large = faults.change(lambda event: event | {"padding": padding}, on="session.updated")
    cut = faults.pieces(2**20, on="session.updated")
    async with RealtimeServer(faults=[large, cut]) as server:
        rt = dial(server, wait_for="created")
        events = rt.events()  # what is larger than a reader's buffer may wait alone
        reading = asyncio.create_task(take(events, "session.updated"))
        async with rt:
            assert len((await reading)[-1].raw) > len(padding)
            assert rt.generation == 1


@pytest.mark.parametrize("auth", ["header", "subprotocol"])
@pytest.mark.parametrize("step", [refuse(401), None], ids=["refused", "served"])
async def test_the_key_is_in_no_log_and_no_repr(
    caplog: pytest.LogCaptureFixture, auth: str, step: Any
) -> None:
    caplog.set_level(logging.DEBUG)
    async with RealtimeServer(handshake=step, **FAST) as server:
        rt = dial(server, api_key=SECRET, auth=auth)
        shown = repr(rt.options)
        try:
            async with rt:
                rt.send_message("my secret words")
                await rt.request_response()
                server.connections[0].drop(reset=True)
                await until(lambda: rt.generation == 2)
                shown += repr(rt) + repr(rt.statistics()) + repr(list(vars(rt).values()))
        except DialError as error:
            shown += repr(error) + str(error) + repr(error.__cause__) + repr(error.__context__)
    logged = "".join(record.getMessage() for record in caplog.records if record.name != "asyncio")
    assert SECRET not in logged + shown
    assert "my secret words" not in logged + shown
