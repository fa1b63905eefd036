"""Voice sessions of the OpenAI Agents SDK whose sockets are lost, and what goes wrong beside."""

from __future__ import annotations

import asyncio
from binascii import a2b_base64
from typing import TYPE_CHECKING, Any

import pytest
from agents import function_tool
from agents.realtime import RealtimeModelListener

from interop.frameworks.voices_of_tests import (
    VAD,
    Halting,
    audio_of,
    kinds,
    session_on,
    texts_of,
    told,
    transport_of,
    until,
    without_traces,
)
from turnwire.adapters.openai_agents.realtime import RealtimeModel
from turnwire.errors import ConnectionLost
from turnwire.events.realtime import LaggedEvent, ReconnectedEvent
from turnwire.testing.realtime import (
    RealtimeServer,
    Run,
    assert_no_errors,
    call,
    counted,
    counted_audio,
    faults,
    heard_ms,
    read,
    reply,
    speech,
)

if TYPE_CHECKING:
    from agents.realtime.model_events import RealtimeModelEvent

    from turnwire.testing.realtime import ServedSession

pytestmark = [pytest.mark.interop, pytest.mark.io]

_alone = pytest.fixture(autouse=True)(without_traces)


def first_only(fault: faults.Fault) -> Any:
    """Return the faults of a server whose first connection alone is bad."""
    return lambda index: [fault] if index == 0 else []


async def test_a_session_goes_on_where_its_socket_was_lost() -> None:
    """With the SDK's own model it is over."""
    lost = faults.drop(on="response.output_audio.delta", nth=3)

    def script(asked: Any) -> Any:
        return reply(counted(400, "good day") if len(asked.items) > 2 else counted(3000))

    async with RealtimeServer(script, speed=100, faults=first_only(lost)) as server:
        async with session_on(server, voice="cedar") as session:
            await session.send_message("hello")
            events = await until(session, "other")
            events += await until(session, "turn_ended")
            reconnected = told(events, "other")[-1].data
            assert isinstance(reconnected, ReconnectedEvent)
            assert [each.status for each in told(events, "connection_status")] == [
                "connecting",
                "connected",
                "connecting",
                "connected",
            ]
            assert kinds(events).count("agent_start") == 1

            await session.send_message("go on")
            more = await until(session, "agent_end", 2)
            assert [role for role, _ in texts_of(more)] == ["user", "assistant"] * 2
            assert texts_of(more)[-1] == ("assistant", "good day")
        first, second = server.sessions
        assert second.session.session["audio"]["output"]["voice"] == "cedar"
        assert second.session.session["instructions"] == "Be brief."
        seeded = [event["item"] for event in second.received_of("conversation.item.create")]
        assert [item["role"] for item in seeded] == ["user", "assistant", "user"]
        assert first.responses == second.responses == 1
        assert_no_errors(second)


async def test_a_tool_that_runs_while_the_socket_is_lost_is_answered() -> None:
    release = asyncio.Event()

    @function_tool
    async def wait() -> str:
        """Wait for the test."""
        await release.wait()
        return "waited"

    def script(asked: Any) -> Any:
        answered = asked.items[-1].value["type"] == "function_call_output"
        return reply(speech("Done.")) if answered else reply(call("wait"))

    lost = faults.drop(on="response.done")
    async with RealtimeServer(script, speed=100, faults=first_only(lost)) as server:
        async with session_on(server, tools=(wait,)) as session:
            await session.send_message("hello")
            await until(session, "other")
            release.set()
            events = await until(session, "agent_end", 2)
        assert texts_of(events)[-1] == ("assistant", "Done.")
        assert_no_errors(server.sessions[1])


async def test_what_is_said_while_the_socket_is_lost_is_heard_afterwards() -> None:
    lost = faults.drop(on="input_audio_buffer.speech_started")
    async with (
        RealtimeServer(reply(speech("yes")), faults=first_only(lost)) as server,
        session_on(server, turn_detection=VAD) as session,
    ):
        await session.send_audio(counted_audio(9, 0, 9600))
        await until(session, "other")
        await session.send_audio(counted_audio(9, 9600, 14_400))
        served = server.sessions[1]
        await server.wait_until(lambda: _appended(served) == [Run(9, 0, 14_400)])


