"""A session: its chain, and which items the server made of the answers that runners hand back."""

from __future__ import annotations

import asyncio
import logging
from hashlib import blake2b
from typing import TYPE_CHECKING, Any, Final

import msgspec

from turnwire.agent_stream.items import items_of, items_of_answer
from turnwire.agent_stream.messages import AssistantMessage
from turnwire.core.chain import ChainMiss
from turnwire.errors import TurnwireError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from turnwire.agent_stream.messages import Message
    from turnwire.agent_stream.stopping import Stop
    from turnwire.client.aio import AsyncClient
    from turnwire.client.chain import AsyncChain
    from turnwire.core.answers import Unanswered
    from turnwire.events import Item

Json = dict[str, Any]

WARM_UP_SECONDS: Final = 8.0

_log: Final = logging.getLogger("turnwire")


class Session:
    """What is kept between the streams of one session.

    Attributes:
        last_used: When a stream of it last began or ended, by the clock of its owner.
        running: Its streams that run.
        is_live: True if its last turn ended well on a socket.
        miss: Why its chain is a new one, or None.
    """

    def __init__(self, last_used: float) -> None:
        self.last_used = last_used
        self.running: set[Stop] = set()
        self.is_live = False
        self.miss: ChainMiss | None = None
        self._chain: AsyncChain | None = None
        self._warmed = False
        # What the server said, byte for byte, by the history up to and including that answer.
        self._said: dict[bytes, list[Item]] = {}

    def chain(self, client: AsyncClient, params: Json, unanswered_calls: Unanswered) -> AsyncChain:
        """Return the chain; a new one if the last turn did not end well."""
        if self._chain is None:
            self._chain = client.chain(unanswered_calls=unanswered_calls, extra_body=params)
        return self._chain

    async def warm_up(self, chain: AsyncChain) -> None:
        """Have the server read the chain's instructions and tools; once, and as far as it works."""
        if self._warmed:
            return
        self._warmed = True
        try:
            async with asyncio.timeout(WARM_UP_SECONDS):
                await chain.warm_up()
        except TimeoutError:
            _log.warning("the warm-up took more than %s s; going on without", WARM_UP_SECONDS)
        except TurnwireError as error:
            _log.warning("the warm-up failed (%s); going on without", type(error).__name__)

    def history(self, messages: Sequence[Message]) -> tuple[list[Json | Item], bytes]:
        """Return messages as items, and the digest of them all.

        Answers that were made here and come back unchanged become the very items that the server
        made; whatever was changed goes out as it is now, and the chain notices.

        Raises:
            ConfigError: A message cannot be sent.
        """
        items: list[Json | Item] = []
        digest = b""
        found: dict[bytes, list[Item]] = {}
        for message, converted in zip(messages, items_of(messages), strict=True):
            digest = _after(digest, converted)
            said = self._said.get(digest) if isinstance(message, AssistantMessage) else None
            if said is not None:
                found[digest] = said
            items += converted if said is None else said
        self._said = found  # what is not in the history any more will not come back
        return items, digest

    def completed(
        self, before: bytes, message: AssistantMessage, output: list[Item], *, on_socket: bool
    ) -> None:
        """Remember what the server said.

        Args:
            before: Digest of the history that it answered.
            message: The answer as the runner gets it.
            output: The answer as the server made it.
            on_socket: Whether it came over a socket.
        """
        self._said[_after(before, items_of_answer(message))] = output
        self.is_live, self.miss = on_socket, None

    def begin_anew(self, chain: AsyncChain) -> None:
        """Forget a chain whose turn did not end well: the next turn sends the caller's own words.

        So nothing that the server disliked in its own items, such as reasoning that it did not
        keep, can fail the next turn as well.
        """
        if self._chain is chain:
            self._chain, self.is_live = None, False
            self._said.clear()
            self.miss = ChainMiss("previous_failed")


def _after(before: bytes, items: list[Json]) -> bytes:
    """Return the digest of a history with one message more."""
    return blake2b(before + msgspec.json.encode(items), digest_size=16).digest()
