"""What a model server is asked: a create that is made anew of what a client has asked for.

Pure.  Everything that the create says goes on as it came, whether or not anybody here knows it;
only what is between the client and the gateway, or between the gateway and the server, does not.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from turnwire.core.history import HistoryItem
from turnwire.core.params import Params
from turnwire.core.request import Deadlines, TurnRequest
from turnwire.events import encode

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from turnwire.core.chain_index import ChainIndex, Found
    from turnwire.core.request import Transport
    from turnwire.gateway.context import Context, Prompt

# How the answer travels to the client, what it continues there, and what is written anew.
_NOT_PASSED_ON: Final = frozenset(
    {
        "background", "generate", "input", "model", "previous_response_id", "stream", "stream_id",
        "stream_options", "type",
    }
)  # fmt: skip


def fields_of(prompt: Prompt) -> dict[str, Any]:
    """Return all fields of the create but its input and what it continues."""
    sent = prompt.parameters.sent
    passed_on = {name: value for name, value in sent.items() if name not in _NOT_PASSED_ON}
    return {"model": prompt.parameters.model, **passed_on}


def links_of(prompt: Prompt) -> Iterator[Context]:
    """Yield the links of a prompt's chain, the newest first."""
    return iter(()) if prompt.parent is None else prompt.parent.lineage()


def items_of(prompt: Prompt, links: Iterable[Context]) -> Iterator[bytes]:
    """Yield the items of some links, the newest of which comes first, and then the prompt's own."""
    for link in reversed([*links]):
        yield from link.input
        yield from link.output
    yield from prompt.encoded


def body_of(prompt: Prompt, links: Iterable[Context]) -> bytes:
    """Return the create with the items of some links before its own, the input first.

    So a body begins like the one before it in its chain, whatever else has changed.
    """
    fields = encode(fields_of(prompt))
    return b'{"input":[%b],%b' % (b",".join(items_of(prompt, links)), fields[1:])


def chain_at(index: ChainIndex, prompt: Prompt) -> Found | None:
    """Find the chain at the server that a prompt continues.

    Mostly the server has answered the link before, and only what is new is looked at; of what it
    has not seen, warm-ups for instance, it is told now.  A history that came in another way is
    known by what is in it.
    """
    unseen: list[Context] = []
    for link in links_of(prompt):
        if index.knows(link.response_id, prompt.owner):
            return index.follow(link.response_id, body_of(prompt, unseen), prompt.owner)
        unseen.append(link)
    return index.find(body_of(prompt, unseen), prompt.owner)


def linked(found: Found, transport: Transport, deadlines: Deadlines) -> TurnRequest:
    """Ask for a turn of a chain: only what the server does not have will be sent."""
    return TurnRequest(
        params=found.body.shape.params,
        items=found.items,
        transport=transport,
        chain=found.chain,
        whole=found.whole,
        unanswered="send",
        deadlines=deadlines,
    )


def unlinked(prompt: Prompt, transport: Transport, deadlines: Deadlines) -> TurnRequest:
    """Ask a server that remembers nothing: everything is sent."""
    return TurnRequest(
        params=Params(fields_of(prompt)),
        items=[HistoryItem(item) for item in items_of(prompt, links_of(prompt))],
        transport=transport,
        unanswered="send",
        deadlines=deadlines,
    )
