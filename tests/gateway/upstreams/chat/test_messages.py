"""Items of a chain as messages of a chat."""

from __future__ import annotations

import base64
from typing import Any

import pytest

from gateway.support import output_of, user
from gateway.upstreams.chat.support import Json, body_of, messages_of, prompt_of
from turnwire.gateway.upstreams import UpstreamFailed
from turnwire.gateway.upstreams.chat import ChatOptions

PNG = "data:image/png;base64,AA=="
HI = {"role": "user", "content": "hi"}


def call(call_id: str, name: str = "f", arguments: str = "{}") -> Json:
    return {"type": "function_call", "call_id": call_id, "name": name, "arguments": arguments}


def chat_call(call_id: str, name: str = "f", arguments: str = "{}") -> Json:
    function = {"name": name, "arguments": arguments}
    return {"id": call_id, "type": "function", "function": function}


def tool(call_id: str, content: Any) -> Json:
    return {"role": "tool", "tool_call_id": call_id, "content": content}


def assistant(text: str, **more: Any) -> Json:
    part = {"type": "output_text", "text": text}
    return {"type": "message", "role": "assistant", "content": [part], **more}


def calling(*calls: Json, text: str | None = None, **more: Any) -> Json:
    return {"role": "assistant", "content": text, **more, "tool_calls": [*calls]}


# Who says what


def test_r13_instructions_and_system_items_make_one_beginning() -> None:
    items = [{"role": "developer", "content": "Be kind."}, user("hi")]
    assert messages_of(*items, instructions="Be brief.") == [
        {"role": "system", "content": "Be brief.\n\nBe kind."},
        HI,
    ]


def test_instructions_may_be_items() -> None:
    given = [{"type": "message", "role": "developer", "content": "a"}, {"content": "b"}]
    assert messages_of(user("hi"), instructions=given)[0] == {"role": "system", "content": "a\n\nb"}


def test_late_system_items_stay_where_they_are() -> None:
    late = {"role": "developer", "content": "Now be long."}
    assert messages_of(user("hi"), late) == [HI, {"role": "system", "content": "Now be long."}]
    options = ChatOptions(late_system_role="user")
    assert messages_of(user("hi"), late, options=options)[1]["role"] == "user"


def test_the_developers_role_is_an_option() -> None:
    options = ChatOptions(developer_role="developer")
    item = {"role": "developer", "content": "x"}
    assert messages_of(item, options=options) == [{"role": "developer", "content": "x"}]


def test_r7_an_unknown_role_is_the_user() -> None:
    assert messages_of({"role": "critic", "content": "hi"}) == [HI]


def test_the_whole_chain_is_sent() -> None:
    first = prompt_of(input="one")
    answer = {"id": "resp_1", "output": [assistant("two")]}
    assert body_of(parent=first.answered(answer, ""), input="three")["messages"] == [
        {"role": "user", "content": "one"},
        {"role": "assistant", "content": "two"},
        {"role": "user", "content": "three"},
    ]


# Content


@pytest.mark.parametrize(
    ("parts", "content"),
    [
        ([{"type": "input_text", "text": "a"}, {"type": "input_text", "text": "b"}], "a\nb"),
        ([], ""),
        (
            [{"type": "input_text", "text": "a"}, {"type": "input_image", "image_url": PNG}],
            [{"type": "text", "text": "a"}, {"type": "image_url", "image_url": {"url": PNG}}],
        ),
        (
            [{"type": "input_image", "image_url": PNG, "detail": "low"}],
            [{"type": "image_url", "image_url": {"url": PNG, "detail": "low"}}],
        ),
        (
            [{"type": "input_image", "image_url": PNG, "detail": "auto"}],
            [{"type": "image_url", "image_url": {"url": PNG}}],
        ),
        (
            [{"type": "input_audio", "input_audio": {"data": "AA==", "format": "wav"}}],
            [{"type": "input_audio", "input_audio": {"data": "AA==", "format": "wav"}}],
        ),
        (
            [{"type": "input_file", "filename": "a.txt", "file_data": "data:text/plain,a%20b"}],
            "a.txt:\na b",
        ),
        (
            [{"type": "input_file", "file_data": "data:application/json;base64,e30="}],
            "{}",
        ),
    ],
)
def test_content(parts: list[Json], content: Any) -> None:
    assert messages_of({"role": "user", "content": parts}) == [{"role": "user", "content": content}]


