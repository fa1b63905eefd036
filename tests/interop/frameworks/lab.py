"""Plays the same code over a framework's own HTTP client and over turnwire, and compares.

How to add a framework: write ``<framework>_scenarios.py`` here, with plain imports and a list
``SCENARIOS``.  A scenario is a function, async or not, that is given a ``Bench`` and does what
users of the framework do::

    async def tool_loop(bench: Bench) -> Told:
        client = AsyncOpenAI(**bench.server, http_client=bench.http_client())
        ...  # a tool read_page(book, page) that returns bench.read_page(book, page)
        result = await agent.run(task())
        return Told(result.text, result.messages)

    SCENARIOS = [Scenario("their-package", "tool loop", tool_loop)]

``bench.http_client()`` is the one argument that differs: None the plain way, which leaves the
framework its own.  Name the file in ``catalogue.py``; then ``test_scenarios.py`` and ``table.py``
play it where the package is installed.  Pins go into ``newest.txt`` and ``oldest.txt``.
"""

from __future__ import annotations

import asyncio
import inspect
import json
import os
import re
import sys
from dataclasses import dataclass, field
from enum import StrEnum
from functools import cache
from importlib import import_module
from typing import TYPE_CHECKING, Any, Final, cast

from interop.frameworks.book import Fault, Reader, page_text
from interop.frameworks.overlooking import pydantic_warnings
from turnwire.testing import Peer

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

# Nothing may leave the machine.
os.environ.update(
    LANGSMITH_TRACING="false",
    LITELLM_LOCAL_MODEL_COST_MAP="True",
    OPENAI_AGENTS_DISABLE_TRACING="1",
    OTEL_SDK_DISABLED="true",
)

_ID: Final = re.compile(r'"((?:resp|rs|msg|fc)_[\d_]+)"')


class Way(StrEnum):
    """How creates travel."""

    PLAIN = "plain"
    TURNWIRE = "turnwire"


@dataclass(frozen=True, slots=True)
class Told:
    """What a scenario tells at its end.

    Attributes:
        text: The final answer; several of them as a list.
        history: What the framework remembers, as JSON, without times and random ids.
        more: Whatever else must not depend on the way.
    """

    text: Any
    history: Any = None
    more: Any = None


@dataclass(frozen=True, slots=True)
class Outcome:
    """What must not depend on the way.

    Attributes:
        told: What the scenario told; ids that the server gave are numbered in order.
        calls: The pages that the tools were asked for, by book.
        shown: What the model was shown at each turn, by book.
    """

    told: Told
    calls: dict[str, list[int]]
    shown: dict[str, list[object]]


@dataclass(frozen=True, slots=True)
class Costs:
    """What may depend on the way.

    Attributes:
        model_runs: How often the model has worked.
        http_bytes: Bodies of all POSTs.
        websocket_bytes: All messages of the client.
        posts: How many POSTs there were.
        connections: How many sockets there were.
        fired: Whether the fault has happened.
    """

    model_runs: int
    http_bytes: int
    websocket_bytes: int
    posts: int
    connections: int
    fired: bool


@dataclass(slots=True)
class Bench:
    """What a scenario is given.

    Attributes:
        base_url: Where the server is.
        way: How creates travel; scenarios have no need to know.
        calls: The pages that were asked for, by book.
        clients: Those of turnwire that were made.
    """

    base_url: str
    way: Way
    calls: dict[str, list[int]] = field(default_factory=dict)
    clients: list[Any] = field(default_factory=list)

    @property
    def server(self) -> dict[str, Any]:
        """Arguments for the SDK's clients."""
        return {"base_url": self.base_url, "api_key": "k"}

    def http_client(
        self, library: str | None = None, *, blocking: bool = False, **options: Any
    ) -> Any:
        """Return what goes into ``http_client=``; None leaves the framework its own.

        Args:
            library: ``httpx2`` or ``httpx``; by default the one of the installed SDK.
            blocking: Whether the framework is not async.
            **options: Those of turnwire's client that users of the framework need.
        """
        if self.way is Way.PLAIN:
            return None
        module = import_module(f"turnwire.{library or sdk_library()}")
        client = (module.Client if blocking else module.AsyncClient)(**options)
        self.clients.append(client)
        return client

    def read_page(self, book: str, page: int) -> str:
        """Do what the tool does."""
        self.calls.setdefault(book, []).append(page)
        return page_text(book, page)


