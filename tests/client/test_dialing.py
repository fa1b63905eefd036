"""Sockets that cannot be opened, keys, and what the environment says."""

from __future__ import annotations

import asyncio
import logging
import socket
from functools import partial
from typing import TYPE_CHECKING, Any

import pytest

from client.colours import ONE_TRY, error_of, until
from turnwire import (
    AsyncClient,
    AuthenticationError,
    ConfigError,
    DialError,
    DialTimeout,
    TransportError,
    TurnTimeout,
    TurnwireError,
    connect,
)
from turnwire.testing import Gate, Peer, Turns, answer, close, drop, error, refuse, wait

if TYPE_CHECKING:
    from tests.client.conftest import Open

pytestmark = pytest.mark.io


@pytest.fixture
def open_client(open_client: Open) -> Open:
    """Return how to open a client that tries once."""
    return partial(open_client, **ONE_TRY)


KEY = "sk-not-for-logs"


def ask(client: Any, **params: Any) -> Any:
    return client.responses.stream(model="m", input="x", **params)


async def answers(client: Any) -> bool:
    return (await client.responses.create(model="m", input="ok")).output_text == "ok"


def unused_url() -> str:
    """Return the address of a port where nobody listens."""
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        return f"http://127.0.0.1:{bound.getsockname()[1]}/v1"


@pytest.mark.parametrize("status", [400, 401, 403, 404, 426, 429, 500, 503])
async def test_a_refused_upgrade_is_an_error_with_its_body(open_client: Open, status: int) -> None:
    body = {"error": {"code": "nope", "message": "Not today."}}
    refusal = refuse(status, body, headers={"Retry-After": "7", "X-Request-Id": "r"})
    async with Peer(handshake=[refusal]) as peer, open_client(peer) as client:
        raised = await error_of(ask(client))
        assert type(raised) is (AuthenticationError if status == 401 else DialError)
        assert (raised.status, raised.retry_after) == (status, 7.0)
        assert (raised.headers["x-request-id"], b"Not today." in raised.body) == ("r", True)
        assert str(raised) == (
            f"the server refused the WebSocket upgrade with HTTP {status}: Not today."
        )
        assert await answers(client)
        assert (peer.model_runs, client.statistics().failed_dials) == (1, 1)


async def test_a_refusal_without_words(open_client: Open) -> None:
    async with (
        Peer(handshake=[refuse(502, b"<html>", headers={"Retry-After": "Fri, 1 Jan"})]) as peer,
        open_client(peer) as client,
    ):
        raised = await error_of(ask(client))
        assert (raised.status, raised.body, raised.retry_after) == (502, b"<html>", None)
        assert (
            str(raised) == "the server refused the WebSocket upgrade with HTTP 502: no reason given"
        )


async def test_a_server_that_hangs_up_during_the_upgrade(open_client: Open) -> None:
    async with Peer(handshake=drop()) as peer, open_client(peer) as client:
        raised = await error_of(ask(client))
        assert (type(raised), raised.status) == (DialError, None)
        assert (peer.creates, client.statistics().sockets) == ([], 0)


async def test_nobody_listens(open_client: Open, transport: str) -> None:
    async with open_client(unused_url(), transport=transport) as client:
        raised = await error_of(ask(client))
        assert (type(raised), raised.status, raised.body) == (DialError, None, b"")
        assert "could not be reached: nobody listens there" in str(raised)
        assert str(raised).endswith("; check `base_url`, and that the server runs")


async def test_https_to_a_port_that_speaks_http(open_client: Open, transport: str) -> None:
    async with Peer() as peer:
        url = peer.base_url.replace("http", "https", 1)
        async with open_client(url, transport=transport) as client:
            raised = await error_of(ask(client))
    assert (type(raised), str(raised).endswith("is it http:// instead of https://?")) == (
        DialError,
        True,
    )


