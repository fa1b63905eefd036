"""``turnwire serve``, as users run it."""

from __future__ import annotations

import re
import signal
from typing import TYPE_CHECKING

import aiohttp
import pytest

import turnwire
from cli.command import Done, finish, run, start
from turnwire.gateway import Gateway
from turnwire.gateway.access.keys import Keyring, hash_of
from turnwire.gateway.config.tables import Key, Limits

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = [pytest.mark.io, pytest.mark.slow]

INTRODUCTION = """\
turnwire gateway on {url} (WebSocket and HTTP)
  model   turnwire-demo: scripted, needs no key; any other name is answered by it too
  ask     turnwire ask --base-url {url} --model turnwire-demo "Hello"
  or set  OPENAI_BASE_URL={url} OPENAI_MODEL=turnwire-demo OPENAI_API_KEY=unused
Ctrl-C stops it.
"""


async def read_introduction(process: object) -> tuple[str, str]:
    """Read what a gateway says when it listens; return the URL and the text."""
    lines = b""
    while not lines.endswith(b"stops it.\n"):
        line = await process.stdout.readline()  # type: ignore[attr-defined]
        assert line, await finish(process)  # type: ignore[arg-type]
        lines += line
    text = lines.decode()
    found = re.search(r"http://[^ ]+", text)
    assert found is not None
    return found[0], text


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
async def test_it_serves_until_it_is_told_to_stop(number: signal.Signals) -> None:
    process = await start("serve", "--port", "0")
    url, text = await read_introduction(process)
    assert text == INTRODUCTION.format(url=url)
    async with turnwire.AsyncClient(base_url=url) as client:
        response = await client.responses.create(model="turnwire-demo", input="Hi")
        assert response.status == "completed"
    process.send_signal(number)
    assert await finish(process) == Done(0, "Stopped. Turns served: 1.\n", "")


async def test_a_port_that_is_taken() -> None:
    process = await start("serve", "--port", "0")
    url, _ = await read_introduction(process)
    port = url.split(":")[2].removesuffix("/v1")
    done = await run("serve", "--port", port)
    assert (done.code, done.out) == (3, "")
    assert done.err.startswith(f"error: cannot listen on 127.0.0.1:{port}: ")
    assert done.err.count("\n") == 1
    process.terminate()
    await finish(process)


@pytest.mark.parametrize(
    ("options", "headers", "status"),
    [
        ([], {}, 200),
        ([], {"Origin": "http://page.example"}, 403),
        (["--allow-origin", "http://page.example"], {"Origin": "http://page.example"}, 200),
        ([], {"Host": "name.example"}, 403),
        (["--allow-host", "name.example"], {"Host": "name.example"}, 200),
    ],
)
async def test_who_may_come_in(options: list[str], headers: dict[str, str], status: int) -> None:
    process = await start("serve", "--port", "0", *options)
    url, _ = await read_introduction(process)
    async with (
        aiohttp.ClientSession() as session,
        session.get(f"{url}/models", headers=headers) as answer,
    ):
        assert answer.status == status
    process.terminate()
    assert (await finish(process)).code == 0


async def test_without_websocket_only_http_is_served() -> None:
    process = await start("serve", "--port", "0", "--no-websocket")
    url, text = await read_introduction(process)
    assert "(HTTP alone)" in text
    async with turnwire.AsyncClient(base_url=url) as client:
        with pytest.raises(turnwire.DialError) as refused:
            await client.responses.create(model="m", input="Hi", transport="websocket")
        response = await client.responses.create(model="m", input="Hi")
        assert client.health().transport == "http"
    assert (refused.value.status, response.status) == (426, "completed")
    process.terminate()
    await finish(process)


async def test_an_address_that_others_reach_is_mentioned() -> None:
    process = await start("serve", "--port", "0", "--host", "0.0.0.0")
    _, text = await read_introduction(process)
    assert " and all other addresses (WebSocket and HTTP)" in text
    assert "whoever reaches this address can use it" in text
    process.terminate()
    await finish(process)


async def test_a_port_that_is_none() -> None:
    done = await run("serve", "--port", "70000")
    assert (done.code, done.out) == (2, "")


async def test_a_configuration_with_keys_is_served(tmp_path: Path) -> None:
    made = await run("serve", "--new-key", "alice")
    key = next(line for line in made.out.splitlines() if line.startswith("tw-"))
    file = tmp_path / "gateway.toml"
    file.write_text("[server]\nport = 0\n" + made.out[made.out.index("[[key]]") :])
    process = await start("serve", "--config", str(file))
    url, _ = await read_introduction(process)
    for given, expected in ((key, "completed"), ("tw-other", None)):
        async with turnwire.AsyncClient(base_url=url, api_key=given) as client:
            if expected is None:
                with pytest.raises(turnwire.AuthenticationError):
                    await client.responses.create(model="m", input="Hi")
            else:
                response = await client.responses.create(model="m", input="Hi")
                assert response.status == expected
    process.terminate()
    assert await finish(process) == Done(0, "Stopped. Turns served: 1.\n", "")


async def test_chains_outlive_the_gateway_with_a_folder_for_data(tmp_path: Path) -> None:
    response_id = None
    for _ in range(2):
        process = await start("serve", "--port", "0", "--data", str(tmp_path))
        url, _ = await read_introduction(process)
        async with turnwire.AsyncClient(base_url=url) as client:
            response = await client.responses.create(
                model="m", input="Hi", previous_response_id=response_id, store=True
            )
            assert response.status == "completed"
            response_id = response.id
        process.terminate()
        assert (await finish(process)).code == 0


@pytest.mark.parametrize("kind", ["responses", "websocket", "auto"])
async def test_in_front_of_a_server_with_a_key(kind: str) -> None:
    entry = Key(name="gateway", hash=hash_of("tw-upstream"))
    async with Gateway(keyring=Keyring((entry,), Limits())) as server:
        options = ("--upstream", server.base_url, "--upstream-key-env", "THE_KEY")
        process = await start(
            "serve", "--port", "0", *options, "--kind", kind, THE_KEY="tw-upstream"
        )
        url, text = await read_introduction(process)
        assert f"upstream at {server.base_url}" in text
        async with turnwire.AsyncClient(base_url=url) as client:
            chain = client.chain(model="m")
            for _ in range(2):
                async with chain.turn("WORDS 3") as turn:
                    response = await turn.get_final_response()
                assert response.output_text == "one lane carries"
        process.terminate()
        assert await finish(process) == Done(0, "Stopped. Turns served: 2.\n", "")
        statistics = server.statistics()
        assert (statistics.model_runs, statistics.sockets > 0) == (2, kind != "responses")
