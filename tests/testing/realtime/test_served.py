"""A served session without a socket: scripts, faults and times, exactly."""

from __future__ import annotations

import base64
from typing import Any

import msgspec
import pytest

from testing.realtime.driving import Drive, audio_by_item
from turnwire.testing.realtime import (
    Run,
    Stamped,
    VoiceSettings,
    call,
    counted,
    counted_audio,
    failed,
    faults,
    heard_ms,
    lost,
    read,
    reply,
    speech,
    text,
    toned,
)
from turnwire.testing.steps import Close, Drop, HalfOpen, Say, WithholdPongs

DELTA = "response.output_audio.delta"
FAST = VoiceSettings(speed=10, says_chain_created=False)


def respond(script: Any = None, *client_faults: Any, **settings: Any) -> Drive:
    """Ask for one response and let it come to its end."""
    fast = VoiceSettings(**{"speed": 10, "says_chain_created": False, **settings})
    drive = Drive(script, settings=fast, faults=client_faults)
    drive.send("response.create")
    drive.until(100.0)
    return drive


# Scripts


def test_items_are_numbered_and_their_sound_says_so() -> None:
    drive = respond(reply(counted(300), counted(200)))
    heard = audio_by_item(drive.events())
    numbers = drive.served.numbers
    assert sorted(numbers.values()) == [1, 2]
    assert {numbers[name]: read(audio) for name, audio in heard.items()} == {
        1: [Run(1, 0, 7200)],
        2: [Run(2, 0, 4800)],
    }


def test_numbers_go_on_over_responses_and_leave_out_what_was_never_begun() -> None:
    drive = Drive(reply(counted(300), counted(200)), settings=FAST)
    drive.send("response.create")
    drive.until(0.005)
    drive.send("response.cancel")
    assert sorted(drive.served.numbers.values()) == [1]
    drive.send("response.create")
    drive.until(10.0)
    assert sorted(drive.served.numbers.values()) == [1, 3, 4]
    assert drive.served.responses == 2


@pytest.mark.parametrize(
    ("script", "texts"),
    [
        (reply(text("a b")), ["a b", "a b", "a b"]),
        ([reply(text("a")), reply(text("b"))], ["a", "b", "b"]),
        (lambda asked: [text(str(asked.number))], ["1", "2", "3"]),
        ([], ["", "", ""]),
    ],
    ids=["one", "several", "function", "nothing"],
)
def test_a_script_is_a_reply_replies_or_a_function(script: Any, texts: list[str]) -> None:
    drive = Drive(script, settings=FAST)
    said: list[str] = []
    for _ in range(3):
        drive.send("response.create")
        drive.until(drive.now + 10)
        response = drive.served.sent_of("response.done")[-1]["response"]
        parts = [part for item in response["output"] for part in item["content"]]
        said.append("".join(part["text"] for part in parts))
    assert said == texts


def test_the_transcript_of_counted_audio_is_timed() -> None:
    drive = respond(reply(counted(600)))
    assert drive.served.sent_of("response.done")[0]["response"]["output"][0]["content"] == [
        {"type": "output_audio", "transcript": "w1 w2 w3"}
    ]


def test_all_kinds_of_sayings() -> None:
    drive = respond(reply(speech("hi"), toned(100), call("f", "c1", a=1), failed("quota", "No.")))
    (done,) = drive.served.sent_of("response.done")
    output = done["response"]["output"]
    assert [item["type"] for item in output] == ["message", "message", "function_call"]
    assert (output[2]["call_id"], output[2]["arguments"]) == ("c1", '{"a":1}')
    assert done["response"]["status_details"]["error"]["code"] == "quota"


def test_every_event_is_kept_with_its_time() -> None:
    drive = Drive(settings=FAST)
    drive.until(2.0)
    drive.send("response.create", event_id="mine")
    event = {"type": "response.create", "event_id": "mine"}
    assert drive.served.received_events == [Stamped(2.0, event)]
    assert drive.served.received_of("response.create") == [event]
    assert drive.served.sent_events[1].at == 2.0


def test_input_is_kept_sample_by_sample() -> None:
    drive = Drive(settings=FAST)
    detection = {"type": "realtime", "audio": {"input": {"turn_detection": None}}}
    drive.send("session.update", session=detection)
    for at in (0, 2400, 7200):
        audio = base64.b64encode(counted_audio(9, at, at + 2400)).decode()
        drive.send("input_audio_buffer.append", audio=audio)
    drive.send("input_audio_buffer.commit")
    (item,) = drive.served.session.items
    assert lost(bytes(item.tracks[0].data or b""), 9) == [(4800, 7200)]


def test_counted_audio_is_speech_to_the_detector() -> None:
    drive = Drive(settings=FAST)
    audio = base64.b64encode(counted_audio(9, 0, 9600)).decode()
    drive.send("input_audio_buffer.append", audio=audio)
    assert drive.types()[-1] == "input_audio_buffer.speech_started"


def test_what_is_no_object_is_served_too() -> None:
    drive = Drive(settings=FAST)
    drive.served.received(b"[", 0.0)
    drive.until(0.0)
    assert drive.events()[-1]["error"]["code"] == "invalid_json"
    assert drive.served.received_events == []


