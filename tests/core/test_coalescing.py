"""Joining the deltas that wait: fewer events, the same text."""

from __future__ import annotations

from collections import deque
from itertools import groupby, pairwise
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from properties.profiles import PROFILE
from turnwire.core.coalescing import coalesce
from turnwire.core.snapshot import DELTAS, Snapshot
from turnwire.events import Event, decode_event

Json = dict[str, Any]

TEXT = "output_text"
KINDS = {
    TEXT: "content_index",
    "refusal": "content_index",
    "reasoning_text": "content_index",
    "reasoning_summary_text": "summary_index",
    "function_call_arguments": None,
    "custom_tool_call_input": None,
}


def delta(text: str, kind: str = TEXT, **members: Any) -> Json:
    place: Json = {"item_id": "msg_1", "output_index": 0}
    part = KINDS[kind]
    if part:
        place[part] = 0
    return {"type": f"response.{kind}.delta", "delta": text, **place, **members}


def decoded(*events: Json) -> deque[Event]:
    return deque(decode_event(msgspec.json.encode(event)) for event in events)


def coalesced(*events: Json) -> list[Json]:
    waiting = decoded(*events)
    coalesce(waiting)
    return [event.to_dict() for event in waiting]


DONE = {"type": "response.output_text.done", "text": "whole", "item_id": "msg_1"}


@pytest.mark.parametrize("kind", KINDS)
def test_deltas_of_one_place_become_one(kind: str) -> None:
    first = delta("Fünf ", kind, sequence_number=4, stream_id="lane-1")
    last = delta("Wörter", kind, sequence_number=5, stream_id="lane-1")
    waiting = decoded(first, last)
    size_bytes = sum(len(event.raw) for event in waiting)
    saved_bytes = coalesce(waiting)
    whole = delta("Fünf Wörter", kind, sequence_number=5, stream_id="lane-1")
    assert [event.to_dict() for event in waiting] == [whole]
    assert waiting[0] == decode_event(waiting[0].raw)
    assert saved_bytes == size_bytes - len(waiting[0].raw)


@pytest.mark.parametrize(
    "other",
    [
        delta("b", item_id="msg_2"),
        delta("b", output_index=1),
        delta("b", content_index=1),
        delta("b", "refusal"),
        delta("b", stream_id="lane-2"),
    ],
)
def test_places_are_kept_apart(other: Json) -> None:
    assert coalesced(delta("a"), other, delta("c")) == [other, delta("ac")]


def test_parts_of_a_summary_are_kept_apart() -> None:
    one = delta("a", "reasoning_summary_text", summary_index=0)
    two = delta("b", "reasoning_summary_text", summary_index=1)
    assert coalesced(one, two) == [one, two]


def test_numbers_rise_because_each_stands_where_its_last_one_stood() -> None:
    calls = [
        delta(text, "function_call_arguments", output_index=index, sequence_number=number)
        for number, (index, text) in enumerate([(1, "{"), (2, "["), (3, "1"), (2, "]"), (1, "}")])
    ]
    assert [(each["delta"], each["sequence_number"]) for each in coalesced(*calls)] == [
        ("1", 2),
        ("[]", 3),
        ("{}", 4),
    ]


@pytest.mark.parametrize(
    "between",
    [
        DONE,
        {"type": "response.output_item.added", "output_index": 1, "item": {"type": "message"}},
        {"type": "response.completed", "response": {"id": "r"}},
        {"type": "error", "message": "no"},
        {"type": "response.brand_new.delta", "delta": "b", "item_id": "msg_1"},
        {"type": "turn.restarted", "reason": "lost", "model_runs": 1},
    ],
)
def test_deltas_are_not_joined_across_other_events(between: Json) -> None:
    waiting = decoded(delta("a"), delta("b"), between, delta("c"), delta("d"))
    middle = waiting[2]
    coalesce(waiting)
    assert [event.to_dict() for event in waiting] == [delta("ab"), between, delta("cd")]
    assert waiting[1] is middle


def test_what_cannot_be_joined_is_not_touched() -> None:
    waiting = decoded(DONE, delta("a"), DONE)
    before = list(waiting)
    assert coalesce(waiting) == 0
    assert all(one is other for one, other in zip(before, waiting, strict=True))
    assert coalesce(deque()) == 0


def test_unknown_members_stay_if_all_have_the_same() -> None:
    first = delta("a", obfuscation="xK9", region={"name": "eu"}, only_first=1)
    last = delta("b", obfuscation="", region={"name": "eu"}, only_last=2)
    assert coalesced(first, last) == [delta("ab", region={"name": "eu"})]


def test_log_probabilities_are_joined() -> None:
    one, two, three = ({"token": each, "logprob": -0.5} for each in "abc")
    texts = [
        delta("a", logprobs=[one]),
        delta("", logprobs=[]),
        delta("bc", logprobs=[two, three]),
    ]
    assert coalesced(*texts) == [delta("abc", logprobs=[one, two, three])]
    assert coalesced(delta("a", logprobs=[]), delta("b", logprobs=[])) == [delta("ab", logprobs=[])]
    assert coalesced(delta("a", logprobs=[one]), delta("b")) == [delta("ab", logprobs=[one])]
    assert coalesced(delta("a", logprobs=None), delta("b", logprobs=[two])) == [
        delta("ab", logprobs=[two])
    ]
    assert coalesced(delta("a", logprobs=None), delta("b", logprobs=None)) == [
        delta("ab", logprobs=None)
    ]


