"""Model deltas to wire events: order, indexes, and agreement of everything that says it twice."""

from collections.abc import Callable
from itertools import count
from typing import Any

import pytest

from turnwire.gateway.input.parameters import Parameters
from turnwire.gateway.output.responder import Responder
from turnwire.gateway.output.response import new_response
from turnwire.gateway.upstreams.deltas import (
    ArgumentsDelta,
    CallEnded,
    CallStarted,
    Delta,
    Finished,
    ReasoningDelta,
    ReasoningTextDelta,
    RefusalDelta,
    TextDelta,
    UsageReport,
)

Json = dict[str, Any]


def numbered_ids() -> Callable[[str], str]:
    numbers = count()
    return lambda prefix: f"{prefix}_{next(numbers)}"


def responder() -> Responder:
    response = new_response("resp_1", 1000, Parameters(model="m", input="hi"))
    return Responder(response, numbered_ids())


def said(*deltas: Delta) -> list[Json]:
    """Return all events of a response that ends well."""
    response = responder()
    events = response.begin()
    for delta in (*deltas, Finished()):
        events += response.feed(delta)
    last, terminal = response.end(1001)
    return [*events, *last, terminal]


def types(events: list[Json]) -> list[str]:
    return [event["type"].removeprefix("response.") for event in events]


def test_r16_a_text() -> None:
    events = said(TextDelta("Hel"), TextDelta("lo"))
    assert types(events) == [
        "created",
        "in_progress",
        "output_item.added",
        "content_part.added",
        "output_text.delta",
        "output_text.delta",
        "output_text.done",
        "content_part.done",
        "output_item.done",
        "completed",
    ]
    part = {"type": "output_text", "text": "Hello", "annotations": [], "logprobs": []}
    item = {
        "id": "msg_0",
        "type": "message",
        "status": "completed",
        "role": "assistant",
        "content": [part],
    }
    assert [events[5]["logprobs"], events[6]["text"]] == [[], "Hello"]
    assert [part, item, [item]] == [
        events[7]["part"],
        events[8]["item"],
        events[9]["response"]["output"],
    ]


def test_r16_calls_side_by_side() -> None:
    events = said(
        CallStarted(0, "f", "call_up"),
        ArgumentsDelta(0, '{"a":'),
        ArgumentsDelta(0, "1}"),
        CallEnded(0),
        CallStarted(1, "g"),
    )
    assert types(events)[2:] == [
        "output_item.added",
        "function_call_arguments.delta",
        "function_call_arguments.delta",
        "function_call_arguments.done",
        "output_item.done",
        "output_item.added",
        "function_call_arguments.done",
        "output_item.done",
        "completed",
    ]
    first = {
        "id": "fc_0",
        "type": "function_call",
        "status": "completed",
        "call_id": "call_up",
        "name": "f",
        "arguments": '{"a":1}',
    }
    second = {**first, "id": "fc_2", "call_id": "call_1", "name": "g", "arguments": ""}
    assert [first, second] == events[-1]["response"]["output"]
    assert [first, second] == [e["item"] for e in events if e["type"].endswith("item.done")]


def test_r16_the_last_event_of_a_call_holds_all_of_it() -> None:
    events = said(
        CallStarted(0, "f", "c1"), ArgumentsDelta(0, "{}"),
        CallStarted(1, "patch", "c2", "custom"), ArgumentsDelta(1, "x"),
    )  # fmt: skip
    done = [event for event in events if event["type"].endswith(("arguments.done", "input.done"))]
    assert done == [
        {
            "type": "response.function_call_arguments.done",
            "item_id": "fc_0",
            "output_index": 0,
            "name": "f",
            "arguments": "{}",
        },
        {
            "type": "response.custom_tool_call_input.done",
            "item_id": "ctc_1",
            "output_index": 1,
            "input": "x",
        },
    ]


def test_a_part_of_another_kind_is_a_part_of_the_same_message() -> None:
    events = said(TextDelta("a"), RefusalDelta("b"), ReasoningTextDelta("c"), TextDelta("d"))
    assert [
        (item["type"], [part["type"] for part in item["content"]])
        for item in events[-1]["response"]["output"]
    ] == [
        ("message", ["output_text", "refusal"]),
        ("reasoning", ["reasoning_text"]),
        ("message", ["output_text"]),
    ]
    assert [e["content_index"] for e in events if e["type"].endswith("part.added")] == [0, 1, 0, 0]


