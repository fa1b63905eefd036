"""One client's socket over loopback: lanes, chains, bad input, age, and clients that go away."""

import asyncio
import socket as sockets
from typing import Any

import aiohttp
import pytest

from gateway.support import (
    TERMINAL,
    Client,
    Endless,
    Json,
    Puppet,
    calls_of,
    output_of,
    talk,
    text_of,
)
from turnwire.gateway.app import RESPONSES_PATHS

pytestmark = pytest.mark.io


def summary(event: Json) -> tuple[int, str | None, str | None]:
    return event["status"], event["error"].get("code"), event.get("stream_id")


@pytest.mark.parametrize("path", RESPONSES_PATHS)
async def test_r1_every_path_takes_the_upgrade(path: str) -> None:
    async with talk() as here:
        client = await here.dial(path + "?model=from-the-address")
        await client.send({"type": "response.create", "input": "Hello"})
        assert (await client.terminal())["response"]["model"] == "from-the-address"


async def test_r2_headers_of_every_client_are_tolerated() -> None:
    headers = {
        "OpenAI-Beta": "responses_websockets=2026-02-06",
        "Authorization": "Bearer whatever",
        "Content-Type": "application/json",
        "Accept": "application/json",
        "X-Stainless-Lang": "python",
        "x-codex-turn-state": "x",
    }
    async with talk() as here:
        client = await here.dial(headers=headers)
        assert (await client.respond(input="Hello"))["status"] == "completed"


@pytest.mark.parametrize(
    ("offered", "taken"),
    [
        (["responses", "openai-insecure-api-key.secret"], "responses"),
        (["openai-insecure-api-key.secret", "responses"], "responses"),
        (["openai-insecure-api-key.secret"], "openai-insecure-api-key.secret"),
    ],
)
async def test_r2_a_subprotocol_is_taken_and_no_key_is_logged(
    offered: list[str], taken: str, caplog: pytest.LogCaptureFixture
) -> None:
    async with talk() as here:
        client = await here.dial(protocols=offered)
        assert client.raw.protocol == taken
        assert "secret" not in caplog.text


@pytest.mark.parametrize("compress", [0, 15])
async def test_r3_deflate_is_negotiable_and_optional(compress: int) -> None:
    async with talk() as here:
        client = await here.dial(compress=compress)
        assert client.raw.compress == compress
        response = await client.respond(input="x" * 100_000 + "\nWORDS 3")
        assert text_of(response) == "one lane carries"


async def test_r4_where_websocket_is_off_the_upgrade_is_answered_with_426() -> None:
    async with talk(websocket=False) as here:
        with pytest.raises(aiohttp.WSServerHandshakeError) as caught:
            await here.dial()
        assert caught.value.status == 426
        status, response = await here.post(input="Hello")
        assert (status, response["status"]) == (200, "completed")


async def test_r5_pings_are_answered() -> None:
    async with talk() as here:
        client = await here.dial(autoping=False)
        await client.raw.ping(b"are you there?")
        message = await client.raw.receive()
        assert (message.type, message.data) == (aiohttp.WSMsgType.PONG, b"are you there?")


async def test_turns_on_one_socket_one_after_the_other() -> None:
    async with talk() as here:
        client = await here.dial()
        first = await client.respond(input="one")
        second = await client.respond(input="two")
        assert first["id"] != second["id"]
        statistics = here.gateway.statistics()
        assert (
            statistics.sockets,
            statistics.sockets_open,
            statistics.turns,
            statistics.model_runs,
        ) == (1, 1, 2, 2)


async def test_r15_every_event_is_numbered_from_zero() -> None:
    async with talk() as here:
        client = await here.dial()
        for _ in range(2):
            await client.create(input="Hello")
            events = await client.until(*TERMINAL)
            assert [event["sequence_number"] for event in events] == list(range(len(events)))


