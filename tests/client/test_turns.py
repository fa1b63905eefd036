"""Turns that go well: in both colours, over both transports."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest

from client.colours import message, user
from turnwire import AsyncClient, ConfigError, OtherEvent, PoolStatistics, TurnwireError
from turnwire.events import ResponseCompletedEvent, ResponseTextDeltaEvent
from turnwire.testing import (
    Gate,
    Peer,
    Step,
    Turns,
    answer,
    call,
    completed,
    deltas,
    emit,
    incomplete,
    silence,
)

if TYPE_CHECKING:
    from tests.client.conftest import Open

pytestmark = pytest.mark.io


async def test_create_returns_the_response(open_client: Open, transport: str) -> None:
    async with (
        Peer(lambda create: [answer("Hello")]) as peer,
        open_client(peer, transport=transport) as client,
    ):
        response = await client.responses.create(model="m", input="Say it", temperature=0.5)
        assert (response.id, response.status, response.output_text) == (
            "resp_1",
            "completed",
            "Hello",
        )
        expected = {"model": "m", "temperature": 0.5, "input": [user("Say it")]}
        head = {"type": "response.create"} if transport == "websocket" else {"stream": True}
        assert [head | expected] == peer.creates
        assert peer.model_runs == 1


async def test_parameters_that_are_none_do_not_travel(open_client: Open, transport: str) -> None:
    async with Peer() as peer, open_client(peer, transport=transport) as client:
        await client.responses.create(
            model="m", input="x", store=None, tools=None, user=None, generate=None
        )
        assert [{"input": [user("x")]}] == [message(create) for create in peer.creates]


async def test_a_prompt_needs_no_input(open_client: Open) -> None:
    async with Peer() as peer, open_client(peer) as client:
        await client.responses.create(model="m", prompt={"id": "p"})
        assert [message(create) for create in peer.creates] == [{"prompt": {"id": "p"}}]


async def test_fields_that_turnwire_does_not_know_travel_in_extra_body(open_client: Open) -> None:
    async with Peer() as peer, open_client(peer) as client:
        await client.responses.create(model="m", input="x", extra_body={'a"b': [1], "c": None})
        assert [{'a"b': [1], "input": [user("x")]}] == [message(create) for create in peer.creates]


async def test_a_turn_hands_out_every_event_as_it_was_sent(
    open_client: Open, transport: str
) -> None:
    async with (
        Peer(lambda create: [answer("Hello big world")]) as peer,
        open_client(peer, transport=transport) as client,
    ):
        async with client.responses.stream(model="m", input="x") as turn:
            events = [event async for event in turn]
            response = await turn.get_final_response()
        sent = peer.connections[0].sent if transport == "websocket" else peer.posts[0].sent
        assert sent == [event.to_dict() for event in events]
        texts = [event.delta for event in events if isinstance(event, ResponseTextDeltaEvent)]
        assert texts == ["Hello", " big", " world"]
        assert isinstance(events[-1], ResponseCompletedEvent)
        assert response == turn.response == events[-1].response


async def test_text_deltas_are_only_the_text(open_client: Open, transport: str) -> None:
    steps = [call("f", {"a": 1}), answer("a b c")]
    async with Peer(lambda _: steps) as peer, open_client(peer, transport=transport) as client:
        async with client.responses.stream(model="m", input="x") as turn:
            assert [text async for text in turn.text_deltas()] == ["a", " b", " c"]
        assert turn.response.output_text == "a b c"


async def test_create_with_stream_returns_a_turn_that_has_started(
    open_client: Open, transport: str
) -> None:
    async with Peer() as peer, open_client(peer, transport=transport) as client:
        turn = await client.responses.create(model="m", input="x", stream=True)
        await peer.wait_until(lambda: peer.model_runs == 1)
        assert [text async for text in turn.text_deltas()] == ["x"]


async def test_the_response_after_some_events(open_client: Open, transport: str) -> None:
    script = Turns([deltas(50)])
    async with Peer(script) as peer, open_client(peer, transport=transport) as client:
        async with client.responses.stream(model="m", input="x") as turn:
            first = await anext(turn)
            response = await turn.get_final_response()
            assert [event async for event in turn] == []
            assert await turn.get_final_response() is response
        assert (first.type, response.output_text) == ("response.created", "word " * 50)


async def test_what_can_be_read_of_a_turn(open_client: Open, transport: str) -> None:
    async with (
        Peer(lambda _: [answer("a b")]) as peer,
        open_client(peer, transport=transport) as client,
    ):
        async with client.responses.stream(model="m", input="x") as turn:
            await turn.get_final_response()
        raw = peer.connections[0].raw if transport == "websocket" else [peer.posts[0].raw]
        seen = {
            name: getattr(turn, name)
            for name in ("transport", "delivery", "response_id", "chain_miss", "sent_bytes")
        }
        assert seen == {
            "transport": transport,
            "delivery": "terminal",
            "response_id": "resp_1",
            "chain_miss": None,
            "sent_bytes": len(raw[0]),
        }
        assert (turn.resends, turn.model_runs) == (0, 1)
        assert (turn.usage.input_tokens, turn.usage.output_tokens, turn.usage.total_tokens) == (
            1,
            2,
            3,
        )


async def test_while_a_turn_runs_it_has_no_response_and_a_partial(
    open_client: Open, transport: str
) -> None:
    script = Turns([answer("Hello world"), silence(after="response.output_text.delta")])
    async with (
        Peer(script) as peer,
        open_client(peer, transport=transport) as client,
        client.responses.stream(model="m", input="x") as turn,
    ):
        async for text in turn.text_deltas():
            assert text == "Hello"
            break
        assert (turn.response, turn.usage, turn.delivery) == (None, None, "output")
        assert (turn.partial.status, turn.partial.output_text) == ("in_progress", "Hello")


async def test_a_turn_that_was_not_started_says_so(open_client: Open) -> None:
    async with Peer() as peer, open_client(peer) as client:
        turn = client.responses.stream(model="m", input="x")
        assert (turn.response, turn.usage) == (None, None)
        with pytest.raises(TurnwireError, match="was not started"):
            _ = turn.delivery
        await turn.aclose()
        assert peer.connections == []


async def test_waiting_on_a_turn_starts_it(open_client: Open, transport: str) -> None:
    async with Peer() as peer, open_client(peer, transport=transport) as client:
        turns = [client.responses.stream(model="m", input="x") for _ in range(4)]
        assert (await anext(turns[0])).type == "response.created"
        assert (await turns[1].next_batch())[0].type == "response.created"
        assert [text async for text in turns[2].text_deltas()] == ["x"]
        assert (await turns[3].get_final_response()).output_text == "x"
        assert peer.model_runs == 4


async def test_a_turn_is_started_once_however_many_wait(open_client: Open, transport: str) -> None:
    async def key() -> str:
        await asyncio.sleep(0)
        return "key"

    async with (
        Peer() as peer,
        open_client(peer, transport=transport, api_key=key) as client,
    ):
        turn = client.responses.stream(model="m", input="x")
        await asyncio.gather(*(turn.submit() for _ in range(3)))
        assert (await turn.get_final_response()).output_text == "x"
        assert (peer.model_runs, client.statistics().turns) == (1, 1)


async def test_who_waits_for_a_key_may_be_cancelled_without_the_turn() -> None:
    gate = Gate()

    async def key() -> str:
        await gate.pass_through()
        return "key"

    async with (
        Peer() as peer,
        AsyncClient(base_url=peer.base_url, transport="http", api_key=key) as client,
    ):
        turn = client.responses.stream(model="m", input="x")
        first = asyncio.create_task(turn.get_final_response())
        await gate.wait_reached()
        second = asyncio.create_task(turn.get_final_response())
        first.cancel()
        gate.open()
        assert (await second).output_text == "x"
        assert first.cancelled()
        assert peer.model_runs == 1


async def test_text_that_was_read_as_events_does_not_come_again(
    open_client: Open, transport: str
) -> None:
    script = Turns([answer("Hello")])
    async with Peer(script) as peer, open_client(peer, transport=transport) as client:
        async with client.responses.stream(model="m", input="x") as turn:
            async for event in turn:
                if event.type == "response.output_text.delta":
                    break
            assert [text async for text in turn.text_deltas()] == []
        assert turn.response.output_text == "Hello"


async def test_incomplete_is_returned_not_raised(open_client: Open, transport: str) -> None:
    steps = [answer("half"), incomplete("max_output_tokens")]
    async with Peer(lambda _: steps) as peer, open_client(peer, transport=transport) as client:
        response = await client.responses.create(model="m", input="x")
        assert (response.status, response.output_text) == ("incomplete", "half")
        assert response.incomplete_details.reason == "max_output_tokens"


async def test_unknown_events_pass_through(open_client: Open, transport: str) -> None:
    steps = [
        emit("codex.rate_limits", used=1),
        emit("response.next_month", delta="x", response=5),
        answer("ok"),
    ]
    async with Peer(lambda _: steps) as peer, open_client(peer, transport=transport) as client:
        async with client.responses.stream(model="m", input="x") as turn:
            others = [event async for event in turn if isinstance(event, OtherEvent)]
        shown = [event for event in others if "content_part" not in event.type]
        assert [event.to_dict() for event in shown] == [
            {"type": "codex.rate_limits", "used": 1, "sequence_number": 0},
            {"type": "response.next_month", "delta": "x", "response": 5, "sequence_number": 1},
        ]
        assert turn.response.output_text == "ok"


@pytest.mark.parametrize("kind", ["response.done", "response.next_terminal"])
async def test_an_unknown_event_with_a_final_status_ends_the_turn(
    open_client: Open, transport: str, kind: str
) -> None:
    response = {"id": "resp_1", "status": "completed", "output": []}
    steps = [answer("ok"), emit(kind, response=response), silence()]
    async with Peer(lambda _: steps) as peer, open_client(peer, transport=transport) as client:
        got = await client.responses.create(model="m", input="x")
        assert (got.status, got.output_text) == ("completed", "ok")


def one_odd_field(_: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return []


@pytest.mark.parametrize(
    "ending",
    [completed([]), completed(lambda items: items[:1]), completed(usage={"input_tokens": None})],
    ids=["no output", "half of the output", "an odd field"],
)
async def test_a_terminal_event_that_lacks_output_is_completed_from_the_stream(
    open_client: Open, ending: Step
) -> None:
    async with (
        Peer(lambda _: [answer("one "), answer("two"), ending]) as peer,
        open_client(peer) as client,
    ):
        response = await client.responses.create(model="m", input="x")
        assert response.output_text == "one two"


async def test_the_callers_own_link(open_client: Open, transport: str) -> None:
    async with Peer() as peer, open_client(peer, transport=transport) as client:
        first = await client.responses.create(model="m", input="a")
        await client.responses.create(model="m", input="b", previous_response_id=first.id)
        assert message(peer.creates[1]) == {
            "previous_response_id": first.id,
            "input": [user("b")],
        }


async def test_a_warm_up_by_hand(open_client: Open) -> None:
    async with Peer() as peer, open_client(peer) as client:
        async with client.responses.stream(model="m", input="a", generate=False) as turn:
            warm = await turn.get_final_response()
        assert (warm.output_text, turn.model_runs) == ("", 0)
        assert (peer.warm_ups, peer.model_runs) == (1, 0)


async def test_one_client_speaks_both_transports(open_client: Open) -> None:
    async with Peer() as peer, open_client(peer) as client:
        async with client.responses.stream(model="m", input="a", transport="http") as posted:
            await posted.get_final_response()
        async with client.responses.stream(model="m", input="a") as sent:
            await sent.get_final_response()
        assert (posted.transport, sent.transport) == ("http", "websocket")
        assert (len(peer.posts), len(peer.connections)) == (1, 1)


async def test_turns_one_after_the_other_share_a_socket(open_client: Open) -> None:
    async with Peer() as peer, open_client(peer) as client:
        for text in ("a", "b", "c"):
            response = await client.responses.create(model="m", input=text)
            assert response.output_text == text
        assert (len(peer.connections), peer.model_runs) == (1, 3)
        seen = client.statistics()
        assert (seen.turns, seen.completed, seen.dials, seen.sockets, seen.active) == (
            3,
            3,
            1,
            1,
            0,
        )


async def test_functions_as_tools_are_described(open_client: Open) -> None:
    def weather(city: str) -> str:
        """Say how the weather is."""
        raise AssertionError(city)

    steps = [call("weather", {"city": "Oslo"})]
    async with Peer(lambda _: steps) as peer, open_client(peer) as client:
        response = await client.responses.create(model="m", input="x", tools=[weather])
        described = peer.creates[0]["tools"][0]
        assert (described["type"], described["name"]) == ("function", "weather")
        assert [item.name for item in response.output] == ["weather"]


async def test_wrong_tools_are_refused_before_anything_is_sent(open_client: Open) -> None:
    async with Peer() as peer, open_client(peer) as client:
        with pytest.raises(ConfigError):
            await client.responses.create(model="m", input="x", tools=[5])
        assert (peer.connections, client.statistics()) == ([], PoolStatistics())
