"""What has arrived of a response: partial and final."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from turnwire.core.history import HistoryItem
from turnwire.core.snapshot import Snapshot
from turnwire.events import decode_event

Json = dict[str, Any]


def snapshot(*events: Json) -> Snapshot:
    taken = Snapshot()
    for event in events:
        taken.add(decode_event(msgspec.json.encode(event)))
    return taken


def message(name: str, text: str) -> Json:
    content = [{"type": "output_text", "text": text}]
    return {"type": "message", "id": name, "role": "assistant", "content": content}


def done(index: int, item: Json) -> Json:
    return {"type": "response.output_item.done", "output_index": index, "item": item}


def added(index: int, item: Json) -> Json:
    return {"type": "response.output_item.added", "output_index": index, "item": item}


def delta(kind: str, index: int, text: str, **place: int) -> Json:
    return {"type": f"response.{kind}.delta", "output_index": index, "delta": text, **place}


def final(taken: Snapshot, **response: Any) -> list[Json]:
    event = {
        "type": "response.completed",
        "response": {"id": "r", "status": "completed"} | response,
    }
    return [item.to_dict() for item in taken.final(decode_event(msgspec.json.encode(event))).output]


CALL = {"type": "function_call", "id": "fc", "call_id": "c", "name": "f", "arguments": ""}
A, B, C = message("a", "A"), message("b", "B"), message("c", "C")


def test_a_partial_response_holds_what_is_whole_and_what_is_not() -> None:
    taken = snapshot(
        {"type": "response.created", "response": {"id": "r", "model": "m", "status": "queued"}},
        done(0, A),
        added(1, CALL),
        delta("function_call_arguments", 1, '{"a"'),
        delta("function_call_arguments", 1, ":1"),
        delta("output_text", 2, "Hel", content_index=0),
        delta("output_text", 2, "lo", content_index=0),
    )
    partial = taken.partial()
    assert (partial.id, partial.model, partial.status) == ("r", "m", "in_progress")
    first, call, half = [item.to_dict() for item in partial.output]
    assert (first, call) == (A, CALL | {"arguments": '{"a":1'})
    assert half["content"] == [{"type": "output_text", "text": "Hello"}]
    assert partial.output_text == "AHello"


def test_a_partial_response_of_nothing_is_empty() -> None:
    assert (snapshot().partial().output, snapshot().partial().id) == ([], "")


@pytest.mark.parametrize(
    ("kind", "place", "expected"),
    [
        ("refusal", {"content_index": 0}, {"content": [{"type": "refusal", "refusal": "no"}]}),
        (
            "reasoning_summary_text",
            {"summary_index": 1},
            {
                "summary": [
                    {"type": "summary_text", "text": ""},
                    {"type": "summary_text", "text": "no"},
                ]
            },
        ),
        (
            "reasoning_text",
            {"content_index": 0},
            {"content": [{"type": "reasoning_text", "text": "no"}]},
        ),
        ("custom_tool_call_input", {}, {"input": "no"}),
    ],
)
def test_each_kind_of_delta_goes_to_its_place(
    kind: str, place: dict[str, int], expected: Json
) -> None:
    taken = snapshot(delta(kind, 0, "n", **place), delta(kind, 0, "o", **place))
    item = taken.partial().output[0].to_dict()
    assert {name: item[name] for name in expected} == expected


def test_a_partial_response_can_be_read_again_and_goes_on() -> None:
    taken = snapshot(*[delta("output_text", 0, "ab", content_index=0)] * 3000)
    assert taken.partial().output_text == taken.partial().output_text == "ab" * 3000
    taken.add(decode_event(msgspec.json.encode(delta("output_text", 0, "!", content_index=0))))
    assert taken.partial().output_text == "ab" * 3000 + "!"


def test_the_end_of_an_item_replaces_its_pieces_and_no_others() -> None:
    taken = snapshot(
        delta("output_text", 0, "half", content_index=0),
        delta("output_text", 1, "other", content_index=0),
        done(0, A),
    )
    assert taken.partial().output_text == "Aother"


def test_a_terminal_response_without_output_is_filled_with_what_was_streamed() -> None:
    taken = snapshot(done(1, B), done(0, A))
    assert final(taken) == final(taken, output=[]) == final(taken, output=None) == [A, B]


def test_a_terminal_response_with_some_of_the_output_is_completed_in_order() -> None:
    taken = snapshot(done(0, A), done(1, B), done(2, C))
    assert final(taken, output=[B | {"status": "completed"}]) == [A, B | {"status": "completed"}, C]
    assert final(snapshot(done(0, A)), output=[A, B]) == [A, B]
    assert final(snapshot(done(0, A), done(1, B)), output=[B, C]) == [A, B, C]


def test_a_whole_terminal_response_is_not_touched_whatever_its_order() -> None:
    taken = snapshot(done(0, A), done(1, B))
    assert final(taken, output=[B, A]) == [B, A]


def test_items_without_an_id_are_known_by_their_call_or_their_bytes() -> None:
    call = {key: value for key, value in CALL.items() if key != "id"}
    plain = {"role": "assistant", "content": "x"}
    taken = snapshot(done(0, call), done(1, plain))
    assert final(taken, output=[call | {"status": "completed"}, plain]) == [
        call | {"status": "completed"},
        plain,
    ]


def test_a_history_knows_every_form_in_which_an_item_was_shown() -> None:
    streamed = {"type": "reasoning", "id": "rs", "encrypted_content": "one"}
    terminal = streamed | {"encrypted_content": "two"}
    taken = snapshot(done(0, streamed))
    event = {"type": "response.completed", "response": {"id": "r", "output": [terminal]}}
    response = taken.final(decode_event(msgspec.json.encode(event)))
    (item,) = taken.history(response)
    assert [item.same(HistoryItem.of(form)) for form in (streamed, terminal)] == [True, True]
    assert msgspec.json.decode(item.encoded) == terminal


def test_a_terminal_event_of_a_gateway_is_read_too() -> None:
    event = {"type": "response.done", "response": {"id": "r", "status": "completed", "output": [A]}}
    response = snapshot(done(0, A)).final(decode_event(msgspec.json.encode(event)))
    assert (response.id, response.status, response.output_text) == ("r", "completed", "A")
    odd = {"type": "response.done", "response": 7}
    assert snapshot(done(0, A)).final(decode_event(msgspec.json.encode(odd))).output_text == "A"
