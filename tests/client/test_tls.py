"""Whom to trust and as whom to appear: one object, for both transports."""

from __future__ import annotations

import asyncio
import os
import ssl
import sys
from functools import partial
from typing import TYPE_CHECKING, Any

import pytest

import turnwire
from client.colours import error_of
from client.tls_front import Authority, Front
from turnwire import Backoff, ConfigError, DialError
from turnwire.testing import Gate, Peer, answer, wait

if TYPE_CHECKING:
    from pathlib import Path

    from tests.client.conftest import Open

pytestmark = pytest.mark.io


@pytest.fixture(scope="module")
def authority() -> Authority:
    return Authority()


@pytest.fixture
def open_client(open_client: Open) -> Open:
    """Return how to open a client that tries once."""
    return partial(open_client, dial_backoff=Backoff(()), max_retries=0)


def ask(client: Any) -> Any:
    return client.responses.stream(model="m", input="x")


async def answers(client: Any) -> bool:
    return (await client.responses.create(model="m", input="ok")).output_text == "ok"


async def test_an_authority_of_ones_own(
    open_client: Open, transport: str, authority: Authority
) -> None:
    context = authority.client()
    async with (
        Peer() as peer,
        Front(peer, authority.server()) as front,
        open_client(front, transport=transport, ssl_context=context) as client,
    ):
        assert await answers(client)
        assert (front.dialled, peer.model_runs) == (1, 1)


async def test_an_authority_of_ones_own_for_a_plain_socket(authority: Authority) -> None:
    async with Peer() as peer, Front(peer, authority.server()) as front:
        async with turnwire.connect(
            base_url=front.base_url, ssl_context=authority.client()
        ) as connection:
            assert connection.is_open
        with pytest.raises(DialError, match="is refused: unable to get local issuer"):
            async with turnwire.connect(base_url=front.base_url):
                pass


async def test_an_authority_that_is_not_known(
    open_client: Open, transport: str, authority: Authority
) -> None:
    async with (
        Peer() as peer,
        Front(peer, authority.server()) as front,
        open_client(front, transport=transport) as client,
    ):
        raised = await error_of(ask(client))
        assert (type(raised), raised.delivery, peer.model_runs) == (DialError, "queued", 0)
        assert str(raised) == (
            f"the server could not be reached: the certificate of {front.place} is refused: unable"
            " to get local issuer certificate; if its authority is one of your own, pass"
            " `ssl_context=ssl.create_default_context(cafile=…)`, or set SSL_CERT_FILE before the"
            " program starts"
        )


async def test_the_certificate_of_another_host(
    open_client: Open, transport: str, authority: Authority
) -> None:
    context = authority.client()
    async with (
        Peer() as peer,
        Front(peer, authority.server("other.example")) as front,
        open_client(front, transport=transport, ssl_context=context) as client,
    ):
        raised = await error_of(ask(client))
        assert type(raised) is DialError
        assert "certificate is not valid for '127.0.0.1'; check the host's name" in str(raised)


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"certificate": True}, None),
        ({}, "`ssl_context.load_cert_chain(…)` and pass `ssl_context`"),
        ({"foreign": True}, "does not trust the authority of the client certificate"),
    ],
    ids=["good", "none", "foreign"],
)
async def test_a_server_that_wants_to_see_a_certificate(  # noqa: PLR0917  # what it is asked
    open_client: Open,
    transport: str,
    authority: Authority,
    version: ssl.TLSVersion,
    given: dict[str, bool],
    words: str | None,
) -> None:
    asks = authority.server(asks=True)
    asks.maximum_version = version
    async with (
        Peer() as peer,
        Front(peer, asks) as front,
        open_client(front, transport=transport, ssl_context=authority.client(**given)) as client,
    ):
        if words is None:
            assert await answers(client)
            return
        raised = await error_of(ask(client))
        assert (type(raised), raised.delivery, peer.model_runs) == (DialError, "queued", 0)
        assert words in str(raised)
        assert "check `base_url`" not in str(raised)


async def test_a_server_that_hangs_up_during_the_handshake(
    open_client: Open, transport: str, authority: Authority
) -> None:
    async def hang_up(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(1)
        writer.transport.abort()

    server = await asyncio.start_server(hang_up, "127.0.0.1", 0)
    place = "127.0.0.1:{1}".format(*server.sockets[0].getsockname())
    async with open_client(f"https://{place}/v1", transport=transport) as client:
        raised = await error_of(ask(client))
    server.close()
    assert type(raised) is DialError
    assert f"the connection was dropped during the TLS handshake ({place})" in str(raised)


async def test_a_turn_that_is_left_leaves_no_connection(
    open_client: Open, transport: str, authority: Authority
) -> None:
    """Without the goodbyes of TLS, which would outlive the loop: warnings are errors."""
    context = authority.client()
    async with (
        Peer(lambda _: [answer("a"), wait(Gate(), after="response.created")]) as peer,
        Front(peer, authority.server()) as front,
        open_client(front, transport=transport, ssl_context=context) as client,
    ):
        async with ask(client) as turn:
            await anext(turn)
        assert front.dialled == 1


PROGRAM = """
import sys
import turnwire

with turnwire.Client(base_url=sys.argv[1], transport=sys.argv[2], api_key="k") as client:
    print(client.responses.create(model="m", input="ok").output_text)
"""


async def test_an_authority_out_of_the_environment(
    transport: str, authority: Authority, tmp_path: Path
) -> None:
    environment = {**os.environ, "SSL_CERT_FILE": str(authority.write(tmp_path))}
    async with Peer() as peer, Front(peer, authority.server()) as front:
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-c",
            PROGRAM,
            front.base_url,
            transport,
            env=environment | {"PYTHONPATH": os.pathsep.join(sys.path)},
            stdout=asyncio.subprocess.PIPE,
        )
        said, _ = await process.communicate()
    assert (said, process.returncode) == (b"ok\n", 0)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"ssl_context": False}, "must be an ssl.SSLContext, such as .* not bool"),
        ({"ssl_context": "ca.pem"}, "must be an ssl.SSLContext, such as .* not str"),
        ({"ssl_context": ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)}, "is one for servers"),
    ],
)
def test_what_is_no_context(arguments: dict[str, Any], words: str) -> None:
    for make in (turnwire.AsyncClient, turnwire.Client):
        with pytest.raises(ConfigError, match=words):
            make(base_url="https://host/v1", api_key="k", **arguments)
