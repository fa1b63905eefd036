"""All checks, in the order in which they are done and shown.

The order is meant: a name before a connection, a handshake before a ping; and the continuation
before the lanes, because a server that ignores lanes forgets the warm-up at the next create.
"""

from __future__ import annotations

from typing import Final

from turnwire.cli.doctor import configuration, handshake, route, size, turns, web
from turnwire.cli.doctor.findings import Check

_SLOW: Final = "the network, or the server behind it, is too slow or cut off"

CHECKS: Final = (
    Check("base_url", "base URL", "Configuration", configuration.base_url),
    Check("key", "key", "Configuration", configuration.key),
    Check("environment", "environment", "Configuration", configuration.environment),
    Check("proxy", "proxy", "Route", route.proxy),
    Check("dns", "name", "Route", route.dns, "the resolver does not answer: check this machine's"),
    Check("connect", "connection", "Route", route.connect, "a firewall may drop what is sent"),
    Check("tls", "TLS", "Route", route.tls, _SLOW),
    Check("handshake", "handshake", "WebSocket", handshake.handshake, handshake.LATE),
    Check("ping", "ping", "WebSocket", turns.ping, _SLOW),
    Check("models", "models", "HTTP", web.models, _SLOW),
    Check("http", "POST", "HTTP", web.http, _SLOW),
    Check("clock", "clock", "HTTP", web.clock),
    Check("sign_in", "sign-in", "Turns", handshake.sign_in, _SLOW),
    Check("warm_up", "warm-up", "Turns", turns.warm_up, turns.LATE),
    Check("continuation", "continuation", "Turns", turns.continuation, turns.LATE),
    Check("lanes", "lanes", "Turns", turns.lanes, turns.LATE),
    Check("size", "size", "Turns", size.size, size.LATE, is_upload=True),
)
