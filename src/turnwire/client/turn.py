"""One turn, as its caller sees it."""

from __future__ import annotations

import asyncio
import weakref
from collections import deque
from typing import TYPE_CHECKING, Any, Final, TypeVar, overload

from turnwire.client.as_types import event_reader, response_reader
from turnwire.client.params import encode_input
from turnwire.client.raising import error_of
from turnwire.client.steering import AsyncSteer, encode_steer
from turnwire.client.turn_facts import TurnFacts
from turnwire.core.failure import Failure, FailureKind
from turnwire.core.history import HistoryItem, without_half_calls
from turnwire.core.signals import signal_of
from turnwire.core.turn import TurnSignal, TurnState
from turnwire.errors import ConfigError, QueueFull, TurnwireError
from turnwire.events import Response, ResponseTextDeltaEvent

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterable, Sequence
    from types import TracebackType
    from typing import Self

    from turnwire.client.params import Input
    from turnwire.client.runtime import Start
    from turnwire.core.steer import Steer
    from turnwire.events import Event
    from turnwire.io.bell import Bell
    from turnwire.io.engine import Engine
    from turnwire.io.inbox import Inbox

    # With these items behind the first ones; or, after a steer, behind the response that it ended.
    Again = Callable[[list[HistoryItem], bool], "AsyncTurn"]

M = TypeVar("M")

_CANCELLED: Final = Failure(FailureKind.CLOSED, "its caller cancelled it")


