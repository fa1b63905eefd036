"""``chain.run``: turn after turn until the model calls no more tools."""

from __future__ import annotations

import asyncio
import threading
from typing import TYPE_CHECKING, Any

import pytest

from client.colours import ONE_TRY, message, output_of, user
from turnwire import AsyncClient, ConfigError, ToolLoopLimit, TurnError, TurnInterrupted
from turnwire.testing import (
    Create,
    Gate,
    Peer,
    Step,
    Turns,
    answer,
    call,
    close,
    error,
    incomplete,
    reasoning,
    silence,
)

if TYPE_CHECKING:
    from tests.client.conftest import Open

pytestmark = pytest.mark.io


def add(a: int, b: int) -> int:
    """Add two numbers."""
    return a + b


async def greet(name: str) -> dict[str, str]:
    """Greet somebody."""
    await asyncio.sleep(0)
    return {"greeting": f"Hello {name}"}


def broken(path: str) -> str:
    """Read a file."""
    raise FileNotFoundError(f"no file {path}")


def inputs(peer: Peer) -> list[Any]:
    return [create["input"] for create in peer.creates]


async def test_the_loop_answers_calls_until_there_are_none(
    open_client: Open, transport: str
) -> None:
    script = Turns(
        [reasoning("hm"), call("add", {"a": 1, "b": 2}, call_id="c1")],
        [call("greet", {"name": "Ada"}, call_id="c2")],
        [answer("done")],
    )
    async with Peer(script) as peer, open_client(peer, transport=transport) as client:
        chain = client.chain(model="m", tools=[add, greet])
        response = await chain.run("go")
        assert response.output_text == "done"
        tools = peer.creates[0]["tools"]
        assert [tool["name"] for tool in tools] == ["add", "greet"]
        assert [message(create) for create in peer.creates] == [
            {"tools": tools, "input": [user("go")]},
            {
                "tools": tools,
                "previous_response_id": "resp_1",
                "input": [output_of("c1", "3")],
            },
            {
                "tools": tools,
                "previous_response_id": "resp_2",
                "input": [output_of("c2", '{"greeting":"Hello Ada"}')],
            },
        ]
        assert (peer.model_runs, peer.refusals) == (3, [])
        assert len(chain.history) == 7


async def test_without_store_the_loop_stays_on_its_socket(open_client: Open) -> None:
    script = Turns(
        *([call("add", {"a": number, "b": 1})] for number in range(10)), then=[answer("done")]
    )
    async with Peer(script) as peer, open_client(peer) as client:
        chain = client.chain(model="m", store=False, tools=[add])
        assert (await chain.run("go")).output_text == "done"
        assert [len(items) for items in inputs(peer)] == [1] * 11
        assert (len(peer.connections), peer.refusals) == (1, [])
        assert client.statistics().chain_hits == 10


async def test_calls_of_one_response_run_side_by_side(open_client: Open) -> None:
    came: list[str] = []
    both = asyncio.Event()

    async def meet(name: str) -> str:
        """Wait for the other one."""
        came.append(name)
        if len(came) == 2:
            both.set()
        await both.wait()
        return f"{name} met"

    calls = [call("meet", {"name": name}, call_id=name) for name in ("a", "b")]
    async with Peer(Turns(calls, [answer("done")])) as peer, open_client(peer) as client:
        await client.chain(model="m", tools=[meet]).run("go")
        assert inputs(peer)[1] == [output_of("a", "a met"), output_of("b", "b met")]


async def test_functions_that_block_run_side_by_side_too(open_client: Open) -> None:
    barrier = threading.Barrier(2, timeout=20)

    def meet(name: str) -> str:
        """Wait for the other one."""
        barrier.wait()
        return name

    calls = [call("meet", {"name": name}, call_id=name) for name in ("a", "b")]
    async with Peer(Turns(calls, [answer("done")])) as peer, open_client(peer) as client:
        await client.chain(model="m", tools=[meet]).run("go")
        assert inputs(peer)[1] == [output_of("a", "a"), output_of("b", "b")]


async def test_what_goes_wrong_with_a_call_is_for_the_model_to_read(open_client: Open) -> None:
    calls = [
        call("broken", {"path": "x"}, call_id="raises"),
        call("nobody", {}, call_id="unknown"),
        call("add", "{not json", call_id="garbage"),
        call("add", {"a": "one", "b": 2}, call_id="misfit"),
        call("add", {"a": 1, "b": 2}, call_id="fine"),
    ]
    async with Peer(Turns(calls, [answer("sorry")])) as peer, open_client(peer) as client:
        response = await client.chain(model="m", tools=[add, broken]).run("go")
        assert response.output_text == "sorry"
        outputs = {item["call_id"]: item["output"] for item in inputs(peer)[1]}
        assert list(outputs) == ["raises", "unknown", "garbage", "misfit", "fine"]
        assert outputs["raises"] == "Error: FileNotFoundError: no file x"
        assert outputs["unknown"] == (
            "Error: there is no tool named nobody; known tools: add, broken"
        )
        assert "not JSON" in outputs["garbage"]
        assert "do not fit add" in outputs["misfit"]
        assert outputs["fine"] == "3"
        assert peer.refusals == []


