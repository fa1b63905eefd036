"""Who comes in: keys that the gateway knows by their hashes alone.

A key is 32 random bytes, so that a fast hash without salt keeps it: there is nothing to guess and
nothing to look up in a table.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from aiohttp import web

from turnwire.gateway.access.limits import Allowance
from turnwire.gateway.access.owner import key_of
from turnwire.gateway.config.tables import HASH_SCHEME
from turnwire.gateway.refusal import RequestRefused

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from turnwire.gateway.config.tables import Key, Limits

    MakesAllowance = Callable[[int, Limits], Allowance]

PREFIX: Final = "tw-"  # by which people, and scanners for lost secrets, know one
_KEY_BYTES: Final = 32


def new_key() -> str:
    """Return a key that nobody can guess."""
    return PREFIX + secrets.token_urlsafe(_KEY_BYTES)


def hash_of(key: str) -> str:
    """Return what may be written down of a key."""
    digest = hashlib.sha256(key.encode("utf-8", "surrogateescape"))
    return HASH_SCHEME + digest.hexdigest()


@dataclass(frozen=True, slots=True)
class Caller:
    """Whose request it is.

    Attributes:
        name: The name of the key; empty where none are asked for.
        allowance: What it may still use.
    """

    name: str
    allowance: Allowance


CALLER: Final = web.RequestKey("caller", Caller)


class Keyring:
    """The keys that may come in; without any, everybody may.

    Args:
        keys: As they are configured.
        limits: For keys without limits of their own; without keys, for all clients together.
        allowance: Makes what a key may use of its place among the keys and its limits; this process
            alone counts if None.
    """

    def __init__(
        self, keys: Iterable[Key], limits: Limits, allowance: MakesAllowance | None = None
    ) -> None:
        allowance = allowance or _of_one_process
        self._callers = [
            (key.hash, Caller(key.name, allowance(place, key.limits or limits)))
            for place, key in enumerate(keys)
        ]
        self._anybody = Caller("", allowance(0, limits))

    @property
    def open(self) -> bool:
        """True if no key is asked for."""
        return not self._callers

    def caller(self, headers: Mapping[str, str]) -> Caller:
        """Return whose request this is.

        Raises:
            RequestRefused: With 401, if it has no key or a wrong one.
        """
        if not self._callers:
            return self._anybody
        key = key_of(headers)
        if not key:
            raise _unauthorized(
                "This gateway asks for a key. Send it as `Authorization: Bearer …`."
            )
        found: Caller | None = None
        hashed = hash_of(key)
        for known, caller in self._callers:  # to the end: the time tells nothing about the place
            if hmac.compare_digest(known, hashed):
                found = caller
        if found is None:
            raise _unauthorized(
                "This key is not known here. Check it with whoever runs this gateway."
            )
        return found


def _of_one_process(place: int, limits: Limits) -> Allowance:  # noqa: ARG001
    return Allowance(limits)


def _unauthorized(message: str) -> RequestRefused:
    return RequestRefused(
        message,
        status=401,
        code="invalid_api_key",
        headers={"WWW-Authenticate": "Bearer"},
    )
