"""Chunks to deltas: text, reasoning, usage and ends, as different servers send them."""

from __future__ import annotations

from typing import Any

import pytest

from gateway.upstreams.chat.support import (
    Json,
    call_item,
    called,
    deltas_of,
    output_of_deltas,
    reasoning_item,
    said,
    text_item,
)
from turnwire.gateway.upstreams import UpstreamFailed
from turnwire.gateway.upstreams.chat import ChatOptions
from turnwire.gateway.upstreams.deltas import (
    Finished,
    ReasoningDelta,
    ReasoningTextDelta,
    RefusalDelta,
    TextDelta,
    UsageReport,
)

STOP = said("stop")


def test_text() -> None:
    chunks = said(role="assistant", content=""), said(content="Hel"), said(content="lo"), STOP
    assert deltas_of(*chunks) == [TextDelta("Hel"), TextDelta("lo"), Finished()]


def test_a_refusal_is_a_part_of_its_own() -> None:
    deltas = deltas_of(said(content="I see."), said(refusal="I can"), said(refusal="not."), STOP)
    assert deltas == [
        TextDelta("I see."),
        RefusalDelta("I can"),
        RefusalDelta("not."),
        Finished(),
    ]
    (item,) = output_of_deltas(deltas)
    assert item["content"][1:] == [{"type": "refusal", "refusal": "I cannot."}]


@pytest.mark.parametrize(
    "delta",
    [
        {"reasoning_content": "Hm."},
        {"reasoning": "Hm."},
        {"reasoning_content": "Hm.", "reasoning": "Hm."},
        {"reasoning": {"content": "Hm."}},
        {"thinking": "Hm."},
        {"reasoning_details": [{"type": "reasoning.text", "text": "Hm."}]},
        {"reasoning_details": [{"type": "reasoning.summary", "summary": "Hm."}]},
        {"reasoning": "Hm.", "reasoning_details": [{"type": "reasoning.text", "text": "Hm."}]},
        {"content": [{"type": "thinking", "thinking": [{"type": "text", "text": "Hm."}]}]},
        {"content": "<think>Hm.</think>"},
        {"content": "\n<think>\nHm.\n</think>\n\n"},
        {"content": "[THINK]Hm.[/THINK]"},
    ],
)
def test_reasoning_under_all_of_its_names(delta: Json) -> None:
    deltas = deltas_of(said(**delta), said(content="Yes."), STOP)
    assert deltas == [ReasoningTextDelta("Hm."), TextDelta("Yes."), Finished()]
    assert output_of_deltas(deltas) == [reasoning_item("Hm."), text_item("Yes.")]


def test_parts_of_content_keep_their_order() -> None:
    content = [
        {"type": "thinking", "thinking": [{"type": "text", "text": "Hm."}]},
        {"type": "text", "text": "Yes."},
    ]
    assert deltas_of(said(content=content), STOP) == [
        ReasoningTextDelta("Hm."),
        TextDelta("Yes."),
        Finished(),
    ]


@pytest.mark.parametrize(
    ("shown_as", "first"),
    [("text", [ReasoningTextDelta("Hm.")]), ("summary", [ReasoningDelta("Hm.")]), ("hidden", [])],
)
def test_how_reasoning_is_shown_is_an_option(shown_as: Any, first: list[Any]) -> None:
    options = ChatOptions(reasoning=shown_as)
    chunks = said(reasoning="Hm."), said(content="Yes."), STOP
    assert deltas_of(*chunks, options=options) == [*first, TextDelta("Yes."), Finished()]


def test_tags_in_the_middle_of_an_answer_are_text() -> None:
    text = "Use <think>…</think>."
    assert deltas_of(said(content=text), STOP) == [TextDelta(text), Finished()]
    first = said(reasoning="Hm.")
    assert deltas_of(first, said(content="<think>a</think>"), STOP) == [
        ReasoningTextDelta("Hm."),
        TextDelta("<think>a</think>"),
        Finished(),
    ]


def test_tags_can_be_switched_off_or_be_open_from_the_start() -> None:
    text = "Hm.</think>Yes."
    off = deltas_of(said(content=text), STOP, options=ChatOptions(think_tags="off"))
    assert off == [TextDelta(text), Finished()]
    inside = deltas_of(said(content=text), STOP, options=ChatOptions(think_tags="open"))
    assert inside == [ReasoningTextDelta("Hm."), TextDelta("Yes."), Finished()]