BAD_MESSAGES: list[tuple[str | bytes, str | None]] = [
    ("", None),
    ("{", None),
    ("[]", None),
    ('"text"', None),
    ("{}", None),
    ('{"type":5}', None),
    ('{"type":"response.cancel"}', "type"),
    ('{"type":"session.update"}', "type"),
    ('{"type":"response.create","input":1e999999}', None),
    ('{"type":"response.create","input":' + "[" * 50_000 + "]" * 50_000 + "}", None),
    ('{"type":"response.create","input":"\\ud800"}', None),
    (b'{"type":"response.create"}', None),
    (b"\x00\xff", None),
    ('{"type":"response.create","input":"x"}', "model"),
    ('{"type":"response.create","model":"m"}', "input"),
    ('{"type":"response.create","model":"m","input":5}', "input"),
    ('{"type":"response.create","model":"m","input":[5]}', "input[0]"),
    ('{"type":"response.create","model":"m","input":"x","tools":{}}', "tools"),
    ('{"type":"response.create","model":"m","input":"x","background":true}', "background"),
    ('{"type":"response.create","model":"m","input":"x","stream_id":5}', "stream_id"),
    ('{"type":"response.create","model":"m","input":"x","stream_id":""}', "stream_id"),
    ('{"type":"response.create","model":"m","input":"x","stream_id":"a b"}', "stream_id"),
    ('{"type":"response.create","model":"m","previous_response_id":[]}', "previous_response_id"),
]


async def test_r10_every_bad_message_is_answered_and_the_socket_lives() -> None:
    async with talk() as here:
        client = await here.dial()
        for message, param in BAD_MESSAGES:
            if isinstance(message, bytes):
                await client.raw.send_bytes(message)
            else:
                await client.raw.send_str(message)
            event = await client.event()
            assert ("error", 400, "invalid_request_error", param) == (
                event["type"],
                event["status"],
                event["error"]["type"],
                event["error"].get("param"),
            ), message[:60]
            assert None not in event["error"].values()
        assert (await client.respond(input="still there?"))["status"] == "completed"


async def test_r10_text_that_is_not_utf8_is_answered_and_the_socket_lives() -> None:
    async with talk() as here:
        client = await here.dial()
        await client.raw.send_frame(
            b'{"type":"response.create","model":"\xff\xfe"}', aiohttp.WSMsgType.TEXT
        )
        assert summary(await client.event()) == (400, None, None)
        assert (await client.respond(input="still there?"))["status"] == "completed"


async def test_r10_an_oversize_message_is_answered_on_its_lane_and_the_socket_lives() -> None:
    async with talk(max_message_bytes=1000) as here:
        client = await here.dial()
        for lane in (None, "a"):
            await client.create(input="x" * 1500, **({"stream_id": lane} if lane else {}))
            event = await client.event()
            assert summary(event) == (413, "message_too_large", lane)
            assert "the limit is 1000" in event["error"]["message"]
        assert (await client.respond(input="less"))["status"] == "completed"


async def test_a_far_too_large_message_closes_with_1009() -> None:
    async with talk(max_message_bytes=1000) as here:
        client = await here.dial()
        await client.create(input="x" * 5000)
        assert await client.closed() == 1009


async def test_r21_two_lanes_interleave_and_every_event_carries_its_lane() -> None:
    puppet = Puppet()
    async with talk(puppet) as here:
        client = await here.dial()
        await client.create(input="a", stream_id="a")
        a = await puppet.run()
        await client.create(input="b", stream_id="b")
        b = await puppet.run()
        for text in ("1 ", "2 "):
            a.say("a" + text)
            b.say("b" + text)
        b.finish()
        a.finish()
        events: dict[str, list[Json]] = {"a": [], "b": []}
        order: list[str] = []
        while not all(lane and lane[-1]["type"] in TERMINAL for lane in events.values()):
            event = await client.event()
            events[event["stream_id"]].append(event)
            order.append(event["stream_id"])
        assert {lane: text_of(each[-1]["response"]) for lane, each in events.items()} == {
            "a": "a1 a2 ",
            "b": "b1 b2 ",
        }
        assert order != sorted(order), "events of the two lanes come interleaved"
        for each in events.values():
            assert [event["sequence_number"] for event in each] == list(range(len(each)))


async def test_r21_the_default_lane_carries_no_name() -> None:
    async with talk() as here:
        client = await here.dial()
        await client.create(input="Hello")
        assert not any("stream_id" in event for event in await client.until(*TERMINAL))


async def test_r21_errors_of_a_turn_carry_its_lane() -> None:
    async with talk() as here:
        client = await here.dial()
        event = await client.refused(input="x", stream_id="a", previous_response_id="resp_unknown")
        assert summary(event) == (400, "previous_response_not_found", "a")


