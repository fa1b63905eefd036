"""One server as one credential sees it: its sockets, and the chains that it has seen."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

from turnwire.adapters.drop_in.connecting import Connecting
from turnwire.adapters.drop_in.exchange import Exchange
from turnwire.client.turn import AsyncTurn
from turnwire.core.chain_index import ChainIndex

if TYPE_CHECKING:
    from turnwire.adapters.drop_in.asked import Asked
    from turnwire.client.runtime import Runtime, Start
    from turnwire.core.chain_index import Found
    from turnwire.core.request import Replay
    from turnwire.core.request_body import Shape


class Server:
    """The sockets to one server, and its chains.

    Attributes:
        runtime: The sockets.
        users: Requests that were let in and have not ended.

    Args:
        runtime: The sockets.
        chain_bytes: How much of chains may be remembered.
        replay: The caller's policy, if there is one.
    """

    def __init__(self, runtime: Runtime, chain_bytes: int, replay: Replay | None) -> None:
        self.runtime = runtime
        self._replay: Replay | None = replay
        self.users = 0
        self._index = ChainIndex(chain_bytes)
        # Event loops of several threads may share it; and a response that is thrown away says so
        # from wherever it is collected, which may be in here.
        self._lock = threading.RLock()

    def enter(self) -> None:
        """Let a request in; whoever does that must also ``leave``."""
        with self._lock:
            self.users += 1

    def leave(self, found: Found | None = None) -> None:
        """Let a request go whose body, if it was understood, goes another way."""
        with self._lock:
            self.users -= 1
            if found is not None:
                self._index.left(found)

    def find(self, body: bytes) -> Found | None:
        """Find the chain that a body continues."""
        with self._lock:
            return self._index.find(body)

    def exchange(self, found: Found, asked: Asked) -> Exchange:
        """Make an exchange of what was found; it starts when it begins, and leaves at its end."""
        shape = found.body.shape

        def ended(well: bool) -> None:  # noqa: FBT001  # its only argument
            with self._lock:
                self.users -= 1
                (self._index.kept if well else self._index.left)(found)

        start: Start = self.runtime.starter(
            shape.params,
            found.items,
            transport=None,
            timeout=None,
            replay=self._replay or _replay_of(shape),
            chain=found.chain,
            whole=found.whole,
            previous_response_id=shape.previous_response_id,
            deadlines=asked.deadlines,
            hands_over=True,
        )
        transport = self.runtime.transport(None)
        connecting = Connecting(asked.connect, transport, self._is_connected)
        return Exchange(AsyncTurn(start, _cannot_continue), connecting, ended)

    def _is_connected(self) -> bool:
        return self.runtime.statistics().sent_bytes > 0

    @property
    def chains(self) -> int:
        """How many chains are remembered."""
        return len(self._index)

    @property
    def chain_bytes(self) -> int:
        """What they weigh."""
        return self._index.size_bytes


def _replay_of(shape: Shape) -> Replay:
    """Leave to the SDK what it tries again by itself, or there would be more runs than over HTTP.

    That is everything up to the first byte of a stream; after that nobody else can.
    """
    if not shape.streams:
        return "never"
    in_place = "conversation" in shape.params.fields  # what was said in there stays there
    return lambda cut: not (cut.delivery == "writing" or cut.hosted_tools or in_place)


def _cannot_continue(*_: object) -> AsyncTurn:
    raise AssertionError("nobody outside has the turn, so nobody continues it")
