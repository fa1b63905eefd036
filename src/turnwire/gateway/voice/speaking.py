"""A response as it is said: its events in their order, and the pauses between them.

Sources of the order: facts that LiveKit and the SDK's documentation agree on.  Each item is added,
filled and done before the next one; a response that is cancelled ends what it has begun.
"""

from __future__ import annotations

import base64
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from turnwire.gateway.voice.conversation import Item, Track
from turnwire.gateway.voice.model import Called, Failed, Saying, Spoken, Written
from turnwire.gateway.voice.response import SAID_TOKEN_MS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from turnwire.gateway.json_shapes import Json
    from turnwire.gateway.voice.conversation import Items
    from turnwire.gateway.voice.response import Response
    from turnwire.gateway.voice.settings import VoiceSettings

_ARGUMENT_PIECE: Final = 16  # characters
_MS: Final = 1000


@dataclass(frozen=True, slots=True)
class Pause:
    """So many seconds between the event before and the one after."""

    seconds: float


@dataclass(slots=True, eq=False)
class Speaking:
    """One response in the making; ``steps`` is read once, and asks each time if it is to go on.

    Args:
        items: Where its items go, if they go anywhere.
        new_id: Makes ids of a prefix.
    """

    response: Response
    sayings: Sequence[Saying]
    items: Items
    settings: VoiceSettings
    new_id: Callable[[str], str]
    _unsaid: Iterator[list[Json]] = field(default_factory=lambda: iter(()))
    _nothing: tuple[Json, ...] = ()

    def steps(self) -> Iterator[Json | Pause]:
        """Yield events and pauses to the end."""
        response, settings = self.response, self.settings
        yield Pause(settings.created_delay)
        response.created = True
        yield {"type": "response.created", "response": response.begun()}
        yield {"type": "rate_limits.updated", "rate_limits": _plenty()}
        yield Pause(settings.first_output_delay)
        for index, saying in enumerate(self.sayings):
            if not response.active:
                break
            if isinstance(saying, Failed):
                error = {"type": "server_error", "code": saying.code, "message": saying.message}
                response.error = error
                response.end("failed")
            else:
                yield from self._item(index, saying)
        response.end("completed")
        yield {"type": "response.done", "response": response.json()}
        for _ in range(settings.chunks_after_done):
            yield from next(self._unsaid, self._nothing)

    def _item(self, index: int, saying: Spoken | Written | Called) -> Iterator[Json | Pause]:
        response = self.response
        item = Item(self._begun(saying))
        response.output.append(item)
        place = {"response_id": response.id, "output_index": index}
        yield {"type": "response.output_item.added", **place, "item": item.snapshot()}
        previous_id = None
        if response.in_chain:
            previous_id = self.items.add(item)
            yield _added("conversation.item.added", item, previous_id)
        inside = {**place, "item_id": item.id}
        match saying:
            case Called():
                yield from self._call(item, inside, saying)
            case Spoken() if response.speaks:
                yield from self._speech(item, inside, saying)
            case Spoken():
                pieces = tuple(word.text for word in saying.words)
                yield from self._text(item, inside, Written(pieces))
            case Written():
                yield from self._text(item, inside, saying)
        item.value["status"] = "completed" if response.active else "incomplete"
        yield {"type": "response.output_item.done", **place, "item": item.snapshot()}
        self.items.make_room()
        if response.in_chain and self.items.find(item.id) is item:
            yield _added("conversation.item.done", item, previous_id)

    def _begun(self, saying: Spoken | Written | Called) -> Json:
        head = {"object": "realtime.item", "status": "in_progress"}
        if isinstance(saying, Called):
            return {
                "id": self.new_id("item"),
                **head,
                "type": "function_call",
                "name": saying.name,
                "call_id": saying.call_id or self.new_id("call"),
                "arguments": "",
            }
        message: Json = {"type": "message", "role": "assistant", "content": []}
        return {"id": self.new_id("item"), **head, **message}

    def _call(self, item: Item, inside: Json, saying: Called) -> Iterator[Json | Pause]:
        inside = {**inside, "call_id": item.value["call_id"]}
        kind = "response.function_call_arguments"
        for start in range(0, len(saying.arguments), _ARGUMENT_PIECE):
            if not self.response.active:
                break
            piece = saying.arguments[start : start + _ARGUMENT_PIECE]
            item.value["arguments"] += piece
            self.response.said_characters += len(piece)
            yield {"type": f"{kind}.delta", **inside, "delta": piece}
            yield Pause(0)
        told = {"name": saying.name, "arguments": item.value["arguments"]}
        yield {"type": f"{kind}.done", **inside, **told}

    def _text(self, item: Item, inside: Json, saying: Written) -> Iterator[Json | Pause]:
        part = {"type": "output_text", "text": ""}
        item.content.append(part)
        inside = {**inside, "content_index": 0}
        yield _part("response.content_part.added", inside, {"type": "text", "text": ""})
        for piece in saying.pieces:
            if not self.response.active:
                break
            part["text"] += piece
            self.response.said_characters += len(piece)
            yield {"type": "response.output_text.delta", **inside, "delta": piece}
            yield Pause(self.settings.chunk_ms / _MS / self.settings.speed)
        yield {"type": "response.output_text.done", **inside, "text": part["text"]}
        shown = {"type": "text", "text": part["text"]}
        yield _part("response.content_part.done", inside, shown)

    def _speech(self, item: Item, inside: Json, saying: Spoken) -> Iterator[Json | Pause]:
        part = {"type": "output_audio", "transcript": ""}
        item.content.append(part)
        track = item.tracks[0] = Track(self.response.form)
        inside = {**inside, "content_index": 0}
        yield _part("response.content_part.added", inside, {"type": "audio", "transcript": ""})
        said: list[str] = []
        self._unsaid = self._chunks(item, inside, saying, said)
        for chunk in self._unsaid:
            yield from chunk
            length_ms = min(self.settings.chunk_ms, track.form.ms(track.size_bytes))
            yield Pause(length_ms / _MS / self.settings.speed)
            if not self.response.active:
                break
        if self.response.status == "cancelled":
            for _ in range(self.settings.late_chunks):
                yield from next(self._unsaid, self._nothing)
        yield {"type": "response.output_audio.done", **inside}
        transcript = {"transcript": "".join(said)}
        yield {"type": "response.output_audio_transcript.done", **inside, **transcript}
        yield _part("response.content_part.done", inside, {"type": "audio", **transcript})

    def _chunks(
        self, item: Item, inside: Json, saying: Spoken, said: list[str]
    ) -> Iterator[list[Json]]:
        """Yield the deltas of each chunk, the words that begin in it and its audio; note both."""
        response, part, track = self.response, item.content[0], item.tracks[0]
        form, words = track.form, list(saying.words)
        count, step = form.count(saying.sound.ms), max(1, form.count(self.settings.chunk_ms))
        for first in range(0, count, step):
            last = min(first + step, count)
            deltas: list[Json] = []
            while words and (words[0].at_ms < last * _MS / form.rate or last == count):
                word = words.pop(0).text
                said.append(word)
                response.said_characters += len(word)
                if not track.fixed:
                    part["transcript"] += word
                kind = "response.output_audio_transcript.delta"
                deltas.append({"type": kind, **inside, "delta": word})
            audio = saying.sound.audio(first, last, form)
            track.add(audio)
            response.said_ms += form.ms(len(audio))
            encoded = base64.b64encode(audio).decode()
            deltas.append({"type": "response.output_audio.delta", **inside, "delta": encoded})
            if response.said_ms / SAID_TOKEN_MS >= response.limit_tokens:
                response.end("incomplete", "max_output_tokens")
            yield deltas


def _added(kind: str, item: Item, previous_id: str | None) -> Json:
    return {"type": kind, "previous_item_id": previous_id, "item": item.snapshot()}


def _part(kind: str, inside: Json, part: Json) -> Json:
    return {"type": kind, **inside, "part": part}


def _plenty() -> list[Json]:
    """Return rate limits that nobody meets."""
    return [
        {"name": "requests", "limit": 1000, "remaining": 999, "reset_seconds": 0.06},
        {"name": "tokens", "limit": 1_000_000, "remaining": 999_000, "reset_seconds": 0.06},
    ]
