"""The items of a session in order, with the audio of each of their parts."""

from __future__ import annotations

import base64
import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import msgspec

from turnwire.gateway.voice.refusals import Refused, duplicate_item, no_item, no_previous_item

if TYPE_CHECKING:
    from collections.abc import Iterator

    from turnwire.gateway.json_shapes import Json
    from turnwire.gateway.voice.formats import AudioFormat


@dataclass(slots=True)
class Track:
    """The audio of one part.

    Attributes:
        form: The format that was in force when it was heard or made.
        size_bytes: How long it is; it stays when ``data`` is given up.
        data: The audio itself, or None if there was no room for it.
        fixed: True once it was truncated; whatever is still said is no part of it.
    """

    form: AudioFormat
    size_bytes: int = 0
    data: bytearray | None = field(default_factory=bytearray, repr=False)
    fixed: bool = False

    @property
    def ms(self) -> int:
        """How long it is, in whole milliseconds."""
        return math.floor(self.form.ms(self.size_bytes))

    def add(self, audio: bytes) -> None:
        """Append audio."""
        if self.fixed:
            return
        self.size_bytes += len(audio)
        if self.data is not None:
            self.data += audio

    def cut(self, ms: int) -> None:
        """Keep the first milliseconds, for good."""
        self.fixed = True
        self.size_bytes = min(self.size_bytes, self.form.size_bytes(ms))
        if self.data is not None:
            del self.data[self.size_bytes :]


@dataclass(slots=True, eq=False)
class Item:
    """An item: the object of the wire without audio, and its audio by content index."""

    value: Json
    tracks: dict[int, Track] = field(default_factory=dict[int, Track])
    counted_bytes: int = 0  # of its text, when it was added

    @property
    def id(self) -> str:
        """Its name."""
        item_id: str = self.value["id"]
        return item_id

    @property
    def content(self) -> list[Json]:
        """Its parts; empty if it is no message."""
        content: list[Json] = self.value.get("content", [])
        return content

    @property
    def text(self) -> str:
        """All that is written in it or known of what is heard in it."""
        parts = (part.get("text") or part.get("transcript") or "" for part in self.content)
        return "".join(parts)

    def with_audio(self) -> Json:
        """Return the object of the wire with its audio in base64."""
        content = [dict(part) for part in self.content]
        for index, track in self.tracks.items():
            if track.data is not None:
                content[index]["audio"] = base64.b64encode(track.data).decode()
        return self.value | {"content": content} if content else self.value

    def snapshot(self) -> Json:
        """Return the object as it is now, for an event."""
        if "content" not in self.value:
            return dict(self.value)
        return self.value | {"content": [dict(part) for part in self.content]}


class Items:
    """The items of the default conversation.

    Args:
        limit_bytes: What they may take; beyond it the oldest lose their audio.
    """

    def __init__(self, limit_bytes: int) -> None:
        self._limit_bytes = limit_bytes
        self._items: list[Item] = []
        self._text_bytes = 0

    def __iter__(self) -> Iterator[Item]:
        return iter(self._items)

    def __len__(self) -> int:
        return len(self._items)

    @property
    def last_id(self) -> str | None:
        """The name of the newest one, or None."""
        return self._items[-1].id if self._items else None

    def find(self, item_id: str) -> Item | None:
        """Return an item, or None."""
        return next((item for item in self._items if item.id == item_id), None)

    def get(self, item_id: str, doing: str) -> Item:
        """Return an item.

        Raises:
            Refused: There is none of that name; the code says what was to be done with it.
        """
        item = self.find(item_id)
        if item is None:
            raise no_item(doing, item_id)
        return item

    def check(self, item_id: str, previous_id: str | None) -> None:
        """Say no to an item that cannot be added.

        Raises:
            Refused: Its name is taken, the one before it is not there, or there is no room.
        """
        if self.find(item_id) is not None:
            raise duplicate_item(item_id)
        if previous_id not in (None, "root") and self.find(previous_id) is None:
            raise no_previous_item(previous_id)
        if self._text_bytes > self._limit_bytes:
            raise Refused(
                f"The items of a session hold at most {self._limit_bytes} bytes. Delete some.",
                "too_many_items",
            )

    def add(self, item: Item, previous_id: str | None = None) -> str | None:
        """Insert an item behind another one; at the end by default, at the beginning for ``root``.

        Returns:
            The name of the item before it, or None.
        """
        index = len(self._items)
        if previous_id == "root":
            index = 0
        elif previous_id is not None:
            index = next(n for n, each in enumerate(self._items, 1) if each.id == previous_id)
        self._items.insert(index, item)
        item.counted_bytes = len(msgspec.json.encode(item.value))
        self._text_bytes += item.counted_bytes
        self.make_room()
        return self._items[index - 1].id if index else None

    def remove(self, item: Item) -> None:
        """Forget an item."""
        self._items.remove(item)
        self._text_bytes -= item.counted_bytes

    def make_room(self) -> None:
        """Give up the oldest audio until the rest is within the limit."""
        tracks = [track for item in self._items for track in item.tracks.values()]
        over = sum(len(track.data or b"") for track in tracks) - self._limit_bytes
        for track in tracks:
            if over <= 0:
                return
            over -= len(track.data or b"")
            track.data = None
