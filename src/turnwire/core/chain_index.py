"""Finds the chain that a request continues, by what is in it: callers need not say.

A chain is only continued by a request that holds all of it, item by item; the last answer may
come back in any form that means the same.  Anything else costs bytes, and says why.  A caller that
has a name for the history itself need not show it again: such a turn costs what is new in it.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from turnwire.core.chain import Chain
from turnwire.core.request_body import Prefix, read_body

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from turnwire.core.history import HistoryItem
    from turnwire.core.request_body import RequestBody


_MOST_CHAINS: Final = 1024  # each costs a look at every request


@dataclass(frozen=True, slots=True)
class Found:
    """What a request is to its chain.

    Attributes:
        body: The request.
        chain: The chain that it continues, or a fork of it, or a new one; None if the caller
            links its turns itself.
        items: What to hand to the chain.
        whole: False if those are only what is new.
        covered: How many items of the history the request holds.
        owner: Whose request it is.
    """

    body: RequestBody
    chain: Chain | None
    items: Sequence[HistoryItem]
    whole: bool
    covered: int
    owner: str = ""


class _Known:
    """A chain, and how the last request on it began."""

    __slots__ = ("chain", "covered", "in_use", "name", "owner", "prefix", "size_bytes")

    def __init__(self, chain: Chain, owner: str) -> None:
        self.chain = chain
        self.owner = owner
        self.name = ""  # of its history; empty if its caller has none for it
        self.prefix: Prefix | None = None  # None if it cannot be known by its bytes
        self.covered = 0  # how many items of the chain's history the prefix holds
        self.in_use = False  # whether a request continues the chain now
        self.size_bytes = 0


class ChainIndex:
    """The chains of one server and credential; those not used for longest are forgotten.

    Attributes:
        size_bytes: What the remembered chains weigh.
        forgotten: How many were forgotten to make room.

    Args:
        limit_bytes: How much may be remembered.
    """

    def __init__(self, limit_bytes: int) -> None:
        self._limit_bytes = limit_bytes
        self._known: OrderedDict[int, _Known] = OrderedDict()  # by the identity of the chain
        self._named: dict[tuple[str, str], _Known] = {}  # by owner and name
        self.size_bytes = 0
        self.forgotten = 0

    def __len__(self) -> int:
        return len(self._known)

    def find(self, data: bytes, owner: str = "") -> Found | None:
        """Find the chain that a body continues; None if the body cannot be understood.

        Whoever asks runs a turn with what was found and tells how it ended: ``kept``, or ``left``.

        Args:
            data: The body.
            owner: Whose it is; other owners' chains are not looked at.
        """
        for known in self._chains_of(owner):
            body = known.prefix.continued_by(data) if known.prefix is not None else None
            if body is None or body.shape.is_linked:
                continue
            said = known.chain.items[known.covered :]
            count = _echoed(said, body.items)
            if count is not None:
                return _continue(known, body, known.covered, count)
        body = read_body(data)
        return None if body is None else self._find_among_all(body, owner)

    def knows(self, name: str, owner: str = "") -> bool:
        """Say whether the history of this name is that of a chain."""
        return (owner, name) in self._named

    def follow(self, name: str, data: bytes, owner: str = "") -> Found | None:
        """Go on with the chain whose history has a name, as ``find`` does; else return None.

        Args:
            name: What ``kept`` was told when the last turn of it ended.
            data: The body with what is new alone.
            owner: Whose it is.
        """
        known, body = self._named.get((owner, name)), read_body(data)
        if known is None or body is None or body.shape.is_linked:
            return None
        body = replace(body, data=b"", prefix_bytes=0)  # no other body begins with what is new
        return _continue(known, body, len(known.chain.items), 0)

    def _chains_of(self, owner: str) -> Iterator[_Known]:
        return (known for known in reversed(self._known.values()) if known.owner == owner)

    def _find_among_all(self, body: RequestBody, owner: str) -> Found:
        """Compare item by item: the request is the first one, or edited, or written anew."""
        if body.shape.is_linked:
            return Found(body, None, body.items, whole=True, covered=0, owner=owner)
        best, longest = None, 0
        for known in self._chains_of(owner):
            if not _begin_alike(known.chain.items, body.items):
                continue
            count = _echoed(known.chain.items, body.items)
            if count:
                return _continue(known, body, 0, count)
            length = _common_length(known.chain.items, body.items)
            if length > longest:
                best, longest = known.chain, length
        # What does not hold all of a chain branches off: the chain itself may still go on.
        chain = best.fork() if best is not None and _holds_an_answer(body.items) else Chain()
        return Found(body, chain, body.items, whole=True, covered=len(body.items), owner=owner)

    def kept(self, found: Found, name: str = "") -> None:
        """The turn ended well: another request may continue it.

        Args:
            found: What the turn ran with.
            name: What its caller calls the history from now on, in order to ``follow`` it.
        """
        if found.chain is None:
            return
        known = self._known.setdefault(id(found.chain), _Known(found.chain, found.owner))
        self._named.pop((known.owner, known.name), None)
        known.name = name
        if name:
            self._named[known.owner, name] = known
        self._known.move_to_end(id(found.chain))
        known.in_use = False
        known.covered = found.covered
        known.prefix = Prefix(found.body) if found.body.prefix_bytes else None
        prefix_bytes = known.prefix.size_bytes if known.prefix is not None else 0
        self.size_bytes -= known.size_bytes
        known.size_bytes = found.chain.size_bytes + prefix_bytes
        self.size_bytes += known.size_bytes
        self._make_room()

    def left(self, found: Found) -> None:
        """The turn did not end well: its chain is where it was."""
        known = self._known.get(id(found.chain))
        if known is not None:
            known.in_use = False

    def _make_room(self) -> None:
        while self.size_bytes > self._limit_bytes or len(self._known) > _MOST_CHAINS:
            _, known = self._known.popitem(last=False)
            self._named.pop((known.owner, known.name), None)
            self.size_bytes -= known.size_bytes
            self.forgotten += 1


def _continue(known: _Known, body: RequestBody, start: int, count: int) -> Found:
    """Go on with a chain, or with a fork of it if another request does so already."""
    chain = known.chain.fork() if known.in_use else known.chain
    chain.adopt(start, body.items[:count])
    known.in_use = True
    new = body.items[count:]
    covered = len(chain.items) + len(new)
    return Found(body, chain, new, whole=False, covered=covered, owner=known.owner)


def _echoed(said: Sequence[HistoryItem], items: Sequence[HistoryItem]) -> int | None:
    """Count the items that hand back what was said; None unless all of it is there, and more.

    Reasoning may be left out: it is the server's to keep or to forget.
    docs/protocol/continuation.md#echo
    """
    count = 0
    for one in said:
        if count < len(items) and one.echoed_by(items[count]):
            count += 1
        elif one.kind.type != "reasoning":
            return None
    return count if count < len(items) else None


def _begin_alike(mine: Sequence[HistoryItem], theirs: Sequence[HistoryItem]) -> bool:
    """Compare the first items, which are the caller's own: quick, for all that is remembered."""
    return bool(mine and theirs) and mine[0].same(theirs[0])


def _holds_an_answer(items: Sequence[HistoryItem]) -> bool:
    """Say whether the model has said any of this: else a chain begins, like others perhaps."""
    return any(item.is_the_models for item in items)


def _common_length(mine: Sequence[HistoryItem], theirs: Sequence[HistoryItem]) -> int:
    for index, (one, other) in enumerate(zip(mine, theirs, strict=False)):
        if not one.echoed_by(other):
            return index
    return min(len(mine), len(theirs))
