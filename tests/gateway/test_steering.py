"""Steering over real sockets: a turn that runs is told something, and its successor hears it."""

import asyncio
from collections.abc import AsyncGenerator
from typing import Any

import aiohttp
import msgspec
import pytest
from openai import AsyncOpenAI
from openai.types.responses import (
    ResponseIncompleteEvent,
    ResponseSteerAcceptedEvent,
    ResponseSteerFailedEvent,
    ResponseSteerPendingEvent,
)

from gateway.support import (
    TERMINAL,
    Client,
    Json,
    ModelRun,
    Puppet,
    Talk,
    calls_of,
    output_of,
    talk,
    text_of,
    until,
)
from turnwire.events import Event, decode_event
from turnwire.gateway import Gateway
from turnwire.gateway.context import Prompt
from turnwire.gateway.upstreams.deltas import (
    ArgumentsDelta,
    CallEnded,
    CallStarted,
    Delta,
    Finished,
    ReasoningDelta,
    TextDelta,
)

pytestmark = pytest.mark.io


async def begin(
    here: Talk, puppet: Puppet, client: Client | None = None, **create: Any
) -> tuple[Client, ModelRun, str]:
    """Let a turn run; return its client, its model run and the id of its response."""
    client = client or await here.dial()
    await client.create(**({"input": "question"} | create))
    run = await puppet.run()
    (*_, event) = await client.until("response.in_progress")
    return client, run, event["response"]["id"]


async def steer(client: Client, response_id: object, given: Any = "now this", **more: Any) -> Json:
    """Steer and return the first steer event that comes."""
    message = {"type": "response.steer", "previous_response_id": response_id, "input": given}
    await client.send(message | more)
    event = await client.event()
    while not event["type"].startswith("response.steer."):
        event = await client.event()
    return event


def code(event: Json) -> str:
    assert event["type"] == "response.steer.failed"
    return event["error"]["code"]


def inputs(run: ModelRun) -> list[str]:
    return [
        item["content"] if isinstance(item.get("content"), str) else item["type"]
        for item in run.prompt.items
    ]


@pytest.mark.parametrize("store", [True, False])
@pytest.mark.parametrize("lane", [None, "a"])
async def test_r22_a_silent_model_is_interrupted_and_a_successor_follows(
    store: bool,  # noqa: FBT001
    lane: str | None,
) -> None:
    puppet = Puppet()
    named = {"stream_id": lane} if lane else {}
    async with talk(puppet) as here:
        settings = {"store": store, "instructions": "Be brief.", "metadata": {"a": "b"}}
        client, run, response_id = await begin(here, puppet, **settings, **named)
        accepted = await steer(client, response_id)
        steer_id = accepted["steer"]["id"]
        assert steer_id.startswith("steer_")
        assert len(steer_id) == len("steer_") + 32
        assert accepted == {
            "type": "response.steer.accepted",
            "sequence_number": 2,
            "steer": {"id": steer_id, "previous_response_id": response_id},
            **named,
        }
        terminal = await client.event()
        assert run.stopped.is_set(), "nothing is generated that nobody will see"
        assert (terminal["type"], terminal["sequence_number"]) == ("response.incomplete", 3)
        assert terminal["response"]["incomplete_details"] == {"reason": "steered"}
        successor = await puppet.run()
        assert inputs(successor) == ["now this"]
        assert successor.prompt.parent is not None
        assert successor.prompt.parent.response_id == response_id
        created = await client.event()
        response = created["response"]
        assert (created["type"], created["sequence_number"]) == ("response.created", 0)
        assert created.get("stream_id") == lane
        assert response["previous_response_id"] == response_id
        assert {name: response[name] for name in settings} == settings
        successor.finish("heard")
        assert text_of((await client.terminal())["response"]) == "heard"
        statistics = here.gateway.statistics()
        assert (statistics.model_runs, statistics.model_runs_stopped) == (2, 1)


