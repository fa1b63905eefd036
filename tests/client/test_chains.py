"""Chains: each turn sends what is new, and everything when that is not proven to be enough."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest

from client.colours import ONE_TRY, error_of, message, output_of, until, user
from turnwire import (
    ChainMiss,
    ConfigError,
    PreviousResponseNotFound,
    TurnError,
    TurnInterrupted,
    UnansweredCalls,
)
from turnwire.testing import (
    Create,
    Gate,
    Peer,
    Step,
    Turns,
    answer,
    call,
    close,
    completed,
    error,
    failed,
    incomplete,
    item,
    reasoning,
    silence,
    wait,
)

if TYPE_CHECKING:
    from tests.client.conftest import Open

pytestmark = pytest.mark.io

Json = dict[str, Any]


def said(text: str, number: int = 1, index: int = 0) -> Json:
    """Return the peer's answer as it stands in a history."""
    part = {"type": "output_text", "text": text, "annotations": [], "logprobs": []}
    return {
        "id": f"msg_{number}_{index}",
        "status": "completed",
        "type": "message",
        "role": "assistant",
        "content": [part],
    }


async def say(chain: Any, *given: Any, **named: Any) -> Any:
    """Run one turn and return it."""
    async with chain.turn(*given, **named) as turn:
        await turn.get_final_response()
    return turn


def sent(peer: Peer) -> list[Json]:
    """Return all creates without what all of them have."""
    return [message(create) for create in peer.creates]


# Only what is new.


async def test_each_turn_sends_only_what_is_new(open_client: Open, transport: str) -> None:
    async with Peer() as peer, open_client(peer, transport=transport) as client:
        chain = client.chain(model="m", instructions="Be kind.")
        misses = [(await say(chain, text)).chain_miss for text in ("a", "b", "c")]
        own = {"instructions": "Be kind."}
        assert sent(peer) == [
            own | {"input": [user("a")]},
            own | {"previous_response_id": "resp_1", "input": [user("b")]},
            own | {"previous_response_id": "resp_2", "input": [user("c")]},
        ]
        assert misses == [None, None, None]
        assert chain.previous_response_id == "resp_3"
        assert chain.history == [
            *(user("a"), said("a")),
            *(user("b"), said("b", 2)),
            *(user("c"), said("c", 3)),
        ]
        assert (peer.model_runs, peer.refusals) == (3, [])


async def test_the_whole_history_each_time_costs_the_same(
    open_client: Open, transport: str
) -> None:
    async with Peer() as peer, open_client(peer, transport=transport) as client:
        chain = client.chain(model="m")
        history: list[Any] = [user("a")]
        for text in ("b", "c", None):
            turn = await say(chain, history=history)
            assert turn.chain_miss is None
            history += [*turn.response.output, *([user(text)] if text else [])]
        assert sent(peer) == [
            {"input": [user("a")]},
            {"previous_response_id": "resp_1", "input": [user("b")]},
            {"previous_response_id": "resp_2", "input": [user("c")]},
        ]


async def test_history_as_other_libraries_hand_it_back_is_recognised(open_client: Open) -> None:
    async with (
        Peer(lambda create: [reasoning("hm", encrypted_content="e"), answer(create.text)]) as peer,
        open_client(peer) as client,
    ):
        chain = client.chain(model="m")
        await say(chain, history=[user("a")])
        history = [
            {"content": [{"text": "a", "type": "input_text"}], "role": "user"},
            {
                "encrypted_content": "e",
                "summary": [{"type": "summary_text", "text": "hm"}],
                "type": "reasoning",
                "id": "rs_1_0",
                "content": None,
            },
            {"content": "a", "id": "msg_1_1", "role": "assistant"},
            user("b"),
        ]
        assert (await say(chain, history=history)).chain_miss is None
        assert sent(peer)[1] == {"previous_response_id": "resp_1", "input": [user("b")]}


