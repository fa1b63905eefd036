"""Where a model server is that speaks Responses itself, and how it is used."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, Literal

from turnwire.core.request import Deadlines, Transport
from turnwire.core.settings import PoolSettings
from turnwire.errors import ConfigError
from turnwire.gateway.upstreams.address import address_of
from turnwire.io.endpoint import Endpoint
from turnwire.io.proxy import UnusableProxy, proxy_from_environment

if TYPE_CHECKING:
    import ssl
    from collections.abc import Mapping

Credentials = Literal["gateway", "client"]

MIB: Final = 2**20


@dataclass(frozen=True, slots=True, kw_only=True)
class ResponsesOptions:
    """How to use a server; durations in seconds, None for no limit, sizes in bytes.

    Attributes:
        transport: ``http`` for servers without WebSocket mode; ``auto``: WebSocket, and HTTP where
            that does not work; ``websocket``: that only.
        continues: Whether the server's HTTP side has ``previous_response_id``; its WebSocket mode
            has it in any case.
        api_key: The gateway's key there, if it needs one.
        credentials: Whose key it gets: the ``gateway``'s, or the one that each ``client`` brings.
        models: Names to list.
        compacts: Whether the server takes ``context_management``.
        headers: Sent with every dial and every POST.
        lanes: Whether it knows ``stream_id``; None to find out when turns first overlap.
        max_sockets: Sockets at most for one credential; each carries 16 turns where there are
            lanes.
        max_credentials: Credentials at most that have sockets at the same time.
        idle: After so long without a turn the sockets of a client's credential are closed.
        connect_timeout: For a dial, or for the connection of a POST.
        queue_timeout: How long a turn may wait for a lane.
        first_event_timeout: From when it was sent to the server's first event.
        progress_timeout: Without any event.
        retries: How often a turn is sent again that the server was too busy for.
        chain_bytes: How much is remembered of each credential's chains, in order to send only
            what is new; what is forgotten costs bytes.
        buffer_bytes: How much of a turn may wait for a client that reads slowly.
        client_buffer_bytes: The same for all turns of a credential together.
        trust_env: Whether ``HTTPS_PROXY``, ``NO_PROXY`` and their like are heeded.
        ssl_context: Whom to trust; None for whom Python trusts by itself.
    """

    transport: Transport = "http"
    continues: bool = False
    api_key: str | None = field(default=None, repr=False)
    credentials: Credentials = "gateway"
    models: tuple[str, ...] = ()
    compacts: bool = False
    headers: Mapping[str, str] = field(default_factory=dict[str, str], repr=False)
    lanes: bool | None = None
    max_sockets: int = 4
    max_credentials: int = 64
    idle: float | None = 300.0
    connect_timeout: float = 10.0
    queue_timeout: float | None = 60.0
    first_event_timeout: float | None = 300.0
    progress_timeout: float | None = None
    retries: int = 0
    chain_bytes: int = 64 * MIB
    buffer_bytes: int = 16 * MIB
    client_buffer_bytes: int = 64 * MIB
    trust_env: bool = True
    ssl_context: ssl.SSLContext | None = field(default=None, repr=False)

    @property
    def links(self) -> bool:
        """Whether there is anything to continue at the server."""
        return self.continues or self.transport != "http"

    @property
    def deadlines(self) -> Deadlines:
        """How long a turn may take."""
        return Deadlines(
            queue=self.queue_timeout,
            first_event=self.first_event_timeout,
            progress=self.progress_timeout,
        )

    @property
    def pool(self) -> PoolSettings:
        """The limits of the pool of one credential."""
        return PoolSettings(
            sockets=self.max_sockets,
            lanes=self.lanes,
            dial=self.connect_timeout,
            retries=self.retries,
            deadlines=self.deadlines,
        )

    def endpoint(self, url: str, key: str | None) -> Endpoint:
        """Return where a credential's sockets lead.

        Raises:
            ConfigError: The environment names a proxy that is none.
        """
        try:
            proxy = proxy_from_environment(url) if self.trust_env else None
        except UnusableProxy as error:
            raise ConfigError(str(error)) from None
        return Endpoint(
            url, api_key=key, headers=self.headers, proxy=proxy, ssl_context=self.ssl_context
        )


def responses_url(base_url: str) -> str:
    """Return the address of the Responses resource below a base URL; its query is kept.

    Raises:
        ConfigError: It is no address of a server.
    """
    address = address_of(base_url)
    if address is None:  # and it is not repeated: a password may be in it
        raise ConfigError("the url of an upstream must look like http://127.0.0.1:8000/v1")
    path = address.path.rstrip("/")
    path = path if path.endswith("/responses") else f"{path}/responses"
    return address._replace(path=path, fragment="").geturl()
