from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import aiohttp
import pytest
from aiohttp import WSMsgType

from turnwire.testing import (
    Create,
    Gate,
    Peer,
    Step,
    Turns,
    abort,
    answer,
    close,
    completed,
    drop,
    emit,
    error,
    say,
    silence,
    wait,
)

if TYPE_CHECKING:
    from tests.testing.conftest import Caller

pytestmark = pytest.mark.io


def types(events: list[dict[str, Any]]) -> list[str]:
    return [event["type"] for event in events]


@pytest.mark.parametrize("data", ["{", "[]", "5", '{"no":"type"}', '{"type":"response.cancel"}'])
async def test_a_bad_message_gets_an_error_and_the_connection_stays(
    caller: Caller, data: str
) -> None:
    async with Peer() as peer:
        socket = await caller.dial(peer)
        await socket.raw.send_str(data)
        assert (await socket.event())["type"] == "error"
        assert (await socket.run(input="x"))["type"] == "response.completed"
        assert (peer.model_runs, len(peer.refusals)) == (1, 1)


async def test_a_binary_message_gets_an_error(caller: Caller) -> None:
    async with Peer() as peer:
        socket = await caller.dial(peer)
        await socket.raw.send_bytes(b"{}")
        assert (await socket.event())["error"]["message"] == "Send text messages, not binary ones."
        assert (peer.connections[0].received, peer.connections[0].raw) == ([], [b"{}"])


async def test_a_steer_is_refused_with_its_input(caller: Caller) -> None:
    async with Peer() as peer:
        socket = await caller.dial(peer)
        steer = {"type": "response.steer", "previous_response_id": "resp_1", "input": "left"}
        await socket.raw.send_json(steer)
        refused = await socket.event()
    assert (
        refused["type"],
        refused["error"]["code"],
        refused["steer"]["input"],
    ) == ("response.steer.failed", "steering_not_supported", "left")


async def test_a_message_that_is_too_large_closes_with_1009(caller: Caller) -> None:
    async with Peer(max_message_bytes=100) as peer:
        socket = await caller.dial(peer)
        await socket.create(input="x" * 100)
        message = await socket.raw.receive()
        assert (message.type, message.data) == (WSMsgType.CLOSE, 1009)
        assert peer.model_runs == 0


@pytest.mark.parametrize("code", [1000, 1001, 1011, 4402])
async def test_close_after_some_events(caller: Caller, code: int) -> None:
    async with Peer(lambda create: [answer("x"), close(code, "bye", after=2)]) as peer:
        socket = await caller.dial(peer)
        await socket.create(input="x")
        events = [await socket.event(), await socket.event()]
        message = await socket.raw.receive()
        await peer.wait_until(lambda: not peer.connections[0].is_open)
    assert types(events) == ["response.created", "response.in_progress"]
    assert (WSMsgType.CLOSE, code, "bye") == (message.type, message.data, message.extra)
    # aiohttp as a client answers any close with 1000
    assert (peer.model_runs, peer.connections[0].close_code) == (1, 1000)


async def test_a_close_may_have_no_code(caller: Caller) -> None:
    async with Peer(lambda create: [close(1005)]) as peer:
        socket = await caller.dial(peer)
        await socket.create(input="x")
        assert (await socket.raw.receive())[:2] == (WSMsgType.CLOSE, 0)


async def test_nothing_follows_a_close(caller: Caller) -> None:
    gate, other = Gate(), Gate()
    turns = Turns([wait(gate), answer("a")], [wait(other), close()])
    async with Peer(turns) as peer:
        socket = await caller.dial(peer, autoclose=False)
        await socket.create(input="x", stream_id="a")
        await socket.create(input="x", stream_id="b")
        await peer.wait_until(lambda: peer.model_runs == 2)
        other.open()
        assert WSMsgType.CLOSE is (await socket.raw.receive()).type
        gate.open()
        await socket.raw.close()
        await peer.wait_until(lambda: not peer.connections[0].is_open)
        assert peer.connections[0].sent == []


async def test_drop_ends_the_connection_without_a_close(caller: Caller) -> None:
    async with Peer(lambda create: [answer("x"), drop(after="response.created")]) as peer:
        socket = await caller.dial(peer)
        await socket.create(input="x")
        await socket.event()
        message = await socket.raw.receive()
        await peer.wait_until(lambda: not peer.connections[0].is_open)
    assert (message.type, socket.raw.close_code) == (WSMsgType.CLOSED, 1006)
    assert peer.connections[0].close_code == 1006


async def test_abort_resets_the_connection() -> None:
    async with Peer(lambda create: [abort(after=1)]) as peer:
        host, port = "127.0.0.1", int(peer.base_url.rsplit(":", 1)[1].split("/")[0])
        reader, writer = await asyncio.open_connection(host, port)
        writer.write(
            b"GET /v1/responses HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\n"
            b"Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
            b"Sec-WebSocket-Key: MDEyMzQ1Njc4OWFiY2RlZg==\r\n\r\n"
        )
        await reader.readuntil(b"\r\n\r\n")
        data = b'{"type":"response.create","model":"m"}'
        writer.write(bytes([0x81, 0x80 | len(data), 0, 0, 0, 0]) + data)
        with pytest.raises(ConnectionResetError):
            await reader.read()
        writer.close()


async def test_garbage_is_sent_as_it_is(caller: Caller) -> None:
    steps = [say(b'{"type":'), say(b"\x00\xff", binary=True), emit("codex.limits", used=1)]
    async with Peer(lambda create: [*steps, completed()]) as peer:
        socket = await caller.dial(peer)
        await socket.create(input="x")
        first, second = await socket.raw.receive(), await socket.raw.receive()
        third = await socket.event()
    assert (first.type, first.data) == (WSMsgType.TEXT, '{"type":')
    assert (second.type, second.data) == (WSMsgType.BINARY, b"\x00\xff")
    assert third == {"type": "codex.limits", "used": 1, "sequence_number": 0}


