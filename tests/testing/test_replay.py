"""What was recorded is answered again; what is asked otherwise is told."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import aiohttp
import msgspec
import openai
import pytest
from aiohttp import WSMsgType

import turnwire
from turnwire.gateway import Gateway
from turnwire.recording import Recorder
from turnwire.testing import (
    Create,
    Peer,
    Replay,
    Step,
    Turns,
    answer,
    call,
    close,
    drop,
    error,
    refuse,
)

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable
    from pathlib import Path

    Program = Callable[[str], Awaitable[Any]]

pytestmark = pytest.mark.io


@asynccontextmanager
async def recorded(path: Path, upstream: str, **options: Any) -> AsyncIterator[str]:
    async with Recorder(upstream, path, trust_env=False, **options) as recorder:
        yield recorder.base_url


async def twice(path: Path, upstream: Peer | Gateway, program: Program, **options: Any) -> Any:
    """Run a program against a server and against its recording; return what both returned."""
    async with recorded(path, upstream.base_url, **options) as base_url:
        first = await program(base_url)
    async with Replay(path) as replay:
        second = await program(replay.base_url)
    assert first == second
    return first


def weather(city: str) -> str:
    """Look up the weather.

    Args:
        city: Where.
    """
    return f"sunny in {city}"


def tool_then_text(create: Create) -> list[Step]:
    last = create.input[-1]
    if last.get("type") == "function_call_output":
        return [answer(f"It is {last['output']}.")]
    return [call("weather", {"city": create.text})]


def client_of(base_url: str, **options: Any) -> turnwire.AsyncClient:
    options.setdefault("transport", "websocket")
    return turnwire.AsyncClient(api_key="", base_url=base_url, trust_env=False, **options)


# Programs that do the same again


@pytest.mark.parametrize("transport", ["websocket", "http"])
async def test_a_chain_with_tools(tmp_path: Path, transport: Any) -> None:
    async def program(base_url: str) -> list[Any]:
        async with client_of(base_url, transport=transport) as client:
            chain = client.chain(model="m", tools=[weather])
            return [(await chain.run(city)).raw for city in ("Oslo", "Rome")]

    async with Peer(tool_then_text) as peer:
        first, _ = await twice(tmp_path / "a.jsonl", peer, program)
    assert peer.model_runs == 4
    assert b"sunny in Oslo" in bytes(first)


async def test_lanes_side_by_side(tmp_path: Path) -> None:
    async def program(base_url: str) -> list[str]:
        async with client_of(base_url, lanes=True, max_sockets=1) as client:
            chains = [client.chain(model="m") for _ in range(5)]
            said = []
            for turn in range(3):
                asked = (chain.run(f"{turn} of {n}") for n, chain in enumerate(chains))
                said += [response.output_text for response in await asyncio.gather(*asked)]
            return said

    async with Peer() as peer:
        said = await twice(tmp_path / "a.jsonl", peer, program)
    assert said == [f"{turn} of {n}" for turn in range(3) for n in range(5)]


async def test_a_drop_in_the_middle_of_a_chain(tmp_path: Path) -> None:
    async def program(base_url: str) -> list[str]:
        said: list[str] = []
        async with client_of(base_url) as client:
            chain = client.chain(model="m")
            for text in ("one", "two", "three"):
                try:
                    said.append((await chain.run(text)).output_text)
                except turnwire.TurnwireError as failure:
                    said.append(type(failure).__name__)
        return said

    cut: list[Step] = [answer("a b c"), drop(after="response.output_text.delta")]
    async with Peer(Turns([answer("one")], cut, then=[answer("on")])) as peer:
        said = await twice(tmp_path / "a.jsonl", peer, program)
    assert (said[0], said[2]) == ("one", "on")  # the client decides about the second
    assert len(peer.connections) > 1


@pytest.mark.parametrize(
    ("steps", "code"),
    [([close(1013, "later")], 1013), ([close(1005)], 1005), ([drop()], 1006)],
)
async def test_how_a_socket_ends(tmp_path: Path, steps: list[Step], code: int) -> None:
    async def program(base_url: str) -> tuple[int | None, str]:
        async with aiohttp.ClientSession() as session:
            socket = await session.ws_connect(f"{base_url}/responses", autoclose=False)
            await socket.send_str('{"type":"response.create","model":"m","input":"x"}')
            while (message := await socket.receive()).type is WSMsgType.TEXT:
                pass
            if message.type is not WSMsgType.CLOSE:
                return 1006, ""
            await socket.close(code=1000)
            return message.data or 1005, message.extra or ""

    async with Peer(lambda create: steps) as peer:
        seen = await twice(tmp_path / "a.jsonl", peer, program)
    assert seen[0] == code


async def test_a_refused_upgrade_and_an_error(tmp_path: Path) -> None:
    async def program(base_url: str) -> list[Any]:
        seen: list[Any] = []
        async with client_of(base_url) as client:
            for _ in range(2):
                try:
                    await client.responses.create(model="m", input="x")
                except (turnwire.DialError, turnwire.TurnError) as failure:
                    seen.append((type(failure).__name__, failure.status, dict(failure.headers)))
        for _, _, headers in seen:
            headers.pop("date", None)
        return seen

    refusals = [refuse(401, {"error": {"message": "Wrong key."}}, headers={"x-request-id": "r"})]
    script = Turns([error("invalid_prompt", 400)])
    async with Peer(script, handshake=refusals) as peer:
        seen = await twice(tmp_path / "a.jsonl", peer, program)
    assert [each[:2] for each in seen] == [("AuthenticationError", 401), ("TurnError", 400)]


async def test_a_redacted_recording_plays_as_well(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"

    async def program(base_url: str) -> list[str]:
        async with client_of(base_url) as client:
            chain = client.chain(model="m", tools=[weather], instructions="Be gentle.")
            return [(await chain.run("Oslo")).output_text, (await chain.run("Rome")).output_text]

    async with (
        Peer(tool_then_text) as peer,
        recorded(path, peer.base_url, redact_content=True) as base_url,
    ):
        said = await program(base_url)
    async with Replay(path) as replay:
        said_again = await program(replay.base_url)
    assert said == ["It is sunny in Oslo.", "It is sunny in Rome."]
    assert said_again == ["x" * len(text) for text in said]
    written = path.read_text()
    for word in ("sunny", "Oslo", "gentle"):
        assert word not in written


async def test_a_recording_with_a_key_plays_with_another_key(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"

    async def program(base_url: str, key: str) -> str:
        async with turnwire.AsyncClient(
            api_key=key, base_url=base_url, transport="websocket", trust_env=False
        ) as client:
            response = await client.responses.create(model="m", input=f"Is {key} my key?")
            return response.output_text

    async with Peer() as peer, recorded(path, peer.base_url) as base_url:
        await program(base_url, "key-of-then")
    async with Replay(path) as replay:
        assert await program(replay.base_url, "key-of-now") == "Is *** my key?"


@pytest.mark.interop
async def test_the_openai_package_gets_the_same_again(tmp_path: Path) -> None:
    async def program(base_url: str) -> list[Any]:
        seen: list[Any] = []
        async with openai.AsyncOpenAI(api_key="none", base_url=base_url, max_retries=0) as client:
            async with client.responses.connect() as connection:
                previous: Any = openai.omit
                for text in ("Hello", "And you?"):
                    await connection.response.create(
                        model="any", input=text, previous_response_id=previous
                    )
                    while True:
                        event: Any = await connection.recv()
                        seen.append(event.to_dict())
                        if event.type == "response.completed":
                            previous = event.response.id
                            break
            stream = await client.responses.create(model="any", input="WORDS 5", stream=True)
            seen += [event.to_dict() async for event in stream]
            whole = await client.responses.create(model="any", input="WORDS 6")
            models = [model.id async for model in client.models.list()]
            with pytest.raises(openai.BadRequestError) as refused:
                await client.responses.create(
                    model="any", input="x", previous_response_id="resp_none"
                )
            return [*seen, whole.to_dict(), models, refused.value.body]

    async with Gateway() as gateway:
        seen = await twice(tmp_path / "a.jsonl", gateway, program)
    assert len(seen) > 20


@pytest.mark.interop
def test_the_blocking_openai_package(tmp_path: Path) -> None:
    def program(base_url: str) -> list[Any]:
        with (
            openai.OpenAI(api_key="none", base_url=base_url, max_retries=0) as client,
            client.responses.connect() as connection,
        ):
            connection.response.create(model="any", input="Hello")
            for event in connection:
                if event.type == "response.completed":
                    return [event.to_dict()]
        raise AssertionError("no answer")

    async def run() -> None:
        async with Gateway() as gateway:
            await twice(tmp_path / "a.jsonl", gateway, lambda url: asyncio.to_thread(program, url))

    asyncio.run(run())


# Programs that do something else


async def record_hello(path: Path) -> None:
    async with Peer() as peer, recorded(path, peer.base_url) as url, client_of(url) as client:
        await client.responses.create(model="m", input="Hello", max_output_tokens=5)
        await client.responses.create(model="m", input="Hello", transport="http")


async def play(path: Path, **asked: Any) -> None:
    """Ask the replay something that it does not know."""
    async with Replay(path) as replay, client_of(replay.base_url) as client:
        with pytest.raises(turnwire.TurnError) as refused:
            await client.responses.create(**asked)
        assert (refused.value.code, refused.value.status) == ("replay_mismatch", 400)


@pytest.mark.parametrize(
    ("params", "difference"),
    [
        ({"input": "Hi"}, "$.input[0].content: recorded 5 characters, arrived 2"),
        ({"model": "other"}, '$.model: recorded "m", arrived "other"'),
        ({"max_output_tokens": 6}, "$.max_output_tokens: recorded 5, arrived 6"),
        ({"store": False}, "$.store: arrived, but was not recorded"),
    ],
)
async def test_another_question_fails_the_test(
    tmp_path: Path, params: dict[str, Any], difference: str
) -> None:
    path = tmp_path / "a.jsonl"
    await record_hello(path)
    asked: dict[str, Any] = {"model": "m", "input": "Hello", "max_output_tokens": 5, **params}
    with pytest.raises(AssertionError) as caught:
        await play(path, **asked)
    assert f"connection 1, line 4: {difference}" in str(caught.value)


async def test_another_question_over_http_fails_the_test(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    await record_hello(path)
    with pytest.raises(AssertionError, match=r"content: recorded 5 characters, arrived 2"):
        await play(path, model="m", input="Hi", transport="http")


async def test_what_never_happens_fails_the_test_unless_it_may(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    await record_hello(path)
    with pytest.raises(AssertionError) as caught:
        async with Replay(path):
            pass
    assert str(caught.value).splitlines()[1:] == [
        "  connection 1, an upgrade: $: never happened",
        "  connection 2, POST /v1/responses: $: never happened",
    ]
    async with Replay(path, complete=False):
        pass


async def test_what_is_asked_too_often_fails_the_test(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    await record_hello(path)
    statuses: list[int] = []

    async def program(replay: Replay) -> None:
        items = [{"type": "message", "role": "user", "content": "Hello"}]
        body = {"model": "m", "input": items, "stream": True}
        async with replay, aiohttp.ClientSession() as session:
            for _ in range(2):
                async with session.post(f"{replay.base_url}/responses", json=body) as answered:
                    statuses.append(answered.status)

    with pytest.raises(AssertionError, match="not recorded, or not so often"):
        await program(Replay(path))
    assert statuses == [200, 400]


async def test_what_is_wrong_is_noted_on_the_tests_own_failure(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    await record_hello(path)
    with pytest.raises(turnwire.TurnError) as caught:
        async with Replay(path) as replay, client_of(replay.base_url) as client:
            await client.responses.create(model="m", input="Hi")
    (note,) = caught.value.__notes__
    assert "The client went another way than the recording" in note


async def test_members_that_may_differ(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    await record_hello(path)
    async with (
        Replay(path, ignore={"max_output_tokens"}, complete=False) as replay,
        client_of(replay.base_url) as client,
    ):
        response = await client.responses.create(model="m", input="Hello")
    assert response.output_text == "Hello"


async def test_sockets_that_are_dialled_in_another_order(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"

    async def program(base_url: str, first: str, second: str) -> list[str]:
        url, said = f"{base_url}/responses", list[str]()
        async with (
            aiohttp.ClientSession() as session,
            session.ws_connect(url) as one,
            session.ws_connect(url) as other,
        ):
            for socket, text in ((one, first), (other, second)):
                create = {"type": "response.create", "model": "m", "input": text}
                await socket.send_json(create)
                while (event := msgspec.json.decode((await socket.receive()).data)) and (
                    event["type"] != "response.completed"
                ):
                    pass
                said.append(event["response"]["output"][0]["content"][0]["text"])
        return said

    async with Peer() as peer, recorded(path, peer.base_url) as base_url:
        assert await program(base_url, "a", "b") == ["a", "b"]
    async with Replay(path) as replay:
        assert await program(replay.base_url, "b", "a") == ["b", "a"]


async def test_the_last_message_counts_even_if_nobody_waits_for_an_answer(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"

    async def program(session: aiohttp.ClientSession, base_url: str) -> None:
        socket = await session.ws_connect(f"{base_url}/responses")
        for number in range(50):
            await socket.send_str(f'{{"type":"response.processed","response_id":"{number}"}}')

    async with Peer() as peer, recorded(path, peer.base_url) as base_url:
        async with aiohttp.ClientSession() as session:
            await program(session, base_url)
        await peer.wait_until(lambda: bool(peer.connections) and not peer.connections[0].is_open)
    async with aiohttp.ClientSession() as session, Replay(path) as replay:
        await program(session, replay.base_url)


async def test_lanes_may_overtake_each_other(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"

    async def program(base_url: str, *lanes: str) -> set[str]:
        async with (
            aiohttp.ClientSession() as session,
            session.ws_connect(f"{base_url}/responses") as socket,
        ):
            for lane in lanes:
                create = {"type": "response.create", "model": "m", "input": lane}
                await socket.send_json({**create, "stream_id": lane})
            completed: set[str] = set()
            while len(completed) < len(lanes):
                event = msgspec.json.decode((await socket.receive()).data)
                if event["type"] == "response.completed":
                    completed.add(event["stream_id"])
            return completed

    async with Peer() as peer, recorded(path, peer.base_url) as base_url:
        await program(base_url, "a", "b", "c")
    async with Replay(path) as replay:
        assert await program(replay.base_url, "c", "a", "b") == {"a", "b", "c"}


async def test_a_recording_that_was_cut_off_says_so_when_it_matters(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    await record_hello(path)
    path.write_bytes(path.read_bytes()[:-150])
    with pytest.raises(AssertionError, match=r"is cut off and was left out\."):
        async with Replay(path):
            pass


def test_it_does_not_serve_before_it_is_entered(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    asyncio.run(record_hello(path))
    with pytest.raises(RuntimeError, match="async with"):
        _ = Replay(path).base_url