@dataclass(frozen=True, slots=True)
class Scenario:
    """A scenario of a framework.

    Attributes:
        package: Its name on the package index.
        name: What it shows.
        play: The code.
        model_runs: How many turns it has when nothing goes wrong.
        continues: Whether each turn repeats those before, so that turnwire saves bytes.
        at_once: How many turns may be under way, all of which a lost socket may hit.
        faults: Those that make sense; all of them by default.
    """

    package: str
    name: str
    play: Callable[[Bench], Told | Awaitable[Told]]
    model_runs: int = 20
    continues: bool = True
    at_once: int = 1
    faults: tuple[Fault, ...] = tuple(Fault)

    def __str__(self) -> str:
        return f"{self.package}: {self.name}"


def sdk_library() -> str:
    """Return the HTTP library of the installed SDK."""
    import openai

    bases = {base.__module__.partition(".")[0] for base in openai.DefaultHttpxClient.__mro__}
    return "httpx2" if "httpx2" in bases else "httpx"


def _forget_clients() -> None:
    """Have LangChain make clients anew: it keeps them by URL, and ports come again."""
    module = sys.modules.get("langchain_openai.chat_models._client_utils")
    for name in ("_cached_sync_httpx_client", "_cached_async_httpx_client"):
        if (kept := getattr(module, name, None)) is not None:
            kept.cache_clear()


def play(scenario: Scenario, way: Way, fault: Fault = Fault.NONE) -> tuple[Outcome, Costs]:
    """Play a scenario against a server of its own."""
    _forget_clients()
    reader = Reader(fault)
    refuses = fault is Fault.REFUSED_UPGRADE
    with pydantic_warnings(), Peer(reader, handshake=426 if refuses else None) as peer:
        bench = Bench(peer.base_url, way)
        told = asyncio.run(_played(scenario.play, bench))
    outcome = Outcome(_with_numbered_ids(told), bench.calls, reader.shown)
    costs = Costs(
        model_runs=peer.model_runs,
        http_bytes=sum(len(post.raw) for post in peer.posts),
        websocket_bytes=sum(
            len(entry.data) for entry in peer.log if entry.side == "client" and entry.kind == "text"
        ),
        posts=len(peer.posts),
        connections=len(peer.connections),
        fired=reader.fired or (refuses and bool(peer.handshakes)),
    )
    return outcome, costs


@cache
def plain(scenario: Scenario) -> tuple[Outcome, Costs]:
    """Play a scenario the plain way, over a server that does its work: what is expected."""
    return play(scenario, Way.PLAIN)


async def _played(playing: Callable[[Bench], Told | Awaitable[Told]], bench: Bench) -> Told:
    """Play, in a thread if the framework is not async, and close what turnwire has opened."""
    try:
        if not inspect.iscoroutinefunction(playing):
            return cast("Told", await asyncio.to_thread(playing, bench))
        return cast("Told", await playing(bench))
    finally:
        for client in bench.clients:
            if hasattr(client, "aclose"):
                await client.aclose()
            else:
                client.close()


def _with_numbered_ids(told: Told) -> Told:
    """Number the ids that the server gave: a turn that was sent twice has used up some."""
    known: dict[str, str] = {}

    def numbered(found: re.Match[str]) -> str:
        kind = found[1].partition("_")[0]
        return f'"{known.setdefault(found[1], f"{kind}-{len(known)}")}"'

    text = json.dumps([told.text, told.history, told.more], sort_keys=True, ensure_ascii=False)
    return Told(*json.loads(_ID.sub(numbered, text)))