@pytest.mark.parametrize(
    "part",
    [
        {"type": "input_image", "file_id": "file_1"},
        {"type": "input_file", "file_id": "file_1"},
        {"type": "input_file", "file_url": "http://127.0.0.1/a.pdf"},
        {"type": "input_file", "file_data": "data:application/pdf;base64,AA=="},
        {"type": "input_file", "file_data": "data:text/plain;base64,/w=="},
        {"type": "input_file", "file_data": "nothing"},
        {"type": "input_video", "url": "x"},
        "odd",
    ],
)
def test_what_cannot_be_passed_on_is_refused(part: Any) -> None:
    with pytest.raises(UpstreamFailed, match="cannot be passed on") as caught:
        messages_of({"role": "user", "content": [part]})
    failure = caught.value
    assert (failure.status, failure.code) == (400, "unsupported_input")


def test_a_reference_is_refused_because_nobody_here_can_follow_it() -> None:
    with pytest.raises(UpstreamFailed, match="item_reference"):
        messages_of({"type": "item_reference", "id": "msg_1"})


def test_files_are_sent_to_servers_that_take_them() -> None:
    data = "data:application/pdf;base64," + base64.b64encode(b"x").decode()
    part = {"type": "input_file", "filename": "a.pdf", "file_data": data}
    (message,) = messages_of({"role": "user", "content": [part]}, options=ChatOptions(files=True))
    file = {"filename": "a.pdf", "file_data": data}
    assert message["content"] == [{"type": "file", "file": file}]


def test_a_refusal_in_the_past_is_text() -> None:
    item = {"role": "assistant", "content": [{"type": "refusal", "refusal": "No."}]}
    assert messages_of(item) == [{"role": "assistant", "content": "No."}]


# Calls


def test_calls_of_one_answer_are_one_message() -> None:
    items = [
        assistant("Let me see."), call("c1"), call("c2", "g"),
        output_of(call("c2"), "two"), output_of(call("c1"), "one"), user("hi"),
    ]  # fmt: skip
    assert messages_of(*items) == [
        calling(chat_call("c1"), chat_call("c2", "g"), text="Let me see."),
        tool("c1", "one"),
        tool("c2", "two"),
        HI,
    ]


def test_two_answers_stay_two_messages() -> None:
    items = [
        call("c1"), output_of(call("c1"), "one"), assistant("Hm."), call("c2"),
        output_of(call("c2"), "two"), assistant("Done."), assistant("Really."),
    ]  # fmt: skip
    assert messages_of(*items) == [
        calling(chat_call("c1")),
        tool("c1", "one"),
        calling(chat_call("c2"), text="Hm."),
        tool("c2", "two"),
        {"role": "assistant", "content": "Done."},
        {"role": "assistant", "content": "Really."},
    ]


def test_an_answer_comes_right_after_its_call_wherever_it_stood() -> None:
    items = [call("c1"), user("hi"), output_of(call("c1"), "one")]
    assert messages_of(*items) == [calling(chat_call("c1")), tool("c1", "one"), HI]


def test_a_call_without_an_answer_gets_an_empty_one() -> None:
    assert messages_of(call("c1"), user("hi")) == [
        calling(chat_call("c1")),
        tool("c1", "(no output)"),
        HI,
    ]


def test_an_answer_without_a_call_is_not_lost() -> None:
    assert messages_of(output_of(call("c9"), "one")) == [{"role": "user", "content": "one"}]


