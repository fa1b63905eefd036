"""The client for asyncio."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal, Unpack, overload

from turnwire.client.chain import AsyncChain
from turnwire.client.checking import (
    checked_choice,
    checked_count,
    checked_limit,
    checked_seconds,
    checked_transport,
)
from turnwire.client.config import Config, endpoint_of, knows_lanes
from turnwire.client.params import TurnParams, encode_input
from turnwire.client.runtime import Runtime
from turnwire.client.tools import Toolbox
from turnwire.client.turn import AsyncTurn
from turnwire.core.request import Deadlines
from turnwire.core.settings import PoolSettings

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from types import TracebackType
    from typing import Self

    from turnwire.client.params import Input
    from turnwire.client.tools import Tool
    from turnwire.core.request import Transport
    from turnwire.core.statistics import PoolStatistics
    from turnwire.events import Response
    from turnwire.io.endpoint import ApiKey


class AsyncClient:
    """A client of a Responses server over WebSocket, or HTTP.

    It keeps up to ``max_sockets`` sockets open and puts each turn on a lane of one of them.
    Belongs to the event loop and the process in which it is first used.

    Args:
        api_key: A key, or a callable or async callable that returns one at every dial and every
            POST; by default ``OPENAI_API_KEY``.  Servers given by ``base_url`` may need none: an
            empty text is no key.
        base_url: By default ``OPENAI_BASE_URL``, else the hosted service.
        organization: By default ``OPENAI_ORG_ID``.
        project: By default ``OPENAI_PROJECT_ID``.
        default_headers: Sent with every dial and every POST.
        transport: ``websocket``, or ``http`` for POST with server-sent events.
        timeout: Seconds from a turn's submission to its terminal event; None for no limit.
        dial_timeout: Seconds for a dial; also for a new connection of a POST, and for its key.
        first_event_timeout: Seconds from a turn's write to the server's first event.
        queue_timeout: Seconds that a turn waits for a lane.
        ping_interval: Seconds without any data after which a socket is pinged; after half as many
            more without any data it is lost.  None for no pings.
        max_sockets: Sockets at most.
        lanes: Whether the server knows ``stream_id``; None to find out when turns first overlap.
        buffer_bytes: How much of a turn may wait to be read before the turn fails.
        queue_bytes: How much may wait to be sent before turns are refused.
        trust_env: Whether ``HTTPS_PROXY``, ``NO_PROXY`` and their like are heeded, by both
            transports; they are read now.

    Raises:
        ConfigError: An argument is missing or wrong.
    """

    def __init__(
        self,
        *,
        api_key: ApiKey | None = None,
        base_url: str | None = None,
        organization: str | None = None,
        project: str | None = None,
        default_headers: Mapping[str, str] | None = None,
        transport: Transport = "websocket",
        timeout: float | None = None,
        dial_timeout: float = 5.0,
        first_event_timeout: float | None = 30.0,
        queue_timeout: float | None = 60.0,
        ping_interval: float | None = 20.0,
        max_sockets: int = 4,
        lanes: bool | None = None,
        buffer_bytes: int = 16 * 2**20,
        queue_bytes: int = 64 * 2**20,
        trust_env: bool = True,
    ) -> None:
        endpoint = endpoint_of(
            api_key=api_key,
            base_url=base_url,
            organization=organization,
            project=project,
            default_headers=default_headers,
            trust_env=trust_env,
        )
        if checked_choice("lanes", lanes) is None:
            lanes = knows_lanes(endpoint)
        config = Config(
            endpoint=endpoint,
            pool=PoolSettings(
                sockets=checked_count("max_sockets", max_sockets),
                lanes=lanes,
                dial=checked_seconds("dial_timeout", dial_timeout),
                queue_bytes=checked_count("queue_bytes", queue_bytes),
                deadlines=Deadlines(
                    queue=checked_limit("queue_timeout", queue_timeout),
                    first_event=checked_limit("first_event_timeout", first_event_timeout),
                    turn=checked_limit("timeout", timeout),
                ),
            ),
            transport=checked_transport(transport),
            inbox_bytes=checked_count("buffer_bytes", buffer_bytes),
            heartbeat=checked_limit("ping_interval", ping_interval),
        )
        self._runtime = Runtime(config)
        self.responses = AsyncResponses(self._runtime)

    def chain(
        self,
        *,
        tools: Sequence[Tool] | None = None,
        transport: Transport | None = None,
        **params: Unpack[TurnParams],
    ) -> AsyncChain:
        """Start a chain.

        Args:
            tools: Python functions, sync or async, and tools as dicts.
            transport: If other than the client's.
            **params: Parameters of every turn: ``model``, ``instructions`` and so on.

        Raises:
            ConfigError: A tool or a parameter is wrong.
        """
        return AsyncChain(self._runtime, tools, transport, params)

    def statistics(self) -> PoolStatistics:
        """Return counters of sockets, turns and chains; they can be read after closing too."""
        return self._runtime.statistics()

    async def aclose(self) -> None:
        """Close everything; turns that run end with an error, at once.

        Sockets get one second for their goodbyes.  If this is cancelled the end goes on; whoever
        calls it again waits for the same end.

        Raises:
            ConfigError: The client belongs to another event loop.
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
        **params: Unpack[TurnParams],
    ) -> Response: ...

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
        **params: Unpack[TurnParams],
    ) -> Response | AsyncTurn:
        """Run one turn and return its response, or with ``stream=True`` the turn itself.

        Args:
            input: Text or items.
            stream: True for the turn, already started: iterate it, or use it in ``async with``.
            previous_response_id: The caller's own link to an earlier response.
            tools: Tools as dicts, or Python functions, which are described but not called.
            generate: False for a warm-up.
            transport: If other than the client's.
            timeout: Seconds from submission to the terminal event.
            **params: See :class:`~turnwire.client.params.TurnParams`.

        Raises:
            ConfigError: An argument is wrong; nothing was sent.
            TurnwireError: See :class:`~turnwire.AsyncTurn`.
        """
        turn = self.stream(
            input=input,
            previous_response_id=previous_response_id,
            tools=tools,
            generate=generate,
            transport=transport,
            timeout=timeout,
            **params,
        )
        if stream:
            return await turn.submit()
        async with turn:
            return await turn.get_final_response()

    def stream(
        self,
        *,
        input: Input | None = None,  # noqa: A002  # the SDK's name
        previous_response_id: str | None = None,
        tools: Sequence[Tool] | None = None,
        generate: bool | None = None,
        transport: Transport | None = None,
        timeout: float | None = None,
        **params: Unpack[TurnParams],
    ) -> AsyncTurn:
        """Make a turn for ``async with``; arguments and errors as in :meth:`create`."""
        definitions = Toolbox(tools).definitions() if tools else None
        given: dict[str, Any] = {**params, "tools": definitions, "generate": generate}
        encoded = self._runtime.encode_params(given, transport)
        items = encode_input(input) if input is not None else None

        start = self._runtime.starter(
            encoded,
            items,
            transport=transport,
            timeout=timeout,
            previous_response_id=previous_response_id,
            warm_up=generate is False,
        )
        return AsyncTurn(start)
