"""What an HTTP library asks for: whether it is a create, and what of it belongs to the socket."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from turnwire.core.request import Deadlines

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

# Headers that are about one HTTP message, or that trace one request; a socket is opened once for
# many.  What they say is not sent: docs/howto/drop-in.md.
_OF_ONE_REQUEST: Final = frozenset(
    {
        "accept", "accept-encoding", "connection", "content-encoding", "content-length",
        "content-type", "expect", "host", "idempotency-key", "keep-alive", "te", "trailer",
        "transfer-encoding", "upgrade",
        # Ids and traces, as monitoring adds them to every request.
        "b3", "baggage", "newrelic", "request-id", "sentry-trace", "traceparent", "tracestate",
        "uber-trace-id", "x-amzn-trace-id", "x-client-request-id", "x-cloud-trace-context",
        "x-correlation-id", "x-ms-client-request-id", "x-request-id",
    }
)  # fmt: skip
_FAMILIES_OF_THESE: Final = ("x-b3-", "x-datadog-", "x-stainless-")


@dataclass(frozen=True, slots=True)
class Asked:
    """A create.

    Attributes:
        url: Where, without credentials.
        headers: Its headers that a socket can carry, by name.
        body: Its JSON.
        deadlines: How long it may take.
        connect: How many seconds it may wait for a first socket; None for as long as dials take.
    """

    url: str = field(repr=False)
    headers: Mapping[str, str] = field(repr=False)
    body: bytes = field(repr=False)
    deadlines: Deadlines = field(default_factory=Deadlines)
    connect: float | None = None


def is_create(method: str, path: str, headers: Mapping[str, str]) -> bool:
    """Say whether a request creates a response; everything else is none of our business."""
    return (
        method == "POST"
        and path.rstrip("/").endswith("/responses")
        and headers.get("content-type", "").partition(";")[0].strip() == "application/json"
        and headers.get("content-encoding", "identity") == "identity"
    )


def headers_of_socket(headers: Iterable[tuple[str, str]]) -> dict[str, str]:
    """Return the headers that belong to the server and the credential, not to one request."""
    kept: dict[str, str] = {}
    for name, value in headers:
        lower = name.lower()
        if lower in _OF_ONE_REQUEST or lower.startswith(_FAMILIES_OF_THESE):
            continue
        kept[name] = f"{kept[name]}, {value}" if name in kept else value
    return kept


def deadlines_of(timeout: Mapping[str, float | None]) -> Deadlines:
    """Read the timeouts of a request, in seconds; ``read`` is the longest silence."""
    read = timeout.get("read")
    return Deadlines(
        queue=timeout.get("pool"), write=timeout.get("write"), first_event=read, progress=read
    )
