"""Which chain a request continues; the server's half is played by hand."""

from __future__ import annotations

import json
from typing import Any

import pytest

from turnwire.core.chain import Composed, Head, Seat
from turnwire.core.chain_index import ChainIndex, Found
from turnwire.core.history import HistoryItem

Json = dict[str, Any]
Sent = tuple[str | None, list[Json]]  # the link, and the items beside it

SEAT = Seat(1, None, "key", None, open_sockets={1})


def user(text: str) -> Json:
    return {"role": "user", "content": text}


def said(text: str, number: int = 0) -> Json:
    part = {"type": "output_text", "text": text, "annotations": []}
    return {"type": "message", "id": f"msg_{number}", "role": "assistant", "content": [part]}


def called(number: int, arguments: str = '{"a":1,"b":"ü"}') -> Json:
    return {
        "type": "function_call",
        "id": f"fc_{number}",
        "call_id": f"call_{number}",
        "name": "f",
        "arguments": arguments,
        "status": "completed",
    }


def output(number: int) -> Json:
    return {"type": "function_call_output", "call_id": f"call_{number}", "output": "done"}


def thought(number: int) -> Json:
    return {"type": "reasoning", "id": f"rs_{number}", "summary": []}


def body(items: list[Json], **fields: Any) -> bytes:
    given = {"input": items, "model": "m", **fields}
    return json.dumps(given, separators=(",", ":"), ensure_ascii=False).encode()


class Story:
    """An index, and a server that remembers everything."""

    def __init__(self, limit_bytes: int = 10**6) -> None:
        self.index = ChainIndex(limit_bytes)
        self.responses = 0

    def find(self, items: list[Json], **fields: Any) -> Found:
        found = self.index.find(body(items, **fields))
        assert found is not None
        return found

    def compose(self, found: Found) -> Composed:
        assert found.chain is not None
        params = found.body.shape.params
        composed = found.chain.compose(
            found.items, params, SEAT, whole=found.whole, unanswered="send"
        )
        assert isinstance(composed, Composed)
        return composed

    def end(self, found: Found, composed: Composed, *answer: Json) -> None:
        assert found.chain is not None
        self.responses += 1
        params = found.body.shape.params
        head = Head(f"resp_{self.responses}", 1, None, "key", stored=True, params=params)
        items = [HistoryItem(json.dumps(item).encode()) for item in answer]
        found.chain.completed(composed, items, head)
        self.index.kept(found)

    def turn(self, items: list[Json], *answer: Json, **fields: Any) -> Sent:
        """Run a turn; return the link and the items that went over the wire."""
        found = self.find(items, **fields)
        composed = self.compose(found)
        self.end(found, composed, *answer)
        return composed.previous_response_id, [json.loads(item.encoded) for item in composed.items]


def test_each_turn_sends_only_what_is_new() -> None:
    story, history = Story(), [user("one")]
    assert story.turn(history, said("1", 1)) == (None, [user("one")])
    for number in range(2, 6):
        history += [said(str(number - 1), number - 1), user(f"{number}")]
        sent = story.turn(history, said(str(number), number))
        assert sent == (f"resp_{number - 1}", [user(f"{number}")])
    assert len(story.index) == 1


@pytest.mark.parametrize(
    ("answer", "echo"),
    [
        ([said("a", 1)], [{"role": "assistant", "content": "a"}]),
        ([said("a", 1)], [{key: value for key, value in said("a").items() if key != "id"}]),
        ([{**said("a", 1), "phase": "commentary"}], [said("a", 1)]),
        ([called(1)], [{**called(1), "parsed_arguments": {"a": 1}, "async_": None}]),
        ([called(1)], [called(1, '{"a": 1, "b": "\\u00fc"}')]),
        (
            [called(1)],
            [{key: called(1)[key] for key in ("call_id", "type", "name", "arguments")}],
        ),
        ([thought(1), said("a", 1)], [said("a", 1)]),
        ([thought(1), called(1)], [called(1)]),
        ([thought(1), said("a", 1)], [thought(1), said("a", 1)]),
    ],
)
def test_what_was_said_may_come_back_in_another_form(answer: list[Json], echo: list[Json]) -> None:
    story = Story()
    story.turn([user("q")], *answer)
    new = [output(1), user("next")]
    assert story.turn([user("q"), *echo, *new], said("b", 2)) == ("resp_1", new)
    again = [user("q"), *echo, *new, said("b", 2), user("more")]
    assert story.turn(again, said("c", 3)) == ("resp_2", [user("more")])


@pytest.mark.parametrize(
    "echo",
    [
        [said("A", 1)],
        [{"type": "message", "role": "assistant"}],
        [said("a", 2)],  # another id
        [{**said("a", 1), "phase": "commentary"}],
        [],
        [user("a")],
        [called(1)],
    ],
)
def test_what_was_not_said_is_sent_whole(echo: list[Json]) -> None:
    story = Story()
    story.turn([user("q")], said("a", 1))
    items = [user("q"), *echo, user("next")]
    assert story.turn(items, said("b", 2)) == (None, items)