async def test_an_item_that_has_begun_is_finished_and_nothing_after_it() -> None:
    puppet = Puppet()
    async with talk(puppet) as here:
        client, run, response_id = await begin(here, puppet)
        run.say(ReasoningDelta("hm"))
        await client.until("response.reasoning_summary_text.delta")
        await steer(client, response_id)
        assert not run.stopped.is_set()
        run.say(ReasoningDelta("m"))
        run.say("an answer that nobody sees")
        events = await client.until(*TERMINAL)
        assert run.stopped.is_set()
        assert [event["type"] for event in events] == [
            "response.reasoning_summary_text.delta",
            "response.reasoning_summary_text.done",
            "response.reasoning_summary_part.done",
            "response.output_item.done",
            "response.incomplete",
        ]
        (item,) = events[-1]["response"]["output"]
        assert item["summary"][0]["text"] == "hmm"
        (await puppet.run()).finish("heard")
        assert (await client.terminal())["type"] == "response.completed"


async def test_a_message_that_is_finished_is_whole_and_no_call_follows_it() -> None:
    puppet = Puppet()
    async with talk(puppet) as here:
        client, run, response_id = await begin(here, puppet)
        run.say("I look it up.")
        await client.until("response.output_text.delta")
        await steer(client, response_id)
        run.say(CallStarted(0, "f", "call_1"))
        (*_, terminal) = await client.until(*TERMINAL)
        assert run.stopped.is_set()
        (message,) = terminal["response"]["output"]
        assert (message["type"], message["status"]) == ("message", "completed")
        assert terminal["response"]["incomplete_details"] == {"reason": "steered"}


async def test_a_response_that_ends_by_itself_is_completed_and_has_a_successor() -> None:
    puppet = Puppet()
    async with talk(puppet) as here:
        client, run, response_id = await begin(here, puppet)
        run.say("the whole ")
        await client.until("response.output_text.delta")
        await steer(client, response_id)
        run.finish("answer")
        terminal = await client.terminal()
        assert terminal["type"] == "response.completed"
        assert text_of(terminal["response"]) == "the whole answer"
        successor = await puppet.run()
        assert inputs(successor) == ["now this"]
        successor.finish()
        created, *_ = await client.until(*TERMINAL)
        assert created["response"]["previous_response_id"] == response_id


class Thinker:
    """A model that thinks until it may speak, and then never stops; counts its words."""

    models = ("thinker",)

    def __init__(self) -> None:
        self.may_speak = asyncio.Event()
        self.stopped = asyncio.Event()
        self.words = 0

    async def generate(self, prompt: Prompt) -> AsyncGenerator[Delta]:
        if prompt.parent is not None:
            yield TextDelta("heard")
            yield Finished()
            return
        try:
            yield ReasoningDelta("hm")
            await self.may_speak.wait()
            while True:
                await asyncio.sleep(0)
                self.words += 1
                yield TextDelta("word ")
        finally:
            self.stopped.set()


async def test_at_a_boundary_the_model_run_is_closed_at_once() -> None:
    thinker = Thinker()
    async with talk(thinker) as here:
        client = await here.dial()
        await client.create(input="x")
        (*_, event) = await client.until("response.in_progress")
        await steer(client, event["response"]["id"])
        thinker.may_speak.set()
        terminal = await client.terminal()
        assert terminal["response"]["incomplete_details"] == {"reason": "steered"}
        assert thinker.stopped.is_set()
        assert text_of((await client.terminal())["response"]) == "heard"
        assert thinker.words == 1, "the one with which the next item would have begun"


async def test_several_steers_go_together_in_their_order() -> None:
    puppet = Puppet()
    async with talk(puppet) as here:
        client, run, response_id = await begin(here, puppet)
        run.say("word ")
        await client.until("response.output_text.delta")
        given = ["one", [{"role": "user", "content": "two"}, {"role": "user", "content": "three"}]]
        ids = [(await steer(client, response_id, each))["steer"]["id"] for each in given]
        assert len(set(ids)) == 2
        run.finish("end")
        await client.terminal()
        successor = await puppet.run()
        assert inputs(successor) == ["one", "two", "three"]
        successor.finish()
        await client.terminal()


