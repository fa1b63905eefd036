"""TLS: why there was none, in words that say what to do; and how it ends.

OpenSSL's own words name its source files and functions; what its numbers mean is in its manual,
X509_STORE_CTX_get_error(3).
"""

from __future__ import annotations

import re
import ssl
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import aiohttp

if TYPE_CHECKING:
    from collections.abc import Iterator

_WRONG_HOST: Final = frozenset({62, 64})  # of a name, of an IP address
_WRONG_TIME: Final = frozenset({9, 10})  # not valid yet, not valid any more

_REASON: Final = re.compile(r"\[SSL: ([A-Z0-9_]+)\]")
_LOAD: Final = "load one with `ssl_context.load_cert_chain(…)` and pass `ssl_context`"
# What the server says before it says goodbye, by the end of its name in OpenSSL.
_ALERTS: Final = {
    "ALERT_CERTIFICATE_REQUIRED": ("the server demands a client certificate", _LOAD),
    "ALERT_UNKNOWN_CA": (
        "the server does not trust the authority of the client certificate",
        "ask whoever runs it which authorities it accepts",
    ),
    "ALERT_BAD_CERTIFICATE": ("the server refused the client certificate as bad", _LOAD),
    "ALERT_CERTIFICATE_EXPIRED": ("the client certificate has expired", _LOAD),
    "ALERT_CERTIFICATE_REVOKED": ("the client certificate was revoked", _LOAD),
    "ALERT_CERTIFICATE_UNKNOWN": ("the server refused the client certificate", _LOAD),
    "ALERT_HANDSHAKE_FAILURE": (
        "the server ended the TLS handshake",
        "if it demands a client certificate, " + _LOAD,
    ),
}


class Explanation(NamedTuple):
    """Why there is no TLS.

    Attributes:
        what: What happened.
        advice: What to do.
    """

    what: str
    advice: str


class AbruptResponse(aiohttp.ClientResponse):
    """An answer whose connection, unless it is used again, is gone at once when it is closed.

    The goodbyes of TLS wait for the other side, and aiohttp does not wait for them: they would
    outlive the event loop.  What they protect, an end that looks whole and is not, is for events
    to say: their last one is known.
    """

    def close(self) -> None:
        """Close the connection."""
        transport = None if self.connection is None else self.connection.transport
        super().close()
        if transport is not None and transport.get_extra_info("sslcontext") is not None:
            transport.abort()

    def release(self) -> Any:
        """Let the connection be used again if the answer was read to its end; else close it."""
        if self.connection is not None and not self.content.at_eof():
            self.close()
        return super().release()


def explain_tls(error: BaseException) -> Explanation | None:
    """Explain an error of TLS; None if it is another one, or none that can be explained."""
    if isinstance(error, aiohttp.ClientConnectorCertificateError):
        return _distrust(error)
    if isinstance(error, aiohttp.ClientConnectorError) and isinstance(
        error.os_error, ConnectionResetError
    ):
        what = f"the connection was dropped during the TLS handshake ({error.host}:{error.port})"
        return Explanation(what, "if a client certificate is demanded there, " + _LOAD)
    if "WRONG_VERSION_NUMBER" in _reasons(error):
        return Explanation("no TLS is spoken there", "is it http:// instead of https://?")
    return next(_alerts(error), None)


def refuses_certificate(error: BaseException) -> bool:
    """Say whether the server ended the handshake, so that it has read nothing of what we said."""
    return any(_alerts(error))


def _alerts(error: BaseException) -> Iterator[Explanation]:
    for reason in _reasons(error):
        for alert, explained in _ALERTS.items():
            if reason.endswith(alert):
                yield Explanation(*explained)


def _distrust(error: aiohttp.ClientConnectorCertificateError) -> Explanation:
    cause = error.certificate_error
    code, said = 0, "no reason given"
    if isinstance(cause, ssl.SSLCertVerificationError):
        code, said = cause.verify_code, cause.verify_message.rstrip(".")
    if code in _WRONG_HOST:
        advice = "check the host's name there, or the certificate"
    elif code in _WRONG_TIME:
        advice = "check the clock of this machine, or renew the certificate"
    else:
        advice = (
            "if its authority is one of your own, pass"
            " `ssl_context=ssl.create_default_context(cafile=…)`, or set SSL_CERT_FILE before the"
            " program starts"
        )
    return Explanation(f"the certificate of {error.host}:{error.port} is refused: {said}", advice)


def _reasons(error: BaseException | None) -> Iterator[str]:
    """Name what OpenSSL said; aiohttp hands it on in the text of other errors."""
    while error is not None:
        yield from _REASON.findall(str(error))
        error = error.__cause__