def test_r12_what_the_chain_holds_already_is_taken_once() -> None:
    items = [
        assistant("Hi.", id="msg_1"), call("c1"), output_of(call("c1"), "one"),
        assistant("Hi.", id="msg_1"), call("c1"), output_of(call("c1"), "again"), user("hi"),
    ]  # fmt: skip
    assert messages_of(*items) == [calling(chat_call("c1"), text="Hi."), tool("c1", "one"), HI]


def test_one_id_for_two_messages_is_two_messages() -> None:
    items = {**user("a"), "id": "msg_1"}, {**user("b"), "id": "msg_1"}
    assert [message["content"] for message in messages_of(*items)] == ["a", "b"]


def test_empty_arguments_are_an_object() -> None:
    items = call("c1", arguments=" "), output_of(call("c1"), "")
    assert messages_of(*items) == [calling(chat_call("c1")), tool("c1", "(no output)")]


def test_a_custom_call_is_a_call_of_its_function() -> None:
    items = (
        {"type": "custom_tool_call", "call_id": "c1", "name": "patch", "input": 'a "b"'},
        {"type": "custom_tool_call_output", "call_id": "c1", "output": "ok"},
    )
    assert messages_of(*items) == [
        calling(chat_call("c1", "patch", '{"input":"a \\"b\\""}')),
        tool("c1", "ok"),
    ]


def test_a_call_in_a_namespace_has_the_name_that_the_server_knows() -> None:
    items = {**call("c1", "find"), "namespace": "crm"}, output_of(call("c1"), "x")
    assert messages_of(*items)[0] == calling(chat_call("c1", "crm__find"))


@pytest.mark.parametrize(
    ("asked", "answer", "name", "arguments", "content"),
    [
        (
            {"type": "shell_call", "action": {"commands": ["ls"]}, "status": "completed"},
            {"type": "shell_call_output", "output": [{"stdout": "a"}]},
            "shell", '{"action":{"commands":["ls"]}}', '[{"stdout":"a"}]',
        ),
        (
            {"type": "apply_patch_call", "operation": {"type": "delete_file"}},
            {"type": "apply_patch_call_output", "output": "ok", "status": "completed"},
            "apply_patch", '{"operation":{"type":"delete_file"}}', "ok",
        ),
        (
            {"type": "apply_patch_call", "operation": {}},
            {"type": "apply_patch_call_output", "status": "completed"},
            "apply_patch", '{"operation":{}}', "{}",
        ),
        (
            {"type": "tool_search_call", "arguments": {"q": "x"}, "execution": "client"},
            {"type": "tool_search_output", "tools": [{"name": "t"}]},
            "tool_search", '{"arguments":{"q":"x"},"execution":"client"}',
            '{"tools":[{"name":"t"}]}',
        ),
    ],
)  # fmt: skip
def test_calls_of_other_kinds_keep_what_they_say(
    asked: Json, answer: Json, name: str, arguments: str, content: str
) -> None:
    items = {**asked, "call_id": "c1"}, {**answer, "call_id": "c1"}
    assert messages_of(*items) == [
        calling(chat_call("c1", name, arguments)),
        tool("c1", content),
    ]


def test_approvals_and_calls_of_other_servers() -> None:
    items = (
        {"type": "mcp_approval_request", "id": "a1", "name": "f", "arguments": '{"x":1}'},
        {"type": "mcp_approval_response", "approval_request_id": "a1", "approve": True},
        {
            "type": "mcp_call",
            "id": "m1",
            "approval_request_id": "a1",
            "name": "f",
            "arguments": '{"x":1}',
            "output": "done",
        },
    )
    assert messages_of(*items) == [
        calling(chat_call("a1", "f", '{"x":1}')),
        tool("a1", '{"approve":true}'),
        calling(chat_call("m1", "f", '{"x":1}')),
        tool("m1", "done"),
    ]


