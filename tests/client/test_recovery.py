"""A socket or a stream that is lost: what goes on, what is run again, and what is only told."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from client.colours import cut, error_of, until, watch
from turnwire import (
    ConfigError,
    ConnectionLost,
    Interruption,
    ProtocolError,
    TurnInterrupted,
    TurnRestartedEvent,
)
from turnwire.testing import (
    Gate,
    Peer,
    Step,
    Turns,
    abort,
    answer,
    call,
    close,
    deltas,
    drop,
    error,
    say,
    silence,
    wait,
)

if TYPE_CHECKING:
    from tests.client.conftest import Open

pytestmark = pytest.mark.io

CUTS: dict[str, Step] = {
    "1000": close(1000),
    "1001": close(1001),
    "1011": close(1011),
    "1012": close(1012),
    "4402": close(4402),
    "dropped": drop(),
    "reset": abort(),
    "garbage": say(b"data: {\n\n"),
}


def ask(client: Any, text: str = "x", **params: Any) -> Any:
    return client.responses.stream(model="m", input=text, **params)


def counted(turn: Any) -> tuple[int, int]:
    return turn.resends, turn.model_runs


# Nobody has seen anything yet.


@pytest.mark.parametrize("cut", CUTS)
async def test_what_was_lost_before_anybody_saw_it_runs_again(
    open_client: Open, transport: str, cut: str
) -> None:
    script = Turns([answer("Half a"), CUTS[cut], silence()], [answer("A whole answer.")])
    async with Peer(script) as peer, open_client(peer, transport=transport) as client:
        async with ask(client) as turn:
            response = await turn.get_final_response()
        assert response.output_text == "A whole answer."
        assert (counted(turn), turn.response_id) == ((1, 2), "resp_2")
        counts = client.statistics()
        assert (counts.resends, counts.repeats, counts.completed, counts.failed) == (1, 1, 1, 0)
        assert peer.model_runs == 2


async def test_create_hands_out_one_answer(open_client: Open, transport: str) -> None:
    script = Turns([answer("Half a"), drop()], [answer("A whole answer.")])
    async with Peer(script) as peer, open_client(peer, transport=transport) as client:
        response = await client.responses.create(model="m", input="x")
        assert (response.output_text, response.id, peer.model_runs) == (
            "A whole answer.",
            "resp_2",
            2,
        )


@pytest.mark.parametrize("after", [0, "response.created", "response.in_progress"])
async def test_a_stream_shows_that_it_began_anew(
    open_client: Open, transport: str, after: Any
) -> None:
    script = Turns([answer("lost"), drop(after=after)], [answer("A whole answer.")])
    async with Peer(script) as peer, open_client(peer, transport=transport) as client:
        async with ask(client) as turn:
            events = [event async for event in turn]
        (position,) = (
            index for index, event in enumerate(events) if isinstance(event, TurnRestartedEvent)
        )
        restarted = events[position]
        assert (restarted.type, restarted.model_runs) == ("turn.restarted", 1)
        assert "before the turn's terminal event" in restarted.reason
        # What follows is a whole stream, and each word is in it once.
        assert [event.sequence_number for event in events[position + 1 :]] == list(
            range(len(events) - position - 1)
        )
        text = "".join(getattr(event, "delta", "") for event in events)
        assert (text, turn.response.output_text) == ("A whole answer.",) * 2
        assert (counted(turn), peer.model_runs) == ((1, 2), 2)


async def test_a_second_loss_is_told(open_client: Open, transport: str) -> None:
    script = Turns([drop(after=0)], [answer("x"), drop(after=1)], then=[answer("again")])
    async with Peer(script) as peer, open_client(peer, transport=transport) as client:
        turn = ask(client)
        raised = await error_of(turn)
        assert (type(raised), raised.delivery) == (TurnInterrupted, "accepted")
        assert isinstance(raised.__cause__, ConnectionLost)
        assert (counted(turn), peer.model_runs) == ((1, 2), 2)


async def test_every_turn_of_a_lost_socket_runs_again(open_client: Open) -> None:
    script = Turns(*[[silence()]] * 5, then=[answer("again")])
    async with Peer(script) as peer, open_client(peer, lanes=True, max_sockets=1) as client:
        turns = [await client.responses.create(model="m", input="x", stream=True) for _ in range(5)]
        await peer.wait_until(lambda: peer.model_runs == 5)
        await peer.connections[0].close(1012)
        texts = [(await turn.get_final_response()).output_text for turn in turns]
        assert texts == ["again"] * 5
        assert [counted(turn) for turn in turns] == [(1, 2)] * 5
        assert (len(peer.connections), client.statistics().lost_sockets) == (2, 1)


async def test_a_tool_loop_goes_on_over_a_lost_socket(open_client: Open) -> None:
    ran: list[int] = []

    def add(a: int, b: int) -> int:
        """Add."""
        ran.append(a + b)
        return a + b

    script = Turns([call("add", {"a": 1, "b": 2})], [answer("lost"), drop()], [answer("Three.")])
    async with Peer(script) as peer, open_client(peer) as client:
        chain = client.chain(model="m", tools=[add], store=False)
        assert (await chain.run("go")).output_text == "Three."
        # The socket took what the chain had on it along, so everything is sent, once.
        assert [len(create["input"]) for create in peer.creates] == [1, 1, 3]
        assert (ran, peer.model_runs, peer.refusals) == ([3], 3, [])
        assert chain.statistics.resends == 1


# Somebody has seen some of it.


async def test_who_has_seen_only_the_beginning_has_seen_no_output(
    open_client: Open, transport: str
) -> None:
    begun, gate = Gate(), Gate()
    steps = [answer("lost"), wait(begun, after="response.created"), *cut(5, gate)]
    script = Turns(steps, [answer("A whole answer.")])
    async with Peer(script) as peer, open_client(peer, transport=transport) as client:
        async with ask(client) as turn:
            assert (await anext(turn)).type == "response.created"
            begun.open()
            await until(lambda: turn.delivery == "output")  # which stays unread
            gate.open()
            await until(lambda: turn.resends == 1)
            assert (await anext(turn)).type == "turn.restarted"
            response = await turn.get_final_response()
        assert (response.output_text, counted(turn)) == ("A whole answer.", (1, 2))


async def test_what_was_shown_is_not_run_again(open_client: Open, transport: str) -> None:
    gate = Gate()
    script = Turns([answer("Hello big world"), *cut("response.output_text.delta", gate)])
    async with Peer(script) as peer, open_client(peer, transport=transport) as client:
        async with ask(client) as turn:
            text, raised = await watch(turn, gate)
        assert (type(raised), text, raised.delivery) == (TurnInterrupted, "Hello", "output")
        assert raised.partial.output_text == "Hello"
        assert (counted(turn), peer.model_runs) == ((0, 1), 1)


# Whether it may run again.


@pytest.mark.parametrize("place", ["client", "turn"])
async def test_never_means_never(open_client: Open, transport: str, place: str) -> None:
    never = {"replay": "never"}
    script = Turns([answer("lost"), drop(after=0)], then=[answer("again")])
    options = {"transport": transport} | (never if place == "client" else {})
    async with Peer(script) as peer, open_client(peer, **options) as client:
        turn = ask(client, **(never if place == "turn" else {}))
        raised = await error_of(turn)
        assert (type(raised), peer.model_runs, turn.resends) == (TurnInterrupted, 1, 0)


HOSTED: list[tuple[dict[str, Any], int]] = [
    ({"type": "function", "name": "f", "parameters": {}}, 2),
    ({"type": "web_search"}, 2),
    ({"type": "web_search_preview_2025_03_11"}, 2),
    ({"type": "file_search", "vector_store_ids": ["v"]}, 2),
    ({"type": "shell", "environment": {"type": "local"}}, 2),
    ({"type": "shell", "environment": {"type": "container_auto"}}, 1),
    ({"type": "code_interpreter", "container": {"type": "auto"}}, 1),
    ({"type": "mcp", "server_label": "s", "server_url": "https://s"}, 1),
    ({"type": "image_generation"}, 1),
    ({"type": "a_tool_of_next_year"}, 1),
]


@pytest.mark.parametrize(("tool", "runs"), HOSTED, ids=lambda each: str(each)[:40])
async def test_tools_on_the_server_decide_what_is_safe(
    open_client: Open, tool: dict[str, Any], runs: int
) -> None:
    script = Turns([answer("lost"), drop()], [answer("again")])
    async with Peer(script) as peer, open_client(peer) as client:
        turn = ask(client, tools=[tool])
        if runs == 1:
            assert type(await error_of(turn)) is TurnInterrupted
        else:
            assert (await turn.get_final_response()).output_text == "again"
        assert peer.model_runs == turn.model_runs == runs


async def test_a_conversation_remembers_what_was_lost(open_client: Open) -> None:
    script = Turns([answer("lost"), drop()], [answer("again")])
    async with Peer(script) as peer, open_client(peer) as client:
        assert type(await error_of(ask(client, conversation="conv_1"))) is TurnInterrupted
        assert peer.model_runs == 1


async def test_always_means_also_with_tools_on_the_server(open_client: Open) -> None:
    script = Turns([answer("lost"), drop()], [answer("again")])
    async with Peer(script) as peer, open_client(peer) as client:
        turn = ask(client, tools=[{"type": "code_interpreter"}], replay="always")
        assert (await turn.get_final_response()).output_text == "again"
        assert peer.model_runs == 2


@pytest.mark.parametrize("may", [True, False])
async def test_a_function_is_asked(open_client: Open, *, may: bool) -> None:
    asked: list[Interruption] = []

    def replay(interruption: Interruption) -> bool:
        asked.append(interruption)
        return may

    script = Turns([answer("lost"), close(1011)], [answer("again")])
    tools = [{"type": "mcp", "server_label": "s"}, {"type": "web_search"}]
    async with Peer(script) as peer, open_client(peer, replay=replay) as client:
        turn = ask(client, tools=tools)
        if may:
            assert (await turn.get_final_response()).output_text == "again"
        else:
            assert type(await error_of(turn)) is TurnInterrupted
        (interruption,) = asked
        assert interruption.reason.startswith("the socket closed with code 1011")
        assert (interruption.delivery, interruption.response_id, interruption.close_code) == (
            "output",
            "resp_1",
            1011,
        )
        assert (interruption.hosted_tools, peer.model_runs) == (("mcp",), 1 + may)


@pytest.mark.parametrize("wrong", ["sometimes", None, 5])
async def test_what_is_no_policy(open_client: Open, wrong: Any) -> None:
    with pytest.raises(ConfigError, match="`replay` must be 'never', 'safe' or 'always'"):
        async with open_client("http://127.0.0.1:1/v1", replay=wrong):
            pass


# A server that ends a socket's life in good order.


async def test_a_server_at_its_age_limit_costs_nothing(open_client: Open) -> None:
    limit = error("websocket_connection_limit_reached")
    async with Peer(Turns([limit], [answer("ok")])) as peer, open_client(peer) as client:
        turn = ask(client, replay="never")
        assert (await turn.get_final_response()).output_text == "ok"
        assert (counted(turn), peer.model_runs, len(peer.connections)) == ((1, 1), 1, 2)


async def test_a_socket_that_dies_idle_is_replaced_in_silence(open_client: Open) -> None:
    async with Peer() as peer, open_client(peer) as client:
        for number in range(4):
            response = await client.responses.create(model="m", input=f"{number}")
            assert response.output_text == f"{number}"
            peer.connections[-1].drop(reset=number % 2 == 1)
        assert peer.model_runs == 4


async def test_a_long_answer_that_is_lost_late_is_still_one_answer(open_client: Open) -> None:
    script = Turns([deltas(2000), drop()], [deltas(2000, "WORD ")])
    async with Peer(script) as peer, open_client(peer) as client:
        response = await client.responses.create(model="m", input="x")
        assert response.output_text == "WORD " * 2000


async def test_a_protocol_error_after_output_says_so(open_client: Open) -> None:
    gate = Gate()
    script = Turns([answer("Hello"), wait(gate), say(b"[]"), silence()])
    async with Peer(script) as peer, open_client(peer) as client:
        async with ask(client) as turn:
            _, raised = await watch(turn, gate)
        assert isinstance(raised.__cause__, ProtocolError)
        assert (raised.partial.output_text, peer.model_runs) == ("Hello", 1)
