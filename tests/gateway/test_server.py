"""The gateway on a port, embedded and as a program."""

import asyncio
import os
import signal
import sys

import aiohttp
import pytest
from typer.testing import CliRunner

from gateway.support import Client, text_of
from turnwire.cli.app import app
from turnwire.errors import ConfigError
from turnwire.gateway import Gateway, Settings
from turnwire.gateway.config.tables import Config
from turnwire.gateway.store import MemoryStore
from turnwire.gateway.upstreams.scripted import ScriptedUpstream

PROGRAM = """
from turnwire.gateway import Settings, run
run(Settings(port=0, drain_timeout=20), on_ready=lambda gateway: print(gateway.url, flush=True))
print("stopped")
"""


@pytest.mark.io
async def test_it_is_there_while_the_block_runs() -> None:
    async with aiohttp.ClientSession() as session:
        async with Gateway() as gateway:
            url = f"http://127.0.0.1:{gateway.port}"
            assert (url, url + "/v1") == (gateway.url, gateway.base_url)
            async with session.get(gateway.base_url + "/models") as answer:
                assert answer.status == 200
        with pytest.raises(aiohttp.ClientConnectionError):
            await session.get(url + "/healthz")


@pytest.mark.io
async def test_a_port_that_is_taken_is_a_clear_error() -> None:
    async with Gateway() as gateway:
        with pytest.raises(ConfigError, match=rf"cannot listen on 127\.0\.0\.1:{gateway.port}"):
            await Gateway(port=gateway.port).__aenter__()


class Closable(ScriptedUpstream):
    closed = False

    async def aclose(self) -> None:
        self.closed = True


async def test_a_host_that_is_no_name_is_a_clear_error_and_nothing_stays_open() -> None:
    upstream = Closable()
    with pytest.raises(ConfigError, match="cannot listen on"):
        await Gateway(host="a" * 64 + ".example", upstream=upstream).__aenter__()
    assert upstream.closed


class FailsToClose(ScriptedUpstream):
    async def aclose(self) -> None:
        raise ValueError("no")


class Closing(MemoryStore):
    closed = False

    async def close(self) -> None:
        self.closed = True


@pytest.mark.io
async def test_the_store_is_closed_whatever_the_upstream_does() -> None:
    store = Closing(1, 1)
    with pytest.raises(ValueError, match="no"):
        async with Gateway(upstream=FailsToClose(), store=store):
            pass
    assert store.closed


@pytest.mark.io
async def test_bound_to_all_addresses_its_own_url_is_loopback() -> None:
    async with Gateway(host="0.0.0.0") as gateway:
        assert gateway.url == f"http://127.0.0.1:{gateway.port}"


@pytest.mark.parametrize(
    "settings",
    [
        {"port": -1},
        {"linger": -1},
        {"log_bytes": 0},
        {"max_age": 0},
        {"outbox_bytes": 0},
        {"max_message_bytes": -5},
        {"allowed_hosts": "example.com"},
        {"allowed_origins": "*"},
    ],
)
def test_settings_that_cannot_work_are_refused(settings: dict[str, object]) -> None:
    (name,) = settings
    with pytest.raises(ConfigError, match=f"`{name}`"):
        Settings(**settings)  # type: ignore[arg-type]


@pytest.mark.parametrize(("options", "linger"), [([], 0.0), (["--linger", "2.5"], 2.5)])
def test_the_command_line_says_how_long_turns_linger(
    monkeypatch: pytest.MonkeyPatch, options: list[str], linger: float
) -> None:
    given: list[Config] = []
    monkeypatch.setattr("turnwire.cli.serve.serve", lambda config, _: given.append(config))
    assert CliRunner().invoke(app, ["serve", *options]).exit_code == 0
    assert given == [Config(server=Settings(linger=linger))]


def test_the_command_line_takes_no_time_below_zero() -> None:
    assert CliRunner().invoke(app, ["serve", "--linger", "-1"]).exit_code == 2


def test_a_port_beside_settings_is_refused() -> None:
    with pytest.raises(ConfigError, match="inside `settings`"):
        Gateway(port=1, settings=Settings())


@pytest.mark.io
@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_a_signal_lets_running_turns_finish(number: signal.Signals) -> None:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", PROGRAM, stdout=asyncio.subprocess.PIPE, env=dict(os.environ)
    )
    assert process.stdout is not None
    url = (await process.stdout.readline()).decode().strip()
    async with aiohttp.ClientSession() as session:
        client = Client(await session.ws_connect(url + "/v1/responses"))
        await client.create(input="PACE 0.01\nWORDS 20")
        await client.until("response.output_text.delta")
        process.send_signal(number)
        assert len(text_of((await client.terminal())["response"]).split()) == 20
        assert await client.closed() == 1001
    assert (await process.stdout.read(), await process.wait()) == (b"stopped\n", 0)


@pytest.mark.io
@pytest.mark.slow
async def test_a_second_signal_stops_at_once() -> None:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", PROGRAM, stdout=asyncio.subprocess.PIPE, env=dict(os.environ)
    )
    assert process.stdout is not None
    url = (await process.stdout.readline()).decode().strip()
    async with aiohttp.ClientSession() as session:
        client = Client(await session.ws_connect(url + "/v1/responses"))
        await client.create(input="PACE 60\nWORDS 20")
        await client.until("response.in_progress")
        process.terminate()
        # Answered with the limit error once the first signal has been seen.
        refused = False
        while not refused:
            await client.create(input="x", stream_id="b")
            event = (await client.until("response.completed", "error"))[-1]
            refused = event["type"] == "error"
        process.terminate()
        assert await process.wait() == 0
        await client.raw.close()
