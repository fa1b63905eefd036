"""A turn through the gateway to a server that speaks Responses, over HTTP and WebSocket alike."""

from __future__ import annotations

from typing import Any

import pytest

from gateway.relay.relaying import TRANSPORTS, deltas_of, inputs, relayed, sizes, upstream_at
from gateway.support import (
    TERMINAL,
    calls_of,
    function,
    output_of,
    talk,
    text_of,
    until,
    user,
)
from turnwire.testing import (
    Gate,
    Peer,
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
    refuse,
    terminal,
    wait,
)

pytestmark = pytest.mark.io

both = pytest.mark.parametrize("transport", TRANSPORTS)


@both
async def test_every_event_passes_and_the_response_is_ours(transport: str) -> None:
    strange = emit("response.brand_new", after=4, inside=[{"a": None}])
    script = [reasoning("Thinking"), strange, answer("Hello"), item(type="strange", a=1)]
    async with Peer(lambda _: script) as peer, relayed(peer, transport=transport) as talk:
        client = await talk.dial()
        await client.create(input="x", metadata={"a": "b"}, tools=[function("f")])
        events = await client.until(*TERMINAL)
        (sent,) = [each.sent for each in (*peer.connections, *peer.posts)]
    assert [event["sequence_number"] for event in events] == list(range(len(events)))
    assert [event["type"] for event in events] == [event["type"] for event in sent]
    for mine, theirs in zip(events[2:-1], sent[2:-1], strict=True):
        assert mine | {"sequence_number": 0} == theirs | {"sequence_number": 0}
    response = events[-1]["response"]
    assert response["output"] == sent[-1]["response"]["output"]
    assert response["id"] == events[0]["response"]["id"] != sent[-1]["response"]["id"]
    assert (response["metadata"], response["model"]) == ({"a": "b"}, "m")


@both
async def test_what_nobody_here_knows_of_a_create_goes_on(transport: str) -> None:
    async with Peer() as peer, relayed(peer, transport=transport) as talk:
        client = await talk.dial()
        extras = {"brand_new": {"a": [1]}, "service_tier": "flex", "store": False, "user": "u"}
        await client.respond(input="x", stream_options={"include_obfuscation": False}, **extras)
        (create,) = peer.creates
    for name in ("type", "stream"):
        create.pop(name, None)
    message = user("x") | {"content": [{"type": "input_text", "text": "x"}]}
    assert create == {"model": "m", "input": [message], **extras}


@both
@pytest.mark.parametrize("compacts", [True, False])
async def test_automatic_compaction_is_for_upstreams_that_have_it(
    transport: str,
    compacts: bool,  # noqa: FBT001  # pytest gives it by name
) -> None:
    wanted = [{"type": "compaction", "compact_threshold": 1000}]
    async with Peer() as peer, relayed(peer, transport=transport, compacts=compacts) as talk:
        status, body = await talk.post(input="x", context_management=wanted)
        if compacts:
            assert (status, peer.creates[0]["context_management"]) == (200, wanted)
        else:
            assert (status, body["error"]["param"]) == (400, "context_management")
            assert peer.creates == []


@pytest.mark.parametrize(
    ("options", "items"),
    [
        ({"transport": "websocket"}, [1, 1, 1]),
        ({"transport": "http", "continues": True}, [1, 1, 1]),
        ({"transport": "http"}, [1, 3, 5]),
    ],
)
async def test_only_what_is_new_goes_upstream_where_that_can_be(
    options: dict[str, Any], items: list[int]
) -> None:
    script = Turns([call("f", {"x": 1})], [call("f", {"x": 2})], [answer("Done")])
    async with Peer(script) as peer, relayed(peer, **options) as talk:
        client = await talk.dial()
        response = await client.respond(input="word " * 1000)
        for _ in range(2):
            answers = [output_of(each, "42") for each in calls_of(response)]
            response = await client.respond(previous_response_id=response["id"], input=answers)
        assert text_of(response) == "Done"
        assert inputs(peer) == items
        assert peer.refusals == []
        first, *others = sizes(peer)
        if items == [1, 1, 1]:
            assert all(other < first / 10 for other in others)
        assert peer.model_runs == 3


@pytest.mark.parametrize("transport", ["websocket", "http"])
async def test_a_client_without_links_costs_only_what_is_new_too(transport: str) -> None:
    async with Peer() as peer, relayed(peer, transport=transport, continues=True) as talk:
        client = await talk.dial()
        history: list[Any] = [user("one")]
        for text in ("two", "three"):
            response = await client.respond(input=history)
            history += [*response["output"], user(text)]
        await client.respond(input=history)
        assert inputs(peer) == [1, 1, 1]
        assert peer.model_runs == 3


async def test_forks_of_a_stored_chain_at_the_same_time_are_both_short() -> None:
    gate = Gate()
    script = Turns([answer("One")], then=[answer("Two"), wait(gate)])
    async with Peer(script) as peer, relayed(peer, transport="websocket", lanes=True) as talk:
        client = await talk.dial()
        first = await client.respond(input="x")
        for lane in ("a", "b"):
            await client.create(stream_id=lane, previous_response_id=first["id"], input=lane)
        await peer.wait_until(lambda: peer.model_runs == 3)
        gate.open()
        ends = [await client.terminal(), await client.terminal()]
        assert [end["type"] for end in ends] == ["response.completed"] * 2
        assert inputs(peer) == [1, 1, 1]


