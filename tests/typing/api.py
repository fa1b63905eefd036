"""What type checkers are told about the public API; checked by mypy and pyright, never run."""

from __future__ import annotations

from collections import deque
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any, Literal, assert_type

from openai.types.responses import Response as SdkResponse
from openai.types.responses import ResponseCreatedEvent as SdkCreatedEvent
from openai.types.responses import ResponseStreamEvent

import turnwire
from turnwire import (
    AsyncChain,
    AsyncClient,
    AsyncTurn,
    Chain,
    ChainMiss,
    Client,
    Connection,
    Event,
    FunctionTool,
    OtherEvent,
    PoolStatistics,
    Response,
    Turn,
    TurnError,
    Usage,
)
from turnwire.events import (
    Item,
    ResponseCompletedEvent,
    ResponseErrorEvent,
    ResponseFunctionToolCall,
    ResponseOutputItemDoneEvent,
    ResponseTextDeltaEvent,
)


def add(a: int, b: int) -> int:
    """Add two numbers."""
    return a + b


async def look_up(name: str) -> dict[str, str]:
    """Look something up."""
    return {"name": name}


async def create(client: AsyncClient, *, stream: bool) -> None:
    assert_type(await client.responses.create(model="m", input="x"), Response)
    assert_type(await client.responses.create(model="m", input="x", stream=False), Response)
    assert_type(await client.responses.create(model="m", input="x", stream=True), AsyncTurn)
    if stream:
        assert_type(client.responses.stream(model="m", input=[{"role": "user"}]), AsyncTurn)


async def turn_of(client: AsyncClient) -> None:
    async with client.responses.stream(model="m", input="x", temperature=0.5) as turn:
        assert_type(turn, AsyncTurn)
        async for event in turn:
            assert_type(event, Event)
            narrow(event)
        assert_type(turn.text_deltas(), AsyncIterator[str])
        assert_type(await turn.next_batch(), deque[Event])
        assert_type(await turn.get_final_response(), Response)
    assert_type(await turn.submit(), AsyncTurn)
    assert_type(turn.transport, Literal["websocket", "http"])
    assert_type(turn.delivery, str)
    assert_type(turn.response_id, str | None)
    assert_type(turn.chain_miss, ChainMiss | None)
    assert_type(turn.sent_bytes, int)
    assert_type(turn.resends, int)
    assert_type(turn.model_runs, int)
    assert_type(turn.response, Response | None)
    assert_type(turn.usage, Usage | None)
    assert_type(turn.partial, Response)


async def as_other_classes(client: AsyncClient, turn: AsyncTurn, chain: AsyncChain) -> None:
    assert_type(turn.events(as_=SdkCreatedEvent), AsyncIterator[SdkCreatedEvent | Event])
    # A union is no `type`: the caller says what it is.
    assert_type(turn.events(as_=ResponseStreamEvent), AsyncIterator[Any])
    async for each in turn.events(as_=ResponseStreamEvent):
        event: ResponseStreamEvent | Event = each
        if not isinstance(event, Event) and event.type == "response.created":
            assert_type(event, SdkCreatedEvent)
    assert_type(await turn.get_final_response(as_=SdkResponse), SdkResponse)
    assert_type(await client.responses.create(model="m", as_=SdkResponse), SdkResponse)
    assert_type(await chain.run("go", as_=SdkResponse), SdkResponse)


def blocking_as_other_classes(client: Client, turn: Turn, chain: Chain) -> None:
    assert_type(turn.events(as_=SdkCreatedEvent), Iterator[SdkCreatedEvent | Event])
    assert_type(turn.events(as_=ResponseStreamEvent), Iterator[Any])
    assert_type(turn.get_final_response(as_=SdkResponse), SdkResponse)
    assert_type(client.responses.create(model="m", as_=SdkResponse), SdkResponse)
    assert_type(chain.run("go", as_=SdkResponse), SdkResponse)


def narrow(event: Event) -> str:
    if isinstance(event, ResponseTextDeltaEvent):
        return event.delta
    if isinstance(event, ResponseCompletedEvent):
        assert_type(event.response, Response)
        return event.response.output_text
    if isinstance(event, ResponseOutputItemDoneEvent):
        assert_type(event.item, Item)
        return event.item.name if isinstance(event.item, ResponseFunctionToolCall) else ""
    if isinstance(event, ResponseErrorEvent):
        return event.message or ""
    if isinstance(event, OtherEvent):
        assert_type(event.to_dict(), dict[str, Any])
    return event.type


def match(event: Event) -> str:
    match event:
        case ResponseTextDeltaEvent(delta=delta):
            assert_type(delta, str)
            return delta
        case ResponseCompletedEvent(response=response):
            assert_type(response, Response)
            return response.id
        case _:
            return event.type


