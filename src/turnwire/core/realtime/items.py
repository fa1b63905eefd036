"""What has been said: the items of the session in their order, as far as this side knows them.

The server forgets the transcript of what is truncated, and all of it when a session ends; so the
words are kept here, and for what the model said, the words that were heard.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import msgspec

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

_ROOT = "root"  # how the wire names the place before the first item
_WORDS = ("text", "transcript")


@dataclass(slots=True)
class Entry:
    """One item.

    Attributes:
        item: The item, in the shape of the wire, without audio.
        words: What the model said, by content index, as it arrives.
        heard: The part of it that the listener heard, by content index; what is missing was heard
            as a whole.
        audio: What the user said, until there are words for it.
        is_appended: True if its caller had it created at the end, wherever that is by then.
        is_text: True if a new session was told it as text; then there is no audio to truncate.
    """

    item: dict[str, Any]
    words: dict[int, str] = field(default_factory=dict[int, str])
    heard: dict[int, str] = field(default_factory=dict[int, str])
    audio: bytes = b""
    is_appended: bool = False
    is_text: bool = False
    size_bytes: int = 0

    @property
    def id(self) -> str:
        """The item's id."""
        return str(self.item["id"])

    def spoken(self, content_index: int) -> str:
        """Return what the model said in a part, heard or not."""
        if content_index in self.words:
            return self.words[content_index]
        parts: list[dict[str, Any]] = self.item.get("content") or []
        part: dict[str, Any] = parts[content_index] if content_index < len(parts) else {}
        return str(next((part[name] for name in _WORDS if part.get(name)), ""))

    def heard_words(self, content_index: int) -> str:
        """Return what the listener heard of a part."""
        if content_index in self.heard:
            return self.heard[content_index]
        return self.spoken(content_index)

    def shown(self) -> dict[str, Any]:
        """Return the item with the words that were heard."""
        parts: list[dict[str, Any]] = list(self.item.get("content") or [])
        if self.item.get("role") == "assistant":
            count = max(len(parts), *(index + 1 for index in (*self.words, *self.heard, -1)))
            blank: dict[str, Any] = {"type": "output_audio"}
            padded = [*parts, *({**blank} for _ in range(count - len(parts)))]
            parts = [self._shown_part(part, index) for index, part in enumerate(padded)]
        return {**self.item, "content": parts} if "content" in self.item else dict(self.item)

    def _shown_part(self, part: dict[str, Any], index: int) -> dict[str, Any]:
        name = "text" if part.get("type") == "output_text" else "transcript"
        shown = {**part, name: self.heard_words(index)}
        return {**shown, "cut_off": True} if index in self.heard else shown


