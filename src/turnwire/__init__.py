"""The Python stack for OpenAI's Responses WebSocket mode.

Start with :class:`AsyncClient` (or :class:`Client`, its blocking twin); :func:`connect` is one
plain socket.  The gateway is in ``turnwire.gateway``, the test peer in ``turnwire.testing``.
"""

from turnwire.client.aio import AsyncClient, AsyncResponses
from turnwire.client.blocking import Client, Responses
from turnwire.client.blocking_chain import Chain, Turn
from turnwire.client.chain import AsyncChain
from turnwire.client.options import ClientOptions
from turnwire.client.socket import Connection, connect
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