async def test_calls_of_a_tool_given_as_a_dict_are_the_callers(open_client: Open) -> None:
    weather = {"type": "function", "name": "weather", "parameters": {"type": "object"}}
    script = Turns([call("weather", {}, call_id="c")], [answer("sunny")])
    async with Peer(script) as peer, open_client(peer) as client:
        chain = client.chain(model="m", tools=[add, weather])
        response = await chain.run("go")
        assert [item.name for item in response.output] == ["weather"]
        again = await chain.run([output_of("c", "sun")])
        assert again.output_text == "sunny"
        assert inputs(peer)[1] == [output_of("c", "sun")]


async def test_a_response_that_was_cut_short_is_returned(open_client: Open) -> None:
    steps = [call("add", {"a": 1, "b": 2}), incomplete("max_output_tokens")]
    async with Peer(lambda _: steps) as peer, open_client(peer) as client:
        response = await client.chain(model="m", tools=[add]).run("go")
        assert (response.status, peer.model_runs) == ("incomplete", 1)


async def test_the_loop_ends_at_its_limit_and_nothing_is_lost(open_client: Open) -> None:
    script = Turns(
        *([call("add", {"a": number, "b": 1}, call_id=f"c{number}")] for number in range(3)),
        [answer("done")],
    )
    async with Peer(script) as peer, open_client(peer) as client:
        chain = client.chain(model="m", tools=[add])
        with pytest.raises(ToolLoopLimit, match="after 3 turns") as caught:
            await chain.run("go", max_turns=3)
        (left,) = caught.value.response.output
        assert (left.call_id, peer.model_runs) == ("c2", 3)
        assert (await chain.run([output_of("c2", "3")])).output_text == "done"
        assert inputs(peer)[3] == [output_of("c2", "3")]


async def test_a_limit_below_one_is_refused(open_client: Open) -> None:
    async with Peer() as peer, open_client(peer) as client:
        with pytest.raises(ConfigError, match="max_turns"):
            await client.chain(model="m").run("go", max_turns=0)
        assert peer.connections == []


async def test_every_event_is_shown(open_client: Open) -> None:
    kinds: list[str] = []
    script = Turns([call("add", {"a": 1, "b": 2})], [answer("done")])
    async with Peer(script) as peer, open_client(peer) as client:
        chain = client.chain(model="m", tools=[add])
        await chain.run("go", on_event=lambda event: kinds.append(event.type))
        assert kinds == [event["type"] for event in peer.connections[0].sent]


async def test_an_exception_of_on_event_ends_the_loop(open_client: Open) -> None:
    def stop(_: object) -> None:
        raise LookupError("enough")

    script = Turns([answer("old"), silence()], [answer("new")])
    async with Peer(script) as peer, open_client(peer) as client:
        chain = client.chain(model="m", tools=[add])
        with pytest.raises(LookupError, match="enough"):
            await chain.run("go", on_event=stop)
        assert (await chain.run("go")).output_text == "new"


async def test_parameters_of_a_run_go_with_all_its_turns(open_client: Open) -> None:
    script = Turns([call("add", {"a": 1, "b": 2})], [answer("done")], [answer("x")])
    async with Peer(script) as peer, open_client(peer) as client:
        chain = client.chain(model="m", tools=[add])
        await chain.run("go", temperature=0.3)
        await chain.run("go")
        assert [create.get("temperature") for create in peer.creates] == [0.3, 0.3, None]


@pytest.mark.parametrize(
    ("steps", "kind"),
    [([error("server_error", 500)], TurnError), ([answer("half"), close(1001)], TurnInterrupted)],
)
async def test_a_turn_that_fails_ends_the_loop_and_it_can_go_on(
    open_client: Open, steps: list[Step], kind: type[TurnError]
) -> None:
    script = Turns([call("add", {"a": 1, "b": 2}, call_id="c")], steps, [answer("done")])
    async with Peer(script) as peer, open_client(peer, **ONE_TRY) as client:
        chain = client.chain(model="m", tools=[add])
        with pytest.raises(kind):
            await chain.run("go")
        assert [item["type"] for item in chain.history] == ["message", "function_call"]
        assert (await chain.run([output_of("c", "3")])).output_text == "done"
        assert len(inputs(peer)[2]) == 3


async def test_a_turns_limit_holds_for_each_turn(open_client: Open) -> None:
    def script(create: Create) -> list[Step]:
        return [call("add", {"a": 1, "b": 2})] if create.number < 5 else [answer("done")]

    async with Peer(script) as peer, open_client(peer) as client:
        response = await client.chain(model="m", tools=[add]).run("go", timeout=30)
        assert (response.output_text, peer.model_runs) == ("done", 5)


async def test_cancelling_the_loop_cancels_its_tools() -> None:
    gate = Gate()
    ended: list[str] = []

    async def slow() -> str:
        """Take for ever."""
        try:
            await gate.pass_through()
        except asyncio.CancelledError:
            ended.append("cancelled")
            raise
        return "never"

    script = Turns([call("slow", {}, call_id="c")], [answer("done")])
    async with Peer(script) as peer, AsyncClient(base_url=peer.base_url) as client:
        chain = client.chain(model="m", tools=[slow])
        running = asyncio.create_task(chain.run("go"))
        await gate.wait_reached()
        running.cancel()
        with pytest.raises(asyncio.CancelledError):
            await running
        assert (ended, chain.unanswered_calls) == (["cancelled"], ["c"])
        assert (await chain.run([output_of("c", "stopped")])).output_text == "done"
        assert chain.unanswered_calls == []
