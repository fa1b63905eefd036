"""Runs of the OpenAI Agents SDK that are steered while they go on."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest
from agents import Agent, Runner, function_tool
from agents.tracing import set_trace_processors

import turnwire
from interop.frameworks.agents_of_tests import adder, by_turnwire, config
from turnwire.testing import Create, Gate, Peer, Step, accept, answer, call, wait

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = [pytest.mark.interop, pytest.mark.io]


@pytest.fixture(autouse=True)
def _alone() -> Iterator[None]:
    """Let no traces out."""
    set_trace_processors([])
    yield
    set_trace_processors([])


def said(create: Create) -> list[Any]:
    """Return what the model is shown, in short."""
    return [
        item["content"] if isinstance(item.get("content"), str) else item.get("type")
        for item in (*create.history, *create.input)
    ]


@pytest.mark.parametrize("streams", [True, False])
async def test_a_run_that_was_steered_is_one_answer_and_goes_on_from_there(
    *, streams: bool
) -> None:
    gate = Gate()
    shown: list[list[Any]] = []

    def script(create: Create) -> list[Step]:
        shown.append(said(create))
        if create.number == 1:
            return [
                answer("By plane"),
                wait(gate, after="response.output_text.delta"),
                answer(", of course."),
            ]
        if create.number == 2:
            return [answer("By train."), call("add", {"a": 1, "b": 2}, call_id="c1")]
        return [answer("It costs 3.")]

    async with (
        Peer(script, steer=[accept()]) as peer,
        by_turnwire(peer) as provider,
    ):
        with provider.steering() as steering:
            if streams:
                result: Any = Runner.run_streamed(
                    adder(), "Plan a trip.", run_config=config(provider)
                )
                reading = asyncio.create_task(_read(result))
            else:
                reading = asyncio.create_task(
                    Runner.run(adder(), "Plan a trip.", run_config=config(provider))
                )
            await gate.wait_reached()
            steer = steering.steer("By train, please.")
            await _accepted(peer)
            gate.open()
            done = await reading
            result = result if streams else done
            assert await steer.wait() == "committed"
        again = await Runner.run(
            adder(),
            [*result.to_input_list(), {"role": "user", "content": "And back?"}],
            run_config=config(provider),
        )
        statistics = provider.client.statistics()
    assert (result.final_output, again.final_output) == ("It costs 3.", "It costs 3.")
    assert shown[1] == ["Plan a trip.", "message", "By train, please."]
    whole = [*shown[1], "message", "function_call", "function_call_output"]
    assert shown[2] == whole
    assert shown[3] == [*whole, "message", "And back?"]
    assert (statistics.chain_hits, statistics.chain_misses, peer.refusals) == (2, {}, [])
    usage = result.raw_responses[0].usage
    assert usage.total_tokens == sum(
        each["response"]["usage"]["total_tokens"] for each in _ends(peer)[:2]
    )


async def _read(result: Any) -> None:
    async for _ in result.stream_events():
        pass


async def _accepted(peer: Peer) -> None:
    await peer.wait_until(
        lambda: any(
            event["type"] == "response.steer.accepted" for event in peer.connections[0].sent
        )
    )


def _ends(peer: Peer) -> list[dict[str, Any]]:
    kinds = ("response.completed", "response.incomplete")
    return [event for event in peer.connections[0].sent if event["type"] in kinds]


async def test_what_is_said_while_a_tool_runs_is_said_to_the_next_turn() -> None:
    gate, runs, goes_on = Gate(), asyncio.Event(), asyncio.Event()
    shown: list[list[Any]] = []

    @function_tool
    async def look() -> str:
        """Look outside."""
        runs.set()
        await goes_on.wait()
        return "sun"

    def script(create: Create) -> list[Step]:
        shown.append(said(create))
        if create.number == 1:
            return [call("look", {}, call_id="c1")]
        if not create.steered:
            return [answer("It"), wait(gate, after="response.output_text.delta"), answer(" is.")]
        return [answer("Sunny.")]

    agent = Agent(name="clerk", tools=[look], model="any")
    async with (
        Peer(script, steer=[accept()]) as peer,
        by_turnwire(peer) as provider,
    ):
        with provider.steering() as steering:
            running = asyncio.create_task(
                Runner.run(agent, "Weather?", run_config=config(provider))
            )
            await runs.wait()
            steer = steering.steer("One word.")
            assert steer.state == "waiting"
            goes_on.set()
            await _accepted(peer)
            gate.open()
            result = await running
        assert await steer.wait() == "committed"
        with pytest.raises(turnwire.ConfigError, match="nothing runs"):
            steering.steer("Too late.")
    assert result.final_output == "Sunny."
    assert shown[-1][-1] == "One word."
    assert peer.refusals == []
