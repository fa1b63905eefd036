"""Responses: the order of their events, their pace, what ends them."""

from __future__ import annotations

import base64
from typing import Any

import pytest

from gateway.voice.story import Story, audio_of, only, tone, types
from turnwire.gateway.voice.formats import PCM, PCMA, PCMU, AudioFormat
from turnwire.gateway.voice.model import Called, Failed, Written
from turnwire.gateway.voice.refusals import Refused
from turnwire.gateway.voice.tones import spoken

pytestmark = pytest.mark.interop

SPOKEN = [
    "response.output_item.added",
    "conversation.item.added",
    "response.content_part.added",
    "SAID",
    "response.output_audio.done",
    "response.output_audio_transcript.done",
    "response.content_part.done",
    "response.output_item.done",
    "conversation.item.done",
]


def shape(events: list[dict[str, Any]]) -> list[str]:
    """Return the types of events, the deltas of audio and transcript as one."""
    deltas = {"response.output_audio.delta", "response.output_audio_transcript.delta"}
    found: list[str] = []
    for kind in types(events):
        name = "SAID" if kind in deltas else kind
        if found[-1:] != ["SAID"] or name != "SAID":
            found.append(name)
    return found


def test_the_order_of_one_spoken_reply() -> None:
    story = Story()
    events = story.send("response.create") + story.quiet()
    assert shape(events) == ["response.created", "rate_limits.updated", *SPOKEN, "response.done"]


def test_several_items_follow_each_other() -> None:
    story = Story([spoken("one"), spoken("two"), Called("f", '{"a": 1}')])
    events = story.send("response.create") + story.quiet()
    call = [
        "response.output_item.added",
        "conversation.item.added",
        "response.function_call_arguments.delta",
        "response.function_call_arguments.done",
        "response.output_item.done",
        "conversation.item.done",
    ]
    head = ["response.created", "rate_limits.updated"]
    assert shape(events) == [*head, *SPOKEN, *SPOKEN, *call, "response.done"]
    output = events[-1]["response"]["output"]
    assert [item["type"] for item in output] == ["message", "message", "function_call"]
    assert [
        event["previous_item_id"] for event in events if event["type"] == "conversation.item.added"
    ] == [
        None,
        output[0]["id"],
        output[1]["id"],
    ]


def test_text_mode_writes_what_would_be_spoken() -> None:
    story = Story()
    story.configure(output_modalities=["text"])
    events = story.send("response.create") + story.quiet()
    assert types(events)[2:-1] == [
        "response.output_item.added",
        "conversation.item.added",
        "response.content_part.added",
        "response.output_text.delta",
        "response.output_text.done",
        "response.content_part.done",
        "response.output_item.done",
        "conversation.item.done",
    ]
    (item,) = events[-1]["response"]["output"]
    assert item["content"] == [{"type": "output_text", "text": "one two three four five"}]


def test_the_transcript_is_known_to_the_word() -> None:
    story = Story()
    events = story.send("response.create") + story.quiet()
    words = [e["delta"] for e in events if e["type"] == "response.output_audio_transcript.delta"]
    assert words == ["one", " two", " three", " four", " five"]
    done = only(events, "response.output_audio_transcript.done")
    assert done["transcript"] == "one two three four five"
    (item,) = events[-1]["response"]["output"]
    assert item["content"] == [{"type": "output_audio", "transcript": "one two three four five"}]


@pytest.mark.parametrize(("speed", "ends"), [(1.0, 1.1), (8.0, 1.1 / 8), (50.0, 1.1 / 50)])
def test_audio_is_made_so_many_times_faster_than_it_plays(speed: float, ends: float) -> None:
    story = Story(speed=speed)
    story.send("response.create")
    story.quiet()
    times = [at for at, event in story.sent if event["type"] == "response.output_audio.delta"]
    assert len(times) == 11
    assert times == pytest.approx([n * 0.1 / speed for n in range(11)])
    assert story.sent[-1][0] == pytest.approx(ends)


def test_chunks_have_the_length_that_is_asked_for() -> None:
    story = Story(chunk_ms=400)
    events = story.send("response.create") + story.quiet()
    chunks = [
        base64.b64decode(e["delta"]) for e in events if e["type"] == "response.output_audio.delta"
    ]
    assert [PCM.ms(len(chunk)) for chunk in chunks] == [400, 400, 300]


@pytest.mark.parametrize("form", [PCM, PCMU, PCMA], ids=lambda form: form.type)
def test_audio_has_the_session_s_format(form: AudioFormat) -> None:
    story = Story()
    story.configure(audio={"output": {"format": form.wire()}})
    events = story.send("response.create") + story.quiet()
    audio = audio_of(events)
    assert form.ms(len(audio)) == 1100
    assert events[-1]["response"]["audio"]["output"]["format"] == form.wire()


