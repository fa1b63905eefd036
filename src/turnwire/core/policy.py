"""Whether a turn that the server has perhaps run may be run once more."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import msgspec

from turnwire.core.request import Interruption

if TYPE_CHECKING:
    from turnwire.core.failure import Failure
    from turnwire.core.params import Params
    from turnwire.core.pool_turn import PoolTurn

_MOST_REPEATS: Final = 1

# Tools that run at the client, or that only read: docs/protocol/recovery.md#tools.  Every other
# kind may do something twice, kinds that nobody knows yet included.
_WITHOUT_SIDE_EFFECTS: Final = (
    "function", "custom", "apply_patch", "local_shell", "computer", "tool_search", "namespace",
    "web_search", "file_search",
)  # fmt: skip


class _Environment(msgspec.Struct):
    type: str = ""


class _Tool(msgspec.Struct):
    type: str = "unreadable"
    environment: _Environment | None = None


def may_repeat(turn: PoolTurn, failure: Failure) -> bool:
    """Ask the turn's policy; a turn that was repeated once is not repeated again."""
    if turn.repeats >= _MOST_REPEATS:
        return False
    if not turn.runs_model:
        return True
    replay = turn.request.replay
    if replay == "never":
        return False
    if replay == "always":
        return True
    params = turn.request.params
    tools = hosted_tools(params)
    if replay == "safe":
        # What is said in a conversation object stays there.
        return not tools and "conversation" not in params.fields
    interruption = Interruption(
        failure.message, turn.delivery, turn.response_id, failure.close_code, tools
    )
    return bool(replay(interruption))


def hosted_tools(params: Params) -> tuple[str, ...]:
    """Return the kinds of a turn's tools that the server runs and that may have side effects."""
    encoded = params.fields.get("tools")
    if not encoded:
        return ()
    try:
        tools = msgspec.json.decode(encoded, type=list[_Tool])
    except msgspec.MsgspecError:
        return ("unreadable",)
    return tuple(sorted({tool.type for tool in tools if not _is_harmless(tool)}))


def _is_harmless(tool: _Tool) -> bool:
    if tool.type == "shell":
        return tool.environment is not None and tool.environment.type == "local"
    # Kinds have dated variants, such as `web_search_preview_2025_03_11`.
    return tool.type.startswith(_WITHOUT_SIDE_EFFECTS)