async def test_without_store_a_chain_goes_on_on_its_socket(open_client: Open) -> None:
    async with Peer() as peer, open_client(peer) as client:
        chain = client.chain(model="m", store=False)
        for text in ("a", "b"):
            assert (await say(chain, text)).chain_miss is None
        assert sent(peer)[1]["previous_response_id"] == "resp_1"
        assert peer.refusals == []


async def test_chains_side_by_side_never_swap_heads(open_client: Open, transport: str) -> None:
    async with Peer() as peer, open_client(peer, transport=transport, lanes=True) as client:
        chains = [client.chain(model="m", store=transport == "http") for _ in range(3)]
        for text in ("a", "b", "c"):
            for number, chain in enumerate(chains):
                turn = await say(chain, f"{text}{number}")
                assert turn.chain_miss is None
                assert turn.response.output_text == f"{text}{number}"
        parents = [create.get("previous_response_id") for create in peer.creates]
        assert parents == [None] * 3 + [f"resp_{number}" for number in range(1, 7)]
        for number, chain in enumerate(chains):
            texts = [entry["content"] for entry in chain.history if entry["role"] == "user"]
            assert texts == [f"a{number}", f"b{number}", f"c{number}"]
        assert (peer.model_runs, peer.refusals) == (9, [])


async def test_turns_of_one_chain_run_one_after_the_other(open_client: Open) -> None:
    gate = Gate()
    script = Turns([wait(gate), answer("1")], [answer("2")])
    async with Peer(script) as peer, open_client(peer, lanes=True) as client:
        chain = client.chain(model="m")
        async with chain.turn("a") as first:
            await peer.wait_until(lambda: peer.model_runs == 1)
            async with chain.turn("b") as second:
                assert (second.delivery, peer.model_runs) == ("queued", 1)
                gate.open()
                await second.get_final_response()
            await first.get_final_response()
        assert sent(peer)[1] == {"previous_response_id": "resp_1", "input": [user("b")]}


async def test_a_long_chain_does_not_grow_its_messages(open_client: Open) -> None:
    async with Peer() as peer, open_client(peer) as client:
        chain = client.chain(model="m", store=False)
        sizes = [(await say(chain, f"{number:03}")).sent_bytes for number in range(20)]
        assert len(set(sizes[10:])) == 1
        assert (peer.model_runs, len(chain.history)) == (20, 40)


# Everything, and why.


async def test_an_edited_history_is_sent_whole(open_client: Open, transport: str) -> None:
    async with Peer() as peer, open_client(peer, transport=transport) as client:
        chain = client.chain(model="m")
        await say(chain, "a")
        for index, history in [
            (0, [user("A"), said("a"), user("b")]),
            (1, [user("A"), said("edited"), user("b")]),
            (2, [user("A"), said("edited")]),
        ]:
            turn = await say(chain, history=history)
            assert turn.chain_miss == ChainMiss("history_changed", index=index)
            assert sent(peer)[-1] == {"input": history}
            history += [turn.response.output[0].to_dict()]
            assert chain.history == history


async def test_the_same_history_again_is_sent_whole(open_client: Open) -> None:
    async with Peer() as peer, open_client(peer) as client:
        chain = client.chain(model="m")
        await say(chain, "a")
        turn = await say(chain, history=chain.history)
        assert turn.chain_miss == ChainMiss("nothing_new")
        assert sent(peer)[1] == {"input": [user("a"), said("a")]}


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("model", "other"),
        ("reasoning", {"effort": "high"}),
        ("text", {"verbosity": "low"}),
        ("tools", [{"type": "web_search"}]),
    ],
)
async def test_another_model_or_tool_is_a_miss(open_client: Open, field: str, value: Any) -> None:
    async with Peer() as peer, open_client(peer) as client:
        chain = client.chain(model="m")
        await say(chain, "a")
        turn = await say(chain, "b", **{field: value})
        assert turn.chain_miss == ChainMiss("parameters_changed", field=field)
        assert peer.creates[1]["input"] == [user("a"), said("a"), user("b")]
        assert peer.creates[1][field] == value
        assert "previous_response_id" not in peer.creates[1]


