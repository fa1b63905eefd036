"""Chat messages to input items: by example, and what is refused."""

import re
from typing import Any

import pytest
from openai.types.chat import ChatCompletionMessage

from events.wire import PIXEL, chat_call, item_call, item_output, said
from turnwire.events.conversion import (
    items_from_messages,
)


def test_a_whole_conversation_keeps_its_order() -> None:
    messages = [
        {"role": "system", "content": "Be brief."},
        {"role": "developer", "content": [{"type": "text", "text": "No jokes."}]},
        {"role": "user", "content": "Weather?"},
        {
            "role": "assistant",
            "content": "I look.",
            "tool_calls": [
                chat_call("c1", "weather", '{"city":"Oslo"}'),
                {"id": "c2", "type": "custom", "custom": {"name": "sql", "input": "select 1"}},
            ],
        },
        {"role": "tool", "tool_call_id": "c1", "content": "rain"},
        {"role": "tool", "tool_call_id": "c2", "content": [{"type": "text", "text": "1"}]},
        {"role": "assistant", "content": "Rain.", "refusal": "No more."},
    ]

    assert items_from_messages(messages) == [
        said("system", "Be brief."),
        said("developer", [{"type": "input_text", "text": "No jokes."}]),
        said("user", "Weather?"),
        said("assistant", "I look."),
        item_call("c1", "weather", '{"city":"Oslo"}'),
        {"type": "custom_tool_call", "call_id": "c2", "name": "sql", "input": "select 1"},
        item_output("c1", "rain"),
        {
            "type": "custom_tool_call_output",
            "call_id": "c2",
            "output": [{"type": "input_text", "text": "1"}],
        },
        said(
            "assistant",
            [
                {"type": "output_text", "text": "Rain."},
                {"type": "refusal", "refusal": "No more."},
            ],
        ),
    ]


def test_blocks_are_flushed_before_each_call_and_thinking_is_not_sent() -> None:
    messages = [
        {
            "role": "assistant",
            "content": [
                {"type": "thinking", "thinking": "hm", "thinkingSignature": "s"},
                {"type": "text", "text": "First "},
                {"type": "text", "text": "this."},
                {"type": "toolCall", "id": "c1", "name": "look", "arguments": {"at": 1}},
                {"type": "text", "text": "Then that."},
                {"type": "tool_use", "id": "c2", "name": "look", "input": {"at": 2}},
                {"type": "toolCall", "id": "c3", "name": "look", "arguments": '{"at": 3}'},
                {"type": "text", "text": "Done."},
            ],
            "stopReason": "toolUse",
            "usage": {"input": 1},
        },
        {
            "role": "toolResult",
            "toolCallId": "c1",
            "toolName": "look",
            "content": [{"type": "image", "data": "AAAA", "mimeType": "image/png"}],
            "isError": False,
        },
        {
            "role": "user",
            "content": [
                {"type": "text", "text": "Here:"},
                {"type": "tool_result", "tool_use_id": "c2", "content": "two"},
                {"type": "text", "text": "Go on."},
            ],
        },
    ]

    assert items_from_messages(messages) == [
        said("assistant", "First this."),
        item_call("c1", arguments='{"at":1}'),
        said("assistant", "Then that."),
        item_call("c2", arguments='{"at":2}'),
        item_call("c3", arguments='{"at": 3}'),
        said("assistant", "Done."),
        item_output(
            "c1",
            [{"type": "input_image", "image_url": "data:image/png;base64,AAAA", "detail": "auto"}],
        ),
        said("user", [{"type": "input_text", "text": "Here:"}]),
        item_output("c2", "two"),
        said("user", [{"type": "input_text", "text": "Go on."}]),
    ]