def test_text_is_joined_as_it_was_escaped() -> None:
    pieces = [rb"\u0041\"", rb"\\", rb"\ud83d\ude00", "😀".encode(), rb"\n\/"]
    raws = [b'{"type":"response.output_text.delta","delta":"%s"}' % each for each in pieces]
    waiting = deque(map(decode_event, raws))
    coalesce(waiting)
    assert waiting[0].raw == b'{"type":"response.output_text.delta","delta":"%s"}' % b"".join(
        pieces
    )
    assert waiting[0] == decode_event(waiting[0].raw)
    assert waiting[0].to_dict()["delta"] == 'A"\\😀😀\n/'


def test_a_delta_whose_bytes_cannot_be_read_again_stays_where_it_is() -> None:
    odd = b'{"type":"response.output_text.delta","delta":"b","\xff":1}'
    waiting = deque([*decoded(delta("a")), decode_event(odd), *decoded(delta("c"))])
    assert type(waiting[1]) in DELTAS
    assert coalesce(waiting) == 0
    assert [event.raw for event in waiting][1] == odd


# Any stream

SPACES = st.sampled_from([b"", b" ", b"\n  "])
PLACES = st.tuples(st.sampled_from(list(KINDS)), st.integers(0, 1), st.integers(0, 1))


@st.composite
def encoded_delta(draw: st.DrawFn) -> bytes:
    """A delta of some place, as some encoder would write it."""
    kind, index, part = draw(PLACES)
    output_index = 2 * list(KINDS).index(kind) + index  # an item has deltas of one kind
    event = delta(draw(st.text(max_size=5)), kind, output_index=output_index)
    name = KINDS[kind]
    if name:
        event[name] = part
    if draw(st.booleans()):
        event["logprobs"] = draw(st.one_of(st.none(), st.lists(st.floats(-9, 0), max_size=2)))
    if draw(st.booleans()):
        event["obfuscation"] = draw(st.sampled_from(["", "x", "\x00ü"]))
    members = draw(st.permutations(list(event.items())))
    gap = draw(SPACES)
    return b"{%s}" % b",".join(
        gap + msgspec.json.encode(name) + gap + b":" + msgspec.json.encode(value) + gap
        for name, value in members
    )


OTHERS = st.sampled_from([msgspec.json.encode(each) for each in (DONE, {"type": "keepalive"})])
STREAMS = st.lists(
    st.one_of(encoded_delta(), encoded_delta(), encoded_delta(), OTHERS), max_size=20
)


def is_delta(event: Event) -> bool:
    return type(event) in DELTAS


def place(event: Any) -> tuple[Any, ...]:
    part = getattr(event, "content_index", None)
    index = getattr(event, "summary_index", None) if part is None else part
    return event.type, event.stream_id, event.item_id, event.output_index, index


def told(events: deque[Event]) -> list[Any]:
    """What a stream says: the other events, and between them the text of each place."""
    story: list[Any] = []
    for deltas, run in groupby(events, is_delta):
        if not deltas:
            story += [event.raw for event in run]
            continue
        texts: dict[Any, tuple[str, list[Any]]] = {}
        for event in run:
            text, logprobs = texts.get(place(event), ("", []))
            members = event.to_dict()
            texts[place(event)] = (
                text + members["delta"],
                logprobs + (members.get("logprobs") or []),
            )
        story.append(texts)
    return story


def numbered(stream: list[bytes]) -> deque[Event]:
    return deque(
        decode_event(b'{"sequence_number":%d,%s' % (number, raw[1:]))
        for number, raw in enumerate(stream)
    )


@PROFILE
@given(STREAMS)
def test_nothing_is_lost_and_nothing_grows(stream: list[bytes]) -> None:
    before, after = numbered(stream), numbered(stream)
    saved_bytes = coalesce(after)
    assert told(after) == told(before)
    sizes = [sum(len(event.raw) for event in events) for events in (before, after)]
    assert saved_bytes == sizes[0] - sizes[1] >= 0
    assert all(event == decode_event(event.raw) for event in after)
    numbers = [event.sequence_number or 0 for event in after]
    assert all(one < other for one, other in pairwise(numbers))


@PROFILE
@given(STREAMS)
def test_one_delta_is_left_for_each_place_between_two_other_events(stream: list[bytes]) -> None:
    waiting = numbered(stream)
    coalesce(waiting)
    for deltas, run in groupby(waiting, is_delta):
        places = [place(event) for event in run] if deltas else []
        assert len(places) == len(set(places))
    once = list(waiting)
    assert coalesce(waiting) == 0
    assert list(waiting) == once


@PROFILE
@given(STREAMS)
def test_what_has_arrived_of_the_response_is_the_same(stream: list[bytes]) -> None:
    responses: list[Json] = []
    for joined in (False, True):
        waiting, taken = numbered(stream), Snapshot()
        if joined:
            coalesce(waiting)
        for event in waiting:
            taken.add(event)
        responses.append(taken.partial().to_dict())
    assert responses[0] == responses[1]


@PROFILE
@given(STREAMS, st.integers(0, 20))
def test_joining_early_and_again_is_joining_once(stream: list[bytes], early: int) -> None:
    at_once = numbered(stream)
    coalesce(at_once)
    waiting = deque(list(numbered(stream))[:early])
    coalesce(waiting)
    waiting.extend(list(numbered(stream))[early:])
    coalesce(waiting)
    assert told(waiting) == told(at_once)
    assert [event.sequence_number for event in waiting] == [
        event.sequence_number for event in at_once
    ]