async def test_a_successor_comes_before_creates_that_wait() -> None:
    puppet = Puppet()
    async with talk(puppet, active_limit=1) as here:
        client, run, response_id = await begin(here, puppet)
        await client.create(input="behind it")
        await client.create(input="on another lane", stream_id="b")
        await steer(client, response_id)
        order: list[str] = []
        for _ in range(3):
            run = await puppet.run()
            order += inputs(run)[-1:]
            run.finish()
            await client.until("response.completed")
        assert [each if each == "now this" else "" for each in order] == ["now this", "", ""]


async def test_a_successor_is_steered_by_its_own_id() -> None:
    puppet = Puppet()
    async with talk(puppet) as here:
        client, _, response_id = await begin(here, puppet)
        await steer(client, response_id, "one")
        await client.until("response.incomplete")
        await puppet.run()
        created = await client.event()
        assert code(await steer(client, response_id)) == "response_not_active"
        await steer(client, created["response"]["id"], "two")
        last = await puppet.run()
        assert inputs(last) == ["two"]
        last.finish("both")
        (*_, terminal) = await client.until("response.completed")
        assert text_of(terminal["response"]) == "both"


async def call(client: Client, run: ModelRun) -> None:
    for delta in (CallStarted(0, "f", "call_1"), ArgumentsDelta(0, "{}"), CallEnded(0)):
        run.say(delta)
    await client.until("response.output_item.done")


STUB = {"type": "function_call_output", "call_id": "call_1", "name": "f"}


async def test_a_response_with_a_call_is_not_interrupted_and_waits_for_the_client() -> None:
    puppet = Puppet()
    async with talk(puppet) as here:
        client, run, response_id = await begin(here, puppet, stream_id="a")
        await call(client, run)
        accepted = await steer(client, response_id)
        run.finish("and text")
        (*_, completed) = await client.until(*TERMINAL)
        assert completed["type"] == "response.completed"
        pending = await client.event()
        assert pending == {
            "type": "response.steer.pending",
            "reason": "waiting_for_required_input",
            "required_input": [STUB],
            "sequence_number": completed["sequence_number"] + 1,
            "steer": accepted["steer"],
            "stream_id": "a",
        }
        assert puppet.started.empty()
        await client.create(
            input=[STUB | {"output": "42"}, {"role": "user", "content": "well?"}],
            previous_response_id=response_id,
            stream_id="a",
        )
        continuation = await puppet.run()
        assert inputs(continuation) == ["now this", "function_call_output", "well?"]
        continuation.finish("done")
        assert (await client.terminal())["response"]["previous_response_id"] == response_id
        assert code(await steer(client, response_id)) == "response_already_completed"


async def test_a_response_that_waits_takes_steers_until_it_is_continued() -> None:
    puppet = Puppet()
    async with talk(puppet) as here:
        client, run, response_id = await begin(here, puppet, store=False)
        await call(client, run)
        run.finish()
        await client.terminal()
        assert (await steer(client, response_id))["type"] == "response.steer.accepted"
        assert (await client.event())["type"] == "response.steer.pending"
        output = STUB | {"output": "42"}
        await client.create(input=[output], previous_response_id=response_id, store=False)
        run = await puppet.run()
        assert inputs(run) == ["now this", "function_call_output"]
        run.finish()
        assert (await client.terminal())["type"] == "response.completed"


async def test_a_continuation_that_is_refused_gives_the_input_back() -> None:
    puppet = Puppet()
    async with talk(puppet) as here:
        client, run, response_id = await begin(here, puppet)
        await call(client, run)
        accepted = await steer(client, response_id)
        run.finish()
        await client.until("response.steer.pending")
        event = await client.refused(input="without the output", previous_response_id=response_id)
        assert "No tool output found" in event["error"]["message"]
        failed = await client.event()
        assert code(failed) == "successor_creation_failed"
        assert failed["steer"] == accepted["steer"] | {"input": "now this"}


async def test_what_a_response_was_told_comes_back_if_it_fails() -> None:
    puppet = Puppet()
    async with talk(puppet) as here:
        client, run, response_id = await begin(here, puppet)
        run.say("half ")
        await client.until("response.output_text.delta")
        given = [{"type": "message", "role": "user", "content": "so"}]
        accepted = await steer(client, response_id, given)
        run.cut()
        terminal = await client.terminal()
        assert terminal["type"] == "response.failed"
        failed = await client.event()
        assert (code(failed), failed["sequence_number"]) == (
            "successor_creation_failed",
            terminal["sequence_number"] + 1,
        )
        assert failed["steer"] == accepted["steer"] | {"input": given}
        assert puppet.started.empty()


