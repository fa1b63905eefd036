"""The Python stack for OpenAI's Responses WebSocket mode and Realtime.

Start with :class:`AsyncClient` (or :class:`Client`, its blocking twin); :func:`connect` is one
plain socket.  ``turnwire.realtime`` has voice sessions, ``turnwire.audio`` what they need.  The
gateway is in ``turnwire.gateway``, the test peers in ``turnwire.testing``, and ``turnwire.httpx2``
and ``turnwire.httpx`` put other people's clients on the socket.

Each name is imported when it is first used, so that ``import turnwire`` costs nothing.
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from turnwire.adapters.openai_client import async_openai_client as async_openai_client
    from turnwire.adapters.openai_client import openai_client as openai_client
    from turnwire.client.aio import AsyncClient, AsyncResponses
    from turnwire.client.blocking import Client, Responses
    from turnwire.client.blocking_chain import Chain, Turn
    from turnwire.client.blocking_steer import Steer
    from turnwire.client.chain import AsyncChain
    from turnwire.client.options import ClientOptions
    from turnwire.client.socket import Connection, connect
    from turnwire.client.steering import AsyncSteer
    from turnwire.client.tools import FunctionTool, tool
    from turnwire.client.turn import AsyncTurn
    from turnwire.core.backoff import Backoff
    from turnwire.core.breaker import Health
    from turnwire.core.chain import ChainMiss
    from turnwire.core.request import Interruption
    from turnwire.core.statistics import ChainStatistics, PoolStatistics
    from turnwire.errors import (
        AuthenticationError,
        ConfigError,
        ConnectionLost,
        ContextTooLong,
        DeviceError,
        DialError,
        DialTimeout,
        FirstEventTimeout,
        PreviousResponseNotFound,
        ProgressTimeout,
        ProtocolError,
        QueueFull,
        QueueTimeout,
        RateLimited,
        RequestTooLarge,
        SlowConsumer,
        SteerError,
        SteerFailed,
        SteerUnknown,
        ToolLoopLimit,
        TransportError,
        TurnError,
        TurnInterrupted,
        TurnTimeout,
        TurnwireError,
        UnansweredCalls,
    )
    from turnwire.events import (
        Event,
        OtherEvent,
        Response,
        TurnRestartedEvent,
        TurnResumedEvent,
        Usage,
    )

__version__ = "0.1.0"

__all__ = [
    "AsyncChain",
    "AsyncClient",
    "AsyncResponses",
    "AsyncSteer",
    "AsyncTurn",
    "AuthenticationError",
    "Backoff",
    "Chain",
    "ChainMiss",
    "ChainStatistics",
    "Client",
    "ClientOptions",
    "ConfigError",
    "Connection",
    "ConnectionLost",
    "ContextTooLong",
    "DeviceError",
    "DialError",
    "DialTimeout",
    "Event",
    "FirstEventTimeout",
    "FunctionTool",
    "Health",
    "Interruption",
    "OtherEvent",
    "PoolStatistics",
    "PreviousResponseNotFound",
    "ProgressTimeout",
    "ProtocolError",
    "QueueFull",
    "QueueTimeout",
    "RateLimited",
    "RequestTooLarge",
    "Response",
    "Responses",
    "SlowConsumer",
    "Steer",
    "SteerError",
    "SteerFailed",
    "SteerUnknown",
    "ToolLoopLimit",
    "TransportError",
    "Turn",
    "TurnError",
    "TurnInterrupted",
    "TurnRestartedEvent",
    "TurnResumedEvent",
    "TurnTimeout",
    "TurnwireError",
    "UnansweredCalls",
    "Usage",
    "connect",
    "tool",
]

# Where each name lives: the same as above, for the interpreter.  The last two need an extra, so
# they are not in `__all__`: with it `import *` would fail for whoever has not installed that.
_HOMES = {
    "turnwire.client.aio": ("AsyncClient", "AsyncResponses"),
    "turnwire.client.blocking": ("Client", "Responses"),
    "turnwire.client.blocking_chain": ("Chain", "Turn"),
    "turnwire.client.blocking_steer": ("Steer",),
    "turnwire.client.chain": ("AsyncChain",),
    "turnwire.client.options": ("ClientOptions",),
    "turnwire.client.socket": ("Connection", "connect"),
    "turnwire.client.steering": ("AsyncSteer",),
    "turnwire.client.tools": ("FunctionTool", "tool"),
    "turnwire.client.turn": ("AsyncTurn",),
    "turnwire.core.backoff": ("Backoff",),
    "turnwire.core.breaker": ("Health",),
    "turnwire.core.chain": ("ChainMiss",),
    "turnwire.core.request": ("Interruption",),
    "turnwire.core.statistics": ("ChainStatistics", "PoolStatistics"),
    "turnwire.errors": (
        "AuthenticationError",
        "ConfigError",
        "ConnectionLost",
        "ContextTooLong",
        "DeviceError",
        "DialError",
        "DialTimeout",
        "FirstEventTimeout",
        "PreviousResponseNotFound",
        "ProgressTimeout",
        "ProtocolError",
        "QueueFull",
        "QueueTimeout",
        "RateLimited",
        "RequestTooLarge",
        "SlowConsumer",
        "SteerError",
        "SteerFailed",
        "SteerUnknown",
        "ToolLoopLimit",
        "TransportError",
        "TurnError",
        "TurnInterrupted",
        "TurnTimeout",
        "TurnwireError",
        "UnansweredCalls",
    ),
    "turnwire.events": (
        "Event",
        "OtherEvent",
        "Response",
        "TurnRestartedEvent",
        "TurnResumedEvent",
        "Usage",
    ),
    "turnwire.adapters.openai_client": ("async_openai_client", "openai_client"),
}
_HOME_OF = {name: home for home, names in _HOMES.items() for name in names}

if not TYPE_CHECKING:  # for checkers of types a name that does not exist stays an error

    def __getattr__(name: str) -> object:
        """Import a name, or a module of the package, when it is first asked for."""
        if name in _HOME_OF:
            found = getattr(import_module(_HOME_OF[name]), name)
        elif name.startswith("_"):
            raise AttributeError(_missing(name))
        else:
            found = _module(name)
        return globals().setdefault(name, found)


def _module(name: str) -> object:
    full_name = f"{__name__}.{name}"
    try:
        return import_module(full_name)
    except ModuleNotFoundError as error:
        if error.name != full_name:  # it is there, and what it needs is not
            raise
        raise AttributeError(_missing(name)) from None


def _missing(name: str) -> str:
    return f"module {__name__!r} has no attribute {name!r}; what it has is in `turnwire.__all__`"


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
