"""The three ways to do the same work, and one run of one of them, measured."""

from __future__ import annotations

import time
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Any, Final

from turnwire.cli.ask import DEMO_MODEL
from turnwire.client.aio import AsyncClient
from turnwire.events import ResponseCompletedEvent, ResponseFunctionToolCall
from turnwire.events import ResponseOutputItemDoneEvent as ItemDone

if TYPE_CHECKING:
    from collections.abc import Iterator

    from turnwire.cli.demo.process import FarSide
    from turnwire.cli.files import FileTools
    from turnwire.core.request import Transport
    from turnwire.events import Event


@dataclass(frozen=True, slots=True)
class Way:
    """One way.

    Attributes:
        key: Its name in JSON.
        title: Its name for people.
        transport: How turns travel.
        store: Whether the server keeps responses, so that HTTP can continue them.
        sends_all: Whether every turn carries the whole history.
    """

    key: str
    title: str
    transport: Transport
    store: bool
    sends_all: bool


WAYS: Final = (
    Way("http_full", "HTTP, full history", "http", store=False, sends_all=True),
    Way("http_linked", "HTTP, previous_response_id", "http", store=True, sends_all=False),
    Way("websocket", "WebSocket chain", "websocket", store=False, sends_all=False),
)

INSTRUCTIONS: Final = (
    "You answer questions about the files of a folder. Look before you answer: list, search and"
    " read as much as you need, and quote what you found."
)


@dataclass(frozen=True, slots=True)
class Job:
    """What the agent is asked.

    Attributes:
        question: About the files.
        calls: How many tool calls it makes before it answers.
        tools: The tools, for real, on a real folder.
    """

    question: str
    calls: int
    tools: FileTools


@dataclass(slots=True)
class Live:
    """What a run has done so far; the display reads it whenever it likes."""

    turns: int = 0
    calls: int = 0


@dataclass(frozen=True, slots=True)
class Run:
    """One run of one way; durations in seconds.

    Attributes:
        calls: Tool calls in order, as name and JSON arguments.
        outputs: What the tools said, in order.
        answer: What the model said at the end.
        sent: Bytes from the client that crossed the link, headers and all; ``received`` likewise.
        sent_per_turn: The same, turn by turn; the first includes setting up the connection.
        wall: From the first dial to the answer.
        cpu: CPU time of the client's thread in the meantime: tools run in other threads.
        linked_turns: Turns that sent only what was new.
    """

    way: Way
    calls: tuple[tuple[str, str], ...]
    outputs: tuple[str, ...]
    answer: str
    sent: int
    received: int
    sent_per_turn: tuple[int, ...]
    wall: float
    cpu: float
    linked_turns: int

    @property
    def turns(self) -> int:
        """How many turns it took."""
        return len(self.sent_per_turn)


async def run_way(way: Way, job: Job, far: FarSide, live: Live) -> Run:
    """Do the job one way.

    Raises:
        TurnwireError: A turn failed.
    """
    counts = far.counts
    sent_before, received_before = counts.sent, counts.received
    marks = [sent_before]

    def watch(event: Event) -> None:
        if type(event) is ResponseCompletedEvent:
            marks.append(counts.sent)
            live.turns += 1
        elif type(event) is ItemDone and isinstance(event.item, ResponseFunctionToolCall):
            live.calls += 1

    started, cpu_started = time.perf_counter(), time.thread_time()
    async with AsyncClient(
        base_url=far.base_url,
        api_key="unused",  # never the caller's own
        transport=way.transport,
        trust_env=False,
    ) as client:
        chain = client.chain(
            model=DEMO_MODEL,
            instructions=INSTRUCTIONS,
            tools=job.tools.functions(),
            store=way.store,
        )
        prompt = f"{job.question}\nEXPLORE {job.calls}"
        response = await chain.run(prompt, max_turns=job.calls + 1, on_event=watch)
        wall, cpu = time.perf_counter() - started, time.thread_time() - cpu_started
        statistics = client.statistics()
    history = chain.history
    return Run(
        way=way,
        calls=tuple(_calls(history)),
        outputs=tuple(item["output"] for item in history if "output" in item),
        answer=response.output_text,
        sent=counts.sent - sent_before,
        received=counts.received - received_before,
        sent_per_turn=tuple(after - before for before, after in pairwise(marks)),
        wall=wall,
        cpu=cpu,
        linked_turns=statistics.chain_hits,
    )


def _calls(history: list[dict[str, Any]]) -> Iterator[tuple[str, str]]:
    for item in history:
        if item.get("type") == "function_call":
            yield item["name"], item["arguments"]
