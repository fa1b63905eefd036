"""A gateway as the upstream of a gateway."""

from __future__ import annotations

import pytest

from gateway.support import TERMINAL, Puppet, calls_of, function, output_of, talk, text_of, until
from turnwire.gateway import Gateway
from turnwire.gateway.upstreams.responses import ResponsesOptions, ResponsesUpstream

pytestmark = pytest.mark.io

WAYS = [
    {"transport": "websocket"},
    {"transport": "http", "continues": True},
    {"transport": "http"},
]


def upstream_at(gateway: Gateway, **options: object) -> ResponsesUpstream:
    made = ResponsesOptions(trust_env=False, **options)  # type: ignore[arg-type]
    return ResponsesUpstream(gateway.base_url, made)


@pytest.mark.parametrize("options", WAYS)
async def test_an_agent_runs_through_both(options: dict[str, object]) -> None:
    tools = [function("get_weather", "Weather of a city", city={"type": "string"})]
    async with Gateway() as far, talk(upstream_at(far, **options)) as near:
        client = await near.dial()
        first = await client.respond(input="The weather in Oslo?", tools=tools)
        (call,) = calls_of(first)
        second = await client.respond(
            previous_response_id=first["id"], input=[output_of(call, "rain")], tools=tools
        )
        assert text_of(second) == "FINAL after tool: \nrain"
        assert far.statistics().model_runs == near.gateway.statistics().model_runs == 2


async def test_a_client_that_vanishes_stops_the_run_behind_both() -> None:
    puppet = Puppet()
    async with Gateway(upstream=puppet) as far, talk(upstream_at(far, **WAYS[0])) as near:
        client = await near.dial()
        await client.create(input="x")
        run = await puppet.run()
        run.say("one")
        await client.until("response.output_text.delta")
        await client.raw.close()
        await run.stopped.wait()
        await until(lambda: far.statistics().model_runs_active == 0)


@pytest.mark.parametrize("options", WAYS)
async def test_a_cut_behind_both_is_visible(options: dict[str, object]) -> None:
    puppet = Puppet()
    async with Gateway(upstream=puppet) as far, talk(upstream_at(far, **options)) as near:
        client = await near.dial()
        await client.create(input="x")
        run = await puppet.run()
        run.say("half")
        run.cut()
        events = await client.until(*TERMINAL)
        assert events[-1]["type"] == "response.failed"
        assert text_of(events[-1]["response"]) == "half"
        assert far.statistics().model_runs == 1
