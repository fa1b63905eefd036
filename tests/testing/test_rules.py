from __future__ import annotations

from typing import Any

import pytest

from turnwire.testing.rules import Memory, Node, bind, check, decode_message, decode_object
from turnwire.testing.steps import Error

USER = {"role": "user", "content": "hi"}
REPLY = {"id": "msg_1", "type": "message", "role": "assistant", "content": [{"text": "hello"}]}
CALL = {"type": "function_call", "id": "fc_1", "call_id": "call_1", "name": "f", "arguments": "{}"}
OUTPUT = {"type": "function_call_output", "call_id": "call_1", "output": "1"}
REASONING = {"type": "reasoning", "id": "rs_1", "summary": [], "encrypted_content": "e"}


def said(refusal: Error | None) -> tuple[str | None, str | None] | None:
    return None if refusal is None else (refusal.code, refusal.message)


@pytest.mark.parametrize(
    ("context", "items"),
    [
        ([], [USER]),
        ([USER, REPLY], [USER]),  # people repeat themselves
        ([USER, CALL], [OUTPUT]),
        ([USER, CALL], [OUTPUT, USER]),
        ([], [USER, CALL, OUTPUT]),  # full history
        ([USER, CALL, OUTPUT, REPLY], [USER]),
        ([USER], []),
        ([], [USER, {"role": "assistant", "content": "ok"}, USER]),
    ],
)
def test_what_may_follow(context: list[Any], items: list[Any]) -> None:
    assert check(context, items) is None


@pytest.mark.parametrize(
    ("context", "items", "index"),
    [
        ([USER, REPLY], [REPLY], 0),
        ([USER, REPLY], [{"role": "assistant", "content": "hello"}], 0),
        ([USER, CALL], [CALL, OUTPUT], 0),
        ([USER, CALL], [{k: v for k, v in CALL.items() if k != "id"}, OUTPUT], 0),
        ([USER, CALL, OUTPUT], [USER, OUTPUT], 1),
        ([USER, REASONING, REPLY], [REASONING], 0),
        ([USER, REASONING, REPLY], [REASONING | {"id": "rs_2"}], 0),
        ([USER], [USER], 0),  # a warm-up's input once more
        ([{"role": "developer", "content": "x"}], [{"role": "developer", "content": "x"}], 0),
        ([], [USER, REPLY, REPLY], 2),
        ([USER, CALL], [OUTPUT, OUTPUT], 1),
    ],
)
def test_what_the_chain_holds_may_not_be_sent_again(
    context: list[Any], items: list[Any], index: int
) -> None:
    refusal = check(context, items)
    assert refusal is not None
    assert ("duplicate_item", f"input[{index}]") == (refusal.code, refusal.param)


@pytest.mark.parametrize("items", [[OUTPUT], [{"role": "user", "content": "so"}, OUTPUT]])
def test_an_output_needs_its_call(items: list[Any]) -> None:
    expected = (
        None,
        f"No tool call found for function call output at input[{len(items) - 1}].",
    )
    assert expected == said(check([USER], items))


def test_an_output_of_the_wrong_kind_is_no_answer() -> None:
    wrong = {"type": "custom_tool_call_output", "call_id": "call_1", "output": ""}
    expected = (None, "No tool call found for custom tool call output at input[0].")
    assert expected == said(check([USER, CALL], [wrong]))


@pytest.mark.parametrize("items", [[], [USER], [{"type": "x"}]])
def test_a_call_needs_its_output(items: list[Any]) -> None:
    expected = (None, "No tool output found for function call call_1.")
    assert expected == said(check([USER, CALL], items))


@pytest.mark.parametrize(
    ("call", "answer"),
    [
        ("function_call", "function_call_output"),
        ("custom_tool_call", "custom_tool_call_output"),
        ("computer_call", "computer_call_output"),
        ("shell_call", "shell_call_output"),
        ("apply_patch_call", "apply_patch_call_output"),
        ("tool_search_call", "tool_search_output"),
    ],
)
def test_all_kinds_of_calls_are_answered_by_their_own_kind(call: str, answer: str) -> None:
    asked = [{"type": call, "id": "x", "call_id": "c"}]
    assert check(asked, [{"type": answer, "call_id": "c"}]) is None
    assert check(asked, []) is not None


def test_an_approval_is_answered_by_the_id_of_its_request() -> None:
    asked = [{"type": "mcp_approval_request", "id": "mcpr_1"}]
    answer = {"type": "mcp_approval_response", "approval_request_id": "mcpr_1", "approve": True}
    assert check(asked, [answer]) is None
    assert check(asked, []) is not None


def node(response_id: str) -> Node:
    return Node(response_id, (USER,))


def test_a_lane_holds_its_latest_response_only() -> None:
    memory = Memory({})
    memory.keep(None, node("a"), store=False)
    memory.keep("x", node("b"), store=False)
    memory.keep(None, node("c"), store=False)
    found = [memory.find(name) is not None for name in ("a", "b", "c")]
    assert found == [False, True, True]


def test_the_store_outlives_lane_and_connection() -> None:
    stored: dict[str, Node] = {}
    first = Memory(stored)
    first.keep(None, node("a"), store=True)
    first.keep(None, node("b"), store=False)
    second = Memory(stored)
    assert [second.find(name) is not None for name in ("a", "b")] == [True, False]


def test_only_the_parent_on_its_own_lane_is_evicted() -> None:
    memory = Memory({})
    memory.keep(None, node("a"), store=False)
    memory.keep("x", node("b"), store=False)
    memory.evict("x", "a")
    memory.evict(None, None)
    assert memory.find("a") is not None
    memory.evict(None, "a")
    assert [memory.find(name) is not None for name in ("a", "b")] == [False, True]


def test_bind_returns_the_chain() -> None:
    memory = Memory({})
    memory.keep(None, Node("a", (USER, REPLY)), store=False)
    found = bind({"model": "m", "previous_response_id": "a", "input": "more"}, memory)
    assert found == (USER, REPLY)


@pytest.mark.parametrize(
    ("request_", "code", "param"),
    [
        ({"model": "m", "previous_response_id": "z"},
         "previous_response_not_found", "previous_response_id"),
        ({"input": "hi"}, "missing_required_parameter", "model"),
        ({"model": "m", "input": 5}, "invalid_type", "input"),
        ({"model": "m", "input": ["x"]}, "invalid_type", "input"),
    ],
)  # fmt: skip
def test_what_cannot_be_bound(request_: dict[str, Any], code: str, param: str) -> None:
    refusal = bind(request_, Memory({}))
    assert isinstance(refusal, Error)
    assert (code, param, 400) == (refusal.code, refusal.param, refusal.status)


@pytest.mark.parametrize("data", [b"", b"{", b"[]", b"null", b'"x"', b"\xff"])
def test_what_is_no_object(data: bytes) -> None:
    refusal = decode_object(data)
    assert isinstance(refusal, Error)
    assert refusal.code == "invalid_json"


def test_a_message_has_a_type() -> None:
    assert decode_message(b'{"type":"x"}') == {"type": "x"}
    refusal = decode_message(b'{"type":1}')
    assert isinstance(refusal, Error)
    assert refusal.code == "invalid_event"
