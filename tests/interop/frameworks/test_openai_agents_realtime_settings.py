"""What the OpenAI Agents SDK says of a voice session, as it goes over the wire."""

from __future__ import annotations

from typing import Any

import pytest
from agents import UserError, WebSearchTool, function_tool
from agents.model_settings import MCPToolChoice
from agents.realtime import RealtimeAgent, RealtimePlaybackTracker, realtime_handoff
from openai.types.realtime.realtime_audio_formats import AudioPCMU

from turnwire.adapters.openai_agents.realtime import RealtimeModel
from turnwire.adapters.openai_agents.realtime.options import connection_options
from turnwire.adapters.openai_agents.realtime.settings import changed_fields, opening_fields
from turnwire.adapters.openai_agents.realtime.tracker import TrackedPlayhead
from turnwire.errors import ConfigError
from turnwire.realtime import RealtimeOptions

pytestmark = pytest.mark.interop

_PCM = {"type": "audio/pcm", "rate": 24_000}


@function_tool
def weather(city: str) -> str:
    """Tell the weather."""
    return city


def opening(**settings: Any) -> dict[str, Any]:
    fields: Any = settings
    return opening_fields(fields, is_call=False)


def changed(**settings: Any) -> dict[str, Any]:
    fields: Any = settings
    return changed_fields(fields)


def of_connection(config: Any, **own: Any) -> RealtimeOptions:
    return connection_options(RealtimeOptions(**own), config)


def test_a_session_opens_with_the_sdk_s_defaults() -> None:
    assert opening() == {
        "tracing": "auto",
        "output_modalities": ["audio"],
        "audio": {
            "input": {
                "format": _PCM,
                "transcription": {"model": "gpt-4o-mini-transcribe"},
                "turn_detection": {"type": "semantic_vad", "interrupt_response": True},
            },
            "output": {"format": _PCM, "voice": "ash"},
        },
    }


def test_a_call_knows_its_formats() -> None:
    audio = opening_fields({}, is_call=True)["audio"]
    assert "format" not in audio["input"]
    assert "format" not in audio["output"]
    given = opening_fields({"input_audio_format": "g711_alaw"}, is_call=True)["audio"]
    assert given["input"]["format"] == {"type": "audio/pcma"}


def test_what_is_given_goes_out_and_nothing_else() -> None:
    assert changed() == {}
    assert changed(
        model_name="m",
        instructions="Be brief.",
        prompt={"id": "p", "version": "2"},
        output_modalities=["text"],
        modalities=["audio"],
        voice={"id": "voice_1"},
        speed=1.2,
        max_output_tokens="inf",
        parallel_tool_calls=False,
        reasoning={"effort": "low"},
        tracing={"workflow_name": "w"},
    ) == {
        "model": "m",
        "instructions": "Be brief.",
        "prompt": {"id": "p", "version": "2"},
        "output_modalities": ["text"],
        "audio": {"output": {"voice": {"id": "voice_1"}, "speed": 1.2}},
        "max_output_tokens": "inf",
        "parallel_tool_calls": False,
        "reasoning": {"effort": "low"},
    }


def test_none_is_a_value_where_the_wire_has_one() -> None:
    nothing = {"input_audio_noise_reduction": None, "input_audio_transcription": None}
    fields = opening(**nothing, turn_detection=None, tracing=None, voice=None, speed=None)
    audio = fields["audio"]
    assert audio["input"] == {
        "format": _PCM,
        "noise_reduction": None,
        "transcription": None,
        "turn_detection": None,
    }
    assert audio["output"] == {"format": _PCM}
    assert fields["tracing"] is None


def test_what_stands_in_audio_goes_before() -> None:
    inside = {
        "input": {"format": "g711_ulaw", "turn_detection": None},
        "output": {"format": AudioPCMU(type="audio/pcmu"), "voice": None},
    }
    audio = opening(audio=inside, voice="cedar", turn_detection={"type": "server_vad"})["audio"]
    assert audio["input"]["turn_detection"] is None
    assert audio["input"]["format"] == audio["output"]["format"] == {"type": "audio/pcmu"}
    assert audio["output"]["voice"] == "cedar"


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ("pcm16", _PCM),
        ("pcm", _PCM),
        ({"type": "audio/pcm"}, _PCM),
        ("pcmu", {"type": "audio/pcmu"}),
        ("g711_alaw", {"type": "audio/pcma"}),
        ({"type": "audio/pcma"}, {"type": "audio/pcma"}),
    ],
)
def test_formats_have_many_names(given: Any, expected: Any) -> None:
    assert changed(output_audio_format=given) == {"audio": {"output": {"format": expected}}}


def test_a_format_that_is_none_is_refused() -> None:
    with pytest.raises(UserError, match="'mp3' is no audio format"):
        changed(output_audio_format="mp3")


