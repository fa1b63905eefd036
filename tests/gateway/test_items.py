"""Input items: whole, answered, without repeats."""

from typing import Any

import pytest

from turnwire.gateway.items import still_pending, text_of, whole_items, without_repeats
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


def test_calls_wait_until_they_are_answered() -> None:
    other = {**CALL, "call_id": "c2"}
    assert still_pending(frozenset(), [CALL, other]) == {"c1", "c2"}
    assert still_pending(frozenset({"c1", "c2"}), [ANSWER]) == {"c2"}
    assert still_pending(frozenset(), [CALL, ANSWER]) == frozenset()


def test_every_kind_of_call_waits_for_its_output() -> None:
    kinds = ["custom_tool", "computer", "shell", "apply_patch", "tool_search", "local_shell"]
    calls = [{"type": f"{kind}_call", "call_id": kind} for kind in kinds]
    outputs = [{"type": f"{kind}_call_output", "call_id": kind} for kind in kinds]
    assert still_pending(frozenset(), calls) == set(kinds)
    assert still_pending(frozenset(kinds), outputs) == frozenset()


@pytest.mark.parametrize("items", [[ANSWER], [CALL, ANSWER, ANSWER]])
def test_an_output_that_answers_nothing_is_refused(items: list[dict[str, Any]]) -> None:
    with pytest.raises(RequestRefused, match="No call waits") as caught:
        still_pending(frozenset(), items)
    assert caught.value.param == "input"


def test_r12_what_the_parent_said_is_not_said_twice() -> None:
    """LiveKit sends the call again beside its output, and the message, too."""
    again = [{**CALL, "id": "fc_mine"}, ANSWER, {"role": "user", "content": "and?"}]
    kept = without_repeats(whole_items([SAID, *again]), [SAID, CALL], frozenset())
    assert kept == whole_items([ANSWER, {"role": "user", "content": "and?"}])


def test_r12_a_message_with_another_id_but_the_same_words_is_a_repeat() -> None:
    again = {"type": "message", "role": "assistant", "content": "Hello."}
    assert without_repeats([again], [SAID], frozenset()) == []


def test_r12_a_call_that_waits_further_up_the_chain_is_a_repeat() -> None:
    assert without_repeats([CALL, ANSWER], [], frozenset({"c1"})) == [ANSWER]


def test_r12_new_things_stay() -> None:
    new = [
        {"type": "message", "role": "user", "content": "Hello."},
        {"type": "message", "role": "assistant", "content": "Something else."},
        {**CALL, "id": "fc_2", "call_id": "c2"},
        {**ANSWER, "id": "fc_1"},
        {"type": "web_search_call", "id": "ws_1"},
    ]
    assert without_repeats(new, [SAID, CALL], frozenset()) == new


def test_a_reference_to_the_parents_item_is_a_repeat_and_another_one_is_refused() -> None:
    assert without_repeats([{"type": "item_reference", "id": "fc_1"}], [CALL], frozenset()) == []
    with pytest.raises(RequestRefused) as caught:
        without_repeats([{"type": "item_reference", "id": "fc_9"}], [CALL], frozenset())
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
