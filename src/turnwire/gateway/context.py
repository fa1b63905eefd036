"""A chain as the gateway keeps it: one link a turn, older links shared, nothing ever copied.

A turn costs what it adds.  Forks share their past; a link is immutable, so that any socket may
read it.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import msgspec

from turnwire.events import encode
from turnwire.gateway.input.items import unanswered

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from turnwire.gateway.input.items import Call
    from turnwire.gateway.input.parameters import Parameters
    from turnwire.gateway.json_shapes import Json


@dataclass(frozen=True, slots=True, eq=False, weakref_slot=True)
class Context:
    """What one turn added to its chain; ``parent`` holds the rest.

    Attributes:
        response_id: The id by which the chain goes on from here.
        input: The turn's new input items, encoded.
        output: The model's output items, encoded.
        pending: The model's calls, which wait for the client's output.
        response: The response object, encoded, for those who ask for it later.
        item_count: Items of the chain up to here.
        content_bytes: Bytes of all items of the chain up to here.
        owner: Whose it is; see ``owner_of``.
        dead_end: True if the turn failed: it can be looked at, but not be continued.
    """

    response_id: str
    parent: Context | None
    input: tuple[bytes, ...]
    output: tuple[bytes, ...]
    pending: tuple[Call, ...]
    response: bytes
    item_count: int
    content_bytes: int
    owner: str = ""
    dead_end: bool = False

    @property
    def size_bytes(self) -> int:
        """What this link alone holds."""
        above = self.parent.content_bytes if self.parent else 0
        return self.content_bytes - above + len(self.response)

    def items(self) -> list[Json]:
        """Return this turn's own items, input before output."""
        return [msgspec.json.decode(item) for item in (*self.input, *self.output)]

    def output_items(self) -> list[Json]:
        """Return this turn's output items."""
        return [msgspec.json.decode(item) for item in self.output]

    def lineage(self) -> Iterator[Context]:
        """Yield this link and those before it, newest first."""
        link: Context | None = self
        while link is not None:
            yield link
            link = link.parent


def _tell_nobody(_: str) -> None:
    pass


@dataclass(frozen=True, slots=True)
class Prompt:
    """What a model is asked: the chain so far, and what this turn adds.

    Attributes:
        parameters: The create's parameters; only those of this turn count, none are inherited.
        parent: The chain before this turn, or None.
        items: What this turn adds to the input.
        encoded: The same items, encoded once.
        owner: Whose it is; see ``owner_of``.
        response_id: The id of the link that the turn will leave behind; empty if it leaves none.
        credential: The key that came with it, if the upstream wants that; kept nowhere else.
        note_upstream: Called with the name of each upstream that is asked, the last one answers.
    """

    parameters: Parameters
    parent: Context | None
    items: Sequence[Json]
    encoded: tuple[bytes, ...]
    owner: str = ""
    response_id: str = ""
    credential: str | None = field(default=None, repr=False)
    note_upstream: Callable[[str], None] = field(default=_tell_nobody, repr=False, compare=False)

    @property
    def item_count(self) -> int:
        """Items of the whole input."""
        return len(self.items) + (self.parent.item_count if self.parent else 0)

    @property
    def new_bytes(self) -> int:
        """Bytes of the items that this turn adds."""
        return sum(map(len, self.encoded))

    def answered(self, response: Json, owner: str) -> Context:
        """Return the link that this turn leaves behind."""
        output = tuple(encode(item) for item in response["output"])
        above = self.parent.content_bytes if self.parent else 0
        return Context(
            response_id=response["id"],
            parent=self.parent,
            input=self.encoded,
            output=output,
            pending=unanswered(response["output"]),
            response=encode(response) if self.parameters.store else b"",
            item_count=self.item_count + len(output),
            content_bytes=above + self.new_bytes + sum(map(len, output)),
            owner=owner,
        )


def dead_end(response: Json, owner: str) -> Context:
    """Return what a turn that failed leaves behind, for those who ask how it went."""
    return Context(
        response_id=response["id"],
        parent=None,
        input=(),
        output=(),
        pending=(),
        response=encode(response),
        item_count=0,
        content_bytes=0,
        owner=owner,
        dead_end=True,
    )
