"""Input items to chat messages, and messages there and back."""

import re
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from events.wire import PIXEL, chat_call, item_call, item_output, said
from turnwire.events import decode_event
from turnwire.events.conversion import (
    items_from_messages,
    messages_from_items,
)


def test_an_answer_of_several_items_becomes_one_message() -> None:
    items = [
        {"role": "user", "content": "Go."},
        {"type": "reasoning", "id": "rs_1", "summary": [], "encrypted_content": "x"},
        {
            "type": "message",
            "id": "msg_1",
            "status": "completed",
            "role": "assistant",
            "content": [{"type": "output_text", "text": "I look.", "annotations": []}],
        },
        item_call("c1") | {"id": "fc_1", "status": "completed"},
        {"type": "custom_tool_call", "call_id": "c2", "name": "sql", "input": "select 1"},
        item_output("c1", [{"type": "input_text", "text": "one"}]),
        {"type": "custom_tool_call_output", "call_id": "c2", "output": "two"},
        said("assistant", [{"type": "refusal", "refusal": "No."}]),
    ]

    assert messages_from_items(items, "Be brief.") == [
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": "Go."},
        {
            "role": "assistant",
            "content": "I look.",
            "tool_calls": [
                chat_call("c1"),
                {"id": "c2", "type": "custom", "custom": {"name": "sql", "input": "select 1"}},
            ],
        },
        {"role": "tool", "tool_call_id": "c1", "content": [{"type": "text", "text": "one"}]},
        {"role": "tool", "tool_call_id": "c2", "content": "two"},
        {"role": "assistant", "content": None, "refusal": "No."},
    ]


def test_text_between_calls_and_their_outputs_joins_the_message_of_the_calls() -> None:
    items = [
        said("assistant", "One."),
        item_call("c1"),
        said("assistant", "Two."),
        item_call("c2"),
        item_output("c1", "1"),
        item_output("c2", "2"),
    ]

    assert messages_from_items(items) == [
        {
            "role": "assistant",
            "content": "One.\n\nTwo.",
            "tool_calls": [chat_call("c1"), chat_call("c2")],
        },
        {"role": "tool", "tool_call_id": "c1", "content": "1"},
        {"role": "tool", "tool_call_id": "c2", "content": "2"},
    ]


def test_two_texts_of_an_assistant_are_two_messages() -> None:
    items = [said("assistant", "One."), said("assistant", "Two."), item_call("c1")]

    assert messages_from_items(items) == [
        {"role": "assistant", "content": "One."},
        {"role": "assistant", "content": "Two.", "tool_calls": [chat_call("c1")]},
    ]


def test_a_string_is_what_the_user_says() -> None:
    assert messages_from_items("Hello.") == [{"role": "user", "content": "Hello."}]


def test_what_a_client_sends_again_appears_once() -> None:
    held = [
        said("user", "Go."),
        said("assistant", "I look.") | {"id": "msg_1"},
        item_call("c1", arguments='{"a": 1, "b": 2}') | {"id": "fc_1"},
    ]
    sent = [
        said("assistant", "I look."),
        item_call("c1", arguments='{"b":2,"a":1}'),
        item_output("c1", "ok"),
        item_output("c1", "ok"),
        said("user", "I look."),
        said("assistant", "I look."),
    ]

    assert messages_from_items(held + sent) == [
        {"role": "user", "content": "Go."},
        {
            "role": "assistant",
            "content": "I look.",
            "tool_calls": [chat_call("c1", arguments='{"a": 1, "b": 2}')],
        },
        {"role": "tool", "tool_call_id": "c1", "content": "ok"},
        {"role": "user", "content": "I look."},
        {"role": "assistant", "content": "I look."},
    ]


def test_items_of_a_response_can_be_handed_back() -> None:
    event = decode_event(
        b'{"type":"response.output_item.done","item":{"type":"function_call","id":"fc_1",'
        b'"call_id":"c1","name":"look","arguments":"{}"}}'
    )

    assert messages_from_items([event.item]) == [
        {"role": "assistant", "content": None, "tool_calls": [chat_call("c1")]}
    ]