def _appended(served: ServedSession) -> list[Run]:
    appended = served.received_of("input_audio_buffer.append")
    return read(b"".join(a2b_base64(event["audio"]) for event in appended))


async def test_a_session_that_cannot_go_on_raises() -> None:
    end = faults.close(1008, "policy", on="response.created")
    async with RealtimeServer(faults=[end]) as server, session_on(server) as session:
        await session.send_message("hello")
        with pytest.raises(ConnectionLost, match="1008"):
            await until(session, "agent_end")
        with pytest.raises(Exception, match="session"):
            await session.send_message("hello")


async def test_a_session_that_the_server_ends_ends() -> None:
    end = faults.close(1000, on="response.created")
    async with RealtimeServer(faults=[end]) as server, session_on(server) as session:
        await session.send_message("hello")
        events = [event async for event in session]
        last = [event.data for event in events if event.type == "raw_model_event"][-2:]
        assert [each.type for each in last] == ["connection_status", "end_of_stream"]
        assert last[0].status == "disconnected"


class Failing(RealtimeModelListener):
    """A listener that cannot."""

    async def on_event(self, event: RealtimeModelEvent) -> None:
        """Raise, once."""
        if event.type == "turn_started":
            raise LookupError("not here")


async def test_what_a_listener_raises_reaches_the_reader_of_the_session() -> None:
    model = RealtimeModel()
    async with RealtimeServer() as server, session_on(server, model=model) as session:
        model.add_listener(Failing())
        await session.send_message("hello")
        with pytest.raises(LookupError, match="not here"):
            await until(session, "agent_end")


class Closing(RealtimeModelListener):
    """A listener that has heard enough."""

    def __init__(self, model: RealtimeModel) -> None:
        self._model = model
        self.seen: list[str] = []

    async def on_event(self, event: RealtimeModelEvent) -> None:
        """Close the model when a turn has started."""
        self.seen.append(event.type)
        if event.type == "turn_started":
            await self._model.close()


async def test_a_listener_may_close_the_model_and_hears_nothing_more() -> None:
    model = RealtimeModel()
    model.add_listener(closing := Closing(model))
    async with RealtimeServer() as server, session_on(server, model=model) as session:
        await session.send_message("hello")
        await server.wait_until(lambda: not server.connections[0].is_open)
        await _settled()
        assert closing.seen[-1] == "turn_started"


async def _settled() -> None:
    """Wait until no task of turnwire's is left."""
    tasks = [task for task in asyncio.all_tasks() if task.get_name().startswith("turnwire")]
    await asyncio.gather(*tasks, return_exceptions=True)


async def test_what_a_slow_listener_cannot_keep_is_told_as_an_error() -> None:
    model = RealtimeModel(buffer_bytes=64_000)
    slow = Halting(lambda event: event.type == "turn_started")
    async with (
        RealtimeServer(reply(counted(5000)), speed=1000) as server,
        session_on(server, model=model) as session,
    ):
        model.add_listener(slow)
        await session.send_message("hello")
        await slow.reached.wait()
        done = transport_of(session).request_response()
        await done.created()  # so all of the first has come
        slow.go_on.set()
        events = await until(session, "error", allows_errors=True)
        assert isinstance(events[-1].data.error, LaggedEvent)
        assert 0 < heard_ms(audio_of(events), 1) < 5000


async def test_nothing_is_left_when_a_session_is_closed() -> None:
    before = asyncio.all_tasks()
    async with RealtimeServer(reply(counted(60_000)), speed=20) as server:
        model = RealtimeModel()
        model.add_listener(slow := Halting(lambda event: event.type == "audio"))
        async with session_on(server, model=model) as session:
            await session.send_message("hello")
            await slow.reached.wait()
    left = {task.get_name() for task in asyncio.all_tasks() - before}
    assert {name for name in left if name.startswith("turnwire")} == set()
