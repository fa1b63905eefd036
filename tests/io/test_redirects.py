"""Where an answer may send us, and where not."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from turnwire.io.redirects import OF_POST, OF_UPGRADE, Redirects, describe_redirect
from turnwire.io.refusal import Refusal
from turnwire.io.websocket import UpgradeRefused, WebSocket
from turnwire.testing import Peer, refuse

if TYPE_CHECKING:
    from collections.abc import Callable

    import aiohttp
    from aiohttp import web

HERE = "https://me:hidden@host/v1/responses?a=1"


def to(location: str | None, status: int = 307) -> Refusal:
    return Refusal(status, {} if location is None else {"location": location}, b"")


@pytest.mark.parametrize(
    ("location", "expected"),
    [
        ("/openai/v1/responses", "https://me:hidden@host/openai/v1/responses"),
        ("other?b=2", "https://me:hidden@host/v1/other?b=2"),
        ("https://host/x", "https://me:hidden@host/x"),
        ("https://HOST:443/x#part", "https://me:hidden@host/x"),
        ("wss://host/x", "https://me:hidden@host/x"),
        ("https://you:theirs@host/x", "https://me:hidden@host/x"),
        ("https://host", "https://me:hidden@host/"),
        ("//host/x", "https://me:hidden@host/x"),
    ],
)
def test_the_same_server(location: str, expected: str) -> None:
    way = Redirects(HERE, OF_UPGRADE)
    assert (way.follow(to(location)), way.url) == (True, expected)


@pytest.mark.parametrize(
    "location",
    [
        None,
        "",
        "https://other/x",
        "//other/x",
        "https://host:8443/x",
        "https://host.other/x",
        "https://host@other/x",
        "https://host\\@other/x",
        "http://host/x",
        "ws://host/x",
        "ftp://host/x",
        "https://host:port/x",
        "https://[::1/x",
        "javascript:alert(1)",
    ],
)
def test_anywhere_else(location: str | None) -> None:
    way = Redirects(HERE, OF_UPGRADE)
    assert (way.follow(to(location)), way.url) == (False, HERE)


def test_a_port_of_its_own_and_an_ipv6_address() -> None:
    way = Redirects("http://[::1]:8080/v1/responses", OF_POST)
    assert (way.follow(to("http://[::1]:8080/x")), way.url) == (True, "http://[::1]:8080/x")
    assert not way.follow(to("http://[::1]/x"))


@pytest.mark.parametrize(
    ("statuses", "followed"), [(OF_UPGRADE, [301, 302, 307, 308]), (OF_POST, [307, 308])]
)
def test_which_statuses_count(statuses: frozenset[int], followed: list[int]) -> None:
    every = [
        status for status in range(200, 600) if Redirects(HERE, statuses).follow(to("/x", status))
    ]
    assert every == followed


def test_three_are_enough() -> None:
    way = Redirects(HERE, OF_UPGRADE)
    assert [way.follow(to(f"/{number}")) for number in range(5)] == [True] * 3 + [False] * 2
    assert way.url.endswith("/2")


@pytest.mark.parametrize(
    ("location", "place"),
    [
        ("https://you:hidden@other.example/hidden?key=hidden", "https://other.example"),
        ("wss://other.example:8443/x", "https://other.example:8443"),
        ("http://[::1]:80/x", "http://[::1]"),
        ("/x", "the same server"),
        (None, "no usable address"),
        ("https://hidden words/x", "no usable address"),
        ("mailto:hidden@host", "no usable address"),
        ("https://[::1/hidden", "no usable address"),
    ],
)
def test_the_words_for_where_it_points(location: str | None, place: str) -> None:
    words = describe_redirect(302, to(location).headers)
    assert words.startswith(f"; it points to {place}. Only redirects to the same scheme, host")
    assert words.endswith("set `base_url` to where the server really is")
    assert "hidden" not in words


@pytest.mark.parametrize("status", [None, 200, 304, 401, 503])
def test_other_answers_need_no_words(status: int | None) -> None:
    assert describe_redirect(status, {"location": "https://other/"}) == ""


# On loopback.


def via(*places: str, status: int) -> Callable[[web.Request], object]:
    """Return a peer's handshake that points from one path to the next one."""
    steps = dict(zip(("", *places), places, strict=False))

    def handshake(request: web.Request) -> object:
        target = steps.get(request.query_string)
        if target is None:
            return None
        return refuse(status, b"moved", headers={"Location": f"/responses?{target}"})

    return handshake


@pytest.mark.io
@pytest.mark.parametrize("status", [301, 302, 307, 308])
async def test_a_dial_goes_on_with_the_same_headers(
    session: aiohttp.ClientSession, status: int
) -> None:
    async with Peer(handshake=via("a", "b", "c", status=status)) as peer:
        headers = {"Authorization": "Bearer key"}
        socket = await WebSocket.dial(session, peer.websocket_url, headers, "", heartbeat=None)
        sent = [each["Authorization"] for each in peer.handshakes]
        assert (sent, len(peer.connections)) == (["Bearer key"] * 4, 1)
        await socket.close()


@pytest.mark.io
async def test_a_dial_that_is_sent_around_is_refused(session: aiohttp.ClientSession) -> None:
    async with Peer(handshake=via("a", "b", "c", "d", status=302)) as peer:
        with pytest.raises(UpgradeRefused) as caught:
            await WebSocket.dial(session, peer.websocket_url, {}, "", heartbeat=None)
        status, headers, body = caught.value.refusal
        assert (status, headers["location"], body) == (302, "/responses?d", b"moved")
        assert len(peer.handshakes) == 4
