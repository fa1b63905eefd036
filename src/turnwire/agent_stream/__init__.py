"""Stream functions for agent runners: the whole history in, typed events out, a chain between.

An extension of the client for runners that call a function for each answer of a session, with
messages, tools and options in the shapes of pi-ai.  docs/howto/agent-stream.md
"""

from turnwire.agent_stream.by_session import create_stream_fn, has_live, release
from turnwire.agent_stream.content import (
    AssistantContent,
    ImageContent,
    SaidContent,
    TextContent,
    ThinkingContent,
    ToolCall,
)
from turnwire.agent_stream.events import (
    AgentEvent,
    DoneEvent,
    ErrorEvent,
    StartEvent,
    TextDeltaEvent,
    TextEndEvent,
    TextStartEvent,
    ThinkingDeltaEvent,
    ThinkingEndEvent,
    ThinkingStartEvent,
    ToolCallDeltaEvent,
    ToolCallEndEvent,
    ToolCallStartEvent,
    TurnReport,
)
from turnwire.agent_stream.falling_back import FallBack
from turnwire.agent_stream.messages import (
    AssistantMessage,
    Context,
    Cost,
    Message,
    Model,
    StopReason,
    Tool,
    ToolResultMessage,
    Usage,
    UserMessage,
)
from turnwire.agent_stream.options import Options, StreamOptions
from turnwire.agent_stream.stream import AgentStream
from turnwire.agent_stream.streams import AgentStreams, StreamFn
from turnwire.agent_stream.writing import to_dict

__all__ = [
    "AgentEvent",
    "AgentStream",
    "AgentStreams",
    "AssistantContent",
    "AssistantMessage",
    "Context",
    "Cost",
    "DoneEvent",
    "ErrorEvent",
    "FallBack",
    "ImageContent",
    "Message",
    "Model",
    "Options",
    "SaidContent",
    "StartEvent",
    "StopReason",
    "StreamFn",
    "StreamOptions",
    "TextContent",
    "TextDeltaEvent",
    "TextEndEvent",
    "TextStartEvent",
    "ThinkingContent",
    "ThinkingDeltaEvent",
    "ThinkingEndEvent",
    "ThinkingStartEvent",
    "Tool",
    "ToolCall",
    "ToolCallDeltaEvent",
    "ToolCallEndEvent",
    "ToolCallStartEvent",
    "ToolResultMessage",
    "TurnReport",
    "Usage",
    "UserMessage",
    "create_stream_fn",
    "has_live",
    "release",
    "to_dict",
]
