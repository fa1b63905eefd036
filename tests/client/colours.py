"""One scenario, two colours: scenarios are written for ``AsyncClient`` and run on ``Client`` too.

Each method of the wrappers runs its blocking twin on a thread, so that the peer, which lives in
the test's loop, goes on.
"""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from functools import partial
from typing import TYPE_CHECKING, Any, Self

from turnwire import AsyncClient, Backoff, Client, TurnError
from turnwire.events import ResponseTextDeltaEvent
from turnwire.testing import drop, wait

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from turnwire import Chain, Steer, Turn
    from turnwire.testing import Gate, Step

# For scenarios about errors: one socket, one try, and what went wrong is what the caller sees.
ONE_TRY: dict[str, Any] = {
    "transport": "websocket",
    "replay": "never",
    "max_retries": 0,
    "dial_backoff": Backoff(()),
}

_END = object()
_MANY = 64  # turns at once, in the scenario with the most


class Threads:
    """Where blocking calls wait."""

    def __init__(self) -> None:
        self.executor = ThreadPoolExecutor(_MANY)

    async def run(self, call: Callable[..., Any], *given: Any, **named: Any) -> Any:
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self.executor, partial(call, *given, **named))


class WrappedClient:
    def __init__(self, client: Client, threads: Threads) -> None:
        self.blocking = client
        self._threads = threads
        self.responses = WrappedResponses(client, threads)

    def chain(self, **arguments: Any) -> WrappedChain:
        return WrappedChain(self.blocking.chain(**arguments), self._threads)

    def load_chain(self, dump: bytes, **arguments: Any) -> WrappedChain:
        return WrappedChain(self.blocking.load_chain(dump, **arguments), self._threads)

    def statistics(self) -> Any:
        return self.blocking.statistics()

    def health(self) -> Any:
        return self.blocking.health()

    async def aclose(self) -> None:
        await self._threads.run(self.blocking.close)


class WrappedResponses:
    def __init__(self, client: Client, threads: Threads) -> None:
        self._responses = client.responses
        self._threads = threads

    async def create(self, **arguments: Any) -> Any:
        made = await self._threads.run(self._responses.create, **arguments)
        return WrappedTurn(made, self._threads) if arguments.get("stream") else made

    def stream(self, **arguments: Any) -> WrappedTurn:
        return WrappedTurn(self._responses.stream(**arguments), self._threads)


class WrappedChain:
    def __init__(self, chain: Chain, threads: Threads) -> None:
        self._chain = chain
        self._threads = threads

    def __getattr__(self, name: str) -> Any:
        return getattr(self._chain, name)

    def fork(self) -> WrappedChain:
        return WrappedChain(self._chain.fork(), self._threads)

    def steer(self, *given: Any) -> WrappedSteer:
        return WrappedSteer(self._chain.steer(*given), self._threads)

    def turn(self, *given: Any, **named: Any) -> WrappedTurn:
        return WrappedTurn(self._chain.turn(*given, **named), self._threads)

    async def run(self, *given: Any, **named: Any) -> Any:
        return await self._threads.run(self._chain.run, *given, **named)

    async def warm_up(self, *given: Any, **named: Any) -> Any:
        return await self._threads.run(self._chain.warm_up, *given, **named)


class WrappedTurn:
    def __init__(self, turn: Turn, threads: Threads) -> None:
        self._turn = turn
        self._threads = threads

    def __getattr__(self, name: str) -> Any:
        return getattr(self._turn, name)

    def steer(self, *given: Any) -> WrappedSteer:
        return WrappedSteer(self._turn.steer(*given), self._threads)

    def continue_from_partial(self, *given: Any) -> WrappedTurn:
        return WrappedTurn(self._turn.continue_from_partial(*given), self._threads)

    async def submit(self) -> WrappedTurn:
        await self._threads.run(self._turn.submit)
        return self

    async def __aenter__(self) -> Self:
        await self._threads.run(self._turn.__enter__)
        return self

    async def __aexit__(self, *about: object) -> None:
        await self._threads.run(self._turn.__exit__, *about)

    async def aclose(self) -> None:
        await self._threads.run(self._turn.close)

    def __aiter__(self) -> WrappedTurn:
        return self

    async def __anext__(self) -> Any:
        return await _next(self._threads, self._turn)

    def events(self, **named: Any) -> AsyncIterator[Any]:
        return self._each(self._turn.events(**named))

    def text_deltas(self) -> AsyncIterator[str]:
        return self._each(self._turn.text_deltas())

    async def _each(self, found: Any) -> AsyncIterator[Any]:
        try:
            while True:
                yield await _next(self._threads, found)
        except StopAsyncIteration:
            pass

    async def get_final_response(self, **named: Any) -> Any:
        return await self._threads.run(self._turn.get_final_response, **named)

    async def next_batch(self) -> Any:
        return await self._threads.run(self._turn.next_batch)