@pytest.mark.parametrize(
    ("item", "complaint"),
    [
        (5, "input[1] is a int; expected a JSON object"),
        ({"id": "x"}, "input[1] (None): an item of this type"),
        ({"type": "web_search_call", "id": "ws_1"}, "input[1] (web_search_call): an item of"),
        ({"role": "critic", "content": "x"}, "input[1] (message): unknown role 'critic'"),
        ({"role": "user"}, "input[1] (message): expected a list of JSON objects"),
        (
            said("user", [{"type": "input_image", "file_id": "f"}]),
            "input[1] (message): a chat message takes an image by URL",
        ),
        (
            said("user", [{"type": "input_file", "file_url": "https://example.org"}]),
            "input[1] (message): a chat message takes a file by `file_id` or",
        ),
        (said("user", [{"type": "computer_screenshot"}]), "input[1] (message): a content part of"),
        (said("assistant", [{"type": "input_image"}]), "input[1] (message): a part of type"),
        ({"type": "function_call", "name": "a"}, "input[1] (function_call): expected a string"),
        (item_call("c0", "other"), "input[1] (function_call): another call has the same"),
        (item_call("c0", arguments='{"a":1}'), "input[1] (function_call): another call has the"),
        (item_call("c0", arguments="{"), "input[1] (function_call): another call has the same"),
        ({"type": "function_call_output", "call_id": "c"}, "input[1] (function_call_output): exp"),
    ],
)
def test_items_that_chat_cannot_say_name_their_place(item: Any, complaint: str) -> None:
    with pytest.raises(ValueError, match="^" + re.escape(complaint)):
        messages_from_items([item_call("c0"), item])


def test_two_different_outputs_of_one_call_are_refused() -> None:
    with pytest.raises(ValueError, match="the call has another output already"):
        messages_from_items([item_call("c"), item_output("c", "1"), item_output("c", "2")])


# --- there and back ----------------------------------------------------------------------------

LETTERS = 'aZ é漢🙂"{}\\\n'
TEXT = st.text(LETTERS, min_size=1, max_size=6)
NAMES = st.text("ab_", min_size=1, max_size=4)
PARTS = st.one_of(
    TEXT.map(lambda text: {"type": "text", "text": text}),
    st.sampled_from(["low", "high"]).map(
        lambda detail: {"type": "image_url", "image_url": {"url": PIXEL, "detail": detail}}
    ),
    st.just({"type": "image_url", "image_url": {"url": "https://example.org/a.png"}}),
    st.just({"type": "input_audio", "input_audio": {"data": "AA==", "format": "mp3"}}),
    NAMES.map(lambda name: {"type": "file", "file": {"file_id": name}}),
)
CONTENT = TEXT | st.lists(PARTS, min_size=1, max_size=3)


@st.composite
def canonical_histories(draw: Any) -> Any:
    """Chat as its documentation shows it: calls are answered at once, by unique ids."""
    history = []
    for block in range(draw(st.integers(0, 5))):
        role = draw(st.sampled_from(["system", "developer", "user"]))
        history.append({"role": role, "content": draw(CONTENT)})
        answer = {"role": "assistant", "content": draw(TEXT)}
        if draw(st.booleans()):
            answer["refusal"] = draw(TEXT)
        outputs = []
        for number in range(draw(st.integers(0, 3))):
            call_id = f"c{block}.{number}"
            name, said_by_model = draw(NAMES), draw(st.text(LETTERS, max_size=6))
            if draw(st.booleans()):
                call = chat_call(call_id, name, said_by_model)
            else:
                inside = {"name": name, "input": said_by_model}
                call = {"id": call_id, "type": "custom", "custom": inside}
            answer.setdefault("tool_calls", []).append(call)
            outputs.append({"role": "tool", "tool_call_id": call_id, "content": draw(CONTENT)})
        if len(answer) > 2 and draw(st.booleans()):
            answer["content"] = None
        history += [answer, *draw(st.permutations(outputs))]
    return history


@settings(max_examples=50)
@given(canonical_histories())
def test_messages_survive_the_way_there_and_back(history: Any) -> None:
    assert messages_from_items(items_from_messages(history)) == history


@settings(max_examples=50)
@given(canonical_histories(), st.integers(0, 40))
def test_a_longer_history_begins_with_the_items_of_the_shorter_one(
    history: Any, length: int
) -> None:
    whole = items_from_messages(history)
    start = items_from_messages(history[:length])

    assert whole[: len(start)] == start


@settings(max_examples=50)
@given(canonical_histories())
def test_items_survive_being_sent_twice(history: Any) -> None:
    """Each answer arrives once as the server holds it and once more from the client."""
    items = []
    for message in history:
        made = items_from_messages([message])
        items += made * 2 if message["role"] == "assistant" else made
    assert messages_from_items(items) == history