def test_pieces_of_two_calls_may_come_interleaved() -> None:
    events = said(
        CallStarted(0, "f"),
        CallStarted(1, "g"),
        ArgumentsDelta(1, "{"),
        ArgumentsDelta(0, "["),
        ArgumentsDelta(1, "}"),
        CallEnded(1),
        ArgumentsDelta(0, "]"),
    )
    output = events[-1]["response"]["output"]
    assert [(item["name"], item["arguments"]) for item in output] == [("f", "[]"), ("g", "{}")]
    done = [e["output_index"] for e in events if e["type"] == "response.output_item.done"]
    assert done == [1, 0]


def test_r16_a_reasoning_summary_then_an_answer() -> None:
    events = said(ReasoningDelta("Hm"), ReasoningDelta("m."), TextDelta("Yes."))
    assert types(events)[2:10] == [
        "output_item.added",
        "reasoning_summary_part.added",
        "reasoning_summary_text.delta",
        "reasoning_summary_text.delta",
        "reasoning_summary_text.done",
        "reasoning_summary_part.done",
        "output_item.done",
        "output_item.added",
    ]
    reasoning = {
        "id": "rs_0",
        "type": "reasoning",
        "summary": [{"type": "summary_text", "text": "Hmm."}],
    }
    assert [reasoning, "message"] == [
        events[-1]["response"]["output"][0],
        events[-1]["response"]["output"][1]["type"],
    ]
    assert [e["output_index"] for e in events if e["type"].endswith("item.added")] == [0, 1]


def test_r15_usage_has_its_details_even_if_the_model_reports_none() -> None:
    zero = {
        "input_tokens": 0,
        "input_tokens_details": {"cached_tokens": 0, "cache_write_tokens": 0},
        "output_tokens": 0,
        "output_tokens_details": {"reasoning_tokens": 0},
        "total_tokens": 0,
    }
    assert zero == said(TextDelta("x"))[-1]["response"]["usage"]


def test_r15_reported_usage_is_passed_on() -> None:
    usage = said(UsageReport(10, 4, 6, 3, 2))[-1]["response"]["usage"]
    assert usage == {
        "input_tokens": 10,
        "input_tokens_details": {"cached_tokens": 4, "cache_write_tokens": 6},
        "output_tokens": 3,
        "output_tokens_details": {"reasoning_tokens": 2},
        "total_tokens": 13,
    }


@pytest.mark.parametrize("reason", ["max_output_tokens", "content_filter"])
def test_an_answer_that_was_cut_short_is_incomplete(reason: Any) -> None:
    response = responder()
    for delta in (TextDelta("He"), Finished(reason)):
        response.feed(delta)
    _, terminal = response.end(1001)
    final = terminal["response"]
    assert ("response.incomplete", "incomplete", {"reason": reason}, None) == (
        terminal["type"],
        final["status"],
        final["incomplete_details"],
        final["completed_at"],
    )
    assert [(item["status"], item["content"][0]["text"]) for item in final["output"]] == [
        ("incomplete", "He")
    ]


def test_a_failure_closes_what_is_open() -> None:
    response = responder()
    for delta in (CallStarted(0, "f"), ArgumentsDelta(0, '{"a'), TextDelta("x")):
        response.feed(delta)
    events, terminal = response.fail("The model broke.", "server_error")
    assert terminal["response"]["error"] == {"code": "server_error", "message": "The model broke."}
    assert (terminal["type"], terminal["response"]["status"]) == ("response.failed", "failed")
    assert [item["status"] for item in terminal["response"]["output"]] == [
        "incomplete",
        "incomplete",
    ]
    assert types(events).count("output_item.done") == 2


def test_a_response_without_output_has_none() -> None:
    events = said()
    assert types(events) == ["created", "in_progress", "completed"]
    final = events[-1]["response"]
    assert (final["output"], final["status"], final["completed_at"]) == ([], "completed", 1001)


def test_created_is_not_changed_by_what_comes_later() -> None:
    created = said(TextDelta("x"))[0]["response"]
    assert (created["status"], created["output"], created["usage"]) == ("in_progress", [], None)
