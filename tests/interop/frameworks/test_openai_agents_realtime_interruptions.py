"""Interruptions of voice sessions of the OpenAI Agents SDK: what was heard, and who is told.

How far playback has come is said by the tests, so that the right answers are exact.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from agents import GuardrailFunctionOutput, UserError, output_guardrail
from agents.realtime import (
    RealtimeModelSendInterrupt,
    RealtimeModelSendUserInput,
    RealtimePlaybackTracker,
)

from interop.frameworks.voices_of_tests import (
    VAD,
    Halting,
    audio_of,
    history_of,
    items_sent,
    kinds,
    session_on,
    texts_of,
    told,
    transport_of,
    until,
    without_traces,
)
from turnwire.adapters.openai_agents.realtime import RealtimeModel
from turnwire.realtime import Reported
from turnwire.testing.realtime import (
    PCM,
    RealtimeServer,
    assert_deleted,
    assert_no_errors,
    assert_one_response_at_a_time,
    assert_truncated,
    assert_untouched,
    counted,
    counted_audio,
    reply,
    speech,
)

if TYPE_CHECKING:
    from agents.realtime.model_events import RealtimeModelEvent

pytestmark = [pytest.mark.interop, pytest.mark.io]

_alone = pytest.fixture(autouse=True)(without_traces)
_AT_ONCE = 1000  # times as fast as it is played
_SPEECH = counted_audio(9, 0, 9600)
_MS = 48  # bytes


def ended_or_gone(server: RealtimeServer, count: int) -> Any:
    """Return a condition: so many items were truncated or deleted."""
    served = server.sessions[0]
    kinds = ("conversation.item.truncated", "conversation.item.deleted")
    return lambda: sum(len(served.sent_of(kind)) for kind in kinds) == count


async def test_of_two_items_the_one_that_is_heard_is_cut_and_the_other_deleted() -> None:
    """The SDK's own model cuts the second item, and leaves the first one whole."""
    playhead = Reported()
    async with (
        RealtimeServer(reply(counted(3000), counted(3000)), speed=_AT_ONCE) as server,
        session_on(server, model=RealtimeModel(playback=playhead), turn_detection=VAD) as session,
    ):
        await session.send_message("hello")
        await until(session, "agent_end")
        playhead.report_total(500 * _MS)
        await session.send_audio(_SPEECH)
        events = await until(session, "item_deleted")
        events += await until(session, "history_updated")
        served = server.sessions[0]
        assert_truncated(served, 1, 500, within_ms=0)
        assert_deleted(served, 2)
        assert kinds(events).count("audio_interrupted") == 1
        assert "history_added" not in kinds(events)
        (interrupted,) = told(events, "audio_interrupted")
        assert served.numbers[interrupted.item_id] == 1
        assert texts_of(events)[-1] == ("assistant", "w1 w2 w3")
        assert_no_errors(served)


async def test_the_clock_knows_what_was_heard_if_nobody_says() -> None:
    async with (
        RealtimeServer(reply(counted(60_000), counted(3000)), speed=_AT_ONCE) as server,
        session_on(server, turn_detection=VAD) as session,
    ):
        await session.send_message("hello")
        await until(session, "agent_end")
        await session.send_audio(_SPEECH)
        await until(session, "item_deleted")
        first, _ = transport_of(session).heard
        assert 0 < first.heard_ms < 60_000
        assert_truncated(server.sessions[0], 1, first.heard_ms, within_ms=0)
        assert_deleted(server.sessions[0], 2)


async def test_whoever_speaks_after_all_was_heard_interrupts_nobody() -> None:
    """The SDK's own model tells of an interruption."""
    playhead = Reported()
    script = [reply(counted(300)), reply(speech("yes"))]
    async with (
        RealtimeServer(script, speed=_AT_ONCE) as server,
        session_on(server, model=RealtimeModel(playback=playhead), turn_detection=VAD) as session,
    ):
        await session.send_message("hello")
        await until(session, "agent_end")
        playhead.report_total(300 * _MS)
        await session.send_audio(_SPEECH + PCM.silence(300))
        events = await until(session, "agent_end")
        assert "audio_interrupted" not in kinds(events)
        assert_untouched(server.sessions[0], 1)


def _is_sound(event: RealtimeModelEvent) -> bool:
    return event.type == "audio"


def _is_raw_sound(event: RealtimeModelEvent) -> bool:
    is_raw = event.type == "raw_server_event"
    return is_raw and event.data["type"] == "response.output_audio.delta"


