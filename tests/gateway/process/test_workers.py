"""Several processes on one port."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
from pathlib import Path

import aiohttp
import pytest

from cli.command import Done, finish, run
from gateway.process.running import post, running
from gateway.support import Client, text_of, until
from turnwire.errors import ConfigError
from turnwire.gateway.process.ports import reserved_port
from turnwire.gateway.process.workers import restart_pause


def test_a_worker_that_keeps_dying_is_started_less_and_less_often() -> None:
    assert [restart_pause(failures) for failures in (0, 1, 2, 3)] == [0.1, 0.2, 0.4, 0.8]
    assert restart_pause(9) == restart_pause(10**6) == 30


@pytest.mark.io
def test_a_port_of_the_systems_choice_stays_chosen_and_can_be_shared() -> None:
    with reserved_port("127.0.0.1", 0) as port, socket.socket() as sharing:
        sharing.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        sharing.bind(("127.0.0.1", port))
        with socket.socket() as alone, pytest.raises(OSError, match="in use"):
            alone.bind(("127.0.0.1", port))


@pytest.mark.io
def test_a_port_that_others_share_is_not_joined_unawares() -> None:
    with reserved_port("127.0.0.1", 0) as port, socket.socket() as listening:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        listening.bind(("127.0.0.1", port))
        listening.listen()
        with (
            pytest.raises(ConfigError, match=f"cannot listen on 127.0.0.1:{port}"),
            reserved_port("127.0.0.1", port),
        ):
            pass


@pytest.mark.io
def test_a_port_can_be_reserved_as_soon_as_a_gateway_without_workers_has_left_it() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        port = listening.getsockname()[1]
        with socket.create_connection(("127.0.0.1", port)) as client:
            listening.accept()[0].close()  # the server closes first: its side lingers
            assert client.recv(1) == b""
    with reserved_port("127.0.0.1", port) as reserved:
        assert reserved == port


@pytest.mark.io
def test_a_host_that_is_none_is_a_clear_error() -> None:
    with pytest.raises(ConfigError, match="cannot listen"), reserved_port("256.1.1.1", 0):
        pass


@pytest.mark.io
@pytest.mark.slow
async def test_any_worker_continues_what_another_one_began(tmp_path: Path) -> None:
    async with (
        running("--workers", "2", "--data", str(tmp_path)) as here,
        aiohttp.ClientSession() as session,
    ):
        assert "2 workers" in here.introduction
        assert "a memory of its own" not in here.introduction
        assert len(here.workers()) == 2
        response = await post(session, here.url, input="Hello")
        for _ in range(20):  # with one store a worker, this would go well once in a million
            response = await post(
                session, here.url, input="And?", previous_response_id=response["id"]
            )
        here.process.terminate()
        assert await finish(here.process) == Done(0, "Stopped. Turns served: 21.\n", "")


@pytest.mark.io
@pytest.mark.slow
async def test_a_worker_that_dies_is_replaced_on_the_same_port() -> None:
    async with running("--workers", "2") as here, aiohttp.ClientSession() as session:
        assert "each worker has a memory of its own" in here.introduction
        before = here.workers()
        os.kill(before[0], signal.SIGKILL)
        await until(lambda: bool(set(here.workers()) - set(before)))
        os.kill(before[1], signal.SIGKILL)  # so that only the new one is left, once it listens
        reached = False
        while not reached:
            try:
                await post(session, here.url, input="Hello")
                reached = True
            except aiohttp.ClientError:
                await asyncio.sleep(0.01)
        here.process.send_signal(signal.SIGINT)
        done = await finish(here.process)
        assert (done.code, done.out.startswith("Stopped.")) == (0, True)
        assert "ended with status -9; it is started again" in done.err


@pytest.mark.io
@pytest.mark.slow
async def test_all_of_them_drain_on_one_signal(tmp_path: Path) -> None:
    patient = tmp_path / "gateway.toml"
    patient.write_text("workers = 2\nserver = { drain_timeout = 50 }\n")
    async with running("--config", str(patient)) as here, aiohttp.ClientSession() as session:
        sockets = [Client(await session.ws_connect(here.url + "/responses")) for _ in range(6)]
        for client in sockets:
            await client.create(input="PACE 0.01\nWORDS 20")
            await client.until("response.output_text.delta")
        here.process.terminate()

        async def end(client: Client) -> tuple[int, int | None]:
            words = text_of((await client.terminal())["response"]).split()
            return len(words), await client.closed()

        assert await asyncio.gather(*map(end, sockets)) == [(20, 1001)] * 6
        assert await finish(here.process) == Done(0, "Stopped. Turns served: 6.\n", "")


@pytest.mark.io
@pytest.mark.slow
async def test_workers_do_not_outlive_the_process_that_started_them() -> None:
    async with running("--workers", "2") as here:
        workers = here.workers()
        here.process.kill()
        await here.process.wait()
        await until(lambda: not any(Path(f"/proc/{each}").exists() for each in workers))


@pytest.mark.io
@pytest.mark.slow
async def test_workers_that_cannot_start_are_one_clear_error(tmp_path: Path) -> None:
    (tmp_path / "responses.sqlite3").write_text("not a database")
    done = await run("serve", "--port", "0", "--workers", "2", "--data", str(tmp_path))
    assert (done.code != 0, done.out) == (True, "")
    assert done.err.startswith("error: ")
    assert done.err.count("\n") == 1
