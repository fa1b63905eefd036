"""Where the server is and how to sign in: resolved anew for every dial and every POST."""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from hashlib import blake2b
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from turnwire.io.proxy import Proxy

_BREAKS = frozenset("\r\n\0")  # would end a header, or begin another one


class SignInFailed(Exception):
    """The caller's ``api_key`` function raised, or returned what is no key.

    Its words may hold secrets, so they stay in it.
    """


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
    """

    url: str = field(repr=False)  # it may hold credentials
    api_key: ApiKey | None = field(default=None, repr=False)
    headers: Mapping[str, str] = field(default_factory=dict[str, str], repr=False)
    proxy: Proxy | None = None

    async def sign_in(self) -> SignedIn:
        """Return the headers to send and a fingerprint of the key among them.

        Raises:
            SignInFailed: The function that returns the key raised, or returned something else.
        """
        if self.api_key is None:
            return dict(self.headers), ""
        try:
            key = await self._key()
        except Exception as error:
            raise SignInFailed(f"the api_key function raised {type(error).__name__}") from error
        if not isinstance(key, str):
            raise SignInFailed(f"the api_key function returned a {type(key).__name__}, not text")
        if not fits_header(key):
            raise SignInFailed("the api_key function returned a key with a line break; strip it")
        return {"Authorization": f"Bearer {key}", **self.headers}, _fingerprint(key)

    async def _key(self) -> object:
        key = self.api_key() if callable(self.api_key) else self.api_key
        return await key if inspect.isawaitable(key) else key


def fits_header(text: str) -> bool:
    """Say whether a text can be sent as the value of a header."""
    return _BREAKS.isdisjoint(text)


def _fingerprint(key: str) -> str:
    return blake2b(key.encode(), digest_size=8).hexdigest()
