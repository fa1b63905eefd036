"""Plays what a client does against a gateway over upstreams of every kind, and looks at all of it.

How to add a client: write ``<client>_scenarios.py`` here, with plain imports and a list
``SCENARIOS``, and name it in ``catalogue.py``.  A scenario is a function, async or not, that is
given a ``Bench`` and does what users of the client do; what it returns must be what the scenario
expects, whatever stands behind the gateway.
"""

from __future__ import annotations

import asyncio
import inspect
import logging
import os
import sys
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, cast

from interop.gateway.behind import behind
from interop.gateway.recorder import Recorder, recorder
from interop.gateway.shapes import strangers
from turnwire.gateway.config.building import build
from turnwire.gateway.config.settings import Settings
from turnwire.gateway.config.tables import Config

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator

# Nothing may leave the machine.
os.environ.update(
    LITELLM_LOCAL_MODEL_COST_MAP="True",
    OPENAI_AGENTS_DISABLE_TRACING="1",
    OTEL_SDK_DISABLED="true",
)

# What every scenario says, and what comes of it.
ERRAND: Final = (
    'CALL add {"a": 1, "b": 2}\nCALL add {"a": 3, "b": 4}\nTHEN CALL weather {"city": "Ålesund"}'
)
ERRAND_DONE: Final = "FINAL after tool: \n3\n7\nrain in Ålesund"
ERRAND_CALLS: Final = [
    ("add", {"a": 1, "b": 2}),
    ("add", {"a": 3, "b": 4}),
    ("weather", {"city": "Ålesund"}),
]
BYE: Final = "Bye"
# The errand, three calls with their outputs, the answer, and this.
BYE_DONE: Final = 'You said: "Bye". The context holds 9 items.'

# Members that the package does not know.
KNOWN_STRANGERS: Final = frozenset(
    {
        # Open Responses wants them.
        "Response.frequency_penalty",
        "Response.presence_penalty",
        "Response.store",
        # Versions of the package before 3 want it.
        "ResponseFunctionCallArgumentsDoneEvent.name",
        "ResponseFunctionCallArgumentsWsDone.name",
    }
)

# With a model that thinks first; only some models count its thoughts, so nothing counts them here.
TWO_ERRANDS: Final[dict[str, Any]] = {
    "expected": (ERRAND_DONE, ERRAND_DONE),
    "calls": ERRAND_CALLS * 2,
    "model_runs": 6,
}


@dataclass(slots=True)
class Bench:
    """What a scenario is given.

    Attributes:
        base_url: Where the gateway is, with ``/v1``.
        recorder: What is between the client and the gateway.
        calls: What tools were asked for, in order.
    """

    base_url: str
    recorder: Recorder
    calls: list[tuple[str, dict[str, Any]]] = field(default_factory=list)

    @property
    def server(self) -> dict[str, Any]:
        """Arguments for the SDK's clients."""
        return {"base_url": self.base_url, "api_key": "k"}

    def add(self, a: int, b: int) -> str:
        """Do what the tool ``add`` does."""
        self.calls.append(("add", {"a": a, "b": b}))
        return str(a + b)

    def weather(self, city: str) -> str:
        """Do what the tool ``weather`` does."""
        self.calls.append(("weather", {"city": city}))
        return f"rain in {city}"

    def do(self, name: str, arguments: dict[str, Any]) -> str:
        """Do what a tool does that is called by name."""
        return cast("str", {"add": self.add, "weather": self.weather}[name](**arguments))


@dataclass(frozen=True, slots=True)
class Scenario:
    """What a client does.

    Attributes:
        package: The client's name on the package index.
        name: What it shows.
        play: The code.
        expected: What the code returns.
        calls: What tools were asked for.
        model_runs: How many turns it has.
        sockets: How many sockets the client opens.
        posts: How many creates come by POST.
    """

    package: str
    name: str
    play: Callable[[Bench], Any | Awaitable[Any]]
    expected: Any = (ERRAND_DONE, BYE_DONE)
    calls: list[tuple[str, dict[str, Any]]] = field(default_factory=lambda: list(ERRAND_CALLS))
    model_runs: int = 4
    sockets: int = 0
    posts: int = 0

    def __str__(self) -> str:
        return f"{self.package}: {self.name}"


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of a scenario; all of it is what is expected, or something is wrong.

    Attributes:
        told: What the code returned.
        calls: What tools were asked for, sorted: what is done at once has no order.
        model_runs: What the gateway counted.
        upstream_runs: What the upstream counted; the same for the gateway's own model.
        sockets: How many sockets the client opened.
        posts: How many creates came by POST.
        trouble: Warnings and errors in the log, refusals by anybody, and events not as they
            should be.
    """

    told: Any
    calls: list[tuple[str, dict[str, Any]]]
    model_runs: int
    upstream_runs: int
    sockets: int
    posts: int
    trouble: list[Any]


def expected(scenario: Scenario) -> Outcome:
    """Return what must come of a scenario over every upstream."""
    runs = scenario.model_runs
    posts = scenario.posts
    return Outcome(
        scenario.expected, _sorted(scenario.calls), runs, runs, scenario.sockets, posts, trouble=[]
    )


async def play(scenario: Scenario, kind: str) -> tuple[Outcome, Recorder]:
    """Play a scenario over an upstream of a kind."""
    settings = Settings(port=0, drain_timeout=0.2)
    with _complaints() as logged:
        async with behind(kind) as upstream:
            config = Config(server=settings, upstream=(upstream.config,))
            async with (
                build(config, {}).gateway() as gateway,
                recorder(gateway.url) as between,
            ):
                bench = Bench(f"{between.url}/v1", between)
                told = await _played(scenario.play, bench)
                statistics = gateway.statistics()
                runs = upstream.model_runs() if upstream.model_runs else statistics.model_runs
            refused = upstream.complaints()
    trouble = [*logged, *refused, *between.failures]
    trouble += [event for event in between.socket_events if event["type"] == "error"]
    trouble += sorted(strangers(between) - KNOWN_STRANGERS)
    outcome = Outcome(
        told,
        _sorted(bench.calls),
        statistics.model_runs,
        runs,
        between.sockets,
        len(between.posts),
        trouble,
    )
    return outcome, between


def _sorted(calls: list[tuple[str, dict[str, Any]]]) -> list[tuple[str, dict[str, Any]]]:
    return sorted(calls, key=repr)


async def _played(playing: Callable[[Bench], Any], bench: Bench) -> Any:
    """Play, in a thread if the client is not async."""
    if inspect.iscoroutinefunction(playing):
        return await playing(bench)
    return await asyncio.to_thread(playing, bench)


@contextmanager
def _complaints() -> Iterator[list[Any]]:
    """Keep what is logged as a warning or worse, by anybody, and what nobody caught."""
    kept: list[Any] = []

    class Keeper(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            kept.append((record.name, record.levelname, record.getMessage()))

    keeper = Keeper(logging.WARNING)
    logging.getLogger().addHandler(keeper)
    hook, sys.unraisablehook = sys.unraisablehook, lambda each: kept.append(repr(each))
    try:
        yield kept
    finally:
        sys.unraisablehook = hook
        logging.getLogger().removeHandler(keeper)
