"""Blocking chains and turns: each method waits for its twin in ``chain`` or ``turn``."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Any, TypeVar, Unpack, overload

from turnwire.client.as_types import event_reader, response_reader
from turnwire.client.blocking_steer import Steer, said
from turnwire.client.turn import has_shown_output
from turnwire.errors import TurnwireError
from turnwire.events import ResponseTextDeltaEvent

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from types import TracebackType
    from typing import Self

    from turnwire.client.chain import AsyncChain
    from turnwire.client.params import Input, TurnParams
    from turnwire.client.turn import AsyncTurn
    from turnwire.core.chain import ChainMiss
    from turnwire.core.request import Route, Transport
    from turnwire.core.statistics import ChainStatistics
    from turnwire.events import Event, Response, Usage
    from turnwire.io.portal import Portal

M = TypeVar("M")


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

    @property
    def statistics(self) -> ChainStatistics:
        """Counters of this chain's turns."""
        return self._portal.look(lambda: self._chain.statistics)

    def dump(self) -> bytes:
        """Return the chain as bytes; see :meth:`AsyncChain.dump`."""
        return self._portal.look(self._chain.dump)

    def fork(self) -> Chain:
        """Return a chain with the same past and its own future."""
        return Chain(self._portal, self._chain.fork())

    def steer(self, input: Input) -> Steer:  # noqa: A002  # the SDK's name
        """Say something to the run that another thread is in; see :meth:`AsyncChain.steer`."""
        return said(self._portal, lambda: self._chain.steer(input))

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

    @overload
    def run(
        self,
        input: Input,
        *,
        max_turns: int = 50,
        transport: Transport | None = None,
        timeout: float | None = None,
        on_event: Callable[[Event], None] | None = None,
        **params: Unpack[TurnParams],
    ) -> Response: ...

    @overload
    def run(
        self,
        input: Input,
        *,
        max_turns: int = 50,
        transport: Transport | None = None,
        timeout: float | None = None,
        on_event: Callable[[Event], None] | None = None,
        as_: type[M],
        **params: Unpack[TurnParams],
    ) -> M: ...

    def run(
        self,
        input: Input,  # noqa: A002  # the SDK's name
        *,
        max_turns: int = 50,
        transport: Transport | None = None,
        timeout: float | None = None,
        on_event: Callable[[Event], None] | None = None,
        as_: type[M] | None = None,
        **params: Unpack[TurnParams],
    ) -> Response | M:
        """Run the tool loop; see :meth:`AsyncChain.run`.

        Tools and ``on_event`` run on the client's own threads, not on the caller's.
        """
        read = response_reader(as_)
        work = self._chain.run(
            input,
            max_turns=max_turns,
            transport=transport,
            timeout=timeout,
            on_event=on_event,
            **params,
        )
        return read(self._portal.call(work))


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

    @overload
    def events(self, *, as_: type[M]) -> Iterator[M | Event]: ...

    @overload
    def events(self, *, as_: object) -> Iterator[Any]: ...

    def events(self, *, as_: object) -> Iterator[Any]:
        """Iterate the events as classes of yours; see :meth:`AsyncTurn.events`."""
        return map(event_reader(as_), self)

    def text_deltas(self) -> Iterator[str]:
        """Iterate only the text, as it comes."""
        streamed = has_shown_output(self._turn)
        for event in self:
            if type(event) is ResponseTextDeltaEvent:
                streamed = True
                yield event.delta
        if not streamed and self.response is not None and self.response.output_text:
            yield self.response.output_text

    @overload
    def get_final_response(self) -> Response: ...

    @overload
    def get_final_response(self, *, as_: type[M]) -> M: ...

    def get_final_response(self, *, as_: type[M] | None = None) -> Response | M:
        """Wait for the end and return the response; see :meth:`AsyncTurn.get_final_response`."""
        read = response_reader(as_)
        self._batch.clear()
        return read(self._portal.call(self._turn.get_final_response()))

    def steer(self, input: Input) -> Steer:  # noqa: A002  # the SDK's name
        """Say something to the turn while it runs; see :meth:`AsyncTurn.steer`."""
        return said(self._portal, lambda: self._turn.steer(input))

    @property
    def steers(self) -> list[Steer]:
        """What was said to the turn so far, in order."""
        return [Steer(self._portal, steer) for steer in self._turn.steers]

    def continue_from_partial(self, input: Input = ()) -> Turn:  # noqa: A002  # the SDK's name
        """Make a turn that goes on; see :meth:`AsyncTurn.continue_from_partial`."""
        return Turn(self._portal, self._turn.continue_from_partial(input))

    @property
    def transport(self) -> Route:
        """How the turn travels."""
        return self._turn.transport

    @property
    def transport_reason(self) -> str:
        """Why that way."""
        return self._turn.transport_reason

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
    def full_bytes(self) -> int:
        """What they would have been with the whole history each time."""
        return self._turn.full_bytes

    @property
    def resends(self) -> int:
        """How often the turn was written again."""
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
    def responses(self) -> list[Response]:
        """The turn's responses so far; see :attr:`AsyncTurn.responses`."""
        return self._turn.responses

    @property
    def has_ended(self) -> bool:
        """True once nothing more comes from the server."""
        return self._turn.has_ended

    @property
    def usage(self) -> Usage | None:
        """Tokens, once the turn has ended."""
        return self._turn.usage

    @property
    def partial(self) -> Response:
        """What has arrived so far, joined anew each time."""
        return self._portal.look(lambda: self._turn.partial)
