"""The session object: how it begins, what may be changed, how it ends."""

from __future__ import annotations

from typing import Any

import pytest

from gateway.voice.story import Story, only, types
from turnwire.gateway.voice.session import Close

pytestmark = pytest.mark.interop  # the official package reads every event


def test_a_session_begins_with_the_service_s_defaults() -> None:
    story = Story(max_age=3600.0)
    assert types([event for _, event in story.sent]) == ["session.created", "conversation.created"]
    session = story.sent[0][1]["session"]
    assert session.pop("id").startswith("sess_")
    assert session == {
        "type": "realtime",
        "object": "realtime.session",
        "model": "gpt-realtime-2.1",
        "output_modalities": ["audio"],
        "instructions": "",
        "tools": [],
        "tool_choice": "auto",
        "max_output_tokens": "inf",
        "tracing": None,
        "truncation": "auto",
        "prompt": None,
        "expires_at": 4600,
        "include": None,
        "audio": {
            "input": {
                "format": {"type": "audio/pcm", "rate": 24000},
                "transcription": None,
                "noise_reduction": None,
                "turn_detection": {
                    "type": "server_vad",
                    "threshold": 0.5,
                    "prefix_padding_ms": 300,
                    "silence_duration_ms": 500,
                    "idle_timeout_ms": None,
                    "create_response": True,
                    "interrupt_response": True,
                },
            },
            "output": {
                "format": {"type": "audio/pcm", "rate": 24000},
                "voice": "marin",
                "speed": 1.0,
            },
        },
    }


def test_an_update_changes_what_it_gives_and_nothing_else() -> None:
    story = Story()
    before = story.session.session
    detection = {"silence_duration_ms": 200}
    (event,) = story.configure(
        instructions="Be brief.", audio={"input": {"turn_detection": detection}}
    )
    after = event["session"]
    assert event["type"] == "session.updated"
    assert after["audio"]["input"]["turn_detection"] == {
        **before["audio"]["input"]["turn_detection"],
        "silence_duration_ms": 200,
    }
    assert after["audio"]["output"] == before["audio"]["output"]
    assert after == {**before, "instructions": "Be brief.", "audio": after["audio"]}


def test_updates_add_up() -> None:
    story = Story()
    story.configure(audio={"input": {"turn_detection": {"silence_duration_ms": 200}}})
    (event,) = story.configure(audio={"input": {"turn_detection": {"threshold": 0.9}}})
    detection = event["session"]["audio"]["input"]["turn_detection"]
    assert (detection["silence_duration_ms"], detection["threshold"]) == (200, 0.9)


def test_null_is_a_value() -> None:
    story = Story()
    (event,) = story.configure(audio={"input": {"turn_detection": None}})
    assert event["session"]["audio"]["input"]["turn_detection"] is None
    (event,) = story.configure(audio={"input": {"turn_detection": {"type": "semantic_vad"}}})
    assert event["session"]["audio"]["input"]["turn_detection"] == {
        "type": "semantic_vad",
        "eagerness": "auto",
        "create_response": True,
        "interrupt_response": True,
    }


def test_a_format_is_told_whole() -> None:
    story = Story()
    (event,) = story.configure(audio={"input": {"format": {"type": "audio/pcmu"}}})
    assert event["session"]["audio"]["input"]["format"] == {"type": "audio/pcmu"}
    (event,) = story.configure(audio={"input": {"format": {"type": "audio/pcm"}}})
    assert event["session"]["audio"]["input"]["format"] == {"type": "audio/pcm", "rate": 24000}


