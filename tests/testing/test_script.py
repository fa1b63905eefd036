from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from turnwire.testing import Create, Peer, Turns, answer, call, close, completed, deltas, error

if TYPE_CHECKING:
    from turnwire.testing import Step


def create(**request: Any) -> Create:
    return Create(1, 0, None, request)


@pytest.mark.parametrize(
    ("request_", "expected"),
    [
        ({}, False),
        ({"generate": True}, False),
        ({"generate": False}, True),
        ({"generate": True, "prompt_cache_options": {"prewarm": True}}, True),
        ({"prompt_cache_options": {"prewarm": False}}, False),
    ],
)
def test_what_is_a_warm_up(request_: dict[str, Any], *, expected: bool) -> None:
    assert expected == create(**request_).is_warm_up


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (None, ""),
        ("hello", "hello"),
        ([{"role": "user", "content": "plain"}], "plain"),
        ([{"role": "user", "content": "old"}, {"role": "developer", "content": "no"}], "old"),
        (
            [
                {
                    "type": "message",
                    "role": "user",
                    "content": [
                        {"type": "input_text", "text": "two "},
                        {"type": "input_image", "image_url": "x"},
                        {"type": "input_text", "text": "parts"},
                    ],
                }
            ],
            "two parts",
        ),
    ],
)
def test_the_text_of_the_last_user_message(value: Any, expected: str) -> None:
    assert expected == create(input=value).text


@pytest.mark.parametrize("text", ["one", "one two", " a  b\nc ", "", "  "])
def test_an_answer_streams_exactly_its_text(text: str) -> None:
    assert "".join(answer(text).pieces) == text


def test_a_call_streams_exactly_its_arguments() -> None:
    step = call("f", {"path": "a/rather/long/path.txt"}, size=10)
    expected = '{"path":"a/rather/long/path.txt"}'
    assert (expected, expected) == (step.item["arguments"], "".join(step.pieces))
    assert [len(piece) for piece in step.pieces] == [10, 10, 10, 3]


def test_arguments_need_not_be_json() -> None:
    assert call("f", "{oops").item["arguments"] == "{oops"


def test_deltas_are_counted() -> None:
    assert deltas(3, "x").pieces == ("x", "x", "x")


@pytest.mark.parametrize("code", [1006, 1015])
def test_a_close_code_that_cannot_be_sent_is_refused(code: int) -> None:
    with pytest.raises(ValueError, match=r"use drop\(\) or abort\(\)"):
        close(code)


def test_errors_name_the_parameter_and_kind_that_belong_to_them() -> None:
    lost, broken = error("previous_response_not_found"), error("server_error", 500)
    assert (lost.kind, lost.param) == ("invalid_request_error", "previous_response_id")
    assert (broken.kind, broken.param) == ("server_error", None)


def test_turns_are_used_in_order_then_the_last_resort() -> None:
    first: list[Step] = [answer("one")]
    rest: list[Step] = [completed()]
    script = Turns(first, then=rest)
    assert [first, rest, rest] == [script(create()) for _ in range(3)]


def test_a_create_too_many_is_a_failure() -> None:
    script = Turns([answer("one")])
    script(create())
    with pytest.raises(AssertionError, match="Create 2 arrived, but the script has 1 turns"):
        script(create())


def test_a_list_is_no_script() -> None:
    steps: Any = [answer("Hi")]
    with pytest.raises(TypeError, match="a function from a create to its steps"):
        Peer(steps)