async def test_what_a_cancelled_response_was_told_comes_back() -> None:
    puppet = Puppet()
    async with talk(puppet) as here:
        client, run, response_id = await begin(here, puppet)
        run.say("half ")
        await client.until("response.output_text.delta")
        await steer(client, response_id)
        await here.request("POST", f"/v1/responses/{response_id}/cancel")
        await client.until(*TERMINAL)
        assert code(await client.event()) == "successor_creation_failed"


async def test_a_chain_goes_on_from_a_steered_response() -> None:
    async with talk() as here:
        client = await here.dial()
        await client.create(input="PACE 0.01\nWORDS 20", reasoning={"summary": "auto"})
        (*_, event) = await client.until("response.in_progress")
        response_id = event["response"]["id"]
        await steer(client, response_id, "WORDS 2")
        terminal = await client.terminal()
        successor = (await client.terminal())["response"]
        assert terminal["response"]["incomplete_details"] == {"reason": "steered"}
        assert text_of(successor) == "one lane"
        for parent in (response_id, successor["id"]):
            _, more = await here.post(input="More", previous_response_id=parent)
            assert more["status"] == "completed"


async def test_numbers_of_a_steered_response_are_those_that_the_socket_showed() -> None:
    puppet = Puppet()
    async with talk(puppet) as here:
        client, run, response_id = await begin(here, puppet)
        run.say("one ")
        shown = await client.until("response.output_text.delta")
        await steer(client, response_id)
        run.finish("two")
        shown += await client.until(*TERMINAL)
        (await puppet.run()).finish()
        await client.terminal()
        fetched = await here.fetch(response_id)
        assert fetched[2:] == shown
        numbers = [event["sequence_number"] for event in fetched]
        assert len(set(range(numbers[-1] + 1)) - set(numbers)) == 1, "the steer's own is left out"
        for after in range(-1, numbers[-1] + 1):
            later = [event for event in fetched if event["sequence_number"] > after]
            assert await here.fetch(response_id, after) == later


ITEM = {"role": "user", "content": "x"}
WRONG: list[Any] = [
    "",
    [],
    None,
    5,
    {},
    ["x"],
    [ITEM | {"role": "developer"}],
    [ITEM | {"id": "msg_1"}],
    [ITEM | {"status": "completed"}],
    [ITEM | {"type": "item_reference"}],
    [ITEM | {"content": None}],
    [ITEM | {"content": [{"type": "output_text", "text": "x"}]}],
    [ITEM | {"content": [{"type": "input_text"}]}],
    [ITEM, {"type": "function_call_output", "call_id": "c", "output": "x"}],
]


async def test_a_bad_steer_gets_its_failure_and_harms_nothing() -> None:
    puppet = Puppet()
    async with talk(puppet) as here:
        client, run, response_id = await begin(here, puppet, stream_id="a")
        for number, given in enumerate(WRONG):
            failed = await steer(client, response_id, given)
            assert (code(failed), failed["stream_id"]) == ("invalid_input", "a")
            assert failed["sequence_number"] == 2 + number
            assert failed["error"]["type"] == "invalid_request_error"
            assert "id" not in failed["steer"]
        failed = await steer(client, response_id, stream_id="a")
        assert code(failed) == "invalid_input"
        run.finish("unharmed")
        assert text_of((await client.terminal())["response"]) == "unharmed"


async def test_a_steer_of_nothing_that_is_known_has_no_lane_and_number_0() -> None:
    async with talk() as here:
        client = await here.dial()
        failed = await steer(client, "resp_unknown", [ITEM])
        assert failed == {
            "type": "response.steer.failed",
            "sequence_number": 0,
            "error": {
                "type": "invalid_request_error",
                "code": "response_not_found",
                "message": failed["error"]["message"],
            },
            "steer": {"previous_response_id": "resp_unknown", "input": [ITEM]},
        }
        assert code(await steer(client, 5)) == "invalid_input"