async def test_instructions_and_sampling_may_change(open_client: Open) -> None:
    async with Peer() as peer, open_client(peer) as client:
        chain = client.chain(model="m", instructions="one")
        await say(chain, "a")
        turn = await say(chain, "b", instructions="two", temperature=0.1, metadata={"k": "v"})
        assert turn.chain_miss is None
        # For that turn only.
        await say(chain, "c")
        assert [create["instructions"] for create in peer.creates] == ["one", "two", "one"]


async def test_another_key_is_a_miss(open_client: Open) -> None:
    keys = iter(["one", "two", "two", "two"])
    async with (
        Peer() as peer,
        open_client(peer, api_key=lambda: next(keys)) as client,
    ):
        chain = client.chain(model="m")
        await say(chain, "a")
        await peer.connections[0].close(1000)
        await until(lambda: client.statistics().sockets == 0)
        turn = await say(chain, "b")
        assert turn.chain_miss == ChainMiss("credential_changed")


async def test_an_incomplete_response_is_not_continued(open_client: Open, transport: str) -> None:
    script = Turns([answer("half"), incomplete("max_output_tokens")], [answer("b")])
    async with Peer(script) as peer, open_client(peer, transport=transport) as client:
        chain = client.chain(model="m")
        await say(chain, "a")
        assert chain.previous_response_id is None
        turn = await say(chain, "b")
        assert turn.chain_miss == ChainMiss("previous_failed")
        assert sent(peer)[1] == {"input": [user("a"), said("half"), user("b")]}


async def test_a_response_without_an_id_is_not_continued(open_client: Open) -> None:
    script = Turns([answer("a"), completed(id="")], [answer("b")], [answer("c")])
    async with Peer(script) as peer, open_client(peer) as client:
        chain = client.chain(model="m")
        await say(chain, "a")
        assert (chain.previous_response_id, chain.history) == (None, [user("a"), said("a")])
        await say(chain, "b")
        assert sent(peer)[1] == {"input": [user("a"), said("a"), user("b")]}
        assert (await say(chain, "c")).chain_miss is None


@pytest.mark.parametrize(
    "steps",
    [
        [error("server_error", 500)],
        [answer("half"), failed("server_error")],
        [answer("half"), close(1001)],
    ],
    ids=["error", "failed", "cut off"],
)
async def test_after_a_failure_everything_is_sent_once(
    open_client: Open, steps: list[Step]
) -> None:
    script = Turns([answer("a")], steps, [answer("c")], [answer("d")])
    async with Peer(script) as peer, open_client(peer, **ONE_TRY) as client:
        chain = client.chain(model="m", store=False)
        await say(chain, "a")
        assert isinstance(await error_of(chain.turn("b")), TurnError)
        assert chain.previous_response_id is None
        assert chain.history == [user("a"), said("a")]
        turn = await say(chain, "c")
        assert turn.chain_miss == ChainMiss("previous_failed")
        assert sent(peer)[2] == {"store": False, "input": [user("a"), said("a"), user("c")]}
        assert (await say(chain, "d")).chain_miss is None
        assert peer.refusals == []


async def test_a_turn_that_was_cancelled_leaves_the_chain_as_it_was(open_client: Open) -> None:
    script = Turns([answer("a")], [answer("half"), silence()], [answer("c")])
    async with Peer(script) as peer, open_client(peer) as client:
        chain = client.chain(model="m")
        await say(chain, "a")
        async with chain.turn("b") as turn:
            async for _ in turn.text_deltas():
                break
        await say(chain, "c")
        assert sent(peer)[2] == {"previous_response_id": "resp_1", "input": [user("c")]}
        assert [entry["content"] for entry in chain.history[::2]] == ["a", "c"]


