"""The talk as this side knows it, what a new session is told of it, and how it is turned over."""

from __future__ import annotations

from itertools import count
from typing import Any

from turnwire.core.realtime.items import Items
from turnwire.core.realtime.resetting import plan_reset
from turnwire.core.realtime.seeding import UNHEARD_WORDS, plan

LARGE = 2**24


def user(item_id: str, *parts: dict[str, Any]) -> dict[str, Any]:
    return {"id": item_id, "type": "message", "role": "user", "content": list(parts)}


def words(text: str) -> dict[str, Any]:
    return {"type": "input_text", "text": text}


def reply(item_id: str, transcript: str = "") -> dict[str, Any]:
    part = {"type": "output_audio", "transcript": transcript}
    return {"id": item_id, "type": "message", "role": "assistant", "content": [part]}


def items(*given: dict[str, Any], audio_bytes: int = LARGE) -> Items:
    made = Items(LARGE, audio_bytes)
    for item in given:
        made.put(item)
    return made


def order(made: Items) -> list[str]:
    return [entry.id for entry in made]


def told(made: Items, limit_bytes: int = LARGE, images: int = 3) -> list[dict[str, Any]]:
    return list(plan(list(made), limit_bytes=limit_bytes, images=images).items)


def test_items_stand_where_they_are_put() -> None:
    made = items(user("a"), user("b"))
    made.put(user("first"), "root")
    made.put(user("between"), "a")
    made.put(user("end"), "unknown")
    assert order(made) == ["first", "a", "between", "b", "end"]
    made.move("end", "first")
    made.move("a", "nobody")
    assert order(made) == ["first", "end", "a", "between", "b"]
    assert made.before("first") == "root"
    assert made.before("a") == "end"


def test_what_was_appended_and_is_not_there_yet_is_not_the_last() -> None:
    made = items(user("a"), user("b"))
    made.put(user("ours")).is_appended = True
    made.put(user("placed"), "a")
    assert made.last(without={"ours", "placed"}) == "b"
    assert made.last(without=()) == "ours"
    assert Items(LARGE, LARGE).last(without=()) == "root"


def test_audio_is_not_kept_in_items_and_words_that_were_known_are() -> None:
    made = items(user("a", {"type": "input_audio", "audio": "AAAA", "transcript": "hello"}))
    assert made.history() == [user("a", {"type": "input_audio", "transcript": "hello"})]
    made.put(user("a", {"type": "input_audio", "transcript": None}))
    assert made.history() == [user("a", {"type": "input_audio", "transcript": "hello"})]


def test_the_words_that_were_heard_are_shown_and_told() -> None:
    made = items(reply("r"))
    made.add_words("r", 0, "one two ")
    made.add_words("r", 0, "three")
    made.set_heard("r", 0, "one")
    (shown,) = made.history()
    assert shown["content"] == [{"type": "output_audio", "transcript": "one", "cut_off": True}]
    assert told(made)[0]["content"] == [{"type": "output_text", "text": "one"}]


def test_the_oldest_are_forgotten_beyond_the_limit() -> None:
    made = Items(1000, 1000)
    for number in range(100):
        made.put(user(f"item_{number}", words("x" * 50)))
    assert made.size_bytes <= 1000
    assert order(made)[-1] == "item_99"
    assert made.forgotten == 100 - len(made)


def test_audio_without_words_is_kept_as_far_as_the_limit_goes_the_newest_first() -> None:
    part = {"type": "input_audio"}
    made = items(user("a", part), user("b", part), user("c", part), audio_bytes=100)
    for item_id in "abc":
        made.keep_audio(item_id, bytes(40))
    assert [len(entry.audio) for entry in made] == [0, 40, 40]
    made.keep_audio("a", bytes(101))
    assert [len(entry.audio) for entry in made] == [0, 40, 40]
    made.set_transcript("b", 0, "hello")
    assert [len(entry.audio) for entry in made] == [0, 0, 40]


