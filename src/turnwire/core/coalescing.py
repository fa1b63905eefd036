"""Fewer events with the same text, for a caller who reads more slowly than the model speaks.

Most of a delta's bytes are what surrounds its text: joining the deltas that wait makes room
without losing a character.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, TypeGuard

import msgspec

from turnwire.core.snapshot import DELTAS, Delta

if TYPE_CHECKING:
    from collections import deque
    from collections.abc import Sequence

    from turnwire.events import Event

_Members = dict[str, msgspec.Raw]
_Place = tuple[type[Delta], str | None, str, int, int]

# Members that say which delta it is: docs/protocol/events.md#from-the-server.  Those of the place
# are equal in all deltas that are joined; of the others the last one counts.
_FROM_THE_LAST: Final = frozenset(
    {
        "content_index",
        "item_id",
        "output_index",
        "sequence_number",
        "stream_id",
        "summary_index",
        "type",
    }
)

_decode_members = msgspec.json.Decoder(_Members).decode
_encode = msgspec.json.Encoder().encode


def coalesce(events: deque[Event]) -> int:
    """Join, in place, the text deltas of a turn that nothing but other deltas stands between.

    Between two other events one delta is left for each place, a place being a part of an item.
    It stands where the last one stood and has its ``sequence_number``, so numbers still rise; its
    text is exactly theirs.  Log probabilities are joined too, and a member that turnwire does not
    know stays if all have the same.  No other event is touched.

    The cost grows with what waits: call it when a limit is reached, not with every event.

    Args:
        events: Decoded events of one turn, in order.

    Returns:
        How many bytes of ``raw`` that saves; never negative.
    """
    kept: list[Event] = []
    run: dict[_Place, list[tuple[Delta, _Members]]] = {}
    saved_bytes = 0
    for event in events:
        members = _members(event) if _is_delta(event) else None
        if _is_delta(event) and members is not None:
            # Taken out and put back, so that places stand in the order of their last deltas.
            place = _place(event)
            same_place = run.pop(place, [])
            same_place.append((event, members))
            run[place] = same_place
        else:
            saved_bytes += _end_run(run, kept)
            kept.append(event)
    saved_bytes += _end_run(run, kept)
    events.clear()
    events.extend(kept)
    return saved_bytes


def _is_delta(event: Event) -> TypeGuard[Delta]:
    return type(event) in DELTAS


def _members(delta: Delta) -> _Members | None:
    """Return an event's members as they arrived, or None if it is better left alone."""
    try:
        return _decode_members(delta.raw)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return None  # bytes that the typed decoder had no need to look at


def _place(delta: Delta) -> _Place:
    part: int = getattr(delta, "content_index", 0) or getattr(delta, "summary_index", 0)
    return type(delta), delta.stream_id, delta.item_id, delta.output_index, part


def _end_run(run: dict[_Place, list[tuple[Delta, _Members]]], kept: list[Event]) -> int:
    """Move a run to the events that are kept, joined; return how many bytes that saves."""
    saved_bytes = 0
    for same_place in run.values():
        deltas = [delta for delta, _ in same_place]
        event = deltas[-1]
        if len(deltas) > 1:
            event = msgspec.structs.replace(
                event,
                delta="".join(delta.delta for delta in deltas),
                raw=_encode(_joined([members for _, members in same_place])),
            )
        kept.append(event)
        saved_bytes += sum(len(delta.raw) for delta in deltas) - len(event.raw)
    run.clear()
    return saved_bytes


def _joined(every: Sequence[_Members]) -> _Members:
    """Join the members of deltas of one place.

    Every byte of the result is a byte of theirs, but for commas that part what brackets parted
    before: so it is never larger than they were.
    """
    joined = {
        name: value
        for name, value in every[-1].items()
        if name in _FROM_THE_LAST
        or all(bytes(each.get(name, b"")) == bytes(value) for each in every)
    }
    texts = [bytes(each["delta"])[1:-1] for each in every if "delta" in each]
    joined["delta"] = msgspec.Raw(b'"%s"' % b"".join(texts))
    lists = [bytes(each["logprobs"]) for each in every if "logprobs" in each]
    if any(map(_is_list, lists)):
        inside = [each[1:-1].strip() for each in lists if _is_list(each)]
        joined["logprobs"] = msgspec.Raw(b"[%s]" % b",".join(filter(None, inside)))
    return joined


def _is_list(encoded: bytes) -> bool:
    return encoded.startswith(b"[")
