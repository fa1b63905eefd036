"""TLS of the gateway's own."""

from __future__ import annotations

import ssl
from dataclasses import dataclass
from typing import TYPE_CHECKING

import aiohttp
import pytest
import trustme
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    PrivateFormat,
    load_pem_private_key,
)

from gateway.support import Client
from turnwire.errors import ConfigError
from turnwire.gateway import Gateway
from turnwire.gateway.access.tls import server_context

if TYPE_CHECKING:
    from pathlib import Path


@dataclass
class Files:
    """A certificate for loopback, its key, and who trusts them."""

    cert: Path
    key: Path
    trust: ssl.SSLContext


@pytest.fixture
def files(tmp_path: Path) -> Files:
    authority = trustme.CA()
    issued = authority.issue_cert("127.0.0.1")
    made = Files(tmp_path / "cert.pem", tmp_path / "key.pem", ssl.create_default_context())
    made.cert.write_bytes(b"".join(part.bytes() for part in issued.cert_chain_pems))
    made.key.write_bytes(issued.private_key_pem.bytes())
    authority.configure_trust(made.trust)
    return made


@pytest.mark.io
async def test_http_and_websocket_over_tls(files: Files) -> None:
    context = server_context(str(files.cert), str(files.key))
    async with (
        Gateway(ssl_context=context) as gateway,
        aiohttp.ClientSession(connector=aiohttp.TCPConnector(ssl=files.trust)) as session,
    ):
        assert gateway.base_url == f"https://127.0.0.1:{gateway.port}/v1"
        async with session.get(gateway.base_url + "/models") as answer:
            assert answer.status == 200
        async with session.ws_connect(gateway.base_url + "/responses") as raw:
            assert (await Client(raw).respond(input="Hello"))["status"] == "completed"


@pytest.mark.io
async def test_without_tls_nobody_is_served_there(files: Files) -> None:
    context = server_context(str(files.cert), str(files.key))
    async with Gateway(ssl_context=context) as gateway, aiohttp.ClientSession() as session:
        with pytest.raises(aiohttp.ClientError):
            await session.get(f"http://127.0.0.1:{gateway.port}/healthz")


def test_old_versions_are_not_spoken(files: Files) -> None:
    context = server_context(str(files.cert), str(files.key))
    assert context.minimum_version >= ssl.TLSVersion.TLSv1_2


def test_a_file_that_is_not_there(files: Files) -> None:
    files.key.unlink()
    with pytest.raises(ConfigError) as refused:
        server_context(str(files.cert), str(files.key))
    assert str(refused.value) == (
        f"the private key {files.key} cannot be read: No such file or directory; give a file in PEM"
        " format that the gateway may read"
    )


def test_a_key_of_another_certificate(files: Files) -> None:
    files.key.write_bytes(trustme.CA().issue_cert("127.0.0.1").private_key_pem.bytes())
    with pytest.raises(ConfigError, match="does not belong to the certificate"):
        server_context(str(files.cert), str(files.key))


def test_a_key_with_a_passphrase_asks_nobody(files: Files) -> None:
    key = load_pem_private_key(files.key.read_bytes(), None)
    files.key.write_bytes(
        key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(b"passphrase"))
    )
    with pytest.raises(ConfigError, match="has a passphrase; give one without"):
        server_context(str(files.cert), str(files.key))


def test_files_that_are_no_certificates(files: Files) -> None:
    files.cert.write_text("not a certificate")
    with pytest.raises(ConfigError, match="hold no certificate and private key"):
        server_context(str(files.cert), str(files.key))
