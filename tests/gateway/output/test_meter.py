"""How much a model run has said, and what it costs if nobody tells."""

from __future__ import annotations

import asyncio
from contextlib import aclosing
from typing import TYPE_CHECKING, Any

import msgspec
import pytest

from gateway.support import Puppet, TurnsInMemory, talk, until
from turnwire.events.codec import decode_event
from turnwire.gateway.access.limits import Allowance
from turnwire.gateway.config.tables import Limits
from turnwire.gateway.interruption import Interruption
from turnwire.gateway.output.meter import Meter
from turnwire.gateway.store.event_log import EventLog
from turnwire.gateway.upstreams import UpstreamFailed
from turnwire.gateway.upstreams.deltas import (
    ArgumentsDelta,
    CallStarted,
    Finished,
    TextDelta,
    UsageReport,
)

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator
    from pathlib import Path

    from turnwire.events import Event
    from turnwire.gateway.context import Prompt
    from turnwire.gateway.upstreams.deltas import Delta

Json = dict[str, Any]


def event(kind: str, **members: Any) -> Event:
    return decode_event(msgspec.json.encode({"type": kind, **members}))


def delta(text: str) -> Event:
    return event(
        "response.output_text.delta",
        item_id="m",
        output_index=0,
        content_index=0,
        delta=text,
        obfuscation="x" * 100,
    )


def metered(*said: Delta | Event) -> int:
    meter = Meter(2**20)
    for each in said:
        meter.add(each)
    return meter.output_bytes


def test_texts_count_by_their_bytes() -> None:
    assert metered(TextDelta("abc"), TextDelta("äöü"), UsageReport(), Finished()) == 9
    assert metered(CallStarted(0, "name"), ArgumentsDelta(0, "{}")) == 70


def test_an_event_counts_by_what_it_adds() -> None:
    done = event("response.output_text.done", item_id="m", output_index=0, text="x" * 500)
    assert metered(delta("abc"), delta("ä"), done) == 5


def test_an_item_that_came_in_pieces_and_as_a_whole_counts_once() -> None:
    item = event("response.output_item.done", output_index=0, item={"type": "new", "text": "abc"})
    end = event("response.completed", response={"id": "r", "output": [{"text": "x" * 500}]})
    assert metered(item, end) == len(item.raw)
    assert metered(delta("y" * 300), item, end) == 300


def test_what_is_too_much_is_told_with_the_limit() -> None:
    meter = Meter(4)
    meter.add(TextDelta("1234"))
    meter.check()
    meter.add(TextDelta("5"))
    with pytest.raises(UpstreamFailed, match="more than 4 bytes"):
        meter.check()


class Runaway:
    """A model that says far too much, over either kind of upstream."""

    models = ("runaway",)

    def __init__(self, piece: Delta | Event) -> None:
        self.piece = piece
        self.closed = False

    async def generate(self, prompt: Prompt) -> AsyncGenerator[Delta | Event]:
        try:
            for _ in range(1000):
                yield self.piece
        finally:
            self.closed = True


@pytest.mark.parametrize("piece", [TextDelta("x" * 10), delta("x" * 10)], ids=["deltas", "events"])
async def test_a_model_that_says_too_much_is_stopped_and_its_turn_fails(
    piece: Delta | Event,
) -> None:
    upstream = Runaway(piece)
    memory = TurnsInMemory(upstream)
    memory.turns._max_output_bytes = 100
    *_, terminal = await memory.events(input="Hello")
    assert (terminal["type"], upstream.closed) == ("response.failed", True)
    assert terminal["response"]["error"] == {
        "code": "server_error",
        "message": "The model said more than 100 bytes in one turn, which is the gateway's limit."
        " Ask for less, such as with `max_output_tokens`; or let whoever runs the gateway raise"
        " `max_output_bytes`.",
    }
    assert memory.statistics.model_runs_active == 0


