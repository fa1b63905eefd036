"""Chat messages to input items and back: by example, by property, and what is refused."""

import re
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from openai.types.chat import ChatCompletionMessage

from turnwire.events import OtherItem, Usage, decode_event
from turnwire.events.conversion import (
    AssistantMessage,
    ChatTools,
    ToolCall,
    assistant_message,
    chat_tool_choice,
    chat_tools_from_tools,
    function_call_output,
    function_tools_from_chat_tools,
    items_from_messages,
    messages_from_items,
    tool_choice_from_chat,
    user_message,
)

PIXEL = "data:image/png;base64,iVBORw0KGgo="


def said(role: str, content: Any) -> dict[str, Any]:
    return {"type": "message", "role": role, "content": content}


def chat_call(call_id: str, name: str = "look", arguments: str = "{}") -> dict[str, Any]:
    function = {"name": name, "arguments": arguments}
    return {"id": call_id, "type": "function", "function": function}


def item_call(call_id: str, name: str = "look", arguments: str = "{}") -> dict[str, Any]:
    return {"type": "function_call", "call_id": call_id, "name": name, "arguments": arguments}


def item_output(call_id: str, output: Any) -> dict[str, Any]:
    return {"type": "function_call_output", "call_id": call_id, "output": output}


# --- messages to items -------------------------------------------------------------------------


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


# --- items to messages -------------------------------------------------------------------------


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


# --- tools and tool choice ---------------------------------------------------------------------

SCHEMA = {"type": "object", "properties": {"city": {"type": "string"}}}
GRAMMAR = {"definition": "start: /a+/", "syntax": "lark"}


@pytest.mark.parametrize(
    ("chat", "flat"),
    [
        (
            {
                "type": "function",
                "function": {
                    "name": "weather",
                    "description": "The weather.",
                    "parameters": SCHEMA,
                    "strict": True,
                },
            },
            {
                "type": "function",
                "name": "weather",
                "description": "The weather.",
                "parameters": SCHEMA,
                "strict": True,
            },
        ),
        (
            {"type": "function", "function": {"name": "weather", "parameters": SCHEMA}},
            {"type": "function", "name": "weather", "parameters": SCHEMA, "strict": False},
        ),
        (
            {
                "type": "custom",
                "custom": {"name": "a", "format": {"type": "grammar", "grammar": GRAMMAR}},
            },
            {"type": "custom", "name": "a", "format": {"type": "grammar"} | GRAMMAR},
        ),
        (
            {"type": "custom", "custom": {"name": "a", "format": {"type": "text"}}},
            {"type": "custom", "name": "a", "format": {"type": "text"}},
        ),
    ],
)
def test_tools_both_ways(chat: Any, flat: Any) -> None:
    assert function_tools_from_chat_tools([chat]) == [flat]
    assert chat_tools_from_tools([flat]) == ChatTools([chat], [])


def test_a_chat_function_without_parameters_takes_none() -> None:
    tools = [{"type": "function", "function": {"name": "now", "strict": None}}]

    assert function_tools_from_chat_tools(tools) == [
        {
            "type": "function",
            "name": "now",
            "parameters": {"type": "object", "properties": {}},
            "strict": False,
        }
    ]


def test_other_tools_pass_one_way_and_are_reported_the_other_way() -> None:
    hosted = [
        {"type": "web_search"},
        {"type": "namespace", "name": "crm", "tools": [{"type": "function", "name": "find"}]},
    ]
    flat = {"type": "function", "name": "a", "parameters": SCHEMA, "strict": False}
    nested = {"type": "function", "function": {"name": "a", "parameters": SCHEMA}}

    assert function_tools_from_chat_tools([*hosted, flat]) == [*hosted, flat]
    assert chat_tools_from_tools([*hosted, flat]) == ChatTools([nested], hosted)
    assert chat_tools_from_tools([nested]) == ChatTools([nested], [])


@pytest.mark.parametrize(
    ("chat", "flat"),
    [
        ("auto", "auto"),
        ("none", "none"),
        ("required", "required"),
        ({"type": "function", "function": {"name": "a"}}, {"type": "function", "name": "a"}),
        ({"type": "custom", "custom": {"name": "a"}}, {"type": "custom", "name": "a"}),
        (
            {
                "type": "allowed_tools",
                "allowed_tools": {
                    "mode": "required",
                    "tools": [{"type": "function", "function": {"name": "a"}}],
                },
            },
            {
                "type": "allowed_tools",
                "mode": "required",
                "tools": [{"type": "function", "name": "a"}],
            },
        ),
    ],
)
def test_tool_choice_both_ways(chat: Any, flat: Any) -> None:
    assert tool_choice_from_chat(chat) == flat
    assert chat_tool_choice(flat) == chat


