"""The events of a stream: a start, what comes, and exactly one end, ``done`` or ``error``."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, ClassVar, Literal, TypeAlias

if TYPE_CHECKING:
    from turnwire.agent_stream.content import ToolCall
    from turnwire.agent_stream.messages import AssistantMessage
    from turnwire.agent_stream.partial import Snapshot
    from turnwire.client.turn import AsyncTurn
    from turnwire.core.chain import ChainMiss


@dataclass(frozen=True, slots=True)
class TurnReport:
    """How a turn travelled and what it cost.

    Attributes:
        transport: ``websocket`` or ``http``.
        transport_reason: Why that way: begins with ``requested``, ``preferred`` or ``fallback``.
        chain_miss: Why the whole history was sent, or None if only what is new was.
        sent_bytes: Bytes of JSON written for it.
        full_bytes: What they would have been with the whole history each time.
        resends: How often it was written again.
        model_runs: How many runs of the model it may have started.
    """

    transport: str
    transport_reason: str
    chain_miss: ChainMiss | None = None
    sent_bytes: int = 0
    full_bytes: int = 0
    resends: int = 0
    model_runs: int = 0

    @classmethod
    def of(cls, turn: AsyncTurn, miss: ChainMiss | None) -> TurnReport:
        """Report on a turn that was submitted.

        Args:
            turn: The turn.
            miss: Why its chain is a new one, if it is.
        """
        return cls(
            transport=turn.transport,
            transport_reason=turn.transport_reason,
            chain_miss=turn.chain_miss or miss,
            sent_bytes=turn.sent_bytes,
            full_bytes=turn.full_bytes,
            resends=turn.resends,
            model_runs=turn.model_runs,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Progress:
    snapshot: Snapshot = field(repr=False, compare=False)

    @property
    def partial(self) -> AssistantMessage:
        """The message as it was at this event; made anew at each use."""
        return self.snapshot.message()


@dataclass(frozen=True, slots=True, kw_only=True)
class StartEvent(_Progress):
    """The server has taken the turn."""

    type: ClassVar[Literal["start"]] = "start"


@dataclass(frozen=True, slots=True, kw_only=True)
class _OfBlock(_Progress):
    content_index: int


@dataclass(frozen=True, slots=True, kw_only=True)
class _Delta(_OfBlock):
    delta: str = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class TextStartEvent(_OfBlock):
    """Text begins."""

    type: ClassVar[Literal["text_start"]] = "text_start"


@dataclass(frozen=True, slots=True, kw_only=True)
class TextDeltaEvent(_Delta):
    """The next characters of the text."""

    type: ClassVar[Literal["text_delta"]] = "text_delta"


@dataclass(frozen=True, slots=True, kw_only=True)
class TextEndEvent(_OfBlock):
    """The text is whole."""

    content: str = field(repr=False)
    type: ClassVar[Literal["text_end"]] = "text_end"


@dataclass(frozen=True, slots=True, kw_only=True)
class ThinkingStartEvent(_OfBlock):
    """The model shows how it reasons."""

    type: ClassVar[Literal["thinking_start"]] = "thinking_start"


@dataclass(frozen=True, slots=True, kw_only=True)
class ThinkingDeltaEvent(_Delta):
    """The next characters of that."""

    type: ClassVar[Literal["thinking_delta"]] = "thinking_delta"


@dataclass(frozen=True, slots=True, kw_only=True)
class ThinkingEndEvent(_OfBlock):
    """That is whole."""

    content: str = field(repr=False)
    type: ClassVar[Literal["thinking_end"]] = "thinking_end"


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolCallStartEvent(_OfBlock):
    """A tool call begins; its id and name are in ``partial``."""

    type: ClassVar[Literal["toolcall_start"]] = "toolcall_start"


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolCallDeltaEvent(_Delta):
    """The next characters of its arguments."""

    type: ClassVar[Literal["toolcall_delta"]] = "toolcall_delta"


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolCallEndEvent(_OfBlock):
    """A tool call is whole."""

    tool_call: ToolCall
    type: ClassVar[Literal["toolcall_end"]] = "toolcall_end"


@dataclass(frozen=True, slots=True)
class DoneEvent:
    """The last event of an answer that came.

    Attributes:
        reason: ``stop``, ``length`` or ``toolUse``.
        message: The whole message, with usage.
        report: How the turn travelled; None if somebody else's stream made this event.
    """

    reason: Literal["stop", "length", "toolUse"]
    message: AssistantMessage
    report: TurnReport | None = None
    type: ClassVar[Literal["done"]] = "done"


@dataclass(frozen=True, slots=True)
class ErrorEvent:
    """The last event of an answer that did not come, or not wholly.

    Attributes:
        reason: ``error``, or ``aborted`` if the caller ended it.
        message: What had come, with ``error_message``.
        cause: The exception, or None if it was aborted.
        report: How the turn travelled, if there was one.
    """

    reason: Literal["error", "aborted"]
    message: AssistantMessage
    cause: Exception | None = None
    report: TurnReport | None = None
    type: ClassVar[Literal["error"]] = "error"


AgentEvent: TypeAlias = (
    StartEvent
    | TextStartEvent
    | TextDeltaEvent
    | TextEndEvent
    | ThinkingStartEvent
    | ThinkingDeltaEvent
    | ThinkingEndEvent
    | ToolCallStartEvent
    | ToolCallDeltaEvent
    | ToolCallEndEvent
    | DoneEvent
    | ErrorEvent
)
