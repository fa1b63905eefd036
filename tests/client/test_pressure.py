"""Callers who read more slowly than the model speaks: fewer events, never a letter less."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from client.colours import error_of, read, until
from turnwire import SlowConsumer
from turnwire.testing import Gate, Peer, Turns, answer, deltas, item, silence, wait

if TYPE_CHECKING:
    from tests.client.conftest import Open

pytestmark = pytest.mark.io

WORDS = [f"word {number} " for number in range(500)]


def ask(client: Any, **params: Any) -> Any:
    return client.responses.create(model="m", input="x", stream=True, **params)


async def test_text_that_waits_is_joined_and_every_letter_is_there(
    open_client: Open, transport: str
) -> None:
    script = Turns([answer("".join(WORDS), pieces=WORDS)])
    async with (
        Peer(script) as peer,
        open_client(peer, transport=transport, buffer_bytes=40_000) as client,
    ):
        turn = await ask(client)
        await until(lambda: client.statistics().completed == 1)
        events = [event async for event in turn]
        texts = [event.delta for event in events if event.type == "response.output_text.delta"]
        assert "".join(texts) == "".join(WORDS) == turn.response.output_text
        assert len(texts) < len(WORDS) / 2
        numbers = [event.sequence_number for event in events]
        assert numbers == sorted(set(numbers))
        sent = (peer.connections or peer.posts)[0].sent
        others = [event["type"] for event in sent if not event["type"].endswith(".delta")]
        assert [each.type for each in events if not each.type.endswith(".delta")] == others


async def test_what_cannot_be_joined_ends_the_turn_and_no_other(
    open_client: Open, transport: str
) -> None:
    gate = Gate()
    notes = [item(type="note", text="x" * 1000) for _ in range(500)]
    script = Turns([*notes, silence()], [wait(gate), answer("ok")])
    async with (
        Peer(script) as peer,
        open_client(peer, transport=transport, buffer_bytes=50_000, lanes=True) as client,
    ):
        slow = await ask(client)
        await peer.wait_until(lambda: peer.model_runs == 1)
        quick = await ask(client)
        await until(lambda: client.statistics().failed == 1)
        gate.open()
        assert (await quick.get_final_response()).output_text == "ok"
        came, raised = await read(slow)
        assert (type(raised), raised.limit_bytes) == (SlowConsumer, 50_000)
        assert "`buffer_bytes`" in str(raised)
        # What had been kept is handed out, the rest of a piece that came as one included.
        assert 20 < len(came) < 2 * len(notes)
        assert len(raised.partial.output) >= 20


async def test_all_turns_together_have_a_limit(open_client: Open) -> None:
    notes = [item(type="note", text="x" * 1000) for _ in range(20)]
    script = Turns([*notes, silence()], [*notes, *notes, *notes, silence()], [*notes, silence()])
    options = {"client_buffer_bytes": 100_000, "lanes": True}
    async with Peer(script) as peer, open_client(peer, **options) as client:
        turns = [await ask(client)]
        await until(lambda: len(turns[0].partial.output) == 20)
        turns.append(await ask(client))
        await until(lambda: client.statistics().failed == 1)
        turns.append(await ask(client))
        await until(lambda: len(turns[2].partial.output) == 20)
        raised = await error_of(turns[1])
        assert (type(raised), raised.limit_bytes) == (SlowConsumer, 100_000)
        assert str(raised) == (
            "100000 bytes of all turns' events were not read; read them faster, or raise"
            " `client_buffer_bytes`"
        )
        assert [turn.response for turn in turns] == [None] * 3
        assert [(await anext(turn)).type for turn in (turns[0], turns[2])] == [
            "response.created"
        ] * 2
        for turn in turns:
            await turn.aclose()


async def test_who_only_waits_for_the_end_needs_no_room(open_client: Open, transport: str) -> None:
    # More than comes at once, and less than comes in all.
    script = Turns([deltas(5000), *(item(type="note", text="x" * 1000) for _ in range(300))])
    async with (
        Peer(script) as peer,
        open_client(peer, transport=transport, buffer_bytes=2**19) as client,
    ):
        response = await client.responses.create(model="m", input="x")
        assert (response.output_text, len(response.output)) == ("word " * 5000, 301)


async def test_who_reads_on_loses_nothing_by_having_been_slow(open_client: Open) -> None:
    gate = Gate()
    first, second = WORDS[:250], WORDS[250:]
    script = Turns(
        [
            answer("".join(first), pieces=first),
            wait(gate),
            answer("".join(second), pieces=second),
        ]
    )
    async with Peer(script) as peer, open_client(peer, buffer_bytes=20_000) as client:
        turn = await ask(client)
        await gate.wait_reached()
        texts = turn.text_deltas()
        read_first = ""
        while len(read_first) < len("".join(first)):
            read_first += await anext(texts)
        gate.open()
        rest = [text async for text in texts]
        assert read_first + "".join(rest) == "".join(WORDS)
