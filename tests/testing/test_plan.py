from __future__ import annotations

from typing import Any

import pytest

from turnwire.testing import (
    Create,
    Gate,
    Step,
    answer,
    call,
    close,
    completed,
    drop,
    emit,
    error,
    failed,
    half_open,
    incomplete,
    item,
    reasoning,
    say,
    silence,
    swallow,
    terminal,
    wait,
)
from turnwire.testing.plan import Event, Plan, plan
from turnwire.testing.steps import Close, Drop, Error, HalfOpen, Say, Silence, Swallow, Wait

CREATED, PROGRESS = "response.created", "response.in_progress"
COMPLETED = "response.completed"
NAMES = {
    Error: "error",
    Say: "say",
    Wait: "wait",
    Close: "close",
    Drop: "drop",
    Silence: "silence",
    Swallow: "swallow",
    HalfOpen: "half_open",
}


def planned(*steps: Step, **request: Any) -> Plan:
    return plan(Create(1, 0, None, {"model": "m", **request}), steps, "resp_7")


def names(made: Plan) -> list[str]:
    return [act.event["type"] if isinstance(act, Event) else NAMES[type(act)] for act in made.acts]


def events(made: Plan) -> list[dict[str, Any]]:
    return [act.event for act in made.acts if isinstance(act, Event)]


def test_an_empty_script_is_an_empty_response() -> None:
    made = planned()
    assert names(made) == [CREATED, PROGRESS, COMPLETED]
    assert [event["response"]["output"] for event in events(made)] == [[], [], []]


def test_a_text_is_streamed_with_all_its_events() -> None:
    made = planned(answer("Hello world"))
    at = {"item_id": "msg_7_0", "output_index": 0, "content_index": 0}
    part = {"type": "output_text", "text": "Hello world", "annotations": [], "logprobs": []}
    message = {
        "id": "msg_7_0",
        "status": "completed",
        "type": "message",
        "role": "assistant",
        "content": [part],
    }
    added = message | {"status": "in_progress", "content": []}
    delta = {"type": "response.output_text.delta", **at, "logprobs": []}
    assert [
        {"type": "response.output_item.added", "output_index": 0, "item": added},
        {"type": "response.content_part.added", **at, "part": part | {"text": ""}},
        delta | {"delta": "Hello"},
        delta | {"delta": " world"},
        {"type": "response.output_text.done", **at, "text": "Hello world", "logprobs": []},
        {"type": "response.content_part.done", **at, "part": part},
        {"type": "response.output_item.done", "output_index": 0, "item": message},
    ] == events(made)[2:-1]
    assert [message] == events(made)[-1]["response"]["output"] == made.output


def test_a_call_is_streamed_with_all_its_events() -> None:
    made = planned(call("f", {"a": 1}))
    at = {"item_id": "fc_7_0", "output_index": 0}
    called = {
        "id": "fc_7_0",
        "status": "completed",
        "call_id": "call_7_0",
        "type": "function_call",
        "name": "f",
        "arguments": '{"a":1}',
    }
    added = called | {"status": "in_progress", "arguments": ""}
    assert [
        {"type": "response.output_item.added", "output_index": 0, "item": added},
        {"type": "response.function_call_arguments.delta", **at, "delta": '{"a":1}'},
        {"type": "response.function_call_arguments.done", **at, "arguments": '{"a":1}'},
        {"type": "response.output_item.done", "output_index": 0, "item": called},
    ] == events(made)[2:-1]


def test_reasoning_shows_its_summary_and_keeps_its_secret() -> None:
    made = planned(reasoning("think hard", encrypted_content="abc"))
    assert names(made)[2:-1] == [
        "response.output_item.added",
        "response.reasoning_summary_part.added",
        "response.reasoning_summary_text.delta",
        "response.reasoning_summary_text.delta",
        "response.reasoning_summary_text.done",
        "response.reasoning_summary_part.done",
        "response.output_item.done",
    ]
    assert made.output == [
        {
            "id": "rs_7_0",
            "type": "reasoning",
            "summary": [{"type": "summary_text", "text": "think hard"}],
            "encrypted_content": "abc",
        }
    ]


def test_any_other_item_is_added_and_done() -> None:
    made = planned(item(type="shell_call", action={"commands": ["ls"]}))
    assert names(made)[2:-1] == ["response.output_item.added", "response.output_item.done"]
    assert (made.output[0]["id"], made.output[0]["call_id"]) == ("shell_call_7_0", "call_7_0")


def test_several_items_are_numbered() -> None:
    made = planned(call("f", {}), call("g", {}), answer("x"))
    assert [each.get("call_id") for each in made.output] == ["call_7_0", "call_7_1", None]
    last = [e for e in events(made) if e["type"] == "response.output_item.done"]
    assert [event["output_index"] for event in last] == [0, 1, 2]


