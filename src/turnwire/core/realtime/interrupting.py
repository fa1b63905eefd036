"""What an interruption tells the server, so that it believes what the listener heard and no more.

The server's items hold all audio that the model made, and it made it faster than it was played.
One pure decision says for each item: cut where the listener stopped, delete, or leave.
"""

from __future__ import annotations

import enum
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from turnwire.core.realtime.playback import HeardPart

SPEECH_STARTED: Final = "speech_started"  # the reason that the server knows too
SHORTER_BY_MS: Final = 100  # cut off more, if the server does not say how short its audio is

Unheard = Literal["delete", "truncate_zero", "keep"]

_ALREADY_SHORTER: Final = re.compile(
    r"(\d{1,12})(?:\.\d+)?\s*(?:ms|milliseconds)\b[^\d]*already shorter than", re.IGNORECASE
)


@dataclass(frozen=True, slots=True)
class ActiveResponse:
    """A response that was created and is not done.

    Attributes:
        id: Its id.
        cancelled: Whether somebody has cancelled it already.
        out_of_band: Whether it is none of the default history's (``conversation: "none"``): what
            the user says does not concern it, unless it is being heard.
    """

    id: str
    cancelled: bool = False
    out_of_band: bool = False


class Announced(NamedTuple):
    """A message of an active response that is to be spoken and of which no audio has arrived.

    Attributes:
        response_id: Its response.
        item_id: Its id.
        is_added: Whether it stands in the history (``conversation.item.added``).
    """

    response_id: str
    item_id: str
    is_added: bool


class Standing(enum.Enum):
    """What the server lets a client do to an item."""

    SPOKEN = enum.auto()  # truncate and delete
    RESTORED = enum.auto()  # delete: after a reconnect it is text
    KEPT = enum.auto()  # truncate: something else in it must stay
    ABSENT = enum.auto()  # nothing: it is not in the history


class Truncate(NamedTuple):
    """A ``conversation.item.truncate``."""

    item_id: str
    content_index: int
    audio_end_ms: int


@dataclass(frozen=True, slots=True)
class Interruption:
    """What was interrupted, and what is to be sent: cancels, truncates, deletes, in this order.

    Attributes:
        reason: Why.
        item_id: The item that was being heard; None if none was.
        content_index: Its part.
        heard_ms: How much of that part was heard.
        dropped_ms: How much audio nobody will hear, of all items.
        cancels: Responses to cancel.
        truncates: Where to cut, the oldest first, each part once.
        deletes: Items of which nothing was heard.
        pending_deletes: Such items that are to be deleted as soon as they are added.
        rewrites: Items that were heard in part and cannot be truncated: to tell the truth, delete
            them and create them anew with the text that was heard.
        tombstones: Responses of which nothing more may be played, until they are done.
    """

    reason: str
    item_id: str | None = None
    content_index: int | None = None
    heard_ms: int = 0
    dropped_ms: float = 0.0
    cancels: tuple[str, ...] = ()
    truncates: tuple[Truncate, ...] = ()
    deletes: tuple[str, ...] = ()
    pending_deletes: tuple[str, ...] = ()
    rewrites: tuple[str, ...] = ()
    tombstones: tuple[str, ...] = ()


def can_interrupt(
    parts: Iterable[HeardPart], active: Iterable[ActiveResponse], response_id: str | None = None
) -> bool:
    """Return whether there is anything to interrupt: unheard audio, or a response that runs.

    Ask before the ledger is flushed.
    """
    return any(
        part.unheard_ms > 0 and response_id in (None, part.part.response_id) for part in parts
    ) or any(not each.cancelled and _is_meant(each, response_id, heard=False) for each in active)


