"""The response object, its output items and its usage, under the official SDK's attribute names.

Every field has a default and a generous type: what one server leaves out must not cost a turn on
another. Sources of the shapes: docs/protocol/events.md.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from turnwire.events.base import RAW_FIELD_NAME


class InputTokensDetails(msgspec.Struct, frozen=True, kw_only=True):
    """How many input tokens came from, and went to, the prompt cache."""

    cached_tokens: int = 0
    cache_write_tokens: int = 0


class OutputTokensDetails(msgspec.Struct, frozen=True, kw_only=True):
    """How many output tokens were reasoning."""

    reasoning_tokens: int = 0


class Usage(msgspec.Struct, frozen=True, kw_only=True):
    """Tokens that a response used."""

    input_tokens: int = 0
    input_tokens_details: InputTokensDetails | None = None
    output_tokens: int = 0
    output_tokens_details: OutputTokensDetails | None = None
    total_tokens: int = 0


class ErrorBody(msgspec.Struct, frozen=True, kw_only=True):
    """The inside of an error, in any of the shapes that servers use."""

    code: str | int | None = None
    message: str | None = None
    type: str | None = None
    param: str | None = None
    detail: Any = None
    headers: dict[str, Any] | None = None


class IncompleteDetails(msgspec.Struct, frozen=True, kw_only=True):
    """Why a response is incomplete."""

    reason: str | None = None


class ContentPart(msgspec.Struct, frozen=True, kw_only=True):
    """A part of a message: ``output_text`` with ``text``, or ``refusal`` with ``refusal``."""

    type: str = ""
    text: str | None = None
    refusal: str | None = None
    annotations: list[Any] | None = None


class SummaryPart(msgspec.Struct, frozen=True, kw_only=True):
    """A part of a reasoning summary."""

    type: str = "summary_text"
    text: str = ""


class Item(msgspec.Struct, frozen=True, kw_only=True, tag_field="type"):
    """An output item; hand it back as input as it is.

    Attributes:
        raw: The item as it arrived; sent back byte for byte.
        id: The server's id, or None.
    """

    raw: bytes = msgspec.field(default=b"", name=RAW_FIELD_NAME)
    id: str | None = None
    status: str | None = None

    @property
    def type(self) -> str:
        """The wire's name of the item, such as ``message`` or ``function_call``."""
        return str(self.__struct_config__.tag)

    def to_dict(self) -> dict[str, Any]:
        """Return the whole item as it arrived."""
        loaded: dict[str, Any] = msgspec.json.decode(self.raw)
        return loaded


class ResponseOutputMessage(Item, frozen=True, kw_only=True, tag="message"):
    """What the model said."""

    role: str = "assistant"
    content: list[ContentPart] = []
    phase: str | None = None


class ResponseFunctionToolCall(Item, frozen=True, kw_only=True, tag="function_call"):
    """A function that the model wants called; ``arguments`` is JSON text."""

    call_id: str = ""
    name: str = ""
    arguments: str = ""


class ResponseCustomToolCall(Item, frozen=True, kw_only=True, tag="custom_tool_call"):
    """A custom tool that the model wants called; ``input`` is free text."""

    call_id: str = ""
    name: str = ""
    input: str = ""


class ResponseReasoningItem(Item, frozen=True, kw_only=True, tag="reasoning"):
    """How the model reasoned, as far as the server shows it."""

    summary: list[SummaryPart] = []
    content: list[ContentPart] | None = None
    encrypted_content: str | None = None


class OtherItem(Item, frozen=True, kw_only=True):
    """An item of a type that turnwire does not act on; everything is in ``to_dict()``."""

    item_type: str = ""
    call_id: str | None = None

    @property
    def type(self) -> str:
        """The wire's name of the item."""
        return self.item_type


KnownItem = (
    ResponseOutputMessage
    | ResponseFunctionToolCall
    | ResponseCustomToolCall
    | ResponseReasoningItem
)