def test_white_space_before_a_call_is_no_message() -> None:
    chunks = said(content="\n\n"), called(index=0, id="c1", name="f", arguments="{}")
    assert output_of_deltas(deltas_of(*chunks, said("tool_calls"))) == [call_item("c1", "f", "{}")]


def test_white_space_alone_is_still_an_answer() -> None:
    assert deltas_of(said(content="\n"), STOP) == [TextDelta("\n"), Finished()]


# Usage

USAGE = {"prompt_tokens": 10, "completion_tokens": 3, "total_tokens": 13}
REPORT = UsageReport(input_tokens=10, output_tokens=3)


@pytest.mark.parametrize(
    "chunks",
    [
        [said(content="x"), STOP, {"choices": [], "usage": USAGE}],
        [said(content="x"), STOP | {"usage": USAGE}],
        [said(content="x") | {"usage": {"prompt_tokens": 10}}, STOP | {"usage": USAGE}],
        [said(content="x") | {"usage": None}, STOP, {"choices": [], "usage": USAGE}],
        [said(content="x"), STOP, {"usage": USAGE}],
        [said(content="x"), STOP | {"x_groq": {"usage": USAGE}}],
        [said(content="x"), {"choices": [{**STOP["choices"][0], "usage": USAGE}]}],
        [said(content="x"), STOP | {"timings": {"prompt_n": 10, "predicted_n": 3}}],
        [said(content="x"), {"choices": [], "usage": USAGE}],  # no reason at all
    ],
)
def test_usage_wherever_it_comes(chunks: list[Json]) -> None:
    assert deltas_of(*chunks, done=False) == [TextDelta("x"), REPORT, Finished()]


def test_missing_usage_is_no_report() -> None:
    assert deltas_of(said(content="x"), STOP) == [TextDelta("x"), Finished()]


@pytest.mark.parametrize(
    ("more", "report"),
    [
        ({"prompt_tokens_details": {"cached_tokens": 4, "cache_write_tokens": 6}}, (10, 4, 6, 3)),
        ({"prompt_tokens_details": None, "completion_tokens_details": None}, (10, 0, 0, 3)),
        ({"prompt_cache_hit_tokens": 4}, (10, 4, 0, 3)),
        ({"cached_tokens": 4}, (10, 4, 0, 3)),
        ({"cache_creation_input_tokens": 5}, (10, 0, 5, 3)),
        ({"completion_tokens_details": {"reasoning_tokens": 2}}, (10, 0, 0, 3, 2)),
        ({"reasoning_tokens": 2}, (10, 0, 0, 3, 2)),
        ({"completion_tokens": None}, (10, 0, 0, 0)),
        ({"completion_tokens": "3"}, (10, 0, 0, 0)),
        ({"completion_tokens": -1.0}, (10, 0, 0, 0)),
    ],
)
def test_the_details_of_usage(more: Json, report: tuple[int, ...]) -> None:
    assert deltas_of(STOP, {"choices": [], "usage": USAGE | more})[0] == UsageReport(*report)


# Ends


@pytest.mark.parametrize(
    ("reason", "finish"),
    [
        ("stop", "stop"),
        ("tool_calls", "stop"),
        ("function_call", "stop"),
        ("eos", "stop"),
        ("length", "max_output_tokens"),
        ("model_length", "max_output_tokens"),
        ("MAX_TOKENS", "max_output_tokens"),
        ("content_filter", "content_filter"),
    ],
)
def test_why_it_ended(reason: str, finish: Any) -> None:
    assert deltas_of(said(reason), done=False) == [Finished(finish)]


def test_without_a_reason_done_is_the_end() -> None:
    assert deltas_of(said(content="x"), said(""), done=True) == [TextDelta("x"), Finished()]


def test_without_either_the_answer_was_cut() -> None:
    assert deltas_of(said(content="x"), called(index=0, name="f"), done=False) == [TextDelta("x")]


@pytest.mark.parametrize("reason", ["abort", "error", "insufficient_system_resource"])
def test_a_server_that_gives_up_has_failed(reason: str) -> None:
    with pytest.raises(UpstreamFailed) as caught:
        deltas_of(said(content="x"), said(reason))
    assert (caught.value.status, caught.value.code) == (503, "upstream_gave_up")


def test_only_the_first_of_several_answers_is_read() -> None:
    second = {"index": 1, "delta": {"content": "other"}, "finish_reason": "length"}
    both = {"choices": [second, said(content="x")["choices"][0]]}
    assert deltas_of(both, {"choices": [second]}, STOP) == [TextDelta("x"), Finished()]