async def test_a_response_of_another_socket_is_not_found() -> None:
    puppet = Puppet()
    async with talk(puppet) as here:
        _, _, response_id = await begin(here, puppet)
        assert code(await steer(await here.dial(), response_id)) == "response_not_found"


async def test_a_response_that_has_ended_takes_no_steer() -> None:
    async with talk() as here:
        client = await here.dial()
        done = await client.respond(input="x")
        assert code(await steer(client, done["id"])) == "response_already_completed"
        short = await client.respond(input="WORDS 9", max_output_tokens=2)
        assert code(await steer(client, short["id"])) == "response_not_active"


class Deaf(Puppet):
    """A model that cannot be steered."""

    steers = False


async def test_r22_an_upstream_that_cannot_steer_says_so() -> None:
    puppet = Deaf()
    async with talk(puppet) as here:
        client, run, response_id = await begin(here, puppet)
        assert code(await steer(client, response_id)) == "steering_not_supported"
        run.finish("unharmed")
        assert text_of((await client.terminal())["response"]) == "unharmed"


async def test_a_17th_steer_is_too_much() -> None:
    puppet = Puppet()
    async with talk(puppet) as here:
        client, run, response_id = await begin(here, puppet)
        run.say("word")
        for _ in range(16):
            assert (await steer(client, response_id))["type"] == "response.steer.accepted"
        assert code(await steer(client, response_id)) == "too_many_pending_steers"
        run.finish()
        await client.terminal()
        successor = await puppet.run()
        assert inputs(successor) == ["now this"] * 16
        successor.finish()
        await client.terminal()


@pytest.mark.parametrize("when", ["accepted", "succeeding"])
async def test_a_socket_that_vanishes_takes_steered_turns_with_it(when: str) -> None:
    puppet = Puppet()
    async with talk(puppet) as here:
        client, run, response_id = await begin(here, puppet)
        if when == "accepted":
            run.say("word ")
            await client.until("response.output_text.delta")
        await steer(client, response_id)
        if when == "succeeding":
            run = await puppet.run()
        await client.raw.close()
        await run.stopped.wait()
        await until(lambda: here.gateway.statistics().sockets_open == 0)
        assert here.gateway.statistics().model_runs_active == 0
        assert puppet.started.empty()


async def test_a_socket_that_is_old_finishes_what_was_accepted_and_takes_no_more() -> None:
    puppet = Puppet()
    async with talk(puppet) as here:
        client, run, response_id = await begin(here, puppet)
        run.say("word")
        await client.until("response.output_text.delta")
        await steer(client, response_id, "in time")
        here.grow_old()
        assert code(await steer(client, response_id, "too late")) == "successor_creation_failed"
        run.finish()
        await client.terminal()
        successor = await puppet.run()
        assert inputs(successor) == ["in time"]
        successor.finish("heard")
        assert text_of((await client.terminal())["response"]) == "heard"
        limit = await client.event()
        assert limit["error"]["code"] == "websocket_connection_limit_reached"
        assert await client.closed() == 1000


async def test_an_old_socket_returns_what_waits_for_its_client() -> None:
    puppet = Puppet()
    async with talk(puppet) as here:
        client, run, response_id = await begin(here, puppet)
        await call(client, run)
        await steer(client, response_id)
        run.finish()
        await client.until("response.steer.pending")
        here.grow_old()
        assert code(await client.event()) == "successor_creation_failed"
        assert (await client.event())["type"] == "error"
        assert await client.closed() == 1000


async def test_a_turn_that_was_posted_cannot_be_steered_from_a_socket() -> None:
    async with talk() as here:
        _, posted = await here.post(input="x")
        assert code(await steer(await here.dial(), posted["id"])) == "response_not_found"


async def test_the_tool_loop_with_the_scripted_model() -> None:
    async with talk() as here:
        client = await here.dial()
        first = await client.respond(input="CALL f {}")
        await steer(client, first["id"], "And then?")
        pending = await client.event()
        (call_item,) = calls_of(first)
        assert [stub["call_id"] for stub in pending["required_input"]] == [call_item["call_id"]]
        answer = await client.respond(
            input=[output_of(call_item, "42")], previous_response_id=first["id"]
        )
        assert answer["status"] == "completed"