@pytest.mark.parametrize(("stops_at", "heard"), [(_is_sound, 1), (_is_raw_sound, 0)])
async def test_a_listener_that_takes_its_time_delays_nothing(stops_at: Any, heard: int) -> None:
    """The SDK's own model waits for its listeners before it tells the server."""
    model = RealtimeModel()
    slow = Halting(stops_at)
    model.add_listener(slow)
    async with (
        RealtimeServer(reply(counted(60_000)), speed=20) as server,
        session_on(server, model=model, turn_detection=VAD) as session,
    ):
        await session.send_message("hello")
        await slow.reached.wait()
        served = server.sessions[0]
        await server.wait_until(lambda: len(served.sent_of("response.output_audio.delta")) > 20)
        await session.send_audio(_SPEECH)
        await server.wait_until(lambda: bool(served.sent_of("conversation.item.truncated")))
        (part,) = transport_of(session).heard
        assert_truncated(served, 1, part.heard_ms, within_ms=0)

        before = len(slow.seen)
        slow.go_on.set()
        events = await until(session, "history_updated", 3)
        assert slow.seen[before] == "audio_interrupted"
        after = events[[event.type for event in events].index("audio_interrupted") :]
        assert audio_of(after) == b""
        assert slow.seen.count("audio") == heard


async def test_the_history_says_what_was_heard_whatever_is_told_later() -> None:
    playhead = Reported()
    async with (
        RealtimeServer(reply(counted(3000)), speed=20) as server,
        session_on(server, model=RealtimeModel(playback=playhead), turn_detection=VAD) as session,
    ):
        await session.send_message("hello")
        await until(session, "audio", 5)
        playhead.report_total(100 * _MS)  # less than the first word
        await session.send_audio(_SPEECH + PCM.silence(300))
        events = await until(session, "agent_end", 2)
        roles = [item.role for item in history_of(events)]
        assert roles == ["user", "assistant", "user", "assistant"]
        cut = history_of(events)[1]
        assert (cut.status, cut.content[0].transcript) == ("incomplete", "")


async def test_an_item_that_is_deleted_while_it_is_made_stays_away() -> None:
    playhead = Reported()
    async with (
        RealtimeServer(reply(counted(300), counted(60_000)), speed=20) as server,
        session_on(server, model=RealtimeModel(playback=playhead), turn_detection=VAD) as session,
    ):
        await session.send_message("hello")
        await until(session, "audio", 8)  # told twice each; the fourth is of the second item
        playhead.report_total(200 * _MS)
        await session.interrupt()
        events = await until(session, "agent_end")
        late = server.sessions[0].sent_of("response.output_item.done")[-1]
        await server.connections[0].send(late)
        await session.send_message("go on")
        events += await until(session, "agent_start")
        assert_deleted(server.sessions[0], 2)
        spoken = [item.item_id for item in history_of(events) if item.role == "assistant"]
        assert [server.numbers[item_id] for item_id in spoken] == [1]
        back = [event.item.item_id for event in events if event.type == "history_added"]
        assert [server.numbers.get(item_id) for item_id in back] == [None]  # what the user said


async def test_items_that_are_kept_stand_where_they_stood() -> None:
    playhead = Reported()
    model = RealtimeModel(playback=playhead, unheard="keep")
    async with (
        RealtimeServer(reply(counted(3000), counted(3000)), speed=_AT_ONCE) as server,
        session_on(server, model=model, turn_detection=VAD) as session,
    ):
        await session.send_message("hello")
        await until(session, "agent_end")
        playhead.report_total(50 * _MS)
        await session.send_audio(_SPEECH)
        events = await until(session, "history_added", 2)
        first, second = [event.item for event in events if event.type == "history_added"]
        numbers = server.numbers
        assert [numbers[item.item_id] for item in (first, second)] == [1, 2]
        assert [item.content[0].transcript for item in (first, second)] == ["", ""]
        (said,) = items_sent(server.sessions[0])
        assert (first.previous_item_id, second.previous_item_id) == (said["id"], first.item_id)


async def test_an_application_interrupts() -> None:
    playhead = Reported()
    async with (
        RealtimeServer(reply(counted(60_000)), speed=20) as server,
        session_on(server, model=RealtimeModel(playback=playhead), turn_detection=VAD) as session,
    ):
        await session.send_message("hello")
        events = await until(session, "audio", 5)
        playhead.report_total(100 * _MS)
        await session.interrupt()
        events = await until(session, "agent_end")
        served = server.sessions[0]
        (done,) = served.sent_of("response.done")
        (cancel,) = served.received_of("response.cancel")
        # The SDK's own model leaves it to a server that knows nothing of it.
        assert done["response"]["status_details"]["reason"] == "client_cancelled"
        assert cancel["response_id"] == done["response"]["id"]
        assert_truncated(served, 1, 100, within_ms=0)
        assert kinds(events).count("audio_interrupted") == 1

        await session.interrupt()
        await session.send_message("still there?")
        await until(session, "agent_start")
        assert len(served.received_of("response.cancel")) == 1
        assert_no_errors(served)


