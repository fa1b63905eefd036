"""How turns end, well or not: one line of script each, seen by a bare client."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from aiohttp import WSMsgType

from turnwire.testing import (
    Create,
    Peer,
    Step,
    Turns,
    abort,
    answer,
    call,
    close,
    completed,
    deltas,
    drop,
    emit,
    error,
    failed,
    incomplete,
    item,
    reasoning,
    reencrypted,
    say,
    swallow,
    terminal,
)

if TYPE_CHECKING:
    from tests.testing.conftest import Caller, Socket

pytestmark = pytest.mark.io


async def until_closed(socket: Socket) -> tuple[list[str], int | None]:
    """Return the types of the events up to the end of the socket, and its close code."""
    types: list[str] = []
    while (message := await socket.raw.receive()).type is WSMsgType.TEXT:
        types.append(message.json()["type"])
    return types, socket.raw.close_code


@pytest.mark.parametrize(
    ("step", "last"),
    [
        (drop(after=0), None),
        (drop(after="response.created"), "response.created"),
        (drop(after="response.output_text.delta"), "response.output_text.delta"),
        (drop(after="response.output_item.done"), "response.output_item.done"),
    ],
)
async def test_drop_after(caller: Caller, step: Step, last: str | None) -> None:
    async with Peer(lambda create: [answer("Hello world"), step]) as peer:
        socket = await caller.dial(peer)
        await socket.create(input="x")
        types, code = await until_closed(socket)
    assert ([last] if last else [], 1006, 1) == (types[-1:], code, peer.model_runs)


@pytest.mark.parametrize("code", [1000, 1001, 1009, 1011, 1012, 1013])
async def test_close_codes(caller: Caller, code: int) -> None:
    async with Peer(lambda create: [answer("x"), close(code, after=1)]) as peer:
        socket = await caller.dial(peer)
        await socket.create(input="x")
        assert (["response.created"], code) == await until_closed(socket)


@pytest.mark.parametrize("step", [drop(after=1), abort(after=1)])
async def test_1006_is_what_a_drop_and_a_reset_look_like(caller: Caller, step: Step) -> None:
    async with Peer(lambda create: [answer("x"), step]) as peer:
        socket = await caller.dial(peer)
        await socket.create(input="x")
        assert await until_closed(socket) == (["response.created"], 1006)


async def test_prnf_once(caller: Caller) -> None:
    async with Peer() as peer:
        socket = await caller.dial(peer)
        await socket.run(input="a")
        peer.forget()
        lost = await socket.run(input="b", previous_response_id="resp_1")
        await socket.run(input="ab")
        found = await socket.run(input="c", previous_response_id="resp_2")
    assert (lost["error"]["code"], lost["error"]["param"], found["type"], peer.model_runs) == (
        "previous_response_not_found",
        "previous_response_id",
        "response.completed",
        3,
    )


async def test_prnf_always(caller: Caller) -> None:
    async with Peer(remembers=False) as peer:
        socket = await caller.dial(peer)
        for number in (1, 2):
            await socket.run(input="a")
            lost = await socket.run(input="b", previous_response_id=f"resp_{number}")
            assert lost["error"]["code"] == "previous_response_not_found"
    assert peer.model_runs == 2


async def test_conn_limit_error_then_close(caller: Caller) -> None:
    code = "websocket_connection_limit_reached"
    async with Peer(lambda create: [error(code), close()]) as peer:
        socket = await caller.dial(peer)
        refused = await socket.run(input="x", stream_id="a")
        assert await until_closed(socket) == ([], 1000)
    assert (code, False) == (refused["error"]["code"], "stream_id" in refused)


NESTED, FLAT = {"type", "status", "error"}, {"type", "code", "message", "param"}


@pytest.mark.parametrize(
    ("step", "members"),
    [
        (error("c", shape="nested"), {*NESTED, "stream_id"}),
        (error("c", shape="flat"), {*FLAT, "sequence_number", "stream_id"}),
        (error("c", shape="flat", numbered=False), {*FLAT, "stream_id"}),
        (error("c", numbered=True), {*NESTED, "sequence_number", "stream_id"}),
        (error("c", shape="status_code"), {"type", "status_code", "error", "stream_id"}),
        (error("c", headers={"retry-after": "1"}), {*NESTED, "headers", "stream_id"}),
        (error("c", lane=False), NESTED),
    ],
)
async def test_error_shapes(caller: Caller, step: Step, members: set[str]) -> None:
    async with Peer(lambda create: [step]) as peer:
        socket = await caller.dial(peer)
        refused = await socket.run(input="x", stream_id="a")
    assert (members, peer.model_runs) == (set(refused), 0)


@pytest.mark.parametrize(
    ("step", "inside"),
    [
        (error(None, message="m"), {"type": "invalid_request_error", "message": "m"}),
        (error("c", shape="detail", message="m"), {"detail": "m"}),
        (error("c", shape="text", message="m"), "m"),
    ],
)
async def test_errors_without_a_code(caller: Caller, step: Step, inside: Any) -> None:
    async with Peer(lambda create: [step]) as peer:
        socket = await caller.dial(peer)
        assert inside == (await socket.run(input="x"))["error"]


@pytest.mark.parametrize("code", ["rate_limit_exceeded", "server_error"])
async def test_failed(caller: Caller, code: str) -> None:
    async with Peer(lambda create: [answer("par"), failed(code)]) as peer:
        socket = await caller.dial(peer)
        end = await socket.run(input="x")
    assert ("response.failed", code) == (end["type"], end["response"]["error"]["code"])


@pytest.mark.parametrize("reason", ["max_output_tokens", "steered", "content_filter"])
async def test_incomplete(caller: Caller, reason: str) -> None:
    async with Peer(lambda create: [answer("par"), incomplete(reason)]) as peer:
        socket = await caller.dial(peer)
        end = await socket.run(input="x")
    assert end["type"] == "response.incomplete"
    assert {"reason": reason} == end["response"]["incomplete_details"]


@pytest.mark.parametrize(
    ("end", "shown"),
    [
        (completed([]), []),
        (completed(lambda items: items[:1]), ["rs_1_0"]),
        (completed(lambda items: items[::-1]), ["msg_1_1", "rs_1_0"]),
        (completed(reencrypted), ["rs_1_0", "msg_1_1"]),
    ],
)
async def test_terminal_output(caller: Caller, end: Step, shown: list[str]) -> None:
    thought = reasoning("Hm.", encrypted_content="e")
    async with Peer(lambda create: [thought, answer("x"), end]) as peer:
        socket = await caller.dial(peer)
        last = await socket.run(input="x")
    assert shown == [each["id"] for each in last["response"]["output"]]


async def test_reasoning_is_encrypted_anew(caller: Caller) -> None:
    thought = reasoning("Hm.", encrypted_content="e")
    async with Peer(lambda create: [thought, completed(reencrypted)]) as peer:
        socket = await caller.dial(peer)
        await socket.create(input="x")
        events = await socket.turn()
    streamed = [e["item"] for e in events if e["type"] == "response.output_item.done"]
    (shown,) = events[-1]["response"]["output"]
    assert [streamed[0]["encrypted_content"], shown["encrypted_content"]] == ["e", "e-anew"]


async def test_unknown_event(caller: Caller) -> None:
    async with Peer(lambda create: [emit("codex.rate_limits", used=1), answer("x")]) as peer:
        socket = await caller.dial(peer)
        await socket.create(input="x")
        types = [event["type"] for event in await socket.turn()]
    assert (types[0], types[-1]) == ("codex.rate_limits", "response.completed")


@pytest.mark.parametrize(
    ("step", "kind", "status", "found"),
    [
        (terminal("response.done"), "response.done", "completed", True),
        (terminal("response.cancelled", "cancelled"), "response.cancelled", "cancelled", False),
    ],
)
async def test_unknown_terminal(
    caller: Caller, step: Step, kind: str, status: str, *, found: bool
) -> None:
    async with Peer(Turns([answer("x"), step], then=[answer("y")])) as peer:
        socket = await caller.dial(peer)
        await socket.create(input="x", store=False)
        events = [await socket.event()]
        while events[-1]["type"] != kind:
            events.append(await socket.event())
        assert status == events[-1]["response"]["status"]
        after = await socket.run(input="y", store=False, previous_response_id="resp_1")
    assert found is (after["type"] == "response.completed")


@pytest.mark.parametrize(
    ("step", "kind", "data"),
    [
        (say("[]"), WSMsgType.TEXT, "[]"),
        (say(b"{}", binary=True), WSMsgType.BINARY, b"{}"),
        (say('{"type":"resp'), WSMsgType.TEXT, '{"type":"resp'),
    ],
    ids=["non_object", "binary", "truncated_json"],
)
async def test_garbage(caller: Caller, step: Step, kind: WSMsgType, data: str | bytes) -> None:
    async with Peer(lambda create: [step, completed()]) as peer:
        socket = await caller.dial(peer)
        await socket.create(input="x")
        message = await socket.raw.receive()
    assert (kind, data) == (message.type, message.data)


@pytest.mark.parametrize(
    ("size", "code"), [(16 * 2**20, "response.completed"), (16 * 2**20 + 1, 1009)]
)
async def test_16_mib_limit(caller: Caller, size: int, code: Any) -> None:
    async with Peer(Turns(then=[answer("ok")])) as peer:
        socket = await caller.dial(peer)
        empty = b'{"type":"response.create","model":"m","input":""}'
        padding = "x" * (size - len(empty))
        await socket.raw.send_str(empty.decode()[:-2] + padding + '"}')
        if isinstance(code, str):
            assert code == (await socket.turn())[-1]["type"]
        else:
            assert ([], code) == await until_closed(socket)
    assert peer.model_runs == isinstance(code, str)


async def test_5_mib_event(caller: Caller) -> None:
    async with Peer(lambda create: [deltas(1, "x" * 5 * 2**20)]) as peer:
        socket = await caller.dial(peer, max_msg_size=0)
        await socket.create(input="x")
        sizes = [len(event.get("delta", "")) for event in await socket.turn()]
    assert max(sizes) == 5 * 2**20


async def test_burst_of_10k_deltas(caller: Caller) -> None:
    async with Peer(lambda create: [deltas(10_000)]) as peer:
        socket = await caller.dial(peer, max_msg_size=0)
        await socket.create(input="x")
        events = await socket.turn()
    assert [event["sequence_number"] for event in events] == list(range(10_009 - 1))
    assert events[-1]["response"]["output"][0]["content"][0]["text"] == "word " * 10_000


async def test_swallow_second_create(caller: Caller) -> None:
    async with Peer(Turns([answer("a")], [swallow()], [answer("c")])) as peer:
        socket = await caller.dial(peer)
        await socket.run(input="a")
        await socket.create(input="b")
        end = await socket.run(input="c")
    assert end["response"]["output"][0]["content"][0]["text"] == "c"
    assert (len(peer.creates), peer.model_runs) == (3, 2)


async def test_late_events_of_cancelled_turn(caller: Caller) -> None:
    late = emit("response.output_text.delta", item_id="msg_1_0", delta="late")
    async with Peer(Turns([answer("a"), completed(), late], [answer("b")])) as peer:
        socket = await caller.dial(peer)
        await socket.run(input="a")
        await socket.create(input="b")
        events = await socket.turn()
    assert [event.get("delta") for event in events if "delta" in event] == ["late", "b"]


@pytest.mark.parametrize(
    ("warm_up", "expected"),
    [
        ([], ("response.completed", [])),
        ([error("unsupported_parameter", param="generate")], ("error", None)),
    ],
    ids=["ok", "reject"],
)
async def test_warm_up(caller: Caller, warm_up: list[Step], expected: tuple[str, Any]) -> None:
    async with Peer(warm_up=warm_up) as peer:
        socket = await caller.dial(peer)
        end = await socket.run(input="tools", generate=False)
    assert expected == (end["type"], end.get("response", {}).get("output"))
    assert peer.model_runs == 0


async def test_warm_up_drop(caller: Caller) -> None:
    async with Peer(warm_up=[drop()]) as peer:
        socket = await caller.dial(peer)
        await socket.create(input="tools", generate=False)
        assert await until_closed(socket) == ([], 1006)


async def test_duplicate_item_rejects(caller: Caller) -> None:
    async with Peer() as peer:
        socket = await caller.dial(peer)
        first = await socket.run(input="a")
        again = [*first["response"]["output"], {"role": "user", "content": "b"}]
        refused = await socket.run(input=again, previous_response_id="resp_1")
    assert (refused["error"]["code"], refused["error"]["param"]) == ("duplicate_item", "input[0]")


@pytest.mark.parametrize("code", [400, 500])
async def test_evict_parent_on_4xx_and_5xx(caller: Caller, code: int) -> None:
    async with Peer(Turns([answer("a")], [error("x", code)])) as peer:
        socket = await caller.dial(peer)
        await socket.run(input="a", store=False)
        await socket.run(input="b", store=False, previous_response_id="resp_1")
        lost = await socket.run(input="b", store=False, previous_response_id="resp_1")
    assert (lost["error"]["code"], peer.model_runs) == ("previous_response_not_found", 1)


async def test_what_is_known_at_once_can_be_said_at_once(caller: Caller) -> None:
    greeting = [emit("codex.rate_limits"), error("websocket_connection_limit_reached"), close()]
    async with Peer(opening=greeting) as peer:
        socket = await caller.dial(peer)
        assert await until_closed(socket) == (["codex.rate_limits", "error"], 1000)
    assert (peer.creates, peer.model_runs) == ([], 0)


async def test_each_connection_can_be_greeted_apart(caller: Caller) -> None:
    def opening(connection: int) -> list[Step]:
        return [drop()] if connection == 0 else []

    async with Peer(opening=opening) as peer:
        first, second = await caller.dial(peer), await caller.dial(peer)
        assert await until_closed(first) == ([], 1006)
        assert (await second.run(input="x"))["type"] == "response.completed"


async def test_a_script_can_be_changed_while_it_runs(caller: Caller) -> None:
    def later(create: Create) -> list[Step]:
        return [call("f", {}), item(type="shell_call", action={"commands": ["ls"]})]

    async with Peer() as peer:
        socket = await caller.dial(peer)
        await socket.run(input="a")
        peer.script = later
        end = await socket.run(input="b")
    kinds = [each["type"] for each in end["response"]["output"]]
    assert kinds == ["function_call", "shell_call"]