async def test_r21_turns_of_one_lane_wait_for_each_other() -> None:
    puppet = Puppet()
    async with talk(puppet) as here:
        client = await here.dial()
        for number in range(3):
            await client.create(input=str(number), stream_id="a")
        answers: list[str] = []
        for number in range(3):
            run = await puppet.run()
            assert puppet.started.empty(), "the next turn waits"
            run.finish(f"answer {number}")
            answers.append(text_of((await client.terminal())["response"]))
        assert answers == ["answer 0", "answer 1", "answer 2"]


async def test_r21_sixteen_turns_run_and_the_seventeenth_waits() -> None:
    puppet = Puppet()
    async with talk(puppet) as here:
        client = await here.dial()
        for number in range(17):
            await client.create(input="x", stream_id=f"lane-{number}")
        runs = [await puppet.run() for _ in range(16)]
        # Every message is answered in order: an error means that the 17 creates were read.
        await client.send({"type": "unknown"})
        await client.until("error")
        assert puppet.started.empty()
        assert here.gateway.statistics().model_runs_active == 16
        runs[3].finish()
        last = await puppet.run()
        for run in (*runs[:3], *runs[4:], last):
            run.finish()
        terminals = [await client.terminal() for _ in range(17)]
        assert {event["stream_id"] for event in terminals} == {f"lane-{n}" for n in range(17)}
        assert {event["type"] for event in terminals} == {"response.completed"}


async def test_r21_the_33rd_name_is_refused_and_the_others_go_on() -> None:
    async with talk() as here:
        client = await here.dial()
        for number in range(32):
            await client.respond(input="x", stream_id=f"lane-{number}")
        event = await client.refused(input="x", stream_id="lane-32")
        assert summary(event) == (400, "websocket_stream_limit_reached", "lane-32")
        assert event["error"]["param"] == "stream_id"
        for lane in ({"stream_id": "lane-0"}, {}):
            assert (await client.respond(input="x", **lane))["status"] == "completed"


async def test_r21_an_invalid_name_is_not_echoed() -> None:
    async with talk() as here:
        client = await here.dial()
        event = await client.refused(input="x", stream_id="ä")
        assert summary(event) == (400, "invalid_stream_id", None)


async def test_r22_a_steer_gets_its_failure() -> None:
    async with talk() as here:
        client = await here.dial()
        await client.send(
            {"type": "response.steer", "previous_response_id": "resp_1", "input": "stop"}
        )
        event = await client.event()
        assert (
            event["type"],
            event["error"]["code"],
        ) == ("response.steer.failed", "response_not_found")


async def test_r11_a_chain_of_many_turns_without_a_store() -> None:
    async with talk() as here:
        client = await here.dial()
        response = await client.respond(input="0", store=False)
        for number in range(1, 5):
            response = await client.respond(
                input=str(number), store=False, previous_response_id=response["id"]
            )
        assert "The context holds 9 items." in text_of(response)


async def test_r11_without_a_store_the_chain_ends_with_its_socket() -> None:
    async with talk() as here:
        first = await (await here.dial()).respond(input="x", store=False)
        client = await here.dial()
        event = await client.refused(input="y", previous_response_id=first["id"])
        assert summary(event) == (400, "previous_response_not_found", None)
        assert (await client.respond(input="all again"))["status"] == "completed"


async def test_r11_a_stored_chain_goes_on_by_another_socket_and_by_post() -> None:
    async with talk() as here:
        first = await (await here.dial()).respond(input="x")
        second = await (await here.dial()).respond(input="y", previous_response_id=first["id"])
        _, third = await here.post(input="z", previous_response_id=second["id"])
        assert "The context holds 5 items." in text_of(third)


async def test_a_lane_keeps_its_latest_response_only() -> None:
    async with talk() as here:
        client = await here.dial()
        first = await client.respond(input="x", store=False)
        await client.respond(input="y", store=False)
        event = await client.refused(input="z", store=False, previous_response_id=first["id"])
        assert summary(event) == (400, "previous_response_not_found", None)


