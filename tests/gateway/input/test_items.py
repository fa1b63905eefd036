"""Input items: whole, answered, without repeats."""

from typing import Any

import pytest

from turnwire.gateway.input.items import (
    Call,
    check_answers,
    text_of,
    unanswered,
    whole_items,
    without_repeats,
)
from turnwire.gateway.refusal import RequestRefused

CALL = {"type": "function_call", "id": "fc_1", "call_id": "c1", "name": "f", "arguments": "{}"}
ANSWER = {"type": "function_call_output", "call_id": "c1", "output": "42"}
SAID = {
    "type": "message",
    "id": "msg_1",
    "role": "assistant",
    "content": [{"type": "output_text", "text": "Hello."}],
}


def test_r7_a_string_is_a_user_message() -> None:
    part = {"type": "input_text", "text": "hi"}
    assert whole_items("hi") == [{"type": "message", "role": "user", "content": [part]}]


def test_r7_messages_may_lack_their_type_and_have_plain_content() -> None:
    given = [{"role": "developer", "content": "be brief"}, {"role": "user", "content": []}]
    assert whole_items(given) == [
        {"type": "message", "role": "developer", "content": "be brief"},
        {"type": "message", "role": "user", "content": []},
    ]


def test_r7_ids_and_types_that_clients_make_are_taken_as_they_are() -> None:
    given = [{"type": "message", "id": "msg_mine", "role": "user", "content": "x"}, {"type": "new"}]
    assert whole_items(given) == given


@pytest.mark.parametrize(
    ("item", "param"),
    [
        ({}, "input[0].role"),
        ({"type": 3}, "input[0].type"),
        ({"role": 3, "content": "x"}, "input[0].role"),
        ({"role": "user"}, "input[0].content"),
        ({"role": "user", "content": 1}, "input[0].content"),
        ({**CALL, "call_id": None}, "input[0].call_id"),
        ({**CALL, "arguments": {}}, "input[0].arguments"),
        ({**ANSWER, "call_id": 1}, "input[0].call_id"),
        ({**ANSWER, "output": 42}, "input[0].output"),
        ({"type": "item_reference"}, "input[0].id"),
    ],
)
def test_an_item_with_a_wrong_member_is_refused(item: dict[str, Any], param: str) -> None:
    with pytest.raises(RequestRefused) as caught:
        whole_items([item])
    assert (400, param) == (caught.value.status, caught.value.param)


# What the model asks, and what its client answers.
KINDS: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "function_call": (CALL, ANSWER),
    "custom_tool_call": (
        {"type": "custom_tool_call", "call_id": "c1", "name": "f", "input": "x"},
        {"type": "custom_tool_call_output", "call_id": "c1", "output": "42"},
    ),
    "computer_call": (
        {"type": "computer_call", "call_id": "c1", "action": {"type": "screenshot"}},
        {"type": "computer_call_output", "call_id": "c1", "output": {}},
    ),
    "shell_call": (
        {"type": "shell_call", "call_id": "c1", "action": {"commands": ["ls"]}},
        {"type": "shell_call_output", "call_id": "c1", "output": []},
    ),
    "apply_patch_call": (
        {"type": "apply_patch_call", "call_id": "c1", "status": "completed", "operation": {}},
        {"type": "apply_patch_call_output", "call_id": "c1", "status": "completed"},
    ),
    "tool_search_call": (
        {"type": "tool_search_call", "call_id": "c1", "execution": "client", "arguments": {}},
        {"type": "tool_search_output", "call_id": "c1", "tools": []},
    ),
    "mcp_approval_request": (
        {"type": "mcp_approval_request", "id": "c1", "name": "f", "arguments": "{}"},
        {"type": "mcp_approval_response", "approval_request_id": "c1", "approve": True},
    ),
}


@pytest.mark.parametrize("kind", KINDS)
def test_a_call_waits_until_it_is_answered(kind: str) -> None:
    call, answer = KINDS[kind]
    waiting = (Call(kind, "c1"),)
    assert unanswered([call]) == waiting
    assert unanswered([call, answer]) == ()
    check_answers((), [call, answer])
    check_answers(waiting, [answer])
    for pending, items in (((), [call]), (waiting, []), (waiting, [call])):
        with pytest.raises(RequestRefused) as caught:
            check_answers(pending, items)
        assert str(caught.value) == (
            f"No tool output found for {kind.replace('_', ' ')} c1. Send its {answer['type']} in"
            " `input`."
        )
        assert (caught.value.status, caught.value.code, caught.value.param) == (400, None, "input")


