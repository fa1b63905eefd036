"""What is drawn: three tracks on one time line, as loudness; and the two curves."""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Final

from turnwire.audio import PCM16, rms

if TYPE_CHECKING:
    from turnwire.cli.demo_voice.findings import Findings
    from turnwire.cli.demo_voice.scene import Scene

_MS: Final = 1000

Point = tuple[float, float]  # seconds since the beginning, milliseconds of audio


@dataclass(frozen=True, slots=True)
class Tracks:
    """Three sounds that begin together, PCM16 at 24 kHz, equally long.

    Attributes:
        seconds: How long they are.
        user: What the user said.
        heard: What the user heard of the assistant.
        never_heard: What had arrived when the user interrupted, where it would have sounded.
        cut_at: When that was, in seconds.
    """

    seconds: float
    user: bytes
    heard: bytes
    never_heard: bytes
    cut_at: float


def tracks_of(scene: Scene, found: Findings) -> Tracks:
    """Lay the sounds of a scene on one time line."""
    cut_at = scene.interrupted_at
    unheard = b"".join(
        bytes(answer.audio)[item.sounded_samples * PCM16.sample_bytes :]
        for answer, item in zip(scene.answers, found.items, strict=True)
        if item.told != "left"
    )
    user = _from(scene.user_from, scene.user)
    heard = _from(scene.ear_from, scene.ear)
    never = _from(cut_at, unheard)
    size = max(len(user), len(heard), len(never))
    return Tracks(
        seconds=size / PCM16.bytes_per_second,
        user=user.ljust(size, b"\0"),
        heard=heard.ljust(size, b"\0"),
        never_heard=never.ljust(size, b"\0"),
        cut_at=cut_at,
    )


def _from(at: float, audio: bytes) -> bytes:
    return bytes(PCM16.bytes_in(max(0.0, at) * _MS)) + audio


def loudness(audio: bytes, columns: int) -> list[float]:
    """Return how loud each of so many columns is, 0 to 1: 1 is the loudest of them."""
    size = PCM16.sample_bytes
    edges = [n * (len(audio) // size) // columns * size for n in range(columns + 1)]
    found = [rms(audio[start:end]) for start, end in pairwise(edges)]
    loudest = max(found, default=0.0)
    return [value / loudest if loudest else 0.0 for value in found]


def received_curve(scene: Scene, found: Findings) -> list[Point]:
    """Return how much audio had arrived at each time; what was dropped falls off."""
    points: list[Point] = [(0.0, 0.0)]
    total = 0.0
    fallen = False
    for at, size in scene.arrivals:
        if at > scene.interrupted_at and not fallen:
            fallen = True
            points.append((scene.interrupted_at, total))
            total -= found.dropped_ms
            points.append((scene.interrupted_at, total))
        points.append((at, total))
        total += PCM16.milliseconds(size)
        points.append((at, total))
    return points


def heard_curve(found: Findings) -> list[Point]:
    """Return how much audio had been heard at each time."""
    points: list[Point] = [(0.0, 0.0)]
    total = 0.0
    for item in found.items:
        if item.starts_at_ms is None:
            continue
        start = item.starts_at_ms / _MS
        points.append((start, total))
        total += item.sounded_ms
        points.append((start + item.sounded_ms / _MS, total))
    return points


def whole_seconds(seconds: float) -> range:
    """Return the ticks of a time line."""
    return range(math.floor(seconds) + 1)