async def test_a_fork_continues_another_lanes_latest_response() -> None:
    async with talk() as here:
        client = await here.dial()
        root = await client.respond(input="CALL f {}", store=False, stream_id="root")
        (call,) = calls_of(root)
        for lane in ("left", "right"):
            fork = await client.respond(
                input=[output_of(call, lane)],
                store=False,
                stream_id=lane,
                previous_response_id=root["id"],
            )
            assert text_of(fork) == f"FINAL after tool: \n{lane}"


async def test_a_fork_that_waits_is_bound_when_it_starts() -> None:
    puppet = Puppet()
    async with talk(puppet) as here:
        client = await here.dial()
        await client.create(input="x", store=False)
        (await puppet.run()).finish()
        root = (await client.terminal())["response"]
        await client.create(input="busy", store=False, stream_id="b")
        busy = await puppet.run()
        fork = {"store": False, "previous_response_id": root["id"]}
        await client.create(input="fork", stream_id="b", **fork)
        await client.create(input="advance", **fork)
        (await puppet.run()).finish()
        await client.until("response.completed")
        busy.finish()
        event = (await client.until("error"))[-1]
        assert summary(event) == (400, "previous_response_not_found", "b")


STRAY = [{"type": "function_call_output", "call_id": "call_stray", "output": "x"}]


async def test_r19_a_failed_continuation_evicts_its_parent() -> None:
    async with talk() as here:
        client = await here.dial()
        first = await client.respond(input="x", store=False)
        chain = {"store": False, "previous_response_id": first["id"]}
        assert summary(await client.refused(input=STRAY, **chain)) == (400, None, None)
        event = await client.refused(input="y", **chain)
        assert summary(event) == (400, "previous_response_not_found", None)
        assert (await client.respond(input="y", store=False))["status"] == "completed"


async def test_a_failed_fork_leaves_the_source_lane_alone() -> None:
    async with talk() as here:
        client = await here.dial()
        first = await client.respond(input="x", store=False)
        chain = {"store": False, "previous_response_id": first["id"]}
        await client.refused(input=STRAY, stream_id="fork", **chain)
        assert "holds 3 items" in text_of(await client.respond(input="y", **chain))


async def test_r9_a_warm_up_then_its_turn() -> None:
    async with talk() as here:
        client = await here.dial()
        system = {"type": "message", "role": "developer", "content": "You are a pirate."}
        warm = await client.respond(input=[system], generate=False, store=False)
        assert (warm["output"], warm["status"]) == ([], "completed")
        answer = await client.respond(input="Hello", store=False, previous_response_id=warm["id"])
        assert text_of(answer) == 'You said: "Hello". The context holds 2 items.'
        assert here.gateway.statistics().model_runs == 1


async def test_r19_an_old_socket_says_so_and_closes() -> None:
    async with talk(max_age=0.01) as here:
        client = await here.dial()
        event = await client.event()
        assert summary(event) == (400, "websocket_connection_limit_reached", None)
        assert event["error"]["type"] == "invalid_request_error"
        assert await client.closed() == 1000


async def test_r19_an_old_socket_finishes_its_turns_and_refuses_new_ones() -> None:
    puppet = Puppet()
    async with talk(puppet) as here:
        client = await here.dial()
        await client.create(input="long", stream_id="a")
        await client.create(input="behind it", stream_id="a")
        run = await puppet.run()
        here.grow_old()
        await client.create(input="one more", stream_id="b")
        refused = (await client.until("error"))[-1]
        assert summary(refused) == (400, "websocket_connection_limit_reached", "b")
        run.finish("first")
        (await puppet.run()).finish("second")
        texts = [text_of((await client.terminal())["response"]) for _ in range(2)]
        assert texts == ["first", "second"]
        assert summary(await client.event()) == (400, "websocket_connection_limit_reached", None)
        assert await client.closed() == 1000


@pytest.mark.parametrize("how", ["close", "abort"])
async def test_r5_a_client_that_goes_away_stops_its_model_runs(how: str) -> None:
    puppet = Puppet()
    async with talk(puppet) as here:
        client = await here.dial()
        for lane in ("a", "b"):
            await client.create(input="x", stream_id=lane)
        runs = [await puppet.run(), await puppet.run()]
        if how == "close":
            await client.raw.close()
        else:
            transport = client.raw.get_extra_info("socket")
            assert transport is not None
            transport.shutdown(sockets.SHUT_RDWR)
        for run in runs:
            await run.stopped.wait()
        statistics = here.gateway.statistics()
        assert (statistics.model_runs_active, statistics.model_runs_stopped) == (0, 2)