@both
async def test_a_warm_up_goes_upstream_with_the_first_turn(transport: str) -> None:
    async with Peer() as peer, relayed(peer, transport=transport) as talk:
        client = await talk.dial()
        warm = await client.respond(input=[user("system")], generate=False)
        await client.respond(previous_response_id=warm["id"], input="Hi")
        assert inputs(peer) == [2]
        assert (peer.model_runs, peer.warm_ups) == (1, 0)


@both
async def test_an_evicted_chain_is_sent_whole_and_nobody_notices(transport: str) -> None:
    async with Peer() as peer, relayed(peer, transport=transport, continues=True) as talk:
        client = await talk.dial()
        first = await client.respond(input="one")
        peer.forget()
        second = await client.respond(previous_response_id=first["id"], input="two")
        assert text_of(second) == "two"
        assert inputs(peer) == [1, 1, 3]
        assert [refusal.code for refusal in peer.refusals] == ["previous_response_not_found"]
        assert peer.model_runs == 2


@both
@pytest.mark.parametrize("fault", [drop, abort, close])
async def test_a_loss_before_output_is_invisible(transport: str, fault: Any) -> None:
    beginning = "response.in_progress"
    script = Turns([answer("lost"), fault(after=beginning)], [answer("Hello")])
    async with Peer(script) as peer, relayed(peer, transport=transport) as talk:
        client = await talk.dial()
        await client.create(input="x")
        events = await client.until(*TERMINAL)
        assert [event["type"] for event in events].count("response.created") == 1
        assert (deltas_of(events), text_of(events[-1]["response"])) == ("Hello", "Hello")
        assert peer.model_runs == 2


@both
async def test_what_was_lost_is_not_shown_beside_what_is_not(transport: str) -> None:
    sign = emit("codex.rate_limits", after="response.in_progress")
    script = Turns([answer("lost"), sign, drop(after=3)], [answer("Hello"), sign])
    async with Peer(script) as peer, relayed(peer, transport=transport) as talk:
        client = await talk.dial()
        await client.create(input="x")
        events = await client.until(*TERMINAL)
        kinds = [event["type"] for event in events]
        assert kinds.count("codex.rate_limits") == 1
        assert kinds.index("codex.rate_limits") < kinds.index("response.output_item.added")
        assert peer.model_runs == 2


@both
async def test_a_tool_that_may_do_things_is_not_run_twice(transport: str) -> None:
    script = [answer("lost"), drop(after="response.in_progress")]
    async with Peer(lambda _: script) as peer, relayed(peer, transport=transport) as talk:
        client = await talk.dial()
        tools = [{"type": "mcp", "server_label": "s"}]
        await client.create(input="x", tools=tools)
        end = await client.terminal()
        assert (end["type"], end["status"]) == ("error", 502)
        assert end["error"]["code"] == "upstream_cut"
        assert peer.model_runs == 1


@both
@pytest.mark.parametrize("fault", [drop, abort, close])
async def test_a_loss_after_output_is_visible_and_nothing_is_said_twice(
    transport: str, fault: Any
) -> None:
    script = Turns([deltas(9), fault(after=8)], [answer("Hello")])
    async with Peer(script) as peer, relayed(peer, transport=transport) as talk:
        client = await talk.dial()
        await client.create(input="x", store=False)
        events = await client.until(*TERMINAL)
        end = events[-1]
        assert end["type"] == "response.failed"
        assert end["response"]["error"] == {
            "code": "server_error",
            "message": "The model server broke off before the end of its answer.",
        }
        assert text_of(end["response"]) == deltas_of(events) == "word " * 4
        assert peer.model_runs == 1
        response = await client.respond(input="x")
        assert text_of(response) == "Hello"


@both
async def test_r20_a_refusal_keeps_its_status_its_words_and_its_headers(transport: str) -> None:
    too_many = error("rate_limit_exceeded", 429, message="Slow down.", headers={"retry-after": "7"})
    async with (
        Peer(Turns([too_many], [answer("Hi")])) as peer,
        relayed(peer, transport=transport) as talk,
    ):
        client = await talk.dial()
        await client.create(input="x")
        assert await client.terminal() == {
            "type": "error",
            "status": 429,
            "error": {
                "type": "invalid_request_error",
                "code": "rate_limit_exceeded",
                "message": "Slow down.",
            },
            "headers": {"retry-after": "7"},
            "sequence_number": 2,
        }
        assert text_of(await client.respond(input="x")) == "Hi"
        assert peer.model_runs == 1


async def test_r20_over_http_a_refusal_is_an_answer_with_that_status() -> None:
    door = [refuse(503, retry_after=3), None]
    async with Peer(posts=door) as peer, relayed(peer) as talk:
        status, body = await talk.post(input="x")
        assert (status, body["error"]["message"]) == (503, "The script refused this with 503.")
        status, _ = await talk.post(input="x")
        assert status == 200


