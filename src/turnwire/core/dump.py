"""A chain as bytes that outlive the process, and back.

What comes back is never a wrong answer: the history is there to the byte, a response that lived
only on a socket is gone and says so, and a stored one is continued only by the credential,
parameters and history that it was made with.

A dump holds what was said, so it is as confidential as that.  It holds no key: of the credential
its fingerprint, and of parameters, in which tools may have keys of their own, only digests.
"""

from __future__ import annotations

from hashlib import blake2b
from typing import TYPE_CHECKING, Annotated, Final, get_args

import msgspec

from turnwire.core.chain import Chain, Composed, Head, MissReason
from turnwire.core.history import HistoryItem
from turnwire.core.params import NOT_COMPARED, Params

if TYPE_CHECKING:
    from collections.abc import Sequence

FORMAT: Final = "turnwire-chain"
VERSION: Final = 1  # goes up when an older turnwire would misread what is written

_DIGEST_BYTES: Final = 16
_REASONS: Final[dict[str, MissReason]] = {reason: reason for reason in get_args(MissReason)}


class BadDump(ValueError):
    """The bytes are no dump of a chain, or not one that this version reads."""


class _Header(msgspec.Struct):
    format: str
    version: int


class _Head(msgspec.Struct):
    """A stored response, and digests of what it was made with."""

    response_id: Annotated[str, msgspec.Meta(min_length=1)]
    credential: str
    params: dict[str, str]
    history: str
    length: int
    warm_up: bool


class _Dump(msgspec.Struct):
    """Items as they go over the wire; the other forms of an item stand under its index."""

    format: str
    version: int
    items: list[msgspec.Raw]
    alternates: dict[int, list[msgspec.Raw]]
    head: _Head | None
    why_no_head: str | None


class _Digest(bytes):
    """What is kept of a parameter: equal to every value that has this digest."""

    __slots__ = ()

    def __eq__(self, other: object) -> bool:
        if isinstance(other, bytes) and not isinstance(other, _Digest):
            other = _digest(other)
        return bytes.__eq__(self, other)

    def __ne__(self, other: object) -> bool:
        return not self == other

    __hash__ = None  # type: ignore[assignment]  # equal values would need equal hashes


_decode_header = msgspec.json.Decoder(_Header).decode
_decode_dump = msgspec.json.Decoder(_Dump).decode


def dump(chain: Chain) -> bytes:
    """Return a chain as bytes: the history of its completed turns, and the head if it is stored.

    A turn that runs at the time is not in it.
    """
    items = chain.items
    head, why = _dumped_head(chain), None
    if head is None:
        why = "connection_lost" if chain.head is not None else chain.why_no_head
    alternates = {index: item.alternates for index, item in enumerate(items)}
    return msgspec.json.encode(
        _Dump(
            FORMAT,
            VERSION,
            [msgspec.Raw(item.encoded) for item in items],
            {index: list(map(msgspec.Raw, forms)) for index, forms in alternates.items() if forms},
            head,
            why,
        )
    )


def _dumped_head(chain: Chain) -> _Head | None:
    head = chain.head
    if head is None or not head.stored:
        return None
    return _Head(
        response_id=head.response_id,
        credential=head.credential,
        params={
            name: _digest(value).hex()
            for name, value in head.params.fields.items()
            if name not in NOT_COMPARED
        },
        history=_history_digest(chain.items),
        length=len(chain.items),
        warm_up=head.warm_up,
    )


def load(data: bytes) -> Chain:
    """Return the chain that :func:`dump` made these bytes of.

    Where the history is another than the one dumped, the server's is another too: then the head
    is left out, and the next turn sends everything.

    Raises:
        BadDump: The bytes are no dump, are damaged, or of a version that is not known yet.
    """
    dumped = _read(data)
    items = [
        HistoryItem(bytes(item), *map(bytes, dumped.alternates.get(index, ())))
        for index, item in enumerate(dumped.items)
    ]
    chain = Chain()
    # The same way into a chain as for any turn: it finds the calls that wait for an answer.
    chain.completed(Composed(None, items, None, 0, items), (), _loaded_head(dumped, items))
    if dumped.head is None:
        # A reason that only later versions know: in any case the socket is not here.
        chain.clear(_REASONS.get(dumped.why_no_head or "", "connection_lost"))
    elif chain.head is None:
        chain.clear("history_changed")
    return chain


def _read(data: bytes) -> _Dump:
    try:
        header = _decode_header(data)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        header = _Header("", 0)
    if header.format != FORMAT or header.version < 1:
        raise BadDump("this is no dump of a chain: give the bytes that `dump` returned")
    if header.version > VERSION:
        raise BadDump(
            f"the dump has version {header.version} and this turnwire reads version {VERSION}:"
            " load it with the turnwire that wrote it, or a later one"
        )
    try:
        dumped = _decode_dump(data)
        data.decode()  # items are taken as they are; whoever reads them expects text
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise _damaged(str(error)) from error
    _check(dumped)
    return dumped


def _check(dumped: _Dump) -> None:
    """Refuse what no chain would have written.

    Raises:
        BadDump: Parts do not fit together.
    """
    forms = [*dumped.items, *(form for forms in dumped.alternates.values() for form in forms)]
    if not all(bytes(form).startswith(b"{") for form in forms):
        raise _damaged("an item is no object")
    if not all(0 <= index < len(dumped.items) for index in dumped.alternates):
        raise _damaged("another form of an item that is not there")
    if (dumped.head is None) == (dumped.why_no_head is None):
        raise _damaged("expected either a head or why there is none")
    if dumped.head is not None and dumped.head.length != len(dumped.items):
        raise _damaged("its head covers another number of items")


def _loaded_head(dumped: _Dump, items: Sequence[HistoryItem]) -> Head | None:
    head = dumped.head
    if head is None or head.history != _history_digest(items):
        return None
    params = Params({})
    try:
        params.fields |= {name: _Digest.fromhex(digest) for name, digest in head.params.items()}
    except ValueError:
        raise _damaged("the digest of a parameter is not hexadecimal") from None
    return Head(
        response_id=head.response_id,
        connection=None,
        lane=None,
        credential=head.credential,
        stored=True,
        params=params,
        warm_up=head.warm_up,
    )


def _damaged(how: str) -> BadDump:
    return BadDump(f"the dump of the chain is damaged ({how}): take another copy, or begin anew")


def _digest(encoded: bytes) -> bytes:
    """Return a value's digest; a value that is one stays as it is."""
    if isinstance(encoded, _Digest):
        return encoded
    return blake2b(encoded, digest_size=_DIGEST_BYTES).digest()


def _history_digest(items: Sequence[HistoryItem]) -> str:
    """Return a digest of what the items mean: JSON may be written anew on its way."""
    digest = blake2b(digest_size=_DIGEST_BYTES)
    for item in items:
        forms = sorted(item.digests)
        digest.update(b"%d:%s" % (len(forms), b"".join(forms)))
    return digest.hexdigest()
