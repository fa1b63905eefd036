"""Items of a history, how they are compared, and which calls are open."""

from __future__ import annotations

from typing import Any

import pytest

from turnwire.core.history import HistoryItem, canonical, unanswered
from turnwire.core.params import NOT_COMPARED, Params
from turnwire.core.request import http_body, websocket_message

Json = dict[str, Any]

MESSAGE = {
    "type": "message",
    "id": "msg_1",
    "role": "assistant",
    "status": "completed",
    "content": [{"type": "output_text", "text": "Hi.", "annotations": [], "logprobs": []}],
}
REASONING = {"type": "reasoning", "id": "rs_1", "summary": [], "encrypted_content": "abc"}
CALL = {"type": "function_call", "id": "fc_1", "call_id": "c", "name": "f", "arguments": '{"a":1}'}


def same(one: Json, other: Json) -> bool:
    return HistoryItem.of(one).same(HistoryItem.of(other))


@pytest.mark.parametrize(
    "echo",
    [
        dict(reversed(MESSAGE.items())),
        MESSAGE | {"status": None},
        {key: value for key, value in MESSAGE.items() if key != "status"},
        MESSAGE | {"content": [{"type": "output_text", "text": "Hi."}]},
        MESSAGE | {"content": "Hi."},
        {key: value for key, value in MESSAGE.items() if key != "type"},
        MESSAGE | {"phase": None, "created_at": 7, "created_by": {}},
    ],
)
def test_what_servers_add_and_sdks_drop_does_not_count(echo: Json) -> None:
    assert same(MESSAGE, echo)


@pytest.mark.parametrize(
    "other",
    [
        MESSAGE | {"id": "msg_2"},
        MESSAGE | {"role": "user"},
        MESSAGE | {"content": "Hi!"},
        MESSAGE | {"content": [*MESSAGE["content"], {"type": "output_text", "text": "More."}]},
        MESSAGE | {"phase": "final"},
    ],
)
def test_everything_else_counts(other: Json) -> None:
    assert not same(MESSAGE, other)


def test_text_for_content_is_one_part_of_the_roles_type() -> None:
    assert canonical({"role": "user", "content": "Hi."}) == {
        "type": "message",
        "role": "user",
        "content": [{"type": "input_text", "text": "Hi."}],
    }
    assert not same({"role": "user", "content": "Hi."}, {"role": "assistant", "content": "Hi."})


def test_empty_content_of_reasoning_is_not_echoed_and_encrypted_content_counts() -> None:
    assert same(REASONING, REASONING | {"content": []})
    assert same(REASONING, {key: value for key, value in REASONING.items() if key != "summary"})
    assert not same(REASONING, REASONING | {"encrypted_content": "abd"})


def test_an_item_that_was_shown_in_two_forms_is_either() -> None:
    streamed, terminal = REASONING, REASONING | {"encrypted_content": "encrypted anew"}
    forms = [HistoryItem.of(streamed).encoded, HistoryItem.of(terminal).encoded]
    item = HistoryItem(forms[1], forms[0])
    assert item.encoded == forms[1]
    assert [item.same(HistoryItem(form)) for form in forms] == [True, True]
    assert not item.same(HistoryItem.of(REASONING | {"encrypted_content": "other"}))


def test_arguments_count_as_they_are() -> None:
    assert not same(CALL, CALL | {"arguments": '{"a": 1}'})
    assert not same(CALL, CALL | {"call_id": "d"})


def test_an_item_is_a_json_object() -> None:
    for wrong in ("text", ["list"], 7, None):
        with pytest.raises(ValueError, match="must be an object"):
            HistoryItem.of(wrong)
    with pytest.raises(TypeError):
        HistoryItem.of({"role": object()})


ANSWERED = [
    ({"type": "function_call", "call_id": "c"}, {"type": "function_call_output", "call_id": "c"}),
    (
        {"type": "custom_tool_call", "call_id": "c"},
        {"type": "custom_tool_call_output", "call_id": "c"},
    ),
    ({"type": "computer_call", "call_id": "c"}, {"type": "computer_call_output", "call_id": "c"}),
    ({"type": "shell_call", "call_id": "c"}, {"type": "shell_call_output", "call_id": "c"}),
    (
        {"type": "apply_patch_call", "call_id": "c"},
        {"type": "apply_patch_call_output", "call_id": "c"},
    ),
    (
        {"type": "tool_search_call", "call_id": "c", "execution": "client"},
        {"type": "tool_search_output", "call_id": "c"},
    ),
    (
        {"type": "mcp_approval_request", "id": "c"},
        {"type": "mcp_approval_response", "approval_request_id": "c"},
    ),
]


@pytest.mark.parametrize(("call", "answer"), ANSWERED)
def test_each_kind_of_call_waits_for_its_own_answer(call: Json, answer: Json) -> None:
    asked, answered = HistoryItem.of(call), HistoryItem.of(answer)
    waiting = unanswered([asked])
    assert waiting == [(answer["type"], "c")]
    assert unanswered([asked, answered]) == []
    assert unanswered([answered], before=waiting) == []
    other = {key: "other" if value == "c" else value for key, value in answer.items()}
    assert unanswered([HistoryItem.of(other)], before=waiting) == waiting
    wrong = next(each for _, each in ANSWERED if each["type"] != answer["type"])
    assert unanswered([HistoryItem.of(wrong)], before=waiting) == waiting


@pytest.mark.parametrize(
    "item",
    [
        {"type": "tool_search_call", "call_id": "c", "execution": "server"},
        {"type": "web_search_call", "id": "c"},
        {"type": "mcp_call", "id": "c"},
        {"role": "user", "content": "Hi."},
        {"type": 7, "call_id": "c"},
    ],
)
def test_other_items_wait_for_nothing(item: Json) -> None:
    assert unanswered([HistoryItem.of(item)]) == []


# Parameters


def test_the_first_parameter_that_shapes_the_context_is_named() -> None:
    one = Params({"model": "m", "tools": ["a", "b"], "temperature": 1})
    assert one.difference(Params({"model": "m", "tools": ["a", "b"], "temperature": 2})) is None
    assert one.difference(Params({"model": "n", "tools": ["a"]})) == "model"
    assert one.difference(Params({"model": "m", "tools": ["b", "a"]})) == "tools"
    assert one.difference(Params({"model": "m"})) == "tools"
    assert Params({"model": "m"}).difference(one) == "tools"
    assert one.difference(Params({"tools": ["a", "b"], "model": "m", "new": 1})) == "new"


def test_what_is_per_turn_is_not_compared() -> None:
    nothing = Params({})
    assert [name for name in NOT_COMPARED if Params({name: 1}).difference(nothing)] == []


def test_none_means_not_given_and_store_is_true_unless_false() -> None:
    assert Params({"model": None, "store": None}).encoded == b""
    stores = (None, True, False)
    assert [Params({"store": store}).stored for store in stores] == [True, True, False]


def test_messages_are_joined_from_what_is_encoded() -> None:
    params, items = Params({"model": "m"}), [HistoryItem(b'{"a":1}'), HistoryItem(b'{"b": 2}')]
    assert (
        websocket_message(params, items, 'r"1', "lane-1")
        == b'{"type":"response.create","model":"m","stream_id":"lane-1",'
        b'"previous_response_id":"r\\"1","input":[{"a":1},{"b": 2}]}'
    )
    assert websocket_message(Params({}), None, None, None) == b'{"type":"response.create"}'
    assert http_body(params, [], None) == b'{"stream":true,"model":"m","input":[]}'