async def test_silence_keeps_the_connection_and_the_lane(caller: Caller) -> None:
    async with Peer(Turns([silence()], [answer("b")])) as peer:
        socket = await caller.dial(peer)
        await socket.create(input="a")
        assert (await socket.run(input="b", stream_id="x"))["type"] == "response.completed"
        await socket.create(input="c")
        await peer.wait_until(lambda: len(peer.creates) == 3)
        assert peer.model_runs == 2  # the third waits behind the silent one


NESTED = {"type": "invalid_request_error", "code": "c", "message": "m"}


@pytest.mark.parametrize(
    ("step", "expected"),
    [
        (error("c", message="m"), {"type": "error", "status": 400, "error": NESTED}),
        (error("c", None, message="m"), {"type": "error", "error": NESTED}),
        (
            error("c", shape="status_code", message="m"),
            {"type": "error", "status_code": 400, "error": NESTED},
        ),
        (
            error("c", shape="detail", message="m"),
            {"type": "error", "status": 400, "error": {"detail": "m"}},
        ),
        (
            error("c", shape="flat", message="m"),
            {"type": "error", "code": "c", "message": "m", "param": None, "sequence_number": 0},
        ),
        (
            error("c", message="m", headers={"retry-after": "1"}),
            {"type": "error", "status": 400, "error": NESTED, "headers": {"retry-after": "1"}},
        ),
    ],
)
async def test_the_shapes_of_errors(caller: Caller, step: Step, expected: dict[str, Any]) -> None:
    async with Peer(lambda create: [step]) as peer:
        socket = await caller.dial(peer)
        assert expected | {"stream_id": "a"} == await socket.run(input="x", stream_id="a")
        assert peer.model_runs == 0


async def test_an_error_may_lack_its_lane(caller: Caller) -> None:
    async with Peer(lambda create: [error("c", lane=False)]) as peer:
        socket = await caller.dial(peer)
        assert "stream_id" not in await socket.run(input="x", stream_id="a")


async def test_an_error_then_a_close(caller: Caller) -> None:
    code = "websocket_connection_limit_reached"
    async with Peer(lambda create: [error(code), close(1000)]) as peer:
        socket = await caller.dial(peer)
        assert code == (await socket.run(input="x"))["error"]["code"]
        assert WSMsgType.CLOSE is (await socket.raw.receive()).type


async def test_the_test_can_act_while_nothing_runs(caller: Caller) -> None:
    async with Peer() as peer:
        socket = await caller.dial(peer)
        await peer.wait_until(lambda: len(peer.connections) == 1)
        await peer.connections[0].send({"type": "keepalive"})
        assert await socket.event() == {"type": "keepalive"}
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(peer.connections[0].close(1012))
            assert (await socket.raw.receive()).data == 1012


async def run_once(caller: Caller, peer: Peer, then: Exception | None = None) -> None:
    async with peer:
        socket = await caller.dial(peer)
        end = await socket.run(input="x")
        assert (end["error"]["code"], peer.model_runs) == ("script_failed", 0)
        if then is not None:
            raise then


async def test_a_script_that_fails_fails_the_test(caller: Caller) -> None:
    with pytest.raises(ExceptionGroup) as caught:
        await run_once(caller, Peer(Turns()))
    assert "Create 1 arrived" in str(caught.value.exceptions[0])


async def test_a_step_that_is_never_reached_fails_the_test(caller: Caller) -> None:
    with pytest.raises(ExceptionGroup) as caught:
        await run_once(caller, Peer(lambda create: [drop(after=99)]))
    assert "after=99 is never reached" in str(caught.value.exceptions[0])


async def test_a_failure_of_the_test_comes_first(caller: Caller) -> None:
    with pytest.raises(KeyError) as caught:
        await run_once(caller, Peer(Turns()), KeyError("of the test"))
    failure, seen = caught.value.__notes__
    assert failure.startswith("The script of the peer failed: AssertionError: Create 1 arrived")
    assert "    0.000  socket 0    <- error script_failed" in seen


async def test_the_client_is_told_what_the_script_raised(caller: Caller) -> None:
    def script(create: Create) -> list[Step]:
        raise ValueError(f"no steps for {create.text}")

    peer = Peer(script)
    with pytest.raises(ExceptionGroup):
        await run_once(caller, peer)
    sent = peer.connections[0].sent[0]["error"]["message"]
    assert sent == "The script of the peer failed: ValueError: no steps for x"


async def test_leaving_the_peer_cuts_held_turns_off(caller: Caller) -> None:
    gate = Gate()
    async with Peer(lambda create: [wait(gate)]) as peer:
        socket = await caller.dial(peer)
        await socket.create(input="x")
        await gate.wait_reached()
    assert (await socket.raw.receive()).type in (WSMsgType.CLOSED, WSMsgType.ERROR)


async def test_a_client_that_vanishes_is_noticed(caller: Caller) -> None:
    async with Peer(lambda create: [silence()]) as peer, aiohttp.ClientSession() as session:
        raw = await session.ws_connect(peer.websocket_url)
        await raw.send_json({"type": "response.create", "model": "m"})
        await peer.wait_until(lambda: peer.model_runs == 1)
        transport = raw._conn.transport
        transport.abort()
        await peer.wait_until(lambda: not peer.connections[0].is_open)
        assert peer.connections[0].close_code == 1006
        await raw.close()


def test_a_peer_that_was_not_entered_has_no_address() -> None:
    with pytest.raises(RuntimeError, match="use `async with Peer"):
        _ = Peer().base_url