def test_a_choice_of_a_hosted_tool_passes_to_responses_and_not_to_chat() -> None:
    choice = {"type": "web_search"}

    assert tool_choice_from_chat(choice) == choice
    with pytest.raises(ValueError, match="'web_search' has no counterpart"):
        chat_tool_choice(choice)
    with pytest.raises(ValueError, match="expected `name`"):
        chat_tool_choice({"type": "function"})


# --- the answer --------------------------------------------------------------------------------


def response(output: Any, **members: Any) -> Any:
    whole = {"id": "resp_1", "model": "m", "output": output} | members
    event = {"type": "response.completed", "response": whole}
    return decode_event(msgspec.json.encode(event)).response


def test_a_response_becomes_one_message() -> None:
    found = assistant_message(
        response(
            [
                {"type": "reasoning", "id": "rs", "summary": []},
                {"type": "web_search_call", "id": "ws", "status": "completed"},
                said("assistant", [{"type": "output_text", "text": "I "}]),
                said("assistant", [{"type": "output_text", "text": "look."}]),
                item_call("c1", "look", '{"at": 1}'),
                {"type": "custom_tool_call", "call_id": "c2", "name": "sql", "input": "select 1"},
            ],
            status="completed",
            usage=Usage(input_tokens=3, output_tokens=4, total_tokens=7),
        )
    )

    search = found.other_items[0]
    assert isinstance(search, OtherItem)
    assert search.to_dict() == {"type": "web_search_call", "id": "ws", "status": "completed"}
    assert found == AssistantMessage(
        text="I look.",
        tool_calls=(
            ToolCall(call_id="c1", name="look", arguments='{"at": 1}'),
            ToolCall(call_id="c2", name="sql", arguments="select 1", kind="custom"),
        ),
        other_items=(search,),
        stop_reason="tool_calls",
        usage=Usage(input_tokens=3, output_tokens=4, total_tokens=7),
        response_id="resp_1",
        model="m",
    )
    assert found.to_dict() == {
        "role": "assistant",
        "content": "I look.",
        "tool_calls": [
            chat_call("c1", "look", '{"at": 1}'),
            {"id": "c2", "type": "custom", "custom": {"name": "sql", "input": "select 1"}},
        ],
    }
    assert [call.to_item() for call in found.tool_calls] == [
        item_call("c1", "look", '{"at": 1}'),
        {"type": "custom_tool_call", "call_id": "c2", "name": "sql", "input": "select 1"},
    ]


def test_a_refusal_is_not_text() -> None:
    refused = said("assistant", [{"type": "refusal", "refusal": "No."}])

    found = assistant_message(response([refused], status="completed"))

    assert (found.text, found.refusal, found.stop_reason) == ("", "No.", "stop")
    assert found.to_dict() == {"role": "assistant", "content": None, "refusal": "No."}


@pytest.mark.parametrize(
    ("members", "output", "expected"),
    [
        ({"status": "completed"}, [], "stop"),
        ({}, [], "stop"),
        ({"status": "completed"}, [item_call("c")], "tool_calls"),
        (
            {"status": "incomplete", "incomplete_details": {"reason": "max_output_tokens"}},
            [item_call("c")],
            "length",
        ),
        (
            {"status": "incomplete", "incomplete_details": {"reason": "content_filter"}},
            [],
            "content_filter",
        ),
        ({"status": "incomplete", "incomplete_details": {"reason": "steered"}}, [], "incomplete"),
        ({"status": "incomplete"}, [], "incomplete"),
        ({"status": "in_progress"}, [item_call("c")], "incomplete"),
        ({"status": "failed"}, [item_call("c")], "error"),
        ({"status": "cancelled"}, [], "cancelled"),
    ],
)
def test_why_the_model_stopped(members: Any, output: Any, expected: Any) -> None:
    assert assistant_message(response(output, **members)).stop_reason == expected


def test_builders() -> None:
    parts = [{"type": "input_text", "text": "ok"}]

    assert user_message("Hi.") == said("user", "Hi.")
    assert function_call_output("c", "ok") == item_output("c", "ok")
    assert function_call_output("c", parts) == item_output("c", parts)
    assert function_call_output("c", "ok", kind="custom") == {
        "type": "custom_tool_call_output",
        "call_id": "c",
        "output": "ok",
    }
