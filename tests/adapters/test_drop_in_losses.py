"""A socket that is lost: recovered while nobody has seen output, else an error, never an end."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import openai
import pytest

import turnwire.httpx2
from adapters.drop_in_calls import ASK, events_in, opened, output_text, report, text_of
from turnwire.testing import (
    Gate,
    Peer,
    Turns,
    abort,
    answer,
    call,
    close,
    completed,
    drop,
    emit,
    error,
    say,
    wait,
)

if TYPE_CHECKING:
    from types import ModuleType

    from turnwire.testing import Step

    Way = tuple[ModuleType, bool]

pytestmark = pytest.mark.io

HI: list[Step] = [answer("Hello world")]
EARLY: dict[str, list[Step]] = {
    "at once": [drop()],
    "accepted": [answer("Hello"), drop(after="response.created")],
    "reset": [answer("Hello"), abort(after="response.created")],
    "closed": [answer("Hello"), close(1001, after="response.in_progress")],
    "closed normally": [answer("Hello"), close(1000, after="response.in_progress")],
}
ONCE: dict[str, Any] = {"transport": "websocket", "replay": "never"}


@pytest.mark.parametrize("steps", EARLY.values(), ids=EARLY)
async def test_what_the_sdk_tries_again_itself_is_left_to_it(
    way: Way, steps: list[Step], theirs: ModuleType
) -> None:
    async with Peer(Turns(steps, HI)) as peer, opened(way, peer) as calls:
        with pytest.raises(theirs.ReadError):
            await calls.ask()
        assert peer.model_runs <= 1
        assert output_text(await calls.ask()) == "Hello world"


@pytest.mark.parametrize("steps", EARLY.values(), ids=EARLY)
async def test_before_output_a_loss_is_not_noticed(way: Way, steps: list[Step]) -> None:
    async with Peer(Turns(steps, HI)) as peer, opened(way, peer, replay="safe") as calls:
        response = await calls.ask()
        assert output_text(response) == "Hello world"
        assert (report(response).model_runs, len(peer.connections)) == (2, 2)


@pytest.mark.parametrize("steps", EARLY.values(), ids=EARLY)
async def test_before_output_a_stream_begins_again(way: Way, steps: list[Step]) -> None:
    async with Peer(Turns(steps, HI)) as peer, opened(way, peer, replay="safe") as calls:
        events = await calls.read()
        assert text_of(events) == "Hello world"
        names = [name for name, _ in events]
        assert names[-1] == "response.completed"
        assert names.count("") <= 1  # the comment, if the first beginning was seen


async def test_a_stream_that_begins_again_has_one_beginning(way: Way) -> None:
    gate = Gate()
    after = "response.in_progress"
    first: list[Step] = [answer("Hello"), drop(after=after), wait(gate, after=after)]
    async with (
        Peer(Turns(first, HI)) as peer,
        opened(way, peer) as calls,
        calls.stream() as streamed,
    ):
        assert streamed.response.status_code == 200  # by now the turn is known to run
        gate.open()
        came = b"".join([piece async for piece in streamed])
        comment, *events = events_in(came)
        assert comment == ("", {"comment": "turn.restarted"})
        assert [name for name, _ in events[:2]] == ["response.created", "response.in_progress"]
        ids = {event["response"]["id"] for _, event in events if "response" in event}
        assert ids == {"resp_2"}
        assert text_of(events) == "Hello world"
        assert report(streamed.response).model_runs == 2


async def test_what_came_before_a_loss_is_handed_out(way: Way, theirs: ModuleType) -> None:
    steps: list[Step] = [answer("Hello"), drop(after="response.created")]
    async with (
        Peer(lambda _: steps) as peer,
        opened(way, peer, **ONCE) as calls,
        calls.stream() as streamed,
    ):
        await streamed.until(b"response.created")
        with pytest.raises(theirs.ReadError):
            await anext(streamed)


async def test_what_is_held_back_is_bounded(way: Way) -> None:
    """A server that only says that it is alive is heard in the end."""
    gate = Gate()
    alive = [emit("keepalive", padding="x" * 1000) for _ in range(80)]
    async with (
        Peer(lambda _: [*alive, wait(gate), answer("Hi")]) as peer,
        opened(way, peer) as calls,
        calls.stream() as streamed,
    ):
        await streamed.until(b"keepalive")
        gate.open()
        await streamed.until(b"response.completed")


@pytest.mark.parametrize("steps", EARLY.values(), ids=EARLY)
@pytest.mark.parametrize("stream", [False, True])
async def test_a_loss_is_a_read_error(
    way: Way,
    theirs: ModuleType,
    steps: list[Step],
    stream: bool,  # noqa: FBT001
) -> None:
    async with Peer(lambda _: steps) as peer, opened(way, peer, **ONCE) as calls:
        with pytest.raises(theirs.ReadError):
            await (calls.read() if stream else calls.ask())
        assert peer.model_runs <= 1


@pytest.mark.parametrize("last", [drop, abort, lambda **how: close(1000, **how)])
async def test_after_output_a_loss_is_an_error_and_no_end(
    way: Way, theirs: ModuleType, last: Any
) -> None:
    gate = Gate()
    after = "response.output_text.delta"
    steps = [answer("Hello world"), last(after=after), wait(gate, after=after)]
    async with (
        Peer(lambda _: steps) as peer,
        opened(way, peer) as calls,
        calls.stream() as streamed,
    ):
        came = await streamed.until(b".delta")
        gate.open()
        with pytest.raises(theirs.ReadError):
            came += b"".join([piece async for piece in streamed])
        assert b'"Hello"' in came
        assert peer.model_runs == 1


async def test_a_server_that_breaks_the_rules_is_a_protocol_error(
    way: Way, theirs: ModuleType
) -> None:
    async with Peer(lambda _: [say('{"type":')]) as peer, opened(way, peer, **ONCE) as calls:
        with pytest.raises(theirs.RemoteProtocolError):
            await calls.ask()


async def test_a_message_that_is_found_too_big_in_the_middle_does_not_end_a_stream_well(
    way: Way, theirs: ModuleType
) -> None:
    steps = [answer("Hello world"), close(1009, after="response.output_text.delta")]
    async with Peer(lambda _: steps) as peer, opened(way, peer, **ONCE) as calls:
        with pytest.raises(theirs.ReadError):
            await calls.read()


@pytest.mark.parametrize("stream", [False, True])
async def test_a_turn_that_begins_again_and_is_refused_is_that_status(
    way: Way,
    stream: bool,  # noqa: FBT001
) -> None:
    script = Turns([drop()], [error("rate_limit_exceeded", 429)], HI)
    async with Peer(script) as peer, opened(way, peer, replay="safe") as calls:
        response = await calls.ask({**ASK, "stream": stream})
        assert response.status_code == 429
        assert output_text(await calls.ask()) == "Hello world"


async def test_losses_in_a_row_lead_to_http_and_it_says_so(way: Way, theirs: ModuleType) -> None:
    wrapped = theirs.MockTransport(lambda _: theirs.Response(200, json={"id": "resp_http"}))
    async with (
        Peer(lambda _: [drop()]) as peer,
        opened(way, peer, transport=wrapped) as calls,
    ):
        for _ in range(3):
            with pytest.raises(theirs.ReadError):
                await calls.ask()
        for _ in range(2):
            response = await calls.ask()
            assert response.json() == {"id": "resp_http"}
            assert report(response).transport == "http"
            assert "1006" in report(response).transport_reason
        assert len(peer.connections) == 3
        assert calls.client.turnwire.health().state == "open"


# The official SDK over a turn that began again

TEXT: list[Step] = [answer("Hello world")]
CALLED: list[Step] = [call("look_up", {"city": "Oslo"}, call_id="call_1"), completed()]


def begun(steps: list[Step], gate: Gate) -> list[Step]:
    """Lose the way once the caller has seen that the first run began."""
    after = "response.in_progress"
    return [*steps, drop(after=after), wait(gate, after=after)]


@pytest.mark.interop
@pytest.mark.parametrize("steps", [TEXT, CALLED], ids=["text", "call"])
async def test_the_sdks_streams_survive_a_second_run(steps: list[Step]) -> None:
    for helper in (False, True):
        gate = Gate()
        async with (
            Peer(Turns(begun(steps, gate), steps)) as peer,
            openai.AsyncOpenAI(
                base_url=peer.base_url, api_key="k", http_client=turnwire.httpx2.AsyncClient()
            ) as client,
        ):
            http = client.with_options(max_retries=0).responses
            seen: list[str] = []
            if helper:
                async with http.stream(**ASK) as stream:
                    gate.open()
                    seen += [event.type async for event in stream]
                    final = await stream.get_final_response()
            else:
                stream = await http.create(**ASK, stream=True)
                gate.open()
                events = [event async for event in stream]
                seen += [event.type for event in events]
                final = events[-1].response  # type: ignore[union-attr]
            assert seen.count("response.created") == 1
            assert (final.id, final.status) == ("resp_2", "completed")
            assert [item.type for item in final.output] == [
                "message" if steps is TEXT else "function_call"
            ]
            assert final.output_text == ("Hello world" if steps is TEXT else "")
            assert peer.model_runs == 2