def test_metadata_comes_back_on_created_and_done() -> None:
    story = Story()
    events = story.send("response.create", response={"metadata": {"a": "b"}}) + story.quiet()
    told = [e["response"]["metadata"] for e in events if "response" in e]
    assert told == [{"a": "b"}, {"a": "b"}]


def test_a_response_has_parameters_of_its_own() -> None:
    story = Story()
    done = story.respond(output_modalities=["text"], instructions="Be brief.")
    assert done["output_modalities"] == ["text"]
    assert story.voice.asked[0].parameters["instructions"] == "Be brief."
    assert story.session.session["output_modalities"] == ["audio"]
    code, _ = story.refused("response.create", response={"modalities": ["text"]})
    assert code == "unknown_parameter"


def test_usage_counts_what_was_heard_and_said() -> None:
    story = Story()
    story.append(tone(1000))
    story.send("input_audio_buffer.commit")
    usage = story.respond()["usage"]
    assert usage["input_token_details"]["audio_tokens"] == 10
    assert usage["output_token_details"]["audio_tokens"] == 22
    assert usage["total_tokens"] == usage["input_tokens"] + usage["output_tokens"]


def test_usage_counts_what_was_said_and_is_truncated_since() -> None:
    whole, story = Story(speed=1).respond()["usage"], Story(speed=1)
    story.send("response.create")
    story.until(0.45)
    (item,) = list(story.session.items)
    story.send("conversation.item.truncate", item_id=item.id, content_index=0, audio_end_ms=100)
    (done,) = [event for event in story.quiet() if event["type"] == "response.done"]
    assert done["response"]["usage"] == whole


def test_a_response_of_limited_length_is_incomplete() -> None:
    story = Story()
    done = story.respond(max_output_tokens=8)
    assert (done["status"], done["status_details"]) == (
        "incomplete",
        {"type": "incomplete", "reason": "max_output_tokens"},
    )
    assert next(iter(story.session.items)).tracks[0].ms == 400


def test_a_response_that_fails_says_why() -> None:
    done = Story([spoken("one"), Failed("insufficient_quota", "No money.")]).respond()
    assert done["status"] == "failed"
    assert done["status_details"]["error"] == {
        "type": "server_error",
        "code": "insufficient_quota",
        "message": "No money.",
    }
    assert len(done["output"]) == 1


# One at a time


def test_a_second_response_is_refused_with_the_client_s_event() -> None:
    story = Story()
    (created, *_) = story.send("response.create")
    response_id = created["response"]["id"]
    assert story.refused("response.create") == (
        "conversation_already_has_active_response",
        (
            f"Conversation already has an active response in progress: {response_id}. Wait until"
            " the response is finished before creating a new one."
        ),
    )
    story.quiet()
    assert story.respond()["status"] == "completed"
    assert story.session.responding.count == 2


def test_responses_outside_of_the_conversation_run_beside_it() -> None:
    story = Story()
    story.send("response.create")
    outside = story.send("response.create", response={"conversation": "none"})
    events = outside + story.quiet()
    done = [e["response"] for e in events if e["type"] == "response.done"]
    assert [each["conversation_id"] is None for each in done] == [False, True]
    added = [e["item"]["id"] for e in story.session_events("conversation.item.added")]
    assert added == [done[0]["output"][0]["id"]] == [item.id for item in story.session.items]


def test_a_response_may_have_an_input_of_its_own() -> None:
    story = Story()
    story.write("the conversation", id="a")
    item = {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "else"}]}
    reference = {"type": "item_reference", "id": "a"}
    story.respond(conversation="none", input=[item, reference])
    assert [each.text for each in story.voice.asked[0].items] == ["else", "the conversation"]
    code, _ = story.refused(
        "response.create", response={"input": [{"type": "item_reference", "id": "?"}]}
    )
    assert code == "item_retrieve_invalid_item_id"


def test_there_is_a_limit_to_responses_at_once() -> None:
    story = Story(active_limit=2)
    outside = {"conversation": "none"}
    story.send("response.create", response=outside)
    story.send("response.create", response=outside)
    assert story.refused("response.create", response=outside)[0] == "too_many_active_responses"


def test_who_may_not_have_a_response_is_told_so() -> None:
    ends: list[tuple[int, float]] = []

    def allow(now: float) -> Any:
        if now > 0:
            raise Refused("The limit is 1 request.", "rate_limit_exceeded", kind="rate_limit_error")
        return lambda tokens, at: ends.append((tokens, at))

    story = Story(allow=allow)
    done = story.respond()
    assert ends == [(done["usage"]["total_tokens"], pytest.approx(1.1 / 8))]
    assert story.refused("response.create")[0] == "rate_limit_exceeded"
    assert story.session.responding.count == 1


# Cancelling