@pytest.mark.io
async def test_the_limit_is_a_setting() -> None:
    async with talk(Runaway(TextDelta("x" * 10)), max_output_bytes=100) as here:
        client = await here.dial()
        await client.create(input="Hello")
        failed = (await client.terminal())["response"]
        assert "more than 100 bytes" in failed["error"]["message"]


class Charged(Allowance):
    """What a limited key has to pay."""

    def __init__(self) -> None:
        super().__init__(Limits(tokens_per_minute=1000))
        self.tokens: list[int] = []

    def end_turn(self, tokens: int, now: float) -> None:
        super().end_turn(tokens, now)
        self.tokens.append(tokens)


ASKED = {"model": "m", "input": "x" * 400, "store": False}
INPUT_TOKENS = 119  # of 400 letters, and the item that they are in


async def told(*said: Delta | Exception, end: str = "") -> list[int]:
    """Let the model say this, end the turn in some way, and return what was charged."""
    puppet, charged, interruption = Puppet(), Charged(), Interruption()
    turn = TurnsInMemory(puppet).turns.events(
        ASKED, EventLog(""), allowance=charged, interruption=interruption
    )
    kinds: asyncio.Queue[str] = asyncio.Queue()

    async def listen() -> None:
        async with aclosing(turn):
            async for each in turn:
                kinds.put_nowait(each["type"])

    listening = asyncio.create_task(listen())
    run = await puppet.run()
    for each in said:
        if isinstance(each, Exception):
            run.fail(each)
            continue
        run.say(each)
        if isinstance(each, TextDelta):
            while await kinds.get() != "response.output_text.delta":
                pass
    match end:
        case "left":
            listening.cancel()
        case "cancelled":
            interruption.cancel()
        case "steered":
            interruption.steer()
            run.say(CallStarted(0, "f"))
    await asyncio.wait([listening])
    return charged.tokens


@pytest.mark.parametrize("end", ["left", "cancelled", "steered"])
async def test_a_turn_that_is_ended_early_is_charged_an_estimate(end: str) -> None:
    words = (TextDelta("y" * 80), TextDelta("z" * 40))
    assert await told(*words, end=end) == [INPUT_TOKENS + 30]


@pytest.mark.parametrize("end", ["left", "cancelled"])
async def test_it_is_charged_what_it_asked_even_before_the_first_word(end: str) -> None:
    assert await told(end=end) == [INPUT_TOKENS]


async def test_a_server_that_does_not_count_is_counted_for() -> None:
    assert await told(TextDelta("y" * 80), Finished()) == [INPUT_TOKENS + 20]


async def test_what_the_server_says_is_what_is_charged() -> None:
    usage = UsageReport(input_tokens=5, output_tokens=2)
    assert await told(TextDelta("y" * 80), usage, Finished()) == [7]


async def test_a_model_that_refuses_costs_nothing_and_one_that_breaks_off_does() -> None:
    failure = UpstreamFailed("No.", status=503)
    assert await told(failure) == [0]
    assert await told(TextDelta("y" * 80), failure) == [INPUT_TOKENS + 20]


@pytest.mark.io
async def test_the_access_log_tells_an_estimate_from_a_count(tmp_path: Path) -> None:
    puppet, path = Puppet(), tmp_path / "access.log"
    async with talk(puppet, access_log=str(path)) as here:
        client = await here.dial()
        await client.create(**ASKED)
        (run := await puppet.run()).say(UsageReport(input_tokens=5, output_tokens=2))
        run.finish("Hi.")
        await client.terminal()
        await client.create(**ASKED)
        (await puppet.run()).say("y" * 80)
        await client.until("response.output_text.delta")
        await client.raw.close()
        await until(lambda: here.gateway.statistics().sockets_open == 0)
        await until(lambda: path.read_text("utf-8").count('"turn"') == 2)
    first, second = (
        line
        for line in map(msgspec.json.decode, path.read_text("utf-8").splitlines())
        if line["event"] == "turn"
    )
    assert ("estimated_tokens" in first, first["output_tokens"]) == (False, 2)
    assert (second["estimated_tokens"], second["output_tokens"]) == (INPUT_TOKENS + 20, 0)
