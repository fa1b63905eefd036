"""Options: what can be honoured is, and everything else is refused in plain words."""

from __future__ import annotations

import inspect
import logging
import ssl
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from adapters.drop_in_calls import ASK, opened, output_text, report
from client.forward_proxy import ForwardProxy
from turnwire import ConfigError
from turnwire.testing import Peer, drop, error

if TYPE_CHECKING:
    from types import ModuleType

    Way = tuple[ModuleType, bool]

KEY = "sk-secret-of-a-test"


def kinds(ours: ModuleType) -> list[Any]:
    return [ours.AsyncClient, ours.Client, ours.AsyncTransport, ours.Transport]


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"max_socket": 2}, "did you mean `max_sockets`"),
        ({"max_sockets": 0}, "max_sockets"),
        ({"transport": "websockets"}, "transport"),
        ({"replay": "sometimes"}, "replay"),
        ({"chain_bytes": -1}, "chain_bytes"),
        ({"api_key": "k"}, "comes with each request"),
        ({"default_headers": {}}, "comes with each request"),
        ({"queue_timeout": 1.0}, "comes with each request"),
        ({"unanswered_calls": "drop"}, "comes with each request"),
        ({"proxy": "socks5://127.0.0.1:9"}, "proxy"),
        ({"ssl_context": "trust me"}, "ssl_context"),
        ({"nonsense": 1}, "nonsense"),
    ],
)
def test_what_is_no_option(ours: ModuleType, options: dict[str, Any], words: str) -> None:
    for kind in kinds(ours):
        with pytest.raises(ConfigError, match=words):
            kind(**options)


@pytest.mark.parametrize(
    "name",
    ["cert", "http1", "http2", "limits", "local_address", "retries", "socket_options", "uds"],
)
def test_what_only_a_transport_can_do(ours: ModuleType, name: str) -> None:
    for kind in (ours.AsyncClient, ours.Client):
        with pytest.raises(ConfigError, match=r"pass it as `transport`"):
            kind(**{name: None})


def test_only_transports_of_the_library_are_wrapped(ours: ModuleType, theirs: ModuleType) -> None:
    other = "httpx" if theirs.__name__ == "httpx2" else "httpx2"
    stranger = __import__(other).MockTransport(lambda _: None)
    for kind in kinds(ours):
        given: dict[str, Any] = {"transport": stranger}
        with pytest.raises(ConfigError, match="can be wrapped"):
            kind(**given) if "Client" in kind.__name__ else kind(stranger)
    with pytest.raises(ConfigError, match="AsyncBaseTransport"):
        ours.AsyncTransport(theirs.HTTPTransport())


def test_options_of_a_transport_that_is_made_already(ours: ModuleType) -> None:
    with pytest.raises(ConfigError, match="max_sockets"):
        ours.Client(transport=ours.Transport(), max_sockets=2)


@pytest.mark.parametrize("verify", ["/etc/ssl", 7, None])
def test_verify_is_what_it_is(ours: ModuleType, verify: Any) -> None:
    with pytest.raises(ConfigError, match="verify"):
        ours.AsyncClient(verify=verify)


def test_whom_to_trust_is_said_once(ours: ModuleType) -> None:
    with pytest.raises(ConfigError, match="one of the two"):
        ours.AsyncClient(verify=False, ssl_context=ssl.create_default_context())


@pytest.mark.parametrize("verify", [True, False, ssl.create_default_context()])
async def test_verify_holds_for_both(ours: ModuleType, verify: Any) -> None:
    async with ours.AsyncClient(verify=verify) as client:
        options = client.turnwire._door._drop_in._options  # nobody else can see it
    context = options["ssl_context"]
    if verify is True:
        assert context is None
    elif verify is False:
        assert context.verify_mode is ssl.CERT_NONE
    else:
        assert context is verify


@pytest.mark.io
async def test_options_and_arguments_together(way: Way) -> None:
    options: Any = {"transport": "websocket", "max_sockets": 2, "timeout": 5}
    async with Peer() as peer, opened(way, peer, **options) as calls:
        assert calls.client.timeout.read == 5
        response = await calls.ask()
        assert report(response).transport_reason == 'requested: transport="websocket"'


async def test_the_defaults_are_the_sdks(ours: ModuleType) -> None:
    async with ours.AsyncClient() as client:
        assert (client.timeout.connect, client.timeout.read) == (5.0, 600.0)
        assert client.follow_redirects
    with ours.Client(follow_redirects=False) as blocking:
        assert not blocking.follow_redirects


# Proxies


