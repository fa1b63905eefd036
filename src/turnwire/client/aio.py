"""The client for asyncio."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal, TypeVar, Unpack, overload

from turnwire.client.as_types import create_reader
from turnwire.client.chain import AsyncChain, Ways
from turnwire.client.options import ClientOptions, config_of
from turnwire.client.params import TurnParams, encode_input
from turnwire.client.runtime import Runtime
from turnwire.client.tools import Toolbox
from turnwire.client.turn import AsyncTurn

if TYPE_CHECKING:
    from collections.abc import Sequence
    from types import TracebackType
    from typing import Self

    from turnwire.client.params import Input
    from turnwire.client.tools import Tool
    from turnwire.core.answers import Unanswered
    from turnwire.core.breaker import Health
    from turnwire.core.history import HistoryItem
    from turnwire.core.request import Replay, Transport
    from turnwire.core.statistics import PoolStatistics
    from turnwire.events import Response

M = TypeVar("M")


class AsyncClient:
    """A client of a Responses server over WebSocket, and over HTTP where that does not work.

    It keeps up to ``max_sockets`` sockets open and puts each turn on a lane of one of them.
    Several event loops may use it: each has sockets of its own.  So has a process that was forked
    off.

    Args:
        **options: See :class:`~turnwire.ClientOptions`; ``api_key``, ``base_url``, ``timeout``
            and their like are the official SDK's.

    Raises:
        ConfigError: An option is missing, unknown or wrong.
    """

    def __init__(self, **options: Unpack[ClientOptions]) -> None:
        self._runtime = Runtime(config_of(options))
        self.responses = AsyncResponses(self._runtime)

    def chain(
        self,
        *,
        tools: Sequence[Tool] | None = None,
        transport: Transport | None = None,
        replay: Replay | None = None,
        unanswered_calls: Unanswered | None = None,
        **params: Unpack[TurnParams],
    ) -> AsyncChain:
        """Start a chain.

        Args:
            tools: Python functions, sync or async, and tools as dicts.
            transport: If other than the client's.
            replay: If other than the client's.
            unanswered_calls: If other than the client's.
            **params: Parameters of every turn: ``model``, ``instructions`` and so on.

        Raises:
            ConfigError: A tool or a parameter is wrong.
        """
        ways = Ways(transport, replay, unanswered_calls)
        return AsyncChain(self._runtime, tools, ways, params)

    def load_chain(
        self,
        dump: bytes,
        *,
        tools: Sequence[Tool] | None = None,
        transport: Transport | None = None,
        replay: Replay | None = None,
        unanswered_calls: Unanswered | None = None,
        **params: Unpack[TurnParams],
    ) -> AsyncChain:
        """Go on with a chain that was dumped, in this process or another one.

        A stored response is continued if parameters and credential are the same; otherwise the
        next turn sends everything, and ``turn.chain_miss`` says why.

        Args:
            dump: What :meth:`AsyncChain.dump` returned.
            tools: As for :meth:`chain`; functions cannot be dumped.
            transport: As for :meth:`chain`.
            replay: As for :meth:`chain`.
            unanswered_calls: As for :meth:`chain`.
            **params: As for :meth:`chain`.

        Raises:
            ConfigError: It is no dump, or a tool or a parameter is wrong.
        """
        ways = Ways(transport, replay, unanswered_calls)
        return AsyncChain(self._runtime, tools, ways, params, dump=dump)

    def health(self) -> Health:
        """Say whether WebSocket mode works, as far as is known, and when it is tried again."""
        return self._runtime.health()

    def statistics(self) -> PoolStatistics:
        """Return counters of sockets, turns and chains; they can be read after closing too."""
        return self._runtime.statistics()

    async def aclose(self) -> None:
        """Close everything; turns that run end with an error, at once.

        Sockets get one second for their goodbyes, also those of other event loops that run.  If
        this is cancelled the end goes on; whoever calls it again waits for the same end.
        """
        await self._runtime.aclose()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.aclose()


class AsyncResponses:
    """``client.responses``: single turns, with the official SDK's parameter names."""

    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime

    @overload
    async def create(
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
    async def create(
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
    async def create(
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
    ) -> AsyncTurn: ...

    async def create(
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
    ) -> Response | M | AsyncTurn:
        """Run one turn and return its response, or with ``stream=True`` the turn itself.

        Args:
            input: Text or items.
            stream: True for the turn, already started: iterate it, or use it in ``async with``.
            previous_response_id: The caller's own link to an earlier response.
            tools: Tools as dicts, or Python functions, which are described but not called.
            generate: False for a warm-up.
            transport: If other than the client's.
            timeout: Seconds from submission to the terminal event.
            replay: Whether it may be sent again after it was perhaps run; if other than the
                client's.
            as_: A pydantic model to return; see :meth:`~turnwire.AsyncTurn.get_final_response`.
            **params: See :class:`~turnwire.client.params.TurnParams`.

        Raises:
            ConfigError: An argument is wrong; nothing was sent.
            TurnwireError: See :class:`~turnwire.AsyncTurn`.
        """
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
            return await turn.submit()
        async with turn:
            return read(await turn.get_final_response())

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
    ) -> AsyncTurn:
        """Make a turn for ``async with``; arguments and errors as in :meth:`create`."""
        definitions = Toolbox(tools).definitions() if tools else None
        given: dict[str, Any] = {**params, "tools": definitions, "generate": generate}
        encoded = self._runtime.encode_params(given, transport)
        items = encode_input(input) if input is not None else None

        def turn(items: list[HistoryItem] | None) -> AsyncTurn:
            start = self._runtime.starter(
                encoded,
                items,
                transport=transport,
                timeout=timeout,
                replay=replay,
                previous_response_id=previous_response_id,
                warm_up=generate is False,
            )
            return AsyncTurn(start, lambda more, _: turn([*(items or ()), *more]))

        return turn(items)
