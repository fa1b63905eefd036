"""A peer in a thread of its own, for tests that are not async."""

from __future__ import annotations

import json
import threading
import urllib.request
from typing import Any

import pytest
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import ClientConnection, connect

from turnwire.testing import Gate, Peer, Turns, answer, wait
from turnwire.testing.flag import Changes, Flag

pytestmark = pytest.mark.io


def create(socket: ClientConnection, **members: Any) -> None:
    socket.send(json.dumps({"type": "response.create", "model": "m", **members}))


def last(socket: ClientConnection) -> dict[str, Any]:
    event: dict[str, Any] = json.loads(socket.recv())
    while event["type"] != "response.completed":
        event = json.loads(socket.recv())
    return event


def test_a_peer_serves_a_test_that_blocks() -> None:
    with Peer() as peer:
        request = urllib.request.Request(
            f"{peer.base_url}/responses", b'{"model":"m","input":"hello"}'
        )
        with urllib.request.urlopen(request) as response:
            body = json.load(response)
    assert body["output"][0]["content"][0]["text"] == "hello"
    assert peer.model_runs == 1


def test_gates_and_conditions_block() -> None:
    gate = Gate()
    with Peer(Turns([wait(gate), answer("a")])) as peer, connect(peer.websocket_url) as socket:
        create(socket)
        gate.block_until_reached()
        assert peer.connections[0].sent == []
        gate.open()
        assert last(socket)["response"]["id"] == "resp_1"
        peer.block_until(lambda: peer.connections[0].sent[-1]["type"] == "response.completed")


def test_the_clock_is_moved_from_outside() -> None:
    with Peer(lambda create: [wait(3.0)]) as peer, connect(peer.websocket_url) as socket:
        create(socket)
        peer.block_until(lambda: peer.clock.next == 3.0)
        peer.clock.advance(3.0)
        assert last(socket)["response"]["status"] == "completed"


def test_connections_are_used_from_outside() -> None:
    with Peer() as peer, connect(peer.websocket_url) as socket:
        peer.block_until(lambda: len(peer.connections) == 1)
        connection = peer.connections[0]
        peer.do(connection.send({"type": "keepalive"}))
        assert json.loads(socket.recv()) == {"type": "keepalive"}
        connection.stop_reading()
        create(socket)
        connection.read_on()
        last(socket)
        connection.drop(reset=True)
        with pytest.raises(ConnectionClosed):
            socket.recv()


async def test_connections_are_used_from_another_loop() -> None:
    with Peer() as peer, connect(peer.websocket_url) as socket:
        await peer.wait_until(lambda: len(peer.connections) == 1)
        await peer.connections[0].send({"type": "keepalive"})
        assert json.loads(socket.recv()) == {"type": "keepalive"}


async def test_a_peer_in_the_tests_own_loop_is_awaited() -> None:
    async with Peer() as peer:
        with pytest.raises(RuntimeError, match="await it instead"):
            peer.do(peer.wait_until(lambda: True))


def test_a_condition_that_never_holds_shows_the_transcript() -> None:
    with Peer() as peer, connect(peer.websocket_url):
        peer.block_until(lambda: len(peer.connections) == 1)
        with pytest.raises(TimeoutError, match=r"(?s)did not hold within 0\.01 s.*socket 0"):
            peer.block_until(lambda: False, timeout=0.01)


def test_a_gate_that_is_never_reached_says_so() -> None:
    with pytest.raises(TimeoutError, match=r"No turn reached the gate within 0\.01 s"):
        Gate().block_until_reached(timeout=0.01)


def one_create_too_many(then: Exception | None = None) -> None:
    with Peer(Turns()) as peer, connect(peer.websocket_url) as socket:
        create(socket)
        assert json.loads(socket.recv())["error"]["code"] == "script_failed"
        if then is not None:
            raise then


def test_a_script_that_fails_fails_the_test() -> None:
    with pytest.raises(ExceptionGroup) as caught:
        one_create_too_many()
    assert "Create 1 arrived" in str(caught.value.exceptions[0])


def test_a_failure_of_the_test_comes_first() -> None:
    with pytest.raises(KeyError) as caught:
        one_create_too_many(KeyError("of the test"))
    failure, seen = caught.value.__notes__
    assert failure.startswith("The script of the peer failed: AssertionError: Create 1 arrived")
    assert "    0.000  socket 0    <- error script_failed" in seen


def test_no_thread_is_left() -> None:
    with Peer():
        assert any(thread.name == "turnwire-peer" for thread in threading.enumerate())
    assert not any(thread.name == "turnwire-peer" for thread in threading.enumerate())


async def test_a_flag_wakes_loops_and_threads_at_once() -> None:
    flag = Flag()
    blocked = threading.Thread(target=flag.block)
    blocked.start()
    flag.set()
    blocked.join()
    await flag.wait()
    assert (flag.is_set, flag.block(0.0)) == (True, True)


def test_changes_are_looked_at_a_last_time() -> None:
    looked: list[int] = []
    assert not Changes().block_until(lambda: looked.append(1) or False, timeout=0.0)
    assert len(looked) == 2
