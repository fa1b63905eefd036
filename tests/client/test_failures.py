"""Turns that do not go well: what the server said, what was cut off, what came too late."""

from __future__ import annotations

import asyncio
import re
from functools import partial
from typing import TYPE_CHECKING, Any

import pytest
from aiohttp import web

from client.colours import ONE_TRY, error_of, facts, read, until
from turnwire import (
    AuthenticationError,
    ConfigError,
    ConnectionLost,
    ContextTooLong,
    FirstEventTimeout,
    PreviousResponseNotFound,
    ProgressTimeout,
    ProtocolError,
    QueueFull,
    QueueTimeout,
    RateLimited,
    RequestTooLarge,
    SlowConsumer,
    TransportError,
    TurnError,
    TurnInterrupted,
    TurnTimeout,
)
from turnwire.testing import (
    Gate,
    Peer,
    Step,
    Turns,
    abort,
    answer,
    call,
    close,
    deltas,
    drop,
    emit,
    error,
    failed,
    reasoning,
    say,
    silence,
    wait,
)

if TYPE_CHECKING:
    from tests.client.conftest import Open

pytestmark = pytest.mark.io


@pytest.fixture
def open_client(open_client: Open) -> Open:
    """Return how to open a client that tries once."""
    return partial(open_client, **ONE_TRY)


REFUSED: dict[str, Any] = {
    "code": "c",
    "status": 400,
    "type": "invalid_request_error",
    "param": None,
    "response_id": None,
    "headers": {},
    "delivery": "terminal",
    "retryable": False,
}


def ask(client: Any, text: str = "x", **params: Any) -> Any:
    return client.responses.stream(model="m", input=text, **params)


async def answers(client: Any) -> bool:
    return (await client.responses.create(model="m", input="again")).output_text == "again"


# What the server said.


@pytest.mark.parametrize(
    ("step", "expected"),
    [
        (error("c"), {}),
        (error("c", param="input"), {"param": "input"}),
        (error("c", None), {"status": None}),
        (error("c", shape="status_code"), {}),
        (error("c", shape="detail"), {"code": None, "type": None}),
        (error("c", shape="flat"), {"status": None, "type": None}),
        (error("c", headers={"X-Request-Id": "r"}), {"headers": {"x-request-id": "r"}}),
        (error("c", 503), {"status": 503, "type": "server_error", "retryable": True}),
        (error("c", 409), {"status": 409, "retryable": True}),
        (error("server_is_overloaded"), {"code": "server_is_overloaded", "retryable": True}),
        (
            error(None, 500),
            {"code": None, "status": 500, "type": "server_error", "retryable": True},
        ),
    ],
)
async def test_an_error_event_is_an_exception_with_all_that_it_says(
    open_client: Open, step: Step, expected: dict[str, Any]
) -> None:
    async with Peer(Turns([step], [answer("again")])) as peer, open_client(peer) as client:
        raised = await error_of(ask(client))
        assert (type(raised), facts(raised)) == (TurnError, REFUSED | expected)
        assert str(raised).startswith("The request was refused by the script.")
        assert await answers(client)
        assert (len(peer.connections), peer.model_runs) == (1, 1)


@pytest.mark.parametrize(
    ("members", "words"),
    [
        ({"error": "Plain text.", "code": "c"}, "Plain text. (code c)"),
        ({"error": None, "message": "Flat."}, "Flat."),
        ({"error": {"detail": {"deep": 1}}}, "the server gave no reason"),
        ({"error": {"message": "Odd.", "code": 429}, "status": "429"}, "Odd. (code 429)"),
        ({"error": [1]}, "the server ended the turn with `error`"),
        ({}, "the server gave no reason"),
    ],
)
async def test_an_error_of_an_odd_shape_is_an_error_all_the_same(
    open_client: Open, members: dict[str, Any], words: str
) -> None:
    script = Turns([emit("error", **members), silence()], [answer("again")])
    async with Peer(script) as peer, open_client(peer, lanes=True) as client:
        raised = await error_of(ask(client))
        assert (type(raised), str(raised)) == (TurnError, words)