def interrupt(
    parts: Sequence[HeardPart],
    active: Sequence[ActiveResponse],
    *,
    reason: str = SPEECH_STARTED,
    cancel: bool | Literal["auto"] = "auto",
    server_interrupts: bool = False,
    unheard: Unheard = "delete",
    response_id: str | None = None,
    announced: Sequence[Announced] = (),
    standing: Mapping[str, Standing] | None = None,
    receives_audio: bool = True,
) -> Interruption | None:
    """Decide what an interruption sends.

    Args:
        parts: What the ledger's flush returned, oldest first; parts that were interrupted before
            are left alone.
        active: The responses that run.
        reason: Why; `SPEECH_STARTED` if the server's voice detection says so.
        cancel: Whether to cancel what runs; ``auto`` leaves it to a server that does it itself.
        server_interrupts: Whether the server cancels its response when speech starts.
        unheard: What becomes of items of which audio arrived and none was heard.
        response_id: Interrupt this response alone; None for all that can be heard.
        announced: Items without audio so far.
        standing: Items that are not `Standing.SPOKEN`.
        receives_audio: False if the audio goes elsewhere: then the server knows what was heard.

    Returns:
        None if there is nothing unheard and nothing runs: nobody was interrupted.
    """
    if not can_interrupt(parts, active, response_id):
        return None
    open_parts = [
        part
        for part in parts
        if not part.is_settled and response_id in (None, part.part.response_id)
    ]
    heard_responses = {part.part.response_id for part in open_parts}
    meant = [
        each for each in active if _is_meant(each, response_id, heard=each.id in heard_responses)
    ]
    playing = next((part for part in open_parts if part.unheard_ms > 0), None)
    playing = playing or (open_parts[-1] if open_parts else None)
    unfinished = [part.part.response_id for part in open_parts if not part.finished]
    edits = _Edits(unheard, standing or {})
    if receives_audio:
        edits.cut(parts, open_parts)
        edits.drop(announced, {each.id for each in meant if not each.out_of_band})
    return Interruption(
        reason,
        item_id=playing.part.item_id if playing else None,
        content_index=playing.part.content_index if playing else None,
        heard_ms=playing.heard_ms if playing else 0,
        dropped_ms=sum((part.unheard_ms for part in open_parts), start=0.0),
        cancels=tuple(
            each.id
            for each in meant
            if not each.cancelled
            and (
                # The server cancels what answers the user, and nothing else.
                not (reason == SPEECH_STARTED and server_interrupts and not each.out_of_band)
                if cancel == "auto"
                else cancel
            )
        ),
        truncates=tuple(edits.truncates),
        deletes=tuple(edits.deletes),
        pending_deletes=tuple(edits.pending_deletes),
        rewrites=tuple(edits.rewrites),
        tombstones=tuple(dict.fromkeys([*(each.id for each in meant), *unfinished])),
    )


def already_shorter(message: str) -> int | None:
    """Return how long the server says its audio is, from the error of a truncate; None if not so.

    The words are "Audio content of 1500ms is already shorter than 1585ms".
    """
    found = _ALREADY_SHORTER.search(message)
    return int(found[1]) if found else None


def retry(truncate: Truncate, message: str) -> Truncate:
    """Return the truncate to send instead of one that was beyond the end; send it once."""
    end = already_shorter(message)
    if end is None or end > truncate.audio_end_ms:
        end = truncate.audio_end_ms - SHORTER_BY_MS
    return truncate._replace(audio_end_ms=max(end, 0))


def _is_meant(response: ActiveResponse, response_id: str | None, *, heard: bool) -> bool:
    if response_id is not None:
        return response.id == response_id
    return heard or not response.out_of_band


class _Edits:
    """What to do to items, as it is found out."""

    def __init__(self, unheard: Unheard, standing: Mapping[str, Standing]) -> None:
        self.truncates: list[Truncate] = []
        self.deletes: list[str] = []
        self.pending_deletes: list[str] = []
        self.rewrites: list[str] = []
        self._unheard = unheard
        self._standing = standing

    def cut(self, parts: Sequence[HeardPart], open_parts: Sequence[HeardPart]) -> None:
        """Cut the items of open parts where they were left."""
        begun = {part.part.item_id for part in parts if part.heard_ms > 0}
        for item_id in dict.fromkeys(part.part.item_id for part in parts):
            left = [part for part in open_parts if part.part.item_id == item_id]
            standing = self._standing.get(item_id, Standing.SPOKEN)
            if not left or standing is Standing.ABSENT:
                continue
            if item_id not in begun:
                self._drop_unheard(item_id, left, standing)
            elif standing is Standing.RESTORED:
                self.rewrites.append(item_id)
            else:
                self._truncate(left)

    def drop(self, announced: Iterable[Announced], responses: set[str]) -> None:
        """Delete items that would be spoken; without audio they cannot be truncated."""
        for each in announced:
            standing = self._standing.get(each.item_id, Standing.SPOKEN)
            if (
                self._unheard == "delete"
                and each.response_id in responses
                and standing in (Standing.SPOKEN, Standing.RESTORED)
            ):
                (self.deletes if each.is_added else self.pending_deletes).append(each.item_id)

    def _drop_unheard(self, item_id: str, left: list[HeardPart], standing: Standing) -> None:
        if self._unheard == "delete" and standing is not Standing.KEPT:
            self.deletes.append(item_id)
        elif self._unheard != "keep" and standing is not Standing.RESTORED:
            self._truncate(left)

    def _truncate(self, left: Iterable[HeardPart]) -> None:
        # A part of which all that came was heard is cut too while it is being received: what is
        # still on its way is dropped here, and stands in the server's item.
        self.truncates += [
            Truncate(part.part.item_id, part.part.content_index, part.heard_ms)
            for part in left
            if part.heard_ms > 0 or self._unheard != "keep"
        ]