class AsyncTurn(TurnFacts):
    """A turn: iterate its events, or wait for its response; either starts it.

    Use it in ``async with``: leaving the block before the end cancels the turn, and its lane is
    drained or its socket closed before anything else uses it.  Cancelling a task that waits on a
    turn does not lose events; the turn goes on until the block is left.

    Raises (from every way of waiting):
        TurnError: The server ended the turn with an error.
        TurnInterrupted: It was cut off before its terminal event, or cancelled; ``partial`` has
            what came.
        TransportError: The server could not be reached, or not in time.
        SlowConsumer: Events were not read and filled their buffer.
    """

    def __init__(self, start: Start, again: Again) -> None:
        self._start = start
        self._again = again
        self._engine: Engine | None = None
        self._is_unseen = True
        self._response: Response | None = None
        self._steers: list[AsyncSteer] = []

    async def submit(self) -> Self:
        """Start the turn, once; ``async with`` and every way of waiting do this for you.

        Raises:
            QueueFull: Too many bytes wait to be sent.
            ConfigError: The client is closed.
        """
        if self._turn is None:
            self._submit()
        return self

    def _submit(self) -> None:
        engine, request = self._start()
        submitted = engine.submit(request)
        if submitted is None:
            raise _queue_full(engine)
        self._engine = engine
        self._turn, self._inbox = submitted
        # A turn that nobody holds any more must not keep its lane busy.
        weakref.finalize(self, engine.abandon, self._turn.id).atexit = False

    async def __aenter__(self) -> Self:
        return await self.submit()

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        """Cancel the turn if it has not ended; takes no time, and does nothing otherwise."""
        if self._engine is None or self._turn is None:
            return
        if _is_here(self._engine):
            self._engine.cancel(self._turn.id)
        else:
            self._engine.abandon(self._turn.id)

    def __aiter__(self) -> AsyncIterator[Event]:
        return self

    async def __anext__(self) -> Event:
        inbox = self._inbox
        if inbox is None:
            await self.submit()
            inbox = self._inbox
            assert inbox is not None  # it was submitted
        while not inbox.events:
            if inbox.finish is not None:
                self._settle()
                raise StopAsyncIteration
            await self._wait_changed(inbox)
        event = inbox.events.popleft()
        inbox.size_bytes -= len(event.raw)
        if self._is_unseen:
            self._note_output((event,))
        return event

    async def _wait_changed(self, inbox: Inbox) -> None:
        assert self._engine is not None  # set together with the inbox
        self._check_here(self._engine)
        await inbox.wait_changed()

    def _check_here(self, engine: Engine) -> None:
        if not _is_here(engine):
            raise ConfigError(
                "the turn runs in another event loop, or in the process that this one was forked"
                " from; wait for it there"
            )

    def _note_output(self, events: Iterable[Event]) -> None:
        """Note whether the caller is handed output: then the turn is never sent again."""
        if any(signal_of(event) is TurnSignal.PRODUCE for event in events):
            assert self._turn is not None  # or there would be no events
            self._turn.shown, self._is_unseen = True, False

    async def next_batch(self) -> deque[Event]:
        """Return all events that have arrived, waiting for the first; empty at the end.

        Cancelling it loses no event.

        Raises:
            TurnwireError: The turn did not end well, and what came before was handed out.
        """
        batch: deque[Event] = deque()
        try:
            batch.append(await self.__anext__())
        except StopAsyncIteration:
            return batch
        assert self._inbox is not None  # the iteration checked it
        if self._is_unseen:
            self._note_output(self._inbox.events)
        batch += self._inbox.events
        self._inbox.clear()
        return batch

    @overload
    def events(self, *, as_: type[M]) -> AsyncIterator[M | Event]: ...

    @overload
    def events(self, *, as_: object) -> AsyncIterator[Any]: ...

    def events(self, *, as_: object) -> AsyncIterator[Any]:
        """Iterate the events as classes of yours, such as the official SDK's.

        Each is made when its turn comes; its ``type`` decides the class, and a field or a word
        that the class does not know stays as it came.  Events for which there is no class, and
        ``turn.restarted`` and ``turn.resumed``, are turnwire's own, so all of them come.

        Leaving the iteration early, or cancelling it, does not cancel the turn.

        Args:
            as_: A pydantic model, or a union of such by ``type``; of a union checkers of types
                infer ``Any``: say what it is where you iterate.

        Raises:
            ConfigError: ``as_`` is something else.
            TurnwireError: The turn did not end well, and what came before was handed out.
        """
        return self._read_events(event_reader(as_))

    async def _read_events(self, read: Callable[[Event], Any]) -> AsyncIterator[Any]:
        async for event in self:
            yield read(event)

    async def text_deltas(self) -> AsyncIterator[str]:
        """Iterate only the text, as it comes; other events are passed over.

        Text that was not streamed, because it came in one piece, is one piece here.

        Leaving the iteration early, or cancelling it, does not cancel the turn.

        Raises:
            TurnwireError: The turn did not end well, and what came before was handed out.
        """
        streamed = has_shown_output(self)
        async for event in self:
            if type(event) is ResponseTextDeltaEvent:
                streamed = True
                yield event.delta
        if not streamed and self._response is not None and self._response.output_text:
            yield self._response.output_text

    @overload
    async def get_final_response(self) -> Response: ...

    @overload
    async def get_final_response(self, *, as_: type[M]) -> M: ...

    async def get_final_response(self, *, as_: type[M] | None = None) -> Response | M:
        """Wait for the end and return the response; events that were not read are passed over.

        Cancelling it does not cancel the turn.

        Args:
            as_: A pydantic model to return instead of turnwire's, such as the official SDK's
                ``Response``; a field or a word that it does not know stays as it came.

        Raises:
            ConfigError: ``as_`` is no such model.
            TurnwireError: The turn did not end well.
        """
        read = response_reader(as_)
        inbox = (await self.submit())._inbox  # noqa: SLF001  # of this very object
        assert inbox is not None  # it was submitted
        while inbox.finish is None:
            inbox.clear()  # what comes after a loss is not shown twice: none of it is shown
            await self._wait_changed(inbox)
        inbox.clear()
        self._settle()
        assert self._response is not None  # or it would have raised
        return read(self._response)

    def steer(self, input: Input) -> AsyncSteer:  # noqa: A002  # the SDK's name
        """Say something to the turn while it runs; returns at once.

        The server finishes what it is writing, ends the response and begins another one that has
        heard it; the turn goes on with that one, and its events come where the first one's did.
        The successor has the settings of the first, and costs a model run of its own.
        Before the response has an id this waits; after the turn it fails.  Its fate is in what is
        returned: no failed steer ends the turn.

        Args:
            input: Text, or messages of role ``user``.

        Raises:
            TurnwireError: The turn was not started.
            ConfigError: ``input`` cannot be said to a running turn; or it runs elsewhere.
            QueueFull: Too many bytes wait to be sent.
        """
        steer = AsyncSteer(encode_steer(input))
        steer._begin(self)  # noqa: SLF001  # pyright: ignore[reportPrivateUsage]  # its other half
        return steer

    @property
    def steers(self) -> list[AsyncSteer]:
        """What was said to the turn so far, in order."""
        return self._steers.copy()

    def _say(self, steer: AsyncSteer, items: Sequence[HistoryItem]) -> tuple[Steer, Bell]:
        # For `AsyncSteer`, which is made before there is a turn to say it to.
        record = self._record
        assert self._engine is not None  # set together
        self._check_here(self._engine)
        said = self._engine.steer(record, items)
        if said is None:
            raise _queue_full(self._engine)
        self._steers.append(steer)
        return said

    def continue_from_partial(self, input: Input = ()) -> AsyncTurn:  # noqa: A002  # the SDK's name
        """Make a new turn that goes on where this one was cut off.

        It sends what this one sent, then the items that were finished, then ``input``; items that
        were cut off in the middle are left out.  On a chain it is the chain's next turn.

        Raises:
            TurnwireError: The turn was not started, or has not ended, or ended well.
            ConfigError: ``input`` cannot be sent.
        """
        record = self._record
        if record.state is not TurnState.FAILED and record.state is not TurnState.CANCELLED:
            raise TurnwireError("only a turn that was cut off can be continued; this one was not")
        finished = [HistoryItem(item) for _, item in sorted(record.snapshot.finished.items())]
        more = [*record.continued, *without_half_calls(finished), *encode_input(input)]
        return self._again(more, bool(record.responses))

    def _settle(self) -> None:
        """Keep the turn's response, or raise its error: a new one for each who waits."""
        assert self._inbox is not None  # only called once the turn has ended
        assert self._turn is not None  # set together with the inbox
        finish = self._inbox.finish
        assert finish is not None  # only called once the turn has ended
        cancelled = self._turn.state is TurnState.CANCELLED
        failure = _CANCELLED if cancelled else finish.failure
        if failure is not None:
            raise error_of(failure, self._turn, finish.response)
        self._response = finish.response


