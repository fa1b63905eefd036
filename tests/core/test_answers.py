"""Calls without an answer: found, dropped with what led to them, or answered by a stub."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from properties.profiles import PROFILE
from turnwire.core.answers import (
    INTERRUPTED,
    UNDECIDED,
    NoStub,
    stubs,
    unanswered_calls,
    with_stubs,
    without_unanswered,
)
from turnwire.core.history import ANSWERS, HistoryItem, unanswered

Json = dict[str, Any]


def items(*values: Json) -> list[HistoryItem]:
    return [HistoryItem.of(value) for value in values]


def plain(history: list[HistoryItem]) -> list[Json]:
    return [msgspec.json.decode(item.encoded) for item in history]


def call(call_id: str, **members: Any) -> Json:
    return {"type": "function_call", "call_id": call_id, "name": "f", "arguments": "{}"} | members


def output(call_id: str, text: str = "done") -> Json:
    return {"type": "function_call_output", "call_id": call_id, "output": text}


def reasoning(name: str) -> Json:
    return {"type": "reasoning", "id": name, "summary": []}


def said(text: str) -> Json:
    part = {"type": "output_text", "text": text}
    return {"type": "message", "role": "assistant", "content": [part]}


USER = {"role": "user", "content": "Go on."}
DEVELOPER = {"type": "message", "role": "developer", "content": "Be brief."}
TOOLS = {"type": "additional_tools", "role": "developer", "tools": []}
SEARCH: Json = {"type": "tool_search_call", "call_id": "c", "execution": "client", "arguments": {}}

# Each kind of call, and the stub that stands for its answer.
SHELL = {"type": "shell_call", "call_id": "c"}
SHELL_ENTRY = {
    "stdout": "",
    "stderr": INTERRUPTED,
    "outcome": {"type": "exit", "exit_code": 130},
}
STUBS: list[tuple[Json, Json]] = [
    (call("c"), {"type": "function_call_output", "call_id": "c", "output": INTERRUPTED}),
    (
        call("c", caller={"type": "program", "caller_id": "p"}),
        {
            "type": "function_call_output",
            "call_id": "c",
            "caller": {"type": "program", "caller_id": "p"},
            "output": INTERRUPTED,
        },
    ),
    (
        {"type": "custom_tool_call", "call_id": "c", "name": "f", "input": "x"},
        {"type": "custom_tool_call_output", "call_id": "c", "output": INTERRUPTED},
    ),
    (
        SHELL | {"action": {"commands": ["ls"], "max_output_length": 4096}},
        {
            "type": "shell_call_output",
            "call_id": "c",
            "output": [SHELL_ENTRY],
            "max_output_length": 4096,
        },
    ),
    (
        SHELL | {"action": {"commands": ["ls", "pwd"], "max_output_length": None}},
        {"type": "shell_call_output", "call_id": "c", "output": [SHELL_ENTRY, SHELL_ENTRY]},
    ),
    (
        SHELL | {"action": "of an odd type"},
        {"type": "shell_call_output", "call_id": "c", "output": [SHELL_ENTRY]},
    ),
    (
        {"type": "apply_patch_call", "call_id": "c", "operation": {}},
        {
            "type": "apply_patch_call_output",
            "call_id": "c",
            "status": "failed",
            "output": INTERRUPTED,
        },
    ),
    (
        SEARCH,
        {
            "type": "tool_search_output",
            "call_id": "c",
            "execution": "client",
            "status": "incomplete",
            "tools": [],
        },
    ),
    (
        {key: value for key, value in SEARCH.items() if key != "call_id"},
        {"type": "tool_search_output", "execution": "client", "status": "incomplete", "tools": []},
    ),
    (
        {"type": "mcp_approval_request", "id": "c", "name": "f", "arguments": "{}"},
        {
            "type": "mcp_approval_response",
            "approval_request_id": "c",
            "approve": False,
            "reason": UNDECIDED,
        },
    ),
]
SCREEN = {"type": "computer_call", "call_id": "screen", "actions": []}


# Finding them


def test_calls_that_nothing_after_them_answers_are_found() -> None:
    history = items(USER, call("a"), call("b"), output("a"), USER, call("c"))
    assert plain(unanswered_calls(history)) == [call("b"), call("c")]
    assert plain(unanswered_calls(history, items(output("c"), USER))) == [call("b")]
    assert unanswered_calls(history, items(output("b"), output("c"))) == []


def test_an_answer_before_its_call_is_none() -> None:
    assert plain(unanswered_calls(items(output("a"), call("a")))) == [call("a")]


def test_an_id_that_is_used_again_waits_again() -> None:
    first, second = call("a", arguments='{"n":1}'), call("a", arguments='{"n":2}')
    assert plain(unanswered_calls(items(first, output("a"), second))) == [second]
    assert plain(unanswered_calls(items(first, second))) == [first, second]
    assert unanswered_calls(items(first, second, output("a"))) == []
    assert plain(unanswered_calls(items(first, B, second))) == [first, B, second]


# Dropping them


@pytest.mark.parametrize(
    ("history", "kept"),
    [
        ([USER, call("a")], [USER]),
        ([USER, call("a"), USER], [USER, USER]),
        ([USER, call("a"), output("a")], [USER, call("a"), output("a")]),
        ([call("a"), call("b"), output("b")], [call("b"), output("b")]),
    ],
)
def test_calls_without_an_answer_are_dropped(history: list[Json], kept: list[Json]) -> None:
    assert plain(without_unanswered(items(*history))) == kept


def test_calls_that_are_answered_now_stay_and_the_answers_are_not_returned() -> None:
    history = items(USER, call("a"), call("b"))
    assert plain(without_unanswered(history, items(output("b"), USER))) == [USER, call("b")]


R1, R2, A, B = reasoning("1"), reasoning("2"), call("a"), call("b")


@pytest.mark.parametrize(
    ("history", "kept"),
    [
        # It led only to what is dropped:
        ([USER, R1, B], [USER]),
        ([USER, R1, R2, B], [USER]),
        ([USER, R1, B, USER], [USER, USER]),
        ([USER, R1, B, DEVELOPER], [USER, DEVELOPER]),
        ([USER, R1, B, TOOLS], [USER, TOOLS]),
        ([R1, A, R2, B, output("a"), USER], [R1, A, output("a"), USER]),
        ([USER, R1, call("c"), R2, B, USER], [USER, USER]),
        ([USER, said("x"), R1, B, USER], [USER, said("x"), USER]),
        # It led to something else as well:
        ([USER, R1, B, A, output("a")], [USER, R1, A, output("a")]),
        ([USER, R1, A, B, output("a")], [USER, R1, A, output("a")]),
        ([USER, R1, said("x"), B], [USER, R1, said("x")]),
        ([USER, R1, B, said("x")], [USER, R1, said("x")]),
        ([USER, R1, B, R2, A, output("a")], [USER, R1, R2, A, output("a")]),
        ([USER, R1, B, {"type": "web_search_call"}], [USER, R1, {"type": "web_search_call"}]),
        ([USER, R1, B, {"type": 7, "role": 7}], [USER, R1, {"type": 7, "role": 7}]),
        # It has nothing to do with it:
        ([USER, R1, USER, R2, B], [USER, R1, USER]),
        ([USER, B, USER, R1], [USER, USER, R1]),
    ],
)
def test_reasoning_goes_with_the_calls_that_it_led_to(
    history: list[Json], kept: list[Json]
) -> None:
    assert plain(without_unanswered(items(*history))) == kept


def test_what_comes_next_may_be_what_reasoning_led_to() -> None:
    history = items(USER, R1, B)
    assert plain(without_unanswered(history, items(said("x")))) == [USER, R1]
    assert plain(without_unanswered(history, items(USER))) == [USER]


# Answering them


@pytest.mark.parametrize(("asked", "stub"), STUBS)
def test_each_kind_of_call_has_its_stub(asked: Json, stub: Json) -> None:
    assert plain(stubs(items(asked))) == [stub]


@pytest.mark.parametrize(("asked", "stub"), STUBS)
def test_a_stub_is_an_answer(asked: Json, stub: Json) -> None:
    assert len(unanswered(items(asked))) == 1
    whole = [*items(asked), *stubs(items(asked))]
    assert unanswered(whole) == []
    assert unanswered_calls(whole) == []
    assert plain(whole)[1] == stub


def test_every_kind_of_call_is_looked_at_here() -> None:
    assert {asked["type"] for asked, _ in STUBS} | {SCREEN["type"]} == ANSWERS.keys()


def test_what_is_no_call_of_the_clients_gets_no_stub() -> None:
    assert stubs(items(USER, output("a"), SEARCH | {"execution": "server"})) == []


def test_an_id_is_answered_once() -> None:
    assert len(stubs(items(call("a"), call("a", arguments="[]"), call("b")))) == 2


@pytest.mark.parametrize("without_id", [call(""), {"type": "function_call"}])
def test_some_calls_only_their_caller_can_answer(without_id: Json) -> None:
    with pytest.raises(NoStub) as caught:
        stubs(items(call("a"), SCREEN, without_id))
    assert caught.value.call_ids == ("screen", "")
    assert str(caught.value) == (
        "no stub can stand for the output of `computer_call` 'screen', `function_call` '': a"
        " `computer_call` wants a screenshot, any other call an id. Give the output, or leave such"
        ' calls out with "drop"'
    )


def test_no_stub_names_every_call_of_a_history() -> None:
    with pytest.raises(NoStub) as caught:
        with_stubs(items(SCREEN, USER, SCREEN | {"call_id": "other"}))
    assert caught.value.call_ids == ("screen", "other")


def test_stubs_stand_behind_the_output_that_their_calls_are_in() -> None:
    history = items(USER, R1, A, B, output("a"), USER, call("c"), said("x"))
    [stub_b, stub_c] = plain(stubs(items(B, call("c"))))
    assert plain(with_stubs(history)) == [
        *(USER, R1, A, B, output("a"), stub_b, USER),
        *(call("c"), said("x"), stub_c),
    ]
    assert plain(with_stubs(history, items(output("c")))) == [
        *(USER, R1, A, B, output("a"), stub_b, USER),
        *(call("c"), said("x")),
    ]


def test_what_went_before_stays_what_it_was() -> None:
    past = items(USER, R1, A, B)
    whole = with_stubs([*past, *items(output("a"), USER)])
    assert whole[: len(past)] == past
    assert plain(whole[len(past) :]) == [output("a"), *plain(stubs(items(B))), USER]


# Any history

CALL_IDS = st.sampled_from("abc")
VALUES = st.one_of(
    st.sampled_from([USER, R1, R2, said("x"), SEARCH, SEARCH | {"execution": "server"}]),
    st.builds(call, CALL_IDS),
    st.builds(output, CALL_IDS),
)
HISTORIES = st.lists(VALUES, max_size=12).map(lambda values: items(*values))


def is_part(some: list[HistoryItem], whole: list[HistoryItem]) -> bool:
    """Say whether these items are in there, in this order."""
    rest = iter(whole)
    return all(any(item is each for each in rest) for item in some)


@PROFILE
@given(HISTORIES, HISTORIES)
def test_both_ways_leave_no_call_open(
    history: list[HistoryItem], answers: list[HistoryItem]
) -> None:
    answers = [item for item in answers if item.kind.type == "function_call_output"]
    dropped = without_unanswered(history, answers)
    assert unanswered([*dropped, *answers]) == []
    assert is_part(dropped, history)
    stubbed = with_stubs(history, answers)
    assert unanswered([*stubbed, *answers]) == []
    assert is_part(history, stubbed)
    waiting = len(unanswered(answers, before=unanswered(history)))
    # An id that is used again in another turn is answered in both.
    assert waiting <= len(stubbed) - len(history) <= len(unanswered_calls(history, answers))


@PROFILE
@given(HISTORIES)
def test_they_are_the_calls_that_a_chain_waits_for(history: list[HistoryItem]) -> None:
    found = {(ANSWERS[item.kind.type], item.kind.call_id) for item in unanswered_calls(history)}
    assert found == set(unanswered(history))


@PROFILE
@given(HISTORIES)
def test_a_history_in_order_is_left_alone(history: list[HistoryItem]) -> None:
    for whole in (without_unanswered(history), with_stubs(history)):
        assert without_unanswered(whole) == whole
        assert with_stubs(whole) == whole


# The official SDK's models of the answers


@pytest.mark.interop
@pytest.mark.parametrize(("asked", "stub"), STUBS)
def test_stubs_are_what_the_sdk_sends(asked: Json, stub: Json) -> None:
    from openai.types import responses
    from openai.types.responses import response_input_item

    models: dict[str, Any] = {
        "function_call_output": response_input_item.FunctionCallOutput,
        "custom_tool_call_output": responses.ResponseCustomToolCallOutput,
        "shell_call_output": response_input_item.ShellCallOutput,
        "apply_patch_call_output": response_input_item.ApplyPatchCallOutput,
        "tool_search_output": responses.ResponseToolSearchOutputItemParam,
        "mcp_approval_response": response_input_item.McpApprovalResponse,
    }
    [answer] = plain(stubs(items(asked)))
    model = models[answer["type"]].model_validate(answer, strict=True, extra="forbid")
    assert model.model_dump(mode="json", exclude_unset=True) == answer
