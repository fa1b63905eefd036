"""``on``: the functions that are called with events, typed by the event's name."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Literal, TypeVar, overload

if TYPE_CHECKING:
    from turnwire.events import realtime as wire
    from turnwire.realtime.listeners import Function

E = TypeVar("E")
Told = Callable[[E], object]
Telling = Callable[[Told[E]], Told[E]]  # a decorator
Undo = Callable[[], None]


class Typed:
    """Somebody who tells functions of events."""

    def _listen(self, kind: str, function: Function) -> Undo:
        raise NotImplementedError

    @overload
    def on(self, kind: Literal["audio"]) -> Telling[wire.AudioEvent]: ...
    @overload
    def on(self, kind: Literal["audio"], function: Told[wire.AudioEvent]) -> Undo: ...
    @overload
    def on(self, kind: Literal["audio_interrupted"]) -> Telling[wire.AudioInterruptedEvent]: ...
    @overload
    def on(
        self, kind: Literal["audio_interrupted"], function: Told[wire.AudioInterruptedEvent]
    ) -> Undo: ...
    @overload
    def on(self, kind: Literal["audio_dropped"]) -> Telling[wire.AudioDroppedEvent]: ...
    @overload
    def on(
        self, kind: Literal["audio_dropped"], function: Told[wire.AudioDroppedEvent]
    ) -> Undo: ...
    @overload
    def on(self, kind: Literal["function_call"]) -> Telling[wire.FunctionCallEvent]: ...
    @overload
    def on(
        self, kind: Literal["function_call"], function: Told[wire.FunctionCallEvent]
    ) -> Undo: ...
    @overload
    def on(self, kind: Literal["turn_started"]) -> Telling[wire.TurnStartedEvent]: ...
    @overload
    def on(self, kind: Literal["turn_started"], function: Told[wire.TurnStartedEvent]) -> Undo: ...
    @overload
    def on(self, kind: Literal["turn_done"]) -> Telling[wire.TurnDoneEvent]: ...
    @overload
    def on(self, kind: Literal["turn_done"], function: Told[wire.TurnDoneEvent]) -> Undo: ...
    @overload
    def on(self, kind: Literal["usage_update"]) -> Telling[wire.UsageUpdateEvent]: ...
    @overload
    def on(self, kind: Literal["usage_update"], function: Told[wire.UsageUpdateEvent]) -> Undo: ...
    @overload
    def on(self, kind: Literal["item_update"]) -> Telling[wire.ItemUpdateEvent]: ...
    @overload
    def on(self, kind: Literal["item_update"], function: Told[wire.ItemUpdateEvent]) -> Undo: ...
    @overload
    def on(self, kind: Literal["reconnected"]) -> Telling[wire.ReconnectedEvent]: ...
    @overload
    def on(self, kind: Literal["reconnected"], function: Told[wire.ReconnectedEvent]) -> Undo: ...
    @overload
    def on(self, kind: Literal["connection_change"]) -> Telling[wire.ConnectionChangeEvent]: ...
    @overload
    def on(
        self, kind: Literal["connection_change"], function: Told[wire.ConnectionChangeEvent]
    ) -> Undo: ...
    @overload
    def on(
        self, kind: Literal["mcp_approval_request"]
    ) -> Telling[wire.McpApprovalRequestEvent]: ...
    @overload
    def on(
        self, kind: Literal["mcp_approval_request"], function: Told[wire.McpApprovalRequestEvent]
    ) -> Undo: ...
    @overload
    def on(self, kind: Literal["error"]) -> Telling[wire.RealtimeErrorEvent]: ...
    @overload
    def on(self, kind: Literal["error"], function: Told[wire.RealtimeErrorEvent]) -> Undo: ...
    @overload
    def on(self, kind: Literal["response.done"]) -> Telling[wire.ResponseDoneEvent]: ...
    @overload
    def on(
        self, kind: Literal["response.done"], function: Told[wire.ResponseDoneEvent]
    ) -> Undo: ...
    @overload
    def on(self, kind: Literal["*"]) -> Telling[wire.RealtimeEvent]: ...
    @overload
    def on(self, kind: Literal["*"], function: Told[wire.RealtimeEvent]) -> Undo: ...
    @overload
    def on(self, kind: str) -> Callable[[Function], Function]: ...
    @overload
    def on(self, kind: str, function: Function) -> Undo: ...
    def on(self, kind: str, function: Function | None = None) -> Callable[..., Any]:
        """Call a function with each event of a type; return a function that undoes this.

        Without a function it is a decorator.  Functions are called one after the other, never in
        the reader: in a task of their own, plain ones and coroutines; those of a blocking session
        are plain ones, in a thread of their own, and may block.  A slow one delays the others, and
        nothing else.  An exception is logged.  What was not told a second after the session was
        closed is not told any more.

        Args:
            kind: A type of the wire, such as ``"response.done"``, today's or the beta's; a word
                such as ``"audio"``, ``"function_call"``, ``"turn_done"`` or
                ``"connection_change"`` (docs/reference/realtime-members.md); or ``"*"``.
            function: Takes the event.

        Raises:
            ConfigError: It is no function, or no such type can be.
        """
        if function is not None:
            return self._listen(kind, function)

        def decorate(function: Function) -> Function:
            self._listen(kind, function)
            return function

        return decorate