class Items:
    """The items of a session, bounded.

    Args:
        limit_bytes: Of the items; beyond it the oldest are forgotten here, not on the server.
        audio_bytes: Of the user's audio for which there are no words yet.
    """

    def __init__(self, limit_bytes: int, audio_bytes: int) -> None:
        self._limit_bytes = limit_bytes
        self._audio_limit_bytes = audio_bytes
        self._order: list[str] = []
        self._by_id: dict[str, Entry] = {}
        self.size_bytes = 0
        self.forgotten = 0
        self.changes = 0  # rises with everything that a new session would have to be told

    def __len__(self) -> int:
        return len(self._order)

    def __iter__(self) -> Iterator[Entry]:
        return (self._by_id[item_id] for item_id in self._order)

    def get(self, item_id: str) -> Entry | None:
        """Return an item, or None."""
        return self._by_id.get(item_id)

    def put(self, item: dict[str, Any], previous_id: str | None = None) -> Entry:
        """Take an item in: in the place of the one with its id, or after another, or at the end."""
        item = _without_audio(item)
        entry = self._by_id.get(str(item["id"]))
        if entry is None:
            entry = Entry(item)
            self._by_id[entry.id] = entry
            self._order.insert(self._place(previous_id), entry.id)
        else:
            entry.item = _with_known_words(entry.item, item)
        self._weigh(entry)
        self.changes += 1
        self._forget_oldest()
        return entry

    def _place(self, previous_id: str | None) -> int:
        if previous_id == _ROOT:
            return 0
        if previous_id in self._by_id:
            return self._order.index(previous_id) + 1
        return len(self._order)

    def move(self, item_id: str, previous_id: str) -> None:
        """Have an item follow another one, if both are known."""
        if item_id in self._by_id and previous_id in self._by_id and item_id != previous_id:
            self._order.remove(item_id)
            self._order.insert(self._place(previous_id), item_id)
            self.changes += 1

    def _weigh(self, entry: Entry) -> None:
        size = len(msgspec.json.encode(entry.item))
        size += sum(len(words) for words in entry.words.values()) + len(entry.audio)
        self.size_bytes += size - entry.size_bytes
        entry.size_bytes = size

    def _forget_oldest(self) -> None:
        while self.size_bytes > self._limit_bytes and len(self._order) > 1:
            self.delete(self._order[0])
            self.forgotten += 1

    def delete(self, item_id: str) -> bool:
        """Forget an item; say whether it was here."""
        entry = self._by_id.pop(item_id, None)
        if entry is None:
            return False
        self._order.remove(item_id)
        self.size_bytes -= entry.size_bytes
        self.changes += 1
        return True

    def add_words(self, item_id: str, content_index: int, delta: str) -> None:
        """Take in more of what the model says."""
        entry = self._by_id.get(item_id)
        if entry is not None:
            entry.words[content_index] = entry.words.get(content_index, "") + delta
            entry.size_bytes += len(delta)
            self.size_bytes += len(delta)
            self.changes += 1

    def set_words(self, item_id: str, content_index: int, words: str) -> None:
        """Take in all of what the model said."""
        entry = self._by_id.get(item_id)
        if entry is not None:
            entry.words[content_index] = words
            self._weigh(entry)
            self.changes += 1

    def set_heard(self, item_id: str, content_index: int, words: str) -> None:
        """Note that the listener heard only this of it."""
        entry = self._by_id.get(item_id)
        if entry is not None:
            entry.heard[content_index] = words
            self.changes += 1

    def set_transcript(self, item_id: str, content_index: int, transcript: str) -> None:
        """Take in the words of what the user said; the audio is not needed any more."""
        entry = self._by_id.get(item_id)
        if entry is None:
            return
        known: list[dict[str, Any]] = entry.item.get("content") or []
        parts = [dict(part) for part in known]
        parts += [{"type": "input_audio"} for _ in range(content_index + 1 - len(parts))]
        parts[content_index]["transcript"] = transcript
        entry.item = {**entry.item, "content": parts}
        entry.audio = b""
        self._weigh(entry)
        self.changes += 1

    def keep_audio(self, item_id: str, audio: bytes) -> None:
        """Keep what the user said until there are words for it, as far as the limit allows."""
        entry = self._by_id.get(item_id)
        if entry is None or len(audio) > self._audio_limit_bytes:
            return
        entry.audio = audio
        self._weigh(entry)
        kept = 0
        for other in reversed(list(self)):
            kept += len(other.audio)
            if kept > self._audio_limit_bytes:
                kept -= len(other.audio)
                other.audio = b""
                self._weigh(other)

    def call(self, call_id: str) -> Entry | None:
        """Return the function call with this id, or None."""
        found = (one for one in self if one.item.get("type") == "function_call")
        return next((one for one in found if one.item.get("call_id") == call_id), None)

    def before(self, item_id: str) -> str:
        """Return the id of the item before one, or ``root``."""
        place = self._order.index(item_id)
        return self._order[place - 1] if place else _ROOT

    def last(self, *, without: Collection[str]) -> str:
        """Return the id of the last item but for those of these that were appended, or root."""
        return next(
            (
                one
                for one in reversed(self._order)
                if one not in without or not self._by_id[one].is_appended
            ),
            _ROOT,
        )

    def history(self) -> list[dict[str, Any]]:
        """Return all items with the words that were heard."""
        return [entry.shown() for entry in self]


def _without_audio(item: dict[str, Any]) -> dict[str, Any]:
    parts = item.get("content")
    if not parts:
        return item
    kept = [{name: part[name] for name in part if name != "audio"} for part in parts]
    return {**item, "content": kept}


def _with_known_words(old: dict[str, Any], new: dict[str, Any]) -> dict[str, Any]:
    """Keep transcripts that the newer form of an item leaves out, as it does once truncated."""
    parts, known = new.get("content"), old.get("content")
    if not known:
        return new
    if not parts:
        return {**new, "content": known}
    merged = [
        {**part, "transcript": before["transcript"]}
        if before.get("transcript") and not any(part.get(name) for name in _WORDS)
        else part
        for part, before in zip(parts, known, strict=False)
    ]
    return {**new, "content": [*merged, *parts[len(merged) :]]}
