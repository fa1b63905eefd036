"""The items of a session: created, in order, retrieved, truncated, deleted."""

from __future__ import annotations

import base64
from typing import Any

import pytest

from gateway.voice.story import Story, audio_of, base64_of, only, tone, types
from turnwire.gateway.voice.model import Called, Written
from turnwire.gateway.voice.tones import spoken

pytestmark = pytest.mark.interop


def message(text: str, item_id: str | None = None) -> dict[str, Any]:
    item: dict[str, Any] = {"type": "message", "role": "user"}
    item["content"] = [{"type": "input_text", "text": text}]
    return item if item_id is None else {**item, "id": item_id}


def order(story: Story) -> list[str]:
    return [item.id for item in story.session.items]


def test_a_created_item_is_added_and_done() -> None:
    story = Story()
    added, done = story.send("conversation.item.create", item=message("hi", "a"))
    expected = {**message("hi", "a"), "object": "realtime.item", "status": "completed"}
    assert (added["type"], added["item"], added["previous_item_id"]) == (
        "conversation.item.added",
        expected,
        None,
    )
    assert (done["type"], done["item"]) == ("conversation.item.done", expected)


def test_items_stand_where_they_are_put() -> None:
    story = Story()
    story.send("conversation.item.create", item=message("1", "a"))
    story.send("conversation.item.create", item=message("2", "b"))
    added, _ = story.send("conversation.item.create", item=message("3", "c"), previous_item_id="a")
    assert added["previous_item_id"] == "a"
    added, _ = story.send(
        "conversation.item.create", item=message("0", "z"), previous_item_id="root"
    )
    assert added["previous_item_id"] is None
    assert order(story) == ["z", "a", "c", "b"]


@pytest.mark.parametrize(
    ("item", "previous", "code", "param"),
    [
        (message("hi", "a"), None, "item_create_duplicate_item_id", "item.id"),
        (message("hi"), "nobody", "item_create_invalid_previous_item_id", "previous_item_id"),
        (None, None, "missing_required_parameter", "item"),
        ({"role": "user"}, None, "missing_required_parameter", "item.type"),
        ({"type": "thought"}, None, "invalid_value", "item.type"),
        ({"type": "message", "role": "critic"}, None, "invalid_value", "item.role"),
        ({"type": "message", "role": "user"}, None, "missing_required_parameter", "item.content"),
        (
            {"type": "message", "role": "assistant", "content": [{"type": "output_audio"}]},
            None,
            "invalid_value",
            "item.content[0].type",
        ),
        (
            {"type": "message", "role": "assistant", "content": [{"type": "output_text"}]},
            None,
            "missing_required_parameter",
            "item.content[0].text",
        ),
        (
            {"type": "message", "role": "user", "content": [{"type": "input_audio", "audio": "#"}]},
            None,
            "invalid_value",
            "audio",
        ),
        (
            {"type": "function_call", "name": "f"},
            None,
            "missing_required_parameter",
            "item.arguments",
        ),
        (
            {"type": "function_call_output", "output": "1"},
            None,
            "missing_required_parameter",
            "item.call_id",
        ),
    ],
)
def test_an_item_that_cannot_be_is_refused(item: Any, previous: Any, code: str, param: str) -> None:
    story = Story()
    story.send("conversation.item.create", item=message("hi", "a"))
    (event,) = story.send("conversation.item.create", item=item, previous_item_id=previous)
    assert (event["error"]["code"], event["error"]["param"]) == (code, param)
    assert order(story) == ["a"]


def test_the_words_of_the_service_for_a_name_that_is_taken() -> None:
    story = Story()
    story.write("hi", id="a")
    assert story.refused("conversation.item.create", item=message("again", "a")) == (
        "item_create_duplicate_item_id",
        "Error creating item: an item with id 'a' already exists.",
    )


@pytest.mark.parametrize("doing", ["retrieve", "delete"])
def test_what_is_not_there_cannot_be_touched(doing: str) -> None:
    code, _ = Story().refused(f"conversation.item.{doing}", item_id="nobody")
    assert code == f"item_{doing}_invalid_item_id"


def test_a_deleted_item_is_gone() -> None:
    story = Story()
    story.write("hi", id="a")
    (event,) = story.send("conversation.item.delete", item_id="a")
    assert (event["type"], event["item_id"]) == ("conversation.item.deleted", "a")
    assert order(story) == []


def test_an_item_is_retrieved_with_its_audio() -> None:
    story = Story()
    content = [{"type": "input_audio", "audio": base64_of(tone(200)), "transcript": "hm"}]
    item = {"type": "message", "role": "user", "id": "a", "content": content}
    added, _ = story.send("conversation.item.create", item=item)
    assert "audio" not in added["item"]["content"][0]
    (event,) = story.send("conversation.item.retrieve", item_id="a")
    assert event["item"]["content"] == content


def test_what_the_model_said_is_retrieved_whole() -> None:
    story = Story()
    done = story.respond()
    (event,) = story.send("conversation.item.retrieve", item_id=done["output"][0]["id"])
    audio = base64.b64decode(event["item"]["content"][0]["audio"])
    assert audio == audio_of([each for _, each in story.sent])


# Truncation


def said(story: Story) -> str:
    """Let the model say 1,100 ms and return the item's name."""
    return story.respond()["output"][0]["id"]


