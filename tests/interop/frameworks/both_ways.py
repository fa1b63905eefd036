"""Does one thing over HTTP and over turnwire, with the official SDK."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from openai import AsyncOpenAI

from interop.frameworks.lab import Bench, Way
from turnwire.testing import Create, Peer

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from turnwire.testing import Step

ASK: Final[dict[str, Any]] = {"model": "any", "input": "Hi"}


async def by_both_ways(
    doing: Callable[[AsyncOpenAI], Awaitable[Any]],
    script: Callable[[], Callable[[Create], Sequence[Step]]],
    *,
    max_retries: int = 0,
    **options: Any,
) -> list[Any]:
    """Do something over HTTP and over turnwire, each with a peer of its own."""
    told: list[Any] = []
    for way in Way:
        async with Peer(script(), **options) as peer:
            bench = Bench(peer.base_url, way)
            http_client = bench.http_client()
            async with AsyncOpenAI(
                **bench.server, http_client=http_client, max_retries=max_retries
            ) as client:
                told.append(await doing(client))
            assert bool(peer.posts) == (way is Way.PLAIN)
    return told


def always(*steps: Step) -> Callable[[], Callable[[Create], Sequence[Step]]]:
    return lambda: lambda _: list(steps)