def test_a_cancelled_response_ends_what_it_has_begun() -> None:
    story = Story([spoken("one two three"), spoken("four")], speed=1)
    story.send("response.create")
    story.until(0.25)
    events = story.send("response.cancel")
    assert types(events) == [
        "response.output_audio.done",
        "response.output_audio_transcript.done",
        "response.content_part.done",
        "response.output_item.done",
        "conversation.item.done",
        "response.done",
    ]
    response = events[-1]["response"]
    assert (response["status"], response["status_details"]) == (
        "cancelled",
        {"type": "cancelled", "reason": "client_cancelled"},
    )
    (item,) = response["output"]
    assert (item["status"], item["content"][0]["transcript"]) == ("incomplete", "one two")
    assert story.quiet() == []
    assert story.respond()["status"] == "completed"


def test_a_cancel_by_name_hits_that_one_alone() -> None:
    story = Story()
    (one, *_) = story.send("response.create")
    (other, *_) = story.send("response.create", response={"conversation": "none"})
    events = story.send("response.cancel", response_id=other["response"]["id"]) + story.quiet()
    ends = {
        e["response"]["id"]: e["response"]["status"] for e in events if e["type"] == "response.done"
    }
    assert ends == {other["response"]["id"]: "cancelled", one["response"]["id"]: "completed"}


def test_without_a_response_there_is_nothing_to_cancel() -> None:
    story = Story()
    words = ("response_cancel_not_active", "Cancellation failed: no active response found")
    assert story.refused("response.cancel") == words
    done = story.respond()
    assert story.refused("response.cancel", response_id=done["id"]) == words
    # A response outside of the conversation is cancelled by its name alone.
    story.send("response.create", response={"conversation": "none"})
    assert story.refused("response.cancel") == words


def test_chunks_may_come_after_a_cancel() -> None:
    story = Story(late_chunks=2, speed=1)
    story.send("response.create")
    story.until(0.05)
    events = story.send("response.cancel")
    assert types(events)[0] in {
        "response.output_audio_transcript.delta",
        "response.output_audio.delta",
    }
    assert PCM.ms(len(audio_of(events))) == 200
    assert next(iter(story.session.items)).tracks[0].ms == 300


def test_chunks_may_come_even_after_the_response_is_done() -> None:
    story = Story(chunks_after_done=2, speed=1)
    story.send("response.create")
    story.until(0.05)
    events = story.send("response.cancel")
    place = types(events).index("response.done")
    assert PCM.ms(len(audio_of(events[place:]))) == 200


def test_a_response_can_be_cancelled_before_it_is_created() -> None:
    story = Story(created_delay=1.0)
    assert story.send("response.create") == []
    assert types(story.send("response.cancel")) == [
        "response.created",
        "rate_limits.updated",
        "response.done",
    ]
    created, done = (e["response"] for _, e in story.sent if "response" in e)
    assert (created["status"], done["status"], done["output"]) == ("in_progress", "cancelled", [])


def test_a_cancel_waits_for_nothing() -> None:
    story = Story(created_delay=1.0, first_output_delay=1.0)
    story.send("response.create")
    assert types(story.send("response.cancel"))[-1] == "response.done"


def test_a_server_may_know_of_a_response_only_once_it_is_created() -> None:
    story = Story(created_delay=1.0, cancels_before_created=False)
    story.send("response.create")
    assert story.refused("response.cancel")[0] == "response_cancel_not_active"
    assert story.quiet()[-1]["response"]["status"] == "completed"


def test_the_first_item_may_take_its_time() -> None:
    story = Story(first_output_delay=0.5)
    assert types(story.send("response.create")) == ["response.created", "rate_limits.updated"]
    assert story.until(0.49) == []
    assert types(story.until(0.5))[0] == "response.output_item.added"
    assert types(story.send("response.cancel"))[-1] == "response.done"


def test_a_response_whose_item_was_deleted_goes_on_without_it() -> None:
    story = Story(speed=1)
    story.send("response.create")
    story.until(0.15)
    item_id = list(story.session.items)[-1].id
    story.send("conversation.item.delete", item_id=item_id)
    events = story.quiet()
    assert types(events)[-2:] == ["response.output_item.done", "response.done"]
    assert len(story.session.items) == 0


def test_a_call_s_output_is_an_item_like_any_other() -> None:
    story = Story([Called("weather", '{"city":"Oslo"}', "call_1")], [Written(("It rains.",))])
    (call,) = story.respond()["output"]
    assert (call["call_id"], call["arguments"]) == ("call_1", '{"city":"Oslo"}')
    output = {"type": "function_call_output", "call_id": "call_1", "output": "rain"}
    added, _ = story.send("conversation.item.create", item=output)
    assert added["item"]["output"] == "rain"
    assert story.respond()["output"][0]["content"][0]["text"] == "It rains."