def _queue_full(engine: Engine) -> QueueFull:
    limit = engine.settings.queue_bytes
    return QueueFull(
        f"more than {limit} bytes of turns wait to be sent; wait for some to end",
        limit_bytes=limit,
    )


def failure_of(turn: AsyncTurn) -> Failure | None:
    """Return what ended a turn badly, as a value; None if nothing has."""
    inbox = turn._inbox  # noqa: SLF001  # pyright: ignore[reportPrivateUsage]
    return inbox.finish.failure if inbox is not None and inbox.finish is not None else None


async def wait_ended(turn: AsyncTurn) -> Event | None:
    """Wait for a turn's end and return its last event; none counts as shown.

    Cancelling it does not cancel the turn.
    """
    inbox = turn._inbox  # noqa: SLF001  # pyright: ignore[reportPrivateUsage]
    assert inbox is not None  # it was submitted
    while inbox.finish is None:
        inbox.clear()
        await turn._wait_changed(inbox)  # noqa: SLF001  # pyright: ignore[reportPrivateUsage]
    return inbox.events[-1] if inbox.events else None


def has_shown_output(turn: AsyncTurn) -> bool:
    """Say whether a turn's caller has been handed output; for the blocking twin."""
    return not turn._is_unseen  # noqa: SLF001  # pyright: ignore[reportPrivateUsage]


def _is_here(engine: Engine) -> bool:
    """Say whether this is the process and the event loop that an engine belongs to."""
    try:
        return not engine.forked and engine.loop is asyncio.get_running_loop()
    except RuntimeError:  # on a thread without one
        return False