def test_a_test_may_send_what_it_wants() -> None:
    drive = Drive(settings=FAST)
    drive.served.send({"type": "rate_limits.updated", "rate_limits": []}, 0.0)
    drive.until(0.0)
    assert drive.types() == ["session.created", "rate_limits.updated"]


# Faults in time


def test_a_delay_is_the_same_for_each_event() -> None:
    plain, late = respond(), respond(None, faults.delay(0.5))
    times = [at + 0.5 for at, _ in plain.timed()]
    assert [at for at, _ in late.timed()] == pytest.approx(times)


def test_jitter_keeps_the_order_and_is_the_same_each_time() -> None:
    one = respond(None, faults.delay(0.1, jitter=0.3, seed=1))
    other = respond(None, faults.delay(0.1, jitter=0.3, seed=1))
    third = respond(None, faults.delay(0.1, jitter=0.3, seed=2))
    times = [at for at, _ in one.timed()]
    assert times == sorted(times)
    assert one.timed() == other.timed() != third.timed()
    assert one.types() == respond().types()


def test_a_stall_holds_everything_back() -> None:
    drive = respond(None, faults.stall(5.0, on=DELTA, nth=3))
    times = [at for at, event in drive.timed() if event["type"] == DELTA]
    assert times == pytest.approx([0.0, 0.01, *[5.02] * 8])


def test_a_stall_without_an_end_ends_when_the_test_says_so() -> None:
    drive = respond(None, faults.stall(on=DELTA, nth=3))
    assert drive.types().count(DELTA) == 2
    assert drive.served.deadline == pytest.approx(3600.0)  # nothing but the end of the session
    drive.served.go_on(drive.now)
    drive.until(drive.now)
    assert drive.types()[-1] == "response.done"


def test_a_session_expires() -> None:
    drive = Drive(settings=VoiceSettings(max_age=60.0, says_chain_created=False))
    drive.until(60.0)
    assert drive.events()[-1]["error"]["code"] == "session_expired"
    words = "Your session hit the maximum duration of 1 minutes."
    assert drive.steps[-1] == (60.0, Close(1001, words))


def test_a_session_may_expire_with_the_close_alone() -> None:
    drive = Drive(
        settings=VoiceSettings(max_age=60.0, says_chain_created=False),
        faults=[faults.leave_out(on="error")],
    )
    drive.until(60.0)
    assert drive.types() == ["session.created"]
    assert isinstance(drive.steps[-1][1], Close)


# The end


@pytest.mark.parametrize(
    ("fault", "step"),
    [
        (faults.close(1011, "oops", on=DELTA, nth=3), Close(1011, "oops")),
        (faults.drop(on=DELTA, nth=3), Drop(reset=False)),
        (faults.drop(reset=True, on=DELTA, nth=3), Drop(reset=True)),
        (faults.half_open(on=DELTA, nth=3), HalfOpen()),
    ],
    ids=["close", "drop", "reset", "half-open"],
)
def test_an_end_comes_instead_of_its_event_and_nothing_after_it(fault: Any, step: Any) -> None:
    drive = respond(None, fault)
    assert drive.types().count(DELTA) == 2
    assert drive.steps[-1][1] == step
    drive.send("response.create")
    drive.until(1000.0)
    assert drive.steps[-1][1] == step
    assert drive.served.deadline is None
    drive.served.go_on(drive.now)
    drive.until(drive.now)
    assert drive.steps[-1][1] == step


def test_what_waits_behind_an_end_is_never_written() -> None:
    drive = respond(None, faults.close(1011, on="response.created"))
    drive.served.go_on(drive.now)
    drive.until(drive.now)
    assert drive.types() == ["session.created"]


def test_an_end_may_come_at_the_nth_event_of_all() -> None:
    drive = respond(None, faults.close(1001, on=4))
    assert drive.types() == ["session.created", "response.created", "rate_limits.updated"]


def test_pongs_can_be_withheld() -> None:
    drive = respond(None, faults.withhold_pongs(on="response.created"))
    assert [step for _, step in drive.steps if not isinstance(step, Say)] == [WithholdPongs()]
    assert drive.types()[-1] == "response.done"


# Events


def test_events_are_doubled_left_out_and_added() -> None:
    drive = respond(
        None,
        faults.duplicate(on="response.created"),
        faults.leave_out(on="rate_limits.updated"),
        faults.unknown(on="response.done", hint=1),
        faults.insert({"type": "response.done", "response": {"id": "else"}}, on=DELTA),
    )
    kinds = drive.types()
    assert kinds[:4] == [
        "session.created",
        "response.created",
        "response.created",
        "response.output_item.added",
    ]
    assert kinds[-2:] == ["response.unheard_of", "response.done"]
    assert kinds.count("response.done") == 2


def test_done_without_created() -> None:
    kinds = respond(None, faults.leave_out(on="response.created")).types()
    assert ("response.created" in kinds, kinds[-1]) == (False, "response.done")


