"""Whatever a model says, cut at random and written in a server's dialect, decodes to the same."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from gateway.support import function
from gateway.upstreams.chat.support import (
    CUSTOM,
    DONE,
    Json,
    call_item,
    custom_item,
    output_of_deltas,
    reasoning_item,
    said,
    text_item,
)
from turnwire.gateway.upstreams.chat import ChatOptions
from turnwire.gateway.upstreams.chat.decoding import ChatDecoder
from turnwire.gateway.upstreams.chat.stream_messages import StreamMessages
from turnwire.gateway.upstreams.chat.tools import ToolTable

if TYPE_CHECKING:
    from collections.abc import Callable

NAMES = ("get", "get_weather", "set")
TOOLS = [*map(function, NAMES), CUSTOM]

# White space at the ends of text around reasoning belongs to nobody.
words = st.text(st.characters(exclude_categories=["Cs", "Z", "Cc"]), min_size=1, max_size=20)
arguments = st.dictionaries(words, st.one_of(st.integers(), words, st.lists(words, max_size=2)))


@dataclass(frozen=True)
class Call:
    name: str
    text: str  # the arguments, or the input of the custom tool

    @property
    def arguments(self) -> str:
        if self.name == "patch":
            return msgspec.json.encode({"input": self.text}).decode()
        return self.text

    def item(self, call_id: str) -> Json:
        make = custom_item if self.name == "patch" else call_item
        return make(call_id, self.name, self.text)


calls = st.one_of(
    st.builds(
        Call, st.sampled_from(NAMES), arguments.map(lambda each: msgspec.json.encode(each).decode())
    ),
    st.builds(Call, st.just("patch"), st.text(st.characters(exclude_categories=["Cs"]))),
)


@dataclass(frozen=True)
class Said:
    reasoning: str
    text: str
    calls: list[Call]

    def items(self) -> list[Json]:
        shown = [reasoning_item(self.reasoning)] if self.reasoning else []
        shown += [text_item(self.text)] if self.text else []
        return shown + [call.item(f"c{number}") for number, call in enumerate(self.calls)]


sayings = st.builds(Said, st.just("") | words, st.just("") | words, st.lists(calls, max_size=3))


def cut(draw: Callable[..., Any], text: str) -> list[str]:
    """Cut a text into pieces, some of which may be empty."""
    places = sorted(draw(st.lists(st.integers(0, len(text)), max_size=4)))
    return [text[start:end] for start, end in zip([0, *places], [*places, len(text)], strict=True)]


# Dialects: how the fragments of calls name what they belong to


def with_index(number: int, part: int, function: Json) -> Json:
    first = {"id": f"c{number}", "type": "function"} if part == 0 else {}
    return {"index": number, **first, "function": function}


def with_everything(number: int, part: int, function: Json) -> Json:
    return {"index": number, "id": f"c{number}", "type": "function", "function": function}


def with_id_alone(number: int, part: int, function: Json) -> Json:
    return {"id": f"c{number}", "function": function}


def with_fresh_ids(number: int, part: int, function: Json) -> Json:
    name = f"c{number}" if part == 0 else f"fresh-{number}-{part}"
    return {"index": number, "id": name, "function": function}


def with_index_zero(number: int, part: int, function: Json) -> Json:
    return {**with_index(number, part, function), "index": 0}


def without_index(number: int, part: int, function: Json) -> Json:
    fragment = with_index(number, part, function)
    return {key: value for key, value in fragment.items() if key != "index"}


MAY_INTERLEAVE = [with_index, with_everything, with_id_alone, with_fresh_ids]
IN_ORDER = [with_index_zero, without_index]


@st.composite
def fragments(draw: Callable[..., Any], said_calls: list[Call]) -> list[Json]:
    """Write calls as fragments, in the order in which a server sends them."""
    dialect = draw(st.sampled_from([*MAY_INTERLEAVE, *IN_ORDER]))
    split_names = dialect is not with_id_alone and draw(st.booleans())
    queues: list[list[Json]] = []
    for number, call in enumerate(said_calls):
        names = [call.name]
        if split_names:
            place = draw(st.integers(1, len(call.name)))
            names = [name for name in (call.name[:place], call.name[place:]) if name]
        functions: list[Json] = [{"name": name, "arguments": ""} for name in names]
        pieces = cut(draw, call.arguments)
        if draw(st.booleans()):
            functions[-1] = {**functions[-1], "arguments": pieces.pop(0)}
        functions += [{"arguments": piece} for piece in pieces]
        # A name in two pieces and a fresh id for each fragment would be two calls to anybody.
        way = with_index if split_names and dialect is with_fresh_ids else dialect
        queues.append([way(number, part, each) for part, each in enumerate(functions)])
    if dialect in IN_ORDER:
        return [fragment for queue in queues for fragment in queue]
    mixed: list[Json] = []
    # Calls begin in order, as indexes say.
    begun = 0
    while any(queues):
        choices = [number for number, queue in enumerate(queues[:begun]) if queue]
        if begun < len(queues):
            choices.append(begun)
        number = draw(st.sampled_from(choices))
        begun = max(begun, number + 1)
        mixed.append(queues[number].pop(0))
    return mixed


@st.composite
def streams(draw: Callable[..., Any]) -> tuple[Said, list[Json]]:
    """Return what was said and the chunks that say it."""
    saying: Said = draw(sayings)
    chunks: list[Json] = [said(role="assistant", content=draw(st.sampled_from(["", None])))]
    text = saying.text
    if draw(st.booleans()):
        text = f"<think>\n{saying.reasoning}\n</think>\n\n{text}"
    else:
        member = draw(st.sampled_from(["reasoning", "reasoning_content"]))
        chunks += [said(**{member: piece}) for piece in cut(draw, saying.reasoning)]
    chunks += [said(content=piece) for piece in cut(draw, text)]
    pending: list[Json] = draw(fragments(saying.calls))
    while pending:
        # Several fragments in one chunk; but no server sends one call's name in pieces like that.
        count = draw(st.integers(1, 2)) if len(pending) > 1 else 1
        group = pending[:count]
        if sum("name" in each["function"] for each in group) > 1:
            group = pending[:1]
        chunks.append(said(tool_calls=group))
        del pending[: len(group)]
    chunks.append(said(draw(st.sampled_from(["stop", "tool_calls"]))))
    return saying, chunks


@given(streams(), st.data())
def test_every_dialect_decodes_to_the_same_items(
    stream: tuple[Said, list[Json]], data: st.DataObject
) -> None:
    saying, chunks = stream
    line_end = data.draw(st.sampled_from([b"\n", b"\r\n", b"\r"]))
    space = data.draw(st.sampled_from([b" ", b""]))
    noise = data.draw(st.sampled_from([b"", b": ping" + line_end, b"event: x" + line_end]))
    events = [
        noise + b"data:" + space + msgspec.json.encode(chunk) + line_end * 2 for chunk in chunks
    ]
    whole = b"".join([*events, DONE])
    places = sorted(data.draw(st.lists(st.integers(0, len(whole)), max_size=8)))
    messages = StreamMessages()
    decoder = ChatDecoder(ToolTable(TOOLS), ChatOptions())
    deltas = []
    for start, end in zip([0, *places], [*places, len(whole)], strict=True):
        for text in messages.feed(whole[start:end]):
            deltas += decoder.feed(text)
    assert messages.done
    deltas += decoder.end(done=True)
    assert output_of_deltas(deltas) == saying.items()