@pytest.mark.io
async def test_a_proxy_is_for_both(way: Way) -> None:
    async with (
        Peer(resumes="json") as peer,
        ForwardProxy() as proxy,
        opened(way, peer, proxy=f"http://{proxy.place}") as calls,
    ):
        response = await calls.ask()
        assert report(response).transport == "websocket"
        await calls.run(calls.client.get, f"{calls.url}/{response.json()['id']}")
        assert len(proxy.heads) == 2


@pytest.mark.io
@pytest.mark.parametrize("options", [{"trust_env": False}, {"proxy": ""}])
async def test_the_environments_proxy_is_heeded_unless_told_otherwise(
    way: Way, options: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    async with Peer(resumes="json") as peer, ForwardProxy() as proxy:
        monkeypatch.setenv("http_proxy", f"http://{proxy.place}")
        for given, through in ((options, 0), ({}, 2)):
            async with opened(way, peer, **given) as calls:
                made = (await calls.ask()).json()["id"]
                assert (await calls.run(calls.client.get, f"{calls.url}/{made}")).status_code == 200
            assert len(proxy.heads) == through


@pytest.mark.io
async def test_a_proxy_that_only_the_library_can_use(
    way: Way, theirs: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A socket cannot go through SOCKS; the library can, or says what it needs for it."""
    monkeypatch.setenv("all_proxy", "socks5://127.0.0.1:9")
    async with Peer() as peer:
        async with opened(way, peer, transport="websocket") as calls:
            with pytest.raises(theirs.LocalProtocolError, match="proxy"):
                await calls.ask()
        async with opened(way, peer) as calls:
            with pytest.raises((theirs.ConnectError, theirs.ProxyError, ImportError)):
                await calls.ask()
        assert (peer.handshakes, peer.posts) == ([], [])


# Secrets


@pytest.mark.io
async def test_no_key_in_what_people_print(
    way: Way, theirs: ModuleType, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG, "turnwire")
    ours, is_async = way
    said: list[str] = []
    script = [error("invalid_prompt", 400)], [drop()], [drop()]
    for options in ({"transport": "websocket"}, {"handshake": 500}):
        handshake = options.pop("handshake", None)
        steps = iter([*script, *[[drop()]] * 9])
        async with (
            Peer(lambda _: next(steps), handshake=handshake) as peer,  # noqa: B023
            opened(way, peer, **options) as calls,
        ):
            calls.key = KEY
            transport = calls.client.turnwire
            for _ in range(3):
                try:
                    response = await calls.ask()
                    said += [repr(response), repr(report(response)), repr(response.headers)]
                except theirs.TransportError as raised:
                    cause = raised.__cause__
                    said += [str(raised), repr(raised), str(cause), repr(cause)]
            said += [repr(transport), str(transport), repr(calls.client), str(transport.health())]
            said += [repr(part) for part in vars(transport).values()]
            said += [repr(part) for part in vars(transport._door).values()]
    said += [record.getMessage() for record in caplog.records]
    assert len(said) > 20
    assert not [text for text in said if KEY in text or "Hi" in text.split()]
    assert is_async in (True, False)
    assert ours.__name__.startswith("turnwire.")


@pytest.mark.io
async def test_a_key_that_fits_no_header_is_not_repeated(way: Way, theirs: ModuleType) -> None:
    async with Peer() as peer, opened(way, peer, transport="websocket") as calls:
        calls.key = f"{KEY}\n"
        with pytest.raises(theirs.LocalProtocolError) as caught:
            await calls.ask()
        assert KEY not in f"{caught.value!r} {caught.value.__cause__!r}"


# The modules


def test_the_two_modules_are_one() -> None:
    here = Path(inspect.getfile(__import__("turnwire"))).parent
    one, other = ((here / f"{name}.py").read_text() for name in ("httpx", "httpx2"))
    assert one.replace("httpx", "httpx2") == other


@pytest.mark.io
async def test_transports_are_the_librarys(way: Way, theirs: ModuleType) -> None:
    ours, is_async = way
    assert issubclass(ours.AsyncTransport, theirs.AsyncBaseTransport)
    assert issubclass(ours.Transport, theirs.BaseTransport)
    kind, base = (
        (ours.AsyncTransport, theirs.AsyncClient) if is_async else (ours.Transport, theirs.Client)
    )
    async with Peer() as peer:
        client = base(transport=kind(max_sockets=1))
        if is_async:
            async with client:
                response = await client.post(f"{peer.base_url}/responses", json=ASK)
        else:
            import asyncio

            def ask() -> Any:
                with client:
                    return client.post(f"{peer.base_url}/responses", json=ASK)

            response = await asyncio.to_thread(ask)
        assert (output_text(response), report(response).transport) == ("Hi", "websocket")
