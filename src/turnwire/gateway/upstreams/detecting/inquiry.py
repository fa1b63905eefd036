"""Questions to a server that cost it nothing, and whatever comes back."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit, urlunsplit

import aiohttp
import msgspec

from turnwire.errors import ConfigError
from turnwire.gateway.json_shapes import UNREADABLE
from turnwire.gateway.upstreams.detecting.decision import Findings, Reply
from turnwire.gateway.upstreams.failures import CUT, TIMEOUT, UNREACHABLE
from turnwire.gateway.upstreams.http import NOT_REACHED
from turnwire.io.describing import ADVICE, describe_dial
from turnwire.io.proxy import UnusableProxy, passage, proxy_from_environment
from turnwire.io.websocket import UpgradeRefused, open_session

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Awaitable

    from turnwire.io.proxy import Proxy

# Valid JSON, as some servers read a body before they look at the path; and no server can run it.
_UNUSABLE: Final = b'{"model": 0}'
_BODY_BYTES: Final = 2**20  # of a list of models
_TEXT_BYTES: Final = 200  # of what is no JSON
# Seconds for the closing handshake.
_CLOSING: Final = aiohttp.ClientWSTimeout(ws_close=1.0)  # pyright: ignore[reportCallIssue]  # attrs
_SWITCHING_PROTOCOLS: Final = 101
_BAD_GATEWAY: Final = 502


@dataclass(frozen=True, slots=True)
class Inquiry:
    """Asks one server; every question gets a reply, if only why there was none.

    Attributes:
        session: Carries the questions.
        proxy: What is between here and there.
        headers: Sent with every question.
        patience: Seconds for each answer.
    """

    session: aiohttp.ClientSession
    proxy: Proxy | None
    headers: dict[str, str] = field(repr=False)
    patience: float

    @classmethod
    @asynccontextmanager
    async def about(cls, url: str, api_key: str | None, patience: float) -> AsyncGenerator[Inquiry]:
        """Open what it takes to ask.

        Args:
            url: Of the server.
            api_key: Sent with every question, if there is one.
            patience: Seconds for each answer.

        Raises:
            ConfigError: The environment names a proxy that is none.
        """
        try:
            proxy = proxy_from_environment(url)
        except UnusableProxy as error:
            raise ConfigError(str(error)) from error
        headers = {"Authorization": f"Bearer {api_key}"} if api_key else {}
        async with open_session() as session:  # which follows no redirect of an upgrade
            yield cls(session, proxy, headers, patience)

    async def findings(self, base: str) -> Findings:
        """Ask everything there is to ask below a base URL, all at once."""
        root = urlunsplit((*urlsplit(base)[:2], "/", "", ""))
        models, upgrade, responses, chat, top = await asyncio.gather(
            self.get(f"{base}/models"),
            self.upgrade(f"{base}/responses"),
            self.post(f"{base}/responses"),
            self.post(f"{base}/chat/completions"),
            self.get(root),
        )
        return Findings(
            url=base, models=models, upgrade=upgrade, responses=responses, chat=chat, root=top
        )

    async def get(self, url: str) -> Reply:
        """GET it."""
        return await self._reply(self._read("GET", url))

    async def post(self, url: str) -> Reply:
        """POST what no server can run."""
        return await self._reply(self._read("POST", url))

    async def upgrade(self, url: str) -> Reply:
        """Ask for a WebSocket, and close it at once."""
        return await self._reply(self._upgrade(url))

    async def _read(self, method: str, url: str) -> Reply:
        headers = self.headers | ({"Content-Type": "application/json"} if method == "POST" else {})
        async with self.session.request(
            method,
            url,
            data=_UNUSABLE if method == "POST" else None,
            allow_redirects=False,
            **passage(self.proxy, headers),
        ) as response:
            body = bytearray()
            wanted = 0 if response.content_type == "text/event-stream" else _BODY_BYTES
            while len(body) < wanted and (piece := await response.content.readany()):
                body += piece  # what talks is not listened to: it would talk for long
            response.close()
        names = {name.lower(): value for name, value in response.headers.items()}
        return Reply(response.status, _decoded(bytes(body)), names)

    async def _upgrade(self, url: str) -> Reply:
        try:
            socket = await self.session.ws_connect(
                url,
                timeout=_CLOSING,
                **passage(self.proxy, self.headers),
            )
        except UpgradeRefused as error:
            return Reply(error.refusal.status)
        except aiohttp.WSServerHandshakeError:
            return Reply(_BAD_GATEWAY)  # it said yes, but not to a WebSocket
        await socket.close()
        return Reply(_SWITCHING_PROTOCOLS)

    async def _reply(self, question: Awaitable[Reply]) -> Reply:
        try:
            async with asyncio.timeout(self.patience):
                return await question
        except TimeoutError:
            return Reply(None, problem=f"no answer within {self.patience:g} s", code=TIMEOUT)
        except (aiohttp.ClientError, OSError) as error:
            code = UNREACHABLE if isinstance(error, NOT_REACHED) else CUT
            return Reply(None, problem=_problem(error, self.proxy), code=code)


def _problem(error: Exception, proxy: Proxy | None) -> str:
    return describe_dial(error, proxy).removesuffix(ADVICE)


def _decoded(body: bytes) -> Any:
    try:
        return msgspec.json.decode(body)
    except UNREADABLE:
        return body[:_TEXT_BYTES].decode("utf-8", "replace")
