"""What comes over a socket is what the same peer says over HTTP."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from adapters.drop_in_calls import ASK, events_in, opened, plainly
from turnwire.testing import (
    Create,
    Peer,
    answer,
    call,
    completed,
    deltas,
    emit,
    error,
    failed,
    incomplete,
    reasoning,
    say,
    terminal,
)

if TYPE_CHECKING:
    from collections.abc import Sequence
    from types import ModuleType

    from turnwire.testing import Step

    Way = tuple[ModuleType, bool]

pytestmark = pytest.mark.io

SCRIPTS: dict[str, Sequence[Step]] = {
    "text": [answer("Grüße, 世界 \u2028 \n \r\n \x85")],
    "calls": [
        call("look_up", {"city": "Ålesund"}, call_id="call_1"),
        call("look_up", '{ "city": "Bø" }', call_id="call_2"),
    ],
    "reasoning": [reasoning("Hm.", encrypted_content="e"), answer("Hi")],
    "incomplete": [answer("Half"), incomplete("max_output_tokens")],
    "failed": [answer("Half"), failed("server_error")],
    "failed at once": [failed("rate_limit_exceeded")],
    "unknown events": [emit("codex.rate_limits", left=1), answer("Hi"), emit("response.new", x=1)],
    "nothing": [],
    "long": [deltas(500)],
    "cancelled by the server": [answer("Half"), terminal("response.cancelled", "cancelled")],
}
MIDDLE: list[Step] = [answer("Half"), error("server_error", 500, message="No.")]


async def both(way: Way, theirs: ModuleType, steps: Sequence[Step], doing: Any) -> list[Any]:
    """Do something over HTTP and over a socket, each with a peer of its own."""

    def script(_: Create) -> Sequence[Step]:
        return steps

    async with Peer(script) as peer, plainly(theirs, peer) as calls:
        plain = await doing(calls)
    async with Peer(script) as peer, opened(way, peer) as calls:
        told = await doing(calls)
        assert (len(peer.connections), peer.posts) == (1, [])
    return [plain, told]


@pytest.mark.parametrize("steps", SCRIPTS.values(), ids=SCRIPTS)
async def test_a_response_in_one_piece(way: Way, theirs: ModuleType, steps: Sequence[Step]) -> None:
    async def ask(calls: Any) -> Any:
        response = await calls.ask()
        kind = response.headers["content-type"].partition(";")[0]
        return response.status_code, kind, response.json()

    plain, told = await both(way, theirs, steps, ask)
    assert told == plain
    assert plain[:2] == (200, "application/json")


@pytest.mark.parametrize("steps", [*SCRIPTS.values(), MIDDLE], ids=[*SCRIPTS, "error"])
async def test_a_response_as_a_stream(way: Way, theirs: ModuleType, steps: Sequence[Step]) -> None:
    async def ask(calls: Any) -> Any:
        async with calls.stream() as streamed:
            kind = streamed.response.headers["content-type"].partition(";")[0]
            events = events_in(b"".join([piece async for piece in streamed]))
            return streamed.response.status_code, kind, events

    plain, told = await both(way, theirs, steps, ask)
    assert told == plain
    assert plain[:2] == (200, "text/event-stream")


async def test_an_error_in_the_middle_is_the_status_if_nothing_was_streamed(
    way: Way, theirs: ModuleType
) -> None:
    async def ask(calls: Any) -> Any:
        response = await calls.ask()
        said = {name: value for name, value in response.json()["error"].items() if value}
        return response.status_code, said

    plain, told = await both(way, theirs, MIDDLE, ask)
    assert told == plain


@pytest.mark.parametrize("stream", [False, True])
async def test_what_the_terminal_event_left_out_is_there(way: Way, stream: bool) -> None:  # noqa: FBT001
    steps = [reasoning("Hm."), answer("Hi"), completed([])]
    async with Peer(lambda _: steps) as peer, opened(way, peer) as calls:
        whole = (await calls.ask()).json()
        response = (await calls.read())[-1][1]["response"] if stream else whole
    assert [item["type"] for item in response["output"]] == ["reasoning", "message"]
    assert (response["status"], response["id"]) == ("completed", "resp_2" if stream else "resp_1")


async def test_line_breaks_between_tokens_do_not_break_the_stream(way: Way) -> None:
    odd = say('{"type":\n"response.odd",\r\n"text":"a\\nb"}')
    async with Peer(lambda _: [odd, answer("Hi")]) as peer, opened(way, peer) as calls:
        events = await calls.read()
    assert ("response.odd", {"type": "response.odd", "text": "a\nb"}) in events
    assert events[-1][0] == "response.completed"


async def test_an_answer_says_how_it_travelled(way: Way) -> None:
    async with Peer() as peer, opened(way, peer) as calls:
        response = await calls.ask()
        told = response.extensions["turnwire"]
        assert response.headers["x-turnwire-transport"] == told.transport == "websocket"
        assert told.transport_reason == "preferred: WebSocket costs only what is new"
        assert (told.chain_miss, told.model_runs) == (None, 1)
        assert told.sent_bytes == told.full_bytes > 0
        assert response.http_version == "HTTP/1.1"
        assert int(response.headers["content-length"]) == len(response.content)


async def test_what_is_sent_is_what_was_asked_for(way: Way) -> None:
    body = {**ASK, "instructions": "Be brief.", "store": False, "metadata": {"input": [1]}}
    async with Peer() as peer, opened(way, peer) as calls:
        await calls.ask({**body, "stream": False})
        [create] = peer.creates
    assert create == {
        **body,
        "type": "response.create",
        "input": [{"type": "message", "role": "user", "content": "Hi"}],
    }
