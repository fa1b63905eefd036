"""Chains whose parent was lost, failed, or was never one: the second part of the first table.

See docs/field-bugs.md.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from client.colours import error_of, message, until, user
from field.support import Watched, ask, parents, reply, say, texts
from turnwire import ChainMiss, PreviousResponseNotFound, TurnError, UnansweredCalls
from turnwire.testing import (
    Peer,
    Step,
    Turns,
    answer,
    call,
    emit,
    error,
    failed,
    incomplete,
    item,
    reasoning,
    swallow,
)

if TYPE_CHECKING:
    from tests.field.conftest import Open

pytestmark = pytest.mark.io

Json = dict[str, Any]


@pytest.mark.parametrize("shape", ["nested", "flat", "status_code"])
async def test_row_14_a_forgotten_parent_costs_one_more_message(
    open_client: Open, transport: str, shape: Any
) -> None:
    lost = error("previous_response_not_found", shape=shape)
    script = Watched(Turns([answer("A")], [lost], then=[answer("B")]))
    async with Peer(script) as peer, open_client(peer, transport=transport) as client:
        chain = client.chain(model="m")
        await say(chain, "a")
        turn = await say(chain, "b")
        assert (turn.response.output_text, turn.resends, turn.model_runs) == ("B", 1, 1)
        assert turn.chain_miss == ChainMiss("evicted")
        assert (script.seen[-1], parents(peer)[-1]) == (["a", "A", "b"], None)
        assert (await say(chain, "c")).chain_miss is None
        assert peer.model_runs == 3


async def test_row_15_one_lost_parent_does_not_fail_all_later_turns(
    open_client: Open, transport: str
) -> None:
    script = Watched()
    async with (
        Peer(script, remembers=False) as peer,
        open_client(peer, transport=transport) as client,
    ):
        chain = client.chain(model="m")
        answers = [(await say(chain, text)).response.output_text for text in "abc"]
        assert (answers, peer.model_runs) == (["a", "b", "c"], 3)
        assert script.seen[-1] == ["a", "a", "b", "b", "c"]
        # And of turns that the caller linked by hand only those fail that name the lost one.
        raised = await error_of(ask(client, "d", previous_response_id="resp_1"))
        assert type(raised) is PreviousResponseNotFound
        assert await reply(client, "e") == "e"


@pytest.mark.parametrize("status", [400, 404, 422])
async def test_row_15_a_refused_turn_leaves_no_dead_handle(open_client: Open, status: int) -> None:
    script = Watched(Turns([answer("A")], [error("bad", status)], then=[answer("B")]))
    async with Peer(script) as peer, open_client(peer) as client:
        chain = client.chain(model="m", store=False)
        await say(chain, "a")
        assert (await error_of(chain.turn("b"))).status == status
        assert (await say(chain, "c")).response.output_text == "B"
        assert script.seen[-1] == ["a", "A", "c"]
        assert (parents(peer), peer.refusals) == ([None, "resp_1", None], [])


async def test_row_16_a_parent_lost_while_a_tool_ran_is_no_failure(open_client: Open) -> None:
    script = Watched(Turns([call("look", {}, call_id="c")], then=[answer("a cat")]))
    async with Peer(script) as peer, open_client(peer) as client:

        def look() -> str:
            """Look, while a proxy changes its upstream."""
            peer.forget()
            return "fur"

        response = await client.chain(model="m", tools=[look]).run("go")
        assert response.output_text == "a cat"
        assert script.seen[-1] == ["go", "function_call", "fur"]
        assert (peer.model_runs, len(peer.refusals)) == (2, 1)


@pytest.mark.parametrize("store", [True, False])
async def test_row_17_what_one_credential_made_another_does_not_continue(
    open_client: Open, *, store: bool
) -> None:
    script = Watched()
    async with Peer(script, key="one") as peer:
        async with open_client(peer, api_key=lambda: peer.key) as client:
            chain = client.chain(model="m", store=store)
            await say(chain, "a")
            peer.key = "two"
            peer.connections[0].drop()
            await until(lambda: client.statistics().sockets == 0)
            turn = await say(chain, "b")
        assert turn.chain_miss == ChainMiss("credential_changed")
        assert script.seen[1] == ["a", "a", "b"]
        assert (parents(peer), peer.refusals) == ([None, None], [])
        keys = [headers["Authorization"] for headers in peer.handshakes]
        assert keys == ["Bearer one", "Bearer two"]


@pytest.mark.parametrize("chosen", ["by the caller", "by itself"])
async def test_row_19_over_http_an_unstored_parent_is_left_out(
    open_client: Open, chosen: str
) -> None:
    script = Watched()
    async with Peer(script, handshake=[None, 426]) as peer, open_client(peer) as client:
        chain = client.chain(model="m", store=False)
        await say(chain, "a")
        if chosen == "by itself":
            peer.connections[0].drop()
            await until(lambda: client.statistics().sockets == 0)
        named = {} if chosen == "by itself" else {"transport": "http"}
        turns = [await say(chain, text, **named) for text in "bc"]
        assert [turn.transport for turn in turns] == ["http", "http"]
        assert script.seen[1:] == [["a", "a", "b"], ["a", "a", "b", "b", "c"]]
        assert (parents(peer), peer.refusals) == ([None] * 3, [])
        assert [post.body["store"] for post in peer.posts] == [False, False]


async def test_row_20_after_a_compaction_the_old_history_stays_away(open_client: Open) -> None:
    script = Watched()
    async with Peer(script) as peer, open_client(peer) as client:
        chain = client.chain(model="m")
        for text in ("old", "older"):
            await say(chain, text)
        window = [{"type": "compaction", "encrypted_content": "short"}, user("new")]
        turn = await say(chain, history=window)
        assert turn.chain_miss == ChainMiss("history_changed", index=0)
        await say(chain, "newer")
        assert script.seen[2:] == [["compaction", "new"], ["compaction", "new", "new", "newer"]]
        assert parents(peer) == [None, "resp_1", None, "resp_3"]
        assert texts(chain.history) == ["compaction", "new", "new", "newer", "newer"]


async def test_row_21_an_automatic_compaction_keeps_the_chain(
    open_client: Open, transport: str
) -> None:
    compacted = item(type="compaction", encrypted_content="short")
    script = Turns([answer("A")], [compacted, answer("B")], then=[answer("C")])
    async with Peer(script) as peer, open_client(peer, transport=transport) as client:
        chain = client.chain(model="m")
        turns = [await say(chain, text) for text in "abc"]
        assert [turn.chain_miss for turn in turns] == [None] * 3
        assert message(peer.creates[2]) == {"previous_response_id": "resp_2", "input": [user("c")]}
        assert peer.refusals == []


@pytest.mark.parametrize("store", [True, False])
@pytest.mark.parametrize("end", [failed("content_filter"), incomplete("content_filter")])
async def test_row_22_only_a_completed_response_is_a_parent(
    open_client: Open, end: Step, *, store: bool
) -> None:
    script = Watched(Turns([answer("A")], [answer("half"), end], then=[answer("B")]))
    async with Peer(script) as peer, open_client(peer) as client:
        chain = client.chain(model="m", store=store)
        await say(chain, "a")
        if end == failed("content_filter"):
            assert (await error_of(chain.turn("b"))).response_id == "resp_2"
            kept = ["a", "A"]
        else:
            assert (await say(chain, "b")).response.status == "incomplete"
            kept = ["a", "A", "b", "half"]
        await say(chain, "c")
        assert script.seen[-1] == [*kept, "c"]
        assert ("resp_2" in parents(peer), peer.refusals) == (False, [])
        assert texts(chain.history) == [*kept, "c", "B"]


async def test_row_23_a_failed_response_says_why_and_harms_nobody(open_client: Open) -> None:
    script = Turns([answer("half"), failed("quota", "Used up.")], then=[answer("ok")])
    async with Peer(script) as peer, open_client(peer) as client:
        chain = client.chain(model="m", store=False)
        raised = await error_of(chain.turn("a"))
        assert (type(raised), raised.code, raised.response_id) == (TurnError, "quota", "resp_1")
        assert str(raised) == "Used up. (code quota)"
        assert raised.partial.output_text == "half"
        assert [(await say(chain, text)).response.output_text for text in "bc"] == ["ok", "ok"]
        # The lane was clean: its terminal event had come.
        assert (len(peer.connections), peer.refusals) == (1, [])


@pytest.mark.parametrize("name", ["gw:resp_1/\u00e4?b=c#d", 'q"uo\\te', "r" * 300])
async def test_row_24_ids_are_the_servers_own_business(
    open_client: Open, transport: str, name: str
) -> None:
    done = {"type": "message", "role": "assistant", "content": []}
    rewritten: list[Step] = [
        emit("response.created", response={"id": name, "status": "in_progress"}),
        emit("response.output_item.done", output_index=0, item=done),
        emit("response.completed", response={"id": name, "status": "completed"}),
        swallow(),
    ]
    script = Turns(rewritten, then=[answer("B")])
    async with Peer(script) as peer, open_client(peer, transport=transport) as client:
        chain = client.chain(model="m")
        await say(chain, "a")
        assert chain.previous_response_id == name
        await say(chain, "b")
        assert parents(peer)[1] == name


CALLS: dict[str, tuple[Json, Json]] = {
    "function": (
        {"type": "function_call", "name": "f", "arguments": "{}", "call_id": "c"},
        {"type": "function_call_output", "call_id": "c", "output": "done"},
    ),
    "custom": (
        {"type": "custom_tool_call", "name": "f", "input": "x", "call_id": "c"},
        {"type": "custom_tool_call_output", "call_id": "c", "output": "done"},
    ),
    "computer": (
        {"type": "computer_call", "action": {"type": "screenshot"}, "call_id": "c"},
        {
            "type": "computer_call_output",
            "call_id": "c",
            "output": {"type": "computer_screenshot", "image_url": "data:,"},
        },
    ),
    "shell": (
        {"type": "shell_call", "action": {"commands": ["ls"]}, "call_id": "c"},
        {"type": "shell_call_output", "call_id": "c", "output": []},
    ),
    "apply_patch": (
        {"type": "apply_patch_call", "operation": {"type": "delete_file"}, "call_id": "c"},
        {"type": "apply_patch_call_output", "call_id": "c", "status": "completed"},
    ),
    "tool_search": (
        {"type": "tool_search_call", "execution": "client", "arguments": {}, "call_id": "c"},
        {"type": "tool_search_output", "execution": "client", "call_id": "c", "tools": []},
    ),
    "mcp_approval": (
        {"type": "mcp_approval_request", "name": "f", "arguments": "{}", "id": "c"},
        {"type": "mcp_approval_response", "approval_request_id": "c", "approve": True},
    ),
}


@pytest.mark.parametrize("kind", CALLS)
async def test_row_25_every_kind_of_call_waits_for_its_own_answer(
    open_client: Open, kind: str
) -> None:
    asked, answered = CALLS[kind]
    async with (
        Peer(Turns([item(**asked)], [answer("ok")])) as peer,
        open_client(peer) as client,
    ):
        chain = client.chain(model="m")
        await say(chain, "go")
        raised = await error_of(chain.turn("go on"))
        assert (type(raised), raised.call_ids) == (UnansweredCalls, ("c",))
        assert len(peer.creates) == 1
        turn = await say(chain, [answered, user("go on")])
        assert turn.chain_miss is None
        assert peer.creates[1]["input"] == [answered, user("go on")]
        assert (peer.refusals, peer.model_runs) == ([], 2)


@pytest.mark.parametrize("policy", ["drop", "stub"])
@pytest.mark.parametrize("store", [True, False])
async def test_row_26_an_interrupted_tool_is_not_the_end_of_its_chain(
    open_client: Open, policy: str, *, store: bool
) -> None:
    script = Watched(Turns([reasoning("hm"), call("look", {}, call_id="c")], then=[answer("ok")]))
    async with Peer(script) as peer, open_client(peer, unanswered_calls=policy) as client:
        chain = client.chain(model="m", store=store)
        await say(chain, "go")
        answers = [(await say(chain, text)).response.output_text for text in ("never mind", "next")]
        assert answers == ["ok", "ok"]
        kept = ["go", "never mind", "ok", "next"]
        if policy == "stub":
            stub = script.seen[1][3]
            assert "interrupted" in stub
            kept[1:1] = ["reasoning", "function_call", stub]
        assert script.seen[2] == kept
        assert (peer.refusals, peer.model_runs) == ([], 3)