@pytest.mark.parametrize(
    ("step", "kind"),
    [
        (error("previous_response_not_found"), PreviousResponseNotFound),
        (error(None, param="previous_response_id"), PreviousResponseNotFound),
        (error("rate_limit_exceeded", 429), RateLimited),
        (error("slow_down", 429), RateLimited),
        (error("rate_limit_exceeded", None), RateLimited),
        (error("context_length_exceeded"), ContextTooLong),
        (error("too_big", 413), RequestTooLarge),
        (failed("rate_limit_exceeded"), RateLimited),
        (failed("context_length_exceeded"), ContextTooLong),
        (failed("server_error"), TurnError),
    ],
)
async def test_errors_that_a_caller_treats_apart_have_classes(
    open_client: Open, step: Step, kind: type[TurnError]
) -> None:
    async with Peer(lambda _: [step]) as peer, open_client(peer) as client:
        raised = await error_of(ask(client, previous_response_id=None))
        assert type(raised) is kind


async def test_a_failed_response_keeps_its_code_and_id(open_client: Open, transport: str) -> None:
    steps = [answer("half"), failed("server_error", "No luck.")]
    async with (
        Peer(Turns(steps, [answer("again")])) as peer,
        open_client(peer, transport=transport) as client,
    ):
        raised = await error_of(ask(client))
        assert facts(raised) == REFUSED | {
            "code": "server_error",
            "status": None,
            "type": None,
            "response_id": "resp_1",
            "retryable": True,
        }
        assert str(raised) == "No luck. (code server_error)"
        assert (raised.partial.id, raised.partial.output_text) == ("resp_1", "half")
        assert await answers(client)


async def test_an_error_is_the_same_every_time_it_is_asked_for(open_client: Open) -> None:
    async with Peer(lambda _: [error("c")]) as peer, open_client(peer) as client:
        async with ask(client) as turn:
            seen = []
            for wait in (turn.get_final_response, turn.get_final_response, turn.__anext__):
                with pytest.raises(TurnError) as caught:
                    await wait()
                seen.append(caught.value)
            said = [(str(each), facts(each), each.partial) for each in seen]
            assert said == [said[0]] * 3
            # Each who waits gets one of his own: a traceback would grow.
            assert len({id(each) for each in seen}) == 3
        assert (turn.response, turn.usage) == (None, None)


async def test_an_error_event_is_seen_before_it_is_raised(open_client: Open) -> None:
    async with Peer(lambda _: [answer("a"), error("c")]) as peer, open_client(peer) as client:
        async with ask(client) as turn:
            events, raised = await read(turn)
        assert type(raised) is TurnError
        assert (events[0].type, events[-1].type) == ("response.created", "error")


@pytest.mark.parametrize("kind", ["response.cancelled", "response.error", "response.next_month"])
async def test_a_terminal_event_of_a_gateway_is_an_error_too(
    open_client: Open, transport: str, kind: str
) -> None:
    steps = [emit(kind, response={"id": "resp_1", "status": "cancelled"}), silence()]
    async with Peer(lambda _: steps) as peer, open_client(peer, transport=transport) as client:
        raised = await error_of(ask(client))
        assert type(raised) is TurnError
        assert kind in str(raised)


async def test_a_refused_post_is_an_error_with_status_and_headers(open_client: Open) -> None:
    refusal = error("rate_limit_exceeded", 429, headers={"Retry-After": "7"})
    async with Peer(lambda _: [refusal]) as peer, open_client(peer, transport="http") as client:
        raised = await error_of(ask(client))
        assert type(raised) is RateLimited
        assert (raised.code, raised.status, raised.retryable) == ("rate_limit_exceeded", 429, True)
        assert raised.headers["retry-after"] == "7"


async def test_a_post_without_a_valid_key_is_refused_as_an_upgrade_is(open_client: Open) -> None:
    refusal = error("invalid_api_key", 401)
    async with Peer(lambda _: [refusal]) as peer, open_client(peer, transport="http") as client:
        raised = await error_of(ask(client))
        assert type(raised) is AuthenticationError
        assert (raised.status, b"invalid_api_key" in raised.body) == (401, True)