async def test_without_store_a_lost_socket_costs_the_whole_history(open_client: Open) -> None:
    async with Peer() as peer, open_client(peer) as client:
        chain = client.chain(model="m", store=False)
        await say(chain, "a")
        await peer.connections[0].close(1001)
        await until(lambda: client.statistics().sockets == 0)
        turn = await say(chain, "b")
        assert turn.chain_miss == ChainMiss("connection_lost")
        assert sent(peer)[1] == {"store": False, "input": [user("a"), said("a"), user("b")]}
        assert (peer.model_runs, peer.refusals) == (2, [])


async def test_with_store_a_lost_socket_costs_nothing(open_client: Open) -> None:
    async with Peer() as peer, open_client(peer) as client:
        chain = client.chain(model="m")
        await say(chain, "a")
        await peer.connections[0].close(1001)
        await until(lambda: client.statistics().sockets == 0)
        assert (await say(chain, "b")).chain_miss is None
        assert sent(peer)[1] == {"previous_response_id": "resp_1", "input": [user("b")]}


async def test_over_http_only_stored_responses_are_continued(open_client: Open) -> None:
    async with Peer() as peer, open_client(peer, transport="http") as client:
        chain = client.chain(model="m", store=False)
        await say(chain, "a")
        turn = await say(chain, "b")
        assert turn.chain_miss == ChainMiss("not_stored")
        assert sent(peer)[1] == {"store": False, "input": [user("a"), said("a"), user("b")]}


async def test_when_lanes_run_out_a_chain_without_store_sends_everything_once(
    open_client: Open,
) -> None:
    async with Peer() as peer, open_client(peer, lanes=False, max_sockets=1) as client:
        one, two = client.chain(model="m", store=False), client.chain(model="m", store=False)
        await say(one, "a")
        await say(two, "x")
        turn = await say(one, "b")
        assert turn.chain_miss == ChainMiss("lane_taken")
        assert (await say(one, "c")).chain_miss is None
        assert (peer.model_runs, peer.refusals) == (4, [])


# The server forgot.


@pytest.mark.parametrize(
    "refusal",
    [
        error("previous_response_not_found"),
        error("previous_response_not_found", shape="flat"),
        error(None, param="previous_response_id"),
        error(None, message="No previous_response with that id."),
    ],
    ids=["nested", "flat", "only the parameter", "only the message"],
)
async def test_a_lost_parent_is_answered_with_everything_on_the_same_socket(
    open_client: Open, refusal: Step
) -> None:
    script = Turns([answer("a")], [refusal], [answer("b")], [answer("c")])
    async with Peer(script) as peer, open_client(peer) as client:
        chain = client.chain(model="m", store=False)
        await say(chain, "a")
        async with chain.turn("b") as turn:
            kinds = [event.type async for event in turn]
        assert (kinds[0], kinds[-1], "error" in kinds) == (
            "response.created",
            "response.completed",
            False,
        )
        assert turn.response.output_text == "b"
        assert (turn.resends, turn.model_runs) == (1, 1)
        assert turn.chain_miss == ChainMiss("evicted")
        assert sent(peer)[1:] == [
            {"store": False, "previous_response_id": "resp_1", "input": [user("b")]},
            {"store": False, "input": [user("a"), said("a"), user("b")]},
        ]
        assert turn.sent_bytes == sum(map(len, peer.connections[0].raw[1:]))
        assert (await say(chain, "c")).chain_miss is None
        assert (len(peer.connections), peer.model_runs) == (1, 3)
        assert client.statistics().resends == 1


async def test_over_http_a_lost_parent_is_answered_too(open_client: Open) -> None:
    script = Turns([answer("a")], [error("previous_response_not_found")], [answer("b")])
    async with Peer(script) as peer, open_client(peer, transport="http") as client:
        chain = client.chain(model="m")
        await say(chain, "a")
        turn = await say(chain, "b")
        assert (turn.resends, turn.model_runs, peer.model_runs) == (1, 1, 2)
        assert sent(peer)[2] == {"input": [user("a"), said("a"), user("b")]}