async def test_a_dial_that_takes_too_long(open_client: Open) -> None:
    gate = Gate()
    async with (
        Peer(handshake=[wait(gate)]) as peer,
        open_client(peer, dial_timeout=0.02) as client,
    ):
        raised = await error_of(ask(client))
        assert type(raised) is DialTimeout
        assert "0.02 s" in str(raised)
        assert client.statistics().failed_dials == 1
        gate.open()


async def test_every_turn_that_waits_for_a_dial_fails_with_it(open_client: Open) -> None:
    gate = Gate()
    async with (
        Peer(handshake=[wait(gate)], lanes="ignore") as peer,
        open_client(peer, max_sockets=1, dial_timeout=0.05) as client,
    ):
        turns = [await client.responses.create(model="m", input="x", stream=True) for _ in "abc"]
        raised = [await error_of(turn) for turn in turns]
        assert [DialTimeout] * 3 == [type(each) for each in raised]
        gate.open()


async def test_a_refused_second_socket_fails_nothing(open_client: Open) -> None:
    gate = Gate()
    async with Peer(handshake=[wait(gate), 503]) as peer, open_client(peer) as client:
        turns = [await client.responses.create(model="m", input="x", stream=True) for _ in "ab"]
        await peer.wait_until(lambda: len(peer.handshakes) == 2)
        await until(lambda: client.statistics().failed_dials == 1)
        gate.open()
        responses = [await turn.get_final_response() for turn in turns]
        assert [response.output_text for response in responses] == ["x", "x"]
        assert len(peer.connections) == 1


async def test_a_redirect_is_not_followed(open_client: Open, transport: str) -> None:
    async with Peer() as other:
        location = {"Location": f"{other.base_url}/responses"}
        refusal = refuse(307, {}, headers=location)
        async with (
            Peer(handshake=[refusal]) as peer,
            open_client(peer, api_key=KEY) as client,
        ):
            raised = await error_of(ask(client))
            assert (type(raised), raised.status) == (DialError, 307)
            assert other.handshakes == []


# Keys.


async def test_the_key_is_sent_with_the_upgrade_and_the_post(
    open_client: Open, transport: str
) -> None:
    async with Peer() as peer, open_client(peer, api_key=KEY, transport=transport) as client:
        assert await answers(client)
        headers = peer.handshakes[0] if transport == "websocket" else peer.posts[0].headers
        assert headers["authorization"] == f"Bearer {KEY}"
        assert headers["user-agent"].startswith("turnwire")


async def test_a_server_of_ones_own_needs_no_key(open_client: Open, transport: str) -> None:
    async with Peer() as peer, open_client(peer, api_key=None, transport=transport) as client:
        assert await answers(client)
        headers = peer.handshakes[0] if transport == "websocket" else peer.posts[0].headers
        assert "authorization" not in headers


@pytest.mark.parametrize("is_async", [False, True])
async def test_a_function_returns_the_key_of_each_dial(
    open_client: Open, *, is_async: bool
) -> None:
    keys = iter(["one", "two"])

    def key() -> str:
        return next(keys)

    async def async_key() -> str:
        return key()

    given = async_key if is_async else key
    async with Peer() as peer, open_client(peer, api_key=given) as client:
        assert await answers(client)
        assert await answers(client)
        await peer.connections[0].close(1000)
        await until(lambda: client.statistics().sockets == 0)
        assert await answers(client)
        sent = [headers["authorization"] for headers in peer.handshakes]
        assert sent == ["Bearer one", "Bearer two"]


async def test_a_key_function_that_raises(open_client: Open, transport: str) -> None:
    def key() -> str:
        raise LookupError(KEY)

    async with Peer() as peer, open_client(peer, api_key=key, transport=transport) as client:
        raised = await error_of(ask(client))
        assert isinstance(raised, DialError)
        assert "the api_key function raised LookupError" in str(raised)
        assert KEY not in f"{raised}{raised!r}"
        assert (peer.handshakes, peer.posts) == ([], [])


