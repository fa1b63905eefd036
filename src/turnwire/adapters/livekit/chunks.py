"""Events of a turn as LiveKit's chunks."""

from __future__ import annotations

from typing import TYPE_CHECKING

from livekit.agents.llm import ChatChunk, ChoiceDelta, CompletionUsage, FunctionToolCall

from turnwire.adapters.livekit.context import items_said
from turnwire.events import (
    Item,
    ResponseCreatedEvent,
    ResponseFunctionToolCall,
    ResponseOutputItemDoneEvent,
    ResponseOutputMessage,
    ResponseTextDeltaEvent,
)

if TYPE_CHECKING:
    from turnwire.adapters.livekit.context import Json
    from turnwire.events import Event, Response


class Said:
    """What LiveKit has been shown of one turn.

    Attributes:
        calls: The calls, by their ids.
    """

    def __init__(self) -> None:
        self.calls: dict[str, FunctionToolCall] = {}
        self._response_id = ""
        self._text: list[str] = []

    @property
    def anything(self) -> bool:
        """True if there is something that must not be said twice."""
        return bool(self._text or self.calls)

    def chunk(self, event: Event) -> ChatChunk | None:
        """Return what an event shows, if it shows anything."""
        if isinstance(event, ResponseTextDeltaEvent):
            return self._say(event.delta)
        if isinstance(event, ResponseOutputItemDoneEvent):
            return self._item(event.item)
        if isinstance(event, ResponseCreatedEvent):
            self._response_id = event.response.id
        return None

    def rest(self, response: Response) -> list[ChatChunk]:
        """Return what came with the end only: text and calls that were not streamed, and usage."""
        self._response_id = response.id or self._response_id
        chunks = [] if self._text else [self._say(response.output_text)]
        calls = [item for item in response.output if isinstance(item, ResponseFunctionToolCall)]
        chunks += [self._item(call) for call in calls]
        usage = _usage(response)
        if usage is not None:
            chunks.append(ChatChunk(id=self._response_id, usage=usage))
        return [chunk for chunk in chunks if chunk is not None]

    def items(self, response: Response) -> list[Json] | None:
        """Return what was said as LiveKit will hand it back; None if that cannot be known.

        It cannot where the server has other text than it streamed.
        """
        text = "".join(self._text)
        if text.strip() != response.output_text.strip():
            return None
        return items_said(text, self.calls.values())

    def _say(self, text: str) -> ChatChunk | None:
        if not text:
            return None
        self._text.append(text)
        return self._delta(ChoiceDelta(role="assistant", content=text))

    def _item(self, item: Item) -> ChatChunk | None:
        if isinstance(item, ResponseFunctionToolCall):
            return self._call(item)
        if isinstance(item, ResponseOutputMessage) and item.phase is not None:
            return self._delta(
                ChoiceDelta(role="assistant", extra={"openai": {"phase": item.phase}})
            )
        return None

    def _call(self, item: ResponseFunctionToolCall) -> ChatChunk | None:
        # Half a call can be neither run nor answered.
        if item.status == "incomplete" or item.call_id in self.calls:
            return None
        call = FunctionToolCall(name=item.name, arguments=item.arguments, call_id=item.call_id)
        self.calls[item.call_id] = call
        return self._delta(ChoiceDelta(role="assistant", tool_calls=[call]))

    def _delta(self, delta: ChoiceDelta) -> ChatChunk:
        return ChatChunk(id=self._response_id, delta=delta)


def _usage(response: Response) -> CompletionUsage | None:
    usage = response.usage
    if usage is None:
        return None
    of_input, of_output = usage.input_tokens_details, usage.output_tokens_details
    return CompletionUsage(
        completion_tokens=usage.output_tokens,
        prompt_tokens=usage.input_tokens,
        prompt_cached_tokens=of_input.cached_tokens if of_input else 0,
        cache_creation_tokens=of_input.cache_write_tokens if of_input else 0,
        reasoning_tokens=of_output.reasoning_tokens if of_output else 0,
        total_tokens=usage.total_tokens,
        service_tier=getattr(response, "service_tier", None),
    )