def test_a_call_written_as_block_and_in_tool_calls_is_one_call() -> None:
    message = {
        "role": "assistant",
        "content": [{"type": "tool_use", "id": "c1", "name": "look", "input": {}}],
        "tool_calls": [chat_call("c1"), chat_call("c2")],
    }

    assert items_from_messages([message]) == [item_call("c1"), item_call("c2")]


@pytest.mark.parametrize(
    ("part", "expected"),
    [
        (
            {"type": "image_url", "image_url": {"url": PIXEL, "detail": "high"}},
            {"type": "input_image", "image_url": PIXEL, "detail": "high"},
        ),
        (
            {"type": "image_url", "image_url": "https://example.org/a.png"},
            {
                "type": "input_image",
                "image_url": "https://example.org/a.png",
                "detail": "auto",
            },
        ),
        (
            {
                "type": "image",
                "source": {"type": "base64", "media_type": "image/gif", "data": "R0lG"},
            },
            {"type": "input_image", "image_url": "data:image/gif;base64,R0lG", "detail": "auto"},
        ),
        (
            {"type": "image", "source": {"type": "url", "url": "https://example.org/b"}},
            {"type": "input_image", "image_url": "https://example.org/b", "detail": "auto"},
        ),
        (
            {"type": "input_audio", "input_audio": {"data": "AA==", "format": "wav"}},
            {"type": "input_audio", "input_audio": {"data": "AA==", "format": "wav"}},
        ),
        (
            {"type": "file", "file": {"file_data": "AA==", "filename": "a.pdf"}},
            {"type": "input_file", "file_data": "AA==", "filename": "a.pdf"},
        ),
        (
            {"type": "text", "text": "x", "prompt_cache_breakpoint": {"mode": "explicit"}},
            {"type": "input_text", "text": "x", "prompt_cache_breakpoint": {"mode": "explicit"}},
        ),
        (
            {"type": "input_image", "file_id": "file_1"},
            {"type": "input_image", "file_id": "file_1"},
        ),
    ],
)
def test_content_parts(part: Any, expected: Any) -> None:
    assert items_from_messages([{"role": "user", "content": [part]}]) == [said("user", [expected])]


def test_missing_ids_come_from_the_position_and_pair_with_their_outputs() -> None:
    messages = [
        {
            "role": "assistant",
            "tool_calls": [
                {"type": "function", "function": {"name": "a", "arguments": "{}"}},
                {"id": "", "function": {"name": "b", "arguments": {"x": 1}}},
            ],
        },
        {"role": "tool", "content": "A"},
        {"role": "tool", "content": "B"},
        {"role": "assistant", "content": None, "function_call": {"name": "old", "arguments": ""}},
        {"role": "function", "name": "old", "content": "C"},
    ]
    expected = [
        item_call("call_7_0", "a"),
        item_call("call_7_1", "b", '{"x":1}'),
        item_output("call_7_0", "A"),
        item_output("call_7_1", "B"),
        item_call("call_10_0", "old", ""),
        item_output("call_10_0", "C"),
    ]

    assert items_from_messages(messages, first_index=7) == expected
    assert items_from_messages(messages, first_index=7) == expected


def test_an_old_function_message_answers_the_call_of_its_name() -> None:
    messages = [
        {"role": "assistant", "function_call": {"name": "a", "arguments": "{}"}},
        {"role": "assistant", "function_call": {"name": "b", "arguments": "{}"}},
        {"role": "function", "name": "b", "content": "B"},
        {"role": "function", "name": "a", "content": "A"},
    ]

    assert items_from_messages(messages)[2:] == [
        item_output("call_1_0", "B"),
        item_output("call_0_0", "A"),
    ]


def test_the_output_of_an_earlier_custom_call_keeps_its_type() -> None:
    answer = [{"role": "tool", "tool_call_id": "c1", "content": "ok"}]

    assert items_from_messages(answer, custom_call_ids=["c1"]) == [
        {"type": "custom_tool_call_output", "call_id": "c1", "output": "ok"}
    ]