async def test_an_error_without_a_lane_ends_every_turn_of_its_socket(open_client: Open) -> None:
    script = Turns([answer("a")], [silence()], [silence()], [answer("again")])
    async with Peer(script) as peer, open_client(peer, lanes=True) as client:
        # Its response stays on the default lane, so the next turns take named ones.
        await client.responses.create(model="m", input="x", store=False)
        turns = [await client.responses.create(model="m", input="x", stream=True) for _ in "ab"]
        await peer.wait_until(lambda: peer.model_runs == 3)
        assert [create.get("stream_id") for create in peer.creates] == [None, "lane-1", "lane-2"]
        await peer.connections[0].refuse(error("rate_limit_exceeded", 429))
        raised = [await error_of(turn) for turn in turns]
        assert [TurnInterrupted] * 2 == [type(each) for each in raised]
        assert [each.code for each in raised] == ["rate_limit_exceeded"] * 2
        assert await answers(client)
        assert len(peer.connections) == 2


async def test_an_error_without_a_lane_is_the_default_lanes(open_client: Open) -> None:
    gate = Gate()
    script = Turns([silence()], [wait(gate), answer("ok")])
    async with Peer(script) as peer, open_client(peer, lanes=True) as client:
        turns = [await client.responses.create(model="m", input="x", stream=True) for _ in "ab"]
        await peer.wait_until(lambda: peer.model_runs == 2)
        assert [create.get("stream_id") for create in peer.creates] == [None, "lane-1"]
        await peer.connections[0].refuse(error("c"))
        raised = await error_of(turns[0])
        assert (type(raised), raised.code) == (TurnError, "c")
        gate.open()
        assert (await turns[1].get_final_response()).output_text == "ok"


async def test_an_error_that_nobody_waits_for_is_not_the_next_turns(open_client: Open) -> None:
    async with Peer() as peer, open_client(peer) as client:
        assert await answers(client)
        await peer.connections[0].refuse(error("server_error", 500))
        await until(lambda: client.statistics().sockets == 0)
        assert await answers(client)
        assert (len(peer.connections), peer.model_runs) == (2, 2)


async def test_the_servers_age_limit_retires_the_socket_and_fails_nothing(
    open_client: Open,
) -> None:
    async with Peer() as peer, open_client(peer) as client:
        assert await answers(client)
        await peer.connections[0].refuse(error("websocket_connection_limit_reached"))
        await peer.wait_until(lambda: not peer.connections[0].is_open)
        assert await answers(client)
        assert len(peer.connections) == 2


# What was cut off.


@pytest.mark.parametrize(
    ("step", "code"),
    [
        (close(1000, "bye"), 1000),
        (close(1001), 1001),
        (close(1005), 1005),
        (close(1011, "upstream failed"), 1011),
        (close(4402), 4402),
        (drop(), 1006),
    ],
)
@pytest.mark.parametrize("lanes", [None, True, False])
async def test_a_turn_without_its_terminal_event_always_raises(
    open_client: Open, step: Any, code: int, *, lanes: bool | None
) -> None:
    cut = Turns([reasoning("hm"), answer("Hello big", pieces=["Hello"]), step], [answer("again")])
    async with Peer(cut) as peer, open_client(peer, lanes=lanes) as client:
        async with ask(client) as turn:
            texts, raised = await read(turn.text_deltas())
        assert (type(raised), texts) == (TurnInterrupted, ["Hello"])
        assert facts(raised) == {
            "code": None,
            "status": None,
            "type": None,
            "param": None,
            "response_id": "resp_1",
            "headers": {},
            "delivery": "output",
            "retryable": False,
        }
        assert (raised.partial.status, raised.partial.output_text) == ("in_progress", "Hello big")
        assert raised.last_sequence_number == len(peer.connections[0].sent) - 1
        cause = raised.__cause__
        assert isinstance(cause, ConnectionLost)
        reason = getattr(step, "reason", "")
        assert (cause.close_code, cause.close_reason if reason else "") == (code, reason)
        assert (turn.response, turn.usage, turn.model_runs) == (None, None, 1)
        assert await answers(client)
        assert (len(peer.connections), peer.model_runs) == (2, 2)


