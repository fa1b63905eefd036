"""Tells the SDK's listeners what happens: in order, one after the other, never in the reader.

Only an interruption overtakes: what it is to stop is heard while the others are told.
"""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING, Final

from agents.realtime import (
    RealtimeModelAudioInterruptedEvent,
    RealtimeModelTurnEndedEvent,
)
from agents.realtime.model_events import (
    RealtimeModelEndOfStreamEvent,
    RealtimeModelExceptionEvent,
    RealtimeModelRawServerEvent,
)

from turnwire.adapters.openai_agents.realtime.items import cut_item, is_cut, previous_id
from turnwire.adapters.openai_agents.realtime.meaning import LOCAL, meanings
from turnwire.errors import ConnectionLost, TurnwireError
from turnwire.events import realtime as wire
from turnwire.realtime.listeners import is_cancelled_from_outside

if TYPE_CHECKING:
    from agents.realtime import RealtimeModelListener
    from agents.realtime.model_events import RealtimeModelEvent

    from turnwire.adapters.openai_agents.realtime.tracker import TrackedPlayhead
    from turnwire.events.realtime import RealtimeEvent
    from turnwire.realtime import RealtimeTransport

_log: Final = logging.getLogger("turnwire")
_CLOSED_WELL: Final = 1000
_WORDS: Final = (wire.ResponseAudioTranscriptDeltaEvent, wire.ResponseTextDeltaEvent)
_ITEMS: Final = (
    wire.ConversationItemAdded,
    wire.ResponseOutputItemAddedEvent,
    wire.ResponseOutputItemDoneEvent,
)


