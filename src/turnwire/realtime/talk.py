"""Messages and other items of the talk."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any, Final

from turnwire.errors import ConfigError
from turnwire.events import encode
from turnwire.events.realtime import FunctionCallEvent, client
from turnwire.realtime.answers import Confirmed, PendingItem, PendingResponse
from turnwire.realtime.images import image_uri
from turnwire.realtime.wishing import Wishing, check_json

if TYPE_CHECKING:
    from collections.abc import Sequence

_MESSAGES: Final = {
    "user": client.user_message,
    "system": client.system_message,
    "assistant": client.assistant_message,
}


class Talk(Wishing):
    """What is said, and what was said."""

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
        """Add a message, and ask for a response to it.

        Args:
            content: A text, or parts in the shape of the wire.
            role: ``user``, ``system`` or ``assistant``.
            respond: Whether to ask for a response; wishes that come together become one.
            item_id: Its id; one is made without.
            previous_item_id: What it follows; ``"root"`` for the beginning, the end without.
            **fields: More fields of the message itself.

        Returns:
            To be awaited until the server has it; its ``item_id`` is known at once.

        Raises:
            ConfigError: No such role, or content that cannot be sent.
            ConnectionLost: The session is closed, or lost for good.
            QueueFull: Too many bytes wait to be sent.
        """
        if role not in _MESSAGES:
            raise ConfigError(f"`role` must be user, system or assistant, not {role!r}")
        made: Any = _MESSAGES[role]
        if not isinstance(content, str):
            _check_parts(content, role)
        item = made(content, item_id=item_id)["item"]
        added = self.create_item(item, previous_item_id=previous_item_id, **fields)
        if respond:
            self.request_response()
        return added

    def send_image(
        self, image: str | bytes, *, detail: str | None = None, respond: bool = True
    ) -> PendingItem:
        """Show an image, and ask for a response to it.

        Args:
            image: The bytes of a PNG or a JPEG, or a ``data:`` or ``http(s):`` URI of one.
            detail: How closely the model looks: ``low``, ``high`` or ``auto``.
            respond: Whether to ask for a response; wishes that come together become one.

        Raises:
            ConfigError: It is none of these.
            ConnectionLost: The session is closed, or lost for good.
        """
        part = client.input_image(image_uri(image), detail=detail)
        return self.send_message([part], respond=respond)

    def send_function_output(
        self, call: FunctionCallEvent | str, output: Any, *, respond: bool = True
    ) -> PendingItem:
        """Say what a function returned, and ask for a response.

        Args:
            call: The call, or its ``call_id``.
            output: A text; anything else is sent as JSON.
            respond: Whether to ask for a response; wishes that come together become one.
        """
        call_id = call.call_id if isinstance(call, FunctionCallEvent) else call
        said = output if isinstance(output, str) else encode(output).decode()
        added = self.create_item(client.function_output(call_id, said)["item"])
        if respond:
            self.request_response()
        return added

    def send_mcp_response(
        self, request: Any, *, approve: bool, reason: str | None = None
    ) -> PendingItem:
        """Allow or refuse a call of an MCP tool.

        Args:
            request: The ``mcp_approval_request`` event, its item, or the item's id.
            approve: Whether the tool may be called.
            reason: Why, or why not.
        """
        item = getattr(request, "item", request)
        request_id = str(getattr(item, "id", item))
        event = client.mcp_response(request_id, approve=approve, reason=reason)
        return self.create_item(event["item"], previous_item_id=request_id)

    def create_item(
        self, item: Mapping[str, Any], *, previous_item_id: str | None = None, **fields: Any
    ) -> PendingItem:
        """Add an item in the shape of the wire; await the result until the server has it.

        Raises:
            ConfigError: JSON cannot hold it.
            ConnectionLost: The session is closed, or lost for good.
            QueueFull: Too many bytes wait to be sent.
        """
        self._check_open()
        check_json(item)
        item_id, ticket = self._wish(self._machine.create_item, item, previous_item_id, fields)
        return self._waits(ticket, PendingItem(item_id))

    def delete_item(self, item_id: str) -> Confirmed:
        """Remove an item; await the result until it is gone."""
        self._check_open()
        return self._waits(self._wish(self._machine.delete_item, item_id), Confirmed())

    def retrieve_item(self, item_id: str) -> Confirmed:
        """Ask for an item with its audio; the result, awaited, is ``ConversationItemRetrieved``.

        The answer is as large as the audio in base64; words are in ``history`` without asking.
        """
        self._check_open()
        return self._asked(self._wish(self._machine.retrieve_item, item_id))

    def truncate_item(self, item_id: str, content_index: int, audio_end_ms: int) -> Confirmed:
        """Make the model forget what it said after a time; ``interrupt`` does it by itself."""
        self._check_open()
        now = self._now()
        end = int(audio_end_ms)
        return self._asked(
            self._wish(self._machine.truncate_item, item_id, content_index, end, now)
        )

    def reset_history(self, items: Sequence[Mapping[str, Any]]) -> list[Confirmed]:
        """Make the talk consist of these items, in this order.

        What is the same stays; the rest is deleted and created in its place.  Audio of the model's
        cannot be created, and becomes text.

        Returns:
            One for each change, to be awaited, or not.
        """
        self._check_open()
        for item in items:
            check_json(item)
        changes = {ticket: Confirmed() for ticket in self._wish(self._machine.reset_history, items)}
        for ticket, change in changes.items():  # all of them before any can be settled
            self._inbox.wait(ticket, change)
        self._act()
        return list(changes.values())

    def request_response(self, **response: Any) -> PendingResponse:
        """Ask for a response; it is asked for as soon as none is active.

        Wishes without fields that come together become one response.

        Args:
            **response: What is different for this one: ``instructions``, ``output_modalities``,
                ``tools``, ``conversation="none"``, ``input``, ``metadata`` and so on.

        Returns:
            To be awaited for its end, which returns the response; or see ``created()``.

        Raises:
            ConfigError: JSON cannot hold it.
            ConnectionLost: The session is closed, or lost for good.
            QueueFull: Too many bytes wait to be sent.
        """
        self._check_open()
        check_json(response)
        ticket = self._wish(self._machine.ask_response, response or None, self._now())
        return self._waits(ticket, PendingResponse())


def _check_parts(content: object, role: str) -> None:
    if role != "user":
        raise ConfigError(f"a message of the {role} is a text: `content` must be one")
    if isinstance(content, (bytes, Mapping)) or not isinstance(content, Iterable):
        kind = _kind_of(content)
        raise ConfigError(f"`content` must be a text or a list of parts, not {kind}")


def _kind_of(value: Any) -> str:
    return type(value).__name__
