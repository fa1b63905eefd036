"""What the tests of the relay share: a gateway before a peer."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

from gateway.support import talk
from turnwire.gateway.upstreams.responses import ResponsesOptions, ResponsesUpstream

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from gateway.support import Json, Talk
    from turnwire.testing import Peer

TRANSPORTS = ("http", "websocket")


def upstream_at(peer: Peer, **options: Any) -> ResponsesUpstream:
    return ResponsesUpstream(peer.base_url, ResponsesOptions(trust_env=False, **options))


@asynccontextmanager
async def relayed(peer: Peer, **options: Any) -> AsyncIterator[Talk]:
    async with talk(upstream_at(peer, **options)) as talking:
        yield talking


def sizes(peer: Peer) -> list[int]:
    """Return how many bytes each create has that reached the peer, in order."""
    return [len(raw) for each in peer.connections for raw in each.raw] + [
        len(post.raw) for post in peer.posts
    ]


def inputs(peer: Peer) -> list[int]:
    """Return how many items each create has that reached the peer."""
    return [len(create["input"]) for create in peer.creates]


def deltas_of(events: list[Json]) -> str:
    return "".join(event["delta"] for event in events if event["type"].endswith("text.delta"))
