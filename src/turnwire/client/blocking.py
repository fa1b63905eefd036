"""The blocking client: the same engine on a background thread, the same names.

Every method here only waits for its twin in ``aio``, ``chain`` or ``turn``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, TypeVar, Unpack, overload

from turnwire.client.aio import AsyncClient
from turnwire.client.as_types import create_reader
from turnwire.client.blocking_chain import Chain, Turn
from turnwire.io.portal import Portal

if TYPE_CHECKING:
    from collections.abc import Sequence
    from types import TracebackType
    from typing import Self

    from turnwire.client.aio import AsyncResponses
    from turnwire.client.options import ClientOptions
    from turnwire.client.params import Input, TurnParams
    from turnwire.client.tools import Tool
    from turnwire.core.answers import Unanswered
    from turnwire.core.breaker import Health
    from turnwire.core.request import Replay, Transport
    from turnwire.core.statistics import PoolStatistics
    from turnwire.events import Response

M = TypeVar("M")


class Client:
    """A blocking client; threads may share it.  Options as of :class:`AsyncClient`.

    Its thread begins with the first turn.  Close it, or use it in ``with``.  A process that was
    forked off gets a thread and sockets of its own.
    """

    def __init__(self, **options: Unpack[ClientOptions]) -> None:
        self._client = AsyncClient(**options)
        self._portal = Portal(self._client.aclose)
        self.responses = Responses(self._portal, self._client.responses)

    def chain(
        self,
        *,
        tools: Sequence[Tool] | None = None,
        transport: Transport | None = None,
        replay: Replay | None = None,
        unanswered_calls: Unanswered | None = None,
        **params: Unpack[TurnParams],
    ) -> Chain:
        """Start a chain; see :meth:`AsyncClient.chain`."""
        chain = self._client.chain(
            tools=tools,
            transport=transport,
            replay=replay,
            unanswered_calls=unanswered_calls,
            **params,
        )
        return Chain(self._portal, chain)

    def load_chain(
        self,
        dump: bytes,
        *,
        tools: Sequence[Tool] | None = None,
        transport: Transport | None = None,
        replay: Replay | None = None,
        unanswered_calls: Unanswered | None = None,
        **params: Unpack[TurnParams],
    ) -> Chain:
        """Go on with a chain that was dumped; see :meth:`AsyncClient.load_chain`."""
        chain = self._client.load_chain(
            dump,
            tools=tools,
            transport=transport,
            replay=replay,
            unanswered_calls=unanswered_calls,
            **params,
        )
        return Chain(self._portal, chain)

    def health(self) -> Health:
        """Say whether WebSocket mode works; see :meth:`AsyncClient.health`."""
        return self._portal.look(self._client.health)

    def statistics(self) -> PoolStatistics:
        """Return counters of sockets, turns and chains; they can be read after closing too."""
        return self._portal.look(self._client.statistics)

    def close(self) -> None:
        """Close everything and end the thread; turns that run end with an error, at once.

        Sockets get one second for their goodbyes, and so do functions of yours that still run in
        threads: nobody can stop those, and Python waits for them when the process ends.
        """
        self._portal.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


class Responses:
    """``client.responses``, blocking; see :class:`AsyncResponses`."""

    def __init__(self, portal: Portal, responses: AsyncResponses) -> None:
        self._portal = portal
        self._responses = responses

    @overload
    def create(
        self,
        *,
        input: Input | None = None,
        stream: Literal[False] = False,
        previous_response_id: str | None = None,
        tools: Sequence[Tool] | None = None,
        generate: bool | None = None,
        transport: Transport | None = None,
        timeout: float | None = None,
        replay: Replay | None = None,
        **params: Unpack[TurnParams],
    ) -> Response: ...

    @overload
    def create(
        self,
        *,
        input: Input | None = None,
        stream: Literal[False] = False,
        previous_response_id: str | None = None,
        tools: Sequence[Tool] | None = None,
        generate: bool | None = None,
        transport: Transport | None = None,
        timeout: float | None = None,
        replay: Replay | None = None,
        as_: type[M],
        **params: Unpack[TurnParams],
    ) -> M: ...

    @overload
    def create(
        self,
        *,
        input: Input | None = None,
        stream: Literal[True],
        previous_response_id: str | None = None,
        tools: Sequence[Tool] | None = None,
        generate: bool | None = None,
        transport: Transport | None = None,
        timeout: float | None = None,
        replay: Replay | None = None,
        **params: Unpack[TurnParams],
    ) -> Turn: ...

    def create(
        self,
        *,
        input: Input | None = None,  # noqa: A002  # the SDK's name
        stream: bool = False,
        previous_response_id: str | None = None,
        tools: Sequence[Tool] | None = None,
        generate: bool | None = None,
        transport: Transport | None = None,
        timeout: float | None = None,
        replay: Replay | None = None,
        as_: type[M] | None = None,
        **params: Unpack[TurnParams],
    ) -> Response | M | Turn:
        """Run one turn; see :meth:`AsyncResponses.create`."""
        read = create_reader(as_, stream=stream)
        turn = self.stream(
            input=input,
            previous_response_id=previous_response_id,
            tools=tools,
            generate=generate,
            transport=transport,
            timeout=timeout,
            replay=replay,
            **params,
        )
        if stream:
            return turn.submit()
        try:
            return read(turn.get_final_response())  # begins it and waits, so that nothing piles up
        finally:
            turn.close()

    def stream(
        self,
        *,
        input: Input | None = None,  # noqa: A002  # the SDK's name
        previous_response_id: str | None = None,
        tools: Sequence[Tool] | None = None,
        generate: bool | None = None,
        transport: Transport | None = None,
        timeout: float | None = None,
        replay: Replay | None = None,
        **params: Unpack[TurnParams],
    ) -> Turn:
        """Make a turn for ``with``; see :meth:`AsyncResponses.stream`."""
        turn = self._responses.stream(
            input=input,
            previous_response_id=previous_response_id,
            tools=tools,
            generate=generate,
            transport=transport,
            timeout=timeout,
            replay=replay,
            **params,
        )
        return Turn(self._portal, turn)
