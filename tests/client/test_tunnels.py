"""Through a forward proxy of other people's, to a server behind TLS: alike for both transports."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from functools import partial
from typing import TYPE_CHECKING, Any

import pytest

import turnwire
from client.colours import error_of
from client.real_proxy import RealProxy
from client.tls_front import Authority, Front
from turnwire import Backoff, DialError
from turnwire.testing import Peer

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

    from tests.client.conftest import Open

pytestmark = [pytest.mark.io, pytest.mark.interop]

SECRET = "s%3Acret"  # as it stands in a URL
CREDENTIALS = ("--basic-auth", "me:s:cret")


@pytest.fixture(scope="module")
def authority() -> Authority:
    return Authority()


@pytest.fixture(scope="module")
def proxy(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RealProxy]:
    """Return a proxy that wants credentials."""
    with RealProxy(tmp_path_factory.mktemp("proxy"), *CREDENTIALS) as running:
        yield running


@pytest.fixture(scope="module")
def secure_proxy(
    tmp_path_factory: pytest.TempPathFactory, authority: Authority
) -> Iterator[RealProxy]:
    """Return a proxy that is itself behind TLS."""
    folder = tmp_path_factory.mktemp("proxy")
    key, certificate = authority.write_server(folder)
    options = ("--key-file", str(key), "--cert-file", str(certificate))
    with RealProxy(folder, *options) as running:
        yield running


@contextlib.asynccontextmanager
async def secure_peer(authority: Authority, **asked: bool) -> AsyncIterator[tuple[Peer, Front]]:
    async with Peer() as peer, Front(peer, authority.server(**asked)) as front:
        yield peer, front


@pytest.fixture
def open_client(open_client: Open) -> Open:
    """Return how to open a client that tries once."""
    return partial(open_client, dial_backoff=Backoff(()), max_retries=0)


def ask(client: Any) -> Any:
    return client.responses.stream(model="m", input="x")


async def answers(client: Any) -> bool:
    return (await client.responses.create(model="m", input="ok")).output_text == "ok"


async def passed(proxy: RealProxy, what: str) -> None:
    """Wait until the proxy says so."""
    await asyncio.to_thread(proxy.logged, what)


async def test_a_tunnel_with_credentials_an_authority_and_a_certificate(
    open_client: Open, transport: str, authority: Authority, proxy: RealProxy
) -> None:
    options: dict[str, Any] = {
        "proxy": f"http://me:{SECRET}@{proxy.place}",
        "ssl_context": authority.client(certificate=True),
        "transport": transport,
    }
    async with secure_peer(authority, asks=True) as (peer, front):
        async with open_client(front, **options) as client:
            assert await answers(client)
        assert (front.dialled, peer.model_runs) == (1, 1)
        (sent,) = peer.handshakes or [post.headers for post in peer.posts]
        assert [name for name in sent if name.lower().startswith("proxy-")] == []
        await passed(proxy, f"CONNECT {front.place}")


async def test_a_plain_socket_through_a_tunnel(authority: Authority, proxy: RealProxy) -> None:
    async with secure_peer(authority) as (_, front):
        async with turnwire.connect(
            base_url=front.base_url,
            proxy=f"http://me:{SECRET}@{proxy.place}",
            ssl_context=authority.client(),
        ) as connection:
            assert connection.is_open
        await passed(proxy, f"CONNECT {front.place}")


async def test_the_proxy_of_the_environment(
    open_client: Open,
    transport: str,
    authority: Authority,
    proxy: RealProxy,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("HTTPS_PROXY", f"http://me:{SECRET}@{proxy.place}")
    options: dict[str, Any] = {"ssl_context": authority.client(), "transport": transport}
    async with secure_peer(authority) as (_, front):
        async with open_client(front, **options) as client:
            assert await answers(client)
        await passed(proxy, f"CONNECT {front.place}")


@pytest.mark.parametrize("named", ["127.0.0.1", "place", "*"])
async def test_a_server_that_needs_no_proxy(
    open_client: Open,
    transport: str,
    authority: Authority,
    monkeypatch: pytest.MonkeyPatch,
    named: str,
) -> None:
    options: dict[str, Any] = {"ssl_context": authority.client(), "transport": transport}
    async with secure_peer(authority) as (_, front):
        monkeypatch.setenv("HTTPS_PROXY", "http://127.0.0.1:1")  # where nobody listens
        monkeypatch.setenv("NO_PROXY", front.place if named == "place" else named)
        async with open_client(front, **options) as client:
            assert await answers(client)


async def test_a_plain_request_is_passed_on_with_credentials(
    open_client: Open, proxy: RealProxy
) -> None:
    """Over HTTP alone: this proxy, like others, passes no sockets on without a tunnel."""
    async with Peer() as peer:
        address = f"http://me:{SECRET}@{proxy.place}"
        async with open_client(peer, proxy=address, transport="http") as client:
            assert await answers(client)
        place = peer.base_url.split("/")[2]
        await passed(proxy, f"POST {place}/v1/responses")


@pytest.mark.parametrize("tunnel", [True, False], ids=["tunnel", "plain"])
@pytest.mark.parametrize(
    ("userinfo", "advice"),
    [
        ("", "name user and password in the proxy's URL"),
        ("me:w%2Frong@", "check user and password of the proxy"),
    ],
)
async def test_a_proxy_that_wants_other_credentials(
    open_client: Open,
    transport: str,
    authority: Authority,
    proxy: RealProxy,
    caplog: pytest.LogCaptureFixture,
    *,
    tunnel: bool,
    userinfo: str,
    advice: str,
) -> None:
    caplog.set_level(logging.DEBUG)
    options: dict[str, Any] = {
        "proxy": f"http://{userinfo}{proxy.place}",
        "ssl_context": authority.client(),
        "transport": transport,
        "api_key": "hidden",
    }
    async with (
        secure_peer(authority) as (peer, front),
        open_client(front if tunnel else peer, **options) as client,
    ):
        raised = await error_of(ask(client))
        assert (type(raised), raised.delivery, peer.model_runs) == (DialError, "queued", 0)
        assert "the proxy answered: Proxy Authentication Required (HTTP 407)" in str(raised)
        assert advice in str(raised)
        told = f"{raised!r} {raised.__cause__!r} {raised.__dict__} {client!r} {caplog.text}"
        assert [word for word in ("rong", "hidden", "Basic") if word in told] == []


async def test_a_proxy_that_cannot_reach_the_server(
    open_client: Open, transport: str, authority: Authority, proxy: RealProxy
) -> None:
    async with secure_peer(authority) as (_, front):
        url = front.base_url
    options: dict[str, Any] = {
        "proxy": f"http://me:{SECRET}@{proxy.place}",
        "transport": transport,
    }
    async with open_client(url, **options) as client:
        raised = await error_of(ask(client))
    assert type(raised) is DialError
    assert str(raised) == (
        "the server could not be reached: the proxy answered: Bad Gateway (HTTP 502); check"
        f" `base_url`, and that http://{proxy.place} may go there"
    )


async def test_a_server_behind_a_tunnel_that_is_not_trusted(
    open_client: Open, transport: str, authority: Authority, proxy: RealProxy
) -> None:
    options: dict[str, Any] = {
        "proxy": f"http://me:{SECRET}@{proxy.place}",
        "transport": transport,
    }
    async with secure_peer(authority) as (peer, front), open_client(front, **options) as client:
        raised = await error_of(ask(client))
        assert (type(raised), peer.model_runs) == (DialError, 0)
        assert f"the certificate of {front.place} is refused: unable to get local" in str(raised)
        assert f"through the proxy http://{proxy.place}; if its authority" in str(raised)
        assert "cret" not in repr(raised)


async def test_tls_inside_of_tls(
    open_client: Open, transport: str, authority: Authority, secure_proxy: RealProxy
) -> None:
    options: dict[str, Any] = {
        "proxy": f"https://{secure_proxy.place}",
        "ssl_context": authority.client(certificate=True),
        "transport": transport,
    }
    async with secure_peer(authority, asks=True) as (peer, front):
        async with open_client(front, **options) as client:
            assert await answers(client)
            assert await answers(client)
        # The second POST may begin before the tail of the first one's answer has been read.
        at_most = 1 if transport == "websocket" else 2
        assert (front.dialled <= at_most, peer.model_runs) == (True, 2)
        await passed(secure_proxy, f"CONNECT {front.place}")


async def test_a_plain_server_through_a_proxy_behind_tls(
    open_client: Open, authority: Authority, secure_proxy: RealProxy
) -> None:
    options: dict[str, Any] = {
        "proxy": f"https://{secure_proxy.place}",
        "ssl_context": authority.client(),
        "transport": "http",
    }
    async with Peer() as peer, open_client(peer, **options) as client:
        assert await answers(client)


async def test_a_proxy_behind_tls_that_is_not_trusted(
    open_client: Open, transport: str, authority: Authority, secure_proxy: RealProxy
) -> None:
    address = f"https://{secure_proxy.place}"
    async with (
        secure_peer(authority) as (peer, front),
        open_client(front, proxy=address, transport=transport) as client,
    ):
        raised = await error_of(ask(client))
        assert (type(raised), front.dialled, peer.model_runs) == (DialError, 0, 0)
        assert f"the certificate of {secure_proxy.place} is refused" in str(raised)
