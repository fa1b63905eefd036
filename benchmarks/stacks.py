"""The stacks that are compared, each as its own documentation shows it.

A stack keeps its connection between runs.  ``burst`` returns how many events it saw; ``rollout``
returns that, and the CPU seconds of each turn.  Imports are inside, so that a worker loads only
what it measures.
"""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING, Any, Protocol

from workload import BURST, INSTRUCTIONS, MODEL, QUESTION, TOOLS, call_events, tool_output

if TYPE_CHECKING:
    from collections.abc import Callable

Rollout = tuple[int, list[float]]


class Stack(Protocol):
    async def open(self, base_url: str) -> None: ...
    async def burst(self) -> int: ...
    async def rollout(self, turns: int) -> Rollout: ...


class Timer:
    """CPU seconds between laps, of all threads of this process."""

    def __init__(self) -> None:
        self.laps: list[float] = []
        self._last = time.process_time()

    def lap(self) -> None:
        now = time.process_time()
        self.laps.append(now - self._last)
        self._last = now


class Floor:
    """aiohttp and msgspec by hand: no history, errors or recovery; a bound, not a product."""

    async def open(self, base_url: str) -> None:
        import aiohttp
        import msgspec

        import floor_events

        self._session = aiohttp.ClientSession()
        url = base_url.replace("http", "ws", 1) + "/responses"
        self._socket = await self._session.ws_connect(url, max_msg_size=0, decode_text=False)
        self._decode = floor_events.decode
        self._encode = msgspec.json.encode
        self._completed = floor_events.Completed
        self._item_done = floor_events.ItemDone

    async def burst(self) -> int:
        create = {"type": "response.create", "model": MODEL, "input": BURST}
        await self._socket.send_str(self._encode(create).decode())
        decode, completed, count = self._decode, self._completed, 0
        async for message in self._socket:
            count += 1
            if type(decode(message.data)) is completed:
                break
        return count

    async def rollout(self, turns: int) -> Rollout:
        decode, completed, item_done = self._decode, self._completed, self._item_done
        new: Any = QUESTION
        parent: str | None = None
        count = 0
        timer = Timer()
        for _ in range(turns):
            create = {
                "type": "response.create",
                "model": MODEL,
                "instructions": INSTRUCTIONS,
                "tools": TOOLS,
                "input": new,
            }
            if parent is not None:
                create["previous_response_id"] = parent
            await self._socket.send_str(self._encode(create).decode())
            async for message in self._socket:
                count += 1
                event = decode(message.data)
                if type(event) is item_done:
                    new = [tool_output(event.item.call_id)]
                elif type(event) is completed:
                    parent = event.response.id
                    break
            timer.lap()
        return count, timer.laps


class Turnwire:
    """turnwire's asynchronous client."""

    transport: Any = "websocket"

    async def open(self, base_url: str) -> None:
        import turnwire

        self._client = turnwire.AsyncClient(
            api_key="k", base_url=base_url, transport=self.transport
        )

    async def burst(self) -> int:
        count = 0
        async with self._client.responses.stream(model=MODEL, input=BURST) as turn:
            async for _ in turn:
                count += 1
            await turn.get_final_response()
        return count

    async def rollout(self, turns: int) -> Rollout:
        new: Any = QUESTION
        count = 0
        timer = Timer()
        chain = self._client.chain(model=MODEL, instructions=INSTRUCTIONS, tools=TOOLS)
        for _ in range(turns):
            async with chain.turn(new) as turn:
                async for _ in turn:
                    count += 1
                response = await turn.get_final_response()
            new = [tool_output(response.output[0].call_id)]
            timer.lap()
        return count, timer.laps


class TurnwireHttp(Turnwire):
    """The same over HTTP."""

    transport = "http"


class TurnwireSync:
    """turnwire's blocking client."""

    async def open(self, base_url: str) -> None:
        import turnwire

        self._client = turnwire.Client(api_key="k", base_url=base_url)

    async def burst(self) -> int:
        count = 0
        with self._client.responses.stream(model=MODEL, input=BURST) as turn:
            for _ in turn:
                count += 1
            turn.get_final_response()
        return count

    async def rollout(self, turns: int) -> Rollout:
        new: Any = QUESTION
        count = 0
        timer = Timer()
        chain = self._client.chain(model=MODEL, instructions=INSTRUCTIONS, tools=TOOLS)
        for _ in range(turns):
            with chain.turn(new) as turn:
                for _ in turn:
                    count += 1
                response = turn.get_final_response()
            new = [tool_output(response.output[0].call_id)]
            timer.lap()
        return count, timer.laps