def test_created_after_the_cancel() -> None:
    drive = Drive(settings=VoiceSettings(created_delay=1.0, says_chain_created=False))
    drive.send("response.create")
    drive.send("response.cancel")
    drive.until(1.0)
    assert drive.types()[1:] == ["response.created", "rate_limits.updated", "response.done"]


def test_garbled_messages_are_no_json() -> None:
    drive = respond(None, faults.garbled(on="response.done"))
    *_, garbled, _ = (step for _, step in drive.steps)
    assert garbled == Say(b'{"type": "response.')


def test_events_are_changed() -> None:
    def shout(event: dict[str, Any]) -> dict[str, Any]:
        return event | {"delta": event["delta"].upper()}

    changed = faults.change(shout, on="response.output_text.delta", nth=2)
    drive = respond(reply(text("a b c")), changed)
    deltas = [e["delta"] for e in drive.events() if e["type"] == "response.output_text.delta"]
    # Written even where audio is wanted.
    assert deltas == ["a", " B", " c"]


def test_late_chunks_come_after_the_cancel() -> None:
    drive = Drive(settings=VoiceSettings(speed=1, late_chunks=2, chunks_after_done=1))
    drive.send("response.create")
    drive.until(0.05)
    drive.send("response.cancel")
    kinds = [kind for kind in drive.types() if kind in {DELTA, "response.done"}]
    assert kinds == [DELTA, DELTA, DELTA, "response.done", DELTA]


def test_an_item_may_be_shorter_than_what_was_sent() -> None:
    drive = respond(shorter_ms=85)
    (item,) = drive.served.session.items
    drive.send("conversation.item.truncate", item_id=item.id, content_index=0, audio_end_ms=1000)
    words = "Audio content of 915ms is already shorter than 1000ms"
    assert drive.events()[-1]["error"]["message"] == words


def test_a_large_message_comes_in_pieces() -> None:
    drive = respond(reply(counted(30_000)), faults.pieces(2**20, on="conversation.item.retrieved"))
    (item,) = drive.served.session.items
    drive.send("conversation.item.retrieve", item_id=item.id)
    step = drive.steps[-1][1]
    assert isinstance(step, faults.Pieces)
    assert len(step.data) > 1_900_000
    audio = base64.b64decode(msgspec.json.decode(step.data)["item"]["content"][0]["audio"])
    assert heard_ms(audio, 1) == 30_000
    assert drive.served.sent_events[-1].event["type"] == "conversation.item.retrieved"


# Dialects


def test_the_names_of_the_beta() -> None:
    drive = Drive(
        reply(counted(100), text("x"), call("f")),
        settings=FAST,
        faults=[faults.beta_names()],
        is_beta=True,
    )
    session = {"modalities": ["text", "audio"], "voice": "ash", "input_audio_format": "g711_ulaw"}
    drive.send("session.update", session=session)
    drive.send("response.create")
    drive.until(10.0)
    kinds = set(drive.types())
    assert {
        "response.audio.delta",
        "response.audio.done",
        "response.audio_transcript.delta",
        "response.audio_transcript.done",
        "response.text.delta",
        "response.text.done",
        "conversation.item.created",
    } <= kinds
    assert not [kind for kind in kinds if "output_audio" in kind or "output_text" in kind]
    assert not kinds & {"conversation.item.added", "conversation.item.done"}
    updated = drive.served.sent_of("session.updated")[0]["session"]
    assert (updated["voice"], updated["input_audio_format"], updated["modalities"]) == (
        "ash",
        "g711_ulaw",
        ["text", "audio"],
    )
    assert "audio" not in updated
    done = drive.served.sent_of("response.done")[0]["response"]
    parts = [part["type"] for item in done["output"] for part in item.get("content", [])]
    assert parts == ["audio", "text"]


def test_the_voice_as_an_object_and_no_usage() -> None:
    drive = respond(None, faults.voice_object("voice_9"), faults.without_usage())
    events = {event["type"]: event for event in drive.events()}
    voice = {"id": "voice_9"}
    assert events["session.created"]["session"]["audio"]["output"]["voice"] == voice
    assert events["response.created"]["response"]["audio"]["output"]["voice"] == voice
    assert "usage" not in events["response.done"]["response"]


# The client's events


def test_a_client_s_event_is_refused_by_its_name() -> None:
    refused = faults.refuse_event(
        "response.create", "server_error", "Not now.", kind="server_error"
    )
    drive = Drive(settings=FAST, faults=[refused])
    drive.send("response.create", event_id="mine")
    assert drive.events()[-1]["error"] == {
        "type": "server_error",
        "code": "server_error",
        "message": "Not now.",
        "param": None,
        "event_id": "mine",
    }
    assert drive.served.responses == 0
    drive.send("response.create")
    assert drive.served.responses == 1


def test_a_client_s_event_is_ignored() -> None:
    drive = Drive(settings=FAST, faults=[faults.ignore("conversation.item.create", nth=2)])
    item = {"type": "message", "role": "user", "content": []}
    for name in "abc":
        drive.send("conversation.item.create", item={**item, "id": name})
    assert [each.id for each in drive.served.session.items] == ["a", "c"]
    assert len(drive.served.received_events) == 3
