"""A turn costs the gateway what is new in it, however long its chain has become."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest

from gateway.relay.relaying import inputs, relayed, upstream_at
from gateway.support import TurnsInMemory
from turnwire.core import history
from turnwire.core.history import HistoryItem
from turnwire.gateway.upstreams.responses import asking
from turnwire.testing import Peer

pytestmark = pytest.mark.io

TURNS = 200
LINKING = [{"transport": "websocket"}, {"transport": "http", "continues": True}]


def counted(monkeypatch: pytest.MonkeyPatch) -> Counter[str]:
    """Count items that are taken up, bytes that are put together, and items that are hashed."""
    counts: Counter[str] = Counter()
    begin, digest, body_of = HistoryItem.__init__, history.digest, asking.body_of

    def count_item(self: HistoryItem, *forms: bytes) -> None:
        counts["items"] += 1
        begin(self, *forms)

    def count_digest(encoded: bytes) -> bytes:
        counts["digests"] += 1
        return digest(encoded)

    def count_bytes(*args: Any) -> bytes:
        body = body_of(*args)
        counts["bytes"] += len(body)
        return body

    monkeypatch.setattr(HistoryItem, "__init__", count_item)
    monkeypatch.setattr(history, "digest", count_digest)
    monkeypatch.setattr(asking, "body_of", count_bytes)
    return counts


@pytest.mark.slow
@pytest.mark.parametrize("options", LINKING)
async def test_the_two_hundredth_turn_costs_what_the_second_does(
    monkeypatch: pytest.MonkeyPatch, options: dict[str, Any]
) -> None:
    counts, costs = counted(monkeypatch), list[dict[str, int]]()
    async with Peer() as peer:
        upstream = upstream_at(peer, **options)
        turns, last = TurnsInMemory(upstream), None
        for number in range(TURNS):
            counts.clear()
            given = {"input": f"question {number:03}"}
            response = await turns.respond(previous_response_id=last, **given)
            last = response["id"]
            costs.append(dict(counts))
        await upstream.aclose()
        assert inputs(peer) == [1] * TURNS
    assert costs[1:] == [costs[1]] * (TURNS - 1)


@pytest.mark.parametrize("options", LINKING)
async def test_what_the_server_has_not_seen_goes_with_the_next_turn(
    options: dict[str, Any],
) -> None:
    async with Peer() as peer, relayed(peer, **options) as talking:
        client = await talking.dial()
        first = await client.respond(input="a")
        warm = await client.respond(input="b", previous_response_id=first["id"], generate=False)
        last = await client.respond(input="c", previous_response_id=warm["id"])
        await client.respond(input="d", previous_response_id=last["id"])
        assert inputs(peer) == [1, 2, 1]


@pytest.mark.parametrize("options", LINKING)
async def test_a_chain_that_was_linked_goes_on_with_its_whole_history(
    options: dict[str, Any],
) -> None:
    async with Peer() as peer, relayed(peer, **options) as talking:
        client = await talking.dial()
        start = {"role": "user", "content": "a"}
        first = await client.respond(input=[start])
        more = {"role": "user", "content": "b"}
        second = await client.respond(input=[more], previous_response_id=first["id"])
        whole = [start, *first["output"], more, *second["output"]]
        await client.respond(input=[*whole, {"role": "user", "content": "c"}])
        assert inputs(peer) == [1, 1, 1]


@pytest.mark.parametrize("options", LINKING)
async def test_an_older_response_is_continued_with_all_of_its_own_history(
    options: dict[str, Any],
) -> None:
    async with Peer() as peer, relayed(peer, **options) as talking:
        client = await talking.dial()
        first = await client.respond(input="a")
        second = await client.respond(input="b", previous_response_id=first["id"])
        await client.respond(input="c", previous_response_id=first["id"])
        await client.respond(input="d", previous_response_id=second["id"])
        assert inputs(peer) == [1, 1, 3, 1]
        said = [[item["content"][0]["text"] for item in each["input"]] for each in peer.creates]
        assert [texts[-1] for texts in said] == ["a", "b", "c", "d"]
        assert (said[2][0], len(said[2])) == ("a", 3)
