"""Saying something to a turn while it runs, over real sockets."""

from __future__ import annotations

import asyncio

import pytest

import turnwire
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
    reject,
    swallow,
    wait,
)

pytestmark = pytest.mark.io

WEATHER = {"type": "function", "name": "weather", "parameters": {"type": "object"}}


def held(gate: Gate, *rest: Step) -> list[Step]:
    """Say one thing, wait in the middle of the response, then go on."""
    return [answer("one"), wait(gate, after="response.output_text.delta"), *rest]


async def open_once_accepted(turn: turnwire.AsyncTurn, gate: Gate) -> list[str]:
    """Read a turn to its end and let its response go on once a steer of it is accepted."""
    kinds: list[str] = []
    async for event in turn:
        kinds.append(event.type)
        if event.type == "response.steer.accepted":
            gate.open()
    return kinds


def texts(history: list[dict[str, object]]) -> list[object]:
    """Return what was said, in short."""
    return [
        item["content"] if isinstance(item["content"], str) else item["content"][0]["text"]  # type: ignore[index]
        for item in history
        if item.get("type", "message") == "message"
    ]


async def test_a_turn_goes_on_with_the_response_that_has_heard() -> None:
    gate, heard = Gate(), list[str]()

    def script(create: Create) -> list[Step]:
        heard.append(create.text)
        return held(gate, answer("two")) if create.number == 1 else [answer("three")]

    async with (
        Peer(script, steer=[accept()]) as peer,
        turnwire.AsyncClient(base_url=peer.base_url) as client,
    ):
        chain = client.chain(model="any", store=False)
        async with chain.turn("go") as turn:
            await gate.wait_reached()
            steer = turn.steer("left")
            assert steer.state == "submitted"
            kinds = await open_once_accepted(turn, gate)
            assert await steer.wait() == "committed"
        final = await chain.turn("and now").get_final_response()
    assert heard == ["go", "left", "and now"]
    assert [response.id for response in turn.responses] == ["resp_1", "resp_2"]
    assert [response.output_text for response in turn.responses] == ["one", "three"]
    assert (steer.id, steer.response_id, steer.successor_id) == (
        "steer_" + "1".zfill(32),
        "resp_1",
        "resp_2",
    )
    assert [kind for kind in kinds if not kind.startswith("response.output")] == [
        "response.created",
        "response.in_progress",
        "response.content_part.added",
        "response.steer.accepted",
        "response.content_part.done",
        "response.incomplete",
        "response.created",
        "response.in_progress",
        "response.content_part.added",
        "response.content_part.done",
        "response.completed",
    ]
    assert final.output_text == "three"
    assert texts(chain.history) == ["go", "one", "left", "three", "and now", "three"]
    assert (turn.model_runs, peer.model_runs, peer.refusals) == (2, 3, [])
    assert chain.statistics.chain_misses == {}


async def test_what_is_said_before_the_response_begins_waits_for_it() -> None:
    gate = Gate()
    first = [wait(gate, after="response.created"), answer("one"), answer("two")]
    async with (
        Peer(Turns(first, [answer("three")]), steer=[accept()]) as peer,
        turnwire.AsyncClient(base_url=peer.base_url) as client,
        client.responses.stream(model="any", input="go") as turn,
    ):
        steer = turn.steer("left")
        assert steer.state == "waiting"
        await open_once_accepted(turn, gate)
        final = await turn.get_final_response()
    assert (steer.state, final.output_text) == ("committed", "three")


async def test_a_response_may_come_to_its_own_end_first() -> None:
    gate = Gate()
    script = Turns(held(gate, answer("two")), [answer("three")])
    async with (
        Peer(script, steer=[accept(interrupts=False)]) as peer,
        turnwire.AsyncClient(base_url=peer.base_url) as client,
    ):
        chain = client.chain(model="any")
        async with chain.turn("go") as turn:
            await gate.wait_reached()
            steer = turn.steer("left")
            kinds = await open_once_accepted(turn, gate)
    assert kinds.count("response.completed") == 2
    assert texts(chain.history) == ["go", "one", "two", "left", "three"]
    assert (await steer.wait(), turn.response_id) == ("committed", "resp_2")
    assert [response.status for response in turn.responses] == ["completed"] * 2


async def test_several_steers_are_heard_in_order() -> None:
    gate, heard = Gate(), list[object]()

    def script(create: Create) -> list[Step]:
        heard.append(create.steered)
        return held(gate, answer("two")) if create.number == 1 else [answer("three")]

    async with (
        Peer(script, steer=[accept()]) as peer,
        turnwire.AsyncClient(base_url=peer.base_url) as client,
    ):
        chain = client.chain(model="any", store=False)
        async with chain.turn("go") as turn:
            await gate.wait_reached()
            steers = [turn.steer(text) for text in ("left", "no, right")]
            accepted = 0
            async for event in turn:
                accepted += event.type == "response.steer.accepted"
                if accepted == 2:
                    gate.open()
    assert [await steer.wait() for steer in steers] == ["committed", "committed"]
    assert {steer.successor_id for steer in steers} == {"resp_2"}
    assert texts(chain.history) == ["go", "one", "left", "no, right", "three"]
    assert (peer.model_runs, peer.refusals) == (2, [])


