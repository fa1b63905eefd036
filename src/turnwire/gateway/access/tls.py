"""TLS of the gateway's own: from two files."""

from __future__ import annotations

import ssl
from pathlib import Path
from typing import NoReturn

from turnwire.errors import ConfigError


def server_context(cert: str, key: str) -> ssl.SSLContext:
    """Return what a listening socket needs to speak TLS, 1.2 or newer.

    Args:
        cert: File with the certificate and those of its authorities, in PEM format.
        key: File with the private key, in PEM format, without a passphrase.

    Raises:
        ConfigError: A file cannot be read, or the two do not belong together.
    """
    for name, path in (("certificate", cert), ("private key", key)):
        try:
            Path(path).read_bytes()
        except OSError as error:
            raise ConfigError(
                f"the {name} {path} cannot be read: {error.strerror or error}; give a file in PEM"
                " format that the gateway may read"
            ) from error
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    try:
        context.load_cert_chain(cert, key, password=_no_passphrase)
    except (ssl.SSLError, ValueError) as error:
        raise ConfigError(_explain(cert, key, error)) from error
    context.set_alpn_protocols(["http/1.1"])  # WebSocket mode needs it, and there is no other
    return context


def _no_passphrase() -> NoReturn:
    """Fail where OpenSSL would otherwise ask on the terminal, and wait."""
    raise ValueError("the key has a passphrase")


def _explain(cert: str, key: str, error: Exception) -> str:
    reason = getattr(error, "reason", None) or ""
    if reason == "KEY_VALUES_MISMATCH":
        return f"the private key {key} does not belong to the certificate {cert}; give its own"
    if not isinstance(error, ssl.SSLError):
        return f"the private key {key} has a passphrase; give one without"
    return f"{cert} and {key} hold no certificate and private key in PEM format; check both files"