# An upstream that speaks Responses itself


def said(kind: str, **members: Any) -> Event:
    return decode_event(msgspec.json.encode({"type": kind, "sequence_number": 1, **members}))


THOUGHT = {"id": "rs_1", "type": "reasoning", "summary": []}
ASKED = {
    "id": "fc_1",
    "type": "function_call",
    "call_id": "call_1",
    "name": "f",
    "arguments": "{}",
    "status": "completed",
}
SPOKEN = {
    "id": "msg_1",
    "type": "message",
    "role": "assistant",
    "status": "completed",
    "content": [{"type": "output_text", "text": "heard", "annotations": []}],
}


def item(item: Json, index: int) -> tuple[Event, Event]:
    return (
        said("response.output_item.added", output_index=index, item=item),
        said("response.output_item.done", output_index=index, item=item),
    )


def ended(*output: Json) -> Event:
    response = {"id": "resp_theirs", "object": "response", "status": "completed"}
    return said("response.completed", response=response | {"output": list(output)})


async def test_a_relayed_response_ends_between_two_items() -> None:
    puppet: Any = Puppet()
    puppet.speaks = "events"
    async with talk(puppet) as here:
        client, run, response_id = await begin(here, puppet)
        began, finished = item(THOUGHT, 0)
        run.say(began)
        await client.until("response.output_item.added")
        await steer(client, response_id)
        assert not run.stopped.is_set()
        run.say(finished)
        (*_, terminal) = await client.until(*TERMINAL)
        assert run.stopped.is_set()
        assert terminal["type"] == "response.incomplete"
        assert terminal["response"]["incomplete_details"] == {"reason": "steered"}
        assert terminal["response"]["output"] == [THOUGHT]
        successor = await puppet.run()
        assert inputs(successor) == ["now this"]
        for event in (*item(SPOKEN, 0), ended(SPOKEN)):
            successor.say(event)
        successor.cut()
        response = (await client.terminal())["response"]
        assert (text_of(response), response["previous_response_id"]) == ("heard", response_id)


async def test_a_relayed_response_with_a_call_is_not_interrupted() -> None:
    puppet: Any = Puppet()
    puppet.speaks = "events"
    async with talk(puppet) as here:
        client, run, response_id = await begin(here, puppet)
        for event in item(ASKED, 0):
            run.say(event)
        await client.until("response.output_item.done")
        await steer(client, response_id)
        for event in (*item(SPOKEN, 1), ended(ASKED, SPOKEN)):
            run.say(event)
        run.cut()
        (*_, terminal) = await client.until(*TERMINAL)
        assert terminal["type"] == "response.completed"
        assert (await client.event())["required_input"] == [STUB]


async def test_a_relayed_response_is_cancelled() -> None:
    puppet: Any = Puppet()
    puppet.speaks = "events"
    async with talk(puppet) as here:
        client, run, response_id = await begin(here, puppet)
        for event in item(THOUGHT, 0):
            run.say(event)
        await client.until("response.output_item.done")
        _, response = await here.request("POST", f"/v1/responses/{response_id}/cancel")
        assert run.stopped.is_set()
        assert (response["status"], response["output"]) == ("cancelled", [THOUGHT])


# The official SDK


@pytest.mark.interop
async def test_r22_the_official_client_steers() -> None:
    puppet = Puppet()
    async with (
        Gateway(upstream=puppet) as gateway,
        AsyncOpenAI(
            api_key="none", base_url=gateway.base_url, _strict_response_validation=True
        ) as client,
        client.responses.connect() as connection,
    ):
        await connection.response.create(model="any", input="question")
        run = await puppet.run()
        created: Any = await connection.recv()
        run.say("word ")
        await connection.response.steer(previous_response_id=created.response.id, input="now this")
        kinds: list[str] = []
        while (event := await connection.recv()).type != "response.steer.accepted":
            kinds.append(event.type)
        assert event.steer.previous_response_id == created.response.id
        run.finish("end")
        while (event := await connection.recv()).type != "response.completed":
            kinds.append(event.type)
        (await puppet.run()).say(TextDelta("heard"))
        successor: Any = await connection.recv()
        assert successor.response.previous_response_id == created.response.id
        await connection.response.steer(previous_response_id="resp_unknown", input="x")
        while (event := await connection.recv()).type != "response.steer.failed":
            kinds.append(event.type)
        assert event.error.code == "response_not_found"


