"""How things end that nobody ended: programs, clients, servers that were down for a moment."""

from __future__ import annotations

import asyncio
import gc
import socket
import sys
from typing import TYPE_CHECKING, Any

import pytest

from adapters.drop_in_calls import ASK, Calls, opened
from turnwire.testing import Gate, Peer, answer, wait

if TYPE_CHECKING:
    from types import ModuleType

pytestmark = pytest.mark.io

PROGRAM = """
import sys
import turnwire.{library} as ours

client = ours.Client()
request = client.build_request(
    "POST", sys.argv[1] + "/responses", json={{"model": "any", "input": "Hi", "stream": True}}
)
response = client.send(request, stream=True)
pieces = response.iter_bytes()
print(len(next(pieces)) > 0)


class Left:
    def __del__(self, close=response.close):
        close()


left = Left()
"""


async def test_a_program_that_leaves_a_stream_ends(library: str) -> None:
    """Finalisers run when threads do not any more: nobody must wait for one."""
    steps = [answer("Hello"), wait(Gate(), after="response.output_text.delta")]
    async with Peer(lambda _: steps) as peer:
        program = await asyncio.create_subprocess_exec(
            sys.executable,
            "-c",
            PROGRAM.format(library=library),
            peer.base_url,
            stdout=asyncio.subprocess.PIPE,
        )
        async with asyncio.timeout(30):
            said, _ = await program.communicate()
        assert (program.returncode, said.split()) == (0, [b"True"])


async def test_a_client_that_is_let_go_closes_its_sockets(ours: ModuleType) -> None:
    async with Peer() as peer:
        clients: list[Any] = [ours.AsyncClient()]
        await Calls(clients[0], f"{peer.base_url}/responses", is_async=True).ask(ASK)
        tasks = len(asyncio.all_tasks())

        def let_go() -> None:
            clients.clear()
            gc.collect()

        with pytest.warns(ResourceWarning, match="was not closed"):
            let_go()
        await peer.wait_until(lambda: peer.connections[0].close_code is not None)
        assert len(asyncio.all_tasks()) < tasks


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port: int = server.getsockname()[1]
        return port


async def test_a_server_that_is_down_says_nothing_of_sockets(way: Any, theirs: ModuleType) -> None:
    ours, is_async = way
    client = ours.AsyncClient() if is_async else ours.Client()
    calls = Calls(client, f"http://127.0.0.1:{free_port()}/v1/responses", is_async=is_async)
    try:
        for _ in range(2):
            with pytest.raises(theirs.ConnectError):
                await calls.ask()
            assert client.turnwire.health().state == "closed"
    finally:
        await calls.close()


async def test_http_that_works_shows_that_sockets_do_not(way: Any) -> None:
    async with Peer(handshake=426) as peer, opened(way, peer) as calls:
        await calls.ask()
        await calls.ask()
        assert calls.client.turnwire.health().state == "open"
        assert peer.model_runs == 2