async def test_a_successor_can_be_steered_too() -> None:
    gates = [Gate(), Gate()]
    script = Turns(
        held(gates[0], answer("x")), held(gates[1], answer("y")), [answer("end")], [answer("more")]
    )
    async with (
        Peer(script, steer=[accept()]) as peer,
        turnwire.AsyncClient(base_url=peer.base_url) as client,
    ):
        chain = client.chain(model="any", store=False)
        async with chain.turn("go") as turn:
            await gates[0].wait_reached()
            turn.steer("left")
            async for event in turn:
                if event.type == "response.steer.accepted":
                    gates[len(turn.responses)].open()
                elif event.type == "response.in_progress" and len(turn.responses) == 1:
                    turn.steer("right")
        assert len(turn.responses) == 3
        assert await chain.turn("more").get_final_response()
    assert texts(chain.history)[:6] == ["go", "one", "left", "one", "right", "end"]
    assert (turn.model_runs, peer.refusals) == (3, [])


async def test_a_refused_steer_does_not_end_the_turn() -> None:
    gate = Gate()
    async with (
        Peer(Turns(held(gate, answer("two"))), steer=[reject("too_many_pending_steers")]) as peer,
        turnwire.AsyncClient(base_url=peer.base_url) as client,
        client.responses.stream(model="any", input="go") as turn,
    ):
        await gate.wait_reached()
        steer = turn.steer("left")
        with pytest.raises(turnwire.SteerFailed) as caught:
            await steer.wait()
        gate.open()
        final = await turn.get_final_response()
    assert final.output_text == "onetwo"
    assert (caught.value.code, caught.value.response_id) == ("too_many_pending_steers", "resp_1")
    assert caught.value.input == [{"type": "message", "role": "user", "content": "left"}]
    assert "left" not in repr(steer) + repr(caught.value)
    assert peer.model_runs == 1


async def test_a_server_that_cannot_says_so() -> None:
    gate = Gate()
    async with (
        Peer(Turns(held(gate, answer("two")))) as peer,
        turnwire.AsyncClient(base_url=peer.base_url) as client,
        client.responses.stream(model="any", input="go") as turn,
    ):
        await gate.wait_reached()
        steer = turn.steer("left")
        with pytest.raises(turnwire.SteerFailed) as caught:
            await steer.wait()
        gate.open()
        assert (await turn.get_final_response()).output_text == "onetwo"
    assert caught.value.code == "steering_not_supported"


async def test_over_http_nothing_can_be_said() -> None:
    gate = Gate()
    async with (
        Peer(Turns(held(gate, answer("two"))), steer=[accept()]) as peer,
        turnwire.AsyncClient(base_url=peer.base_url, transport="http") as client,
        client.responses.stream(model="any", input="go") as turn,
    ):
        await gate.wait_reached()
        steer = turn.steer("left")
        with pytest.raises(turnwire.SteerFailed, match="HTTP") as caught:
            await steer.wait()
        gate.open()
        assert (await turn.get_final_response()).output_text == "onetwo"
    assert caught.value.code == "steering_not_supported"


async def test_a_turn_that_has_ended_gives_it_back() -> None:
    async with (
        Peer(Turns([answer("one")]), steer=[accept()]) as peer,
        turnwire.AsyncClient(base_url=peer.base_url) as client,
    ):
        turn = client.responses.stream(model="any", input="go")
        with pytest.raises(turnwire.TurnwireError, match="not started"):
            turn.steer("left")
        await turn.get_final_response()
        with pytest.raises(turnwire.SteerFailed) as caught:
            await turn.steer("left").wait()
    assert caught.value.code == "response_not_active"