async def test_a_reset_of_the_connection_raises_too(open_client: Open, transport: str) -> None:
    script = Turns([answer("Hello"), abort()], [answer("again")])
    async with Peer(script) as peer, open_client(peer, transport=transport) as client:
        raised = await error_of(ask(client))
        assert type(raised) is TurnInterrupted
        assert isinstance(raised.__cause__, ConnectionLost)
        assert raised.__cause__.close_code == (1006 if transport == "websocket" else None)
        assert await answers(client)


async def test_a_cut_in_the_middle_of_a_text_keeps_what_came(
    open_client: Open, transport: str
) -> None:
    steps = [answer("Hello big world"), drop(after="response.output_text.delta")]
    async with (
        Peer(Turns(steps, [answer("again")])) as peer,
        open_client(peer, transport=transport) as client,
    ):
        raised = await error_of(ask(client))
        assert type(raised) is TurnInterrupted
        assert (raised.delivery, raised.partial.output_text) == ("output", "Hello")
        assert isinstance(raised.__cause__, ConnectionLost)
        assert await answers(client)


@pytest.mark.parametrize(
    ("step", "delivery"),
    [
        (drop(after=0), "writing"),
        (drop(after="response.created"), "accepted"),
        (drop(after="response.output_item.added"), "output"),
    ],
)
async def test_how_far_a_turn_had_come(
    open_client: Open, transport: str, step: Step, delivery: str
) -> None:
    steps = [call("f", {"a": 1}), step]
    async with Peer(lambda _: steps) as peer, open_client(peer, transport=transport) as client:
        raised = await error_of(ask(client))
        assert (type(raised), raised.delivery) == (TurnInterrupted, delivery)


async def test_a_partial_shows_the_arguments_so_far(open_client: Open) -> None:
    steps = [
        call("f", {"path": "a/b/c"}, size=6),
        drop(after="response.function_call_arguments.delta"),
    ]
    async with Peer(lambda _: steps) as peer, open_client(peer) as client:
        raised = await error_of(ask(client))
        (item,) = raised.partial.output
        assert (item.name, item.arguments) == ("f", '{"path')


async def test_a_lost_socket_ends_every_turn_on_it_and_frees_its_lanes(open_client: Open) -> None:
    script = Turns(*[[silence()]] * 3, then=[answer("again")])
    async with Peer(script) as peer, open_client(peer, lanes=True, max_sockets=1) as client:
        turns = [await client.responses.create(model="m", input="x", stream=True) for _ in "abc"]
        await peer.wait_until(lambda: peer.model_runs == 3)
        await peer.connections[0].close(1012)
        raised = [await error_of(turn) for turn in turns]
        assert [TurnInterrupted] * 3 == [type(each) for each in raised]
        assert await answers(client)
        assert client.statistics().active == 0


@pytest.mark.parametrize(
    "garbage",
    [
        say(b'{"type":'),
        say(b"[]"),
        say(b"null"),
        say(b"5"),
        say(b'"text"'),
        say(b'{"type": 5}'),
        say(b"{}"),
        say(b"[" * 100_000),
        say(b'{"type":"response.created"}', binary=True),
    ],
    ids=["not JSON", "list", "null", "number", "string", "odd type", "no type", "deep", "binary"],
)
async def test_what_is_no_event_ends_the_turn_and_the_socket(
    open_client: Open, garbage: Step
) -> None:
    script = Turns([answer("Hello"), garbage, silence()], [answer("again")])
    async with Peer(script) as peer, open_client(peer) as client:
        raised = await error_of(ask(client))
        assert (type(raised), raised.delivery) == (TurnInterrupted, "output")
        assert raised.partial.output_text == "Hello"
        assert isinstance(raised.__cause__, ProtocolError)
        assert raised.__cause__.remote
        assert await answers(client)
        await peer.wait_until(lambda: not peer.connections[0].is_open)
        assert [each.close_code for each in peer.connections] == [1002, None]


async def test_text_that_is_not_utf8_ends_the_turn(open_client: Open) -> None:
    script = Turns([say(b'{"type":"\xff"}'), silence()], [answer("again")])
    async with Peer(script) as peer, open_client(peer) as client:
        raised = await error_of(ask(client))
        assert type(raised) is TurnInterrupted
        assert await answers(client)


