"""Asks a server what it speaks, before its first turn or when that comes; decides nothing."""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING, Final, Literal

from turnwire.errors import ConfigError
from turnwire.gateway.upstreams import UpstreamFailed
from turnwire.gateway.upstreams.detecting.decision import (
    Detected,
    Reply,
    Undetected,
    base_urls,
    decide,
    listed,
)
from turnwire.gateway.upstreams.detecting.inquiry import Inquiry
from turnwire.gateway.upstreams.failures import UNREACHABLE

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Awaitable, Callable

    from turnwire.events import Event
    from turnwire.gateway.context import Prompt
    from turnwire.gateway.upstreams import Upstream
    from turnwire.gateway.upstreams.deltas import Delta

__all__ = ["Detected", "DetectingUpstream", "Undetected", "detect", "list_models"]

_log = logging.getLogger(__name__)

_PATIENCE: Final = 10.0  # seconds for one answer


async def detect(
    url: str, api_key: str | None = None, *, patience: float = _PATIENCE
) -> Detected | Undetected:
    """Find out what a server speaks; no model runs.

    Args:
        url: Its base URL, with or without ``/v1``.
        api_key: The key for it, or None.
        patience: Seconds for each answer.

    Raises:
        ConfigError: The URL or the proxy for it cannot be used.
    """
    results: list[Detected | Undetected] = []
    async with Inquiry.about(url, api_key, patience) as inquiry:
        for base in _bases(url):
            result = decide(await inquiry.findings(base))
            if isinstance(result, Detected) or not result.reached or result.locked:
                return result
            results.append(result)
    return results[0]  # of the likeliest URL


async def list_models(
    url: str, api_key: str | None = None, *, patience: float = _PATIENCE
) -> tuple[str, ...]:
    """Ask a server which models it has.

    Args:
        url: Its base URL, with or without ``/v1``.
        api_key: The key for it, or None.
        patience: Seconds for each answer.

    Raises:
        ConfigError: The URL or the proxy for it cannot be used.
        UpstreamFailed: It has no list, or cannot be reached.
    """
    reply = Reply(None)
    async with Inquiry.about(url, api_key, patience) as inquiry:
        for base in _bases(url):
            reply = await inquiry.get(f"{base}/models")
            if names := listed(reply):
                return names
            if reply.status is None:
                break
    if reply.status is None:
        # A server that is busy may be late without being ill.
        raise UpstreamFailed(
            "The model server gave no list of models.", code=reply.code
        ) from ConnectionError(reply.problem)
    raise UpstreamFailed("The model server has no list of models.", status=max(reply.status, 400))


class DetectingUpstream:
    """A server whose kind is found out when it is first needed.

    Until then nothing is known of it; it need not even run.

    Args:
        url: Its base URL, with or without ``/v1``.
        make: Makes the upstream of what was found out.
        api_key: The gateway's key for it, or None.
        credentials: ``"client"`` asks with the key of whoever asks first instead.
        models: Names to list as long as the server has not listed its own.

    Raises:
        ConfigError: The URL or the proxy for it cannot be used.
    """

    def __init__(
        self,
        url: str,
        make: Callable[[Detected], Upstream],
        *,
        api_key: str | None = None,
        credentials: Literal["gateway", "client"] = "gateway",
        models: tuple[str, ...] = (),
        detect: Callable[[str, str | None], Awaitable[Detected | Undetected]] = detect,
    ) -> None:
        _bases(url)
        self._url = url
        self._make = make
        self._api_key = api_key
        self._models = models
        self._detect = detect
        self._asking = asyncio.Lock()
        self._asked = 0  # how often an answer came, or that there was none
        self._last: tuple[Undetected, str | None] | None = None  # and the key asked with
        self._upstream: Upstream | None = None
        self._told = ""
        self.credentials: Final = credentials
        self.detected: Detected | None = None

    @property
    def models(self) -> tuple[str, ...]:
        """What the server lists, once it has been asked."""
        own = () if self._upstream is None else self._upstream.models
        return own or (self.detected.models if self.detected is not None else ()) or self._models

    @property
    def speaks(self) -> Literal["deltas", "events"]:
        """What the upstream speaks that was found; deltas until then."""
        return "events" if getattr(self._upstream, "speaks", "") == "events" else "deltas"

    @property
    def compacts(self) -> bool:
        """Whether the upstream that was found takes ``context_management``."""
        return bool(getattr(self._upstream, "compacts", False))

    @property
    def steers(self) -> bool:
        """Whether turns of the upstream that was found can be steered.

        Before it was found no model runs for any turn, so that each can be left.
        """
        return bool(getattr(self._upstream, "steers", True))

    @property
    def watches_silence(self) -> bool:
        """Whether the upstream that was found ends silences by itself."""
        return bool(getattr(self._upstream, "watches_silence", False))

    async def find(self, api_key: str | None = None) -> Upstream:
        """Return the upstream, finding out what it is if nobody has yet.

        Who waits while another one asks shares what that finds out, a failure too; but not that
        another one's key was refused.  Cancelling stops the asking, and the next one asks anew.

        Args:
            api_key: Asked with if the gateway has no key of its own.

        Raises:
            UpstreamFailed: It cannot be found out now.
        """
        key = api_key if self.credentials == "client" else self._api_key
        came = self._asked
        async with self._asking:
            if self._upstream is None:
                if self._last is not None and self._asked > came:
                    shared, asked_with = self._last
                    if key == asked_with or not shared.locked:
                        raise _failed(shared)
                found = await self._detect(self._url, key)
                self._asked += 1
                if isinstance(found, Undetected):
                    self._last = found, key
                    self._tell(found)
                    raise _failed(found)
                _log.info("the upstream was detected: %s", found.reason)
                self._upstream, self.detected = self._make(found), found
            return self._upstream

    def _tell(self, found: Undetected) -> None:
        """Log once what only a change of the configuration can mend."""
        if found.reached and found.reason != self._told:
            self._told = found.reason
            _log.warning("an upstream cannot be used: %s", found.reason)

    async def list_models(self) -> tuple[str, ...]:
        """Ask the server which models it has, and what it speaks if that is not known yet.

        Raises:
            UpstreamFailed: It has no list, or cannot be reached.
        """
        if self.credentials == "gateway":
            await self.find()
        url = self._url if self.detected is None else self.detected.url
        return await list_models(url, self._api_key)

    async def generate(self, prompt: Prompt) -> AsyncGenerator[Delta | Event]:
        """Answer a prompt, after the server has been asked what it speaks.

        Raises:
            UpstreamFailed: While iterating.
        """
        upstream = self._upstream or await self.find(prompt.credential)
        items = upstream.generate(prompt)
        try:
            async for item in items:
                yield item
        finally:
            close = getattr(items, "aclose", None)
            if close is not None:
                await close()

    async def aclose(self) -> None:
        """Close the upstream, if there is one."""
        close = getattr(self._upstream, "aclose", None)
        if close is not None:
            await close()


def _failed(found: Undetected) -> UpstreamFailed:
    message = f"{found.reason[:1].upper()}{found.reason[1:]}"
    if found.locked:
        return UpstreamFailed(message, status=401, code="invalid_api_key")
    failed = UpstreamFailed(message, code=None if found.reached else UNREACHABLE)
    failed.__cause__ = ConnectionError(found.problem) if found.problem else None
    return failed


def _bases(url: str) -> tuple[str, ...]:
    try:
        return base_urls(url)
    except ValueError:
        raise ConfigError(
            "the URL of the upstream is none that can be asked what it is; give one such as"
            " http://127.0.0.1:8000/v1, or name the upstream's `kind`"
        ) from None
