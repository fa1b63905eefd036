"""Wrong arguments: refused before anything is sent, in words that say what to do."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

import httpx2
import pytest

from turnwire import AsyncClient, Client, ConfigError, PoolStatistics, connect
from turnwire.testing import Peer

if TYPE_CHECKING:
    from tests.client.conftest import Open

pytestmark = pytest.mark.io

CYCLE: list[Any] = []
CYCLE.append(CYCLE)


def add(a: int, b: int) -> int:
    """Add two numbers."""
    return a + b


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"modle": "m"}, "`modle` is not a parameter of `response.create`; did you mean `model`?"),
        ({"max_tokens": 5}, "`max_tokens` is not a parameter"),
        ({"zzz": 1}, "to send it anyway use `extra_body"),
        ({"stream_id": "a"}, "turnwire chooses lanes"),
        ({"background": True}, "use the official SDK"),
        ({"type": "response.create"}, "it is added for you"),
        ({"extra_body": {"stream_id": "a"}}, "turnwire chooses lanes"),
        ({"extra_body": {"input": "a"}}, "an argument of its own"),
        ({"extra_body": {"previous_response_id": "a"}}, "an argument of its own"),
        ({"extra_headers": {"X-Mine": "a"}}, "give `default_headers` to the client"),
        ({"extra_query": {"a": "b"}}, "put the query into the client's `base_url`"),
        ({"max_retries": 2}, "it belongs to the client"),
        ({"text_format": dict}, "give `text="),
        ({"starting_after": 5}, "resumed by `resume=True` of the client"),
        ({"extra_body": {"stream": True}}, "`stream` cannot be given here"),
        ({"extra_body": [("a", 1)]}, "`extra_body` must be a dict"),
        ({"extra_body": {1: 2}}, "`extra_body` must be a dict"),
        ({"temperature": object()}, "a parameter cannot be sent as JSON"),
        ({"metadata": {"a": CYCLE}}, "contains itself"),
        ({"user": "\ud800"}, "a parameter cannot be sent as JSON"),
        ({"transport": "smoke"}, "'websocket' or 'http'"),
        ({"transport": ""}, "'websocket' or 'http'"),
        ({"timeout": "5"}, "`timeout` must be a number of seconds, not str"),
        ({"timeout": True}, "not bool"),
        ({"timeout": httpx2.Timeout(5)}, "not Timeout"),
        ({"timeout": 0}, "must be a number of seconds above 0, not 0"),
        ({"timeout": -1.5}, "above 0, not -1.5"),
        ({"timeout": float("nan")}, "above 0, not nan"),
        ({"timeout": float("inf")}, "above 0, not inf"),
        ({"generate": False, "transport": "http"}, "only exists on a WebSocket"),
        ({"input": {"role": "user"}}, "put a single item into a list"),
        ({"input": b"text"}, "must be text or a list of items, not bytes"),
        ({"input": 5}, "must be text or a list of items, not int"),
        ({"input": (item for item in ())}, "not generator"),
        ({"input": [("user", "hi")]}, r"`input\[0\]` cannot be sent: .* not tuple"),
        ({"input": ["a"]}, r"`input\[0\]` cannot be sent: .* not str"),
        ({"input": [{"role": "user"}, None]}, r"`input\[1\]` cannot be sent: .* not NoneType"),
        ({"input": [{"role": "user", "content": object()}]}, r"`input\[0\]` .* hold a object"),
        ({"input": [CYCLE]}, r"`input\[0\]` .* contains itself"),
    ],
)
async def test_wrong_arguments(open_client: Open, arguments: dict[str, Any], words: str) -> None:
    async with Peer() as peer, open_client(peer) as client:
        with pytest.raises(ConfigError, match=words) as caught:
            await client.responses.create(**{"model": "m", "input": "x"} | arguments)
        assert isinstance(caught.value, ValueError)
        assert client.statistics() == PoolStatistics()
        # The client is as good as before.
        assert (await client.responses.create(model="m", input="x")).output_text == "x"
        assert len(peer.creates) == 1


async def test_wrong_arguments_of_a_chain(open_client: Open) -> None:
    async with Peer() as peer, open_client(peer) as client:
        with pytest.raises(ConfigError, match=r"`max_turns` cannot .* belongs to `chain\.run`"):
            client.chain(model="m", max_turns=3)
        with pytest.raises(ConfigError, match="did you mean `max_turns`"):
            await client.chain(model="m").run("x", max_turn=3)
        with pytest.raises(ConfigError, match="did you mean `model`"):
            client.chain(modle="m")
        with pytest.raises(ConfigError, match="use `warm_up`"):
            client.chain(model="m", generate=False)
        with pytest.raises(ConfigError, match="'websocket' or 'http'"):
            client.chain(model="m", transport="smoke")
        with pytest.raises(ConfigError, match="two tools"):
            client.chain(model="m", tools=[add, add])
        assert peer.connections == []


async def test_names_of_the_official_sdk_may_be_fields_of_another_server(
    open_client: Open,
) -> None:
    async with Peer() as peer, open_client(peer) as client:
        await client.responses.create(model="m", input="x", extra_body={"max_retries": 2})
        assert peer.creates[0]["max_retries"] == 2


@pytest.mark.parametrize("timeout", ["5", 0, True, float("nan")])
async def test_a_limit_of_a_chains_turn_that_is_no_number(open_client: Open, timeout: Any) -> None:
    async with Peer() as peer, open_client(peer) as client:
        chain = client.chain(model="m")
        with pytest.raises(ConfigError, match="`timeout` must be a number of seconds"):
            chain.turn("x", timeout=timeout)
        with pytest.raises(ConfigError, match="`timeout` must be a number of seconds"):
            await chain.run("x", timeout=timeout)
        assert (await chain.run("x", timeout=20)).output_text == "x"
        assert len(peer.creates) == 1


@pytest.mark.parametrize(
    "name",
    ["timeout", "dial_timeout", "first_event_timeout", "queue_timeout", "ping_interval"],
)
@pytest.mark.parametrize("value", ["5", True, 0, -1, float("nan"), float("inf"), [5]])
def test_limits_of_a_client_that_are_no_numbers(name: str, value: Any) -> None:
    for kind in (AsyncClient, Client):
        with pytest.raises(ConfigError, match=f"`{name}` must be a number of seconds"):
            kind(base_url="http://127.0.0.1:1/v1", **{name: value})


@pytest.mark.parametrize("name", ["max_sockets", "buffer_bytes", "queue_bytes"])
@pytest.mark.parametrize("value", ["5", True, 0, -1, 1.5, None])
def test_counts_of_a_client_that_are_no_numbers(name: str, value: Any) -> None:
    with pytest.raises(ConfigError, match=f"`{name}` must be"):
        AsyncClient(base_url="http://127.0.0.1:1/v1", **{name: value})


@pytest.mark.parametrize(
    "argument",
    [
        {"timeout": None},
        {"timeout": "5"},
        {"timeout": 0},
        {"ping_interval": 0},
        {"ping_interval": True},
        {"buffer_bytes": 0},
        {"buffer_bytes": "1"},
        {"url": ""},
        {"base_url": ""},
    ],
)
async def test_wrong_arguments_of_connect(argument: dict[str, Any]) -> None:
    with pytest.raises(ConfigError, match=f"{next(iter(argument))[-8:]}.* must"):
        async with connect(**{"base_url": "http://127.0.0.1:1/v1"} | argument):
            pass


async def later(_: object) -> None:
    """Nobody would await this."""


class Later:
    async def __call__(self, _: object) -> None:
        """Nor this."""


@pytest.mark.parametrize("listener", [later, Later(), partial(later), "print"])
async def test_a_listener_that_cannot_be_called(open_client: Open, listener: Any) -> None:
    async with Peer() as peer, open_client(peer) as client:
        with pytest.raises(ConfigError, match=r"`on_event` must be a (plain )?function"):
            await client.chain(model="m").run("x", on_event=listener)
        assert peer.creates == []


async def test_a_listener_of_a_connection_that_cannot_be_called() -> None:
    async with Peer() as peer, connect(base_url=peer.base_url) as connection:
        with pytest.raises(ConfigError, match="`on_event` must be a plain function"):
            connection.on_event(later)


async def test_a_tuple_of_items_and_an_empty_text_are_input(open_client: Open) -> None:
    async with Peer() as peer, open_client(peer) as client:
        await client.responses.create(model="m", input=({"role": "user", "content": "a"},))
        async with client.chain(model="m").turn("") as turn:
            await turn.get_final_response()
        empty = {"type": "message", "role": "user", "content": ""}
        assert [create["input"] for create in peer.creates] == [
            [{"role": "user", "content": "a"}],
            [empty],
        ]


async def test_items_of_the_official_sdk_are_input(open_client: Open) -> None:
    from openai.types.responses import ResponseFunctionToolCall

    given = ResponseFunctionToolCall(
        arguments="{}", call_id="c", name="f", type="function_call", status="completed"
    )
    output = {"type": "function_call_output", "call_id": "c", "output": "1"}
    async with Peer() as peer, open_client(peer) as client:
        await client.responses.create(model="m", input=[given, output])
        assert peer.creates[0]["input"] == [given.model_dump(exclude_unset=True), output]


async def test_output_is_handed_back_byte_for_byte(open_client: Open) -> None:
    async with Peer() as peer, open_client(peer) as client:
        first = await client.responses.create(model="m", input="a")
        await client.responses.create(model="m", input=[*first.output, {"role": "user"}])
        raw = first.output[0].raw
        assert raw in peer.connections[0].raw[1]
