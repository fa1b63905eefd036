"""Which turnwire this is, as it is installed; the package itself imports from above."""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError, version


def installed_version() -> str:
    """Return the version, or ``unknown`` where turnwire runs without having been installed."""
    try:
        return version("turnwire")
    except PackageNotFoundError:
        return "unknown"
