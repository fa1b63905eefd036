"""The SDK's `RealtimeModel` on turnwire's transport; see docs/howto/realtime-openai-agents.md."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

import agents.realtime as sdk
from agents import UserError
from agents.realtime.model_inputs import (
    RealtimeModelSendInterrupt,
    RealtimeModelSendSessionUpdate,
)

from turnwire.adapters.openai_agents.realtime.listening import Listening
from turnwire.adapters.openai_agents.realtime.options import (
    connection_options,
    transport_options,
)
from turnwire.adapters.openai_agents.realtime.settings import changed_fields
from turnwire.adapters.openai_agents.realtime.tracker import TrackedPlayhead
from turnwire.errors import ConnectionLost
from turnwire.events import realtime as wire
from turnwire.realtime import RealtimeOptions, RealtimeTransport

if TYPE_CHECKING:
    from collections.abc import Callable

    from agents.realtime.openai_realtime import TransportConfig


class RealtimeModel(sdk.RealtimeModel):
    """A model for ``RealtimeRunner(agent, model=RealtimeModel())``.

    The transport hears the user's interruptions by itself and tells the server what was heard;
    listeners are told of it in a task of their own, however slow they are.
    One model serves one session at a time, and another one after it.

    Args:
        transport_config: The SDK's own low-level settings.
        **options: Options of the transport: see :class:`~turnwire.realtime.RealtimeOptions`.
            Audio of the user's waits for room unless `overflow` says otherwise.

    Raises:
        ConfigError: An option is wrong.
        UserError: A setting has no counterpart.
    """

    def __init__(self, *, transport_config: TransportConfig | None = None, **options: Any) -> None:
        given: dict[str, Any] = {"overflow": "block", **transport_options(transport_config or {})}
        self._options = RealtimeOptions(**{**given, **options})
        self._listeners: list[sdk.RealtimeModelListener] = []
        self._transport: RealtimeTransport | None = None
        self._listening: Listening | None = None
        self._opening: RealtimeTransport | None = None

    @property
    def transport(self) -> RealtimeTransport | None:
        """The transport of the session that is open, or None: ``heard``, ``statistics()``, …."""
        return self._transport

    async def connect(self, options: sdk.RealtimeModelConfig) -> None:
        """Open the session; the SDK's own session does that.

        Raises:
            UserError: It is open already, or a setting is wrong.
            ConfigError: No key, or a URL that is none.
            DialError: The server could not be reached, or refused.
            DialTimeout: The session was not ready in time.
            TurnError: The server refused the session's configuration.
            ConnectionLost: It was closed meanwhile.
        """
        if self._opening is not None or self._transport is not None:
            raise UserError("this model has an open session; close it, or make another model")
        transport = RealtimeTransport(connection_options(self._options, options))
        self._opening = transport
        try:
            await transport.open()
            if self._opening is not transport:  # closed as soon as it was ready
                await transport.aclose()
                raise ConnectionLost("the session was closed while it was opened", close_code=1000)
        finally:
            if self._opening is transport:
                self._opening = None
        playhead = transport.options.playback
        tracked = playhead if isinstance(playhead, TrackedPlayhead) else None
        if tracked is not None:
            tracked.follow(transport)
        self._transport = transport
        self._listening = Listening(transport, self._listeners, tracked)

    def add_listener(self, listener: sdk.RealtimeModelListener) -> None:
        """Tell a listener of what happens from now on."""
        if listener not in self._listeners:
            self._listeners.append(listener)

    def remove_listener(self, listener: sdk.RealtimeModelListener) -> None:
        """Tell a listener nothing more."""
        if listener in self._listeners:
            self._listeners.remove(listener)

    async def send_event(self, event: sdk.RealtimeModelSendEvent) -> None:
        """Send something; all but audio takes effect before this gives way to others.

        Raises:
            UserError: No session is open, or a setting is wrong.
            ConfigError: It is nothing that can be sent.
            ConnectionLost: The session was lost for good.
        """
        transport = self._open_transport()
        if isinstance(event, sdk.RealtimeModelSendAudio):
            await self._send_audio(transport, event)
        else:
            self._send(transport, event)

    async def send_event_if(
        self, event: sdk.RealtimeModelSendEvent, send_if: Callable[[], bool]
    ) -> bool:
        """Send something if a condition holds at that very moment; say whether it was sent.

        What would bring a response is not sent while another one that was asked for has not begun.
        """
        transport = self._open_transport()
        if isinstance(event, sdk.RealtimeModelSendAudio):
            return False
        brings_response = isinstance(event, sdk.RealtimeModelSendUserInput)
        if not send_if() or (brings_response and transport.awaits_response):
            return False
        self._send(transport, event)
        return True

    async def close(self) -> None:
        """Close the session, also one that is being opened; listeners hear no more of it."""
        transport, self._transport = self._transport or self._opening, None
        self._opening = None
        listening, self._listening = self._listening, None
        try:
            if listening is not None:
                await listening.leave()
        finally:
            if transport is not None:
                await transport.aclose()

    def _open_transport(self) -> RealtimeTransport:
        if self._transport is None:
            raise UserError("no session is open; enter it with `async with await runner.run()`")
        return self._transport

    async def _send_audio(
        self, transport: RealtimeTransport, event: sdk.RealtimeModelSendAudio
    ) -> None:
        if self._options.overflow == "block":
            await transport.feed(event.audio)
        else:
            transport.send_audio(event.audio)
        if event.commit:
            transport.commit()

    def _send(self, transport: RealtimeTransport, event: sdk.RealtimeModelSendEvent) -> None:
        match event:
            case sdk.RealtimeModelSendRawMessage(message=message):
                fields: dict[str, Any] = {**message}
                transport.send({"type": fields["type"], **(fields.get("other_data") or {})})
            case sdk.RealtimeModelSendUserInput(user_input=said):
                transport.send_message(said if isinstance(said, str) else said["content"])
            case sdk.RealtimeModelSendToolOutput():
                self._send_tool_output(transport, event)
            case RealtimeModelSendInterrupt():
                _interrupt(transport, event)
            case RealtimeModelSendSessionUpdate(session_settings=settings):
                transport.update_session(**changed_fields(settings))
            case _:
                raise UserError(f"{type(event).__name__} is nothing that this model can send")

    def _send_tool_output(
        self, transport: RealtimeTransport, event: sdk.RealtimeModelSendToolOutput
    ) -> None:
        call = event.tool_call
        transport.send_function_output(call.call_id, event.output, respond=event.start_response)
        item = wire.RealtimeItem(
            id=call.id,
            type="function_call",
            name=call.name,
            call_id=call.call_id,
            arguments=call.arguments,
            output=event.output,
        )
        if self._listening is not None:
            update = wire.ItemUpdateEvent(item=item, previous_item_id=call.previous_item_id)
            self._listening.tell(update)


def _interrupt(transport: RealtimeTransport, event: RealtimeModelSendInterrupt) -> None:
    """Stop what the SDK wants to be stopped; what the user's voice stops is stopped already."""
    if event.playback_only and (event.cancel_response_only or event.force_response_cancel):
        raise UserError("`playback_only` cancels nothing; leave the other two out")
    if event.cancel_response_only:
        if event.response_id is None:
            raise UserError("`cancel_response_only` needs a `response_id`")
        transport.cancel_response(event.response_id)
        return
    cancel: bool | Literal["auto"] = event.force_response_cancel or "auto"
    if event.playback_only:
        cancel = False
    transport.interrupt(cancel=cancel, response_id=event.response_id)
