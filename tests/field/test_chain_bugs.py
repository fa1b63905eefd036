"""Chains that sent too little, too much, or what was another's: the first rows of the table.

See docs/field-bugs.md.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec
import pytest

from client.colours import message, output_of, until, user
from field.support import Watched, client_of, parents, say, sockets_closed, texts
from turnwire import ChainMiss
from turnwire.testing import (
    Create,
    Peer,
    Step,
    Turns,
    answer,
    call,
    completed,
    error,
    item,
    reasoning,
    reencrypted,
    virtual_time,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.field.conftest import Open

    from turnwire.testing.steps import OutputEdit

pytestmark = pytest.mark.io

Json = dict[str, Any]


@pytest.mark.parametrize("store", [True, False])
async def test_row_01_interleaved_chains_never_swap_topics(
    open_client: Open, *, store: bool
) -> None:
    def on_topic(create: Create) -> list[Step]:
        topic = texts([*create.history, *create.input])[0]
        return [call("look", {}, call_id=topic)] if create.text == topic else [answer(topic)]

    script = Watched(on_topic)
    options = {"lanes": True, "max_sockets": 1}
    async with Peer(script) as peer, open_client(peer, **options) as client:
        weather, sports = (client.chain(model="m", store=store) for _ in "ab")
        await say(weather, "weather")
        await say(sports, "sports")
        answers = [
            (await say(chain, [output_of(topic, f"{topic} found")])).response.output_text
            for chain, topic in ((weather, "weather"), (sports, "sports"))
        ]
        assert answers == ["weather", "sports"]
        assert parents(peer) == [None, None, "resp_1", "resp_2"]
        assert script.seen[2] == ["weather", "function_call", "weather found"]
        assert (len(peer.connections), peer.refusals) == (1, [])


async def test_row_02_a_new_chain_begins_without_anothers_handle(open_client: Open) -> None:
    async with Peer() as peer, open_client(peer) as client:
        await say(client.chain(model="m", store=False), "a")
        await say(client.chain(model="m", store=False), "b")
        await client.responses.create(model="m", input="c")
        assert parents(peer) == [None, None, None]
        assert (len(peer.connections), peer.refusals) == (1, [])


async def test_row_03_nothing_is_sent_twice_beside_its_parent(
    open_client: Open, transport: str
) -> None:
    script = Turns([reasoning("hm"), call("look", {}, call_id="c")], then=[answer("seen")])
    async with Peer(script) as peer, open_client(peer, transport=transport) as client:
        chain = client.chain(model="m")
        await say(chain, "go")
        await say(chain, [output_of("c", "a cat")])
        await say(chain, history=[*chain.history, user("and now?")])
        # The peer refuses an item that the chain holds already, under whatever id.
        assert peer.refusals == []
        assert [message(create)["input"] for create in peer.creates] == [
            [user("go")],
            [output_of("c", "a cat")],
            [user("and now?")],
        ]


async def test_row_04_an_edited_reply_reaches_the_model(open_client: Open) -> None:
    script = Watched()
    async with Peer(script) as peer, open_client(peer) as client:
        chain = client.chain(model="m")
        await say(chain, "a")
        history = chain.history
        history[1]["content"][0]["text"] = "edited"
        turn = await say(chain, history=[*history, user("b")])
        assert turn.chain_miss == ChainMiss("history_changed", index=1)
        assert script.seen[1] == ["a", "edited", "b"]
        assert parents(peer) == [None, None]


@pytest.mark.parametrize("form", ["streamed", "terminal"])
async def test_row_05_reasoning_may_come_back_in_either_encryption(
    open_client: Open, transport: str, form: str
) -> None:
    steps = [reasoning("hm", encrypted_content="e"), answer("ok"), completed(reencrypted)]
    async with (
        Peer(Turns(steps, [answer("b")])) as peer,
        open_client(peer, transport=transport) as client,
    ):
        chain = client.chain(model="m")
        async with chain.turn(history=[user("a")]) as turn:
            events = [event async for event in turn]
        streamed = [event.item for event in events if event.type == "response.output_item.done"]
        output = {"streamed": streamed, "terminal": turn.response.output}[form]
        assert output[0].to_dict()["encrypted_content"] == {"streamed": "e"}.get(form, "e-anew")
        again = await say(chain, history=[user("a"), *output, user("b")])
        assert again.chain_miss is None
        assert (parents(peer), peer.refusals) == ([None, "resp_1"], [])


@pytest.mark.parametrize("shown", [[], lambda output: output[1:], lambda output: output[:1]])
async def test_row_06_what_was_streamed_is_kept_when_the_end_shows_less(
    open_client: Open, transport: str, shown: OutputEdit
) -> None:
    script = Watched(Turns([reasoning("hm"), answer("said"), completed(shown)], [answer("b")]))
    async with Peer(script) as peer, open_client(peer, transport=transport) as client:
        chain = client.chain(model="m")
        async with chain.turn("a") as turn:
            events = [event async for event in turn]
        assert turn.response.output_text == "said"
        assert texts(chain.history) == ["a", "reasoning", "said"]
        sent = (peer.connections[0] if peer.connections else peer.posts[0]).sent[-1]
        end = msgspec.json.decode(events[-1].raw)
        assert end["response"]["output"] == sent["response"]["output"]
        await say(chain, "b")
        assert script.seen[1] == ["a", "reasoning", "said", "b"]
        assert (parents(peer), peer.refusals) == ([None, "resp_1"], [])


async def test_row_07_what_only_servers_add_breaks_no_chain(open_client: Open) -> None:
    summary = [{"type": "summary_text", "text": "hm"}]

    def thinking(create: Create) -> list[Step]:
        thought = item(
            type="reasoning", summary=summary, content=[], encrypted_content="e", status="completed"
        )
        return [thought, answer(create.text)]

    def echoed(sent: Json) -> Json:
        kept = {key: value for key, value in sent.items() if value and key != "status"}
        for part in kept.get("content", ()):
            part.pop("annotations")
            part.pop("logprobs")
        return kept

    async with Peer(thinking) as peer, open_client(peer) as client:
        chain = client.chain(model="m", store=False)
        history: list[Json] = []
        for number in range(20):
            history.append(user(f"q{number}"))
            turn = await say(chain, history=history)
            history += [echoed(output.to_dict()) for output in turn.response.output]
        counts = chain.statistics
        assert (counts.chain_hits, counts.chain_misses, counts.turns) == (19, {}, 20)
        assert peer.refusals == []


async def test_row_08_outputs_that_change_are_sent_and_explained(open_client: Open) -> None:
    script = Watched(Turns([call("look", {}, call_id="c")], then=[answer("ok")]))
    async with Peer(script) as peer, open_client(peer) as client:
        chain = client.chain(model="m")
        turn = await say(chain, history=[user("go")])
        history = [user("go"), turn.response.output[0], output_of("c", "read at 10:00")]
        await say(chain, history=history)
        for minute in ("01", "02"):
            history[2] = output_of("c", f"read at 10:{minute}")
            turn = await say(chain, history=history)
            assert turn.chain_miss == ChainMiss("history_changed", index=2)
            assert script.seen[-1] == ["go", "function_call", f"read at 10:{minute}"]
        assert parents(peer) == [None, "resp_1", None, None]
        assert chain.statistics.chain_misses == {"history_changed": 2}


def as_it_is(output: Any) -> Any:
    return output


def as_a_dict(output: Any) -> Any:
    return output.to_dict()


def out_of_a_store(output: Any) -> Any:
    stored = msgspec.json.encode(output.to_dict(), order="sorted")
    return msgspec.json.decode(stored)


@pytest.mark.parametrize("handed_back", [as_it_is, as_a_dict, out_of_a_store])
async def test_row_09_items_may_come_from_the_client_or_from_a_store(
    open_client: Open, handed_back: Callable[[Any], Any]
) -> None:
    def thinking(create: Create) -> list[Step]:
        return [reasoning("hm", encrypted_content=f"e{create.number}"), answer(create.text)]

    async with Peer(thinking) as peer, open_client(peer) as client:
        chain = client.chain(model="m", store=False)
        history: list[Any] = []
        for text in ("a", "b", "c"):
            history.append(user(text))
            turn = await say(chain, history=history)
            history += [handed_back(output) for output in turn.response.output]
        assert parents(peer) == [None, "resp_1", "resp_2"]
        assert peer.refusals == []


async def test_row_10_another_order_of_tools_is_named_as_the_reason() -> None:
    def look() -> str:
        """Look."""
        return ""

    def hear() -> str:
        """Hear."""
        return ""

    async with Peer() as peer, client_of(peer) as client:
        chain = client.chain(model="m", tools=[look, hear])
        await say(chain, "a")
        other = client.load_chain(chain.dump(), model="m", tools=[hear, look])
        turn = await say(other, "b")
        assert turn.chain_miss == ChainMiss("parameters_changed", field="tools")
        same = client.load_chain(chain.dump(), model="m", tools=[look, hear])
        assert (await say(same, "b")).chain_miss is None
        assert parents(peer) == [None, None, "resp_1"]


@pytest.mark.parametrize("store", [True, False])
async def test_row_11_a_response_without_an_id_moves_no_boundary(
    open_client: Open, *, store: bool
) -> None:
    script = Watched(Turns([answer("A"), completed(id=None)], then=[answer("B")]))
    async with Peer(script) as peer, open_client(peer) as client:
        chain = client.chain(model="m", store=store)
        for text in ("a", "b", "c"):
            await say(chain, text)
        assert script.seen == [["a"], ["a", "A", "b"], ["a", "A", "b", "B", "c"]]
        assert (texts(chain.history), peer.refusals) == (["a", "A", "b", "B", "c", "B"], [])


async def test_row_12_a_lost_handle_takes_its_boundary_along(open_client: Open) -> None:
    script = Watched()
    async with Peer(script) as peer, open_client(peer) as client:
        chain = client.chain(model="m", store=False)
        for text in ("a", "b"):
            await say(chain, text)
        peer.connections[0].drop()
        await until(lambda: client.statistics().sockets == 0)
        for text in ("c", "d"):
            await say(chain, text)
        assert script.seen[2:] == [
            ["a", "a", "b", "b", "c"],
            ["a", "a", "b", "b", "c", "c", "d"],
        ]
        assert parents(peer) == [None, "resp_1", None, "resp_3"]
        assert peer.refusals == []


@pytest.mark.parametrize("store", [True, False])
@virtual_time
async def test_row_13_a_chain_survives_a_suspended_machine(*, store: bool) -> None:
    script = Watched()
    async with Peer(script) as peer, client_of(peer) as client:
        chain = client.chain(model="m", store=store)
        await say(chain, "a")
        peer.suspend(300.0)
        turn = await say(chain, "b")
        assert turn.response.output_text == "b"
        assert script.seen[1] == ["a", "a", "b"]
        assert (parents(peer)[1], peer.refusals) == ("resp_1" if store else None, [])
        assert (len(peer.connections), peer.model_runs) == (2, 2)


# Row 18 belongs to the rows about lost parents, and is here with its like.


WAYS_TO_LOSE_A_SOCKET = {
    "closed": lambda connection: connection.close(1000),
    "going away": lambda connection: connection.close(1001),
    "dropped": lambda connection: connection.drop(),
    "reset": lambda connection: connection.drop(reset=True),
    "too old": lambda connection: connection.refuse(error("websocket_connection_limit_reached")),
    "in error": lambda connection: connection.refuse(error("server_error", 500)),
}


@pytest.mark.parametrize("way", WAYS_TO_LOSE_A_SOCKET)
async def test_row_18_a_lost_socket_is_noticed_however_it_was_lost(
    open_client: Open, way: str
) -> None:
    script = Watched()
    async with Peer(script) as peer, open_client(peer) as client:
        chain = client.chain(model="m", store=False)
        await say(chain, "a")
        waiting = WAYS_TO_LOSE_A_SOCKET[way](peer.connections[0])
        if waiting is not None:
            await waiting
        await peer.wait_until(sockets_closed(peer))
        await until(lambda: client.statistics().sockets == 0)
        turn = await say(chain, "b")
        assert turn.chain_miss == ChainMiss("connection_lost")
        assert script.seen[1] == ["a", "a", "b"]
        assert (parents(peer), peer.refusals) == ([None, None], [])
