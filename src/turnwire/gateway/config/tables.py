"""Everything that a gateway's configuration file may say, with defaults and units.

Secrets are not in it: keys are there as hashes, and what the gateway itself needs to sign in
elsewhere is read from environment variables, whose names are here.
"""

from __future__ import annotations

from typing import Annotated, Any, Final, Literal

from msgspec import Meta, Struct

from turnwire.gateway.config.settings import Settings
from turnwire.gateway.upstreams.address import UNNAMED
from turnwire.gateway.upstreams.chat.options import ChatOptions

# Overrides `[store] url`, which may hold a password.
STORE_URL_VARIABLE: Final = "TURNWIRE_STORE_URL"
HASH_SCHEME: Final = "sha256:"
HASH: Final = f"^{HASH_SCHEME}[0-9a-f]{{64}}$"
VARIABLE: Final = "^[A-Za-z_][A-Za-z0-9_]*$"

UpstreamKind = Literal["auto", "chat", "responses", "websocket", "scripted"]
StoreKind = Literal["memory", "sqlite", "redis"]
Credentials = Literal["gateway", "client"]

_Count = Annotated[int, Meta(ge=1)]
_Seconds = Annotated[float, Meta(gt=0)]
_Name = Annotated[str, Meta(min_length=1, max_length=64)]


class Limits(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What one key may use; what is left out is not limited.

    All worker processes count together.

    Attributes:
        sockets: Open sockets.
        active_turns: Turns that run at once, over all sockets and requests.
        requests_per_minute: Creates; so many may also come at once.
        tokens_per_minute: Input and output tokens; a turn may start while any are left, and what
            it took beyond that is waited for by the next ones.
    """

    sockets: _Count | None = None
    active_turns: _Count | None = None
    requests_per_minute: _Count | None = None
    tokens_per_minute: _Count | None = None


class Key(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A key that may use the gateway; as soon as there is one, all others are refused.

    Attributes:
        name: Tells keys apart for you; clients do not see it.
        hash: `sha256:` and 64 hexadecimal digits, as `turnwire serve --new-key NAME` prints it.
        limits: In place of the general `[limits]`.
    """

    name: _Name
    hash: Annotated[str, Meta(pattern=HASH)]
    limits: Limits | None = None


class Tls(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Files in PEM format with which the gateway speaks TLS itself.

    Attributes:
        cert: The certificate, followed by those of the authorities between it and the root.
        key: The private key, without a passphrase.
    """

    cert: Annotated[str, Meta(min_length=1)]
    key: Annotated[str, Meta(min_length=1)]


class _AddressHidden(Struct, frozen=True):
    """Shows its fields without ``url``: a password may be in that."""

    def __rich_repr__(self) -> list[tuple[str, Any]]:
        return [(name, getattr(self, name)) for name in self.__struct_fields__ if name != "url"]

    def __repr__(self) -> str:
        shown = ", ".join(f"{name}={value!r}" for name, value in self.__rich_repr__())
        return f"{type(self).__name__}({shown})"


class StoreConfig(_AddressHidden, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Where responses are kept; how many, say `store_bytes` and `store_responses` of `[server]`.

    Attributes:
        kind: `memory` ends with the process; `sqlite` survives it; `redis` is shared by gateways.
        path: Folder of the `sqlite` store; it is made if it is not there.
        url: Address of the `redis` store; TURNWIRE_STORE_URL of the environment is used instead if
            it is set, since a password may be in it.
        prefix: What all keys in Redis begin with, so that groups of gateways may share one.
        ttl: Seconds that a response can be found.
    """

    kind: StoreKind = "memory"
    path: str = ""
    url: str = ""
    prefix: Annotated[str, Meta(min_length=1, max_length=64)] = "turnwire"
    ttl: _Seconds | None = None


class ResponsesConfig(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What differs between servers of the kinds `responses` and `websocket`.

    Attributes:
        continues: Whether its HTTP side knows `previous_response_id`, so that only what is new
            has to be sent.
        compacts: Whether it takes `context_management`.
        fall_back: Whether turns for a `websocket` upstream go over HTTP where WebSocket does not
            work.
        lanes: Whether it knows `stream_id`; left out, that is found out.
        max_sockets: Sockets at most for one key.
        max_credentials: Keys of clients that have sockets there at the same time.
    """

    continues: bool = False
    compacts: bool = False
    fall_back: bool = True
    lanes: bool | None = None
    max_sockets: _Count = 4
    max_credentials: _Count = 64


class UpstreamConfig(_AddressHidden, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A model server; the first one with a matching pattern is asked, then the next one.

    Attributes:
        name: Tells upstreams apart in logs, metrics and on the status page.
        kind: What it speaks; `auto` finds that out when it is first needed.
        url: Its base URL, such as `http://127.0.0.1:8000/v1`.
        models: Patterns of the model names that it serves, with `*` and `?`.
        default: Whether it serves the models that no pattern matches, too.
        api_key_env: Environment variable with the key for it.
        credentials: Whose key it gets: the `gateway`'s own, or the one that the `client` brought.
        active_limit: Turns that it runs at once; further ones wait.
        queue_turns: Turns that may wait for it; with 0 none does.
        queue_timeout: Seconds that one waits at most.
        connect_timeout: Seconds for a new connection.
        first_output_timeout: Seconds until it must have said something.
        idle_timeout: Seconds that it may be silent in the middle of an answer.
        turn_timeout: Seconds for a whole answer.
        retries: How often a turn is tried again there before any output was shown.
        longest_wait: Seconds that a turn waits because the upstream asks for it.
        chat: What differs between servers of the kind `chat`.
        responses: What differs between servers of the kinds `responses` and `websocket`.
    """

    name: _Name = UNNAMED
    kind: UpstreamKind = "auto"
    url: str = ""
    models: tuple[str, ...] = ("*",)
    default: bool = False
    api_key_env: Annotated[str, Meta(pattern=VARIABLE)] | None = None
    credentials: Credentials = "gateway"
    active_limit: _Count | None = None
    queue_turns: Annotated[int, Meta(ge=0)] = 256
    queue_timeout: _Seconds = 30.0
    connect_timeout: _Seconds = 10.0
    first_output_timeout: _Seconds = 300.0
    idle_timeout: _Seconds = 120.0
    turn_timeout: _Seconds | None = None
    retries: Annotated[int, Meta(ge=0, le=10)] = 2
    longest_wait: Annotated[float, Meta(ge=0)] = 10.0
    chat: ChatOptions = ChatOptions()
    responses: ResponsesConfig = ResponsesConfig()


class Config(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A whole configuration; the defaults are a gateway for one's own machine.

    Attributes:
        workers: Processes that share the port.
        server: How to listen, and what to allow.
        tls: Without it the gateway speaks plain HTTP.
        store: Where responses are kept.
        limits: For each key that has none of its own; without keys, for all clients together.
        upstream: Model servers; without any the scripted model answers.
        key: Who may come in; without any, whoever reaches the port.
    """

    workers: Annotated[int, Meta(ge=1, le=256)] = 1
    server: Settings = Settings()
    tls: Tls | None = None
    store: StoreConfig = StoreConfig()
    limits: Limits = Limits()
    upstream: tuple[UpstreamConfig, ...] = ()
    key: tuple[Key, ...] = ()
