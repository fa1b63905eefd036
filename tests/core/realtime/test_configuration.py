"""What the session is to be: fields in words or as the wire has them, granted or refused."""

from __future__ import annotations

import pytest

from turnwire.core.realtime.configuration import Configuration, merged, nested
from turnwire.events.realtime import PCM16
from turnwire.events.realtime.audio_format import PCMU


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({"voice": "marin"}, {"audio": {"output": {"voice": "marin"}}}),
        ({"turn_detection": None}, {"audio": {"input": {"turn_detection": None}}}),
        ({"instructions": ""}, {"instructions": ""}),
        ({"output_format": "g711_ulaw"}, {"audio": {"output": {"format": {"type": "audio/pcmu"}}}}),
        (
            {"voice": "ash", "speed": 1.2, "audio": {"input": {"noise_reduction": None}}},
            {
                "audio": {
                    "output": {"voice": "ash", "speed": 1.2},
                    "input": {"noise_reduction": None},
                }
            },
        ),
    ],
)
def test_words_go_where_the_wire_has_them(
    given: dict[str, object], expected: dict[str, object]
) -> None:
    assert nested(given) == expected


def test_what_is_not_given_stays() -> None:
    old = {"audio": {"output": {"voice": "ash", "speed": 1.0}}, "instructions": "a"}
    new = {"audio": {"output": {"voice": "marin"}}, "tools": []}
    assert merged(old, new) == {
        "audio": {"output": {"voice": "marin", "speed": 1.0}},
        "instructions": "a",
        "tools": [],
    }


def test_a_session_is_opened_with_what_was_granted_and_told_the_rest() -> None:
    one = Configuration({"voice": "ash", "tracing": "auto"})
    assert one.want({"voice": "marin"}, 1) == {
        "type": "realtime",
        "audio": {"output": {"voice": "marin"}},
    }
    one.want({"instructions": "b"}, 2)
    ash = {"type": "realtime", "audio": {"output": {"voice": "ash"}}}
    marin = {"type": "realtime", "audio": {"output": {"voice": "marin"}}}
    assert one.opening() == ash
    assert one.pending() == [(1, marin), (2, {"type": "realtime", "instructions": "b"})]
    one.answered(2, granted=True)
    one.answered(1, granted=False)
    assert one.pending() == []
    assert one.opening() == {**ash, "instructions": "b"}


def test_nothing_wanted_is_nothing_said() -> None:
    assert Configuration({}).opening() is None


def test_the_server_has_the_last_word_and_until_then_its_owner() -> None:
    one = Configuration({"output_format": "g711_ulaw", "turn_detection": None})
    assert (one.output_format, one.input_format) == (PCMU, PCM16)
    assert not one.detects_turns
    one.echoed({"audio": {"output": {"format": {"type": "audio/pcm", "rate": 24000}}}})
    assert one.output_format == PCM16
    assert not one.detects_turns


@pytest.mark.parametrize(
    ("detection", "expected"),
    [
        (None, (False, False, False)),
        ({"type": "server_vad"}, (True, True, True)),
        ({"type": "server_vad", "interrupt_response": False}, (True, False, True)),
        ({"type": "server_vad", "create_response": False}, (True, True, False)),
        ({"type": "semantic_vad", "create_response": None}, (True, True, True)),
    ],
)
def test_what_the_server_does_by_itself(detection: object, expected: tuple[bool, ...]) -> None:
    one = Configuration({"turn_detection": detection})
    assert (one.detects_turns, one.interrupts, one.answers) == expected


def test_the_server_s_defaults_are_on() -> None:
    one = Configuration({})
    assert (one.detects_turns, one.interrupts, one.answers) == (True, True, True)