def test_what_the_user_said_is_told_in_words_in_audio_or_as_not_understood() -> None:
    part = {"type": "input_audio"}
    made = items(user("a", part), user("b", part), user("c", part))
    made.set_transcript("a", 0, "hello")
    made.keep_audio("b", b"\x01\x02")
    assert [one["content"] for one in told(made)] == [
        [words("hello")],
        [{"type": "input_audio", "audio": "AQI="}],
        [words(UNHEARD_WORDS)],
    ]


def test_the_newest_go_in_as_far_as_there_is_room_and_audio_takes_none() -> None:
    made = items(*(user(f"{n}", words("x" * 100)) for n in range(9)), user("loud", {"type": "a"}))
    made.put(user("said", {"type": "input_audio"}))
    made.keep_audio("said", bytes(100_000))
    seed = plan(list(made), limit_bytes=700, images=3)
    assert [item["id"] for item in seed.items] == ["6", "7", "8", "said"]
    assert seed.left_out == ("0", "1", "2", "3", "4", "5", "loud")


def test_what_the_system_said_goes_in_whatever_it_weighs() -> None:
    system = {"id": "s", "type": "message", "role": "system", "content": [words("y" * 999)]}
    made = items(system, user("a", words("x" * 999)), user("b", words("z")))
    assert [item["id"] for item in told(made, limit_bytes=300)] == ["s", "b"]


def test_only_the_newest_images_are_shown() -> None:
    image = {"type": "input_image", "image_url": "data:image/png;base64,AA=="}
    made = items(*(user(f"{n}", words("see"), image) for n in range(4)))
    assert [len(item["content"]) for item in told(made, images=2)] == [1, 1, 2, 2]


def test_a_call_waits_for_its_output_and_an_output_needs_its_call() -> None:
    call = {"id": "c", "type": "function_call", "call_id": "1", "name": "f", "arguments": "{}"}
    output = {"id": "o", "type": "function_call_output", "call_id": "1", "output": "x" * 300}
    seed = plan(list(items(call)), limit_bytes=LARGE, images=0)
    assert (seed.items, seed.held) == ((), ("c",))
    assert [item["id"] for item in told(items(call, output))] == ["c", "o"]
    cramped = plan(list(items(call, output)), limit_bytes=400, images=0)
    assert (cramped.items, set(cramped.left_out)) == ((), {"c", "o"})


def test_an_unknown_kind_is_left_out_and_nothing_else_is() -> None:
    made = items(user("a", words("x")), {"id": "m", "type": "mcp_call"}, user("b", words("y")))
    seed = plan(list(made), limit_bytes=LARGE, images=0)
    assert ([item["id"] for item in seed.items], seed.left_out) == (["a", "b"], ("m",))


# Turning it over.


def reset(
    old: list[dict[str, Any]], new: list[dict[str, Any]]
) -> tuple[tuple[str, ...], list[tuple[str, str]]]:
    number = count()
    found = plan_reset(old, new, lambda: f"new_{next(number)}")
    return found.deletes, [(item["id"], previous) for item, previous in found.creates]


def test_what_is_the_same_stays() -> None:
    old = [user("a", words("1")), user("b", words("2")), user("c", words("3"))]
    assert reset(old, old) == ((), [])
    assert reset(old, [old[0], old[2]]) == (("b",), [])
    assert reset(old, []) == (("a", "b", "c"), [])


def test_what_changed_is_made_anew_in_its_place() -> None:
    old = [user("a", words("1")), user("b", words("2"))]
    new = [user("a", words("one")), old[1], {**user("", words("3")), "id": None}]
    assert reset(old, new) == (("a",), [("a", "root"), ("new_0", "b")])


def test_what_moved_is_made_anew_where_it_is_to_be() -> None:
    old = [user("a", words("1")), user("b", words("2"))]
    assert reset(old, [old[1], old[0]]) == (("a",), [("a", "b")])


def test_what_the_model_said_comes_back_as_text() -> None:
    made = plan_reset([], [reply("r", "so it is")], lambda: "new").creates[0][0]
    assert made["content"] == [{"type": "output_text", "text": "so it is"}]
