"""The official SDK's clients, made in one call."""

from __future__ import annotations

import sys
from importlib import import_module, reload
from typing import Any

import openai
import pytest

from turnwire import ConfigError
from turnwire.adapters.openai_client import async_openai_client, openai_client
from turnwire.testing import Peer

pytestmark = [pytest.mark.io, pytest.mark.interop]

ASK: Any = {"model": "any", "input": "Hi"}


async def test_the_async_one() -> None:
    async with Peer() as peer:
        client = async_openai_client(
            base_url=peer.base_url, api_key="k", max_retries=0, sockets={"max_sockets": 1}
        )
        assert isinstance(client, openai.AsyncOpenAI)
        async with client:
            assert (await client.responses.create(**ASK)).output_text == "Hi"
            async with client.responses.stream(**ASK) as stream:
                assert (await stream.get_final_response()).output_text == "Hi"
            copied = client.with_options(timeout=7)
            assert (await copied.responses.create(**ASK)).output_text == "Hi"
            assert (client.max_retries, client.timeout) == (0, openai.DEFAULT_TIMEOUT)
        assert (len(peer.connections), peer.posts, peer.model_runs) == (1, [], 3)


def test_the_blocking_one() -> None:
    with Peer() as peer:
        client = openai_client(base_url=peer.base_url, api_key="k", sockets={"max_sockets": 1})
        assert isinstance(client, openai.OpenAI)
        with client:
            assert client.responses.create(**ASK).output_text == "Hi"
            with client.responses.stream(**ASK) as stream:
                assert stream.get_final_response().output_text == "Hi"
        assert (len(peer.connections), peer.posts) == (1, [])


@pytest.mark.parametrize("make", [openai_client, async_openai_client])
def test_an_http_client_is_refused(make: Any) -> None:
    with pytest.raises(ConfigError, match="http_client"):
        make(api_key="k", http_client=object())


@pytest.mark.parametrize("make", [openai_client, async_openai_client])
def test_wrong_options_are_refused(make: Any) -> None:
    with pytest.raises(ConfigError, match="did you mean `max_sockets`"):
        make(api_key="k", sockets={"max_socket": 1})
    with pytest.raises(TypeError, match="max_sockets"):
        make(api_key="k", max_sockets=1)


def test_without_the_sdk_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    module = import_module("turnwire.adapters.openai_client")
    monkeypatch.setitem(sys.modules, "openai", None)
    with pytest.raises(ImportError, match=r'pip install "turnwire\[openai\]"'):
        reload(module)


@pytest.mark.parametrize("name", ["httpx", "httpx2"])
def test_without_the_library_it_says_what_to_install(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, name, None)
    monkeypatch.delitem(sys.modules, f"turnwire.{name}", raising=False)
    with pytest.raises(ImportError, match=rf'pip install "turnwire\[{name}\]"'):
        import_module(f"turnwire.{name}")