@pytest.mark.parametrize("wrong", ["line\nbreak", "zero\0", None, 5])
async def test_a_key_function_that_returns_no_key(
    open_client: Open, transport: str, wrong: Any
) -> None:
    async with (
        Peer() as peer,
        open_client(peer, api_key=lambda: wrong, transport=transport) as client,
    ):
        raised = await error_of(ask(client))
        assert isinstance(raised, DialError)
        assert "the api_key function returned" in str(raised)
        assert (peer.handshakes, peer.posts) == ([], [])


async def test_a_post_asks_for_the_key_once(open_client: Open) -> None:
    keys = iter(["one", "two"])
    async with (
        Peer() as peer,
        open_client(peer, transport="http", api_key=lambda: next(keys)) as client,
    ):
        chain = client.chain(model="m")
        for _ in range(2):
            await chain.run("x")
        sent = [post.headers["authorization"] for post in peer.posts]
        assert sent == ["Bearer one", "Bearer two"]


async def for_ever() -> str:
    await asyncio.Event().wait()
    return "never"


@pytest.mark.parametrize(
    ("limits", "kind"),
    [
        ({"timeout": 0.02}, TurnTimeout),
        ({"timeout": 0.02, "dial_timeout": 0.03}, TurnTimeout),
        ({"dial_timeout": 0.02}, DialTimeout),
        ({"dial_timeout": 0.02, "timeout": 20}, DialTimeout),
    ],
)
async def test_a_key_function_that_never_returns(
    open_client: Open, transport: str, limits: dict[str, float], kind: type[TransportError]
) -> None:
    async with (
        Peer() as peer,
        open_client(peer, transport=transport, api_key=for_ever, **limits) as client,
    ):
        raised = await error_of(ask(client))
        assert (type(raised), raised.delivery, peer.handshakes) == (kind, "queued", [])


async def test_a_key_function_of_a_plain_socket_that_never_returns() -> None:
    with pytest.raises(DialTimeout, match=r"within 0\.02 s"):
        async with connect(base_url="http://127.0.0.1:1/v1", api_key=for_ever, timeout=0.02):
            pass


async def test_headers_of_ones_own(open_client: Open, transport: str) -> None:
    options: dict[str, Any] = {
        "organization": "org",
        "project": "proj",
        "default_headers": {"X-Mine": "1", "OpenAI-Project": "mine"},
    }
    async with Peer() as peer, open_client(peer, transport=transport, **options) as client:
        assert await answers(client)
        headers = peer.handshakes[0] if transport == "websocket" else peer.posts[0].headers
        seen = {name: headers[name] for name in ("openai-organization", "openai-project", "x-mine")}
        assert seen == {
            "openai-organization": "org",
            "openai-project": "mine",
            "x-mine": "1",
        }


