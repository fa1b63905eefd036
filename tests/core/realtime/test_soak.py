"""An hour of talk, and ten thousand turns: nothing is left over, and little is remembered."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING, Any

from core.realtime.line import Line
from turnwire.core.failure import Failure
from turnwire.core.realtime.sequencer import Slot
from turnwire.core.realtime.state import IDS_KEPT, RealtimeState
from turnwire.events import realtime as wire
from turnwire.gateway.voice.settings import VoiceSettings
from turnwire.testing.realtime.script import call, counted, reply, text

if TYPE_CHECKING:
    from turnwire.testing.realtime.script import Reply

HOUR = 3600.0
SPEECH = b"\x00\x40\x00\xc0" * 3600 + bytes(28_800)  # 300 ms, and silence


def left_over(state: RealtimeState) -> dict[str, Any]:
    """Return what should be nothing when all is quiet."""
    control = state.connection.control if state.connection is not None else ()
    queues: dict[str, Any] = {
        "questions": state.questions,
        "running": state.running,
        "outside": state.outside,
        "later": state.outside_later,
        "announced": state.announced,
        "held": state.held,
        "control": control,
        "waiting": state.sequencer.waiting,
        "backlog": state.uplink.backlog_ms,
    }
    return {name: found for name, found in queues.items() if found}


def remembered(state: RealtimeState) -> int:
    """Return the most ids that one of the machine's memories holds."""
    known = (state.tombstones, state.calls, state.over, state.given_up, state.gone)
    return max(len(each) for each in (*known, state.delete_when_added))


def test_an_hour_of_talk() -> None:
    """Somebody talks, interrupts, calls tools, loses sockets, and outlives two sessions."""
    chance = random.Random(1)  # the same hour each time

    def said(asked: Any) -> Reply:
        if asked.number % 5 == 0:
            return reply(call("weather", f"call_{asked.number}_{chance.random()}"))
        return reply(counted(chance.choice([800, 3000])), counted(500))

    line = Line(said, voice=VoiceSettings(max_age=1500, chunk_ms=200)).start()
    tickets: list[int] = []
    answered: set[str] = set()
    while line.now < HOUR:
        line.do(lambda machine: machine.append(SPEECH, line.now))
        line.run(chance.choice([0.5, 2.0, 6.0]))
        for called in line.of(wire.FunctionCallEvent):
            if called.call_id not in answered:
                answered.add(called.call_id)
                output = {"type": "function_call_output", "call_id": called.call_id, "output": "7"}
                tickets.append(line.do(lambda machine, one=output: machine.create_item(one))[1])
                tickets.append(line.do(lambda machine: machine.ask_response(None, line.now)))
        if chance.random() < 0.1:
            line.do(lambda machine: machine.interrupt(line.now))
        if chance.random() < 0.03:
            line.run(6)
            line.drop()
        line.run(chance.choice([1.0, 4.0, 12.0]))
    line.run(200)

    assert line.ended == []
    assert left_over(line.machine._state) == {}
    assert line.machine._state.sequencer.slot is Slot.FREE
    assert remembered(line.machine._state) <= IDS_KEPT
    assert [one for one in tickets if not line.answers.get(one)] == []
    told = [one.error.code for one in line.of(wire.RealtimeErrorEvent)]
    assert [code for code in told if code != "session_expired"] == []
    statistics = line.machine.statistics()
    assert statistics.reconnects >= 4
    assert statistics.interruptions >= 20
    assert statistics.malformed == statistics.truncate_errors == 0
    assert len(answered) >= 10
    here = [one["id"] for one in line.machine.history()]
    there = [item.id for item in line.live.session.items]
    assert here[-len(there) :] == there


def test_ten_thousand_turns() -> None:
    line = Line(reply(text("fine")), session={"turn_detection": None}).start()
    message = {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "hi"}]}
    for _ in range(10_000):
        line.do(lambda machine: machine.create_item(message))
        asked = line.do(lambda machine: machine.ask_response(None, line.now))
        line.run(0.05)
        assert not isinstance(line.answers[asked][-1], Failure)
        line.events.clear()
        line.answers.clear()
        line.live.told.clear()
        line.live.said.clear()
        for item in list(line.live.session.items):
            line.do(lambda machine, item=item: machine.delete_item(item.id))
    line.run(100)
    assert left_over(line.machine._state) == {}
    assert remembered(line.machine._state) <= IDS_KEPT
    assert line.machine.statistics().responses == 10_000