class OpenaiWebsocket:
    """The official SDK's connection, chained by hand."""

    async def open(self, base_url: str) -> None:
        import openai

        client = openai.AsyncOpenAI(api_key="k", base_url=base_url)
        self._connection: Any = await client.responses.connect().enter()

    async def burst(self) -> int:
        await self._connection.response.create(model=MODEL, input=BURST)
        count = 0
        async for event in self._connection:
            count += 1
            if event.type == "response.completed":
                break
        return count

    async def rollout(self, turns: int) -> Rollout:
        new: Any = QUESTION
        link: dict[str, str] = {}
        count = 0
        timer = Timer()
        for _ in range(turns):
            await self._connection.response.create(
                model=MODEL, instructions=INSTRUCTIONS, tools=TOOLS, input=new, **link
            )
            async for event in self._connection:
                count += 1
                if event.type == "response.completed":
                    break
            link = {"previous_response_id": event.response.id}
            new = [tool_output(event.response.output[0].call_id)]
            timer.lap()
        return count, timer.laps


class OpenaiSse:
    """The official SDK over HTTP; its loop sends the full history, as its guide shows."""

    async def open(self, base_url: str) -> None:
        import openai

        self._client: Any = openai.AsyncOpenAI(api_key="k", base_url=base_url)

    async def burst(self) -> int:
        count = 0
        stream = await self._client.responses.create(model=MODEL, input=BURST, stream=True)
        async for _ in stream:
            count += 1
        return count

    async def rollout(self, turns: int) -> Rollout:
        history: list[Any] = [{"role": "user", "content": QUESTION}]
        count = 0
        timer = Timer()
        for _ in range(turns):
            stream = await self._client.responses.create(
                model=MODEL, instructions=INSTRUCTIONS, tools=TOOLS, input=history, stream=True
            )
            async for event in stream:
                count += 1
                if event.type == "response.completed":
                    history += event.response.output
            history.append(tool_output(history[-1].call_id))
            timer.lap()
        return count, timer.laps


class OpenaiHttp(OpenaiSse):
    """The official SDK over HTTP, with a history of dicts: the least that the SDK does itself."""

    async def open(self, base_url: str) -> None:
        import openai

        self._client: Any = openai.AsyncOpenAI(
            api_key="k", base_url=base_url, http_client=self._http_client()
        )

    def _http_client(self) -> Any:
        return None

    async def rollout(self, turns: int) -> Rollout:
        history: list[Any] = [{"role": "user", "content": QUESTION}]
        count = 0
        timer = Timer()
        for _ in range(turns):
            stream = await self._client.responses.create(
                model=MODEL, instructions=INSTRUCTIONS, tools=TOOLS, input=history, stream=True
            )
            async for event in stream:
                count += 1
                if event.type == "response.completed":
                    history += [item.to_dict() for item in event.response.output]
            history.append(tool_output(history[-1]["call_id"]))
            timer.lap()
        return count, timer.laps


class OpenaiDropIn(OpenaiHttp):
    """The same with one argument more."""

    def _http_client(self) -> Any:
        import turnwire.httpx2

        return turnwire.httpx2.AsyncClient()


class OpenaiOwn(OpenaiHttp):
    """The same over a transport that costs nothing: what the SDK costs by itself."""

    def _http_client(self) -> Any:
        import httpx2

        events = call_events()
        lines = [f"event: {event['type']}\ndata: {json.dumps(event)}\n\n" for event in events]
        answer = "".join(lines).encode()
        headers = {"content-type": "text/event-stream"}
        transport = httpx2.MockTransport(
            lambda _: httpx2.Response(200, headers=headers, content=answer)
        )
        return httpx2.AsyncClient(transport=transport)


STACKS: dict[str, Callable[[], Stack]] = {
    "floor": Floor,
    "turnwire": Turnwire,
    "turnwire-sync": TurnwireSync,
    "turnwire-http": TurnwireHttp,
    "openai-ws": OpenaiWebsocket,
    "openai-sse": OpenaiSse,
    "openai-own": OpenaiOwn,
    "openai-http": OpenaiHttp,
    "openai-drop-in": OpenaiDropIn,
}
