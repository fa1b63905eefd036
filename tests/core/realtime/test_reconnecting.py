"""Stories of lost sockets and of sessions that end: what survives, and what is said about it."""

from __future__ import annotations

from base64 import b64decode

import pytest

from core.realtime.line import EPOCH, Line
from turnwire.core.failure import Failure
from turnwire.events import realtime as wire
from turnwire.gateway.voice.settings import VoiceSettings
from turnwire.testing.realtime import oracle
from turnwire.testing.realtime.script import call, counted, reply, text
from turnwire.testing.realtime.sounds import counted as counted_audio

QUIET = {"turn_detection": None}
FAST = VoiceSettings(speed=1000)


def message(words: str) -> dict[str, object]:
    return {
        "type": "message",
        "role": "user",
        "content": [{"type": "input_text", "text": words}],
    }


def seeds(line: Line) -> list[object]:
    """Return what the live session was told of the talk, in its order."""
    return [
        (
            one["item"]["type"],
            *(part.get("text") for part in one["item"].get("content", [])),
        )
        for one in line.live.told_of("conversation.item.create")
    ]


def heard_by_server(line: Line, generation: int) -> bytes:
    told = line.sockets[generation].told_of("input_audio_buffer.append")
    return b"".join(b64decode(one["audio"]) for one in told)


def test_the_next_session_is_told_what_was_said_and_heard() -> None:
    line = Line(
        [reply(counted(2000, "you have heard this")), reply(text("yes"))], session=QUIET, voice=FAST
    )
    line.start()
    line.do(lambda machine: machine.create_item(message("hello")))
    line.do(lambda machine: machine.ask_response(None, line.now))
    line.run(5)
    line.drop()
    line.run(1)

    assert seeds(line) == [("message", "hello"), ("message", "you have heard this")]
    (reconnected,) = line.of(wire.ReconnectedEvent)
    assert (reconnected.generation, reconnected.seeded_items, reconnected.lost) == (2, 2, [])
    assert [one.status for one in line.of(wire.ConnectionChangeEvent)] == [
        "connecting",
        "connected",
        "reconnecting",
        "connected",
    ]
    assert "error" not in line.types()


def test_the_items_keep_their_ids_and_their_order() -> None:
    line = Line(reply(text("fine")), session=QUIET).start()
    ids = [line.do(lambda machine, n=n: machine.create_item(message(str(n))))[0] for n in range(4)]
    line.do(lambda machine: machine.create_item(message("first"), "root"))
    line.run(1)
    line.drop()
    line.run(1)

    told = line.live.told_of("conversation.item.create")
    assert ids == [one["item"]["id"] for one in told][1:]
    assert ["root", *[one["item"]["id"] for one in told][:-1]] == [
        one["previous_item_id"] for one in told
    ]


def test_a_sentence_across_a_drop_arrives_whole() -> None:
    """The second connection hears every sample of it, in order, from the beginning on."""
    line = Line(reply(text("heard"))).start()
    audio = counted_audio(7, 0, 24_000 * 4)  # four seconds, loud
    for second in range(2):
        for piece in range(50):
            at = (second * 50 + piece) * 960
            line.do(lambda machine, at=at: machine.append(audio[at : at + 960], line.now))
            line.run(0.02)
    assert "input_audio_buffer.speech_started" in line.types()
    line.drop()
    for piece in range(100, 200):
        at = piece * 960
        line.do(lambda machine, at=at: machine.append(audio[at : at + 960], line.now))
        line.run(0.02)
    line.run(1)

    (first_run,) = oracle.read(heard_by_server(line, 2))
    assert (first_run.item, first_run.first, first_run.count) == (7, 0, 200 * 480)
    (reconnected,) = line.of(wire.ReconnectedEvent)
    assert reconnected.audio_replayed_ms == pytest.approx(2000, abs=50)
    assert line.of(wire.AudioDroppedEvent) == []


