"""The options of a drop-in transport: a client's, without what comes with each request."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, TypedDict, cast

from turnwire.client.checking import checked_count
from turnwire.client.options import ClientOptions, config_of
from turnwire.errors import ConfigError

if TYPE_CHECKING:
    import ssl

    from turnwire.core.backoff import Backoff
    from turnwire.core.request import Replay, Transport

OF_THE_REQUEST: Final = frozenset(
    {
        "api_key", "base_url", "default_headers", "first_event_timeout", "organization",
        "progress_timeout", "project", "queue_timeout", "timeout", "unanswered_calls",
        "write_timeout",
    }
)  # fmt: skip
_ANY_URL: Final = "http://localhost/v1"


class DropInOptions(TypedDict, total=False):
    """Options of a drop-in transport; as in :class:`~turnwire.ClientOptions`, apart from these.

    Where the server is, the key, the headers and the timeouts come with each request.

    Attributes:
        chain_bytes: How much of chains is remembered; those not used for longest are forgotten,
            which costs bytes (128 MiB).
        max_retries: How often a turn is sent again that the server was too busy for (0): the SDK
            on top does that.
        max_sockets: Sockets at most to one server with one set of headers (32), of which a server
            with lanes needs one for every 16 requests at a time.
        replay: As a client's; by default what the SDK would send again itself is left to it, and
            a stream that was cut off before output begins again once, as with ``safe``.
    """

    buffer_bytes: int
    chain_bytes: int
    client_buffer_bytes: int
    dial_backoff: Backoff
    dial_timeout: float
    lanes: bool | None
    max_age: float | None
    max_retries: int
    max_sockets: int
    ping_interval: float | None
    ping_timeout: float
    proxy: str | None
    queue_bytes: int
    replay: Replay
    resume: bool
    ssl_context: ssl.SSLContext | None
    transport: Transport
    trust_env: bool


def comes_with_requests(name: str) -> str:
    """Say where an option belongs that is none of a transport's."""
    return f"`{name}` comes with each request; give it to the SDK's client"


def client_options(options: DropInOptions) -> ClientOptions:
    """Check options, and return those of the clients that a transport makes.

    Raises:
        ConfigError: An option is unknown, wrong, or comes with each request.
    """
    for name in options:
        if name in OF_THE_REQUEST:
            raise ConfigError(comes_with_requests(name))
    checked_count("chain_bytes", options.get("chain_bytes", 1), least=0)
    given = {name: value for name, value in options.items() if name != "chain_bytes"}
    fixed = {"api_key": "", "organization": "", "project": "", "unanswered_calls": "send"}
    made = cast("ClientOptions", {"max_retries": 0, "max_sockets": 32, **given, **fixed})
    trusting = {"trust_env": False} if given.get("proxy") is None else {}
    config_of(cast("ClientOptions", {**made, **trusting, "base_url": _ANY_URL}))
    return made