class _ItemEnvelope(msgspec.Struct, frozen=True, kw_only=True):
    type: str = "message"
    id: str | None = None
    status: str | None = None
    call_id: str | None = None


_known_item = msgspec.json.Decoder(KnownItem)
_item_envelope = msgspec.json.Decoder(_ItemEnvelope)


def decode_item(raw: bytes | msgspec.Raw) -> Item:
    """Decode one output item; a type or shape that is not known becomes :class:`OtherItem`."""
    item: Item
    try:
        item = _known_item.decode(raw)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        envelope = _decode_item_envelope(raw)
        item = OtherItem(
            item_type=envelope.type,
            id=envelope.id,
            status=envelope.status,
            call_id=envelope.call_id,
        )
    msgspec.structs.force_setattr(item, "raw", bytes(raw))
    return item


def _decode_item_envelope(raw: bytes | msgspec.Raw) -> _ItemEnvelope:
    try:
        return _item_envelope.decode(raw)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return _ItemEnvelope(type="")  # not even an object: `raw` still shows what it is


class Response(msgspec.Struct, frozen=True, kw_only=True):
    """A response object.

    Fields of the wire that have no attribute here are found by name all the same, as plain JSON:
    ``response.instructions``, ``response.service_tier``.

    Attributes:
        id: Opaque; gateways rewrite it.
        status: ``in_progress``, ``completed``, ``incomplete``, ``failed`` or ``cancelled``.
        output_raw: The output items, undecoded, as they arrived.
        usage: Tokens, or None where the server does not say.
    """

    id: str = ""
    object: str = "response"
    created_at: float | None = None
    status: str | None = None
    model: str | None = None
    output_raw: list[msgspec.Raw] | None = msgspec.field(default=None, name="output")
    usage: Usage | None = None
    error: ErrorBody | None = None
    incomplete_details: IncompleteDetails | None = None
    previous_response_id: str | None = None
    store: bool | None = None
    metadata: dict[str, Any] | None = None
    raw: bytes = msgspec.field(default=b"", name=RAW_FIELD_NAME)

    @property
    def output(self) -> list[Item]:
        """The output items, decoded at each use; keep the list if you loop."""
        return [decode_item(raw) for raw in self.output_raw or ()]

    @property
    def output_text(self) -> str:
        """The text of all messages, joined, as in the official SDK."""
        return "".join(
            part.text or ""
            for item in self.output
            if isinstance(item, ResponseOutputMessage)
            for part in item.content
            if part.type == "output_text"
        )

    def to_dict(self) -> dict[str, Any]:
        """Return the whole response, with fields that the class does not name."""
        loaded: dict[str, Any] = msgspec.json.decode(self.raw) if self.raw else {}
        loaded["output"] = [msgspec.json.decode(raw) for raw in self.output_raw or ()]
        return {"id": self.id, "object": self.object, "status": self.status} | loaded

    def __repr__(self) -> str:
        """Say what it is in a line; what was said stays out of logs."""
        count = len(self.output_raw or ())
        return f"Response(id={self.id!r}, status={self.status!r}, output={count} items)"

    def to_json(self, *, indent: int | None = 2) -> str:
        """Return the whole response as JSON text."""
        encoded = msgspec.json.encode(self.to_dict())
        return (msgspec.json.format(encoded, indent=indent) if indent else encoded).decode()

    # The official SDK's names for the same.

    def model_dump(self) -> dict[str, Any]:
        """Return the whole response, as :meth:`to_dict`."""
        return self.to_dict()

    def model_dump_json(self, *, indent: int | None = None) -> str:
        """Return the whole response as JSON text, as :meth:`to_json`."""
        return self.to_json(indent=indent)

    if not TYPE_CHECKING:  # a misspelt name stays an error for type checkers

        def __getattr__(self, name: str) -> Any:
            """Return a field of the wire that has no attribute here."""
            try:
                return self.to_dict()[name]
            except KeyError:
                raise AttributeError(f"the response has no field {name!r}") from None