@both
async def test_a_refused_parameter_is_named(transport: str) -> None:
    script = [error("invalid_value", 400, param="text", message="No such format.")]
    async with Peer(lambda _: script) as peer, relayed(peer, transport=transport) as talk:
        client = await talk.dial()
        await client.create(input="x")
        end = await client.terminal()
        assert end["error"] == {
            "type": "invalid_request_error",
            "code": "invalid_value",
            "param": "text",
            "message": "No such format.",
        }


@both
async def test_a_response_that_fails_before_output_is_an_error(transport: str) -> None:
    script = [failed("server_error", "It broke.")]
    async with Peer(lambda _: script) as peer, relayed(peer, transport=transport) as talk:
        client = await talk.dial()
        await client.create(input="x")
        end = await client.terminal()
        assert (end["type"], end["status"], end["error"]["message"]) == ("error", 502, "It broke.")


@both
@pytest.mark.parametrize(
    "end",
    [
        failed("rate_limit_exceeded", "It broke."),
        error("rate_limit_exceeded", 429, message="It broke."),
        error("rate_limit_exceeded", None, shape="flat", message="It broke."),
        terminal(
            "response.done",
            "failed",
            error={"code": "rate_limit_exceeded", "message": "It broke."},
        ),
    ],
    ids=["failed", "error", "flat", "done"],
)
async def test_a_response_that_fails_after_output_has_failed(transport: str, end: Any) -> None:
    script = [answer("Hello"), end]
    async with Peer(lambda _: script) as peer, relayed(peer, transport=transport) as talk:
        client = await talk.dial()
        await client.create(input="x")
        last = await client.terminal()
        assert last["type"] == "response.failed"
        assert text_of(last["response"]) == "Hello"
        assert last["response"]["error"]["message"] in (
            "It broke.",
            "the server ended the turn with `response.done`",
        )


@both
@pytest.mark.parametrize(
    ("end", "kind"),
    [
        (incomplete("max_output_tokens"), "response.incomplete"),
        (terminal("response.done"), "response.completed"),
        (completed([]), "response.completed"),
        (completed(usage=None), "response.completed"),
    ],
)
async def test_odd_ends_are_whole_here(transport: str, end: Any, kind: str) -> None:
    async with (
        Peer(lambda _: [answer("Hello"), end]) as peer,
        relayed(peer, transport=transport) as talk,
    ):
        client = await talk.dial()
        await client.create(input="x")
        last = await client.terminal()
        assert (last["type"], text_of(last["response"])) == (kind, "Hello")
        assert last["response"]["usage"]["input_tokens_details"]["cache_write_tokens"] == 0


@both
async def test_a_client_that_vanishes_stops_the_model_run_at_once(transport: str) -> None:
    gate = Gate()
    script = [answer("Hello"), wait(gate, after=6), deltas(1000)]
    async with Peer(lambda _: script) as peer, relayed(peer, transport=transport) as talk:
        client = await talk.dial()
        await client.create(input="x")
        await client.until("response.output_text.delta")
        await gate.wait_reached()
        await client.raw.close()
        (wire,) = (*peer.connections, *peer.posts)
        await peer.wait_until(lambda: not wire.is_open)
        assert len(wire.sent) == 6
        await until(lambda: talk.gateway.statistics().model_runs_active == 0)
        assert talk.gateway.statistics().model_runs_stopped == 1


@both
async def test_what_a_stopped_turn_has_asked_is_asked_again(transport: str) -> None:
    gate = Gate()
    script = Turns([answer("One")], [answer("Two"), wait(gate, after=4)], [answer("Three")])
    async with (
        Peer(script) as peer,
        relayed(peer, transport=transport, continues=True) as talk,
    ):
        client = await talk.dial()
        history: list[Any] = [user("first")]
        history += (await client.respond(input=history))["output"]
        history.append(user("second"))
        await client.create(input=history)
        await gate.wait_reached()
        await client.raw.close()
        await until(lambda: talk.gateway.statistics().model_runs_active == 0)
        history.append(user("third"))
        await (await talk.dial()).respond(input=history)
        asked = [each["content"] for each in peer.creates[-1]["input"]]
        assert asked == ["second", "third"]


@both
async def test_a_post_is_a_turn_like_any_other(transport: str) -> None:
    async with Peer() as peer, relayed(peer, transport=transport, continues=True) as talk:
        status, first = await talk.post(input="one")
        assert (status, text_of(first)) == (200, "one")
        _, second = await talk.post(input="two", previous_response_id=first["id"])
        assert text_of(second) == "two"
        assert inputs(peer) == [1, 1]


async def test_an_upstream_that_is_not_there() -> None:
    async with Peer() as peer:
        upstreams = [upstream_at(peer, transport=each) for each in ("http", "websocket", "auto")]
    for upstream in upstreams:
        async with talk(upstream) as talking:
            status, body = await talking.post(input="x")
            assert (status, body["error"]) == (
                502,
                {
                    "message": "The model server cannot be reached.",
                    "type": "server_error",
                    "code": "upstream_unreachable",
                    "param": None,
                },
            )