@pytest.mark.parametrize(
    "item",
    [
        {"type": "web_search_call", "id": "ws_1"},
        {"type": "tool_search_call", "call_id": None, "id": "ts_1", "execution": "server"},
        {"type": "tool_search_output", "call_id": None, "tools": []},
        {"type": "reasoning", "id": "rs_1", "summary": []},
        {"type": "brand_new", "x": 1},
    ],
)
def test_items_that_say_nothing_to_a_chat_are_left_out(item: Json) -> None:
    assert messages_of(user("hi"), item) == [HI]


# Outputs


def test_pictures_of_a_tool_follow_as_the_users() -> None:
    parts = [{"type": "input_text", "text": "a"}, {"type": "input_image", "image_url": PNG}]
    only = [{"type": "input_image", "image_url": PNG}]
    items = (
        call("c1"), call("c2"),
        {"type": "function_call_output", "call_id": "c1", "output": parts},
        {"type": "function_call_output", "call_id": "c2", "output": only},
    )  # fmt: skip
    picture = {"type": "image_url", "image_url": {"url": PNG}}
    assert messages_of(*items)[1:] == [
        tool("c1", "a"),
        tool("c2", "(see below)"),
        {
            "role": "user",
            "content": [
                {"type": "text", "text": "Output of f (c1):"},
                picture,
                {"type": "text", "text": "Output of f (c2):"},
                picture,
            ],
        },
    ]


def test_a_screenshot_is_a_picture() -> None:
    items = (
        {"type": "computer_call", "call_id": "c1", "action": {"type": "screenshot"}},
        {
            "type": "computer_call_output",
            "call_id": "c1",
            "output": {"type": "computer_screenshot", "image_url": PNG},
        },
    )
    *_, pictures = messages_of(*items)
    assert pictures["content"][1] == {"type": "image_url", "image_url": {"url": PNG}}


# Reasoning and roles

REASONING = {"type": "reasoning", "content": [{"type": "reasoning_text", "text": "Hm."}]}
SUMMARY = {"type": "reasoning", "summary": [{"type": "summary_text", "text": "Hm."}]}


@pytest.mark.parametrize("item", [REASONING, SUMMARY])
def test_reasoning_goes_back_to_servers_that_want_it(item: Json) -> None:
    items = item, call("c1"), output_of(call("c1"), "x"), item, assistant("Yes.")
    assert "Hm." not in str(messages_of(*items))
    options = ChatOptions(reasoning_field="reasoning_content")
    assert messages_of(*items, options=options) == [
        calling(chat_call("c1"), reasoning_content="Hm."),
        tool("c1", "x"),
        {"role": "assistant", "content": "Yes.", "reasoning_content": "Hm."},
    ]


def test_reasoning_stands_with_the_answer_that_it_led_to() -> None:
    items = assistant("First."), REASONING, assistant("Second.")
    options = ChatOptions(reasoning_field="reasoning")
    assert messages_of(*items, options=options) == [
        {"role": "assistant", "content": "First."},
        {"role": "assistant", "content": "Second.", "reasoning": "Hm."},
    ]


def test_neighbours_with_one_role_are_merged_where_templates_want_it() -> None:
    picture = {"type": "input_image", "image_url": PNG}
    items = (
        user("a"), user("b"), {"role": "user", "content": [picture]}, assistant("c"),
        assistant("d"), call("c1"), output_of(call("c1"), "x"), assistant("e"),
    )  # fmt: skip
    assert messages_of(*items, options=ChatOptions(merge_roles=True)) == [
        {
            "role": "user",
            "content": [
                {"type": "text", "text": "a\nb"},
                {"type": "image_url", "image_url": {"url": PNG}},
            ],
        },
        calling(chat_call("c1"), text="c\nd"),
        tool("c1", "x"),
        {"role": "assistant", "content": "e"},
    ]