async def test_a_parent_that_stays_lost_is_an_error_after_one_resend(open_client: Open) -> None:
    lost = [error("previous_response_not_found")]
    async with (
        Peer(Turns([answer("a")], lost, lost, [answer("c")])) as peer,
        open_client(peer) as client,
    ):
        chain = client.chain(model="m")
        await say(chain, "a")
        raised = await error_of(chain.turn("b"))
        assert isinstance(raised, PreviousResponseNotFound)
        # The dead id is not sent again.
        await say(chain, "c")
        assert sent(peer)[3] == {"input": [user("a"), said("a"), user("c")]}


async def test_without_a_chain_a_lost_parent_is_the_callers(open_client: Open) -> None:
    async with Peer() as peer, open_client(peer) as client:
        with pytest.raises(PreviousResponseNotFound) as caught:
            await client.responses.create(model="m", input="x", previous_response_id="nobody")
        assert (caught.value.status, caught.value.param) == (400, "previous_response_id")
        assert (len(peer.creates), peer.model_runs) == (1, 0)


# Forks.


@pytest.mark.parametrize("store", [True, False])
async def test_a_fork_has_the_same_past_and_its_own_future(
    open_client: Open, *, store: bool
) -> None:
    async with Peer() as peer, open_client(peer, lanes=True) as client:
        chain = client.chain(model="m", store=store)
        await say(chain, "a")
        other = chain.fork()
        assert other.history == chain.history
        turns = [await say(other, "left"), await say(chain, "right")]
        assert [turn.chain_miss for turn in turns] == [None, None]
        assert sent(peer)[1:] == [
            {
                "store": store,
                "previous_response_id": "resp_1",
                "stream_id": "lane-1",
                "input": [user("left")],
            },
            {"store": store, "previous_response_id": "resp_1", "input": [user("right")]},
        ]
        assert [entry["content"] for entry in other.history[::2]] == ["a", "left"]
        assert [entry["content"] for entry in chain.history[::2]] == ["a", "right"]
        again = [await say(other, "left"), await say(chain, "right")]
        assert [turn.chain_miss for turn in again] == [None, None]
        assert peer.refusals == []


async def test_without_store_the_source_waits_until_the_fork_is_bound(open_client: Open) -> None:
    gate = Gate()

    def script(create: Create) -> list[Step]:
        fork = create.text == "left"
        return [wait(gate, after=0), answer("l")] if fork else [answer(create.text)]

    async with Peer(script) as peer, open_client(peer, lanes=True) as client:
        chain = client.chain(model="m", store=False)
        await say(chain, "a")
        async with chain.fork().turn("left") as left, chain.turn("right") as right:
            await gate.wait_reached()
            assert right.delivery == "queued"
            gate.open()
            await right.get_final_response()
            await left.get_final_response()
        assert [turn.chain_miss for turn in (left, right)] == [None, None]
        assert peer.refusals == []


async def test_a_fork_on_a_server_without_lanes(open_client: Open) -> None:
    async with Peer(lanes="ignore") as peer, open_client(peer, lanes=False) as client:
        chain = client.chain(model="m", store=False)
        await say(chain, "a")
        other = chain.fork()
        left, right = await say(other, "left"), await say(chain, "right")
        assert (left.response.output_text, right.response.output_text) == ("left", "right")
        assert [entry["content"] for entry in other.history[::2]] == ["a", "left"]
        assert [entry["content"] for entry in chain.history[::2]] == ["a", "right"]
        assert (peer.model_runs, peer.refusals) == (3, [])


async def test_a_failed_fork_leaves_its_source_alone(open_client: Open) -> None:
    script = Turns([answer("a")], [failed("server_error")], [answer("c")])
    async with Peer(script) as peer, open_client(peer, lanes=True, **ONE_TRY) as client:
        chain = client.chain(model="m", store=False)
        await say(chain, "a")
        assert isinstance(await error_of(chain.fork().turn("left")), TurnError)
        assert (await say(chain, "right")).chain_miss is None
        assert peer.refusals == []


# Warm-ups.


