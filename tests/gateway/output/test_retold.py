"""Events that are told again: what a client reads from them is what the first ones said."""

from __future__ import annotations

import pytest

from gateway.support import Json, Puppet, TurnsInMemory, function, talk
from turnwire.gateway.output.retold import retold


def in_one_piece(events: list[Json]) -> list[Json]:
    """Join the deltas that follow each other."""
    joined: list[Json] = []
    for event in events:
        last = joined[-1] if joined else {"type": ""}
        if event["type"].endswith(".delta") and event["type"] == last["type"]:
            joined[-1] = last | {"delta": last["delta"] + event["delta"]}
        else:
            joined.append(event)
    return joined


WEATHER = function("get_weather", "Weather of a city", city={"type": "string"})
CREATES: dict[str, Json] = {
    "text": {"input": "WORDS 12"},
    "call": {"input": 'CALL get_weather {"city": "Rome"}', "tools": [WEATHER]},
    "incomplete": {"input": "WORDS 50", "max_output_tokens": 3},
    "empty": {"input": "x", "generate": False},
}


@pytest.mark.parametrize("create", CREATES.values(), ids=CREATES)
async def test_they_are_those_that_were_shown_with_each_text_in_one_piece(create: Json) -> None:
    shown = await TurnsInMemory().events(**create)
    assert retold(shown[-1]["response"]) == in_one_piece(shown)


async def test_a_failed_response_ends_as_one() -> None:
    puppet = Puppet()
    async with talk(puppet) as here:
        client = await here.dial()
        await client.create(input="x")
        run = await puppet.run()
        run.say("word")
        run.cut()
        terminal = await client.terminal()
    events = retold(terminal["response"])
    assert (events[-1]["type"], events[-1]["response"]) == ("response.failed", terminal["response"])
    assert events[0]["response"]["error"] is None


@pytest.mark.io
async def test_a_stream_of_events_that_made_room_is_told_again_from_its_beginning() -> None:
    async with talk(log_bytes=1) as here:
        _, response = await here.post(input="WORDS 20")
        events = await here.fetch(response["id"])
        assert [event.pop("sequence_number") for event in events] == list(range(len(events)))
        assert events == retold(response)
        assert here.gateway.statistics().model_runs == 1
