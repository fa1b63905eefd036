"""What a test tells the server: short forms are understood, mistakes found where they are made."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from turnwire.errors import ConfigError
from turnwire.events.realtime.server import CLASS_OF_TYPE
from turnwire.testing.realtime import RealtimeServer, ServedSession, faults, reply, speech, text
from turnwire.testing.realtime.types import SERVER_TYPES


def words(script: Any, responses: int = 1) -> list[list[str]]:
    """Return what is said, by response."""
    served = ServedSession(script)
    for _ in range(responses):
        served.received(msgspec.json.encode({"type": "response.create"}), now=served.session.now)
        while served.deadline is not None and served.session.responding.due is not None:
            served.advance(served.deadline)
    return [
        [part.get("transcript", part.get("text")) for item in output for part in item["content"]]
        for output in (done["response"]["output"] for done in served.sent_of("response.done"))
    ]


@pytest.mark.parametrize(
    ("script", "said"),
    [
        ("Hello.", [["Hello."], ["Hello."]]),
        (speech("Hello."), [["Hello."], ["Hello."]]),
        (reply("One.", text("Two.")), [["One.", "Two."], ["One.", "Two."]]),
        (["One.", "Two."], [["One.", "Two."], ["One.", "Two."]]),
        ([reply("One."), "Two."], [["One."], ["Two."]]),
        (lambda asked: f"Number {asked.number}.", [["Number 1."], ["Number 2."]]),
        (lambda asked: ["One.", text("Two.")], [["One.", "Two."], ["One.", "Two."]]),
    ],
)
def test_a_string_is_spoken(script: Any, said: list[list[str]]) -> None:
    assert words(script, 2) == said


@pytest.mark.parametrize("script", [5, b"Hello.", [5], [reply("One."), 5], {"say": "Hello."}])
def test_what_cannot_be_said_is_refused_at_once(script: Any) -> None:
    told = (
        r"is nothing that can be said; use speech\(…\), text\(…\), counted\(…\), toned\(…\), call"
    )
    with pytest.raises(ConfigError, match=told):
        RealtimeServer(script)
    with pytest.raises(ConfigError, match=told):
        ServedSession(script)


def test_what_cannot_be_said_is_refused_in_a_reply() -> None:
    with pytest.raises(ConfigError, match="int is nothing that can be said"):
        reply(5)  # type: ignore[arg-type]
    with pytest.raises(ConfigError, match="tuple is nothing that can be said"):
        reply(reply("One."))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("given", "hint"),
    [("sped", "did you mean `speed`"), ("fautls", "did you mean `faults`"), ("x", "are speed, ")],
)
def test_an_unknown_option_has_the_closest_name(given: str, hint: str) -> None:
    with pytest.raises(
        ConfigError, match=f"`{given}` is not an option of RealtimeServer; .*{hint}"
    ):
        RealtimeServer(**{given: 3})


def test_one_fault_is_a_list_of_one() -> None:
    fault = faults.leave_out(on="session.created")
    assert RealtimeServer(faults=fault).faults == [fault]
    assert ServedSession(faults=fault).sent_of("session.created") == []


@pytest.mark.parametrize("wrong", [5, "drop", ["drop"], [faults.drop]])
def test_what_is_no_fault_is_refused(wrong: Any) -> None:
    with pytest.raises(ConfigError, match=r"is no fault; make one with .*faults\.drop"):
        RealtimeServer(faults=wrong)


@pytest.mark.parametrize(
    ("fault", "kind", "meant"),
    [
        (lambda on: faults.drop(on=on), "response.donne", "response.done"),
        (
            lambda on: faults.delay(1.0, on=on),
            "response.audio.delta",
            "response.output_audio.delta",
        ),
        (faults.ignore, "response.creat", "response.create"),
        (lambda on: faults.refuse_event(on, "code"), "session.updated", "session.update"),
    ],
)
def test_a_fault_on_a_misspelt_event_has_the_closest_name(
    fault: Any, kind: str, meant: str
) -> None:
    fault(meant)
    with pytest.raises(ConfigError, match=f"no event `{kind}`; did you mean `{meant}`"):
        fault(kind)


def test_types_of_a_test_and_numbers_are_left_alone() -> None:
    assert [faults.drop(on=on).on for on in ("weather", 3)] == ["weather", 3]


def test_the_types_are_those_that_the_client_knows() -> None:
    assert CLASS_OF_TYPE.keys() <= SERVER_TYPES
    old = {"conversation.item.created"}  # still in the official package; read as today's name
    assert SERVER_TYPES - CLASS_OF_TYPE.keys() == old
