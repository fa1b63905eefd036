"""The server's events to a runner's: which part of the answer begins, grows and ends."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from turnwire.agent_stream import events as out
from turnwire.agent_stream.assistant import content_of
from turnwire.agent_stream.content import TextContent, ThinkingContent, ToolCall
from turnwire.agent_stream.partial import Block, Snapshot
from turnwire.events import (
    ResponseCustomToolCall,
    ResponseCustomToolCallInputDeltaEvent,
    ResponseFunctionCallArgumentsDeltaEvent,
    ResponseFunctionToolCall,
    ResponseOutputItemAddedEvent,
    ResponseOutputItemDoneEvent,
    ResponseReasoningSummaryTextDeltaEvent,
    ResponseReasoningTextDeltaEvent,
    ResponseRefusalDeltaEvent,
    ResponseTextDeltaEvent,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from turnwire.agent_stream.content import AssistantContent
    from turnwire.agent_stream.messages import AssistantMessage, Model
    from turnwire.agent_stream.partial import Kind
    from turnwire.events import Event

    _Start = out.TextStartEvent | out.ThinkingStartEvent | out.ToolCallStartEvent
    _Delta = out.TextDeltaEvent | out.ThinkingDeltaEvent | out.ToolCallDeltaEvent

_STARTS: Final[dict[Kind, type[_Start]]] = {
    "text": out.TextStartEvent,
    "thinking": out.ThinkingStartEvent,
    "toolCall": out.ToolCallStartEvent,
}
_DELTAS: Final[dict[Kind, type[_Delta]]] = {
    "text": out.TextDeltaEvent,
    "thinking": out.ThinkingDeltaEvent,
    "toolCall": out.ToolCallDeltaEvent,
}
_BETWEEN_THOUGHTS: Final = "\n\n"


class Draft:
    """One answer while it comes.

    Args:
        model: Who answers.
        timestamp: When it was asked, in milliseconds.
    """

    def __init__(self, model: Model, timestamp: int) -> None:
        self.started = False
        self._model = model
        self._timestamp = timestamp
        self._blocks: list[Block] = []
        self._by_item: dict[int, Block] = {}

    def snapshot(self, *, whole_calls: bool = False) -> Snapshot:
        """Return the answer as it is now.

        Args:
            whole_calls: True to leave out calls whose arguments are still coming.
        """
        blocks = tuple(
            (block, len(block.pieces) if block.whole is None else block.whole)
            for block in self._blocks
            if not whole_calls or block.kind != "toolCall" or block.whole is not None
        )
        return Snapshot(self._model, self._timestamp, blocks)

    def add(self, event: Event) -> Iterator[out.AgentEvent]:
        """Take in an event of the turn.

        A turn that has shown something is not restarted, so all that was shown counts.
        """
        if not self.started:
            self.started = True
            yield out.StartEvent(snapshot=self.snapshot())
        if isinstance(event, ResponseOutputItemAddedEvent | ResponseOutputItemDoneEvent):
            yield from self._item(event)
        else:
            yield from self._delta(event)

    def _delta(self, event: Event) -> Iterator[out.AgentEvent]:
        match event:
            case ResponseTextDeltaEvent() | ResponseRefusalDeltaEvent():
                yield from self._grow(event.output_index, "text", event.delta)
            case ResponseReasoningSummaryTextDeltaEvent():
                yield from self._think(event.output_index, event.delta, event.summary_index)
            case ResponseReasoningTextDeltaEvent():
                yield from self._think(event.output_index, event.delta, 0)
            case (
                ResponseFunctionCallArgumentsDeltaEvent() | ResponseCustomToolCallInputDeltaEvent()
            ):
                yield from self._grow(event.output_index, "toolCall", event.delta)
            case _:
                pass

    def _item(
        self, event: ResponseOutputItemAddedEvent | ResponseOutputItemDoneEvent
    ) -> Iterator[out.AgentEvent]:
        item = event.item
        if isinstance(event, ResponseOutputItemDoneEvent):
            # Arguments that are no JSON may be half: the response's end will tell.
            whole = content_of(item, cut=True)
            if whole is not None:
                text = item.arguments if isinstance(item, ResponseFunctionToolCall) else None
                yield from self._finish(event.output_index, whole, text)
        elif isinstance(item, ResponseFunctionToolCall):
            call = ToolCall(item.call_id, item.name, "")
            yield from self._begin(event.output_index, "toolCall", call)
        elif isinstance(item, ResponseCustomToolCall):
            call = ToolCall(item.call_id, item.name, "", custom=True)
            yield from self._begin(event.output_index, "toolCall", call)

    def finish(self, message: AssistantMessage) -> Iterator[out.AgentEvent]:
        """Show what the final message has beyond what was streamed, and end what is open."""
        for index, whole in enumerate(message.content):
            if index >= len(self._blocks):
                block = self._append(whole.type, _bare(whole))
                yield self._start_of(block)
                yield from self._end(block, whole, None)
            elif self._blocks[index].kind == whole.type and not self._blocks[index].ended:
                yield from self._end(self._blocks[index], whole, None)

    def _begin(self, item: int, kind: Kind, call: ToolCall | None) -> Iterator[out.AgentEvent]:
        if item not in self._by_item:
            self._by_item[item] = block = self._append(kind, call)
            yield self._start_of(block)

    def _append(self, kind: Kind, call: ToolCall | None) -> Block:
        block = Block(kind, call)
        self._blocks.append(block)
        return block

    def _start_of(self, block: Block) -> out.AgentEvent:
        return _STARTS[block.kind](content_index=self._index(block), snapshot=self.snapshot())

    def _index(self, block: Block) -> int:
        return next(index for index, each in enumerate(self._blocks) if each is block)

    def _think(self, item: int, delta: str, part: int) -> Iterator[out.AgentEvent]:
        block = self._by_item.get(item)
        if block is not None and block.part != part:
            delta = _BETWEEN_THOUGHTS + delta
        yield from self._grow(item, "thinking", delta)
        self._by_item[item].part = part

    def _grow(self, item: int, kind: Kind, delta: str) -> Iterator[out.AgentEvent]:
        yield from self._begin(item, kind, None)
        yield self._delta_of(self._by_item[item], delta)

    def _delta_of(self, block: Block, delta: str) -> out.AgentEvent:
        block.pieces.append(delta)
        return _DELTAS[block.kind](
            content_index=self._index(block), delta=delta, snapshot=self.snapshot()
        )

    def _finish(
        self, item: int, whole: AssistantContent, text: str | None
    ) -> Iterator[out.AgentEvent]:
        yield from self._begin(item, whole.type, _bare(whole))
        if not self._by_item[item].ended:
            yield from self._end(self._by_item[item], whole, text)

    def _end(
        self, block: Block, whole: AssistantContent, text: str | None
    ) -> Iterator[out.AgentEvent]:
        """End a part; what was not streamed of it comes in one piece before."""
        streamed = "".join(block.pieces)
        said = _text_of(whole) if text is None else text
        if len(said) > len(streamed) and said.startswith(streamed):
            yield self._delta_of(block, said[len(streamed) :])
        block.whole, block.ended = whole, True
        yield self._end_of(block, whole)

    def _end_of(self, block: Block, whole: AssistantContent) -> out.AgentEvent:
        index, snapshot = self._index(block), self.snapshot()
        match whole:
            case TextContent(text=text):
                return out.TextEndEvent(content_index=index, content=text, snapshot=snapshot)
            case ThinkingContent(thinking=text):
                return out.ThinkingEndEvent(content_index=index, content=text, snapshot=snapshot)
            case ToolCall():
                return out.ToolCallEndEvent(content_index=index, tool_call=whole, snapshot=snapshot)


def _bare(whole: AssistantContent) -> ToolCall | None:
    if not isinstance(whole, ToolCall):
        return None
    return ToolCall(whole.id, whole.name, "", custom=whole.custom)


def _text_of(whole: AssistantContent) -> str:
    match whole:
        case TextContent(text=text) | ThinkingContent(thinking=text):
            return text
        case ToolCall(arguments=arguments):
            return arguments if isinstance(arguments, str) else ""
