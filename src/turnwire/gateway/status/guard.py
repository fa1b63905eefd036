"""Who may see the status page and the metrics."""

from __future__ import annotations

import base64
import binascii
import hmac
from typing import TYPE_CHECKING, Final

from turnwire.errors import ConfigError
from turnwire.gateway.access.hosts import host_is_allowed, is_loopback
from turnwire.gateway.access.keys import hash_of
from turnwire.gateway.config.settings import Settings
from turnwire.gateway.refusal import RequestRefused

if TYPE_CHECKING:
    from collections.abc import Mapping

# What proxies add.  Behind one on this machine everybody's address is loopback.
_FORWARDED: Final = ("Forwarded", "X-Forwarded-For", "X-Real-IP", "Via")
_LOOPBACK_ONLY: Final = Settings()  # answers under the names of this machine alone


def check_status_settings(settings: Settings) -> None:
    """Look whether the settings of the status page fit together.

    Raises:
        ConfigError: There is no key where one is asked for.
    """
    if settings.status == "key" and not settings.operator_key:
        raise ConfigError(
            '`status` is "key" and there is no `operator_key`; give the hash of one, or set'
            ' `status` to "loopback" or "off"'
        )


def check_operator(settings: Settings, headers: Mapping[str, str], peer: str | None) -> None:
    """Let an operator in.

    Args:
        settings: Who is one.
        headers: Those of the request.
        peer: The address that the request came from.

    Raises:
        RequestRefused: For everybody else.
    """
    match settings.status:
        case "off":
            raise RequestRefused("There is nothing on this path.", status=404)
        case "loopback":
            _check_loopback(headers, peer)
        case "key":
            _check_key(headers, settings.operator_key)


def _check_loopback(headers: Mapping[str, str], peer: str | None) -> None:
    forwarded = any(name in headers for name in _FORWARDED)
    host = headers.get("Host")
    local_host = host is None or host_is_allowed(_LOOPBACK_ONLY, host)
    if forwarded or not local_host or not is_loopback((peer or "").partition("%")[0]):
        raise RequestRefused(
            "The status page and the metrics are for programs on this machine, without a proxy"
            ' between. To see them from elsewhere, set `status = "key"` and an `operator_key`.',
            status=403,
            code="access_denied",
        )


def _check_key(headers: Mapping[str, str], expected: str) -> None:
    key = presented_key(headers.get("Authorization", ""))
    if not key or not hmac.compare_digest(hash_of(key), expected):
        raise RequestRefused(
            "This needs the operator's key: as a password in the browser, any user name will do;"
            " or as `Authorization: Bearer …`.",
            status=401,
            code="invalid_api_key",
            headers={"WWW-Authenticate": 'Basic realm="turnwire", charset="UTF-8"'},
        )


def presented_key(authorization: str) -> str:
    """Return the key of a Bearer or a Basic ``Authorization``, or ""."""
    scheme, _, value = authorization.strip().partition(" ")
    if scheme.lower() == "bearer":
        return value.strip()
    if scheme.lower() != "basic":
        return ""
    try:
        pair = base64.b64decode(value.strip(), validate=True).decode()
    except (binascii.Error, UnicodeDecodeError):
        return ""
    return pair.partition(":")[2]
