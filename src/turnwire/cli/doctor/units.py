"""How numbers are written."""

from __future__ import annotations


def milliseconds(seconds: float) -> str:
    """Return a duration, such as ``12 ms``, or ``0.4 ms`` if it is short."""
    thousandths = 1000 * seconds
    return f"{thousandths:.1f} ms" if thousandths < 10 else f"{thousandths:.0f} ms"  # noqa: PLR2004


def seconds_text(seconds: float) -> str:
    """Return a duration, such as ``5 s``."""
    return f"{seconds:g} s"


def bytes_text(size: int) -> str:
    """Return a size, such as ``15.5 MiB``."""
    return f"{size / 2**20:g} MiB" if size % 2**18 == 0 else f"{size:,} bytes"


def plural(count: int, what: str) -> str:
    """Return a count with its noun."""
    return f"{count} {what}" if count == 1 else f"{count} {what}s"
