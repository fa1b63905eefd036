"""One response of an upstream that speaks Responses itself, without any upstream."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from turnwire.events import Event, TurnRestartedEvent, TurnResumedEvent, decode_event
from turnwire.gateway.input.parameters import read_parameters
from turnwire.gateway.output.relay import Relay, completed_usage
from turnwire.gateway.output.response import new_response
from turnwire.gateway.upstreams import UpstreamFailed

Json = dict[str, Any]

CREATE = {
    "model": "m",
    "previous_response_id": "resp_parent",
    "store": False,
    "metadata": {"a": "b"},
    "tools": [{"type": "web_search"}],
    "input": "x",
}
ZEROS = {
    "input_tokens": 0,
    "input_tokens_details": {"cached_tokens": 0, "cache_write_tokens": 0},
    "output_tokens": 0,
    "output_tokens_details": {"reasoning_tokens": 0},
    "total_tokens": 0,
}
TEXT = {"type": "output_text", "text": "Hi", "annotations": []}
MESSAGE = {"id": "msg_1", "type": "message", "role": "assistant", "status": "completed",
           "content": [TEXT]}  # fmt: skip
CALL = {"id": "fc_1", "type": "function_call", "call_id": "call_1", "name": "f",
        "arguments": '{"a": 1}', "status": "completed"}  # fmt: skip
STRANGE = {"id": "x_1", "type": "strange", "inside": [1, {"deep": None}]}


def said(kind: str, **members: Any) -> Event:
    """Return an event as it comes from a socket with lanes."""
    event = {"type": kind, **members, "sequence_number": 7, "stream_id": "lane-3"}
    return decode_event(msgspec.json.encode(event))


def delta(text: str, **members: Any) -> Event:
    place = {"item_id": "msg_1", "output_index": 0, "content_index": 0}
    return said("response.output_text.delta", **place, delta=text, **members)


def added(item: Json, index: int = 0) -> Event:
    return said("response.output_item.added", output_index=index, item=item)


def done(item: Json, index: int = 0) -> Event:
    return said("response.output_item.done", output_index=index, item=item)


def ended(kind: str = "response.completed", status: str = "completed", **members: Any) -> Event:
    return said(kind, response={"id": "resp_theirs", "status": status, **members})


def ours() -> Json:
    return new_response("resp_ours", 1000, read_parameters(CREATE))


def relay() -> Relay:
    return Relay(ours())


def shown(one: Relay, *events: Event) -> list[Json]:
    return [event for each in events for event in one.feed(each)]


def test_a_delta_is_what_came_without_its_number_and_its_lane() -> None:
    event = delta("Hé", logprobs=[{"token": "H"}], obfuscation="abc")
    assert shown(relay(), event) == [
        {
            "type": "response.output_text.delta",
            "item_id": "msg_1",
            "output_index": 0,
            "content_index": 0,
            "delta": "Hé",
            "logprobs": [{"token": "H"}],
            "obfuscation": "abc",
        }
    ]


def test_r16_text_has_logprobs_even_if_the_upstream_leaves_them_out() -> None:
    place = {"item_id": "msg_1", "output_index": 0, "content_index": 0}
    whole = said("response.output_text.done", **place, text="Hi")
    assert [event["logprobs"] for event in shown(relay(), delta("Hi"), whole)] == [[], []]


@pytest.mark.parametrize(
    "event",
    [
        {"type": "response.image_generation_call.partial_image", "partial_image_b64": "AAAA"},
        {"type": "response.brand_new", "deep": [{"a": None}, 1.5]},
        {"type": "codex.rate_limits", "rate_limits": {"primary": {"used_percent": 1}}},
        {"type": "response.output_item.added", "output_index": 0, "item": STRANGE},
    ],
)
def test_r14_what_nobody_here_knows_passes_as_it_came(event: Json) -> None:
    kind, members = event["type"], {k: v for k, v in event.items() if k != "type"}
    assert shown(relay(), said(kind, **members)) == [event]


@pytest.mark.parametrize("kind", ["created", "queued", "in_progress"])
def test_the_beginning_is_not_shown_twice(kind: str) -> None:
    beginning = said(f"response.{kind}", response={"id": "resp_theirs"})
    assert shown(relay(), beginning) == []
    one = relay()
    assert len(shown(one, delta("x"), beginning, delta("y"))) == 2


def test_odd_events_name_our_response() -> None:
    theirs = {"id": "resp_theirs", "metadata": {}, "more": 1}
    event = said("response.strange", response=theirs, response_id="resp_theirs")
    (seen,) = shown(relay(), event)
    assert (seen["response_id"], seen["response"]["id"]) == ("resp_ours", "resp_ours")
    assert (seen["response"]["metadata"], seen["response"]["more"]) == ({"a": "b"}, 1)


def test_r15_the_completed_response_is_ours_with_their_outcome() -> None:
    one = relay()
    shown(one, added(MESSAGE), done(MESSAGE), added(STRANGE, 1), done(STRANGE, 1))
    theirs = {
        "output": [MESSAGE, STRANGE],
        "previous_response_id": "resp_of_theirs",
        "store": True,
        "metadata": {},
        "tools": [],
        "model": "m-2026",
        "service_tier": "flex",
        "completed_at": 2000,
        "billing": {"payer": "x"},
        "usage": {"input_tokens": 3, "output_tokens": 2},
    }
    assert shown(one, ended(**theirs)) == []
    assert one.finish == "stop"
    usage = ZEROS | {"input_tokens": 3, "output_tokens": 2, "total_tokens": 5}
    assert one.end(1001) == (
        [],
        {
            "type": "response.completed",
            "response": ours()
            | {
                "status": "completed",
                "output": [MESSAGE, STRANGE],
                "service_tier": "flex",
                "completed_at": 2000,
                "billing": {"payer": "x"},
                "usage": usage,
            },
        },
    )


def test_r15_a_bare_completion_is_whole_all_the_same() -> None:
    one = relay()
    one.feed(ended())
    _, terminal = one.end(1001)
    whole = {"status": "completed", "completed_at": 1001, "usage": ZEROS}
    assert terminal["response"] == ours() | whole


@pytest.mark.parametrize(
    ("given", "added_to_zeros"),
    [
        (None, {}),
        ({}, {}),
        ("many", {}),
        ({"input_tokens": None, "input_tokens_details": None}, {}),
        (
            {"input_tokens": 3, "input_tokens_details": {"cached_tokens": 2, "audio": 1}},
            {
                "input_tokens": 3,
                "input_tokens_details": {"cached_tokens": 2, "cache_write_tokens": 0, "audio": 1},
                "total_tokens": 3,
            },
        ),
        ({"total_tokens": 9, "cost": 0.5}, {"total_tokens": 9, "cost": 0.5}),
        ({"input_tokens": "3", "output_tokens": 2}, {"output_tokens": 2, "total_tokens": 2}),
    ],
)
def test_r15_usage_is_completed_with_zeros(given: Any, added_to_zeros: Json) -> None:
    assert completed_usage(given) == ZEROS | added_to_zeros


@pytest.mark.parametrize(
    ("event", "finish", "kind", "details"),
    [
        (ended("response.done"), "stop", "response.completed", None),
        (
            ended("response.done", "incomplete", incomplete_details={"reason": "content_filter"}),
            "content_filter",
            "response.incomplete",
            {"reason": "content_filter"},
        ),
        (
            ended(
                "response.incomplete", "incomplete", incomplete_details={"reason": "max_messages"}
            ),
            "max_messages",
            "response.incomplete",
            {"reason": "max_messages"},
        ),
        (
            ended(
                "response.completed", "incomplete", incomplete_details={"reason": "max_messages"}
            ),
            "max_messages",
            "response.incomplete",
            {"reason": "max_messages"},
        ),
        (ended("response.incomplete", "incomplete"), "unknown", "response.incomplete", None),
        (ended("response.completed", usage={"input_tokens": "odd"}), "stop", "response.completed",
         None),
    ],
)  # fmt: skip
def test_r17_ends_of_all_kinds_are_one_of_ours(
    event: Event, finish: str, kind: str, details: Json | None
) -> None:
    one = relay()
    shown(one, delta("x"), event)
    assert one.finish == finish
    _, terminal = one.end(1001)
    assert terminal["type"] == kind
    assert terminal["response"]["incomplete_details"] == details
    assert terminal["response"]["status"] == kind.removeprefix("response.")


@pytest.mark.parametrize(
    ("event", "status", "code", "message"),
    [
        (
            ended("response.failed", "failed", error={"code": "server_error", "message": "Sorry."}),
            502, "server_error", "Sorry.",
        ),
        (
            ended("response.failed", "failed",
                  error={"code": "rate_limit_exceeded", "message": "Slow."}),
            429, "rate_limit_exceeded", "Slow.",
        ),
        (ended("response.failed", "failed"), 502, None, "the server gave no reason"),
        (ended("response.cancelled", "cancelled"), 502, None,
         "the server ended the turn with `response.cancelled`"),
        (ended("response.done", "failed"), 502, None,
         "the server ended the turn with `response.done`"),
        (said("error", code="x", message="Flat.", param=None), 502, "x", "Flat."),
        (said("error", status=503, error={"type": "t", "code": "c", "message": "Nested."}),
         503, "c", "Nested."),
        (said("error", status=400, error={"detail": "Detail."}), 400, None, "Detail."),
        (said("error", error="Text."), 502, None, "Text."),
        (said("response.error", error={"message": "Odd."}), 502, None, "Odd."),
        (said("error", status=400, error={"code": "websocket_connection_limit_reached",
                                          "message": "Old."}),
         502, "upstream_cut", "The model server broke off before the end of its answer."),
    ],
)  # fmt: skip
def test_r17_failures_of_all_shapes_are_one(
    event: Event, status: int, code: str | None, message: str
) -> None:
    with pytest.raises(UpstreamFailed) as raised:
        relay().feed(event)
    failure = raised.value
    assert (failure.status, failure.code, str(failure)) == (status, code, message)


def test_r20_a_failure_after_output_shows_what_had_come() -> None:
    one = relay()
    half = CALL | {"id": "fc_2", "call_id": "call_2", "arguments": "", "status": "in_progress"}
    opened = MESSAGE | {"id": "msg_2", "status": "in_progress", "content": []}
    shown(one, added(CALL), done(CALL), added(opened, 1), added(half, 2))
    place = {"item_id": "msg_2", "output_index": 1, "content_index": 0}
    one.feed(said("response.output_text.delta", **place, delta="Hal"))
    arguments = {"item_id": "fc_2", "output_index": 2, "delta": '{"a'}
    one.feed(said("response.function_call_arguments.delta", **arguments))
    part = {"type": "output_text", "text": "Hal", "annotations": []}
    assert one.fail("It broke.", "server_error") == (
        [],
        {
            "type": "response.failed",
            "response": ours()
            | {
                "status": "failed",
                "error": {"code": "server_error", "message": "It broke."},
                "output": [CALL, opened | {"status": "incomplete", "content": [part]}],
                "usage": ZEROS,
            },
        },
    )


def test_text_of_an_item_that_never_began_is_no_item() -> None:
    one = relay()
    one.feed(delta("Hal"))
    _, terminal = one.fail("It broke.", "server_error")
    assert terminal["response"]["output"] == []


def test_a_cancelled_response_shows_what_had_come() -> None:
    one = relay()
    shown(one, added(MESSAGE), done(MESSAGE))
    events, terminal = one.cancelled()
    assert (events, terminal["type"]) == ([], "response.incomplete")
    cancelled = {"status": "cancelled", "output": [MESSAGE], "usage": ZEROS}
    assert terminal["response"] == ours() | cancelled


RESTARTED = TurnRestartedEvent(reason="lost", model_runs=1)


def resumed(after: int | None) -> TurnResumedEvent:
    return TurnResumedEvent(reason="lost", response_id="resp_theirs", starting_after=after)


def test_before_output_nobody_notices_that_it_began_anew() -> None:
    one = relay()
    beginning = said("response.created", response={"id": "resp_1"})
    assert shown(one, beginning, RESTARTED, beginning) == []
    assert len(shown(one, delta("Hi"), ended(output=[MESSAGE]))) == 1
    events, terminal = one.end(1001)
    assert terminal["response"]["output"] == [MESSAGE]
    assert [event["type"] for event in events] == ["response.output_item.done"]


@pytest.mark.parametrize("event", [RESTARTED, resumed(None)])
def test_after_output_nothing_is_shown_twice(event: Event) -> None:
    one = relay()
    one.feed(delta("Hi"))
    with pytest.raises(UpstreamFailed, match="broke off") as raised:
        one.feed(event)
    assert (raised.value.status, raised.value.code) == (502, "upstream_cut")


def test_what_was_fetched_goes_on_from_there() -> None:
    one = relay()
    assert len(shown(one, added(MESSAGE), delta("H"), resumed(7), delta("i"))) == 3
    shown(one, done(MESSAGE), ended())
    assert one.end(1001)[1]["response"]["output"] == [MESSAGE]


def types(events: list[Json]) -> list[str]:
    return [event["type"].removeprefix("response.") for event in events]


def test_r16_what_came_in_one_piece_has_all_its_events() -> None:
    one = relay()
    refusal = {"type": "refusal", "refusal": "No."}
    message = MESSAGE | {"content": [TEXT, refusal, {"type": "new"}]}
    custom = {"id": "ctc_1", "type": "custom_tool_call", "call_id": "call_2", "name": "g",
              "input": "abc"}  # fmt: skip
    shown(one, resumed(None), ended(output=[message, CALL, custom, STRANGE]))
    events, terminal = one.end(1001)
    assert types(events) == [
        "output_item.added",
        "content_part.added", "output_text.delta", "output_text.done", "content_part.done",
        "content_part.added", "refusal.delta", "refusal.done", "content_part.done",
        "content_part.added", "content_part.done",
        "output_item.done",
        "output_item.added", "function_call_arguments.delta", "function_call_arguments.done",
        "output_item.done",
        "output_item.added", "custom_tool_call_input.delta", "custom_tool_call_input.done",
        "output_item.done",
        "output_item.added", "output_item.done",
    ]  # fmt: skip
    assert events[0]["item"] == message | {"status": "in_progress", "content": []}
    assert events[1]["part"] == TEXT | {"text": ""}
    place = {"item_id": "msg_1", "output_index": 0, "content_index": 0}
    assert events[2] == {"type": "response.output_text.delta", **place, "delta": "Hi",
                         "logprobs": []}  # fmt: skip
    assert [event["item"] for event in events if event["type"].endswith("item.done")] == (
        terminal["response"]["output"]
    )


def test_r16_an_output_that_the_last_event_leaves_out_is_that_of_the_items() -> None:
    one = relay()
    shown(one, added(MESSAGE), done(MESSAGE), added(CALL, 1), done(CALL, 1), ended())
    events, terminal = one.end(1001)
    assert (events, terminal["response"]["output"]) == ([], [MESSAGE, CALL])


def test_an_event_that_cannot_be_read_is_a_failure() -> None:
    raw = b'{"type":"response.output_text.delta","delta":"x","more":"\xff"}'
    with pytest.raises(UpstreamFailed, match="cannot be read"):
        relay().feed(decode_event(raw))


def test_a_steered_response_ends_between_two_items() -> None:
    one = relay()
    assert one.at_boundary
    one.feed(added(MESSAGE))
    assert not one.at_boundary
    assert not one.ends_before(delta("x"))
    one.feed(done(MESSAGE))
    assert one.ends_before(added(CALL, 1))
    assert one.steered() == []
    _, terminal = one.end(1001)
    assert terminal["type"] == "response.incomplete"
    assert terminal["response"]["incomplete_details"] == {"reason": "steered"}
    assert terminal["response"]["output"] == [MESSAGE]


def test_a_response_is_not_ended_where_its_client_owes_an_answer() -> None:
    one = relay()
    shown(one, added(CALL), done(CALL))
    assert not one.at_boundary
    assert not one.ends_before(added(MESSAGE, 1))