async def chain_of(client: AsyncClient) -> None:
    tool = FunctionTool.from_function(add, name="sum")
    chain = client.chain(
        model="m",
        instructions="Be kind.",
        store=False,
        tools=[add, look_up, tool, {"type": "web_search"}],
        transport="http",
    )
    assert_type(chain, AsyncChain)
    assert_type(chain.fork(), AsyncChain)
    assert_type(chain.history, list[dict[str, Any]])
    assert_type(chain.previous_response_id, str | None)
    assert_type(await chain.warm_up(), Response)
    assert_type(await chain.run("go", max_turns=3, on_event=show, reasoning={}), Response)
    async with chain.turn("x", timeout=5.0, model="other") as turn:
        assert_type(turn, AsyncTurn)
    response = await chain.run([{"role": "user", "content": "x"}])
    async with chain.turn(history=[*response.output, {"role": "user"}]) as turn:
        assert_type(turn, AsyncTurn)


def show(event: Event) -> None:
    raise NotImplementedError(event.type)


async def clients() -> None:
    async with AsyncClient(api_key=lambda: "k", base_url="http://host/v1") as client:
        assert_type(client, AsyncClient)
        assert_type(client.statistics(), PoolStatistics)

    async def key() -> str:
        return "k"

    AsyncClient(api_key=key, transport="http", timeout=None, lanes=True)
    with Client(api_key="k", max_sockets=2) as blocking:
        assert_type(blocking, Client)
        assert_type(blocking.statistics(), PoolStatistics)


def blocking_create(client: Client) -> None:
    assert_type(client.responses.create(model="m", input="x"), Response)
    assert_type(client.responses.create(model="m", input="x", stream=False), Response)
    assert_type(client.responses.create(model="m", input="x", stream=True), Turn)
    with client.responses.stream(model="m", input="x") as turn:
        assert_type(turn, Turn)
        for event in turn:
            assert_type(event, Event)
        assert_type(turn.text_deltas(), Iterator[str])
        assert_type(turn.next_batch(), deque[Event])
        assert_type(turn.get_final_response(), Response)
    assert_type(turn.chain_miss, ChainMiss | None)
    assert_type(turn.usage, Usage | None)


def blocking_chain(client: Client) -> None:
    chain = client.chain(model="m", tools=[add])
    assert_type(chain, Chain)
    assert_type(chain.fork(), Chain)
    assert_type(chain.run("go", on_event=show), Response)
    assert_type(chain.warm_up("x"), Response)
    with chain.turn("x") as turn:
        assert_type(turn, Turn)


async def one_socket() -> None:
    async with turnwire.connect(api_key="k", url="wss://host/v1/responses") as connection:
        assert_type(connection, Connection)
        assert_type(connection.previous_response_id, str | None)
        assert_type(connection.is_open, bool)
        assert_type(connection.on_event(show), Callable[[], None])
        await connection.send({"type": "response.create", "model": "m"})
        assert_type(await connection.warm_up(model="m", instructions="i"), Response)
        async for event in connection:
            assert_type(event, Event)


def failed(error: TurnError) -> None:
    assert_type(error.code, str | None)
    assert_type(error.status, int | None)
    assert_type(error.headers, dict[str, str])
    assert_type(error.retryable, bool)
    assert_type(error.partial, Response | None)


def missed(miss: ChainMiss) -> str:
    """A reason that is not here would be a path without a return."""
    match miss.reason:
        case "connection_lost" | "rotated" | "credential_changed" | "evicted" | "history_changed":
            return "a"
        case "lane_taken" | "not_stored" | "nothing_new" | "parameters_changed":
            return "b"
        case "previous_failed" | "unanswered_call":
            return "c"


async def mistakes(client: AsyncClient, chain: AsyncChain) -> None:
    """Each line is an error to both checkers; an ignore that is not needed is an error too."""
    await client.responses.create(modle="m")  # type: ignore[call-overload]  # pyright: ignore[reportCallIssue, reportArgumentType]
    await client.responses.create(model=5)  # type: ignore[call-overload]  # pyright: ignore[reportCallIssue, reportArgumentType]
    await chain.run("x", on_event="f")  # type: ignore[call-overload]  # pyright: ignore[reportCallIssue, reportArgumentType]
    await chain.run("x", as_="Response")  # type: ignore[call-overload]  # pyright: ignore[reportCallIssue, reportArgumentType]
    AsyncClient(transport="smoke")  # type: ignore[arg-type]  # pyright: ignore[reportCallIssue, reportArgumentType]
    async with Client() as _:  # type: ignore[attr-defined]  # pyright: ignore[reportCallIssue, reportArgumentType]
        pass
