"""Words for what OpenSSL says."""

from __future__ import annotations

import ssl
from typing import Any

import aiohttp
import pytest
from aiohttp.client_reqrep import ConnectionKey

from turnwire.io.describing import describe_dial
from turnwire.io.proxy import Proxy
from turnwire.io.tls import explain_tls, refuses_certificate

KEY = ConnectionKey("host", 443, True, True, None, None, None)  # noqa: FBT003  # aiohttp's own


def alert(name: str) -> aiohttp.ClientOSError:
    return aiohttp.ClientOSError(1, f"[SSL: {name}] some words (_ssl.c:2580)")


def distrust(code: int) -> aiohttp.ClientConnectorCertificateError:
    error: Any = ssl.SSLCertVerificationError(1, "certificate verify failed")
    error.verify_code, error.verify_message = code, "no good."
    return aiohttp.ClientConnectorCertificateError(KEY, error)


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("TLSV13_ALERT_CERTIFICATE_REQUIRED", "the server demands a client certificate"),
        ("TLSV1_ALERT_UNKNOWN_CA", "the server does not trust the authority"),
        ("SSLV3_ALERT_BAD_CERTIFICATE", "refused the client certificate as bad"),
        ("SSLV3_ALERT_CERTIFICATE_EXPIRED", "the client certificate has expired"),
        ("SSLV3_ALERT_CERTIFICATE_REVOKED", "the client certificate was revoked"),
        ("SSLV3_ALERT_CERTIFICATE_UNKNOWN", "the server refused the client certificate"),
        ("SSLV3_ALERT_HANDSHAKE_FAILURE", "the server ended the TLS handshake"),
    ],
)
def test_what_the_server_says_of_a_certificate(name: str, words: str) -> None:
    explained = explain_tls(alert(name))
    assert explained is not None
    assert words in explained.what
    assert refuses_certificate(alert(name))
    wrapped = aiohttp.ClientConnectionError("the connection dropped")
    wrapped.__cause__ = alert(name)
    assert explain_tls(wrapped) == explained


@pytest.mark.parametrize(
    "error",
    [
        OSError("reset"),
        alert("DECRYPTION_FAILED_OR_BAD_RECORD_MAC"),
        aiohttp.ServerDisconnectedError(),
        aiohttp.ClientConnectorError(KEY, ConnectionRefusedError()),
    ],
)
def test_what_needs_other_words(error: Exception) -> None:
    assert (explain_tls(error), refuses_certificate(error)) == (None, False)


@pytest.mark.parametrize(
    ("code", "advice"),
    [
        (10, "check the clock of this machine, or renew the certificate"),
        (62, "check the host's name there, or the certificate"),
        (20, "if its authority is one of your own, pass `ssl_context=ssl."),
    ],
)
def test_what_to_do_about_a_certificate(code: int, advice: str) -> None:
    said = describe_dial(distrust(code))
    assert said.startswith(f"the certificate of host:443 is refused: no good; {advice}")
    said = describe_dial(distrust(code), Proxy("http://p:1", tunnels=True))
    assert f"no good through the proxy http://p:1; {advice}" in said


def test_a_wrong_version_comes_from_a_server_without_tls() -> None:
    error = alert("WRONG_VERSION_NUMBER")
    assert describe_dial(error) == ("no TLS is spoken there; is it http:// instead of https://?")
    assert not refuses_certificate(error)  # it may be said in the middle of a stream too