def test_silence_is_not_said_again_but_for_the_last_second() -> None:
    line = Line(reply(text("heard"))).start()
    for _ in range(200):
        line.do(lambda machine: machine.append(bytes(960), line.now))
        line.run(0.02)
    line.drop()
    line.run(1)
    (reconnected,) = line.of(wire.ReconnectedEvent)
    assert reconnected.audio_replayed_ms == pytest.approx(1000, abs=20)


def test_an_utterance_that_nobody_answered_is_answered_after_all() -> None:
    line = Line(reply(text("of course")), voice=VoiceSettings(created_delay=3)).start()
    loud = b"\x00\x40\x00\xc0" * 12_000
    line.do(lambda machine: machine.append(loud + bytes(48_000), line.now))
    line.until(lambda: "input_audio_buffer.committed" in line.types())
    line.drop()
    line.run(10)

    (item,) = line.live.told_of("conversation.item.create")
    assert [part["type"] for part in item["item"]["content"]] == ["input_audio"]
    assert line.machine.history()[-1]["content"][0]["text"] == "of course"


def test_a_create_that_came_to_nothing_is_sent_again_and_one_that_began_is_lost() -> None:
    line = Line(reply(counted(9000)), session=QUIET, voice=VoiceSettings(created_delay=0.5)).start()
    first = line.do(lambda machine: machine.ask_response({"instructions": "a"}, line.now))
    line.run(0.1)
    line.drop()
    line.run(1.5)
    assert [wire.ResponseCreatedEvent] == [type(one) for one in line.answers[first]]
    (created,) = line.of(wire.ResponseCreatedEvent)
    line.drop()
    line.run(1)

    assert [wire.ResponseCreatedEvent, Failure] == [type(one) for one in line.answers[first]]
    assert [created.response.id] == line.of(wire.ReconnectedEvent)[-1].lost


def test_a_call_waits_for_its_output() -> None:
    """A call without an output is not told; when the output comes, both are."""
    line = Line([reply(call("weather", "call_1", city="Oslo")), reply(text("rain"))], session=QUIET)
    line.start()
    line.do(lambda machine: machine.ask_response(None, line.now))
    line.run(2)
    line.drop()
    line.run(1)
    assert seeds(line) == []

    output = {"type": "function_call_output", "call_id": "call_1", "output": "rain"}
    line.do(lambda machine: machine.create_item(output))
    line.do(lambda machine: machine.ask_response(None, line.now))
    line.run(2)
    assert seeds(line) == [("function_call",), ("function_call_output",)]
    assert len(line.of(wire.FunctionCallEvent)) == 1
    assert "error" not in line.types()


def test_what_is_wished_in_the_gap_happens_after_it() -> None:
    line = Line(reply(text("fine")), session=QUIET).start()
    line.drop()
    _, added = line.do(lambda machine: machine.create_item(message("in the gap")))
    updated = line.do(lambda machine: machine.update_session({"voice": "cedar"}, line.now))
    asked = line.do(lambda machine: machine.ask_response(None, line.now))
    sent = line.do(lambda machine: machine.send({"type": "output_audio_buffer.clear"}))
    line.run(3)

    assert isinstance(sent, Failure)
    assert seeds(line) == [("message", "in the gap")]
    assert len(line.answers[added]) == 1
    assert len(line.answers[updated]) == 1
    assert len(line.answers[asked]) == 2
    assert line.machine.configuration.effective["audio"]["output"]["voice"] == "cedar"


def test_three_quick_deaths_are_enough() -> None:
    line = Line(reply(text("fine")), session=QUIET).start()
    for _ in range(3):
        line.until(lambda: line.machine.status.value in {"connected", "disconnected"})
        if not line.ended:
            line.drop()
    line.run(60)
    assert len(line.ended) == 1
    assert isinstance(line.ended[0], Failure)
    assert line.machine.generation <= 4


def test_dials_that_fail_have_a_budget() -> None:
    line = Line(reply(text("fine")), session=QUIET).start()
    line.run(10)
    line.dials = ["fail"] * 50
    line.drop()
    line.run(120)
    assert len(line.ended) == 1
    assert line.machine.statistics().failed_dials == 6