async def test_what_waits_for_tool_outputs_goes_with_them() -> None:
    gate = Gate()

    def script(create: Create) -> list[Step]:
        if create.number == 1:
            return held(gate, call("weather", {}, call_id="c1"))
        return [answer("sunny")]

    output = {"type": "function_call_output", "call_id": "c1", "output": "sun"}
    async with (
        Peer(script, steer=[accept(interrupts=False)]) as peer,
        turnwire.AsyncClient(base_url=peer.base_url) as client,
    ):
        chain = client.chain(model="any", tools=[WEATHER], store=False)
        async with chain.turn("go") as turn:
            await gate.wait_reached()
            steer = turn.steer("briefly")
            await open_once_accepted(turn, gate)
            assert await steer.wait() == "pending"
        assert steer.required_input == [
            {"type": "function_call_output", "call_id": "c1", "name": "weather"}
        ]
        final = await chain.turn([output]).get_final_response()
        assert (await steer.wait(), steer.successor_id) == ("committed", final.id)
        await chain.turn("more").get_final_response()
    assert [item.get("type") for item in chain.history[:5]] == [
        "message",
        "message",
        "function_call",
        "message",
        "function_call_output",
    ]
    assert (peer.model_runs, peer.refusals) == (3, [])
    assert chain.statistics.chain_misses == {}


async def test_a_full_history_may_hold_what_was_said() -> None:
    gate = Gate()
    script = Turns(
        held(gate, call("weather", {}, call_id="c1")), [answer("sunny")], [answer("end")]
    )
    async with (
        Peer(script, steer=[accept(interrupts=False)]) as peer,
        turnwire.AsyncClient(base_url=peer.base_url) as client,
    ):
        chain = client.chain(model="any", tools=[WEATHER], store=False)
        async with chain.turn("go") as turn:
            await gate.wait_reached()
            steer = turn.steer("briefly")
            await open_once_accepted(turn, gate)
        output = {"type": "function_call_output", "call_id": "c1", "output": "sun"}
        history = [*chain.history, *steer.input, output]
        await chain.turn(history=history).get_final_response()
        assert steer.state == "committed"
        history = [*chain.history, {"role": "user", "content": "more"}]
        await chain.turn(history=history).get_final_response()
    assert peer.refusals == []
    assert chain.statistics.chain_misses == {}


async def test_what_is_not_continued_is_given_back() -> None:
    gate = Gate()
    script = Turns(held(gate, call("weather", {}, call_id="c1")), [answer("sunny")])
    async with (
        Peer(script, steer=[accept(interrupts=False)]) as peer,
        turnwire.AsyncClient(base_url=peer.base_url) as client,
    ):
        chain = client.chain(model="any", tools=[WEATHER], store=False)
        async with chain.turn("go") as turn:
            await gate.wait_reached()
            steer = turn.steer("briefly")
            await open_once_accepted(turn, gate)
        output = {"type": "function_call_output", "call_id": "c1", "output": "sun"}
        await chain.turn([output], model="other").get_final_response()
        with pytest.raises(turnwire.SteerFailed) as caught:
            await steer.wait()
    assert caught.value.code == "response_not_continued"
    assert "briefly" not in texts(chain.history)


async def test_a_lost_connection_leaves_it_unknown_and_nothing_is_sent_again() -> None:
    gate = Gate()
    script = Turns(held(gate, drop()), [answer("never")])
    async with (
        Peer(script, steer=[accept(interrupts=False)]) as peer,
        turnwire.AsyncClient(base_url=peer.base_url, replay="always") as client,
        client.responses.stream(model="any", input="go") as turn,
    ):
        await gate.wait_reached()
        steer = turn.steer("left")
        with pytest.raises(turnwire.TurnInterrupted):
            await open_once_accepted(turn, gate)
        with pytest.raises(turnwire.SteerUnknown) as caught:
            await steer.wait()
    assert caught.value.input == [{"type": "message", "role": "user", "content": "left"}]
    assert (peer.model_runs, turn.resends) == (1, 0)


async def test_a_turn_that_was_steered_and_cut_off_can_be_continued() -> None:
    gate = Gate()
    script = Turns(held(gate, answer("x")), [answer("two"), drop()], [answer("three")])
    async with (
        Peer(script, steer=[accept()]) as peer,
        turnwire.AsyncClient(base_url=peer.base_url) as client,
    ):
        chain = client.chain(model="any", store=False)
        turn = chain.turn("go")
        async with turn:
            await gate.wait_reached()
            turn.steer("left")
            with pytest.raises(turnwire.TurnInterrupted):
                await open_once_accepted(turn, gate)
        await turn.continue_from_partial("go on").get_final_response()
    assert texts(chain.history) == ["go", "one", "left", "two", "go on", "three"]


async def test_silence_about_a_steer_ends_with_the_response() -> None:
    gate = Gate()
    script = Turns(held(gate, answer("two")), [answer("three")])
    async with (
        Peer(script, steer=[swallow()]) as peer,
        turnwire.AsyncClient(base_url=peer.base_url, first_event_timeout=0.2) as client,
    ):
        chain = client.chain(model="any", store=False)
        async with chain.turn("go") as turn:
            await gate.wait_reached()
            steer = turn.steer("left")
            gate.open()
            final = await turn.get_final_response()
            with pytest.raises(turnwire.SteerUnknown):
                await steer.wait()
        assert final.output_text == "onetwo"
        await chain.turn("more").get_final_response()
    assert len(peer.connections) == 2  # the first lane may still bring a successor


