from __future__ import annotations

from typing import Any

import pytest

from turnwire.events.codec import encode
from turnwire.events.realtime import (
    PCMA,
    PCMU,
    AudioFormat,
    RealtimeSession,
    ResponseCreatedEvent,
    SessionCreatedEvent,
    client,
    decode_realtime_event,
    session_from_beta,
    to_beta,
)

FLAT: dict[str, Any] = {
    "model": "m",
    "instructions": "be kind",
    "modalities": ["text", "audio"],
    "voice": "marin",
    "speed": 1.2,
    "input_audio_format": "g711_ulaw",
    "output_audio_format": "g711_alaw",
    "input_audio_transcription": {"model": "t"},
    "input_audio_noise_reduction": None,
    "turn_detection": None,
    "max_response_output_tokens": "inf",
    "tools": [],
}
NESTED: dict[str, Any] = {
    "model": "m",
    "instructions": "be kind",
    "output_modalities": ["audio"],
    "audio": {
        "input": {
            "format": {"type": "audio/pcmu"},
            "transcription": {"model": "t"},
            "noise_reduction": None,
            "turn_detection": None,
        },
        "output": {"format": {"type": "audio/pcma"}, "voice": "marin", "speed": 1.2},
    },
    "max_output_tokens": "inf",
    "tools": [],
}


def test_a_flat_session_is_read_as_a_nested_one() -> None:
    assert session_from_beta(FLAT) == NESTED


def test_a_nested_session_is_left_alone() -> None:
    assert session_from_beta(NESTED) == NESTED
    assert session_from_beta({"audio": "?"}) == {"audio": "?"}


def test_a_session_goes_out_flat() -> None:
    update = client.session_update(NESTED, event_id="e")
    before = encode(update)
    assert to_beta(update) == {"type": "session.update", "event_id": "e", "session": FLAT}
    assert before == encode(update), "what was given stays as it was"


@pytest.mark.parametrize("flat", ["modalities", "max_response_output_tokens", "speed"])
def test_only_what_is_given_goes_out(flat: str) -> None:
    nested = session_from_beta({flat: FLAT[flat]})
    beta = to_beta(client.session_update(nested))
    assert {flat: FLAT[flat]} == beta["session"]


@pytest.mark.parametrize(
    ("beta", "today"),
    [(["text"], ["text"]), (["audio", "text"], ["audio"]), (["audio"], ["audio"])],
)
def test_the_betas_modalities(beta: list[str], today: list[str]) -> None:
    assert {"output_modalities": today} == session_from_beta({"modalities": beta})


def test_a_session_for_transcription_has_a_message_of_its_own() -> None:
    update = client.session_update({"type": "transcription", "include": ["x"]})
    expected = {"type": "transcription_session.update", "session": {"include": ["x"]}}
    assert expected == to_beta(update)


def test_what_the_beta_never_had_is_not_dropped_in_silence() -> None:
    fields = {"audio": {"output": {"voice": "v", "pitch": 2}}, "truncation": "auto"}
    expected = {"voice": "v", "truncation": "auto", "audio": {"output": {"pitch": 2}}}
    assert expected == to_beta(client.session_update(fields))["session"]


def test_a_response_goes_out_flat_with_its_own_input() -> None:
    said = client.assistant_message("hi")["item"]
    heard = client.user_message("ho")["item"]
    event = client.response_create(
        {
            "output_modalities": ["audio"],
            "audio": {"output": {"voice": "ash"}},
            "max_output_tokens": 9,
            "input": [said, heard],
            "metadata": {"a": "b"},
        }
    )
    expected = {
        "modalities": ["text", "audio"],
        "voice": "ash",
        "max_response_output_tokens": 9,
        "input": [said | {"content": [{"type": "text", "text": "hi"}]}, heard],
        "metadata": {"a": "b"},
    }
    assert {"type": "response.create", "response": expected} == to_beta(event)


@pytest.mark.parametrize(
    "event",
    [
        client.commit(),
        client.response_create(),
        client.response_cancel("r"),
        client.user_message("hi", previous_item_id="p"),
        client.function_output("c", "{}"),
        client.item_truncate("i", 0, 5),
    ],
    ids=lambda event: event["type"],
)
def test_the_rest_is_the_same_in_both(event: dict[str, Any]) -> None:
    assert event == to_beta(event)


def test_what_the_model_said_has_the_betas_names() -> None:
    content = [{"type": "output_text", "text": "a"}, {"type": "output_audio"}, {"type": "new"}]
    item = {"type": "message", "role": "assistant", "content": content}
    beta = to_beta(client.item_create(item))["item"]["content"]
    assert beta == [{"type": "text", "text": "a"}, {"type": "audio"}, {"type": "new"}]


@pytest.mark.parametrize("fields", [FLAT, NESTED], ids=["beta", "today"])
def test_a_session_says_its_formats_and_its_voice(fields: dict[str, Any]) -> None:
    session = RealtimeSession.of({"id": "s", **fields})
    assert (
        session.id,
        session.model,
        session.input_format,
        session.output_format,
        session.voice,
        session.interrupt_response,
    ) == ("s", "m", PCMU, PCMA, "marin", False)


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({}, None),
        ({"audio": {"input": {}}}, None),
        ({"turn_detection": None}, False),
        ({"turn_detection": {"type": "server_vad"}}, True),
        ({"turn_detection": {"type": "semantic_vad", "interrupt_response": True}}, True),
        ({"audio": {"input": {"turn_detection": {"interrupt_response": False}}}}, False),
        ({"audio": {"input": {"turn_detection": {"interrupt_response": None}}}}, True),
    ],
)
def test_who_interrupts(given: dict[str, Any], expected: object) -> None:
    assert expected is RealtimeSession.of(given).interrupt_response


def test_a_transcription_session_of_the_beta_is_a_session_of_that_type() -> None:
    data = encode({"type": "transcription_session.created", "session": {"id": "s"}})
    event = decode_realtime_event(data)
    assert isinstance(event, SessionCreatedEvent)
    assert (
        event.session.type,
        event.session.fields,
    ) == ("transcription", {"type": "transcription", "id": "s"})


def test_one_session_leaves_no_trace_in_the_next() -> None:
    kinds: list[str | None] = []
    for name in ("transcription_session.created", "session.created"):
        event = decode_realtime_event(encode({"type": name}))
        assert isinstance(event, SessionCreatedEvent)
        kinds.append(event.session.type)
    assert kinds == ["transcription", None]


def test_a_session_of_odd_fields_is_a_session() -> None:
    session = RealtimeSession.of({"id": [], "model": "m", "voice": {"id": "v"}, "audio": 5})
    assert (session.id, session.model, session.voice) == (None, "m", {"id": "v"})


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"audio": {"output": {"format": {"type": "audio/pcmu"}}}}, PCMU),
        ({"output_audio_format": "g711_alaw"}, PCMA),
        ({"audio": {"output": {"voice": "ash"}}}, None),
        ({"audio": []}, None),
        ({}, None),
    ],
)
def test_a_response_may_have_a_format_of_its_own(
    fields: dict[str, Any], expected: AudioFormat | None
) -> None:
    data = encode({"type": "response.created", "response": {"id": "r", **fields}})
    event = decode_realtime_event(data)
    assert isinstance(event, ResponseCreatedEvent)
    assert expected == event.response.output_format
