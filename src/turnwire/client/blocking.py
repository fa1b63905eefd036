"""The blocking client: the same engine on a background thread, the same names.

Every method here only waits for its twin in ``aio``, ``chain`` or ``turn``.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Any, Literal, Unpack, overload

from turnwire.client.aio import AsyncClient
from turnwire.errors import TurnwireError
from turnwire.events import ResponseTextDeltaEvent
from turnwire.io.portal import Portal

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from types import TracebackType
    from typing import Self

    from turnwire.client.aio import AsyncResponses
    from turnwire.client.chain import AsyncChain
    from turnwire.client.params import Input, TurnParams
    from turnwire.client.tools import Tool
    from turnwire.client.turn import AsyncTurn
    from turnwire.core.chain import ChainMiss
    from turnwire.core.request import Transport
    from turnwire.core.statistics import PoolStatistics
    from turnwire.events import Event, Response, Usage
    from turnwire.io.endpoint import ApiKey


class Client:
    """A blocking client; threads may share it.  Arguments as of :class:`AsyncClient`.

    Its thread begins with the first turn.  Close it, or use it in ``with``; one that was used
    belongs to its process and refuses to work after a fork.
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
        self._client = AsyncClient(
            api_key=api_key,
            base_url=base_url,
            organization=organization,
            project=project,
            default_headers=default_headers,
            transport=transport,
            timeout=timeout,
            dial_timeout=dial_timeout,
            first_event_timeout=first_event_timeout,
            queue_timeout=queue_timeout,
            ping_interval=ping_interval,
            max_sockets=max_sockets,
            lanes=lanes,
            buffer_bytes=buffer_bytes,
            queue_bytes=queue_bytes,
            trust_env=trust_env,
        )
        self._portal = Portal(self._client.aclose)
        self.responses = Responses(self._portal, self._client.responses)

    def chain(
        self,
        *,
        tools: Sequence[Tool] | None = None,
        transport: Transport | None = None,
        **params: Unpack[TurnParams],
    ) -> Chain:
        """Start a chain; see :meth:`AsyncClient.chain`."""
        return Chain(self._portal, self._client.chain(tools=tools, transport=transport, **params))

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
        **params: Unpack[TurnParams],
    ) -> Response: ...

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
        **params: Unpack[TurnParams],
    ) -> Response | Turn:
        """Run one turn; see :meth:`AsyncResponses.create`."""
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
            return turn.submit()
        with turn:
            return turn.get_final_response()

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
    ) -> Turn:
        """Make a turn for ``with``; see :meth:`AsyncResponses.stream`."""
        turn = self._responses.stream(
            input=input,
            previous_response_id=previous_response_id,
            tools=tools,
            generate=generate,
            transport=transport,
            timeout=timeout,
            **params,
        )
        return Turn(self._portal, turn)


class Chain:
    """A blocking chain; see :class:`AsyncChain`."""

    def __init__(self, portal: Portal, chain: AsyncChain) -> None:
        self._portal = portal
        self._chain = chain

    @property
    def history(self) -> list[dict[str, Any]]:
        """All items of completed turns."""
        return self._chain.history

    @property
    def previous_response_id(self) -> str | None:
        """The response that the next turn continues, or None."""
        return self._chain.previous_response_id

    @property
    def unanswered_calls(self) -> list[str]:
        """Ids of the tool calls in the history that have no output yet."""
        return self._chain.unanswered_calls

    def fork(self) -> Chain:
        """Return a chain with the same past and its own future."""
        return Chain(self._portal, self._chain.fork())

    def turn(
        self,
        input: Input | None = None,  # noqa: A002  # the SDK's name
        *,
        history: Input | None = None,
        transport: Transport | None = None,
        timeout: float | None = None,
        **params: Unpack[TurnParams],
    ) -> Turn:
        """Make the next turn; see :meth:`AsyncChain.turn`."""
        turn = self._chain.turn(
            input, history=history, transport=transport, timeout=timeout, **params
        )
        return Turn(self._portal, turn)

    def warm_up(self, input: Input = ()) -> Response:  # noqa: A002  # the SDK's name
        """Warm the server up; see :meth:`AsyncChain.warm_up`."""
        return self._portal.call(self._chain.warm_up(input))

    def run(
        self,
        input: Input,  # noqa: A002  # the SDK's name
        *,
        max_turns: int = 50,
        transport: Transport | None = None,
        timeout: float | None = None,
        on_event: Callable[[Event], None] | None = None,
        **params: Unpack[TurnParams],
    ) -> Response:
        """Run the tool loop; see :meth:`AsyncChain.run`.

        Tools and ``on_event`` run on the client's own threads, not on the caller's.
        """
        work = self._chain.run(
            input,
            max_turns=max_turns,
            transport=transport,
            timeout=timeout,
            on_event=on_event,
            **params,
        )
        return self._portal.call(work)


class Turn:
    """A blocking turn; see :class:`AsyncTurn`.

    Events cross the threads in batches: all that have arrived, at each wait.
    """

    def __init__(self, portal: Portal, turn: AsyncTurn) -> None:
        self._portal = portal
        self._turn = turn
        self._batch: deque[Event] = deque()

    def submit(self) -> Self:
        """Start the turn; ``with`` does this for you."""
        self._portal.call(self._turn.submit())
        return self

    def __enter__(self) -> Self:
        return self.submit()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Cancel the turn if it has not ended."""
        try:
            self._portal.call(self._turn.aclose())
        except TurnwireError:
            if not self._portal.closed:  # which ended the turn
                raise

    def __iter__(self) -> Iterator[Event]:
        return self

    def __next__(self) -> Event:
        if not self._batch:
            self._batch = self._portal.call(self._turn.next_batch())
        if not self._batch:
            raise StopIteration
        return self._batch.popleft()

    def next_batch(self) -> deque[Event]:
        """Return all events that have arrived, waiting for the first; empty at the end."""
        batch, self._batch = self._batch, deque()
        return batch or self._portal.call(self._turn.next_batch())

    def text_deltas(self) -> Iterator[str]:
        """Iterate only the text, as it comes."""
        for event in self:
            if type(event) is ResponseTextDeltaEvent:
                yield event.delta

    def get_final_response(self) -> Response:
        """Wait for the end and return the response; events that were not read are passed over."""
        self._batch.clear()
        return self._portal.call(self._turn.get_final_response())

    @property
    def transport(self) -> Transport:
        """How the turn travels."""
        return self._turn.transport

    @property
    def delivery(self) -> str:
        """How far the turn has come."""
        return self._turn.delivery

    @property
    def response_id(self) -> str | None:
        """The response's id, once known."""
        return self._turn.response_id

    @property
    def chain_miss(self) -> ChainMiss | None:
        """Why the whole history was sent, or None."""
        return self._turn.chain_miss

    @property
    def sent_bytes(self) -> int:
        """Bytes of JSON written for this turn."""
        return self._turn.sent_bytes

    @property
    def resends(self) -> int:
        """How often the turn was refused unread and written again."""
        return self._turn.resends

    @property
    def model_runs(self) -> int:
        """How many runs of the model this turn may have started."""
        return self._turn.model_runs

    @property
    def response(self) -> Response | None:
        """The final response, once the turn has ended well."""
        return self._turn.response

    @property
    def usage(self) -> Usage | None:
        """Tokens, once the turn has ended."""
        return self._turn.usage

    @property
    def partial(self) -> Response:
        """What has arrived so far, joined anew each time."""
        return self._portal.look(lambda: self._turn.partial)