async def test_a_cancelled_turn_keeps_its_lane_until_the_successor_has_ended() -> None:
    gates = [Gate(), Gate(), Gate()]
    steered = held(gates[0], answer("x"))
    successor = [wait(gates[1], after="response.created"), answer("for nobody")]
    other = [wait(gates[2], after="response.created"), answer("beside")]

    def script(create: Create) -> list[Step]:
        if create.steered:
            return successor
        return {"go": steered, "beside": other}.get(create.text, [answer(create.text)])

    async with (
        Peer(script, steer=[accept()]) as peer,
        turnwire.AsyncClient(base_url=peer.base_url, lanes=True, max_sockets=1) as client,
        client.responses.stream(model="any", input="beside") as beside,
    ):
        await gates[2].wait_reached()
        async with client.responses.stream(model="any", input="go") as turn:
            await gates[0].wait_reached()
            steer = turn.steer("left")
            async for event in turn:
                if event.type == "response.steer.accepted":
                    break
        gates[0].open()
        await gates[1].wait_reached()
        assert await steer.wait() == "committed"
        after = await client.responses.create(model="any", input="after")
        gates[1].open()
        gates[2].open()
        assert (await beside.get_final_response()).output_text == "beside"
    assert after.output_text == "after"
    assert client.statistics().unrouted_events == 0


async def test_a_run_is_steered_and_between_turns_the_next_one() -> None:
    gates = [Gate(), Gate()]
    tool_runs, told = asyncio.Event(), asyncio.Event()

    async def weather() -> str:
        """Look outside."""
        tool_runs.set()
        await told.wait()
        return "sun"

    def script(create: Create) -> list[Step]:
        if create.number == 1:
            return [call("weather", {}, call_id="c1")]
        if create.steered:
            return [answer("heard")]
        return [answer("one"), wait(gates[0], after="response.output_text.delta"), answer("two")]

    def listen(event: turnwire.Event) -> None:
        if event.type == "response.steer.accepted":
            gates[0].open()

    async with (
        Peer(script, steer=[accept()]) as peer,
        turnwire.AsyncClient(base_url=peer.base_url) as client,
    ):
        chain = client.chain(model="any", tools=[weather], store=False)
        with pytest.raises(turnwire.ConfigError, match="nothing runs"):
            chain.steer("too early")
        running = asyncio.create_task(chain.run("go", on_event=listen))
        await tool_runs.wait()
        steer = chain.steer("briefly")
        assert steer.state == "waiting"
        told.set()
        final = await running
        assert (await steer.wait(), steer.successor_id) == ("committed", final.id)
        with pytest.raises(turnwire.ConfigError, match="nothing runs"):
            chain.steer("too late")
    assert final.output_text == "heard"
    assert peer.refusals == []


@pytest.mark.parametrize(
    ("given", "match"),
    [
        ("", "empty"),
        ([], "empty"),
        ([{"role": "system", "content": "x"}], "role `user`"),
        ([{"type": "function_call_output", "call_id": "c", "output": "x"}], "role `user`"),
        ([{"role": "user", "content": "x", "id": "msg_1"}], "role `user`"),
        ([{"role": "user", "content": [{"type": "output_text", "text": "x"}]}], "`input_text`"),
        ([{"role": "user", "content": [{"type": "input_text"}]}], "without `text`"),
    ],
)
async def test_only_messages_of_the_user_can_be_said(given: object, match: str) -> None:
    gate = Gate()
    async with (
        Peer(Turns(held(gate, answer("two"))), steer=[accept()]) as peer,
        turnwire.AsyncClient(base_url=peer.base_url) as client,
        client.responses.stream(model="any", input="go") as turn,
    ):
        await gate.wait_reached()
        with pytest.raises(turnwire.ConfigError, match=match):
            turn.steer(given)  # type: ignore[arg-type]  # that is the point
        gate.open()


async def test_a_response_that_fails_gives_it_back_and_fails() -> None:
    gate = Gate()
    script = Turns(held(gate, error("server_error", 500, message="Broken.")))
    async with (
        Peer(script, steer=[accept(interrupts=False)]) as peer,
        turnwire.AsyncClient(base_url=peer.base_url) as client,
    ):
        async with client.responses.stream(model="any", input="go") as turn:
            await gate.wait_reached()
            steer = turn.steer("left")
            with pytest.raises(turnwire.TurnError, match="Broken"):
                await open_once_accepted(turn, gate)
        with pytest.raises(turnwire.SteerFailed) as caught:
            await steer.wait()
    assert caught.value.code == "successor_creation_failed"
    assert peer.model_runs == 1