def test_chunks_that_say_nothing_are_left_out() -> None:
    chunks = {}, {"choices": None}, {"choices": [{}]}, {"type": "ping"}, said(content=None), STOP
    assert deltas_of(*chunks) == [Finished()]


def test_a_whole_answer() -> None:
    function = {"name": "f", "arguments": {"a": 1}}
    message = {
        "role": "assistant",
        "content": "Hi.",
        "reasoning_content": "Hm.",
        "tool_calls": [{"id": "c1", "type": "function", "function": function}],
    }
    choice = {"index": 0, "message": message, "finish_reason": "tool_calls"}
    deltas = deltas_of({"object": "chat.completion", "choices": [choice], "usage": USAGE})
    assert REPORT in deltas
    assert output_of_deltas(deltas) == [
        reasoning_item("Hm."),
        text_item("Hi."),
        call_item("c1", "f", '{"a":1}'),
    ]


# Log probabilities


def test_logprobs_stay_with_their_text() -> None:
    others = [{"token": "b", "logprob": -2, "bytes": [98]}, {"token": 3}]
    entry = {"token": "ä", "logprob": -0.5, "top_logprobs": others}
    chunk = said(content="ä")
    chunk["choices"][0]["logprobs"] = {"content": [entry, "odd"]}
    token = {
        "token": "ä",
        "bytes": [195, 164],
        "logprob": -0.5,
        "top_logprobs": [{"token": "b", "bytes": [98], "logprob": -2.0}],
    }
    deltas = deltas_of(chunk, said(content="c"), STOP)
    assert deltas == [TextDelta("ä", (token,)), TextDelta("c"), Finished()]
    (item,) = output_of_deltas(deltas)
    assert item["content"][0]["logprobs"] == [token]


def test_logprobs_of_text_that_was_held_back_come_with_it() -> None:
    chunks = [said(content="<"), said(role="assistant"), said(content="b>")]
    for chunk, token in zip(chunks, ["<", "", "b>"], strict=True):
        chunk["choices"][0]["logprobs"] = {"content": [{"token": token, "logprob": -1}]}
    (first, end) = deltas_of(*chunks, STOP)
    assert isinstance(first, TextDelta)
    assert (first.text, end) == ("<b>", Finished())
    assert [entry["token"] for entry in first.logprobs] == ["<", "b>"]


def test_logprobs_of_reasoning_are_not_the_answers() -> None:
    chunk = said(reasoning="Hm.")
    chunk["choices"][0]["logprobs"] = {"content": [{"token": "Hm.", "logprob": -1}]}
    assert deltas_of(chunk, said(content="x"), STOP) == [
        ReasoningTextDelta("Hm."),
        TextDelta("x"),
        Finished(),
    ]


# Errors


@pytest.mark.parametrize(
    ("chunk", "status", "code", "message"),
    [
        ({"error": {"message": "no", "code": 429}}, 429, None, "no"),
        ({"error": {"message": "no", "code": "503"}}, 503, "503", "no"),
        ({"error": {"message": "no", "type": "overloaded_error"}}, 503, "overloaded_error", "no"),
        ({"error": {"message": "no", "code": "rate_limit_exceeded"}}, 429, "rate_limit_exceeded",
         "no"),
        ({"error": "no"}, 502, None, "no"),
        ({"error": {}, "choices": []}, None, None, ""),
        ({"error": {"error": {"message": "no"}, "status": 500}}, 500, None, "no"),
        ({"object": "error", "message": "no", "code": 400}, 400, None, "no"),
        ({"detail": "no"}, 502, None, "no"),
        ({"error": {"code": 500}}, 500, None,
         "The model server reported an error without a message."),
    ],
)  # fmt: skip
def test_an_error_in_the_stream(
    chunk: Json, status: int | None, code: str | None, message: str
) -> None:
    if status is None:
        assert deltas_of(chunk) == [Finished()]
        return
    with pytest.raises(UpstreamFailed) as caught:
        deltas_of(said(content="x"), chunk)
    failure = caught.value
    assert (failure.status, failure.code, str(failure)) == (status, code, message)
    assert failure.kind == ("server_error" if status >= 500 else "invalid_request_error")


def test_what_is_no_chunk_is_a_failure() -> None:
    decoder_input: Any = "no chunk"
    with pytest.raises(UpstreamFailed, match="not a chat completions chunk") as caught:
        deltas_of(decoder_input)
    assert (caught.value.status, caught.value.code) == (502, "upstream_malformed")
