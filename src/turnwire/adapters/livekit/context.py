"""A LiveKit context as the input of a turn, and marks by which its chain is found.

LiveKit keeps what the model said in items of its own, under ids of its own.  That a chain has an
item already is proven by what was said, not by ids:

* a call is the same if its ``call_id``, its name and the JSON value of its arguments are: LiveKit
  may have written the arguments anew;
* what the assistant said is the same if the text is, but for white space at its ends, which
  LiveKit strips when it collects an answer; ``phase`` is a label that LiveKit may have lost;
* everything else is the same if all of it is.

What LiveKit is never shown, such as reasoning, it cannot have changed: the server has it.
"""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import blake2b
from typing import TYPE_CHECKING, Any, Final, cast

import msgspec

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from livekit.agents.llm import ChatContext, FunctionToolCall

Json = dict[str, Any]

_encode_sorted: Final = msgspec.json.Encoder(order="sorted").encode


@dataclass(frozen=True, slots=True)
class Mark:
    """What a history says up to some item: equal marks, equal histories.

    Attributes:
        digest: Of all items up to there.
        size_bytes: What they weigh.
    """

    digest: bytes = b""
    size_bytes: int = 0

    def after(self, items: Iterable[Json]) -> Mark:
        """Return the mark of a history that goes on with some items."""
        mark = self
        for item in items:
            said = _encode_sorted(_what_was_said(item))
            digest = blake2b(mark.digest + said, digest_size=16).digest()
            mark = Mark(digest, mark.size_bytes + len(said))
        return mark


def read_context(context: ChatContext, *, breakpoints: bool) -> list[Json]:
    """Return a context as input items, as LiveKit itself writes them for the Responses API.

    Args:
        context: The whole context.
        breakpoints: Whether LiveKit's cache breakpoints are sent.
    """
    items: list[Json]
    wanted = {"prompt_cache_breakpoints": True} if breakpoints else {}  # older LiveKits have none
    items, _ = cast("Any", context).to_provider_format("openai.responses", **wanted)
    return items


def marks_of(items: Sequence[Json]) -> list[Mark]:
    """Return the mark after each item."""
    marks: list[Mark] = []
    mark = Mark()
    for item in items:
        mark = mark.after((item,))
        marks.append(mark)
    return marks


def items_said(text: str, calls: Iterable[FunctionToolCall]) -> list[Json]:
    """Return what the model said as the items in which LiveKit will hand it back."""
    message = {"role": "assistant", "content": text}
    return [*([message] if text.strip() else []), *(_call(call) for call in calls)]


def _call(call: FunctionToolCall) -> Json:
    return {
        "type": "function_call",
        "call_id": call.call_id,
        "name": call.name,
        "arguments": call.arguments,
    }


def _what_was_said(item: Json) -> Json:
    if item.get("type") == "function_call":
        return {**item, "arguments": _value(item["arguments"])}
    if item.get("role") == "assistant" and isinstance(item["content"], str):
        return {"role": "assistant", "content": item["content"].strip()}
    return item


def _value(arguments: str) -> Any:
    """Return the value of a call's arguments; what is no JSON stands for itself."""
    try:
        return {"value": msgspec.json.decode(arguments)}
    except msgspec.DecodeError:
        return {"text": arguments}
