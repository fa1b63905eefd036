"""What the rows of docs/field-bugs.md share.

The measure of most rows is what the model saw: every item of the chain once, in order.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from turnwire import AsyncClient, Backoff
from turnwire.testing import answer

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from turnwire.testing import Create, Peer, Script, Step

Json = dict[str, Any]

AT_ONCE = Backoff((0.0, 0.0), jitter=False)
SOON = {"retry-after-ms": "1"}  # of servers that ask to wait, so that no test does


class Watched:
    """A script that keeps what the model saw of each create, and where it came in.

    Args:
        script: What to do with the creates; by default each gets the text of its user back.

    Attributes:
        seen: For each create the texts of all items, oldest first.
        places: For each create its connection and its lane; the connection of a POST is None.
    """

    def __init__(self, script: Script | None = None) -> None:
        self.seen: list[list[str]] = []
        self.places: list[tuple[int | None, str | None]] = []
        self._script = script or (lambda create: [answer(create.text)])

    def __call__(self, create: Create) -> Iterable[Step]:
        self.seen.append(texts([*create.history, *create.input]))
        self.places.append((create.connection, create.lane))
        return self._script(create)


def texts(items: Iterable[Json]) -> list[str]:
    """Return each item as one text: what it says, or its type."""
    return [_text(item) for item in items]


def _text(item: Json) -> str:
    content = item.get("content")
    if isinstance(content, str):
        return content
    if content:
        return "".join(part.get("text", "") for part in content)
    return str(item.get("output") or item["type"])


def client_of(peer: Peer, **options: Any) -> AsyncClient:
    """Return an async client, for rows about time, which only one loop can have."""
    return AsyncClient(**({"base_url": peer.base_url, "api_key": "key"} | options))


def ask(client: Any, text: str = "x", **params: Any) -> Any:
    """Return a turn that was not started."""
    return client.responses.stream(model="m", input=text, **params)


async def start(client: Any, text: str = "x", **params: Any) -> Any:
    """Return a turn that was."""
    return await client.responses.create(model="m", input=text, stream=True, **params)


async def reply(client: Any, text: str = "x", **params: Any) -> str:
    """Return the text of the answer to a single turn."""
    response = await client.responses.create(model="m", input=text, **params)
    return str(response.output_text)


async def say(chain: Any, *given: Any, **named: Any) -> Any:
    """Run a chain's next turn and return it."""
    async with chain.turn(*given, **named) as turn:
        await turn.get_final_response()
    return turn


async def first_text(turn: Any) -> str:
    """Return the first piece of text and leave the rest."""
    async for text in turn.text_deltas():
        return str(text)
    raise AssertionError("the turn ended without text")


def parents(peer: Peer) -> list[str | None]:
    """Return what each create continues."""
    return [create.get("previous_response_id") for create in peer.creates]


def behind(client: Any) -> Any:
    """Return the client itself, out of its wrapper; for what does not block."""
    return getattr(client, "blocking", client)


def sockets_closed(peer: Peer) -> Callable[[], bool]:
    """Return a condition: no socket is open."""
    return lambda: not any(each.is_open for each in peer.connections)
