"""What a key may use: sockets, turns at once, creates and tokens a minute.

Token buckets that take the time as an argument; no clock, no task.
"""

from __future__ import annotations

import math
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal

from turnwire.gateway.config.tables import Limits
from turnwire.gateway.refusal import RequestRefused

if TYPE_CHECKING:
    from collections.abc import Generator

_MINUTE: Final = 60.0
# Nobody knows when a socket or a turn will end; this is when it is worth another try.
_SOME_SECONDS: Final = 1.0
_ROUNDING: Final = 1e-9  # so that whoever waits as long as it was told need not come again

Limited = Literal["sockets", "active_turns", "requests", "tokens"]

_WORDS: Final[dict[Limited, str]] = {
    "sockets": "The limit is {limit} open sockets. Close one, or use its lanes.",
    "active_turns": "The limit is {limit} turns at once. Wait for one to end.",
    "requests": "The limit is {limit} requests a minute. Try again in {wait} s.",
    "tokens": "The limit is {limit} tokens a minute. Try again in {wait} s.",
}


class TokenBucket:
    """Fills steadily up to its capacity; may be overdrawn, and then has to fill again first.

    Args:
        capacity: What it holds, and holds at first.
        per_second: What flows in.
    """

    def __init__(self, capacity: float, per_second: float) -> None:
        self._capacity = capacity
        self._per_second = per_second
        self._level = capacity
        self._filled = -math.inf

    def level(self, now: float) -> float:
        """Return what is in it; negative if it is overdrawn."""
        if now > self._filled:
            gained = (now - self._filled) * self._per_second
            self._level = min(self._capacity, self._level + gained)
            self._filled = now
        return self._level

    def wait(self, amount: float, now: float) -> float:
        """Return the seconds until this much is in it; 0 if it is."""
        missing = amount - self.level(now)
        return missing / self._per_second if missing > _ROUNDING else 0.0

    def take(self, amount: float, now: float) -> None:
        """Take this much, even if that overdraws it."""
        self._level = self.level(now) - amount

    @property
    def full_at(self) -> float:
        """When it will be full if nobody takes more: all there is to know of it, in one number."""
        return self._filled + (self._capacity - self._level) / self._per_second

    def fill_at(self, full_at: float, now: float) -> None:
        """Make it the bucket that will be full then."""
        self._level = self._capacity - max(0.0, full_at - now) * self._per_second
        self._filled = now


@dataclass(frozen=True, slots=True)
class OverLimit:
    """Why something has to wait.

    Attributes:
        retry_after: Seconds after which it is worth another try.
    """

    what: Limited
    limit: int
    retry_after: float

    def refusal(self) -> RequestRefused:
        """Return the refusal, with the ``Retry-After`` that clients obey."""
        wait = str(max(1, math.ceil(self.retry_after)))  # HTTP has whole seconds there
        return RequestRefused(
            _WORDS[self.what].format(limit=self.limit, wait=wait),
            status=429,
            kind="rate_limit_error",
            code="rate_limit_exceeded",
            headers={"retry-after": wait},
        )


class Allowance:
    """What is left of the limits of one key.

    Attributes:
        sockets: Open now.
        active_turns: Running now.
        limits_turns: False if turns need not be counted.
    """

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self.limits_turns: Final = limits != Limits(sockets=limits.sockets)
        self.sockets = 0
        self.active_turns = 0
        self._requests = _bucket(limits.requests_per_minute)
        self._tokens = _bucket(limits.tokens_per_minute)

    def open_socket(self) -> OverLimit | None:
        """Count a socket, or say why there may not be another one."""
        limit = self._limits.sockets
        if limit is not None and self.sockets >= limit:
            return OverLimit("sockets", limit, _SOME_SECONDS)
        self.sockets += 1
        return None

    def close_socket(self) -> None:
        """Count it no longer."""
        self.sockets -= 1

    def begin_turn(self, now: float) -> OverLimit | None:
        """Count a turn, or say what it has to wait for; what is refused costs nothing."""
        limits = self._limits
        if limits.active_turns is not None and self.active_turns >= limits.active_turns:
            return OverLimit("active_turns", limits.active_turns, _SOME_SECONDS)
        if limits.requests_per_minute is not None and (wait := self._requests.wait(1, now)):
            return OverLimit("requests", limits.requests_per_minute, wait)
        if limits.tokens_per_minute is not None and (wait := self._tokens.wait(1, now)):
            return OverLimit("tokens", limits.tokens_per_minute, wait)
        self.active_turns += 1
        self._requests.take(1, now)
        return None

    def end_turn(self, tokens: int, now: float) -> None:
        """Count it no longer, and the tokens that it took."""
        self.active_turns -= 1
        self._tokens.take(tokens, now)

    @contextmanager
    def socket(self) -> Generator[None]:
        """Count a socket while it is open.

        Raises:
            RequestRefused: With 429.
        """
        over = self.open_socket()
        if over is not None:
            raise over.refusal()
        try:
            yield
        finally:
            self.close_socket()


def _bucket(per_minute: int | None) -> TokenBucket:
    # Without a limit it is never asked; one number is as good as another.
    capacity = per_minute or 1
    return TokenBucket(capacity, capacity / _MINUTE)
