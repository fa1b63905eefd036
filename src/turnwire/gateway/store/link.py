"""One link of a chain as bytes, and back: what every store outside of memory keeps.

One byte says which form it is, MessagePack follows.  Fields are known by their place: new ones go
to the end, with a default, and then older gateways can still read it; any other change is a new
form.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import msgspec

from turnwire.gateway.context import Context
from turnwire.gateway.input.items import Call  # msgspec reads it at run time
from turnwire.gateway.store.unavailable import StoreUnavailable

if TYPE_CHECKING:
    from collections.abc import Sequence

FORM: Final = 1


class Link(msgspec.Struct, frozen=True, array_like=True):
    """What one turn added to its chain; as :class:`Context`, with the id of the link before it."""

    response_id: str
    parent_id: str | None
    input: tuple[bytes, ...]
    output: tuple[bytes, ...]
    pending: tuple[Call, ...]
    response: bytes
    item_count: int
    content_bytes: int
    owner: str
    dead_end: bool


_encoder: Final = msgspec.msgpack.Encoder()
_decoder: Final = msgspec.msgpack.Decoder(Link)


def encode_link(context: Context) -> bytes:
    """Return one link, without those before it."""
    link = Link(
        response_id=context.response_id,
        parent_id=context.parent.response_id if context.parent else None,
        input=context.input,
        output=context.output,
        pending=context.pending,
        response=context.response,
        item_count=context.item_count,
        content_bytes=context.content_bytes,
        owner=context.owner,
        dead_end=context.dead_end,
    )
    return bytes([FORM]) + _encoder.encode(link)


def decode_link(data: bytes) -> Link:
    """Return the link that these bytes are.

    Raises:
        StoreUnavailable: A newer turnwire wrote it, or it is damaged.
    """
    form = data[0] if data else 0
    if form > FORM:
        raise StoreUnavailable(
            f"This chain was stored by a newer turnwire (form {form}; this one reads up to"
            f" {FORM}). Upgrade this gateway, or send the full input without"
            " `previous_response_id`."
        )
    try:
        return _decoder.decode(memoryview(data)[1:])
    except msgspec.MsgspecError as error:
        raise StoreUnavailable(
            "This chain cannot be read: what is stored is not a link. Send the full input without"
            " `previous_response_id`."
        ) from error


def joined(links: Sequence[Link], parent: Context | None) -> Context | None:
    """Return the chain that these links make behind ``parent``, or None if there is a gap.

    Args:
        links: Newest first.
        parent: The link before the oldest of them, or None.
    """
    for link in reversed(links):
        if link.parent_id != (parent.response_id if parent else None):
            return None
        parent = Context(
            response_id=link.response_id,
            parent=parent,
            input=link.input,
            output=link.output,
            pending=link.pending,
            response=link.response,
            item_count=link.item_count,
            content_bytes=link.content_bytes,
            owner=link.owner,
            dead_end=link.dead_end,
        )
    return parent
