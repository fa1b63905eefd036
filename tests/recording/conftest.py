from __future__ import annotations

from contextlib import AsyncExitStack, asynccontextmanager
from typing import TYPE_CHECKING, Any

import aiohttp
import pytest
from aiohttp import web

from turnwire.recording import Recorder, read_recording

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable
    from contextlib import AbstractAsyncContextManager
    from pathlib import Path

    from turnwire.recording.lines import AnyLine

    Answer = Callable[[web.Request], Awaitable[web.StreamResponse]]
    Serve = Callable[..., AbstractAsyncContextManager[str]]


class Desk:
    """Recorders of one test, and a session to talk through them."""

    def __init__(self, path: Path, session: aiohttp.ClientSession, stack: AsyncExitStack) -> None:
        self.path = path
        self.session = session
        self._stack = stack

    async def record(self, upstream: str, **options: Any) -> Recorder:
        recorder = Recorder(upstream, self.path, trust_env=False, **options)
        return await self._stack.enter_async_context(recorder)

    async def dial(
        self, recorder: Recorder, query: str = "", **options: Any
    ) -> aiohttp.ClientWebSocketResponse:
        socket = await self.session.ws_connect(
            f"{recorder.base_url}/responses{query}", autoclose=False, autoping=False, **options
        )
        self._stack.push_async_callback(socket.close)
        return socket

    def lines(self, connection: int = 1) -> list[AnyLine]:
        """Return what was written so far, but for the upgrade or the request."""
        lines = read_recording(self.path).connections[connection]
        return [numbered.line for numbered in lines[1:]]


@pytest.fixture
async def desk(tmp_path: Path) -> AsyncIterator[Desk]:
    async with AsyncExitStack() as stack:
        session = await stack.enter_async_context(aiohttp.ClientSession())
        yield Desk(tmp_path / "a.jsonl", session, stack)


@pytest.fixture
def serve() -> Serve:
    """Return how to be a server of any kind; yields its base URL."""

    @asynccontextmanager
    async def serving(answer: Answer, *, cancelling: bool = False) -> AsyncIterator[str]:
        app = web.Application(client_max_size=2**30)
        app.router.add_route("*", "/{path:.*}", answer)
        runner = web.AppRunner(app, handler_cancellation=cancelling, shutdown_timeout=0.001)
        await runner.setup()
        try:
            await web.TCPSite(runner, "127.0.0.1", 0).start()
            yield f"http://127.0.0.1:{runner.addresses[0][1]}/v1"
        finally:
            await runner.cleanup()

    return serving
