"""The URL that is dialled, and the keys that may be shown to it."""

from __future__ import annotations

import inspect
import sys
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

from turnwire.errors import ConfigError
from turnwire.io.endpoint import SignInFailed

if TYPE_CHECKING:
    from collections.abc import Mapping

    from turnwire.io.endpoint import ApiKey

DEFAULT_MODEL: Final = "gpt-realtime-2.1"  # what the field's SDKs dial in 2026
IN_BROWSER: Final = sys.platform == "emscripten"  # where whoever looks sees the key
_EPHEMERAL: Final = "ek_"
_NOT_EPHEMERAL: Final = (
    "the key is not an ephemeral one (`ek_…`); have your server make one with"
    " POST /v1/realtime/client_secrets, and never ship a project's key, or say"
    " `require_ephemeral=False`"
)
# With one of these the session has its model, or needs none.
_NAMES_MODEL: Final = frozenset({"model", "call_id", "deployment"})


def with_query(url: str, parameters: Mapping[str, str]) -> str:
    """Return a URL whose query says these things, and which model if nobody else does."""
    parts = urlsplit(url)
    kept = [
        (name, text)
        for name, text in parse_qsl(parts.query, keep_blank_values=True)
        if name not in parameters
    ]
    query = [*kept, *parameters.items()]
    is_transcription = ("intent", "transcription") in query
    if not is_transcription and _NAMES_MODEL.isdisjoint(name for name, _ in query):
        query.insert(0, ("model", DEFAULT_MODEL))
    return urlunsplit(parts._replace(query=urlencode(query)))


def ephemeral(key: ApiKey | None) -> ApiKey | None:
    """Return a key that is refused unless it is ephemeral: now, or when a callable returns it.

    Raises:
        ConfigError: It is not.
    """
    if not callable(key):
        if key is not None and not key.startswith(_EPHEMERAL):
            raise ConfigError(_NOT_EPHEMERAL)
        return key

    async def checked() -> str:
        made = key()
        found: Any = await made if inspect.isawaitable(made) else made
        if isinstance(found, str) and not found.startswith(_EPHEMERAL):
            raise SignInFailed(_NOT_EPHEMERAL)
        key_or_not: str = found
        return key_or_not

    return checked
