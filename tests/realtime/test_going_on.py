"""Sockets that are lost under a session, for real."""

from __future__ import annotations

import asyncio
import logging
from typing import Any

import pytest

from realtime.support import FAST, MANUAL, dial, kinds, take, told, until
from turnwire import Backoff, ConnectionLost, DialError
from turnwire.realtime import RealtimeSettings
from turnwire.testing import refuse
from turnwire.testing.realtime import RealtimeServer, counted, faults, reply, text

pytestmark = pytest.mark.io

QUICK = RealtimeSettings(backoff=Backoff((0.0, 0.0, 0.0)))


def lose(server: RealtimeServer, how: str) -> Any:
    connection = server.connections[-1]
    match how:
        case "reset":
            connection.drop(reset=True)
        case "dropped":
            connection.drop()
        case "half open":
            connection.half_open()
        case _:
            return connection.close(int(how), "why not")
    return asyncio.sleep(0)


@pytest.mark.parametrize("how", ["reset", "dropped", "half open", "1001", "1011"])
async def test_a_session_that_is_lost_goes_on(how: str) -> None:
    async with (
        RealtimeServer([reply(text("a")), reply(text("b"))], **FAST) as server,
        dial(server, settings=QUICK, ping_interval=0.1) as rt,
    ):
        events = rt.events()
        await rt.send_message("hello", item_id="item_mine", respond=False)
        await rt.request_response()
        await asyncio.gather(lose(server, how), until(lambda: rt.generation == 2))
        reconnected = (await take(events, "reconnected"))[-1]
        assert (reconnected.generation, reconnected.seeded_items) == (2, 2)
        assert reconnected.lost == []
        assert reconnected.gap_ms >= 0
        seeds = told(server, "conversation.item.create")
        assert seeds[0]["item"]["id"] == "item_mine"
        assert [part["text"] for each in seeds for part in each["item"]["content"]] == [
            "hello",
            "a",
        ]
        assert told(server, "session.update")[0]["session"] == {
            "type": "realtime",
            "audio": {"input": MANUAL},
        }
        assert (await rt.request_response()).output[0].text == "a"
        assert (rt.statistics().reconnects, rt.error) == (1, None)


async def test_what_was_said_meanwhile_is_said_on_the_next_socket() -> None:
    async with (
        RealtimeServer(reply(text("a")), **FAST) as server,
        dial(server, settings=QUICK) as rt,
    ):
        server.connections[0].drop(reset=True)
        await until(lambda: rt.status == "reconnecting")
        message = rt.send_message("hello")
        update = rt.update_session(instructions="be brief")
        rt.send_audio(bytes(9_600))
        assert rt.backlog_ms == 200
        await asyncio.gather(message, update)
        assert rt.session["instructions"] == "be brief"
        assert (await rt.request_response()).status == "completed"
        rt.commit()
        await server.wait_until(lambda: told(server, "input_audio_buffer.commit"))
        assert rt.statistics().sent_ms == 200


async def test_a_response_that_was_being_made_is_lost_and_says_so() -> None:
    served = {"speed": 1.0}
    async with (
        RealtimeServer(reply(counted(10_000)), **served) as server,
        dial(server, settings=QUICK) as rt,
    ):
        events = rt.events()
        pending = rt.request_response()
        response_id = (await pending.created()).id
        await until(lambda: rt.heard)
        server.connections[0].drop(reset=True)
        with pytest.raises(ConnectionLost, match="socket 1 is gone"):
            await pending
        assert (await take(events, "reconnected"))[-1].lost == [response_id]


async def test_a_session_is_not_opened_anew_if_it_is_not_to_be() -> None:
    async with RealtimeServer(**FAST) as server, dial(server, reconnect=False) as rt:
        server.connections[0].drop(reset=True)
        await until(lambda: rt.error is not None)
        assert rt.status == "disconnected"
        assert len(server.handshakes) == 1
        assert isinstance(rt.error, ConnectionLost)
        assert rt.error.close_code == 1006


async def test_dials_that_fail_are_given_up() -> None:
    handshake: list[Any] = [None, *[503] * 10]
    async with (
        RealtimeServer(handshake=handshake, **FAST) as server,
        dial(server, settings=QUICK) as rt,
    ):
        server.connections[0].drop(reset=True)
        with pytest.raises(DialError) as raised:
            async for _ in rt.events():
                pass
        assert raised.value.status == 503
        assert 1 < len(server.handshakes) <= 5


async def test_a_key_that_is_refused_later_ends_the_session_at_once() -> None:
    handshake: list[Any] = [None, refuse(401), None]
    async with (
        RealtimeServer(handshake=handshake, **FAST) as server,
        dial(server, settings=QUICK) as rt,
    ):
        server.connections[0].drop(reset=True)
        await until(lambda: rt.error is not None)
        assert isinstance(rt.error, DialError)
        assert (rt.error.status, len(server.handshakes)) == (401, 2)


async def test_a_server_that_always_hangs_up_is_given_up() -> None:
    hang_up = [faults.close(1011, "no", on="session.updated")]
    async with RealtimeServer(faults=hang_up) as server:
        rt = dial(server, settings=QUICK, wait_for="created")
        async with rt:
            await until(lambda: rt.error is not None)
            assert isinstance(rt.error, ConnectionLost)
            assert 1 < len(server.connections) <= 4


async def test_a_session_that_is_renewed_leaves_no_gap() -> None:
    async with RealtimeServer(reply(text("a")), **FAST) as server, dial(server) as rt:
        events = rt.events()
        await rt.send_message("hello", respond=False)
        rt.renew()
        came = await take(events, "reconnected")
        assert (came[-1].reason, came[-1].generation) == ("renewal", 2)
        assert "reconnecting" not in [getattr(event, "status", "") for event in came]
        await server.wait_until(lambda: not server.connections[0].is_open)
        assert server.connections[0].close_code == 1000
        assert "session.created" in kinds(came)
        assert (await rt.request_response()).status == "completed"
        assert len(server.connections) == 2


async def test_what_is_logged_has_no_content(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG, logger="turnwire")
    bad = [faults.garbled(b'{"my secret', on="response.created")]
    async with RealtimeServer(reply(text("my secret")), faults=bad, **FAST) as server:
        async with dial(server, settings=QUICK, api_key="my secret key") as rt:
            rt.send_message("my secret")
            await rt.request_response()
            rt.truncate_item("item_my_secret", 0, 1)
            await lose(server, "1011")
            await until(lambda: rt.generation == 2)
        logged = [r.getMessage() for r in caplog.records if r.name.startswith("turnwire")]
    assert [line for line in logged if "broke the protocol" in line]
    assert "my secret" not in "".join(logged)
