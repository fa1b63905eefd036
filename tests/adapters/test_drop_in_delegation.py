"""What is no create on a socket reaches the wrapped transport as the very request."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from adapters.drop_in_calls import ASK, opened, report
from turnwire.testing import Peer

if TYPE_CHECKING:
    from types import ModuleType

    Way = tuple[ModuleType, bool]

pytestmark = pytest.mark.io

NO_SERVER = "http://127.0.0.1:9/v1"
JSON = {"content-type": "application/json"}
OTHERS: dict[str, tuple[str, str, dict[str, Any]]] = {
    "retrieve": ("GET", "/responses/resp_1", {}),
    "retrieve, streamed": ("GET", "/responses/resp_1?stream=true", {}),
    "list": ("GET", "/responses", {}),
    "delete": ("DELETE", "/responses/resp_1", {}),
    "cancel": ("POST", "/responses/resp_1/cancel", {"json": {}}),
    "compact": ("POST", "/responses/compact", {"json": ASK}),
    "input tokens": ("POST", "/responses/input_tokens", {"json": ASK}),
    "chat": ("POST", "/chat/completions", {"json": {"model": "m", "messages": []}}),
    "embeddings": ("POST", "/embeddings", {"json": {"model": "m", "input": "x"}}),
    "a file": (
        "POST",
        "/files",
        {"files": {"file": ("a.txt", b"words")}, "data": {"purpose": "u"}},
    ),
    "a form": ("POST", "/responses", {"data": {"model": "m"}}),
    "compressed": (
        "POST",
        "/responses",
        {"content": b"\x1f\x8b", "headers": {**JSON, "content-encoding": "gzip"}},
    ),
    "no JSON": ("POST", "/responses", {"content": b"{", "headers": JSON}),
    "no object": ("POST", "/responses", {"content": b"[]", "headers": JSON}),
    "no UTF-8": ("POST", "/responses", {"content": b'{"input":"\xff"}', "headers": JSON}),
    "an input that is none": ("POST", "/responses", {"json": {"model": "m", "input": 7}}),
    "in the background": ("POST", "/responses", {"json": {**ASK, "background": True}}),
}


class Wrapped:
    """Answers by itself, and notes what it was asked."""

    def __init__(self, theirs: ModuleType) -> None:
        self.requests: list[Any] = []
        self.closed = 0
        outer = self

        class Transport(theirs.AsyncBaseTransport, theirs.BaseTransport):  # type: ignore[misc, name-defined]
            def handle_request(self, request: Any) -> Any:
                request.read()
                outer.requests.append(request)
                return theirs.Response(201, headers={"x-a": "b"}, content=b"told")

            async def handle_async_request(self, request: Any) -> Any:
                await request.aread()
                return self.handle_request(request)

            def close(self) -> None:
                outer.closed += 1

            async def aclose(self) -> None:
                outer.closed += 1

        self.transport = Transport()


@pytest.mark.parametrize("never", [False, True], ids=["auto", "websocket"])
@pytest.mark.parametrize("other", OTHERS.values(), ids=OTHERS)
async def test_it_is_delegated(
    way: Way,
    theirs: ModuleType,
    other: tuple[str, str, dict[str, Any]],
    never: bool,  # noqa: FBT001
) -> None:
    method, path, content = other
    wrapped = Wrapped(theirs)
    ours, is_async = way
    kind = ours.AsyncTransport if is_async else ours.Transport
    given = kind(wrapped.transport, **({"transport": "websocket"} if never else {}))
    async with opened(way, NO_SERVER, transport=given) as calls:
        request = calls.client.build_request(method, f"{NO_SERVER}{path}", **content)
        response = await calls.run(calls.client.send, request)
        assert wrapped.requests == [request]
        assert wrapped.requests[0] is request
        assert (response.status_code, response.content, response.headers["x-a"]) == (
            201,
            b"told",
            "b",
        )
        assert response.headers["x-turnwire-transport"] == report(response).transport == "http"
        assert report(response).transport_reason.startswith("delegated: ")
        assert (report(response).sent_bytes, report(response).model_runs) == (0, None)
        assert given.statistics().turns == 0
    assert wrapped.closed == 1


async def test_a_body_in_pieces_is_a_body(way: Way) -> None:
    """Some callers stream what they send; a create is small enough to be read."""
    async with Peer() as peer, opened(way, peer) as calls:

        def pieces() -> Any:
            yield b'{"model":"any",'
            yield b'"input":"Hi"}'

        async def async_pieces() -> Any:
            for piece in pieces():
                yield piece

        content: Any = async_pieces() if calls.is_async else pieces()
        response = await calls.ask(b"", content=content)
        assert report(response).transport == "websocket"
        assert peer.creates[0]["input"][0]["content"] == "Hi"


async def test_a_fallback_is_the_very_request(way: Way, theirs: ModuleType) -> None:
    wrapped = Wrapped(theirs)
    async with (
        Peer(handshake=426) as peer,
        opened(way, peer, transport=wrapped.transport) as calls,
    ):
        request = calls.client.build_request("POST", calls.url, json=ASK)
        await calls.run(calls.client.send, request)
        assert wrapped.requests[0] is request


async def test_errors_of_the_wrapped_transport_are_its_own(way: Way, theirs: ModuleType) -> None:
    def broken(_: Any) -> Any:
        raise theirs.ProxyError("Not through here.")

    wrapped = theirs.MockTransport(broken)
    async with opened(way, NO_SERVER, transport=wrapped) as calls:
        with pytest.raises(theirs.ProxyError):
            await calls.run(calls.client.get, f"{NO_SERVER}/models")


async def test_without_a_wrapped_transport_it_is_the_librarys_own(way: Way) -> None:
    async with Peer(resumes="json") as peer, opened(way, peer) as calls:
        made = (await calls.ask()).json()
        told = await calls.run(calls.client.get, f"{calls.url}/{made['id']}")
        assert told.json()["output"] == made["output"]
        assert len(peer.retrievals) == 1
        assert report(told).transport == "http"


async def test_the_query_and_the_headers_of_a_create_reach_the_server(way: Way) -> None:
    seen: list[Any] = []
    async with Peer(handshake=seen.append) as peer, opened(way, peer) as calls:
        calls.url += "?api-version=preview"
        headers = {"openai-organization": "org", "x-stainless-lang": "python", "b3": "0"}
        assert (await calls.ask(headers=headers)).status_code == 200
    [upgrade] = seen
    assert upgrade.query_string == "api-version=preview"
    assert upgrade.headers["openai-organization"] == "org"
    assert upgrade.headers["authorization"] == "Bearer sk-of-a-test"
    assert not {"X-Stainless-Lang", "B3", "Content-Length"} & set(upgrade.headers)
