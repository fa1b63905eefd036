"""Only what is new goes out, whatever a runner does to its history; and nothing is ever lost."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest

from agent_stream.support import WEATHER, Runner, one_try, result, sent, user
from turnwire.agent_stream import AgentStreams, ErrorEvent
from turnwire.testing import (
    Create,
    Peer,
    Step,
    Turns,
    answer,
    call,
    drop,
    error,
    failed,
    incomplete,
    reasoning,
)

pytestmark = pytest.mark.io


def tools_then_text(create: Create) -> list[Step]:
    """Call a tool for each question, and answer once its output is there."""
    if create.input[-1].get("type") == "function_call_output":
        return [answer(f"It is {create.input[-1]['output']}.")]
    spaced = '{ "city": "Oslo" }'  # not as a runner would write it
    return [reasoning("Hm."), call("weather", spaced, call_id=f"call_{create.number}")]


async def test_twenty_turns_each_send_what_is_new() -> None:
    async with Peer(tools_then_text) as peer, AgentStreams(base_url=peer.base_url) as streams:
        runner = Runner(streams, tools=[WEATHER], systemPrompt="Be brief.")
        for number in range(10):
            message = await runner.ask(user(f"Question {number}"))
            await runner.ask(result(message.tool_calls[0].id, "sunny"))
            assert runner.last is not None
            assert runner.last.report is not None
            assert runner.last.report.chain_miss is None
        assert [len(create["input"]) for create in peer.creates] == [1] * 20
        assert (peer.model_runs, peer.refusals, len(peer.connections)) == (20, [], 1)
        assert runner.last.message.text == "It is sunny."


async def test_what_the_user_says_beside_a_tool_result_is_sent() -> None:
    async with Peer(tools_then_text) as peer, AgentStreams(base_url=peer.base_url) as streams:
        runner = Runner(streams, tools=[WEATHER])
        message = await runner.ask(user("Weather?"))
        await runner.ask(user("Never mind."), result(message.tool_calls[0].id, "sunny"))
        assert sent(peer) == [["Weather?"], ["Never mind.", "function_call_output"]]


async def test_sessions_side_by_side_never_swap_their_topics() -> None:
    async with Peer(tools_then_text) as peer, AgentStreams(base_url=peer.base_url) as streams:
        one, other = (Runner(streams, name, tools=[WEATHER]) for name in ("one", "other"))
        first = await one.ask(user("Oslo?"))
        second = await other.ask(user("Rome?"))
        await one.ask(result(first.tool_calls[0].id, "rainy"))
        await other.ask(result(second.tool_calls[0].id, "sunny"))
        parents = [create.get("previous_response_id") for create in peer.creates]
        assert parents == [None, None, "resp_1", "resp_2"]
        assert [
            one.messages[-1]["content"][0]["text"],
            other.messages[-1]["content"][0]["text"],
        ] == [
            "It is rainy.",
            "It is sunny.",
        ]
        assert peer.refusals == []


async def test_two_histories_in_one_session_each_get_their_own_answer() -> None:
    async with Peer() as peer, AgentStreams(base_url=peer.base_url) as streams:
        one, other = Runner(streams), Runner(streams)
        await one.ask(user("one"))
        await other.ask(user("other"))
        await one.ask(user("one more"))
        assert sent(peer)[-1] == ["one", "one", "one more"]
        assert peer.refusals == []


async def test_two_streams_at_once_in_one_session_each_get_their_own_answer() -> None:
    async with Peer() as peer, AgentStreams(base_url=peer.base_url) as streams:
        runners = [Runner(streams) for _ in range(4)]
        for _ in range(2):
            asked = [runner.ask(user(str(number))) for number, runner in enumerate(runners)]
            assert [each.text for each in await asyncio.gather(*asked)] == ["0", "1", "2", "3"]
        assert (peer.model_runs, peer.refusals) == (8, [])


@pytest.mark.parametrize("index", [0, 1])
async def test_a_changed_history_is_sent_as_it_is_now(index: int) -> None:
    async with Peer() as peer, AgentStreams(base_url=peer.base_url) as streams:
        runner = Runner(streams)
        await runner.ask(user("first"))
        await runner.ask(user("second"))
        runner.messages[index] = {**runner.messages[index], "content": "changed"}
        await runner.ask(user("third"))
        said = ["first", "first", "second", "second", "third"]
        said[index] = "changed"
        assert [_text(item) for item in peer.creates[-1]["input"]] == said
        assert "previous_response_id" not in peer.creates[-1]
        assert runner.last is not None
        assert runner.last.report is not None
        assert runner.last.report.chain_miss is not None
        assert (runner.last.report.chain_miss.reason, runner.last.report.chain_miss.index) == (
            "history_changed",
            index,
        )
        await runner.ask(user("fourth"))
        assert sent(peer)[-1] == ["fourth"]


def _text(item: dict[str, Any]) -> Any:
    content = item["content"]
    return content if isinstance(content, str) else content[0]["text"]


async def test_a_history_that_was_cut_short_is_not_counted_but_compared() -> None:
    async with Peer() as peer, AgentStreams(base_url=peer.base_url) as streams:
        runner = Runner(streams)
        await runner.ask(user("first"))
        await runner.ask(user("second"))
        runner.messages = [user("what was said so far, in short"), runner.messages[-1]]
        await runner.ask(user("third"))
        said = [_text(item) for item in peer.creates[-1]["input"]]
        assert said == ["what was said so far, in short", "second", "third"]


async def test_the_same_answer_twice_is_two_answers() -> None:
    async with (
        Peer(lambda create: [answer("OK.")]) as peer,
        AgentStreams(base_url=peer.base_url) as streams,
    ):
        runner = Runner(streams)
        for number in range(4):
            await runner.ask(user(str(number)))
        assert sent(peer) == [["0"], ["1"], ["2"], ["3"]]


async def test_a_history_may_be_kept_as_json() -> None:
    async with Peer(tools_then_text) as peer, AgentStreams(base_url=peer.base_url) as streams:
        runner = Runner(streams, tools=[WEATHER])
        message = await runner.ask(user("Weather?"))
        runner.messages = json.loads(json.dumps(runner.messages))
        await runner.ask(result(message.tool_calls[0].id, "sunny"))
        assert sent(peer)[-1] == ["function_call_output"]


async def test_other_tools_cost_one_whole_history_and_other_instructions_nothing() -> None:
    async with Peer() as peer, AgentStreams(base_url=peer.base_url) as streams:
        runner = Runner(streams)
        await runner.ask(user("first"))
        runner.context["systemPrompt"] = "Be brief."
        await runner.ask(user("second"), temperature=0.5)
        assert sent(peer)[-1] == ["second"]
        runner.context["tools"] = [WEATHER]
        await runner.ask(user("third"))
        assert len(sent(peer)[-1]) == 5
        assert [create.get("temperature") for create in peer.creates] == [None, 0.5, None]
        assert runner.last is not None
        assert runner.last.report is not None
        assert runner.last.report.chain_miss is not None
        assert runner.last.report.chain_miss.field == "tools"


@pytest.mark.parametrize(
    "steps",
    [
        [failed("server_error")],
        [error("invalid_request_error", 400)],
        [answer("Half of it"), drop(after="response.output_text.delta")],
        [answer("Half of it"), failed("server_error")],
    ],
)
async def test_a_turn_that_failed_does_not_poison_the_next_one(steps: list[Step]) -> None:
    script = Turns([answer("one")], steps, [answer("three")], [answer("four")])
    async with Peer(script) as peer, one_try(peer) as streams:
        runner = Runner(streams)
        await runner.ask(user("1"))
        await runner.ask(user("2"))
        assert isinstance(runner.last, ErrorEvent)
        runner.messages.pop()  # runners ask again
        assert (await runner.ask()).text == "three"
        assert sent(peer)[2] == ["1", "one", "2"]  # in the runner's words, all of it
        assert "previous_response_id" not in peer.creates[2]
        assert runner.last.report is not None
        assert runner.last.report.chain_miss is not None
        assert runner.last.report.chain_miss.reason == "previous_failed"
        assert (await runner.ask(user("3"))).text == "four"
        assert sent(peer)[3] == ["3"]
        assert runner.last.report is not None
        assert runner.last.report.chain_miss is None
        assert peer.refusals == []


async def test_a_failed_answer_may_stay_in_the_history() -> None:
    steps: list[Step] = [answer("Half of it"), call("weather", {}), drop(after=8)]
    async with Peer(Turns(steps, [answer("Now.")])) as peer, one_try(peer) as streams:
        runner = Runner(streams, tools=[WEATHER])
        await runner.ask(user("1"))
        assert (await runner.ask(user("2"))).text == "Now."
        assert sent(peer)[1] == ["1", "Half of it", "2"]
        assert peer.refusals == []


async def test_after_an_answer_that_was_too_long_all_is_sent() -> None:
    script = Turns([answer("So much"), incomplete("max_output_tokens")], [answer("More.")])
    async with Peer(script) as peer, AgentStreams(base_url=peer.base_url) as streams:
        runner = Runner(streams)
        await runner.ask(user("1"))
        assert (await runner.ask(user("Go on."))).text == "More."
        assert sent(peer)[1] == ["1", "So much", "Go on."]
        assert peer.refusals == []


async def test_what_the_server_forgot_is_sent_again_in_the_same_turn() -> None:
    async with Peer() as peer, AgentStreams(base_url=peer.base_url) as streams:
        runner = Runner(streams)
        await runner.ask(user("first"))
        peer.forget()
        assert (await runner.ask(user("second"))).text == "second"
        assert runner.last is not None
        assert runner.last.report is not None
        assert runner.last.report.chain_miss is not None
        assert (runner.last.report.chain_miss.reason, runner.last.report.resends) == ("evicted", 1)
        assert (peer.model_runs, runner.last.report.model_runs) == (2, 1)


async def test_a_call_without_a_result_is_answered_for_the_runner() -> None:
    async with Peer(tools_then_text) as peer, AgentStreams(base_url=peer.base_url) as streams:
        runner = Runner(streams, tools=[WEATHER])
        await runner.ask(user("Weather?"))
        await runner.ask(user("Never mind."))
        assert [item["type"] for item in peer.creates[1]["input"]] == [
            "function_call_output",
            "message",
        ]
        assert peer.refusals == []


async def test_calls_without_a_result_can_be_an_error_that_costs_nothing() -> None:
    async with (
        Peer(tools_then_text) as peer,
        AgentStreams(base_url=peer.base_url, unanswered_calls="error") as streams,
    ):
        runner = Runner(streams, tools=[WEATHER])
        message = await runner.ask(user("Weather?"))
        await runner.ask(user("Never mind."))
        assert isinstance(runner.last, ErrorEvent)
        assert peer.model_runs == 1
        del runner.messages[2:]
        await runner.ask(result(message.tool_calls[0].id, "sunny"))
        assert sent(peer)[-1] == ["function_call_output"]  # the chain still held


async def test_stored_responses_are_asked_for_where_they_are_wanted() -> None:
    async with Peer() as peer, AgentStreams(base_url=peer.base_url) as streams:
        await Runner(streams).ask(user("1"))
        await Runner(streams, "b").ask(user("1"), store=True)
        assert [create["store"] for create in peer.creates] == [False, True]
