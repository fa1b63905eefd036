"""What the scene shows: received, heard and told, beside what the ear has heard in fact."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Literal

from turnwire.audio import PCM16
from turnwire.cli.demo_voice.oracle import sounded
from turnwire.gateway.voice.formats import PCM
from turnwire.gateway.voice.tones import spoken

if TYPE_CHECKING:
    from collections.abc import Sequence

    from turnwire.cli.demo_voice.oracle import Sounded
    from turnwire.cli.demo_voice.scene import Answer, Scene

_MS: Final = 1000
_ALLOWED_MS: Final = 20.0  # of error; one block of the loudspeaker is half of it

Told = Literal["cut", "deleted", "left"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Item:
    """One item of the assistant's; milliseconds.

    Attributes:
        number: From 1.
        words: All that was received.
        heard_words: What the model believes now that it said.
        received_ms: What arrived.
        heard_ms: What the transport's ledger says was heard.
        told: What the server did to it on the transport's word.
        truncated_ms: Where it was cut, or None.
        sounded_samples: How many samples the ear has heard, at most.
        uncertain_samples: How many of them may have been the silence after it, too.
        sounded_ms: The same as ``sounded_samples``.
        starts_at_ms: When the ear began to hear it, or None.
        error_ms: By how much the server was told too much, or too little; None if it was told
            nothing of it.
    """

    number: int
    words: str
    heard_words: str
    received_ms: float
    heard_ms: int
    told: Told
    truncated_ms: int | None
    sounded_samples: int
    uncertain_samples: int
    sounded_ms: float
    starts_at_ms: float | None
    error_ms: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class WallClock:
    """What a client sends that counts the time since the first delta of the newest item.

    Attributes:
        item: The item that it cuts; None if it believes that all was heard.
        audio_end_ms: Where.
        sounded_ms: How much of that item was heard in fact.
        believed_words: What of that item's words the model would believe to have said.
        silent_for_ms: For how long no audio had arrived when the user spoke: a client that forgets
            the item at its end sends nothing at all.
    """

    item: int | None
    audio_end_ms: int
    sounded_ms: float
    believed_words: str
    silent_for_ms: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Findings:
    """What the demonstration found out; milliseconds since the beginning, if not said otherwise.

    Attributes:
        items: What became of each item.
        spoke_at_ms: When the user began to speak.
        interrupted_at_ms: When the loudspeaker was silent.
        reaction_ms: From the arrival of ``speech_started`` until then.
        dropped_ms: How much audio had arrived that nobody will hear.
        wall_clock: What others would have told.
        heard_by_server: What the server heard the user say.
        disagreements: What is not as it should be.
    """

    items: tuple[Item, ...]
    spoke_at_ms: float
    interrupted_at_ms: float
    reaction_ms: float
    dropped_ms: float
    wall_clock: WallClock
    heard_by_server: str
    disagreements: tuple[str, ...]

    @property
    def cut(self) -> Item | None:
        """The item that was interrupted."""
        return next((item for item in self.items if item.told == "cut"), None)


def findings(scene: Scene) -> Findings:
    """Compare what was told with what was heard."""
    # The built-in voice's sound follows from its words: what arrived is not asked.
    ear = sounded([known_audio(answer.words) for answer in scene.answers], scene.ear)
    items = tuple(
        _item(scene, number, answer, heard)
        for number, (answer, heard) in enumerate(zip(scene.answers, ear, strict=True), 1)
    )
    return Findings(
        items=items,
        spoke_at_ms=scene.spoke_at * _MS,
        interrupted_at_ms=scene.interrupted_at * _MS,
        reaction_ms=scene.reaction * _MS,
        dropped_ms=sum(each.received_ms - each.heard_ms for each in items if each.told != "left"),
        wall_clock=_wall_clock(scene, items),
        heard_by_server=scene.heard_by_server,
        disagreements=tuple(_disagreements(scene, items)),
    )


def known_audio(words: str) -> bytes:
    """Return how the built-in voice says something, as PCM16 at 24 kHz."""
    sound = spoken(words).sound
    return sound.audio(0, PCM.count(sound.ms), PCM)


def _item(scene: Scene, number: int, answer: Answer, heard: Sounded) -> Item:
    part = next(each for each in scene.ledger if each.part.item_id == answer.item_id)
    cut_at = scene.truncated.get(answer.item_id)
    told: Told = "cut" if cut_at is not None else "left"
    if answer.item_id in scene.deleted:
        told = "deleted"
    start = None if heard.start is None else heard.start / PCM16.rate + scene.ear_from
    return Item(
        number=number,
        words=answer.words,
        heard_words=_words_in(scene.history, answer.item_id),
        received_ms=part.received_ms,
        heard_ms=part.heard_ms,
        told=told,
        truncated_ms=cut_at,
        sounded_samples=heard.at_most,
        uncertain_samples=heard.at_most - heard.at_least,
        sounded_ms=heard.ms,
        starts_at_ms=None if start is None else start * _MS,
        error_ms=None if cut_at is None else heard.error_ms(cut_at),
    )


def _words_in(history: Sequence[dict[str, Any]], item_id: str) -> str:
    item = next((each for each in history if each.get("id") == item_id), dict[str, Any]())
    parts: list[dict[str, Any]] = item.get("content") or []
    return " ".join(part.get("transcript") or part.get("text") or "" for part in parts)


def _wall_clock(scene: Scene, items: Sequence[Item]) -> WallClock:
    """Reckon as a client does whose item is the newest one that arrived.

    Source: openai-agents 0.24 for Python, ``ModelAudioTracker`` and what ``speech_started`` does
    with it: the time since the first delta of the item that the last delta was of; no more than
    its length, and nothing at all if it is longer and the response is done.
    """
    before = [(at, size) for at, size in scene.arrivals if at < scene.interrupted_at]
    position, newest, first_delta = 0, 0, 0.0
    lengths = [len(answer.audio) for answer in scene.answers]
    for at, size in before:
        index = next(n for n in range(len(lengths)) if position < sum(lengths[: n + 1]))
        if index != newest or position == 0:
            newest, first_delta = index, at
        position += size
    elapsed = round((scene.interrupted_at - first_delta) * _MS)
    item = items[newest]
    return WallClock(
        item=item.number if elapsed < item.received_ms else None,
        audio_end_ms=elapsed,
        sounded_ms=item.sounded_ms,
        believed_words="".join(
            word.text for word in spoken(item.words).words if word.at_ms < elapsed
        ),
        silent_for_ms=(scene.interrupted_at - before[-1][0]) * _MS,
    )


def _disagreements(scene: Scene, items: Sequence[Item]) -> list[str]:
    found: list[str] = []
    for answer, item in zip(scene.answers, items, strict=True):
        name = f"item {item.number}"
        if bytes(answer.audio) != known_audio(answer.words):
            found.append(f"{name} arrived with other audio than the built-in voice speaks")
        if item.error_ms is not None and abs(item.error_ms) > _ALLOWED_MS:
            found.append(
                f"{name} was cut at {item.truncated_ms} ms, and {item.sounded_ms:.1f} ms of it"
                " were heard"
            )
        if item.told == "deleted" and item.sounded_samples:
            found.append(f"{name} was deleted, and {item.sounded_ms:.1f} ms of it were heard")
        if item.told == "left" and round(item.sounded_ms) != round(item.received_ms):
            found.append(
                f"{name} was left whole, and {item.sounded_ms:.1f} of {item.received_ms:.1f} ms"
                " were heard"
            )
    told = tuple(item.told for item in items)
    if told != ("cut", "deleted", "left"):
        found.append(f"the items were {', '.join(told)} instead of cut, deleted, left")
    return found
