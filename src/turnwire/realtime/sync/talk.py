"""What is said through a blocking transport."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from turnwire.realtime.sync.answers import Answer, PendingItem, PendingResponse

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from turnwire.core.realtime.breaking_off import Cancel
    from turnwire.events.realtime import FunctionCallEvent, RealtimeEvent
    from turnwire.events.realtime.base64_codec import Buffer
    from turnwire.realtime import answers
    from turnwire.realtime.sync.thread import Thread
    from turnwire.realtime.transport import RealtimeTransport

    Confirmed = Answer[RealtimeEvent]


class SyncTalk:
    """What is said to a session; see :class:`turnwire.realtime.RealtimeTransport`."""

    _transport: RealtimeTransport
    _thread: Thread

    # Aloud.

    def mute(self, muted: bool = True) -> None:  # noqa: FBT001, FBT002  # the field's own spelling
        """Drop the user's audio from now on, or no longer; what waits to be sent is sent."""
        self._thread.do(lambda: self._transport.mute(muted))

    def send_audio(self, audio: Buffer, *, commit: bool = False) -> None:
        """Send audio of the user's, in the session's input format.

        With ``overflow="block"`` it waits for room.

        Raises:
            ConnectionLost: The session is closed, or lost for good.
            QueueFull: The backlog is full and ``overflow`` is ``error``; nothing was taken.
            ConfigError: The session is a sideband, it is no audio, or too little to commit.
        """
        if self._transport.options.overflow == "block":
            self.feed(audio)
            audio = b""
        self._thread.do(lambda: self._transport.send_audio(audio, commit=commit))

    def feed(self, audio: Buffer) -> None:
        """Send audio and wait for room where there is none: for files rather than microphones.

        Raises:
            ConnectionLost: The session is closed, or lost for good.
        """
        # Some of it may have been taken: what comes after the end only raises.
        self._thread.wait_or(self._transport.feed(audio), lambda: self._transport.send_audio(b""))

    def commit(self) -> None:
        """Make an item of the audio since the last commit, for sessions without turn detection.

        Raises:
            ConfigError: It is less than 100 ms, which the server would refuse.
            ConnectionLost: The session is closed, or lost for good.
        """
        self._thread.do(self._transport.commit)

    def clear(self) -> None:
        """Forget the audio since the last commit, here and there."""
        self._thread.do(self._transport.clear)

    # Items.

    def send_message(
        self,
        content: str | Iterable[Mapping[str, Any]],
        *,
        role: str = "user",
        respond: bool = True,
        item_id: str | None = None,
        previous_item_id: str | None = None,
        **fields: Any,
    ) -> PendingItem:
        """Add a message, and ask for a response to it."""
        return self._item(
            lambda: self._transport.send_message(
                content,
                role=role,
                respond=respond,
                item_id=item_id,
                previous_item_id=previous_item_id,
                **fields,
            )
        )

    def send_image(
        self, image: str | bytes, *, detail: str | None = None, respond: bool = True
    ) -> PendingItem:
        """Show an image, bytes of a PNG or a JPEG or a URI, and ask for a response to it."""
        return self._item(lambda: self._transport.send_image(image, detail=detail, respond=respond))

    def send_function_output(
        self, call: FunctionCallEvent | str, output: Any, *, respond: bool = True
    ) -> PendingItem:
        """Say what a function returned, and ask for a response."""
        return self._item(
            lambda: self._transport.send_function_output(call, output, respond=respond)
        )

    def send_mcp_response(
        self, request: Any, *, approve: bool, reason: str | None = None
    ) -> PendingItem:
        """Allow or refuse a call of an MCP tool."""
        return self._item(
            lambda: self._transport.send_mcp_response(request, approve=approve, reason=reason)
        )

    def create_item(
        self, item: Mapping[str, Any], *, previous_item_id: str | None = None, **fields: Any
    ) -> PendingItem:
        """Add an item in the shape of the wire."""
        return self._item(
            lambda: self._transport.create_item(item, previous_item_id=previous_item_id, **fields)
        )

    def delete_item(self, item_id: str) -> Confirmed:
        """Remove an item; the result waits until it is gone."""
        return self._answer(lambda: self._transport.delete_item(item_id))

    def retrieve_item(self, item_id: str) -> Confirmed:
        """Ask for an item with its audio; the result is ``ConversationItemRetrieved``."""
        return self._answer(lambda: self._transport.retrieve_item(item_id))

    def truncate_item(self, item_id: str, content_index: int, audio_end_ms: int) -> Confirmed:
        """Make the model forget what it said after a time; ``interrupt`` does it by itself."""
        return self._answer(
            lambda: self._transport.truncate_item(item_id, content_index, audio_end_ms)
        )

    def reset_history(self, items: Sequence[Mapping[str, Any]]) -> list[Confirmed]:
        """Make the talk consist of these items, in this order."""
        changes = self._thread.do(lambda: self._transport.reset_history(items))
        return [Answer(self._thread, change) for change in changes]

    # Responses and the session.

    def request_response(self, **response: Any) -> PendingResponse:
        """Ask for a response; it is asked for as soon as none is active."""
        asked = self._thread.do(lambda: self._transport.request_response(**response))
        return PendingResponse(self._thread, asked)

    def cancel_response(self, response_id: str | None = None) -> bool:
        """Stop making a response, by default the active one; False if there is none."""
        return self._thread.do(lambda: self._transport.cancel_response(response_id))

    def interrupt(
        self,
        *,
        cancel: Cancel = "auto",
        response_id: str | None = None,
        reason: str = "requested",
    ) -> bool:
        """Stop what is heard, and tell the server how far it was heard; in one step."""
        return self._thread.do(
            lambda: self._transport.interrupt(cancel=cancel, response_id=response_id, reason=reason)
        )

    def update_session(self, **fields: Any) -> Confirmed:
        """Change what is given of the session, and nothing else; None is a value."""
        return self._answer(lambda: self._transport.update_session(**fields))

    def renew(self) -> None:
        """Go on in a new session, in the next pause of the talk: see ``ReconnectedEvent``."""
        self._thread.do(self._transport.renew)

    def send(self, event: Mapping[str, Any]) -> Answer[RealtimeEvent | None]:
        """Send any event of the client's, in the shape of the wire."""
        return Answer(self._thread, self._thread.do(lambda: self._transport.send(event)))

    def _answer(self, say: Callable[[], answers.Confirmed]) -> Confirmed:
        return Answer(self._thread, self._thread.do(say))

    def _item(self, say: Callable[[], answers.PendingItem]) -> PendingItem:
        return PendingItem(self._thread, self._thread.do(say))
