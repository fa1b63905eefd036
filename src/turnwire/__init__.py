"""The Python stack for OpenAI's Responses WebSocket mode.

Start with :class:`AsyncClient` (or :class:`Client`, its blocking twin); :func:`connect` is one
plain socket.  The gateway is in ``turnwire.gateway``, the test peer in ``turnwire.testing``.
"""

from turnwire.client.aio import AsyncClient, AsyncResponses
from turnwire.client.blocking import Chain, Client, Responses, Turn
from turnwire.client.chain import AsyncChain
from turnwire.client.socket import Connection, connect
from turnwire.client.tools import FunctionTool, tool
from turnwire.client.turn import AsyncTurn
from turnwire.core.chain import ChainMiss
from turnwire.core.statistics import PoolStatistics
from turnwire.errors import (
    AuthenticationError,
    ConfigError,
    ConnectionLost,
    ContextTooLong,
    DialError,
    DialTimeout,
    FirstEventTimeout,
    PreviousResponseNotFound,
    ProtocolError,
    QueueFull,
    QueueTimeout,
    RateLimited,
    RequestTooLarge,
    SlowConsumer,
    ToolLoopLimit,
    TransportError,
    TurnError,
    TurnInterrupted,
    TurnTimeout,
    TurnwireError,
)
from turnwire.events import Event, OtherEvent, Response, Usage

__version__ = "0.1.0"

__all__ = [
    "AsyncChain",
    "AsyncClient",
    "AsyncResponses",
    "AsyncTurn",
    "AuthenticationError",
    "Chain",
    "ChainMiss",
    "Client",
    "ConfigError",
    "Connection",
    "ConnectionLost",
    "ContextTooLong",
    "DialError",
    "DialTimeout",
    "Event",
    "FirstEventTimeout",
    "FunctionTool",
    "OtherEvent",
    "PoolStatistics",
    "PreviousResponseNotFound",
    "ProtocolError",
    "QueueFull",
    "QueueTimeout",
    "RateLimited",
    "RequestTooLarge",
    "Response",
    "Responses",
    "SlowConsumer",
    "ToolLoopLimit",
    "TransportError",
    "Turn",
    "TurnError",
    "TurnInterrupted",
    "TurnTimeout",
    "TurnwireError",
    "Usage",
    "connect",
    "tool",
]