@pytest.mark.parametrize(
    ("session", "code", "param"),
    [
        (None, "missing_required_parameter", "session"),
        ({"instructions": "x"}, "missing_required_parameter", "session.type"),
        ({"type": "transcription"}, "invalid_value", "session.type"),
        ({"type": "realtime", "modalities": ["text"]}, "unknown_parameter", "session.modalities"),
        (
            {"type": "realtime", "output_modalities": ["audio", "text"]},
            "invalid_value",
            "session.output_modalities",
        ),
        (
            {"type": "realtime", "max_output_tokens": 0},
            "invalid_value",
            "session.max_output_tokens",
        ),
        ({"type": "realtime", "tools": {}}, "invalid_type", "session.tools"),
        ({"type": "realtime", "tools": ["weather"]}, "invalid_type", "session.tools"),
        (
            {"type": "realtime", "tools": [{"type": "function"}]},
            "missing_required_parameter",
            "session.tools[0].name",
        ),
        (
            {"type": "realtime", "tools": [{"type": "function", "name": 5}]},
            "invalid_type",
            "session.tools[0].name",
        ),
        (
            {
                "type": "realtime",
                "tools": [
                    {"type": "mcp", "server_label": "files"},
                    {"type": "function", "function": {"name": "weather"}},
                ],
            },
            "missing_required_parameter",
            "session.tools[1].name",
        ),
        (
            {"type": "realtime", "tools": [{"name": "weather", "function": {}}]},
            "unknown_parameter",
            "session.tools[0].function",
        ),
        (
            {"type": "realtime", "tools": [{"type": "web_search"}]},
            "invalid_value",
            "session.tools[0].type",
        ),
        (
            {"type": "realtime", "tools": [{"type": []}]},
            "invalid_value",
            "session.tools[0].type",
        ),
        (
            {"type": "realtime", "audio": {"input": {"turn_detection": {"type": {}}}}},
            "invalid_value",
            "session.audio.input.turn_detection.type",
        ),
        (
            {"type": "realtime", "audio": {"input": {"turn_detection": {"eagerness": {}}}}},
            "invalid_value",
            "session.audio.input.turn_detection.eagerness",
        ),
        (
            {"type": "realtime", "audio": {"output": {"format": {"type": []}}}},
            "invalid_value",
            "session.audio.output.format.type",
        ),
        (
            {"type": "realtime", "audio": {"input": {"turn_detection": "server_vad"}}},
            "invalid_type",
            "session.audio.input.turn_detection",
        ),
        (
            {
                "type": "realtime",
                "audio": {"input": {"format": {"type": "audio/pcm", "rate": 16000}}},
            },
            "invalid_value",
            "session.audio.input.format.rate",
        ),
        (
            {"type": "realtime", "audio": {"output": {"format": {"type": "pcm16"}}}},
            "invalid_value",
            "session.audio.output.format.type",
        ),
        (
            {"type": "realtime", "audio": {"output": {"speed": 1.6}}},
            "invalid_value",
            "session.audio.output.speed",
        ),
        (
            {"type": "realtime", "audio": {"output": {"voice": "nobody"}}},
            "invalid_value",
            "session.audio.output.voice",
        ),
        (
            {"type": "realtime", "audio": {"input": {"turn_detection": {"type": "magic"}}}},
            "invalid_value",
            "session.audio.input.turn_detection.type",
        ),
        (
            {"type": "realtime", "audio": {"input": {"turn_detection": {"threshold": 2}}}},
            "invalid_value",
            "session.audio.input.turn_detection.threshold",
        ),
        (
            {
                "type": "realtime",
                "audio": {"input": {"turn_detection": {"silence_duration_ms": 0.5}}},
            },
            "invalid_type",
            "session.audio.input.turn_detection.silence_duration_ms",
        ),
    ],
)
def test_what_cannot_be_is_refused_and_changes_nothing(session: Any, code: str, param: str) -> None:
    story = Story()
    before = story.session.session
    (event,) = story.send("session.update", session=session, event_id="mine")
    error = event["error"]
    assert (error["type"], error["code"], error["param"], error["event_id"]) == (
        "invalid_request_error",
        code,
        param,
        "mine",
    )
    assert story.session.session == before


def test_the_voice_is_frozen_by_the_first_audio() -> None:
    story = Story()
    story.configure(audio={"output": {"voice": "ash"}})
    story.respond()
    assert story.refused(
        "session.update", session={"type": "realtime", "audio": {"output": {"voice": "cedar"}}}
    ) == (
        "cannot_update_voice",
        "Cannot update a conversation's voice if assistant audio is present.",
    )
    assert types(story.configure(audio={"output": {"voice": "ash"}})) == ["session.updated"]


def test_tracing_can_be_set_once() -> None:
    story = Story()
    assert types(story.configure(tracing={"workflow_name": "w"})) == ["session.updated"]
    assert types(story.configure(tracing={"workflow_name": "w"})) == ["session.updated"]
    code, _ = story.refused("session.update", session={"type": "realtime", "tracing": "auto"})
    assert code == "cannot_update_tracing"


@pytest.mark.parametrize(
    "message",
    [b"no json", b'"text"', b"[]", b"{", b"\xff", b"[" * 100_000],
    ids=["words", "string", "array", "cut", "bytes", "deep"],
)
def test_what_is_no_event_is_answered_too(message: bytes) -> None:
    story = Story()
    (event,) = story.say(message)
    assert event["error"]["code"] == "invalid_json"
    assert story.closed is None


def test_an_unknown_type_is_told_what_there_is() -> None:
    story = Story()
    code, words = story.refused("response.make")
    assert code == "invalid_value"
    assert words.startswith(
        "Invalid value: 'response.make'. Supported values are: 'session.update'"
    )
    (event,) = story.say({"event_id": "mine"})
    assert (event["error"]["code"], event["error"]["param"]) == (
        "missing_required_parameter",
        "type",
    )


def test_a_session_expires_with_an_error_and_a_close_that_says_so() -> None:
    story = Story(max_age=3600.0)
    assert story.until(3599.0) == []
    (event,) = story.until(3600.0)
    words = "Your session hit the maximum duration of 60 minutes."
    assert (event["error"]["code"], event["error"]["message"]) == ("session_expired", words)
    assert story.closed == Close(1001, words)
    assert story.write("anybody?") == []
    assert story.session.deadline is None


def test_a_jump_in_time_does_what_small_steps_do() -> None:
    stepping, jumping = Story(max_age=None), Story(max_age=None)
    for story in (stepping, jumping):
        detection = {"type": "server_vad", "idle_timeout_ms": 5000}
        story.configure(audio={"input": {"turn_detection": detection}})
        story.send("response.create")
    stepping.until(60.0)
    jumping.session.advance(60.0)
    jumping.until(60.0)
    kinds = [[event["type"] for _, event in story.sent] for story in (stepping, jumping)]
    assert kinds[0] == kinds[1]
    assert kinds[0].count("input_audio_buffer.timeout_triggered") == 9


def test_every_event_has_an_id_of_its_own() -> None:
    story = Story()
    story.write("hi")
    story.respond()
    ids = [event["event_id"] for _, event in story.sent]
    assert len(ids) == len(set(ids)) > 20
    assert only([event for _, event in story.sent], "response.created")["event_id"] in ids
