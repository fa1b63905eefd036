"""Between here and the server: proxies and what else the environment says, alike for both."""

from __future__ import annotations

import base64
from functools import partial
from typing import TYPE_CHECKING, Any

import pytest

import turnwire
from client.colours import error_of
from client.forward_proxy import ForwardProxy
from turnwire import Backoff, ConfigError, DialError
from turnwire.testing import Peer

if TYPE_CHECKING:
    from pathlib import Path

    from tests.client.conftest import Open

pytestmark = pytest.mark.io

BASIC = f"Basic {base64.b64encode(b'me:secret').decode()}"


@pytest.fixture
def open_client(open_client: Open) -> Open:
    """Return how to open a client that tries once."""
    return partial(open_client, dial_backoff=Backoff(()), max_retries=0)


def ask(client: Any) -> Any:
    return client.responses.stream(model="m", input="x")


async def answers(client: Any) -> bool:
    return (await client.responses.create(model="m", input="ok")).output_text == "ok"


async def test_turns_go_through_the_proxy_of_the_environment(
    open_client: Open, transport: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with Peer() as peer, ForwardProxy() as proxy:
        monkeypatch.setenv("HTTP_PROXY", f"http://me:secret@{proxy.place}")
        async with open_client(peer, transport=transport) as client:
            assert await answers(client)
        (head,) = proxy.heads
        method = "GET" if transport == "websocket" else "POST"
        assert head.startswith(f"{method} {peer.base_url}/responses HTTP/1.1\r\n")
        assert f"Proxy-Authorization: {BASIC}\r\n" in head


async def test_a_plain_socket_goes_through_it_too(monkeypatch: pytest.MonkeyPatch) -> None:
    async with Peer() as peer, ForwardProxy() as proxy:
        monkeypatch.setenv("ALL_PROXY", f"http://{proxy.place}")
        async with turnwire.connect(url=peer.websocket_url) as connection:
            assert connection.is_open
        assert len(proxy.heads) == 1
        async with turnwire.connect(url=peer.websocket_url, trust_env=False):
            assert len(proxy.heads) == 1


@pytest.mark.parametrize("excuse", ["NO_PROXY", "trust_env"])
async def test_a_proxy_is_gone_around_where_that_is_said(
    open_client: Open, transport: str, monkeypatch: pytest.MonkeyPatch, excuse: str
) -> None:
    async with Peer() as peer, ForwardProxy() as proxy:
        monkeypatch.setenv("HTTP_PROXY", f"http://{proxy.place}")
        if excuse == "NO_PROXY":
            monkeypatch.setenv("NO_PROXY", "127.0.0.1")
        trusted = excuse != "trust_env"
        async with open_client(peer, transport=transport, trust_env=trusted) as client:
            assert await answers(client)
        assert proxy.heads == []


async def test_the_way_to_a_secure_server_is_a_tunnel(
    open_client: Open, transport: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with ForwardProxy() as proxy:
        monkeypatch.setenv("HTTPS_PROXY", f"http://me:secret@{proxy.place}")
        async with open_client("https://host.invalid/v1", transport=transport) as client:
            raised = await error_of(ask(client))
        assert type(raised) is DialError
        assert "the proxy answered: Who are you (HTTP 407)" in str(raised)
        (head,) = proxy.heads
        assert head.startswith("CONNECT host.invalid:443 HTTP/1.1\r\n")
        assert f"Proxy-Authorization: {BASIC}\r\n" in head
        assert "Authorization: Bearer" not in head


async def test_a_proxy_that_is_not_there_is_named_without_its_credentials(
    open_client: Open, transport: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with ForwardProxy() as proxy:
        place = proxy.place
    monkeypatch.setenv("HTTPS_PROXY", f"http://me:secret@{place}")
    async with open_client("https://host.invalid/v1", transport=transport) as client:
        raised = await error_of(ask(client))
    assert type(raised) is DialError
    assert str(raised) == (
        f"the server could not be reached: the proxy cannot be reached: nobody listens there"
        f" ({place}); check `proxy`, or HTTPS_PROXY and its like"
    )
    assert ("secret" in repr(raised), raised.__cause__) == (False, None)


async def test_a_proxy_of_another_kind_is_refused_at_once(
    open_client: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTPS_PROXY", "socks5://me:secret@127.0.0.1:1")
    with pytest.raises(ConfigError, match=r"only HTTP proxies.*trust_env=False") as got:
        async with open_client("https://host.invalid/v1"):
            pass
    assert "secret" not in str(got.value)
    async with open_client("https://host.invalid/v1", trust_env=False):
        pass


async def test_a_proxy_that_is_given_wins(
    open_client: Open, transport: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1")  # where nobody listens
    monkeypatch.setenv("NO_PROXY", "*")
    async with Peer() as peer, ForwardProxy() as proxy:
        given = f"http://me:secret@{proxy.place}"
        for trusted in (True, False):
            async with open_client(
                peer, transport=transport, proxy=given, trust_env=trusted
            ) as client:
                assert await answers(client)
                assert "secret" not in repr(client)
        assert [f"Proxy-Authorization: {BASIC}\r\n" in head for head in proxy.heads] == [True] * 2


async def test_no_proxy_is_given(
    open_client: Open, transport: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTP_PROXY", "socks5://127.0.0.1:1")
    async with Peer() as peer, open_client(peer, transport=transport, proxy="") as client:
        assert await answers(client)


@pytest.mark.parametrize(
    ("proxy", "words"),
    [
        ("socks5://me:secret@p:1", "`proxy` is a proxy of the kind 'socks5': only HTTP proxies"),
        ("http://me:sec/ret@p:1", "whose address is no URL: only HTTP proxies .* percent-encoded"),
        ({"https": "http://me:secret@p"}, 'a URL such as "http://host:3128", not dict'),
    ],
)
def test_a_proxy_that_cannot_be_used(proxy: Any, words: str) -> None:
    for make in (turnwire.AsyncClient, turnwire.Client):
        with pytest.raises(ConfigError, match=words) as caught:
            make(base_url="https://host/v1", api_key="k", proxy=proxy)
        assert "sec" not in str(caught.value)


async def test_a_netrc_file_does_not_matter(
    open_client: Open, transport: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1\nlogin me\npassword secret\n")
    netrc.chmod(0o600)
    monkeypatch.setenv("NETRC", str(netrc))
    async with Peer() as peer:
        for key, sent in (("key", "Bearer key"), ("", None)):
            async with open_client(peer, transport=transport, api_key=key) as client:
                assert await answers(client)
            heads = peer.handshakes or [post.headers for post in peer.posts]
            assert heads[-1].get("Authorization") == sent