async def test_a_client_that_never_reads_pauses_the_model_and_is_dropped() -> None:
    endless = Endless()
    async with talk(endless, outbox_bytes=10_000, stall_timeout=0.1, heartbeat=60) as here:
        client = await here.dial()
        await client.create(input="x")
        await endless.stopped.wait()
        assert endless.said_bytes < 50_000_000, "ahead of its reader by the system's buffers alone"
        assert here.gateway.statistics().model_runs_stopped == 1
        await client.raw.close()


async def test_a_client_that_reads_late_gets_everything() -> None:
    async with talk(outbox_bytes=1000) as here:
        client = await here.dial(max_msg_size=0)
        await client.create(input="WORDS 30000")
        response = (await client.terminal())["response"]
        assert len(text_of(response).split()) == 30_000


async def test_a_flood_of_bad_messages_from_a_client_that_does_not_read_is_held_back() -> None:
    """Answers are bounded, too: the reader waits until there is room for them."""
    async with talk(outbox_bytes=1000) as here:
        client = await here.dial()
        number = 20_000
        sender = asyncio.create_task(flood(client, number))
        for _ in range(number):
            assert (await client.event())["type"] == "error"
        await sender
        assert (await client.respond(input="still there?"))["status"] == "completed"


async def flood(client: Client, number: int) -> None:
    for _ in range(number):
        await client.raw.send_str("[]")


async def test_turns_that_wait_are_bounded_in_bytes() -> None:
    puppet = Puppet()
    async with talk(puppet, queue_bytes=1000) as here:
        client = await here.dial()
        await client.create(input="runs")
        run = await puppet.run()
        await client.create(input="x" * 600)
        await client.create(input="x" * 600)
        event = (await client.until("error"))[-1]
        assert summary(event) == (429, "websocket_queue_full", None)
        run.finish()
        await client.until("response.completed")
        (await puppet.run()).finish()
        assert (await client.terminal())["type"] == "response.completed"


async def test_a_bug_in_a_turn_is_answered(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(*args: Any, **kwargs: Any) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr("turnwire.gateway.turns.read_parameters", broken)
    async with talk() as here:
        client = await here.dial()
        event = await client.refused(input="x", stream_id="a")
        assert summary(event) == (500, None, "a")
        assert "a turn failed" in caplog.text


async def test_a_turn_whose_task_was_cancelled_from_outside_does_no_harm(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """As the end of a program does it, in any order: every task of the loop is cancelled."""
    puppet = Puppet()
    async with talk(puppet) as here:
        client = await here.dial()
        await client.create(input="x")
        run = await puppet.run()
        for task in asyncio.all_tasks():
            if task.get_name().startswith("turn "):
                task.cancel()
        await run.stopped.wait()
        await client.raw.close()
    assert here.gateway.statistics().sockets_open == 0
    assert caplog.text == ""


async def test_the_gateway_stops_and_idle_sockets_close_with_1001() -> None:
    async with talk() as here:
        client = await here.dial()
        await client.respond(input="x")
        stopping = asyncio.create_task(here.gateway.__aexit__(None, None, None))
        assert await client.closed() == 1001
        await stopping


async def test_the_gateway_stops_when_running_turns_are_finished() -> None:
    puppet = Puppet()
    async with talk(puppet, drain_timeout=30) as here:
        client = await here.dial()
        await client.create(input="x")
        run = await puppet.run()
        stopping = asyncio.create_task(here.gateway.__aexit__(None, None, None))
        await client.until("response.in_progress")
        run.finish("done")
        assert text_of((await client.terminal())["response"]) == "done"
        assert await client.closed() == 1001
        await stopping


async def test_the_gateway_stops_turns_that_take_too_long() -> None:
    puppet = Puppet()
    async with talk(puppet, drain_timeout=0.05) as here:
        client = await here.dial()
        await client.create(input="x")
        run = await puppet.run()
        await here.gateway.__aexit__(None, None, None)
        await run.stopped.wait()
        await client.raw.close()
