from __future__ import annotations

from base64 import b64encode
from typing import Any

import msgspec
import pytest

from turnwire.events.realtime import (
    ConversationItemAdded,
    ConversationItemDeletedEvent,
    ConversationItemDone,
    InputAudioBufferCommittedEvent,
    InputAudioBufferSpeechStartedEvent,
    MalformedMessage,
    RealtimeError,
    RealtimeErrorEvent,
    RealtimeEvent,
    RealtimeResponseStatus,
    ResponseAudioDeltaEvent,
    ResponseContentPartAddedEvent,
    ResponseCreatedEvent,
    ResponseDoneEvent,
    ResponseTextDeltaEvent,
    SessionCreatedEvent,
    SessionUpdatedEvent,
    UnknownEvent,
    decode_realtime_event,
)


def arrived(kind: str, **fields: Any) -> RealtimeEvent:
    return decode_realtime_event(msgspec.json.encode({"type": kind, **fields}))


def test_an_event_keeps_its_bytes_and_its_unknown_fields() -> None:
    data = b'{"type": "input_audio_buffer.committed", "item_id": "i", "new": [1]}'
    event = decode_realtime_event(data)
    assert InputAudioBufferCommittedEvent(item_id="i", raw=data) == event
    assert {"type": event.type, "item_id": "i", "new": [1]} == event.to_dict()


def test_audio_arrives_decoded() -> None:
    event = arrived(
        "response.output_audio.delta",
        response_id="r",
        item_id="i",
        output_index=1,
        content_index=2,
        delta="AAEC",
    )
    assert isinstance(event, ResponseAudioDeltaEvent)
    assert (
        event.audio,
        event.delta,
        event.response_id,
        event.item_id,
    ) == (b"\0\1\2", "AAEC", "r", "i")
    assert (event.output_index, event.content_index) == (1, 2)


@pytest.mark.parametrize(
    ("beta", "today"),
    [
        ("response.audio.delta", "response.output_audio.delta"),
        ("response.audio.done", "response.output_audio.done"),
        ("response.audio_transcript.delta", "response.output_audio_transcript.delta"),
        ("response.audio_transcript.done", "response.output_audio_transcript.done"),
        ("response.text.delta", "response.output_text.delta"),
        ("response.text.done", "response.output_text.done"),
        ("conversation.item.created", "conversation.item.added"),
        ("transcription_session.created", "session.created"),
        ("transcription_session.updated", "session.updated"),
    ],
)
def test_the_betas_events_are_todays_and_keep_their_name(beta: str, today: str) -> None:
    fields: dict[str, Any] = {"item": {}, "delta": "AAAA", "item_id": "i", "event_id": "e"}
    old, new = arrived(beta, **fields), arrived(today, **fields)
    assert (type(new), today, beta, "e") == (type(old), old.type, old.raw_type, old.event_id)
    assert beta == old.to_dict()["type"]
    assert (today, today) == (new.type, new.raw_type)


@pytest.mark.parametrize(
    ("role", "part", "expected"),
    [
        ("assistant", "text", "output_text"),
        ("assistant", "audio", "output_audio"),
        ("assistant", "output_text", "output_text"),
        ("assistant", "glyphs", "glyphs"),
        ("user", "text", "text"),
        ("user", "input_audio", "input_audio"),
    ],
)
def test_what_the_model_says_has_todays_names(role: str, part: str, expected: str) -> None:
    item = {"id": "i", "type": "message", "role": role, "content": [{"type": part, "text": "a"}]}
    event = arrived("conversation.item.done", item=item)
    assert isinstance(event, ConversationItemDone)
    assert [(expected, "a")] == [(each.type, each.text) for each in event.item.content]
    assert item == event.item.to_dict()


def test_a_part_of_its_own_has_the_name_that_it_has_in_its_item() -> None:
    event = arrived("response.content_part.added", part={"type": "audio", "transcript": "hi"})
    assert isinstance(event, ResponseContentPartAddedEvent)
    assert (event.part.type, event.part.transcript) == ("output_audio", "hi")


def test_a_type_that_nobody_knows_is_no_error() -> None:
    event = arrived("response.telepathy", event_id="e", x=1)
    assert isinstance(event, UnknownEvent)
    assert (
        event.type,
        event.raw_type,
        event.event_id,
    ) == ("response.telepathy", "response.telepathy", "e")
    assert event.to_dict() == {"type": "response.telepathy", "event_id": "e", "x": 1}