async def test_a_warm_up_is_continued(open_client: Open) -> None:
    async with Peer() as peer, open_client(peer) as client:
        chain = client.chain(model="m", instructions="i", store=False)
        warm = await chain.warm_up()
        assert (warm.id, warm.output_text, chain.previous_response_id) == ("resp_1", "", "resp_1")
        turn = await say(chain, "a")
        own = {"instructions": "i", "store": False}
        assert sent(peer) == [
            own | {"generate": False, "input": []},
            own | {"previous_response_id": "resp_1", "input": [user("a")]},
        ]
        assert (turn.chain_miss, peer.warm_ups, peer.model_runs) == (None, 1, 1)


async def test_a_warm_up_with_input_may_be_answered_without_more(open_client: Open) -> None:
    async with (
        Peer(lambda create: [answer("ok")]) as peer,
        open_client(peer) as client,
    ):
        chain = client.chain(model="m")
        await chain.warm_up("a")
        turn = await say(chain, [])
        assert sent(peer)[1] == {"previous_response_id": "resp_1", "input": []}
        assert (turn.chain_miss, turn.response.output_text) == (None, "ok")


async def test_a_warm_up_that_is_refused_changes_nothing(open_client: Open) -> None:
    refusal = error("unsupported_parameter", param="generate")
    async with Peer(warm_up=[refusal]) as peer, open_client(peer) as client:
        chain = client.chain(model="m")
        with pytest.raises(TurnError):
            await chain.warm_up("a")
        assert chain.history == []
        await say(chain, "b")
        assert sent(peer)[1] == {"input": [user("b")]}


async def test_over_http_there_is_no_warm_up(open_client: Open) -> None:
    async with Peer() as peer, open_client(peer, transport="http") as client:
        with pytest.raises(ConfigError, match="only exists on a WebSocket"):
            await client.chain(model="m").warm_up()
        assert peer.creates == []


# Calls that wait for their answer.


@pytest.mark.parametrize(
    ("step", "answered"),
    [
        (call("f", {}, call_id="c"), output_of("c", "1")),
        (
            item(type="custom_tool_call", name="f", input="x", call_id="c"),
            {"type": "custom_tool_call_output", "call_id": "c", "output": "1"},
        ),
        (
            item(type="computer_call", action={}, call_id="c"),
            {"type": "computer_call_output", "call_id": "c", "output": {"type": "screenshot"}},
        ),
        (
            item(type="shell_call", action={}, call_id="c"),
            {"type": "shell_call_output", "call_id": "c", "output": []},
        ),
        (
            item(type="apply_patch_call", operation={}, call_id="c"),
            {"type": "apply_patch_call_output", "call_id": "c", "status": "completed"},
        ),
        (
            item(type="tool_search_call", execution="client", call_id="c"),
            {"type": "tool_search_output", "call_id": "c", "tools": []},
        ),
        (
            item(type="mcp_approval_request", id="c", name="f"),
            {"type": "mcp_approval_response", "approval_request_id": "c", "approve": True},
        ),
    ],
    ids=lambda value: value["type"] if isinstance(value, dict) else "",
)
async def test_a_chain_goes_on_only_when_every_call_is_answered(
    open_client: Open, step: Step, answered: Json
) -> None:
    script = Turns([step], [answer("b")])
    async with Peer(script) as peer, open_client(peer) as client:
        chain = client.chain(model="m")
        await say(chain, "a")
        turn = await say(chain, [answered])
        assert turn.chain_miss is None
        assert sent(peer)[1] == {"previous_response_id": "resp_1", "input": [answered]}
        assert peer.refusals == []