async def test_no_key_and_no_content_in_words_and_logs(
    open_client: Open, transport: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    secret = "nobody may read this"
    script = Turns(
        [answer(secret)],
        [error("c", headers={"x-token": KEY})],
        [answer(secret), close(1011)],
        then=[answer("ok")],
    )
    texts: list[str] = []
    async with (
        Peer(script, handshake=[refuse(401, {"error": {"message": "Bad."}})]) as peer,
        open_client(
            peer, api_key=KEY, transport=transport, default_headers={"X-Token": KEY}
        ) as client,
    ):
        texts += [repr(client), repr(client.responses), repr(client.chain(model="m"))]
        for _ in range(4):
            turn = client.responses.stream(model="m", input=secret, instructions=secret)
            try:
                async with turn:
                    await turn.get_final_response()
            except TurnwireError as raised:
                texts += [str(raised), repr(raised), repr(raised.__cause__)]
            texts.append(repr(turn))
        assert await client.responses.create(model="m", input=secret)
    texts += [f"{record.getMessage()} {record.exc_text}" for record in caplog.records]
    assert len(texts) > 9
    assert [text for text in texts if KEY in text or secret in text] == []


async def test_a_url_with_secrets_is_not_repeated(open_client: Open, transport: str) -> None:
    url = unused_url().replace("//", "//user:hidden@") + "?api-key=hidden"
    async with open_client(url, api_key=None, transport=transport) as client:
        raised = await error_of(ask(client))
        assert isinstance(raised, DialError)
        assert "hidden" not in f"{raised}{raised!r}{raised.__cause__!r}"


async def test_a_query_in_the_url_is_kept(open_client: Open) -> None:
    async with (
        Peer() as peer,
        open_client(f"{peer.base_url}?api-version=1", api_key=None) as client,
    ):
        assert await answers(client)
        assert dict(peer.connections[0].query) == {"api-version": "1"}


# The environment.


async def test_the_environment_says_where_and_who(
    open_client: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with Peer() as peer:
        monkeypatch.setenv("OPENAI_API_KEY", KEY)
        monkeypatch.setenv("OPENAI_BASE_URL", peer.base_url)
        monkeypatch.setenv("OPENAI_ORG_ID", "org")
        monkeypatch.setenv("OPENAI_PROJECT_ID", "proj")
        async with open_client(None, api_key=None) as client:
            assert await answers(client)
        headers = peer.handshakes[0]
        names = ("authorization", "openai-organization", "openai-project")
        assert [headers[name] for name in names] == [f"Bearer {KEY}", "org", "proj"]


async def test_an_empty_argument_is_given(
    open_client: Open, transport: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As in the official SDK: only None means "ask the environment"."""
    for name in ("OPENAI_API_KEY", "OPENAI_ORG_ID", "OPENAI_PROJECT_ID"):
        monkeypatch.setenv(name, KEY)
    nothing = {"api_key": "", "organization": "", "project": "", "transport": transport}
    async with Peer() as peer:
        async with open_client(peer, **nothing) as client:
            assert await answers(client)
        (headers,) = peer.handshakes or [post.headers for post in peer.posts]
        assert KEY not in headers.values()
        assert f"Bearer {KEY}" not in headers.values()
    with pytest.raises(ConfigError, match="no API key"):
        AsyncClient(api_key="")
    with pytest.raises(ConfigError, match="must look like"):
        AsyncClient(base_url="")  # and the key does not go to the hosted service instead


def test_an_empty_variable_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "")
    monkeypatch.setenv("OPENAI_BASE_URL", "")
    with pytest.raises(ConfigError, match="no API key"):
        AsyncClient()


def test_without_a_key_there_is_a_way_out() -> None:
    with pytest.raises(ConfigError, match="turnwire serve"):
        AsyncClient()


@pytest.mark.parametrize(
    "url",
    ["localhost:8080", "ftp://host/v1", "http://", "http://[::1/v1", "http://host:port/v1", "/v1"],
)
def test_a_url_that_is_none(url: str) -> None:
    for key in (None, "key"):
        with pytest.raises(ConfigError, match="must look like https://host/v1"):
            AsyncClient(base_url=url, api_key=key)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"max_sockets": 0}, "max_sockets"),
        ({"lanes": 99}, "`lanes` must be True, False or None"),
        ({"transport": "carrier pigeon"}, "'auto', 'websocket' or 'http'"),
        ({"api_key": "secret\n"}, "api_key"),
        ({"default_headers": {"X-Mine": "se\r\ncret"}}, "default_headers"),
        ({"api_key": "k", "base_url": "http://me:secret@host/v1"}, "names a user"),
    ],
)
def test_wrong_arguments_are_refused_at_once(arguments: dict[str, Any], words: str) -> None:
    with pytest.raises(ConfigError, match=words) as caught:
        AsyncClient(**{"base_url": "http://127.0.0.1:1/v1"} | arguments)
    assert "secret" not in str(caught.value)
