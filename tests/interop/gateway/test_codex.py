"""Codex CLI itself through the gateway: one socket, its tools, its patches and its agents."""

from __future__ import annotations

import json
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any, Final

import pytest

from interop.gateway.behind import KINDS, behind
from interop.gateway.codex import Codex
from interop.gateway.lab import KNOWN_STRANGERS
from interop.gateway.recorder import recorder
from interop.gateway.shapes import strangers
from turnwire.gateway.config.building import build
from turnwire.gateway.config.settings import Settings
from turnwire.gateway.config.tables import Config, UpstreamConfig
from turnwire.gateway.upstreams.chat.options import ChatOptions

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from interop.gateway.recorder import Recorder

pytestmark = [pytest.mark.interop, pytest.mark.io, pytest.mark.servers, pytest.mark.slow]

# Codex sends the one and wants the other, and the SDK's models know neither.
STRANGERS: Final = KNOWN_STRANGERS | {
    "WebSearchTool.search_content_types",
    "ResponseCustomToolCall.status",
}


def call(name: str, **arguments: Any) -> str:
    """Return the line that makes the model call a tool."""
    return f"CALL {name} {json.dumps(arguments)}"


def command(text: str) -> str:
    return call("exec_command", cmd=text)


@asynccontextmanager
async def gateway(
    upstream: UpstreamConfig, settings: Settings | None = None
) -> AsyncIterator[Recorder]:
    """Run the gateway before an upstream; in the end look at everything that it said."""
    config = Config(server=settings or Settings(port=0, drain_timeout=0.2), upstream=(upstream,))
    async with build(config, {}).gateway() as running, recorder(running.url) as between:
        yield between
    assert strangers(between) <= STRANGERS


def turns(between: Recorder) -> list[Any]:
    """Return what each turn began with: None for a warm-up, else whether it goes on from one."""
    return [
        None if sent.get("generate") is False else "previous_response_id" in sent
        for sent in between.sent
        if sent["type"] == "response.create"
    ]


@pytest.mark.parametrize("kind", KINDS)
async def test_it_works_with_tools_on_one_socket(kind: str, tmp_path: Path) -> None:
    prompt = "\n".join(
        [
            command("echo one > one.txt; cat one.txt"),
            command("echo beside"),
            f"THEN {command('cat one.txt one.txt')}",
            "Go.",
        ]
    )
    async with behind(kind) as upstream, gateway(upstream.config) as between:
        codex = Codex(tmp_path, f"{between.url}/v1")
        first = await codex.run(prompt)
        assert (first.status, first.errors) == (0, [])
        assert first.outputs == [("beside\n", 0), ("one\n", 0), ("one\none\n", 0)]
        (said,) = first.said
        assert said.startswith("FINAL after tool: ")
        assert (between.sockets, between.posts) == (1, [])
        # The warm-up has its system prompt; what follows brings only what is new.
        assert turns(between) == [None, True, True, True]

        # Another process, another socket: it sends the whole history, calls and outputs included.
        second = await codex.run("And now?", "resume", "--last")
        assert (second.status, second.errors) == (0, [])
        assert len(second.said) == 1
        assert "And now?" in second.said[0]
        assert (between.sockets, between.posts) == (2, [])
        assert turns(between)[4:] == [None, True]
    assert upstream.complaints() == []


async def test_its_patches_are_custom_tools(tmp_path: Path) -> None:
    patch = "*** Begin Patch\n*** Add File: two.txt\n+two\n*** End Patch\n"
    prompt = f"{call('apply_patch', input=patch)}\nTHEN {command('cat two.txt')}\nGo."
    async with behind("chat") as upstream:
        # A name that Codex knows; the model server has another one.
        config = UpstreamConfig(
            kind="chat", url=upstream.config.url, models=("*",), chat=ChatOptions(model="words")
        )
        async with gateway(config) as between:
            ran = await Codex(tmp_path, f"{between.url}/v1", model="gpt-5.5").run(prompt)
    assert (ran.status, ran.errors) == (0, [])
    (change,) = [item for item in ran.items if item["type"] == "file_change"]
    assert [each["kind"] for each in change["changes"]] == ["add"]
    assert ran.outputs == [("two\n", 0)]
    assert (between.sockets, between.posts) == (1, [])


async def test_its_agents_have_sockets_of_their_own(tmp_path: Path) -> None:
    # These tools are in a namespace.
    errand = f"{command('echo done > agent.txt')}\nGo."
    waiting = command("until test -s agent.txt; do sleep 0.1; done; cat agent.txt")
    prompt = f"{call('multi_agent_v1__spawn_agent', message=errand)}\nTHEN {waiting}\nGo."
    async with behind("chat") as upstream, gateway(upstream.config) as between:
        ran = await Codex(tmp_path, f"{between.url}/v1").run(prompt)
    assert (ran.status, ran.errors) == (0, [])
    assert ("done\n", 0) in ran.outputs
    assert (between.sockets, between.posts) == (2, [])


async def test_without_websocket_it_uses_http_at_once(tmp_path: Path) -> None:
    settings = Settings(port=0, drain_timeout=0.2, websocket=False)
    async with behind("chat") as upstream, gateway(upstream.config, settings) as between:
        ran = await Codex(tmp_path, f"{between.url}/v1").run(f"{command('echo one')}\nGo.")
    assert (ran.status, ran.outputs) == (0, [("one\n", 0)])
    assert (between.sockets, between.posts) == (0, ["/v1/responses"] * 2)
    assert between.failures == [(426, "upgrade")]


async def test_what_the_model_server_refuses_is_shown(tmp_path: Path) -> None:
    async with behind("chat") as upstream, gateway(upstream.config) as between:
        ran = await Codex(tmp_path, f"{between.url}/v1").run(f"{call('no_such_tool')}\nGo.")
    assert ran.status == 1
    (error,) = ran.errors
    assert "There is no such tool." in error
    assert between.sockets == 1