@pytest.mark.parametrize("code", [1000, 1008, 4000])
def test_some_closes_are_for_good(code: int) -> None:
    line = Line(reply(text("fine")), session=QUIET).start()
    line.run(10)
    line.drop(code, "no")
    line.run(60)
    assert [code] == [failure.close_code for failure in line.ended if failure]


def test_a_fatal_error_is_for_good() -> None:
    line = Line(reply(text("fine")), session=QUIET).start()
    line.say(
        {
            "type": "error",
            "error": {
                "type": "invalid_request_error",
                "code": "insufficient_quota",
                "message": "no",
            },
        }
    )
    line.run(60)
    assert [failure.code for failure in line.ended if failure] == ["insufficient_quota"]


def test_an_expired_session_goes_on() -> None:
    line = Line(
        reply(text("fine")),
        session=QUIET,
        voice=VoiceSettings(max_age=60),
        renew_margin=0.0,
        renew_latest=-100.0,
    )
    line.start()
    line.run(70)
    assert line.machine.status.value == "connected"
    assert line.machine.generation == 2
    assert len(line.of(wire.ReconnectedEvent)) == 1


def test_a_session_is_renewed_in_time_and_nobody_notices() -> None:
    line = Line(
        [reply(counted(2000, "still here")), reply(text("yes"))],
        session=QUIET,
        voice=VoiceSettings(speed=1000, max_age=3600),
    )
    line.start()
    line.do(lambda machine: machine.ask_response(None, line.now))
    line.run(3290)
    assert line.machine.generation == 1
    line.run(15)
    assert line.machine.generation == 2
    assert seeds(line) == [("message", "still here")]
    assert [one.status for one in line.of(wire.ConnectionChangeEvent)] == [
        "connecting",
        "connected",
    ]
    assert (line.machine.expires_at or 0) > EPOCH + 6000
    assert not line.sockets[1].open


def test_a_renewal_waits_for_a_pause() -> None:
    line = Line(
        reply(counted(30_000)),
        session=QUIET,
        voice=VoiceSettings(speed=2, max_age=600),
        renew_margin=60.0,
    ).start()
    line.run(530)
    line.do(lambda machine: machine.ask_response(None, line.now))
    line.run(20)  # it would be renewed at 540, and is heard until 560
    assert line.machine.generation == 1
    line.run(15)
    assert line.machine.generation == 2
    assert line.of(wire.AudioInterruptedEvent) == []


def test_a_renewal_does_not_wait_for_ever() -> None:
    line = Line(
        reply(counted(200_000)),
        session=QUIET,
        voice=VoiceSettings(speed=2, max_age=600),
        renew_margin=60.0,
    ).start()
    line.run(530)
    line.do(lambda machine: machine.ask_response(None, line.now))
    line.run(35)
    assert line.machine.generation == 1
    line.run(10)
    assert line.machine.generation == 2
    assert len(line.of(wire.ReconnectedEvent)[0].lost) == 1


def test_a_reply_goes_on_being_heard_after_a_drop_and_can_be_cut() -> None:
    """What is cut then is said anew as text, for there is no audio to truncate."""
    words = "one two three four five six seven eight nine ten"
    line = Line(reply(counted(10_000, words)), session=QUIET, voice=FAST).start()
    line.run(6)
    line.do(lambda machine: machine.ask_response(None, line.now))
    line.run(2)
    line.drop()
    line.run(3)
    assert line.machine.is_playing(line.now)
    line.do(lambda machine: machine.interrupt(line.now))
    line.run(1)

    assert line.live.told_of("conversation.item.truncate") == []
    told = line.live.told_of("conversation.item.create", "conversation.item.delete")
    assert [one["type"] for one in told] == [
        "conversation.item.create",
        "conversation.item.delete",
        "conversation.item.create",
    ]
    assert words.startswith(told[-1]["item"]["content"][0]["text"])
    assert 4 <= len(told[-1]["item"]["content"][0]["text"].split()) <= 6
    assert len(line.machine.history()) == 1
    assert "error" not in line.types()
