"""What goes wrong with a model server, in the words that clients are told.

A server's own words reach its clients, because they say what to mend; what the way there looks
like, and which key opened it, does not.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

import msgspec

from turnwire.core.failure import status_of_words
from turnwire.gateway.json_shapes import UNREADABLE, Json, is_object
from turnwire.gateway.upstreams import UpstreamFailed

if TYPE_CHECKING:
    from collections.abc import Mapping

# Codes of failures that are found on this side of the server.
UNREACHABLE: Final = "upstream_unreachable"
TIMEOUT: Final = "upstream_timeout"
CUT: Final = "upstream_cut"
BUSY: Final = "upstream_busy"
UNAVAILABLE: Final = "upstream_unavailable"

NOT_LET_IN: Final = frozenset({401, 403})
BAD_GATEWAY: Final = 502
_LONGEST_MESSAGE: Final = 2000  # characters
_ERROR_STATUSES: Final = range(400, 600)
_SERVER_ERRORS: Final = 500
_NOT_FOUND: Final = 404
_PASSED_ON: Final = frozenset({"retry-after", "retry-after-ms", "x-should-retry"})
_LIMITS: Final = "x-ratelimit-"
_TAG: Final = re.compile(r"<[^>]*>")


def refused_key(status: int) -> UpstreamFailed:
    """Return what a client is told when the server refuses the gateway's key, in no words of its.

    They may repeat a part of the key, and are about nothing that the client can mend.
    """
    return UpstreamFailed(
        "The model server refused the gateway's key. Tell whoever runs the gateway.",
        status=status,
        code="invalid_api_key",
    )


def kind_of(status: int) -> str:
    """Return the ``error.type`` of failures that have none."""
    return "invalid_request_error" if status < _SERVER_ERRORS else "server_error"


def passed_on(headers: Mapping[str, str]) -> dict[str, str]:
    """Return the headers that say when to come again, with names in lower case."""
    named = ((name.lower(), value) for name, value in headers.items())
    return {n: value for n, value in named if n in _PASSED_ON or n.startswith(_LIMITS)}


def without_secrets(message: str, secrets: tuple[str, ...]) -> str:
    """Return a server's words without the keys that it repeats."""
    for secret in filter(None, secrets):
        message = message.replace(secret, "[key]")
    return message


def failure_of_answer(
    status: int, headers: Mapping[str, str], body: bytes, secrets: tuple[str, ...] = ()
) -> UpstreamFailed:
    """Return what an HTTP error means (interop rule R20), without repeating the secrets."""
    try:
        said: Any = msgspec.json.decode(body)
    except UNREADABLE:
        said = _TAG.sub(" ", body.decode(errors="replace"))  # a proxy's page, mostly
    message, code, _ = _read(said)
    status = status if status in _ERROR_STATUSES else BAD_GATEWAY
    message = _clean(message, secrets)
    if status == _NOT_FOUND and code is None and "model" not in message.lower():
        # Or clients would take it for the gateway that has no such path.
        message = (
            f"The model server does not know this path; its URL may be wrong. {message}".strip()
        )
    return UpstreamFailed(
        message or f"The model server answered {status}.",
        status=status,
        code=code,
        headers=passed_on(headers),
        kind=kind_of(status),
    )


def failure_in_stream(error: Any, secrets: tuple[str, ...] = ()) -> UpstreamFailed:
    """Return what an error object in the middle of a stream means."""
    message, code, status = _read(error)
    return UpstreamFailed(
        _clean(message, secrets) or "The model server reported an error without a message.",
        status=status or BAD_GATEWAY,
        code=code,
        kind=kind_of(status or BAD_GATEWAY),
    )


def _read(said: Any) -> tuple[str, str | None, int | None]:
    """Return the message, the code and the status of an error."""
    if isinstance(said, str):
        return said, None, None
    if not is_object(said):
        return "", None, None
    inner = said.get("error")
    if is_object(inner):
        return _read({**_outer(said), **inner})
    if isinstance(inner, str):
        return inner, _code(said), _status(said)
    for member in ("message", "detail", "msg", "error_message"):
        value = said.get(member)
        if value:
            text = value if isinstance(value, str) else msgspec.json.encode(value).decode()
            return text, _code(said), _status(said)
    return "", _code(said), _status(said)


def _outer(said: Json) -> Json:
    return {name: said[name] for name in ("status", "status_code") if name in said}


def _code(error: Json) -> str | None:
    code = error.get("code")
    if isinstance(code, str) and code:
        return code
    kind = error.get("type")
    return kind if isinstance(kind, str) and kind not in {"", "error"} else None


def _status(error: Json) -> int | None:
    for member in ("status", "status_code", "http_code", "code"):
        value: Any = error.get(member)
        if isinstance(value, str) and value.isdigit():
            value = int(value)
        if isinstance(value, int) and value in _ERROR_STATUSES:
            return value
    return status_of_words(error.get("code"), error.get("type"))


def _clean(message: str, secrets: tuple[str, ...]) -> str:
    return " ".join(without_secrets(message, secrets).split())[:_LONGEST_MESSAGE]