@pytest.mark.parametrize("data", [b"data: {\n\n", b"data: []\n\n", b"event: x\ndata: 5\n\n"])
async def test_garbage_in_an_event_stream_ends_the_turn(open_client: Open, data: bytes) -> None:
    script = Turns([say(data), silence()], [answer("again")])
    async with Peer(script) as peer, open_client(peer, transport="http") as client:
        raised = await error_of(ask(client))
        assert type(raised) is TurnInterrupted
        assert isinstance(raised.__cause__, ProtocolError)
        assert await answers(client)


async def test_anothers_response_on_a_turns_lane_is_not_handed_out(open_client: Open) -> None:
    stranger = {"id": "resp_x", "status": "completed", "output": []}
    steps = [
        emit("response.created", response={"id": "resp_1", "status": "in_progress"}),
        emit("response.completed", response=stranger),
        silence(),
    ]
    async with Peer(Turns(steps, [answer("again")])) as peer, open_client(peer) as client:
        raised = await error_of(ask(client))
        assert type(raised) is TurnInterrupted
        assert isinstance(raised.__cause__, ProtocolError)
        assert await answers(client)


async def test_closing_the_client_ends_its_turns(open_client: Open, transport: str) -> None:
    async with (
        Peer(lambda _: [answer("Hello"), silence()]) as peer,
        open_client(peer, transport=transport) as client,
    ):
        turn = await client.responses.create(model="m", input="x", stream=True)
        assert [text async for text in _first(turn)] == ["Hello"]
        async with asyncio.TaskGroup() as tasks:
            waiting = tasks.create_task(error_of(turn))
            await asyncio.sleep(0)
            await client.aclose()
        raised = waiting.result()
        # A blocking call may be so late that there is nobody left to ask for the turn's error.
        assert type(raised) in (TurnInterrupted, ConfigError)
        assert "the client " in str(raised)


async def _first(turn: Any) -> Any:
    async for text in turn.text_deltas():
        yield text
        return


# What came too late, and what was too much.


def progress(error: Any) -> tuple[Any, ...]:
    return error.response_id, error.delivery, error.partial.status, error.partial.output_text


GIVEN_UP: list[tuple[dict[str, Any], list[Step], type[Exception], tuple[Any, ...]]] = [
    (
        {"first_event_timeout": 0.02},
        [silence()],
        FirstEventTimeout,
        (None, "writing", "in_progress", ""),
    ),
    (
        {"timeout": 0.05},
        [answer("Hello big"), silence(after="response.output_text.delta")],
        TurnTimeout,
        ("resp_1", "output", "in_progress", "Hello"),
    ),
    (
        {"progress_timeout": 0.05},
        [answer("Hello big"), silence(after="response.output_text.delta")],
        ProgressTimeout,
        ("resp_1", "output", "in_progress", "Hello"),
    ),
    (
        {"buffer_bytes": 4_000},
        [deltas(100), silence()],
        SlowConsumer,
        ("resp_1", "output", "in_progress", "word "),
    ),
]


@pytest.mark.parametrize("case", GIVEN_UP, ids=lambda case: case[2].__name__)
async def test_how_far_a_turn_had_come_when_it_was_given_up(
    open_client: Open, transport: str, case: Any
) -> None:
    limits, steps, kind, expected = case
    async with (
        Peer(lambda _: steps) as peer,
        open_client(peer, transport=transport, **limits) as client,
    ):
        turn = await client.responses.create(model="m", input="x", stream=True)
        await until(lambda: client.statistics().failed == 1)
        raised = await error_of(turn)
        assert type(raised) is kind
        *far, text = progress(raised)
        assert (*far, text[: len(expected[-1])]) == expected
        assert turn.delivery == raised.delivery


@pytest.mark.parametrize("kind", ["text/html", "application/json"])
async def test_an_answer_that_is_no_event_stream(open_client: Open, kind: str) -> None:
    async def log_in(_: web.Request) -> web.Response:
        return web.Response(text='{"id": "resp_1", "status": "completed"}', content_type=kind)

    app = web.Application()
    app.router.add_post("/v1/responses", log_in)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    url = f"http://127.0.0.1:{runner.addresses[0][1]}/v1"
    async with open_client(url, transport="http") as client:
        raised = await error_of(ask(client))
    await runner.cleanup()
    assert (type(raised), raised.status) == (TurnError, 200)
    said = f"the server answered with {kind}; charset=utf-8; expected text/event-stream"
    assert str(raised).startswith(said)


