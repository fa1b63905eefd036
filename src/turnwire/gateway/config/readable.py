"""Whether the files that a configuration names can be read, and are what they should be."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from turnwire.errors import ConfigError
from turnwire.gateway.access.tls import server_context
from turnwire.gateway.config.reading import Mistake

if TYPE_CHECKING:
    from collections.abc import Iterator

    from turnwire.gateway.config.tables import Config, Tls


def unreadable_in(config: Config) -> tuple[Mistake, ...]:
    """Return what the gateway would fail to read, by whoever asks."""
    if config.tls is None:
        return ()
    return tuple(_unreadable(config.tls)) or tuple(_unusable(config.tls))


def _unreadable(tls: Tls) -> Iterator[Mistake]:
    for field, path in (("cert", tls.cert), ("key", tls.key)):
        try:
            Path(path).read_bytes()
        except OSError as error:
            yield Mistake(
                f"tls.{field}",
                f"{path}, which cannot be read: {error.strerror or error}",
                "a file in PEM format that the gateway may read",
                "mend that, or give another file",
            )


def _unusable(tls: Tls) -> Iterator[Mistake]:
    try:
        server_context(tls.cert, tls.key)
    except ConfigError as error:
        what, _, advice = str(error).rpartition("; ")
        yield Mistake("tls", what, "a certificate and its private key", advice)
