"""Which Realtime server to talk to, or a gateway of our own that is one."""

from __future__ import annotations

import os
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from turnwire.cli.exits import keep_secret
from turnwire.cli.terminal import console
from turnwire.errors import ConfigError
from turnwire.gateway import Gateway
from turnwire.gateway.voice.defaults import DEFAULT_MODEL as BUILT_IN_MODEL
from turnwire.realtime import DEFAULT_MODEL

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from turnwire.cli.voice.plan import Plan

_KEY: Final = "OPENAI_API_KEY"
EMBEDDED: Final = (
    "no base URL and no key: talking to the embedded gateway's built-in voice"
    " (set OPENAI_API_KEY, or --base-url, to talk to a real one)"
)


@dataclass(frozen=True, slots=True)
class Server:
    """Where to talk.

    Attributes:
        api_key: Empty for none.
        embedded: Whether it runs in this process.
    """

    base_url: str | None
    model: str
    api_key: str = ""
    embedded: bool = False


@asynccontextmanager
async def server(plan: Plan) -> AsyncGenerator[Server]:
    """Find the server, or be one.

    Raises:
        ConfigError: The variable that is to have the key has none.
    """
    base_url = plan.base_url or os.environ.get("OPENAI_BASE_URL") or None
    key = _key(plan.api_key_env)
    if base_url is None and not key:
        async with Gateway() as gateway:
            console(stderr=True).print(EMBEDDED, style="dim")
            yield Server(gateway.base_url, plan.model or BUILT_IN_MODEL, embedded=True)
        return
    yield Server(base_url, plan.model or DEFAULT_MODEL, key)


def _key(variable: str | None) -> str:
    key = os.environ.get(variable or _KEY, "")
    if variable is not None and not key:
        # Its name is not shown: for all that is known it is the key itself.
        raise ConfigError(
            "the variable that --api-key-env names is not set; set it, or name another: the option"
            " takes a name, not the key"
        )
    keep_secret(key)
    return key
