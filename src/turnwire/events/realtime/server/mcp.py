"""Tools that the server itself calls, over MCP."""

from turnwire.events.realtime.base import RealtimeEvent


class _ListTools(RealtimeEvent, frozen=True, kw_only=True, gc=False):
    item_id: str = ""


class McpListToolsInProgress(
    _ListTools, frozen=True, kw_only=True, gc=False, tag="mcp_list_tools.in_progress"
):
    """The server asks an MCP server for its tools."""


class McpListToolsCompleted(
    _ListTools, frozen=True, kw_only=True, gc=False, tag="mcp_list_tools.completed"
):
    """The tools are known; the item ``item_id`` has them."""


class McpListToolsFailed(
    _ListTools, frozen=True, kw_only=True, gc=False, tag="mcp_list_tools.failed"
):
    """The MCP server did not say which tools it has."""


class _Call(RealtimeEvent, frozen=True, kw_only=True, gc=False):
    item_id: str = ""
    output_index: int = 0


class ResponseMcpCallInProgress(
    _Call, frozen=True, kw_only=True, gc=False, tag="response.mcp_call.in_progress"
):
    """The server calls a tool."""


class ResponseMcpCallCompleted(
    _Call, frozen=True, kw_only=True, gc=False, tag="response.mcp_call.completed"
):
    """The tool answered."""


class ResponseMcpCallFailed(
    _Call, frozen=True, kw_only=True, gc=False, tag="response.mcp_call.failed"
):
    """The tool did not answer, or with an error; the item says which."""


class ResponseMcpCallArgumentsDelta(
    _Call, frozen=True, kw_only=True, gc=False, tag="response.mcp_call_arguments.delta"
):
    """The next characters of a tool's arguments."""

    response_id: str = ""
    delta: str
    obfuscation: str | None = None


class ResponseMcpCallArgumentsDone(
    _Call, frozen=True, kw_only=True, gc=False, tag="response.mcp_call_arguments.done"
):
    """The whole arguments of a tool, as JSON text."""

    response_id: str = ""
    arguments: str = ""


McpEvents = (
    McpListToolsInProgress
    | McpListToolsCompleted
    | McpListToolsFailed
    | ResponseMcpCallInProgress
    | ResponseMcpCallCompleted
    | ResponseMcpCallFailed
    | ResponseMcpCallArgumentsDelta
    | ResponseMcpCallArgumentsDone
)