@pytest.mark.parametrize("local", ["audio", "turn_done", "UnknownEvent", "RealtimeEvent"])
def test_a_server_cannot_speak_for_this_side(local: str) -> None:
    assert type(arrived(local)) is UnknownEvent


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"", "not valid JSON"),
        (b"{", "not valid JSON"),
        (b'{"type": "error"} {}', "not valid JSON"),
        (b"[1]", "a JSON list"),
        (b'"error"', "a JSON str"),
        (b"{}", "no string `type`"),
        (b'{"type": 1}', "no string `type`"),
        (b'{"type": "response.output_audio.delta", "delta": "A"}', "not valid base64"),
        (b'{"type": "response.audio.delta", "delta": "A*=="}', "not valid base64"),
        (b'{"type": "x\xff"}', "not valid"),
        (b'{"type": "error", "error": ' + b"[" * 100_000, "not valid|too deeply"),
    ],
)
def test_what_is_no_event_is_said(data: bytes, words: str) -> None:
    with pytest.raises(MalformedMessage, match=words):
        decode_realtime_event(data)


def test_long_audio_that_is_not_base64_is_said() -> None:
    data = b'{"type":"response.output_audio.delta","delta":"' + b"A" * 4001 + b'"}'
    with pytest.raises(MalformedMessage, match="not valid base64"):
        decode_realtime_event(data)


def test_a_delta_without_its_audio_is_unknown() -> None:
    assert type(arrived("response.output_audio.delta", item_id="i")) is UnknownEvent
    assert type(arrived("response.output_audio.delta", delta=None)) is UnknownEvent
    assert type(arrived("response.output_text.delta", delta=5.5)) is UnknownEvent


@pytest.mark.parametrize("missing", [{}, {"previous_item_id": None}])
def test_no_previous_item_is_none_either_way(missing: dict[str, Any]) -> None:
    event = arrived("conversation.item.added", item={"id": "i"}, **missing)
    assert isinstance(event, ConversationItemAdded)
    assert (event.previous_item_id, event.item.id) == (None, "i")


def test_status_details_may_be_a_text() -> None:
    event = arrived("response.done", response={"id": "r", "status": "x", "status_details": "why"})
    assert isinstance(event, ResponseDoneEvent)
    assert RealtimeResponseStatus(reason="why") == event.response.status_details
    assert (event.response.id, event.response.status) == ("r", "x")


@pytest.mark.parametrize("plural", ["", "s"])
def test_details_of_usage_have_two_spellings(plural: str) -> None:
    usage = {"input_tokens": 3, f"input_token{plural}_details": {"audio_tokens": 2}}
    event = arrived("response.done", response={"id": "r", "usage": usage})
    assert isinstance(event, ResponseDoneEvent)
    read = event.response.usage
    assert read is not None
    assert read.input_token_details is not None
    assert (read.input_tokens, read.input_token_details.audio_tokens) == (3, 2)
    assert read.input_token_details == read.input_tokens_details


ODD: list[Any] = [None, 7, 1.5, True, "odd", [], [1], ["a"], {}, {"a": 1}, [{"a": 1}], [[]]]
RESPONSE: dict[str, Any] = {
    "id": "r",
    "status": "completed",
    "status_details": {"type": "completed"},
    "output": [{"id": "i", "type": "message", "role": "assistant", "content": []}],
    "usage": {"input_tokens": 1, "input_token_details": {"cached_tokens": 1}},
    "metadata": {"k": "v"},
    "conversation_id": "c",
    "output_modalities": ["audio"],
}


@pytest.mark.parametrize("odd", ODD, ids=repr)
@pytest.mark.parametrize("kind", ["response.created", "response.done"])
@pytest.mark.parametrize("field", sorted(RESPONSE.keys() - {"id", "status"}))
def test_one_odd_field_does_not_hide_a_response(kind: str, field: str, odd: Any) -> None:
    event = arrived(kind, event_id=odd, response=RESPONSE | {field: odd, "voice": odd})
    assert isinstance(event, ResponseCreatedEvent | ResponseDoneEvent)
    assert (event.response_id, event.response.status) == ("r", "completed")
    assert odd == event.response.to_dict()[field]
    if field != "output":
        assert [item.id for item in event.response.output] == ["i"]


@pytest.mark.parametrize("odd", ODD, ids=repr)
@pytest.mark.parametrize("kind", ["response.created", "response.done", "session.created", "error"])
def test_an_event_that_others_wait_for_comes_without_its_object_too(kind: str, odd: Any) -> None:
    event = arrived(kind, response=odd, session=odd, error=odd)
    assert (kind, False) == (event.type, isinstance(event, UnknownEvent))


