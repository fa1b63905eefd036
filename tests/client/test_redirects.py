"""Redirects: followed within the server alone, because the key goes along; alike for both."""

from __future__ import annotations

from contextlib import asynccontextmanager
from functools import partial
from typing import TYPE_CHECKING, Any

import pytest
from aiohttp import web

import turnwire
from client.colours import error_of
from turnwire import Backoff, DialError
from turnwire.testing import Peer, refuse

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from tests.client.conftest import Open

pytestmark = pytest.mark.io

KEY = "sk-not-for-others"
END = b'data: {"type":"response.completed","response":{"id":"r","status":"completed"}}\n\n'


@pytest.fixture
def open_client(open_client: Open) -> Open:
    """Return how to open a client that tries once."""
    return partial(open_client, dial_backoff=Backoff(()), max_retries=0)


def ask(client: Any) -> Any:
    return client.responses.stream(model="m", input="x")


class Moved:
    """A server whose POSTs have moved.

    Attributes:
        seen: Path, key and body of each POST.
    """

    def __init__(self, status: int, location: str) -> None:
        self.base_url = ""
        self.seen: list[tuple[str, str | None, bytes]] = []
        self._status, self._location = status, location

    async def post(self, request: web.Request) -> web.Response:
        key = request.headers.get("Authorization")
        self.seen.append((request.path, key, await request.read()))
        if request.path != "/moved":
            return web.Response(
                status=self._status, headers={"Location": self._location}, body=b"moved"
            )
        return web.Response(body=END, content_type="text/event-stream")


@asynccontextmanager
async def moved(status: int, location: str) -> AsyncIterator[Moved]:
    server = Moved(status, location)
    app = web.Application()
    app.router.add_post("/{path:.*}", server.post)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    server.base_url = f"http://127.0.0.1:{runner.addresses[0][1]}/v1"
    try:
        yield server
    finally:
        await runner.cleanup()


@pytest.mark.parametrize("status", [307, 308])
async def test_a_post_is_sent_again_within_the_server(open_client: Open, status: int) -> None:
    async with (
        moved(status, "/moved") as server,
        open_client(server, transport="http", api_key=KEY) as client,
    ):
        response = await client.responses.create(model="m", input="x")
        assert response.id == "r"
        (first, second) = server.seen
        assert (first[0], second[0]) == ("/v1/responses", "/moved")
        assert first[1:] == second[1:] == (f"Bearer {KEY}", first[2])
        assert b'"model":"m"' in first[2]


@pytest.mark.parametrize("status", [301, 302, 303])
async def test_a_post_that_would_become_a_get_is_not(open_client: Open, status: int) -> None:
    async with moved(status, "/moved") as server, open_client(server, transport="http") as client:
        raised = await error_of(ask(client))
        assert (type(raised), raised.status, raised.body) == (DialError, status, b"moved")
        assert "it points to the same server. Only redirects" in str(raised)
        assert len(server.seen) == 1


async def test_a_post_is_not_sent_round_for_ever(open_client: Open) -> None:
    async with moved(307, "/round") as server, open_client(server, transport="http") as client:
        raised = await error_of(ask(client))
        assert (type(raised), raised.status, len(server.seen)) == (DialError, 307, 4)


async def test_a_post_is_not_sent_to_another_server(open_client: Open) -> None:
    async with (
        moved(200, "") as other,
        moved(308, f"{other.base_url.replace('//', '//you:hidden@')}?key=hidden") as server,
        open_client(server, transport="http", api_key=KEY) as client,
    ):
        raised = await error_of(ask(client))
        assert (type(raised), raised.status, raised.body) == (DialError, 308, b"moved")
        place = other.base_url.removesuffix("/v1")
        assert str(raised) == (
            "the server refused the turn with HTTP 308: no reason given; it points to"
            f" {place}. Only redirects to the same scheme, host and port are followed, 3 at most"
            " and with the method kept, because the key goes along: set `base_url` to where the"
            " server really is"
        )
        assert other.seen == []


async def test_a_dial_goes_on_within_the_server(open_client: Open) -> None:
    step = refuse(302, b"", headers={"Location": "/responses?moved=1"})
    async with (
        Peer(handshake=[step]) as peer,
        open_client(peer, transport="websocket", api_key=KEY) as client,
    ):
        assert (await client.responses.create(model="m", input="ok")).output_text == "ok"
        assert [each["Authorization"] for each in peer.handshakes] == [f"Bearer {KEY}"] * 2
        assert dict(peer.connections[0].query) == {"moved": "1"}


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_a_dial_does_not_go_to_another_server(open_client: Open, status: int) -> None:
    async with Peer() as other:
        place = other.base_url.removesuffix("/v1")
        location = {"Location": f"{place.replace('http', 'ws')}/responses?key=hidden"}
        async with (
            Peer(handshake=refuse(status, {"why": "moved"}, headers=location)) as peer,
            open_client(peer, transport="websocket", api_key=KEY) as client,
        ):
            raised = await error_of(ask(client))
            assert (type(raised), raised.status) == (DialError, status)
            assert raised.body == b'{"why":"moved"}'
            assert f"; it points to {place}. Only redirects" in str(raised)
            assert "hidden" not in repr(raised)
            assert (len(peer.handshakes), other.handshakes) == (1, [])


async def test_a_plain_socket_does_not_go_to_another_server() -> None:
    async with Peer() as other:
        location = {"Location": f"{other.base_url}/responses"}
        async with Peer(handshake=refuse(302, b"", headers=location)) as peer:
            with pytest.raises(DialError, match=r"it points to http://127\.0\.0\.1:\d+\."):
                async with turnwire.connect(base_url=peer.base_url, api_key=KEY):
                    pass
        assert other.handshakes == []