async def test_an_unanswered_call_is_named(open_client: Open) -> None:
    calls = [call("f", {}, call_id="one"), call("f", {}, call_id="two")]
    script = Turns(calls, [answer("b")])
    async with Peer(script) as peer, open_client(peer) as client:
        chain = client.chain(model="m")
        await say(chain, "a")
        turn = chain.turn([output_of("one", "1")])
        raised = await error_of(turn)
        assert (type(raised), raised.call_ids) == (UnansweredCalls, ("two",))
        assert (turn.delivery, turn.model_runs, peer.model_runs) == ("queued", 0, 1)
        # Nothing is lost: with both answers the chain goes on.
        assert len(chain.history) == 3
        turn = await say(chain, [output_of("one", "1"), output_of("two", "2")])
        assert (turn.chain_miss, turn.response.output_text) == (None, "b")


async def test_partial_answers_leave_the_waiting_calls_alone(open_client: Open) -> None:
    script = Turns([call("f", {}, call_id="c")], [answer("b")])
    async with Peer(script) as peer, open_client(peer) as client:
        chain = client.chain(model="m")
        await say(chain, "a")
        for wrong in ([5], [output_of("c", "1"), {"bad": object()}], {"type": "message"}):
            with pytest.raises(ConfigError):
                chain.turn(wrong)
        assert (await say(chain, [output_of("c", "1")])).chain_miss is None
        assert len(peer.creates) == 2


async def test_output_that_the_terminal_event_left_out_is_part_of_the_history(
    open_client: Open,
) -> None:
    script = Turns([call("f", {}, call_id="c"), completed([])], [answer("b")])
    async with Peer(script) as peer, open_client(peer) as client:
        chain = client.chain(model="m", store=False)
        first = await say(chain, "a")
        assert [entry.type for entry in first.response.output] == ["function_call"]
        turn = await say(chain, history=[*chain.history, output_of("c", "1")])
        assert turn.chain_miss is None
        assert peer.refusals == []


# What a chain does not take.


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({}, "either `input`"),
        ({"input": "a", "history": []}, "either `input`"),
        ({"input": "a", "previous_response_id": "x"}, "the chain keeps it"),
        ({"input": "a", "conversation": "x"}, "the chain is the conversation"),
        ({"input": "a", "modle": "x"}, "did you mean `model`"),
    ],
)
async def test_arguments_that_do_not_fit_a_chain(
    open_client: Open, arguments: Json, words: str
) -> None:
    async with Peer() as peer, open_client(peer) as client:
        chain = client.chain(model="m")
        with pytest.raises(ConfigError, match=words):
            chain.turn(**arguments)
        assert peer.connections == []


@pytest.mark.parametrize("name", ["conversation", "previous_response_id"])
async def test_a_chain_keeps_its_own_link(open_client: Open, name: str) -> None:
    async with Peer() as peer, open_client(peer) as client:
        with pytest.raises(ConfigError, match="cannot be given to a chain"):
            client.chain(model="m", **{name: "x"})
        with pytest.raises(ConfigError, match="cannot be given"):
            client.chain(model="m", extra_body={name: "x"})


async def test_a_lost_socket_in_the_middle_of_a_chain(open_client: Open) -> None:
    script = Turns([answer("a")], [answer("half"), close(1011)], [answer("b")])
    async with Peer(script) as peer, open_client(peer, **ONE_TRY) as client:
        chain = client.chain(model="m")
        await say(chain, "a")
        raised = await error_of(chain.turn("b"))
        assert isinstance(raised, TurnInterrupted)
        again = await say(chain, "b")
        assert again.response.output_text == "b"
        assert sent(peer)[2] == {"input": [user("a"), said("a"), user("b")]}


async def test_many_chains_at_once(open_client: Open) -> None:
    async with Peer() as peer, open_client(peer, max_sockets=2) as client:

        async def talk(number: int) -> list[str]:
            chain = client.chain(model="m", store=False)
            return [(await say(chain, f"{number}-{text}")).response.output_text for text in "abcd"]

        async with asyncio.TaskGroup() as tasks:
            talks = [tasks.create_task(talk(number)) for number in range(8)]
        for number, done in enumerate(talks):
            assert done.result() == [f"{number}-{text}" for text in "abcd"]
        assert (peer.model_runs, peer.refusals) == (32, [])
