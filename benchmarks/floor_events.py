"""The least that a hand-written client decodes: a tagged struct for each event it may meet."""

from __future__ import annotations

import msgspec


class Delta(msgspec.Struct, tag="response.output_text.delta"):
    item_id: str
    output_index: int
    content_index: int
    delta: str
    sequence_number: int


class ArgumentsDelta(msgspec.Struct, tag="response.function_call_arguments.delta"):
    item_id: str
    output_index: int
    delta: str
    sequence_number: int


class Item(msgspec.Struct):
    id: str
    type: str
    call_id: str | None = None
    arguments: str | None = None


class ItemDone(msgspec.Struct, tag="response.output_item.done"):
    item: Item
    output_index: int


class Response(msgspec.Struct):
    id: str
    status: str


class Completed(msgspec.Struct, tag="response.completed"):
    response: Response


class Created(msgspec.Struct, tag="response.created"):
    response: Response


class InProgress(msgspec.Struct, tag="response.in_progress"):
    response: Response


class ItemAdded(msgspec.Struct, tag="response.output_item.added"):
    output_index: int


class PartAdded(msgspec.Struct, tag="response.content_part.added"):
    item_id: str


class PartDone(msgspec.Struct, tag="response.content_part.done"):
    item_id: str


class TextDone(msgspec.Struct, tag="response.output_text.done"):
    text: str


class ArgumentsDone(msgspec.Struct, tag="response.function_call_arguments.done"):
    arguments: str


Event = (
    Delta
    | ArgumentsDelta
    | ItemDone
    | Completed
    | Created
    | InProgress
    | ItemAdded
    | PartAdded
    | PartDone
    | TextDone
    | ArgumentsDone
)

decode = msgspec.json.Decoder(Event).decode