async def test_a_server_that_does_not_answer_a_turn(open_client: Open, transport: str) -> None:
    async with (
        Peer(lambda _: [silence()]) as peer,
        open_client(peer, transport=transport, first_event_timeout=0.02) as client,
    ):
        raised = await error_of(ask(client))
        assert type(raised) is FirstEventTimeout
        assert re.search(r"within [0-9.]+ s \(`first_event_timeout`\)", str(raised))
        assert isinstance(raised, TransportError)
        assert client.statistics().active == 0


async def test_a_turn_that_takes_too_long(open_client: Open, transport: str) -> None:
    async with (
        Peer(Turns([answer("a"), silence()], [answer("again")])) as peer,
        open_client(peer, transport=transport, timeout=0.02) as client,
    ):
        raised = await error_of(ask(client))
        assert type(raised) is TurnTimeout
        assert re.search(r"within [0-9.]+ s \(`timeout`\)", str(raised))
        assert isinstance(raised, TransportError)
        # A turn's own limit goes before the client's.
        again = await client.responses.create(model="m", input="x", timeout=30)
        assert again.output_text == "again"


async def test_a_turn_that_finds_no_lane(open_client: Open) -> None:
    gate = Gate()
    async with (
        Peer(handshake=wait(gate)) as peer,
        open_client(peer, queue_timeout=0.02) as client,
    ):
        raised = await error_of(ask(client))
        assert type(raised) is QueueTimeout
        assert re.search(r"within [0-9.]+ s \(`queue_timeout`\); .*`max_sockets`", str(raised))
        gate.open()
        assert peer.creates == []


async def test_a_full_queue_refuses_the_next_turn(open_client: Open) -> None:
    script = Turns([silence()], [answer("b")])
    options = {"lanes": False, "max_sockets": 1, "queue_bytes": 100}
    async with Peer(script) as peer, open_client(peer, **options) as client:
        first = await client.responses.create(model="m", input="x", stream=True)
        await peer.wait_until(lambda: peer.model_runs == 1)
        second = await client.responses.create(model="m", input="x" * 50, stream=True)
        with pytest.raises(QueueFull, match="wait for some to end") as caught:
            await client.responses.create(model="m", input="x", stream=True)
        assert caught.value.limit_bytes == 100
        await first.aclose()
        assert (await second.get_final_response()).output_text == "b"
        assert peer.model_runs == 2


async def test_events_that_are_not_read_end_their_turn_only(
    open_client: Open, transport: str
) -> None:
    gate = Gate()
    script = Turns([wait(gate), answer("ok")], [deltas(100), silence()], [answer("again")])
    async with (
        Peer(script) as peer,
        open_client(peer, transport=transport, buffer_bytes=4_000, lanes=True) as client,
    ):
        neighbour = await client.responses.create(model="m", input="x", stream=True)
        await peer.wait_until(lambda: peer.model_runs == 1)
        turn = await client.responses.create(model="m", input="x", stream=True)
        await until(lambda: client.statistics().failed == 1)
        gate.open()
        texts, raised = await read(turn.text_deltas())
        assert (type(raised), "".join(texts)) == (SlowConsumer, "word " * 100)
        assert (raised.limit_bytes, "read them faster" in str(raised)) == (4_000, True)
        assert (await neighbour.get_final_response()).output_text == "ok"
        assert await answers(client)


async def test_a_message_that_is_too_large_for_a_socket_is_not_sent(open_client: Open) -> None:
    async with Peer() as peer, open_client(peer) as client:
        assert await answers(client)
        large = [{"type": "message", "role": "user", "content": "x" * 16 * 2**20}]
        raised = await error_of(ask(client, large))
        assert (type(raised), raised.delivery) == (RequestTooLarge, "queued")
        assert 'use transport="auto" or "http"' in str(raised)
        assert await answers(client)
        assert (len(peer.connections), peer.model_runs) == (1, 2)