@pytest.mark.parametrize("arguments", ['{"b":"ü","a":1}', '{"a":2,"b":"ü"}', "{", '{"a":1}'])
def test_other_arguments_are_another_call(arguments: str) -> None:
    story = Story()
    story.turn([user("q")], called(1))
    items = [user("q"), called(1, arguments), output(1)]
    assert story.turn(items, said("b", 2)) == (None, items)


def test_many_chains_interleave() -> None:
    story = Story()
    histories = [[user("system"), user(f"chain {number}")] for number in range(5)]
    for history in histories:
        story.turn(history, said("first", 1))
    for turn in range(2, 5):
        for number, history in enumerate(histories):
            link = f"resp_{(turn - 2) * 5 + number + 1}"
            history += [said("first" if turn == 2 else "next", turn - 1), user(f"{turn}")]
            assert story.turn(history, said("next", turn)) == (link, [user(f"{turn}")])
    assert len(story.index) == 5


def test_two_at_once_fork() -> None:
    story = Story()
    story.turn([user("q")], said("a", 1))
    past = [user("q"), said("a", 1)]
    one, two = story.find([*past, user("1")]), story.find([*past, user("2")])
    assert one.chain is not two.chain
    for found, text in ((one, "1"), (two, "2")):
        composed = story.compose(found)
        assert (composed.previous_response_id, len(composed.items)) == ("resp_1", 1)
        story.end(found, composed, said(text, 2))
    past_1 = [*past, user("1"), said("1", 2)]
    past_2 = [*past, user("2"), said("2", 2)]
    assert story.turn([*past_1, user("x")], said("y", 3)) == ("resp_2", [user("x")])
    assert story.turn([*past_2, user("x")], said("y", 3)) == ("resp_3", [user("x")])


def test_the_same_again_is_another_answer_to_the_same() -> None:
    story = Story()
    story.turn([user("q")], said("a", 1))
    assert story.turn([user("q")], said("b", 2)) == (None, [user("q")])
    assert story.turn([user("q"), said("a", 1), user("x")], said("c", 3))[0] == "resp_1"
    assert story.turn([user("q"), said("b", 2), user("x")], said("c", 3))[0] == "resp_2"


def test_an_edit_says_where() -> None:
    story = Story()
    history = [user("system"), user("q")]
    story.turn(history, said("a", 1))
    found = story.find([user("system"), user("Q"), said("a", 1), user("x")])
    miss = story.compose(found).miss
    assert miss is not None
    assert (miss.reason, miss.index) == ("history_changed", 1)


def test_what_only_begins_like_another_chain_is_a_new_one() -> None:
    story = Story()
    story.turn([user("system"), user("q")], said("a", 1))
    found = story.find([user("system"), user("other")])
    composed = story.compose(found)
    assert (composed.miss, len(composed.items)) == (None, 2)


def test_a_history_that_is_written_anew_is_known_by_its_items() -> None:
    story = Story()
    story.turn([user("q"), user("r")], said("a", 1))
    anew = [{"content": "q", "role": "user"}, {"type": "message", **user("r")}, said("a", 1)]
    assert story.turn([*anew, user("x")], said("b", 2)) == ("resp_1", [user("x")])


def test_text_first_and_a_list_then() -> None:
    story = Story()
    found = story.index.find(b'{"input":"q","model":"m"}')
    assert found is not None
    story.end(found, story.compose(found), said("a", 1))
    assert story.turn([user("q"), said("a", 1), user("x")], said("b", 2))[0] == "resp_1"


def test_a_miss_sends_the_callers_own_form() -> None:
    story = Story()
    story.turn([user("q")], thought(1), called(1))
    echo = {key: called(1)[key] for key in ("call_id", "type", "name", "arguments")}
    items = [user("q"), echo, output(1)]
    found = story.find(items)
    assert found.chain is not None
    found.chain.clear("evicted")  # the server has forgotten it
    composed = story.compose(found)
    assert [json.loads(item.encoded) for item in composed.items] == items
    assert found.chain.size_bytes == sum(len(item.encoded) for item in found.chain.items)


def test_a_turn_that_failed_leaves_its_chain_where_it_was() -> None:
    story = Story()
    story.turn([user("q")], said("a", 1))
    items = [user("q"), said("a", 1), user("x")]
    found = story.find(items)
    story.index.left(found)
    again = story.find(items)
    assert again.chain is found.chain  # not a fork: nobody uses it
    story.end(again, story.compose(again), said("b", 2))
    assert story.turn([*items, said("b", 2), user("y")], said("c", 3))[0] == "resp_2"


