"""LangChain's ``ChatOpenAI`` on the Responses API: tool loops as its documentation writes them."""

from __future__ import annotations

from contextlib import asynccontextmanager, contextmanager
from typing import TYPE_CHECKING, Any, Final

from langchain_core.messages import HumanMessage, SystemMessage
from langchain_core.tools import tool
from langchain_openai import ChatOpenAI
from pydantic import BaseModel

from interop.frameworks.book import Fault, task
from interop.frameworks.lab import Bench, Scenario, Told

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Iterator

    Ask = Callable[[Any, list[Any]], Awaitable[Any]]

BOOKS: Final = ("red", "green", "blue", "white", "black", "grey")
UNSTORED: Final[Any] = {"store": False, "include": ["reasoning.encrypted_content"]}


class Summary(BaseModel):
    """What is said of a book in the end."""

    book: str
    pages: int
    digest: str


@asynccontextmanager
async def chat_model(bench: Bench, **options: Any) -> AsyncIterator[ChatOpenAI]:
    """Make the model; the argument ``http_async_client`` is all that differs."""
    model = ChatOpenAI(
        **{"model": "gpt-5", **bench.server, **options},
        use_responses_api=True,
        http_async_client=bench.http_client(),
    )
    try:
        yield model
    finally:
        await model.root_async_client.close()


@contextmanager
def blocking_chat_model(bench: Bench, **options: Any) -> Iterator[ChatOpenAI]:
    """Make the model for code that is not async."""
    model = ChatOpenAI(
        **{"model": "gpt-5", **bench.server, **options},
        use_responses_api=True,
        http_client=bench.http_client(blocking=True),
    )
    try:
        yield model
    finally:
        model.root_client.close()


def reading_tool(bench: Bench) -> Any:
    """Return the tool of these scenarios, as LangChain wants it."""

    @tool
    def read_page(book: str, page: int) -> str:
        """Read a page of a book."""
        return bench.read_page(book, page)

    return read_page


def as_json(messages: list[Any]) -> list[Any]:
    """Return messages without what is random: the ids of LangChain's own runs."""
    return [
        [message.type, message.content, getattr(message, "tool_calls", None)]
        for message in messages
    ]


def text_of(message: Any) -> str:
    """Return the text of a message, in whichever version of LangChain."""
    parts = message.content if isinstance(message.content, list) else [message.content]
    return "".join(part if isinstance(part, str) else part.get("text", "") for part in parts)


# One turn, in each way that LangChain has


async def invoke(model: Any, messages: list[Any]) -> Any:
    return await model.ainvoke(messages)


async def stream(model: Any, messages: list[Any]) -> Any:
    whole = None
    async for chunk in model.astream(messages):
        whole = chunk if whole is None else whole + chunk
    return whole


# The scenarios


def _first(said: str) -> list[Any]:
    return [SystemMessage("You read books."), HumanMessage(said)]


def _reading(
    name: str,
    ask: Ask,
    said: str = task(),
    model_runs: int = 20,
    *,
    linked: bool = False,
    **options: Any,
) -> Scenario:
    async def play(bench: Bench) -> Told:
        linking = {"use_previous_response_id": True} if linked else {}
        async with chat_model(bench, **linking, **options) as model:
            read_page = reading_tool(bench)
            bound, messages = model.bind_tools([read_page]), _first(said)
            while True:
                messages.append(await ask(bound, messages))
                if not messages[-1].tool_calls:
                    return Told(text_of(messages[-1]), as_json(messages))
                messages += [await read_page.ainvoke(each) for each in messages[-1].tool_calls]

    # Who links turns sends only what is new anyway, and cannot make good for a chain that is lost.
    return Scenario(
        "langchain-openai",
        name,
        play,
        model_runs,
        continues=not linked,
        faults=tuple(fault for fault in Fault if not (linked and fault is Fault.LOST_CHAIN)),
    )


def _reading_blocking(name: str, ask: Callable[[Any, list[Any]], Any]) -> Scenario:
    def play(bench: Bench) -> Told:
        with blocking_chat_model(bench) as model:
            read_page = reading_tool(bench)
            bound, messages = model.bind_tools([read_page]), _first(task())
            while True:
                messages.append(ask(bound, messages))
                if not messages[-1].tool_calls:
                    return Told(text_of(messages[-1]), as_json(messages))
                messages += [read_page.invoke(each) for each in messages[-1].tool_calls]

    return Scenario("langchain-openai", f"{name}, sync", play)


def _invoke_blocking(model: Any, messages: list[Any]) -> Any:
    return model.invoke(messages)


def _stream_blocking(model: Any, messages: list[Any]) -> Any:
    first, *others = model.stream(messages)
    return sum(others, first)


async def structured_output(bench: Bench) -> Told:
    """Ask for an object in the end of a tool loop."""
    async with chat_model(bench) as model:
        read_page = reading_tool(bench)
        bound = model.bind_tools([read_page], response_format=Summary, strict=True)
        messages = _first(task())
        while messages[-1].type != "ai" or messages[-1].tool_calls:
            messages.append(await bound.ainvoke(messages))
            messages += [await read_page.ainvoke(each) for each in messages[-1].tool_calls]
        parsed = messages[-1].additional_kwargs["parsed"]
        return Told(text_of(messages[-1]), as_json(messages), parsed.model_dump())


async def with_structured_output(bench: Bench) -> Told:
    """Ask for an object at every turn of a talk without tools."""
    async with chat_model(bench, model="gpt-4.1") as model:
        asked = model.with_structured_output(Summary, method="json_schema", include_raw=True)
        messages: list[Any] = []
        parsed: list[Any] = []
        for book in BOOKS:
            messages.append(HumanMessage(task(0, book)))
            found = await asked.ainvoke(messages)
            messages.append(found["raw"])
            parsed.append(found["parsed"].model_dump())
        return Told(parsed, as_json(messages))


SCENARIOS: Final = [
    _reading("ainvoke", invoke),
    _reading("astream", stream),
    _reading("ainvoke, two calls at a time", invoke, task(20, in_pairs=True), model_runs=11),
    _reading("astream, two calls at a time", stream, task(20, in_pairs=True), model_runs=11),
    _reading("ainvoke, store=False", invoke, **UNSTORED),
    _reading("astream, store=False", stream, **UNSTORED),
    _reading("ainvoke, without reasoning", invoke, model="gpt-4.1"),
    _reading("ainvoke, output_version v1", invoke, output_version="v1"),
    _reading("astream, output_version v1", stream, output_version="v1"),
    _reading_blocking("invoke", _invoke_blocking),
    _reading_blocking("stream", _stream_blocking),
    Scenario("langchain-openai", "structured output of a tool loop", structured_output),
    _reading("use_previous_response_id", invoke, linked=True),
    Scenario(
        "langchain-openai",
        "with_structured_output",
        with_structured_output,
        model_runs=6,
        continues=False,
    ),
]
