"""Numbers with their units, for people."""

from __future__ import annotations

from typing import Final

_KILO: Final = 1000


def bytes_text(size_bytes: float) -> str:
    """Write a size: ``812 B``, ``12.3 kB``, ``894 kB``, ``1.20 MB``."""
    if size_bytes < _KILO:
        return f"{size_bytes:.0f} B"
    for unit in ("kB", "MB"):
        size_bytes /= _KILO
        if round(size_bytes) < _KILO:
            return f"{_three_digits(size_bytes)} {unit}"
    return f"{_three_digits(size_bytes / _KILO)} GB"


def seconds_text(seconds: float) -> str:
    """Write a duration: ``1.05 s``, ``12.3 ms``."""
    if seconds >= 1:
        return f"{_three_digits(seconds)} s"
    return f"{_three_digits(seconds * _KILO)} ms"


def rtt_text(rtt: float) -> str:
    """Write what the link is like."""
    return f"simulated round trip of {rtt * _KILO:g} ms" if rtt else "no simulated round trip"


def ratio_text(value: float, first: float) -> str:
    """Write how a value stands to the first: ``0.14x``."""
    return f"{_three_digits(value / first)}x" if first else "-"


def _three_digits(value: float) -> str:
    return f"{value:.{2 if value < 10 else 1 if value < 100 else 0}f}"  # noqa: PLR2004  # tens