class WrappedSteer:
    def __init__(self, steer: Steer, threads: Threads) -> None:
        self._steer = steer
        self._threads = threads

    def __getattr__(self, name: str) -> Any:
        return getattr(self._steer, name)

    def __repr__(self) -> str:
        return repr(self._steer)

    async def wait(self) -> Any:
        return await self._threads.run(self._steer.wait)


async def _next(threads: Threads, iterator: Any) -> Any:
    # StopIteration cannot cross a future.
    found = await threads.run(next, iterator, _END)
    if found is _END:
        raise StopAsyncIteration
    return found


@asynccontextmanager
async def opened(colour: str, peer: Any, **options: Any) -> AsyncIterator[Any]:
    """Open a client of a colour, pointed at a peer or at a URL."""
    arguments = {"base_url": getattr(peer, "base_url", peer), "api_key": "key"} | options
    if colour == "async":
        async with AsyncClient(**arguments) as client:
            yield client
        return
    threads = Threads()
    wrapped = WrappedClient(Client(**arguments), threads)
    try:
        yield wrapped
    finally:
        await wrapped.aclose()
        threads.executor.shutdown()


# What many scenarios say.


def user(text: str) -> dict[str, Any]:
    return {"type": "message", "role": "user", "content": text}


def output_of(call_id: str, output: str) -> dict[str, Any]:
    return {"type": "function_call_output", "call_id": call_id, "output": output}


def message(create: dict[str, Any]) -> dict[str, Any]:
    """Return a create without what every create has."""
    return {key: value for key, value in create.items() if key not in ("type", "stream", "model")}


async def until(condition: Callable[[], bool]) -> None:
    """Wait until something holds that nobody announces; a scenario that hangs times out."""
    while not condition():  # noqa: ASYNC110  # what is waited for has no event
        await asyncio.sleep(0)


async def error_of(turn: Any) -> Any:
    """Run a turn that fails and return its error."""
    try:
        async with turn:
            response = await turn.get_final_response()
    except Exception as error:  # noqa: BLE001  # the caller compares it
        return error
    raise AssertionError(f"the turn ended well: {response}")


async def read(source: Any) -> tuple[list[Any], Any]:
    """Iterate up to the error in which it ends; return what came, and the error."""
    came = []
    try:
        async for one in source:
            came.append(one)  # noqa: PERF401  # what came before the error counts
    except Exception as error:  # noqa: BLE001  # the caller compares it
        return came, error
    raise AssertionError(f"it ended well, with {came[-1:]}")


def facts(error: TurnError) -> dict[str, Any]:
    """Return everything that a turn's error says, apart from its words and what had arrived."""
    names = ("code", "status", "type", "param", "response_id", "headers", "delivery", "retryable")
    return {name: getattr(error, name) for name in names}


def cut(after: Any, gate: Gate) -> list[Step]:
    """Lose the way after so many events, once the caller has seen some of them."""
    return [drop(after=after), wait(gate, after=after)]  # the later step comes first


async def watch(turn: Any, gate: Gate) -> tuple[str, Any]:
    """Read until output is seen, open the gate and read on; return the text and the error."""
    events = []
    async for event in turn:
        events.append(event)
        if event.type.endswith(".delta"):
            break
    gate.open()
    more, raised = await read(turn)
    texts = [event.delta for event in events + more if isinstance(event, ResponseTextDeltaEvent)]
    return "".join(texts), raised