@pytest.mark.interop
async def test_r22_the_official_session_finds_the_successor_on_its_lane() -> None:
    from openai.lib.responses_websocket import (
        AsyncResponsesWebSocketSession,
        ResponsesWebSocketLimits,
    )

    puppet = Puppet()
    limits = ResponsesWebSocketLimits(
        max_lanes=4,
        max_events_per_lane=100,
        max_events=200,
        max_bytes_per_lane=2**20,
        max_bytes=2**21,
    )
    async with (
        Gateway(upstream=puppet) as gateway,
        AsyncOpenAI(api_key="none", base_url=gateway.base_url) as client,
        client.responses.connect(websocket_connection_options={"max_size": None}) as connection,
        AsyncResponsesWebSocketSession(connection, limits=limits) as session,
    ):
        lane = session.lane("main")
        await lane.send({"type": "response.create", "model": "any", "input": "question"})
        await puppet.run()
        created: Any = await lane.recv()
        await lane.send(
            {
                "type": "response.steer",
                "previous_response_id": created.response.id,
                "input": "now this",
            }
        )
        first = await lane.get_final_response()
        assert first.incomplete_details is not None
        assert first.incomplete_details.reason == "steered"
        (await puppet.run()).finish("heard")
        event: Any = await lane.recv()
        assert (event.type, event.stream_id) == ("response.created", "main")
        second = await lane.get_final_response()
        assert (second.previous_response_id, second.output_text) == (first.id, "heard")


async def test_many_clients_steer_at_once() -> None:
    async def one(here: Talk, number: int) -> str:
        client = await here.dial()
        await client.create(input="PACE 0.001\nWORDS 30", stream_id=f"lane-{number}")
        (*_, event) = await client.until("response.in_progress")
        await steer(client, event["response"]["id"], f"WORDS {number + 1}")
        await client.terminal()
        return text_of((await client.terminal())["response"])

    async with talk() as here:
        texts = await asyncio.gather(*(one(here, number) for number in range(20)))
        assert [len(text.split()) for text in texts] == list(range(1, 21))


class Recording(Client):
    """A client that keeps what it sees."""

    def __init__(self, raw: aiohttp.ClientWebSocketResponse) -> None:
        super().__init__(raw)
        self.seen: list[Json] = []

    async def event(self) -> Json:
        self.seen.append(await super().event())
        return self.seen[-1]


@pytest.mark.interop
async def test_every_steer_event_is_what_the_sdk_expects() -> None:
    models: dict[str, Any] = {
        "response.steer.accepted": ResponseSteerAcceptedEvent,
        "response.steer.pending": ResponseSteerPendingEvent,
        "response.steer.failed": ResponseSteerFailedEvent,
        "response.incomplete": ResponseIncompleteEvent,
    }
    seen: set[str] = set()
    puppet = Puppet()
    async with talk(puppet) as here:
        client = Recording((await here.dial()).raw)
        _, run, response_id = await begin(here, puppet, client, stream_id="a")
        await steer(client, response_id, 5)
        await client.send(
            {
                "type": "response.steer",
                "previous_response_id": "resp_unknown",
                "input": [{"type": "message", **ITEM}],
            }
        )
        await call(client, run)
        await steer(client, response_id)
        run.finish()
        await client.until("response.steer.pending")
        await client.create(input="no output", previous_response_id=response_id, stream_id="a")
        await client.until("response.steer.failed")
        _, _, response_id = await begin(here, puppet, client, stream_id="b")
        await steer(client, response_id)
        await client.until("response.incomplete")
        for event in client.seen:
            if event["type"] in models:
                seen.add(event["type"])
                parsed = models[event["type"]].model_validate_json(
                    msgspec.json.encode(event), strict=True
                )
                assert parsed.model_dump(mode="json", exclude_unset=True) == event
    assert seen == models.keys()