def test_turn_detection_is_spelled_as_one_likes() -> None:
    given = {"type": "server_vad", "createResponse": False, "silence_duration_ms": 0}
    assert changed(turn_detection=given)["audio"]["input"]["turn_detection"] == {
        "type": "server_vad",
        "create_response": False,
        "silence_duration_ms": 0,
    }


def test_tools_and_handoffs_are_functions() -> None:
    handoff = realtime_handoff(RealtimeAgent(name="Clerk"), tool_description_override="To a clerk.")
    tools = changed(tools=[weather], handoffs=[handoff])["tools"]
    assert tools == [
        {
            "type": "function",
            "name": "weather",
            "description": "Tell the weather.",
            "parameters": weather.params_json_schema,
        },
        {
            "type": "function",
            "name": "transfer_to_clerk",
            "description": "To a clerk.",
            "parameters": handoff.input_json_schema,
        },
    ]


def test_tools_that_are_switched_off_are_left_out() -> None:
    @function_tool(is_enabled=False)
    def off() -> None:
        """Do nothing."""

    assert changed(tools=[off], handoffs=None) == {"tools": []}


def test_tools_that_no_session_runs_are_refused() -> None:
    with pytest.raises(UserError, match="no function tool"):
        changed(tools=[WebSearchTool()])
    with pytest.raises(UserError, match="several weather"):
        changed(tools=[weather, weather])


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ("required", "required"),
        ("weather", {"type": "function", "name": "weather"}),
        (
            MCPToolChoice(server_label="s", name="n"),
            {"type": "mcp", "server_label": "s", "name": "n"},
        ),
    ],
)
def test_a_tool_can_be_chosen(given: Any, expected: Any) -> None:
    assert changed(tool_choice=given) == {"tool_choice": expected}


def test_where_to_dial() -> None:
    options = of_connection({"api_key": "k", "initial_model_settings": {"model_name": "m"}})
    assert options.endpoint().url == "https://api.openai.com/v1/realtime?model=m"
    url = "wss://host.example/openai/v1/realtime?model=mine&x=1"
    assert of_connection({"url": url, "api_key": "k"}).endpoint().url == url.replace("wss", "https")
    call = of_connection({"call_id": "rtc_1", "api_key": "k"})
    assert call.endpoint().url == "https://api.openai.com/v1/realtime?call_id=rtc_1"
    by_url = of_connection({"url": "wss://host.example/v1/realtime?call_id=rtc_2", "api_key": "k"})
    assert by_url.endpoint().url == "https://host.example/v1/realtime?call_id=rtc_2"
    assert not by_url.machine_settings().receives_audio


def test_what_cannot_be_dialled() -> None:
    with pytest.raises(UserError, match="a call has its model"):
        of_connection({"call_id": "rtc_1", "initial_model_settings": {"model_name": "m"}})
    with pytest.raises(UserError, match="Realtime endpoint"):
        of_connection({"url": "wss://host.example/v1/responses"})


def test_who_signs_in() -> None:
    own = of_connection({}, api_key="k1").endpoint()
    assert own.api_key == "k1"
    assert of_connection({"api_key": "k2"}, api_key="k1").endpoint().api_key == "k2"
    signed = of_connection(
        {"url": "wss://host.example/v1/realtime", "headers": {"api-key": "azure"}}, api_key="k1"
    ).endpoint()
    assert signed.api_key is None
    assert signed.headers["api-key"] == "azure"


def test_options_of_the_model_stay_unless_the_sdk_says_otherwise() -> None:
    tracker = RealtimePlaybackTracker()
    options = of_connection(
        {"playback_tracker": tracker, "api_key": "k"},
        unheard="keep",
        session={"include": ["x"], "output_modalities": ["text"]},
        default_headers={"user-agent": "Mine"},
    )
    assert isinstance(options.playback, TrackedPlayhead)
    assert options.unheard == "keep"
    assert options.session is not None
    assert options.session["include"] == ["x"]
    assert options.session["output_modalities"] == ["audio"]
    assert options.endpoint().headers["user-agent"] == "Mine"


def test_the_sdk_s_low_level_settings() -> None:
    model = RealtimeModel(
        transport_config={"ping_interval": None, "handshake_timeout": 3.0, "max_size": 1000},
        overflow="error",
    )
    options = model._options  # nothing shows them
    assert (options.ping_interval, options.timeout, options.inbound_bytes) == (None, 3.0, 1000)
    assert options.overflow == "error"
    with pytest.raises(UserError, match="ping_timeout"):
        RealtimeModel(transport_config={"ping_timeout": 1.0})
    with pytest.raises(UserError, match="max_size"):
        RealtimeModel(transport_config={"max_size": None})
    with pytest.raises(ConfigError, match="unheard"):
        RealtimeModel(unheard="burn")
