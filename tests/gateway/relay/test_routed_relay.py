"""Upstreams that speak events beside one that speaks deltas, behind one name."""

from __future__ import annotations

import pytest

from gateway.relay.relaying import TRANSPORTS, upstream_at
from gateway.support import TERMINAL, talk, text_of
from turnwire.gateway.upstreams.routed import Route, RoutedUpstream
from turnwire.gateway.upstreams.scripted import ScriptedUpstream
from turnwire.testing import Peer, Turns, answer, deltas, drop, error

pytestmark = pytest.mark.io


@pytest.mark.parametrize("transport", TRANSPORTS)
async def test_another_upstream_takes_over_before_output_and_none_after(transport: str) -> None:
    script = Turns([answer("Hello")], [error(None, 503)], [deltas(9), drop(after=8)])
    async with Peer(script) as peer:
        events = Route(name="a", upstream=upstream_at(peer, transport=transport), retries=0)
        routed = RoutedUpstream([events, Route(name="b", upstream=ScriptedUpstream())])
        async with talk(routed) as talking:
            client = await talking.dial()
            assert text_of(await client.respond(input="WORDS 2")) == "Hello"
            assert text_of(await client.respond(input="WORDS 2")) == "one lane"
            await client.create(input="WORDS 2")
            shown = await client.until(*TERMINAL)
            assert shown[-1]["type"] == "response.failed"
            assert text_of(shown[-1]["response"]) == "word " * 4
            assert peer.model_runs == 2