@pytest.mark.parametrize(
    ("step", "status", "member", "value"),
    [
        (failed("server_error"), "failed", "error", "server_error"),
        (incomplete("max_output_tokens"), "incomplete", "incomplete_details", "max_output_tokens"),
    ],
)
def test_other_terminal_events(step: Step, status: str, member: str, value: str) -> None:
    made = planned(answer("par"), step)
    last = made.acts[-1]
    assert isinstance(last, Event)
    assert (f"response.{status}", status) == (last.event["type"], last.ending)
    assert status == last.event["response"]["status"]
    assert value in last.event["response"][member].values()


@pytest.mark.parametrize(
    ("output", "expected"),
    [
        (None, ["call_7_0", "call_7_1"]),
        ([], []),
        (lambda items: items[1:], ["call_7_1"]),
        (lambda items: items[::-1], ["call_7_1", "call_7_0"]),
    ],
)
def test_the_terminal_output_may_differ_from_what_was_streamed(
    output: Any, expected: list[str]
) -> None:
    made = planned(call("f", {}), call("g", {}), completed(output))
    shown = events(made)[-1]["response"]["output"]
    assert expected == [each["call_id"] for each in shown]
    assert [each["call_id"] for each in made.output] == ["call_7_0", "call_7_1"]


def test_members_of_the_terminal_response_can_be_replaced() -> None:
    made = planned(completed(usage=None))
    assert events(made)[-1]["response"]["usage"] is None


def test_usage_counts_items_read_and_pieces_streamed() -> None:
    made = planned(answer("a b c"), input=[{"role": "user", "content": "x"}])
    usage = events(made)[-1]["response"]["usage"]
    assert (usage["input_tokens"], usage["output_tokens"], usage["total_tokens"]) == (1, 3, 4)


def test_a_response_echoes_its_request_without_nulls() -> None:
    made = planned(tools=[{"type": "custom"}], instructions="Be brief.", temperature=None)
    response = events(made)[0]["response"]
    assert (
        response["model"],
        response["instructions"],
        response["tools"],
        response["temperature"],
    ) == ("m", "Be brief.", [{"type": "custom"}], 1.0)


@pytest.mark.parametrize(
    ("steps", "expected"),
    [
        ([drop()], ["drop"]),
        ([error("rate_limit_exceeded", 429)], ["error"]),
        ([error("x"), close(1000)], ["error", "close"]),
        ([silence()], ["silence"]),
        ([swallow()], ["swallow"]),
        ([half_open()], ["half_open"]),
        ([drop(after=0)], ["drop", CREATED, PROGRESS, COMPLETED]),
        ([drop(after=1)], [CREATED, "drop", PROGRESS, COMPLETED]),
        ([close(1001, after=PROGRESS)], [CREATED, PROGRESS, "close", COMPLETED]),
        ([wait(Gate())], ["wait", CREATED, PROGRESS, COMPLETED]),
        ([wait(Gate(), after=CREATED)], [CREATED, "wait", PROGRESS, COMPLETED]),
        ([say(b"[]"), completed()], ["say", CREATED, PROGRESS, COMPLETED]),
        ([emit("new.event"), completed()], ["new.event", CREATED, PROGRESS, COMPLETED]),
        ([emit("new.event", after=1)], [CREATED, "new.event", PROGRESS, COMPLETED]),
        ([completed(), emit("late.event")], [CREATED, PROGRESS, COMPLETED, "late.event"]),
    ],
)
def test_steps_of_the_wire_stand_where_they_are_told(
    steps: list[Step], expected: list[str]
) -> None:
    assert expected == names(planned(*steps))


def test_a_step_that_is_never_reached_is_a_mistake() -> None:
    with pytest.raises(ValueError, match="after=9 is never reached: this turn has only 3 events"):
        planned(drop(after=9))


@pytest.mark.parametrize(
    ("steps", "expected"),
    [
        ([error("x")], True),
        ([swallow()], True),
        ([answer("x"), error("x")], False),
        ([drop()], False),
        ([], False),
    ],
)
def test_only_an_error_at_the_start_is_a_refusal(steps: list[Step], *, expected: bool) -> None:
    assert expected is planned(*steps).is_refusal


@pytest.mark.parametrize(
    ("step", "name"), [(drop(), "drop"), (close(), "close"), (half_open(), "half_open")]
)
def test_a_turn_that_outlives_its_connection_comes_to_an_end(step: Step, name: str) -> None:
    made = plan(Create(1, 0, None, {"model": "m"}), [step], "resp_7", goes_on=True)
    assert [name, CREATED, PROGRESS, COMPLETED] == names(made)


def test_a_terminal_event_may_have_any_name() -> None:
    made = planned(terminal("response.done"), terminal("response.cancelled", "cancelled", x=1))
    ends = [act for act in made.acts if isinstance(act, Event) and act.ending]
    assert [(act.event["type"], act.ending) for act in ends] == [
        ("response.done", "completed"),
        ("response.cancelled", "failed"),
    ]
    assert (ends[1].event["response"]["status"], ends[1].event["response"]["x"]) == ("cancelled", 1)


def test_reasoning_may_show_nothing_at_all() -> None:
    made = planned(item(type="reasoning", summary=[]))
    assert names(made) == [
        CREATED,
        PROGRESS,
        "response.output_item.added",
        "response.output_item.done",
        COMPLETED,
    ]