def test_a_truncation_cuts_the_audio_and_takes_the_transcript() -> None:
    story = Story()
    item_id = said(story)
    (event,) = story.send(
        "conversation.item.truncate", item_id=item_id, content_index=0, audio_end_ms=500
    )
    assert (event["type"], event["audio_end_ms"]) == ("conversation.item.truncated", 500)
    (event,) = story.send("conversation.item.retrieve", item_id=item_id)
    (part,) = event["item"]["content"]
    assert (part["transcript"], len(base64.b64decode(part["audio"]))) == ("", 24_000)


def test_a_truncation_behind_the_end_says_how_long_it_is() -> None:
    story = Story()
    place = {"item_id": said(story), "content_index": 0}
    assert story.refused("conversation.item.truncate", **place, audio_end_ms=1101) == (
        "invalid_value",
        "Audio content of 1100ms is already shorter than 1101ms",
    )
    at_the_end = story.send("conversation.item.truncate", **place, audio_end_ms=1100)
    assert types(at_the_end) == ["conversation.item.truncated"]


def test_a_server_that_believes_in_less() -> None:
    story = Story(shorter_ms=85)
    place = {"item_id": said(story), "content_index": 0}
    _, words = story.refused("conversation.item.truncate", **place, audio_end_ms=1100)
    assert words == "Audio content of 1015ms is already shorter than 1100ms"


@pytest.mark.parametrize(
    ("end_ms", "code"), [(10.5, "invalid_type"), (-1, "invalid_type"), (None, "invalid_type")]
)
def test_a_truncation_needs_whole_milliseconds(end_ms: Any, code: str) -> None:
    story = Story()
    place = {"item_id": said(story), "content_index": 0}
    assert story.refused("conversation.item.truncate", **place, audio_end_ms=end_ms)[0] == code


def test_only_the_model_s_audio_can_be_truncated() -> None:
    story = Story([Written(("text",)), Called("f", "{}")])
    story.append(tone(200))
    story.send("input_audio_buffer.commit")
    written, called = (each["id"] for each in story.respond()["output"])
    heard = order(story)[0]
    for item_id in (heard, written, called):
        assert story.refused(
            "conversation.item.truncate", item_id=item_id, content_index=0, audio_end_ms=0
        ) == ("unsupported_content_type", "Only model output audio messages can be truncated")
    code, _ = story.refused(
        "conversation.item.truncate", item_id="nobody", content_index=0, audio_end_ms=0
    )
    assert code == "item_truncate_invalid_item_id"


def test_an_item_without_audio_yet_cannot_be_truncated() -> None:
    story = Story([Called("f", "{}"), spoken("one two")], chunk_ms=100, speed=1)
    story.send("response.create")
    story.until(0.15)
    item = only(
        [each for _, each in story.sent if each.get("output_index") == 1],
        "response.output_item.added",
    )["item"]
    place = {"item_id": item["id"], "content_index": 0}
    late = story.send("conversation.item.truncate", **place, audio_end_ms=100)
    assert types(late) == ["conversation.item.truncated"]
    assert story.refused(
        "conversation.item.truncate", item_id=item["id"], content_index=1, audio_end_ms=0
    )[0] == ("unsupported_content_type")


def test_what_is_still_said_of_a_truncated_item_is_no_part_of_it() -> None:
    story = Story(speed=1)
    story.send("response.create")
    story.until(0.45)
    item = list(story.session.items)[-1]
    story.send("conversation.item.truncate", item_id=item.id, content_index=0, audio_end_ms=300)
    story.quiet()
    assert (item.tracks[0].ms, item.text) == (300, "")


def test_items_beyond_the_limit_lose_their_audio_oldest_first() -> None:
    story = Story(item_bytes=60_000)
    first, second = said(story), said(story)
    lengths = {
        item.id: (item.tracks[0].ms, item.tracks[0].data is not None)
        for item in story.session.items
    }
    assert lengths == {first: (1100, False), second: (1100, True)}
    (event,) = story.send("conversation.item.retrieve", item_id=first)
    assert "audio" not in event["item"]["content"][0]


def test_items_of_text_have_a_limit_too() -> None:
    story = Story(item_bytes=1000)
    story.write("x" * 1001)
    assert story.refused("conversation.item.create", item=message("more"))[0] == "too_many_items"


@pytest.mark.parametrize("url", ["iVBORw0KGgo=", "picture.png", "file:///picture.png", ""])
def test_an_image_that_is_no_url_is_refused(url: str) -> None:
    part = {"type": "input_image", "image_url": url}
    item = {"type": "message", "role": "user", "content": [part]}
    code, words = Story().refused("conversation.item.create", item=item)
    assert code == "invalid_value"
    assert "'item.content[0].image_url'. Expected a URL" in words


@pytest.mark.parametrize("url", ["data:image/png;base64,AA==", "https://example.com/a.png"])
def test_an_image_is_taken(url: str) -> None:
    part = {"type": "input_image", "image_url": url}
    item = {"type": "message", "role": "user", "content": [part]}
    events = Story().send("conversation.item.create", item=item)
    assert events[0]["item"]["content"] == [part]


@pytest.mark.parametrize("item", [{"type": []}, {"type": "message", "role": {}}])
def test_names_that_are_no_strings_are_refused(item: Any) -> None:
    code, _ = Story().refused("conversation.item.create", item=item)
    assert code == "invalid_value"
