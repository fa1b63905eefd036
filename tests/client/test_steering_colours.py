"""Turns that are steered, by clients of both colours."""

from __future__ import annotations

import asyncio
import threading
from typing import TYPE_CHECKING, Any

import pytest

import turnwire
from client.colours import output_of, until
from turnwire.testing import (
    Create,
    Gate,
    Peer,
    Step,
    Turns,
    accept,
    answer,
    call,
    drop,
    error,
    wait,
)

if TYPE_CHECKING:
    from client.conftest import Open

pytestmark = pytest.mark.io

WEATHER = {"type": "function", "name": "weather", "parameters": {"type": "object"}}
SAID = [{"type": "message", "role": "user", "content": "left"}]


def held(gate: Gate, *rest: Step) -> list[Step]:
    return [answer("one"), wait(gate, after="response.output_text.delta"), *rest]


async def read(turn: Any, gate: Gate) -> list[str]:
    """Read a turn to its end, and let its response go on once a steer of it is accepted."""
    kinds: list[str] = []
    async for event in turn:
        kinds.append(event.type)
        if event.type == "response.steer.accepted":
            gate.open()
    return kinds


async def test_a_successor_is_read_where_the_first_response_was(open_client: Open) -> None:
    gate = Gate()
    script = Turns(held(gate, answer("two")), [answer("three")], [answer("four")])
    async with Peer(script, steer=[accept()]) as peer, open_client(peer) as client:
        chain = client.chain(model="any", store=False)
        async with chain.turn("go") as turn:
            await gate.wait_reached()
            steer = turn.steer("left")
            kinds = await read(turn, gate)
            assert await steer.wait() == "committed"
        assert kinds.count("response.created") == 2
        assert kinds.count("response.incomplete") == 1
        assert [response.output_text for response in turn.responses] == ["one", "three"]
        assert turn.response.output_text == "three"
        assert (steer.state, steer.response_id, steer.successor_id) == (
            "committed",
            "resp_1",
            "resp_2",
        )
        assert (steer.input, steer.required_input) == (SAID, [])
        assert repr(steer).endswith(f"Steer {steer.id} committed>")
        await chain.turn("more").get_final_response()
        assert (turn.model_runs, turn.resends, chain.statistics.chain_misses) == (2, 0, {})
    assert (peer.model_runs, peer.refusals) == (3, [])


async def test_what_is_pending_goes_with_the_outputs(open_client: Open) -> None:
    gate = Gate()
    script = Turns(held(gate, call("weather", {}, call_id="c1")), [answer("sunny")])
    async with (
        Peer(script, steer=[accept(interrupts=False)]) as peer,
        open_client(peer) as client,
    ):
        chain = client.chain(model="any", tools=[WEATHER], store=False)
        async with chain.turn("go") as turn:
            await gate.wait_reached()
            steer = turn.steer("left")
            await read(turn, gate)
            assert await steer.wait() == "pending"
        assert [stub["call_id"] for stub in steer.required_input] == ["c1"]
        final = await chain.turn([output_of("c1", "sun")]).get_final_response()
        assert (steer.state, steer.successor_id) == ("committed", final.id)
        assert SAID[0] in chain.history
    assert (peer.model_runs, peer.refusals) == (2, [])


async def test_a_run_is_steered_while_its_tools_run(open_client: Open) -> None:
    gate, runs, told = Gate(), asyncio.Event(), threading.Event()
    loop = asyncio.get_running_loop()

    def weather() -> str:
        """Look outside."""
        loop.call_soon_threadsafe(runs.set)
        told.wait()
        return "sun"

    def script(create: Create) -> list[Step]:
        if create.number == 1:
            return [call("weather", {}, call_id="c1")]
        return [answer("heard")] if create.steered else held(gate, answer("two"))

    def listen(event: turnwire.Event) -> None:
        if event.type == "response.steer.accepted":
            loop.call_soon_threadsafe(gate.open)

    async with Peer(script, steer=[accept()]) as peer, open_client(peer) as client:
        chain = client.chain(model="any", tools=[weather], store=False)
        with pytest.raises(turnwire.ConfigError, match="nothing runs"):
            chain.steer("too early")
        running = asyncio.create_task(chain.run("go", on_event=listen))
        await runs.wait()
        steer = chain.steer("left")
        assert steer.state == "waiting"
        told.set()
        final = await running
        assert (await steer.wait(), steer.successor_id) == ("committed", final.id)
    assert (final.output_text, peer.refusals) == ("heard", [])


async def test_a_run_can_be_steered_by_whoever_listens_to_it(open_client: Open) -> None:
    loop, gate = asyncio.get_running_loop(), Gate()
    steers: list[Any] = []

    def script(create: Create) -> list[Step]:
        return [answer("heard")] if create.steered else held(gate, answer("two"))

    async with Peer(script, steer=[accept()]) as peer, open_client(peer) as client:
        chain = client.chain(model="any", store=False)

        def listen(event: turnwire.Event) -> None:
            if event.type.endswith("text.delta") and not steers:
                steers.append(chain.steer("left"))
            elif event.type == "response.steer.accepted":
                loop.call_soon_threadsafe(gate.open)

        final = await chain.run("go", on_event=listen)
        assert (final.output_text, steers[0].state) == ("heard", "committed")
    assert peer.refusals == []


