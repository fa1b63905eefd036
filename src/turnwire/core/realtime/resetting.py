"""How to turn the talk into another one: what to delete, what to create, and where."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

_ROOT = "root"
_SET_BY_SERVER = frozenset({"object", "status", "cut_off"})


@dataclass(frozen=True, slots=True)
class Reset:
    """What to do: first the deletions, then the items, each with the id of the one before it."""

    deletes: tuple[str, ...]
    creates: tuple[tuple[dict[str, Any], str], ...]


def plan_reset(
    old: Sequence[Mapping[str, Any]],
    new: Sequence[Mapping[str, Any]],
    new_id: Callable[[], str],
) -> Reset:
    """Compare two histories.

    Items that are the same stay; of the others, and of those whose place is another, the old
    form is deleted and the new one created.  A call is kept or created together with its output.

    Args:
        old: The talk as it is.
        new: The talk as it is to be; items without an id are new.
        new_id: Makes ids.
    """
    wanted = [as_created({"id": item.get("id") or new_id(), **_without_id(item)}) for item in new]
    known = {str(item["id"]): as_created(item) for item in old}
    places = {item_id: place for place, item_id in enumerate(known)}
    kept: set[str] = set()
    last = -1
    for item in wanted:
        item_id = str(item["id"])
        if known.get(item_id) == item and places[item_id] > last:
            kept.add(item_id)
            last = places[item_id]
    creates: list[tuple[dict[str, Any], str]] = []
    previous = _ROOT
    for item in wanted:
        if item["id"] not in kept:
            creates.append((item, previous))
        previous = str(item["id"])
    return Reset(tuple(one for one in known if one not in kept), tuple(creates))


def _without_id(item: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in item.items() if name != "id"}


def as_created(item: Mapping[str, Any]) -> dict[str, Any]:
    """Return an item as a client may create it: what the model said becomes text."""
    made = {name: item[name] for name in item if name not in _SET_BY_SERVER}
    parts: list[Mapping[str, Any]] = list(made.get("content") or [])
    if "content" in made:
        made["content"] = [_part(part, str(made.get("role"))) for part in parts]
    return made


def _part(part: Mapping[str, Any], role: str) -> dict[str, Any]:
    if role == "assistant" and part.get("type") in {"output_audio", "audio", "text"}:
        return {"type": "output_text", "text": part.get("text") or part.get("transcript") or ""}
    if part.get("type") == "input_audio" and "audio" not in part:
        return {"type": "input_text", "text": part.get("transcript") or ""}
    return {name: part[name] for name in part if name not in _SET_BY_SERVER}
