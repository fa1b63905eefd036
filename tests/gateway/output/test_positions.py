"""Servers that do not say where in a response an event belongs: llama.cpp's."""

from __future__ import annotations

from typing import Any

import msgspec

from turnwire.events import Event, decode_event
from turnwire.gateway.input.parameters import read_parameters
from turnwire.gateway.output.positions import Positions
from turnwire.gateway.output.relay import Relay
from turnwire.gateway.output.response import new_response

Json = dict[str, Any]

TEXT = {"type": "output_text", "text": "Hi", "annotations": []}
THOUGHT = {"type": "reasoning", "id": "rs_1", "summary": []}
MESSAGE = {"type": "message", "id": "msg_1", "role": "assistant", "content": []}
# An item of its without an id, as the one of a call is there.
CALL = {"type": "function_call", "call_id": "fc_1", "name": "f", "arguments": ""}


def event(kind: str, **members: Any) -> Event:
    return decode_event(msgspec.json.encode({"type": f"response.{kind}", **members}))


def placed(*events: Event) -> list[list[int | None]]:
    """Return the output index, the content index and the summary index of each."""
    positions = Positions()
    members = [msgspec.json.decode(positions.placed(each).raw) for each in events]
    names = ("output_index", "content_index", "summary_index")
    return [[each.get(name) for name in names] for each in members]


def test_items_and_parts_are_counted() -> None:
    assert placed(
        event("created", response={"id": "resp_1"}),
        event("output_item.added", item=THOUGHT),
        event("reasoning_summary_part.added", item_id="rs_1", part={}),
        event("reasoning_summary_text.delta", item_id="rs_1", delta="a"),
        event("reasoning_summary_part.added", item_id="rs_1", part={}),
        event("reasoning_summary_text.delta", item_id="rs_1", delta="b"),
        event("reasoning_text.delta", item_id="rs_1", delta="c"),
        event("output_item.added", item=MESSAGE),
        event("content_part.added", item_id="msg_1", part=TEXT),
        event("output_text.delta", item_id="msg_1", delta="d"),
        event("content_part.done", item_id="msg_1", part=TEXT),
        event("content_part.added", item_id="msg_1", part=TEXT),
        event("refusal.delta", item_id="msg_1", delta="e"),
        event("output_item.added", item=CALL),
        event("function_call_arguments.delta", item_id="fc_1", delta="{}"),
        # They come at the end, all together.
        event("output_item.done", item=THOUGHT),
        event("output_item.done", item=MESSAGE),
        event("output_item.done", item=CALL),
    ) == [
        [None, None, None],
        [0, None, None],
        [0, None, 0],
        [0, None, 0],
        [0, None, 1],
        [0, None, 1],
        [0, 0, None],
        [1, None, None],
        [1, 0, None],
        [1, 0, None],
        [1, 0, None],
        [1, 1, None],
        [1, 1, None],
        [2, None, None],
        [2, None, None],
        [0, None, None],
        [1, None, None],
        [2, None, None],
    ]


def test_what_has_its_place_keeps_it() -> None:
    one = event("output_text.delta", item_id="msg_1", output_index=4, content_index=2, delta="x")
    assert Positions().placed(one) is one


def test_a_text_is_not_mistaken_for_a_place() -> None:
    said = '"output_index": 5'
    assert placed(event("output_text.delta", item_id="msg_1", delta=said)) == [[0, 0, None]]


def test_an_event_before_its_item_is_of_the_first_one() -> None:
    assert placed(
        event("output_text.delta", item_id="msg_1", delta="x"),
        event("output_item.added", item=MESSAGE),
        event("output_item.added", item=CALL),
    ) == [[0, 0, None], [0, None, None], [1, None, None]]


def test_a_part_gets_what_strict_clients_want() -> None:
    part = {"type": "output_text", "text": ""}
    one = Positions().placed(event("content_part.added", item_id="msg_1", part=part))
    assert msgspec.json.decode(one.raw)["part"] == part | {"annotations": []}


def test_a_call_is_whole_before_its_item_is_done() -> None:
    relay = Relay(new_response("resp_ours", 1000, read_parameters({"model": "m", "input": "x"})))
    call = CALL | {"id": "fc_1", "call_id": "call_1"}
    done = call | {"arguments": "{}"}
    whole = {"item_id": "fc_1", "arguments": "{}", "name": "f"}
    shown = [
        each
        for one in (
            event("output_item.added", item=call),
            event("function_call_arguments.delta", item_id="fc_1", delta="{}"),
            event("output_item.done", item=done),
            # And one of a server that does not leave it out.
            event("output_item.added", item=call | {"id": "fc_2"}, output_index=1),
            event("function_call_arguments.done", **whole | {"item_id": "fc_2"}, output_index=1),
            event("output_item.done", item=done | {"id": "fc_2"}, output_index=1),
        )
        for each in relay.feed(one)
    ]
    kinds = [(each["type"].removeprefix("response."), each["output_index"]) for each in shown]
    assert kinds == [
        ("output_item.added", 0),
        ("function_call_arguments.delta", 0),
        ("function_call_arguments.done", 0),
        ("output_item.done", 0),
        ("output_item.added", 1),
        ("function_call_arguments.done", 1),
        ("output_item.done", 1),
    ]
    assert shown[2] == {
        "type": "response.function_call_arguments.done",
        "output_index": 0,
        **whole,
    }


def test_a_response_of_several_items_stays_whole_without_its_last_event() -> None:
    relay = Relay(new_response("resp_ours", 1000, read_parameters({"model": "m", "input": "x"})))
    message = MESSAGE | {"content": [TEXT]}
    for each in (
        event("output_item.added", item=MESSAGE),
        event("output_item.added", item=CALL),
        event("output_item.done", item=message),
        event("output_item.done", item=CALL | {"arguments": "{}"}),
        event("completed", response={"id": "resp_theirs", "status": "completed"}),
    ):
        relay.feed(each)
    _, terminal = relay.end(1000)
    assert terminal["response"]["output"] == [message, CALL | {"arguments": "{}"}]
