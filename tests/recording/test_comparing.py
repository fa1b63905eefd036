from __future__ import annotations

from typing import Any

import msgspec
import pytest

from turnwire.recording.comparing import VOLATILE, Comparison
from turnwire.recording.names import learn_from, with_names

WHOLE = Comparison(VOLATILE, redacted=False)


@pytest.mark.parametrize(
    ("recorded", "arrived", "differences"),
    [
        ({"a": 1}, {"a": 1}, []),
        ({"event_id": "a", "b": 1}, {"b": 1, "client_metadata": {}}, []),
        ({"a": 1}, {"a": 1.0}, []),
        ({"a": 1}, {"a": True}, ["$.a: recorded number, arrived boolean"]),
        ({"a": None}, {}, ["$.a: recorded, but did not arrive"]),
        ({}, {"a": 1}, ["$.a: arrived, but was not recorded"]),
        ({"a": 1}, {"a": 2}, ["$.a: recorded 1, arrived 2"]),
        ({"model": "a"}, {"model": "b"}, ['$.model: recorded "a", arrived "b"']),
        ({"a": ["x", "y"]}, {"a": ["x"]}, ["$.a: recorded 2 elements, arrived 1"]),
        ({"a": [{"text": "Hi"}]}, {"a": [{"text": "Ho"}]}, ["$.a[0].text: another text"]),
        ({"a": "Hi"}, {"a": "Hey"}, ["$.a: recorded 2 characters, arrived 3"]),
        ({"a": "my *** key"}, {"a": "my other key"}, []),
        ({"a": "my *** key"}, {"a": "my other"}, ["$.a: recorded 10 characters, arrived 8"]),
    ],
)
def test_where_two_messages_differ(recorded: Any, arrived: Any, differences: list[str]) -> None:
    pair = msgspec.json.encode(recorded), msgspec.json.encode(arrived)
    assert WHOLE.differences(*pair) == differences


def test_what_is_no_json_is_compared_as_bytes() -> None:
    assert WHOLE.differences(b"{", b"{") == []
    assert WHOLE.differences(b"{", b"[") == ["$: other bytes, 1 of them"]
    assert WHOLE.differences(b"{", b"{}") == ["$: recorded 1 bytes, arrived 2"]


def test_many_differences_are_counted() -> None:
    recorded = msgspec.json.encode({str(n): n for n in range(30)})
    assert WHOLE.differences(recorded, b"{}")[-1] == "and 20 more"


def test_a_redacted_recording_is_compared_with_what_is_left() -> None:
    redacted = Comparison(VOLATILE, redacted=True)
    recorded = b'{"model":"m","input":"xxxxx"}'
    assert redacted.differences(recorded, b'{"model":"m","input":"Hello"}') == []
    assert redacted.differences(recorded, b'{"model":"m","input":"Hi"}') == [
        "$.input: recorded 5 characters, arrived 2"
    ]


def test_a_member_that_may_differ() -> None:
    comparison = Comparison({"user"}, redacted=False)
    assert comparison.differences(b'{"a":{"user":1}}', b'{"a":{"user":2}}') == []


def created(item_id: str, event_id: str, text: str = "Hi") -> bytes:
    item = {"id": item_id, "type": "message", "content": [{"type": "input_text", "text": text}]}
    kind = "conversation.item.create"
    return msgspec.json.encode({"type": kind, "item": item, "event_id": event_id})


def deleted(item_id: str) -> bytes:
    return msgspec.json.encode({"type": "conversation.item.delete", "item_id": item_id})


def test_what_a_client_names_anew_is_the_same_under_its_new_name_from_then_on() -> None:
    comparison, names = Comparison(VOLATILE, redacted=False), dict[str, str]()
    recorded, arrived = created("item_a", "event_a"), created("item_b", "event_b")
    assert comparison.differences(recorded, arrived) == []
    assert comparison.differences(recorded, created("item_b", "event_b", "Ho")) != []
    assert comparison.differences(deleted("item_a"), deleted("item_b")) != []
    learn_from(names, recorded, arrived)
    assert comparison.differences(deleted("item_a"), deleted("item_b"), names) == []
    assert comparison.differences(deleted("item_a"), deleted("item_a"), names) != []
    learn_from(names, recorded, created("item_a", "event_c"))  # on another day, the same
    assert comparison.differences(deleted("item_a"), deleted("item_a"), names) == []


def test_an_answer_has_the_names_of_today_where_they_are_whole_texts() -> None:
    names: dict[str, str] = {}
    learn_from(names, created('item"a', "event_a"), created('item"b', "event_b"))
    answer = {"item": {"id": 'item"a'}, "say": ['item"a and "item"a', "event_a", "\\"]}
    changed = with_names(msgspec.json.encode(answer).decode(), names)
    assert msgspec.json.decode(changed) == {
        "item": {"id": 'item"b'},
        "say": ['item"a and "item"a', "event_b", "\\"],
    }


@pytest.mark.parametrize("hidden", ["xxxxxx", "my***"])
def test_a_name_that_was_taken_out_is_not_learnt(hidden: str) -> None:
    names: dict[str, str] = {}
    learn_from(names, created(hidden, hidden), created("item+1", "event+1"))
    assert names == {}


def create(name: str, **response: Any) -> bytes:
    return msgspec.json.encode({"type": "response.create", "event_id": name, "response": response})


def test_a_response_is_known_by_the_name_of_its_create() -> None:
    comparison = Comparison(VOLATILE, redacted=False)
    one = create("a", metadata={"turnwire_event_id": "a"})
    same = create("b", metadata={"turnwire_event_id": "b"})
    other = create("b", metadata={"turnwire_event_id": "c"})
    assert comparison.differences(one, same) == []
    assert comparison.differences(one, other) != []


def test_items_of_a_response_alone_may_have_new_names() -> None:
    comparison = Comparison(VOLATILE, redacted=False)
    one = create("a", input=[{"id": "a-1"}, {"id": "a-2"}])
    assert comparison.differences(one, create("b", input=[{"id": "b-1"}, {"id": "b-2"}])) == []
    assert comparison.differences(one, create("b", input=[{"id": "b-1"}, {"type": "x"}])) != []