async def test_a_guardrail_stops_what_it_does_not_want_said() -> None:
    playhead = Reported()

    @output_guardrail
    async def strict(_context: Any, _agent: Any, text: str) -> GuardrailFunctionOutput:
        playhead.report_total(100 * _MS)
        return GuardrailFunctionOutput(output_info=None, tripwire_triggered="w3" in text)

    run_config: Any = {
        "output_guardrails": [strict],
        "guardrails_settings": {"debounce_text_length": 1},
    }
    script = [reply(counted(60_000)), reply(speech("Sorry."))]
    model = RealtimeModel(playback=playhead)
    async with RealtimeServer(script, speed=20) as server:
        async with session_on(server, model=model, run_config=run_config) as session:
            await session.send_message("hello")
            events = await until(session, "agent_end", 2)
        assert kinds(events).count("guardrail_tripped") == 1
        assert kinds(events).count("audio_interrupted") == 1
        assert ("assistant", "Sorry.") in texts_of(events)
        served = server.sessions[0]
        (cancel,) = served.received_of("response.cancel")
        first, _ = served.sent_of("response.done")
        assert cancel["response_id"] == first["response"]["id"]
        assert_truncated(served, 1, 100, within_ms=0)
        _, feedback = items_sent(served)
        assert feedback["content"][0]["text"] == "guardrail triggered: strict"
        assert_one_response_at_a_time(served)
        assert_no_errors(served)


async def test_a_tracker_of_the_application_says_what_was_heard() -> None:
    tracker = RealtimePlaybackTracker()
    async with (
        RealtimeServer(reply(counted(1000), counted(3000)), speed=_AT_ONCE) as server,
        session_on(server, turn_detection=VAD, config={"playback_tracker": tracker}) as session,
    ):
        await session.send_message("hello")
        events = await until(session, "agent_end")
        items = {event.item_id: event for event in events if event.type == "audio"}
        first, second = items
        tracker.on_play_bytes(first, 0, bytes(1000 * _MS))
        tracker.on_play_ms(second, 0, 300)
        tracker.on_play_ms(second, 0, 200)
        await session.send_audio(_SPEECH)
        await until(session, "audio_interrupted")
        served = server.sessions[0]
        await server.wait_until(ended_or_gone(server, 1))
        assert_untouched(served, 1)
        assert_truncated(served, 2, 500, within_ms=0)
        assert tracker.get_state()["current_item_id"] is None


async def test_a_tracker_knows_how_long_a_byte_lasts() -> None:
    tracker = RealtimePlaybackTracker()
    async with (
        RealtimeServer(reply(counted(1000)), speed=_AT_ONCE) as server,
        session_on(
            server,
            turn_detection=VAD,
            output_audio_format="g711_ulaw",
            config={"playback_tracker": tracker},
        ) as session,
    ):
        await session.send_message("hello")
        events = await until(session, "agent_end")
        item_id = next(event.item_id for event in events if event.type == "audio")
        tracker.on_play_bytes(item_id, 0, bytes(8 * 250))
        await session.send_audio(_SPEECH)
        await server.wait_until(ended_or_gone(server, 1))
        assert_truncated(server.sessions[0], 1, 250, within_ms=0)


async def test_only_a_response_or_only_its_sound_can_be_stopped() -> None:
    playhead = Reported()
    async with (
        RealtimeServer(reply(counted(60_000)), speed=20) as server,
        session_on(server, model=RealtimeModel(playback=playhead)) as session,
    ):
        await session.send_message("hello")
        events = await until(session, "audio")
        response_id = events[-1].data.response_id
        playhead.report_total(50 * _MS)
        send = session.model.send_event
        await send(RealtimeModelSendInterrupt(response_id=response_id, cancel_response_only=True))
        events = await until(session, "agent_end")
        served = server.sessions[0]
        assert "audio_interrupted" not in kinds(events)
        assert served.received_of("conversation.item.truncate") == []

        await send(RealtimeModelSendInterrupt(response_id=response_id, playback_only=True))
        await until(session, "audio_interrupted")
        assert len(served.received_of("response.cancel")) == 1
        await server.wait_until(lambda: bool(served.received_of("conversation.item.truncate")))


async def test_interrupts_that_contradict_themselves_are_refused() -> None:
    async with RealtimeServer() as server, session_on(server) as session:
        send = session.model.send_event
        with pytest.raises(UserError, match="cancels nothing"):
            await send(RealtimeModelSendInterrupt(playback_only=True, force_response_cancel=True))
        with pytest.raises(UserError, match="response_id"):
            await send(RealtimeModelSendInterrupt(cancel_response_only=True))


async def test_a_message_on_a_condition() -> None:
    async with RealtimeServer(reply(speech("one"))) as server, session_on(server) as session:
        message = RealtimeModelSendUserInput("hello")
        assert not await session.model.send_event_if(message, lambda: False)
        assert await session.model.send_event_if(message, lambda: True)
        assert not await session.model.send_event_if(message, lambda: True)  # one is under way
        await until(session, "agent_end")
        assert len(items_sent(server.sessions[0])) == 1
