"""The request's timeouts, and nobody else's."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import httpx
import httpx2
import pytest

import turnwire.httpx
import turnwire.httpx2
from adapters.drop_in_calls import ASK, Calls, opened, output_text, report
from turnwire.testing import Peer, Turns, answer, drop, refuse, silence, virtual_time, wait

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from types import ModuleType

    Way = tuple[ModuleType, bool]

pytestmark = pytest.mark.io

BOTH = [(turnwire.httpx2, httpx2), (turnwire.httpx, httpx)]


@asynccontextmanager
async def busy(calls: Calls, peer: Peer) -> AsyncIterator[None]:
    """Occupy the only lane as long as the block lasts."""
    asking = asyncio.create_task(calls.ask(timeout=None))
    await peer.wait_until(lambda: len(peer.creates) == 1)
    yield
    asking.cancel()
    await asyncio.gather(asking, return_exceptions=True)


def limits(theirs: Any, **seconds: float) -> Any:
    return theirs.Timeout(None, **seconds)


@pytest.mark.parametrize(("ours", "theirs"), BOTH)
@pytest.mark.parametrize("stream", [False, True])
@virtual_time
async def test_read_is_the_longest_silence(ours: Any, theirs: Any, stream: bool) -> None:  # noqa: FBT001
    script = Turns([wait(9.0), answer("Hi")], [wait(11.0), answer("Late.")])
    async with Peer(script) as peer, opened((ours, True), peer) as calls:
        await calls.ask({**ASK, "stream": stream}, timeout=limits(theirs, read=10.0))
        with pytest.raises(theirs.ReadTimeout):
            await calls.ask({**ASK, "stream": stream}, timeout=limits(theirs, read=10.0))


@pytest.mark.parametrize(("ours", "theirs"), BOTH)
@virtual_time
async def test_read_counts_from_the_last_event(ours: Any, theirs: Any) -> None:
    middle = "response.output_text.delta"
    script = Turns(
        [answer("Hello world"), wait(9.0, after="response.created"), wait(9.0, after=middle)],
        [answer("Hello world"), silence(after=middle)],
    )
    async with Peer(script) as peer, opened((ours, True), peer) as calls:
        await calls.read(timeout=limits(theirs, read=10.0))
        async with calls.stream(timeout=limits(theirs, read=10.0)) as streamed:
            await streamed.until(b".delta")
            with pytest.raises(theirs.ReadTimeout):
                await streamed.until(b"response.completed")


@virtual_time
async def test_the_sdks_defaults_are_the_only_limits() -> None:
    script = Turns(
        [wait(590.0), answer("Slow.")],
        [answer("Slow too."), wait(590.0, after="response.created")],
        [silence()],
    )
    async with Peer(script) as peer, opened((turnwire.httpx2, True), peer) as calls:
        assert output_text(await calls.ask()) == "Slow."
        assert output_text(await calls.ask()) == "Slow too."
        began = peer.clock.now
        with pytest.raises(httpx2.ReadTimeout):
            await calls.ask()
        assert 600.0 <= peer.clock.now - began < 601.0


@virtual_time
async def test_without_timeouts_there_is_no_limit() -> None:
    async with (
        Peer(lambda _: [wait(5000.0), answer("Hi")]) as peer,
        turnwire.httpx2.AsyncTransport(ping_interval=None, max_age=None) as transport,
    ):
        request = httpx2.Request("POST", f"{peer.base_url}/responses", json=ASK)
        response = await transport.handle_async_request(request)
        assert (await response.aread()).startswith(b"{")


@pytest.mark.parametrize(("ours", "theirs"), BOTH)
@virtual_time
async def test_pool_is_how_long_a_lane_may_take(ours: Any, theirs: Any) -> None:
    options: Any = {"max_sockets": 1, "lanes": False}
    async with (
        Peer(lambda _: [silence()]) as peer,
        opened((ours, True), peer, **options) as calls,
        busy(calls, peer),
    ):
        began = peer.clock.now
        with pytest.raises(theirs.PoolTimeout):
            await calls.ask(timeout=limits(theirs, pool=3.0, connect=1.0))
        assert 3.0 <= peer.clock.now - began < 4.0


@pytest.mark.parametrize(("ours", "theirs"), BOTH)
@pytest.mark.parametrize("seconds", [{"connect": 1.0}, {"connect": 1.0, "pool": 1.0}])
@virtual_time
async def test_connect_is_how_long_a_first_socket_may_take(
    ours: Any, theirs: Any, seconds: dict[str, float]
) -> None:
    never: Any = {"transport": "websocket"}
    async with (
        Peer(handshake=silence()) as peer,
        opened((ours, True), peer, **never) as calls,
    ):
        with pytest.raises(theirs.ConnectTimeout):
            await calls.ask(timeout=limits(theirs, **seconds))
        assert peer.clock.now < 2.0


@pytest.mark.parametrize("timeout", [1.0, 5.0, 600.0])
@virtual_time
async def test_a_dial_that_hangs_leads_to_http(timeout: float) -> None:
    async with (
        Peer(handshake=silence()) as peer,
        opened((turnwire.httpx2, True), peer) as calls,
    ):
        response = await calls.ask(timeout=timeout)
        assert (output_text(response), report(response).transport) == ("Hi", "http")
        assert report(response).transport_reason.startswith("fallback: ")
        assert peer.clock.now < 5.5


@pytest.mark.parametrize("timeout", [1.0, 600.0])
@virtual_time
async def test_a_dial_that_takes_its_time_is_waited_for(timeout: float) -> None:
    async with (
        Peer(handshake=wait(0.9)) as peer,
        opened((turnwire.httpx2, True), peer) as calls,
    ):
        response = await calls.ask(timeout=timeout)
        assert (output_text(response), report(response).transport) == ("Hi", "websocket")


@virtual_time
async def test_a_dial_that_was_not_waited_for_serves_the_next() -> None:
    async with (
        Peer(handshake=wait(3.0)) as peer,
        opened((turnwire.httpx2, True), peer) as calls,
    ):
        transports = [
            report(await calls.ask(timeout=limits(httpx2, connect=2.0))).transport for _ in range(2)
        ]
        assert transports == ["http", "websocket"]
        assert (len(peer.handshakes), peer.model_runs) == (1, 2)


@pytest.mark.parametrize("door", [426, silence(), drop(), refuse(503)])
@virtual_time
async def test_sockets_are_tried_again_after_a_while(door: Any) -> None:
    doors = [door]
    async with (
        Peer(handshake=lambda _: doors[0] if doors else None) as peer,
        opened((turnwire.httpx2, True), peer) as calls,
    ):

        async def transport() -> str:
            told: str = report(await calls.ask(timeout=None)).transport
            return told

        assert [await transport() for _ in range(3)] == ["http"] * 3
        tried = len(peer.handshakes)
        doors.clear()
        peer.clock.advance(299.0)
        assert await transport() in {"http", "websocket"}
        peer.clock.advance(5.0)
        assert await transport() == "websocket"
        assert await transport() == "websocket"
        assert len(peer.handshakes) == tried + 1
        assert calls.client.turnwire.health().state == "closed"


async def test_timeouts_of_the_blocking_client(ours: Any, theirs: Any) -> None:
    script = Turns([silence()], [answer("Hello world"), silence(after=5)], [answer("Hi")])
    async with Peer(script) as peer, opened((ours, False), peer) as calls:
        with pytest.raises(theirs.ReadTimeout):
            await calls.ask(timeout=0.1)
        async with calls.stream(timeout=0.2) as streamed:
            with pytest.raises(theirs.ReadTimeout):
                await streamed.until(b"response.completed")
        assert output_text(await calls.ask()) == "Hi"