@pytest.mark.parametrize("kind", KINDS)
def test_an_answer_of_another_kind_is_none(kind: str) -> None:
    call, _ = KINDS[kind]
    others = [answer for other, (_, answer) in KINDS.items() if other != kind]
    for answer in others:
        with pytest.raises(RequestRefused):
            check_answers((), [call, answer])
        assert unanswered([call, answer]) == (Call(kind, "c1"),)


def test_the_first_call_without_an_answer_is_named() -> None:
    calls = [{**CALL, "call_id": f"c{number}"} for number in range(4)]
    with pytest.raises(RequestRefused, match="function call c0"):
        check_answers((), [*calls, ANSWER])


@pytest.mark.parametrize(
    "item",
    [
        {"type": "tool_search_call", "call_id": "c1", "execution": "server", "arguments": {}},
        {"type": "tool_search_output", "call_id": "c1", "execution": "server", "tools": []},
        {"type": "tool_search_call", "call_id": None, "execution": "client", "arguments": {}},
        {"type": "web_search_call", "id": "ws_1"},
        {"type": "mcp_call", "id": "mcp_1", "output": None},
        {"type": "new_kind_of_call", "call_id": "c1"},
        {"type": "new_kind_of_call_output", "call_id": "c1"},
    ],
)
def test_what_the_server_does_itself_waits_for_nobody(item: dict[str, Any]) -> None:
    check_answers((), [item])
    assert unanswered([item]) == ()


@pytest.mark.parametrize("items", [[ANSWER], [CALL, ANSWER, ANSWER], [ANSWER, CALL]])
def test_an_output_that_answers_nothing_is_refused(items: list[dict[str, Any]]) -> None:
    with pytest.raises(RequestRefused, match="No call waits") as caught:
        check_answers((), items)
    assert caught.value.param == "input"


def test_r12_what_the_parent_said_is_not_said_twice() -> None:
    """LiveKit sends the call again beside its output, and the message, too."""
    again = [{**CALL, "id": "fc_mine"}, ANSWER, {"role": "user", "content": "and?"}]
    kept = without_repeats(whole_items([SAID, *again]), [SAID, CALL])
    assert kept == whole_items([ANSWER, {"role": "user", "content": "and?"}])


def test_r12_a_message_with_another_id_but_the_same_words_is_a_repeat() -> None:
    again = {"type": "message", "role": "assistant", "content": "Hello."}
    assert without_repeats([again], [SAID]) == []


def test_r12_new_things_stay() -> None:
    new = [
        {"type": "message", "role": "user", "content": "Hello."},
        {"type": "message", "role": "assistant", "content": "Something else."},
        {**CALL, "id": "fc_2", "call_id": "c2"},
        {**ANSWER, "id": "fc_1"},
        {"type": "web_search_call", "id": "ws_1"},
    ]
    assert without_repeats(new, [SAID, CALL]) == new


def test_a_reference_to_the_parents_item_is_a_repeat_and_another_one_is_refused() -> None:
    assert without_repeats([{"type": "item_reference", "id": "fc_1"}], [CALL]) == []
    with pytest.raises(RequestRefused) as caught:
        without_repeats([{"type": "item_reference", "id": "fc_9"}], [CALL])
    assert caught.value.param == "input[0].id"


@pytest.mark.parametrize(
    ("item", "text"),
    [
        (SAID, "Hello."),
        (ANSWER, "42"),
        ({"content": "plain"}, "plain"),
        ({"content": [{"type": "input_image"}, {"text": "a"}, "b", {"text": 1}]}, "a"),
        ({"content": None}, ""),
        ({}, ""),
    ],
)
def test_the_text_of_an_item(item: dict[str, Any], text: str) -> None:
    assert text_of(item) == text


REASONED = {"type": "reasoning", "id": "rs_1", "summary": [{"type": "summary_text", "text": "Hm"}]}
REFUSED = {
    "type": "message",
    "id": "msg_2",
    "role": "assistant",
    "content": [{"type": "refusal", "refusal": "No."}],
}


@pytest.mark.parametrize("item", [REASONED, REFUSED])
def test_r12_reasoning_and_refusals_without_their_ids_are_repeats(item: dict[str, Any]) -> None:
    again = {key: value for key, value in item.items() if key != "id"}
    assert without_repeats([again], [SAID, item]) == []
    assert without_repeats([again], [SAID]) == [again]


@pytest.mark.parametrize(
    "item",
    [
        {"type": "message", "role": "assistant", "content": "Hm"},
        {"type": "message", "role": "assistant", "content": "No."},
        {"type": "message", "role": "assistant", "content": []},
        {"type": "reasoning", "summary": []},
    ],
)
def test_r12_the_same_words_in_another_kind_of_item_are_new(item: dict[str, Any]) -> None:
    assert without_repeats([item], [REASONED, REFUSED]) == [item]