async def test_a_run_that_ends_gives_back_what_it_could_not_say(open_client: Open) -> None:
    runs, told = asyncio.Event(), threading.Event()
    loop = asyncio.get_running_loop()

    def weather() -> str:
        """Look outside."""
        loop.call_soon_threadsafe(runs.set)
        told.wait()
        return "sun"

    script = Turns([call("weather", {}, call_id="c1")], [error("bad_request", 400)])
    async with Peer(script, steer=[accept()]) as peer, open_client(peer) as client:
        chain = client.chain(model="any", tools=[weather], store=False)
        running = asyncio.create_task(chain.run("go"))
        await runs.wait()
        steer = chain.steer("left")
        waiting = asyncio.create_task(steer.wait())
        told.set()
        with pytest.raises(turnwire.TurnError):
            await running
        with pytest.raises(turnwire.SteerFailed) as caught:
            await waiting
        assert (caught.value.code, caught.value.input) == ("response_not_active", SAID)


async def test_a_client_that_is_closed_lets_everybody_go(open_client: Open) -> None:
    gate = Gate()
    async with (
        Peer(Turns(held(gate, answer("two"))), steer=[accept(interrupts=False)]) as peer,
        open_client(peer) as client,
    ):
        turn = client.responses.stream(model="any", input="go")
        await turn.submit()
        await gate.wait_reached()
        steer = turn.steer("left")
        await until(lambda: steer.state == "accepted")
        waiting = asyncio.create_task(steer.wait())
        await asyncio.sleep(0)
        await client.aclose()
        with pytest.raises(turnwire.TurnwireError):
            await waiting
        assert steer.state == "unknown"
        gate.open()


async def test_what_cannot_be_said_is_told_where_it_is_said(open_client: Open) -> None:
    gate = Gate()
    async with (
        Peer(Turns(held(gate, answer("two"))), steer=[accept()]) as peer,
        open_client(peer, queue_bytes=1000) as client,
    ):
        turn = client.responses.stream(model="any", input="go")
        with pytest.raises(turnwire.TurnwireError, match="not started"):
            turn.steer("left")
        await turn.submit()
        await gate.wait_reached()
        with pytest.raises(turnwire.ConfigError, match="role `user`"):
            turn.steer([{"role": "system", "content": "x"}])
        gate.open()
        await turn.get_final_response()
        steer = turn.steer("late")
        with pytest.raises(turnwire.SteerFailed) as caught:
            await steer.wait()
        assert (caught.value.code, caught.value.response_id) == ("response_not_active", None)


async def test_a_full_queue_is_said_in_both_colours(open_client: Open) -> None:
    gate = Gate()
    async with (
        Peer(Turns([wait(gate), answer("one")], [answer("two")]), steer=[accept()]) as peer,
        open_client(peer, queue_bytes=600) as client,
        client.responses.stream(model="any", input="go") as turn,
    ):
        await gate.wait_reached()
        turn.steer("x" * 400)
        with pytest.raises(turnwire.QueueFull):
            turn.steer("x" * 400)
        gate.open()
        await turn.get_final_response()


async def test_a_steered_turn_that_is_cut_off_goes_on_from_what_was_heard(
    open_client: Open,
) -> None:
    gate = Gate()
    script = Turns(held(gate, answer("x")), [answer("two"), drop()], [answer("three")])
    async with Peer(script, steer=[accept()]) as peer, open_client(peer) as client:
        turn = client.responses.stream(model="any", input="go", store=False)
        await turn.submit()
        await gate.wait_reached()
        turn.steer("left")
        with pytest.raises(turnwire.TurnInterrupted):
            await read(turn, gate)
        final = await turn.continue_from_partial("go on").get_final_response()
        assert final.output_text == "three"
        said = [
            item["content"] if isinstance(item["content"], str) else item["content"][0]["text"]
            for item in peer.creates[-1]["input"]
        ]
        assert said == ["go", "one", "left", "two", "go on"]


async def test_a_run_that_is_cancelled_between_turns_gives_back_what_it_held() -> None:
    runs = asyncio.Event()

    async def weather() -> str:
        """Look outside."""
        runs.set()
        return await asyncio.Future()

    async with (
        Peer(Turns([call("weather", {}, call_id="c1")])) as peer,
        turnwire.AsyncClient(base_url=peer.base_url) as client,
    ):
        chain = client.chain(model="any", tools=[weather], store=False)
        running = asyncio.create_task(chain.run("go"))
        await runs.wait()
        steer = chain.steer("left")
        waiting = asyncio.create_task(steer.wait())
        running.cancel()
        with pytest.raises(turnwire.SteerFailed, match="the run ended") as caught:
            await waiting
        assert (steer.state, caught.value.code) == ("failed", "response_not_active")


async def test_what_the_queue_does_not_take_ends_no_run() -> None:
    runs, told = asyncio.Event(), asyncio.Event()

    async def weather() -> str:
        """Look outside."""
        runs.set()
        await told.wait()
        return "sun"

    async with (
        Peer(Turns([call("weather", {}, call_id="c1")], [answer("one")])) as peer,
        turnwire.AsyncClient(base_url=peer.base_url, queue_bytes=900, max_sockets=1) as client,
    ):
        chain = client.chain(model="any", tools=[weather], store=False)
        running = asyncio.create_task(chain.run("go"))
        await runs.wait()
        steers = [chain.steer("x" * 400), chain.steer("y" * 600)]
        told.set()
        with pytest.raises(turnwire.SteerFailed, match="wait to be sent"):
            await steers[1].wait()
        assert (await running).output_text == "one"
    assert [steer.state for steer in steers] == ["failed", "failed"]


async def test_a_steer_is_waited_for_in_the_loop_of_its_turn() -> None:
    gate = Gate()
    async with (
        Peer(Turns(held(gate, answer("two"))), steer=[accept(interrupts=False)]) as peer,
        turnwire.AsyncClient(base_url=peer.base_url) as client,
        client.responses.stream(model="any", input="go") as turn,
    ):
        await gate.wait_reached()
        steer = turn.steer("left")
        with pytest.raises(turnwire.ConfigError, match="another event loop"):
            await asyncio.to_thread(lambda: asyncio.run(steer.wait()))
        gate.open()
