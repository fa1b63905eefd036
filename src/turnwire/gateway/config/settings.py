"""Every setting of the gateway, with its default and its unit."""

from __future__ import annotations

import re
from dataclasses import dataclass, field, fields
from typing import Final, Literal

from turnwire.errors import ConfigError

MIB: Final = 2**20

_LAST_PORT: Final = 65_535
_MAY_BE_ZERO: Final = frozenset({"port", "drain_timeout", "store_responses", "linger"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """How the gateway listens and what it allows.

    Attributes:
        host: Address or name to bind; loopback by default, so that nobody else gets in.
        port: TCP port; 0 lets the system choose.
        allowed_hosts: Further values of the ``Host`` header, without port; ``"*"`` allows any.
        allowed_origins: Values of the browser's ``Origin`` header; ``"*"`` allows any.
        websocket: False answers every upgrade with 426, so that clients fall back to HTTP.
        max_message_bytes: Largest message or request body, after decompression.
        max_output_bytes: What a model may say in one turn; beyond it the turn fails.
        max_age: Seconds after which a socket takes no more turns; 3600 on the hosted service.
        heartbeat: Seconds between pings; a client that answers none for half of it is gone.
        outbox_bytes: What may wait for a client that reads slowly before its model runs pause.
        stall_timeout: Seconds without any progress in writing before a client is given up.
        active_limit: Turns at once on one socket.
        named_limit: Distinct lane names on one socket.
        queue_bytes: Turns that may wait on one socket.
        connection_bytes: Chains that one socket keeps for ``store=false``.
        store_bytes: Stored responses, shared ancestors counted once.
        store_responses: How many stored responses; 0 stores none.
        log_bytes: Events of stored responses, for clients that fetch them again.
        linger: Seconds that a stored turn runs on when its client has gone and nobody asks for it;
            with 0 it stops at once, as turns that are not stored do.
        drain_timeout: Seconds that running turns get to finish when the gateway stops.
        status: Who sees the status page and the metrics: programs on this machine (``loopback``),
            whoever has the operator's key (``key``), or nobody (``off``).
        operator_key: The hash of that key, as ``turnwire serve --new-key`` prints it.
        access_log: Path of the access log, ``"-"`` for stderr; with "" there is none.
    """

    host: str = "127.0.0.1"
    port: int = 8080
    allowed_hosts: tuple[str, ...] = ()
    allowed_origins: tuple[str, ...] = ()
    websocket: bool = True
    max_message_bytes: int = 64 * MIB
    max_output_bytes: int = 64 * MIB
    max_age: float = 3600.0
    heartbeat: float = 30.0
    outbox_bytes: int = MIB
    stall_timeout: float = 60.0
    active_limit: int = 16
    named_limit: int = 32
    queue_bytes: int = 64 * MIB
    connection_bytes: int = 256 * MIB
    store_bytes: int = 256 * MIB
    store_responses: int = 10_000
    log_bytes: int = 64 * MIB
    linger: float = 0.0
    drain_timeout: float = 30.0
    status: Literal["loopback", "key", "off"] = "loopback"
    operator_key: str = field(default="", repr=False)
    access_log: str = ""

    def __post_init__(self) -> None:
        for each in fields(self):
            value = getattr(self, each.name)
            if isinstance(value, bool) or not isinstance(value, int | float):
                continue
            if not (value > 0 or (value == 0 and each.name in _MAY_BE_ZERO)):
                least = "0 or more" if each.name in _MAY_BE_ZERO else "a number above 0"
                raise ConfigError(f"`{each.name}` is {value}; give {least}")
        if self.port > _LAST_PORT:
            raise ConfigError(f"`port` is {self.port}; give a number up to {_LAST_PORT}")
        for name in ("allowed_hosts", "allowed_origins"):
            if isinstance(getattr(self, name), str):
                raise ConfigError(f"`{name}` is a string; give a tuple of strings")
        if self.operator_key and not re.fullmatch(r"sha256:[0-9a-f]{64}", self.operator_key):
            raise ConfigError(
                "`operator_key` is not a hash; give `sha256:` and 64 hexadecimal digits"
            )