class Listening:
    """One connection's events on their way to the listeners.

    Args:
        transport: Whose events; open.
        listeners: Who is told; may change meanwhile.
        tracked: The playhead of an application's tracker, if there is one.
    """

    def __init__(
        self,
        transport: RealtimeTransport,
        listeners: list[RealtimeModelListener],
        tracked: TrackedPlayhead | None,
    ) -> None:
        self._transport = transport
        self._listeners = listeners
        self._tracked = tracked
        self._events = transport.events()
        self._turns: dict[str, None] = {}  # that have begun
        self._last_audio: tuple[str, int] | None = None
        self._cut: set[str] = set()  # items whose heard words the listeners know
        self._left = False
        self._task = asyncio.create_task(self._run(), name="turnwire-openai-agents-listeners")

    def tell(self, event: RealtimeEvent) -> None:
        """Have the listeners told of something of this side, after what waits."""
        self._events.put(event)

    async def leave(self) -> None:
        """Tell nothing more."""
        self._left = True
        if self._task is not asyncio.current_task():
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    async def _run(self) -> None:
        try:
            async for event in self._events:
                await self._on_event(event)
        except TurnwireError as error:
            await self._end(error)
        else:
            await self._end(None)

    async def _end(self, error: TurnwireError | None) -> None:
        for response_id in tuple(self._turns):
            await self._tell(RealtimeModelTurnEndedEvent(response_id=response_id))
        closed = isinstance(error, ConnectionLost) and error.close_code == _CLOSED_WELL
        if error is None or closed:
            await self._tell(RealtimeModelEndOfStreamEvent())
        else:
            context = "the Realtime session ended, and cannot be opened again"
            await self._tell(RealtimeModelExceptionEvent(exception=error, context=context))

    async def _on_event(self, event: RealtimeEvent) -> None:
        await self._interrupt()
        if not isinstance(event, LOCAL):
            await self._tell(RealtimeModelRawServerEvent(data=event.to_dict()))
        was_overtaken = await self._interrupt()
        self._note(event)
        if isinstance(event, wire.AudioInterruptedEvent):
            await self._interrupted(event)
        elif not (self._is_stale(event) or (was_overtaken and self._is_silenced(event))):
            for meaning in meanings(event):
                await self._tell(meaning)
        if isinstance(event, wire.ReconnectedEvent):
            await self._lost(event)

    def _note(self, event: RealtimeEvent) -> None:
        match event:
            case wire.ResponseCreatedEvent(response=response):
                self._turns[response.id] = None
            case wire.ResponseDoneEvent(response=response):
                self._turns.pop(response.id, None)
            case wire.ResponseAudioDeltaEvent():
                self._last_audio = event.item_id, event.content_index
            case wire.SessionUpdatedEvent() if self._tracked is not None:
                self._tracked.note_format()
            case _:
                pass

    def _is_stale(self, event: RealtimeEvent) -> bool:
        """Say whether an event tells of what was not heard, as the listeners know."""
        if isinstance(event, _WORDS):
            return is_cut(self._transport.item(event.item_id))
        if not isinstance(event, _ITEMS) or event.item.role != "assistant":
            return False
        known = self._transport.item(event.item.id or "")
        if known is None:  # deleted, or none of the talk's
            return not isinstance(event, wire.ConversationItemAdded)
        return is_cut(known)

    def _is_silenced(self, event: RealtimeEvent) -> bool:
        if not isinstance(event, wire.ResponseAudioDeltaEvent):
            return False
        part = (event.response_id, event.item_id, event.content_index)
        return any(each.part == part and each.interrupted for each in self._transport.heard)

    async def _lost(self, event: wire.ReconnectedEvent) -> None:
        """End the turns that the old socket took with it."""
        for response_id in [each for each in event.lost if each in self._turns]:
            del self._turns[response_id]
            await self._tell(RealtimeModelTurnEndedEvent(response_id=response_id))

    async def _interrupt(self) -> bool:
        """Tell of an interruption before what waits; say whether there was one."""
        urgent = self._events.take(wire.AudioInterruptedEvent)
        if urgent is None:
            return False
        await self._interrupted(urgent)
        await self._interrupt()
        return True

    async def _interrupted(self, event: wire.AudioInterruptedEvent) -> None:
        if self._tracked is not None:
            self._tracked.interrupted()
        part = (event.item_id, event.content_index) if event.item_id else None
        part = part or (self._last_audio if event.dropped_ms else None)
        if part is not None:  # something was being heard
            item_id, index = part
            told = RealtimeModelAudioInterruptedEvent(item_id=item_id, content_index=index)
            await self._tell(told)
        for update in self._heard_words():
            for meaning in meanings(update):
                await self._tell(meaning)

    def _heard_words(self) -> list[wire.ItemUpdateEvent]:
        """Return the items that were cut off, with what was heard of them."""
        interrupted = [each for each in self._transport.heard if each.interrupted]
        news = [each for each in interrupted if each.part.item_id not in self._cut]
        self._cut = {each.part.item_id for each in interrupted}
        updates = list[wire.ItemUpdateEvent]()
        for item_id in dict.fromkeys(each.part.item_id for each in news):
            known = self._transport.item(item_id)
            if known is not None and is_cut(known):
                before = previous_id(self._transport.history, item_id)
                updates.append(wire.ItemUpdateEvent(item=cut_item(known), previous_item_id=before))
        return updates

    async def _tell(self, event: RealtimeModelEvent) -> None:
        for listener in () if self._left else tuple(self._listeners):
            try:
                await listener.on_event(event)
            except asyncio.CancelledError as cancelled:
                if is_cancelled_from_outside(cancelled):
                    raise
                _log.exception("a listener of the OpenAI Agents SDK waited for what was cancelled")
            except Exception as error:  # noqa: BLE001  # the session is to raise it to its reader
                await self._failed(error, event)

    async def _failed(self, error: Exception, event: RealtimeModelEvent) -> None:
        context = f"a listener failed on {event.type}"
        told = RealtimeModelExceptionEvent(exception=error, context=context)
        for listener in tuple(self._listeners):
            try:
                await listener.on_event(told)
            except (Exception, asyncio.CancelledError) as failure:  # there is nobody left to tell
                if is_cancelled_from_outside(failure):
                    raise
                _log.exception("a listener of the OpenAI Agents SDK failed")