def test_objects_of_the_official_sdk_are_welcome() -> None:
    message = ChatCompletionMessage.model_validate(
        {
            "role": "assistant",
            "content": None,
            "refusal": None,
            "annotations": [],
            "tool_calls": [chat_call("c1")],
        }
    )

    assert items_from_messages([message]) == [item_call("c1")]


@pytest.mark.parametrize("content", [None, "", [], [{"type": "thinking", "thinking": "hm"}]])
def test_an_assistant_message_that_says_nothing_makes_no_item(content: Any) -> None:
    assert items_from_messages([{"role": "assistant", "content": content}]) == []


def test_a_user_may_say_nothing_and_answer_calls_alone() -> None:
    answer = {"type": "tool_result", "tool_use_id": "c1", "content": "one"}

    assert items_from_messages([{"role": "user", "content": []}]) == [said("user", [])]
    assert items_from_messages([{"role": "user", "content": [answer]}]) == [
        item_output("c1", "one")
    ]


def test_the_items_share_nothing_with_the_messages() -> None:
    messages = [{"role": "user", "content": [{"type": "input_file", "file_id": "f"}]}]

    items_from_messages(messages)[0]["content"][0]["file_id"] = "changed"

    assert messages == [{"role": "user", "content": [{"type": "input_file", "file_id": "f"}]}]


@pytest.mark.parametrize(
    ("message", "complaint"),
    [
        ("hello", "messages[1] is a str; expected a JSON object"),
        ({"role": "user", "content": {1, 2j}}, "messages[1] holds something that JSON cannot"),
        ({"role": "user", "content": "\ud800"}, "messages[1] holds something that JSON cannot"),
        ({"content": "x"}, "messages[1]: expected a string `role`, got NoneType"),
        ({"role": "critic", "content": "x"}, "messages[1] (critic): unknown role"),
        ({"role": "user"}, "messages[1] (user): content: expected a list of JSON objects"),
        ({"role": "user", "content": "x", "name": "Ann"}, "messages[1] (user): `name`"),
        ({"role": "user", "content": ["x"]}, "messages[1] (user): content: expected a list"),
        (
            {"role": "user", "content": [{"type": "video_url"}]},
            "messages[1] (user): a content part of type 'video_url'",
        ),
        (
            {"role": "user", "content": [{"type": "text", "text": "x", "cache_control": {}}]},
            "messages[1] (user): `cache_control` of a content part",
        ),
        (
            {"role": "user", "content": [{"type": "text", "text": 5}]},
            "messages[1] (user): expected a string `text`, got int",
        ),
        (
            {"role": "user", "content": [{"type": "file"}]},
            "messages[1] (user): expected a JSON object `file`",
        ),
        (
            {"role": "assistant", "content": [{"type": "image", "data": "AA"}]},
            "messages[1] (assistant): a block of type 'image'",
        ),
        ({"role": "assistant", "audio": {"id": "a"}}, "messages[1] (assistant): `audio`"),
        (
            {"role": "assistant", "tool_calls": [{"id": "c", "function": {}}]},
            "messages[1] (assistant): tool call: expected a string `name`",
        ),
        (
            {"role": "assistant", "tool_calls": [{"id": "c", "type": "shell"}]},
            "messages[1] (assistant): a block of type 'shell'",
        ),
        ({"role": "tool", "content": "x"}, "messages[1] (tool): no `tool_call_id`"),
        (
            {"role": "tool", "tool_call_id": 5, "content": "x"},
            "messages[1] (tool): expected a string `tool_call_id`, got int",
        ),
        ({"role": "tool", "tool_call_id": "c"}, "messages[1] (tool): content: expected a list"),
    ],
)
def test_what_cannot_be_converted_names_its_place(message: Any, complaint: str) -> None:
    with pytest.raises(ValueError, match="^" + re.escape(complaint)):
        items_from_messages([{"role": "user", "content": "hi"}, message])
