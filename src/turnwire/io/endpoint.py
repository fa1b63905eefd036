"""Where the server is and how to sign in: resolved anew for every dial and every POST."""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from hashlib import blake2b
from typing import TYPE_CHECKING
from urllib.parse import quote, urlsplit, urlunsplit

from turnwire.core.actions import Post

if TYPE_CHECKING:
    import ssl

    from turnwire.core.actions import Fetch
    from turnwire.io.proxy import Proxy

_BREAKS = frozenset("\r\n\0")  # would end a header, or begin another one


class SignInFailed(Exception):
    """The caller's ``api_key`` function raised, or returned what is no key.

    Its words may hold secrets, so they stay in it.
    """


class KeyRefused(SignInFailed):
    """The key is the one again that the server has just refused; there is no need to try it."""


SignedIn = tuple[dict[str, str], str]  # headers, and a fingerprint of the key among them
ApiKey = str | Callable[[], str] | Callable[[], Awaitable[str]]


@dataclass(frozen=True, slots=True)
class Endpoint:
    """One server, for both transports.

    Attributes:
        url: Where a turn is POSTed and a socket is opened; ``http://`` or ``https://``.
        api_key: A key, or a callable that returns one, or None for servers without keys.
        headers: Sent with every dial and every POST.
        proxy: What is between here and there.
        ssl_context: Whom to trust and as whom to appear, for the server and for a proxy that
            speaks TLS; None for what Python trusts by itself.
    """

    url: str = field(repr=False)  # it may hold credentials
    api_key: ApiKey | None = field(default=None, repr=False)
    headers: Mapping[str, str] = field(default_factory=dict[str, str], repr=False)
    proxy: Proxy | None = None
    ssl_context: ssl.SSLContext | None = field(default=None, repr=False)

    @property
    def can_refresh(self) -> bool:
        """True if another sign-in may bring another key."""
        return callable(self.api_key)

    async def sign_in(self, refused: str = "") -> SignedIn:
        """Return the headers to send and a fingerprint of the key among them.

        Args:
            refused: The fingerprint of a key that the server does not take, if there is one.

        Raises:
            SignInFailed: The function that returns the key raised, or returned something else.
            KeyRefused: It is the refused key again.
        """
        if self.api_key is None:
            return dict(self.headers), ""
        try:
            key = await self._key()
        except SignInFailed:
            raise
        except Exception as error:
            raise SignInFailed(f"the api_key function raised {type(error).__name__}") from error
        if not isinstance(key, str):
            raise SignInFailed(f"the api_key function returned a {type(key).__name__}, not text")
        if not fits_header(key):
            raise SignInFailed("the api_key function returned a key with a line break; strip it")
        fingerprint = _fingerprint(key)
        if fingerprint == refused:
            raise KeyRefused("the key is the one again that the server refused")
        return {"Authorization": f"Bearer {key}", **self.headers}, fingerprint

    def url_for(self, asked: Post | Fetch) -> str:
        """Return where to ask; stored responses: docs/protocol/http.md#fetching-a-response."""
        if isinstance(asked, Post):
            return self.url
        parts = urlsplit(self.url)
        query = [parts.query] if parts.query else []
        if asked.streamed:
            query.append("stream=true")
            if asked.starting_after is not None:
                query.append(f"starting_after={asked.starting_after}")
        path = f"{parts.path}/{quote(asked.response_id, safe='')}"
        return urlunsplit(parts._replace(path=path, query="&".join(query)))

    async def _key(self) -> object:
        key = self.api_key() if callable(self.api_key) else self.api_key
        return await key if inspect.isawaitable(key) else key


def fits_header(text: str) -> bool:
    """Say whether a text can be sent as the value of a header."""
    return _BREAKS.isdisjoint(text)


def _fingerprint(key: str) -> str:
    return blake2b(key.encode(), digest_size=8).hexdigest()