def test_odd_items_do_not_hide_the_others() -> None:
    outputs: list[Any] = [
        {"id": "a"},
        5,
        {"id": "b", "content": 7},
        None,
        {"id": "c", "content": ["?", {}]},
    ]
    event = arrived("response.done", response={"id": "r", "output": outputs})
    assert isinstance(event, ResponseDoneEvent)
    assert [item.id for item in event.response.output] == ["a", "b", "c"]
    assert [len(item.content) for item in event.response.output] == [0, 0, 1]


ITEM = {
    "id": "i",
    "type": "function_call",
    "status": "completed",
    "call_id": "c",
    "name": "f",
    "arguments": "{}",
}


@pytest.mark.parametrize("odd", ODD, ids=repr)
@pytest.mark.parametrize("field", ["content", "output", "tools", "object", "role", "approve"])
def test_one_odd_field_does_not_hide_an_item(field: str, odd: Any) -> None:
    for kind in (
        "conversation.item.added",
        "conversation.item.done",
        "response.output_item.added",
        "response.output_item.done",
    ):
        event: Any = arrived(kind, item=ITEM | {field: odd}, output_index=odd)
        assert kind == event.type
        read = {name: getattr(event.item, name) for name in ITEM}
        assert (ITEM, kind) == (read, event.type)


def test_an_item_that_is_none_is_unknown() -> None:
    assert type(arrived("conversation.item.added", item="i")) is UnknownEvent
    assert type(arrived("conversation.item.deleted")) is UnknownEvent
    assert ConversationItemDeletedEvent is type(arrived("conversation.item.deleted", item_id="i"))


def test_numbers_that_are_almost_right_are_read() -> None:
    event = arrived("input_audio_buffer.speech_started", audio_start_ms=120.5, item_id=5)
    assert isinstance(event, InputAudioBufferSpeechStartedEvent)
    assert (event.audio_start_ms, event.item_id) == (120, "5")


@pytest.mark.parametrize("kind", ["session.created", "session.updated"])
def test_a_voice_may_be_an_object(kind: str) -> None:
    session = {"id": "s", "expires_at": 5, "audio": {"output": {"voice": {"id": "voice_1"}}}}
    event = arrived(kind, session=session)
    assert isinstance(event, SessionCreatedEvent | SessionUpdatedEvent)
    assert (
        event.session.id,
        event.session.expires_at,
        event.session.voice,
    ) == ("s", 5, {"id": "voice_1"})
    assert session == event.session.fields


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        (
            {"error": {"type": "t", "code": "c", "message": "m", "param": "p", "event_id": "mine"}},
            RealtimeError(type="t", code="c", message="m", param="p", event_id="mine"),
        ),
        ({"error": {"message": "m", "code": 429}}, RealtimeError(message="m", code="429")),
        ({"error": "m"}, RealtimeError(message="m")),
        ({"message": "m", "code": "c"}, RealtimeError(message="m", code="c")),
        ({"error": None}, RealtimeError()),
        ({}, RealtimeError()),
    ],
)
def test_an_error_has_several_shapes(fields: dict[str, Any], expected: RealtimeError) -> None:
    event = arrived("error", event_id="theirs", **fields)
    assert isinstance(event, RealtimeErrorEvent)
    assert (expected, "theirs") == (event.error, event.event_id)


def test_a_retrieved_item_has_its_audio() -> None:
    content = [{"type": "input_audio", "audio": "AAAA"}, {"type": "input_audio", "audio": None}]
    event: Any = arrived("conversation.item.retrieved", item={"role": "user", "content": content})
    parts = event.item.content
    assert [(part.has_audio, part.audio) for part in parts] == [(True, "AAAA"), (False, None)]


def test_items_of_a_response_keep_their_bytes() -> None:
    outputs = [{"id": "a", "new": 1}, {"id": "b", "type": "thought", "new": [2]}]
    event: Any = arrived("response.done", response={"id": "r", "output": outputs})
    assert outputs == [item.to_dict() for item in event.response.output]


def test_nothing_that_was_said_is_in_a_repr() -> None:
    secret = "SECRET"
    item = {"role": "user", "content": [{"type": "input_text", "text": secret}], "name": secret}
    events = [
        arrived("response.output_text.delta", delta=secret, item_id="i"),
        arrived("response.output_audio.delta", delta=b64encode(secret.encode()).decode()),
        arrived("conversation.item.added", item=item),
        arrived("error", error={"message": secret, "code": "c"}),
        arrived("session.created", session={"instructions": secret, "client_secret": secret}),
        arrived("response.done", response={"metadata": {"a": secret}, "output": [item]}),
    ]
    inside: Any = events
    shown = repr(events) + repr(inside[2].item) + repr(inside[4].session) + repr(inside[5].response)
    assert secret not in shown + repr(inside[2].item.content)
    assert "item_id='i'" in shown
    assert isinstance(events[0], ResponseTextDeltaEvent)
