"""Stories of a machine and a server: responses, one at a time."""

from __future__ import annotations

from core.realtime.line import Line
from turnwire.core.failure import Failure
from turnwire.events import realtime as wire
from turnwire.testing.realtime.script import call, counted, reply, text

QUIET = {"turn_detection": None}


def test_a_session_is_opened_with_what_is_wanted_and_no_more() -> None:
    line = Line(reply(text("hello")), session={"voice": "marin", "turn_detection": None}).start()

    expected = {
        "type": "realtime",
        "audio": {"output": {"voice": "marin"}, "input": {"turn_detection": None}},
    }
    assert [{"type": "session.update", "session": expected}] == line.live.told_of("session.update")
    assert line.types()[:3] == ["connection_change", "connection_change", "session.created"]
    assert [wire.SessionCreatedEvent] == [type(one) for one in line.answers[0]]
    assert line.machine.configuration.effective["audio"]["output"]["voice"] == "marin"


def test_a_function_call_is_told_after_the_item_that_is_one() -> None:
    line = Line(reply(call("weather", "call_1")), session=QUIET).start()
    line.do(lambda machine: machine.ask_response(None, line.now))
    line.run(5)

    types = line.types()
    called = types.index("function_call")
    assert types[called - 1 : called + 1] == ["response.output_item.done", "function_call"]
    assert types.count("function_call") == 1


def test_a_message_is_answered() -> None:
    line = Line(reply(text("it is noon")), session=QUIET).start()

    item = {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "time?"}]}
    item_id, ticket = line.do(lambda machine: machine.create_item(item))
    asked = line.do(lambda machine: machine.ask_response(None, line.now))
    line.run(5)

    assert [wire.ConversationItemAdded] == [type(one) for one in line.answers[ticket]]
    assert [wire.ResponseCreatedEvent, wire.ResponseDoneEvent] == [
        type(one) for one in line.answers[asked]
    ]
    assert [one["content"][0]["text"] for one in line.machine.history()] == ["time?", "it is noon"]
    assert item_id == line.machine.history()[0]["id"]


def test_wishes_without_a_body_become_one_response_and_others_do_not() -> None:
    line = Line(reply(counted(1000)), session=QUIET).start()

    tickets = [
        line.do(lambda machine, body=body: machine.ask_response(body, line.now))
        for body in (None, None, None, {"instructions": "whisper"}, None)
    ]
    line.run(10)

    creates = line.live.told_of("response.create")
    assert [one["response"].get("instructions") for one in creates] == [None, None, "whisper", None]
    assert all(len(line.answers[ticket]) == 2 for ticket in tickets)
    assert line.answers[tickets[1]] == line.answers[tickets[2]]
    assert "error" not in line.types()


def test_a_create_waits_for_the_response_that_the_server_began_by_itself() -> None:
    line = Line(reply(counted(500))).start()
    loud = b"\x00\x40\x00\xc0" * 12_000  # a second
    line.do(lambda machine: machine.append(loud, line.now))
    line.until(lambda: "input_audio_buffer.speech_started" in line.types())
    line.do(lambda machine: machine.append(bytes(48_000), line.now))
    line.until(lambda: "input_audio_buffer.committed" in line.types())

    ticket = line.do(lambda machine: machine.ask_response(None, line.now))
    line.run(20)

    assert line.machine.statistics().responses == 2
    assert [wire.ResponseCreatedEvent, wire.ResponseDoneEvent] == [
        type(one) for one in line.answers[ticket]
    ]
    assert "error" not in line.types()


def test_a_function_call_is_told_once() -> None:
    line = Line([reply(call("weather", "call_1", city="Oslo")), reply(text("rain"))], session=QUIET)
    line.start()
    line.do(lambda machine: machine.ask_response(None, line.now))
    line.run(5)

    calls = line.of(wire.FunctionCallEvent)
    assert [(one.call_id, one.name, one.arguments) for one in calls] == [
        ("call_1", "weather", '{"city":"Oslo"}')
    ]


def test_a_refused_create_fails_its_wish_and_frees_the_slot() -> None:
    line = Line(reply(text("fine")), session=QUIET).start()
    bad = line.do(lambda machine: machine.ask_response({"output_modalities": ["smell"]}, line.now))
    good = line.do(lambda machine: machine.ask_response(None, line.now))
    line.run(5)

    assert [Failure] == [type(one) for one in line.answers[bad]]
    assert [wire.ResponseCreatedEvent, wire.ResponseDoneEvent] == [
        type(one) for one in line.answers[good]
    ]


def test_a_commit_comes_before_the_create_that_follows_it() -> None:
    line = Line(reply(text("heard")), session=QUIET).start()
    line.do(lambda machine: machine.append(bytes(9600), line.now))
    assert line.do(lambda machine: machine.commit()) is None
    line.do(lambda machine: machine.ask_response(None, line.now))
    line.run(5)

    kinds = [one["type"] for one in line.live.told if one["type"] != "session.update"]
    assert kinds == ["input_audio_buffer.append"] * 2 + [
        "input_audio_buffer.commit",
        "response.create",
    ]


def test_audio_after_a_commit_counts_whenever_the_commit_is_answered() -> None:
    line = Line(reply(text("heard")), session=QUIET).start()
    line.do(lambda machine: machine.append(bytes(9600), line.now))
    assert line.do(lambda machine: machine.commit()) is None
    line.do(lambda machine: machine.append(bytes(9600), line.now))
    line.until(lambda: "input_audio_buffer.committed" in line.types())

    assert line.machine.uncommitted_ms == 200
    assert line.do(lambda machine: machine.commit()) is None


def test_a_short_commit_is_refused_here() -> None:
    line = Line(reply(text("heard")), session=QUIET).start()
    line.do(lambda machine: machine.append(bytes(480), line.now))
    refused = line.do(lambda machine: machine.commit())
    assert isinstance(refused, Failure)
    assert "10 ms" in refused.message