def test_a_link_of_the_callers_own_is_no_chain() -> None:
    story = Story()
    story.turn([user("q")], said("a", 1))
    found = story.find([user("q"), said("a", 1), user("x")], previous_response_id="resp_0")
    assert (found.chain, found.whole, len(found.items)) == (None, True, 3)
    story.index.kept(found)
    story.index.left(found)
    assert len(story.index) == 1


def test_what_is_no_create_is_not_found() -> None:
    assert Story().index.find(b"[]") is None


def test_chains_not_used_for_longest_are_forgotten() -> None:
    story = Story(limit_bytes=4000)
    for number in range(10):
        story.turn([user(f"chain {number} " + "x" * 300)], said("a", 1))
    assert 0 < story.index.size_bytes <= 4000
    assert story.index.forgotten == 10 - len(story.index) > 0
    last = [user("chain 9 " + "x" * 300), said("a", 1), user("x")]
    assert story.turn(last, said("b", 2))[0] == "resp_10"
    first = [user("chain 0 " + "x" * 300), said("a", 1), user("x")]
    assert story.turn(first, said("b", 2)) == (None, first)


def test_a_chain_above_the_limit_is_not_remembered() -> None:
    story = Story(limit_bytes=100)
    story.turn([user("x" * 300)], said("a", 1))
    assert (len(story.index), story.index.size_bytes, story.index.forgotten) == (0, 0, 1)


def test_a_chain_that_is_forgotten_in_use_comes_back() -> None:
    story = Story(limit_bytes=1500)
    story.turn([user("kept " + "x" * 300)], said("a", 1))
    items = [user("kept " + "x" * 300), said("a", 1), user("y")]
    found = story.find(items)
    for number in range(5):
        story.turn([user(f"{number}" + "z" * 300)], said("a", 1))
    story.end(found, story.compose(found), said("b", 2))
    assert story.turn([*items, said("b", 2), user("w")], said("c", 3))[1] == [user("w")]


def test_many_small_chains_are_counted() -> None:
    story = Story(limit_bytes=10**9)
    for number in range(1030):
        story.turn([user(f"chain {number}")], said("a", 1))
    assert (len(story.index), story.index.forgotten) == (1024, 6)


def follow(story: Story, name: str, new: list[Json], owner: str = "") -> Found | None:
    return story.index.follow(name, body(new), owner)


def test_a_named_history_need_not_be_shown_again() -> None:
    story, name = Story(), ""
    for number in range(1, 5):
        new = [user(str(number))]
        found = follow(story, name, new) if name else story.find(new)
        assert found is not None
        composed = story.compose(found)
        link = f"resp_{number - 1}" if name else None
        assert (composed.previous_response_id, len(composed.items)) == (link, 1)
        story.end(found, composed, said(str(number), number))
        name = f"name_{number}"
        story.index.kept(found, name)
    known = [story.index.knows(f"name_{number}") for number in range(6)]
    assert known == [False, False, False, False, True, False], "the chain has gone on"
    assert follow(story, "name_3", [user("x")]) is None
    assert len(story.index) == 1


def named(limit_bytes: int = 10**6, owner: str = "") -> Story:
    """Return an index with one chain whose history is called "a"."""
    story = Story(limit_bytes)
    found = story.index.find(body([user("q")]), owner)
    assert found is not None
    story.end(found, story.compose(found), said("answer", 1))
    story.index.kept(found, "a")
    return story


def test_two_that_follow_the_same_name_do_not_wait_for_each_other() -> None:
    story = named()
    one, two = (follow(story, "a", [user(name)]) for name in ("one", "two"))
    assert one is not None
    assert two is not None
    assert one.chain is not two.chain
    assert [story.compose(each).previous_response_id for each in (one, two)] == ["resp_1"] * 2


def test_what_was_followed_is_found_by_what_is_in_it_and_not_by_the_new_part_alone() -> None:
    story = named()
    found = follow(story, "a", [user("more")])
    assert found is not None
    story.end(found, story.compose(found), said("yes", 2))
    alone = story.find([user("more"), said("yes", 2), user("x")])
    assert story.compose(alone).previous_response_id is None
    whole = [user("q"), said("answer", 1), user("more"), said("yes", 2)]
    assert story.turn([*whole, user("x")], said("b", 3)) == ("resp_2", [user("x")])


def test_a_name_is_forgotten_with_its_chain() -> None:
    story = named(limit_bytes=1)
    assert (len(story.index), story.index.knows("a")) == (0, False)


def test_what_cannot_be_understood_follows_nothing() -> None:
    story = named()
    assert story.index.follow("a", b"{") is None
    assert story.index.follow("a", body([user("x")], previous_response_id="resp_1")) is None


def test_owners_do_not_share_chains() -> None:
    story = named(owner="me")
    echoed = body([user("q"), said("answer", 1), user("x")])
    assert follow(story, "a", [user("x")], "you") is None
    links = []
    for owner in ("you", "", "me"):
        found = story.index.find(echoed, owner)
        assert found is not None
        links.append(story.compose(found).previous_response_id)
    assert links == [None, None, "resp_1"]
