"""Serves a recording again: what was answered then is answered now, if the same is asked.

    async with Replay("session.jsonl") as replay:
        ...  # point a client at replay.base_url

It knows nothing of turns: a message is compared with the recorded one, and what followed on it
follows.  A client that sends something else is told so, and the test fails when it leaves the
block.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import TYPE_CHECKING, Final, Self
from urllib.parse import urlsplit

import msgspec
from aiohttp import web

from turnwire.recording import Recording, read_recording
from turnwire.recording.comparing import VOLATILE, Comparison
from turnwire.recording.expecting import Expected, ExpectedSocket, Mismatch
from turnwire.recording.http_relay import drop
from turnwire.recording.lines import Answer, Body, End, Lost, Sse
from turnwire.recording.socket_relay import MESSAGE_BYTES
from turnwire.testing.replaying import MISMATCH_STATUS, Player, error_of, passed_headers

if TYPE_CHECKING:
    import os
    from collections.abc import Collection
    from types import TracebackType

_LAST_SECONDS: Final = 1.0  # for what a client said before it left


class Replay:
    """A server that plays a recording; an async context manager on loopback, on a free port.

    The n-th upgrade is the n-th that was recorded, and an HTTP request the first one that was
    asked in the same way.  Messages are compared as JSON; headers and queries are not.

    Args:
        path: The recording, as ``turnwire record`` makes them.
        ignore: Names of further members that may differ, wherever they are; ``event_id`` and
            ``client_metadata`` always may.
        complete: Whether everything that was recorded has to happen.
        pace: How much of the recorded pauses is waited for: 0 for none of it, 1 for all.

    Attributes:
        recording: What is played.
        mismatches: What clients did otherwise, so far.

    Raises:
        ConfigError: It is no recording, or a damaged one.
        OSError: It cannot be read.
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        *,
        ignore: Collection[str] = (),
        complete: bool = True,
        pace: float = 0.0,
    ) -> None:
        self.recording: Recording = read_recording(path)
        self.mismatches: list[Mismatch] = []
        self._complete = complete
        self._pace = pace
        comparison = Comparison(
            VOLATILE.union(ignore), redacted=self.recording.header.content == "redacted"
        )
        self._expected = Expected(self.recording, comparison)
        self._players: list[Player] = []
        self._open: dict[int, web.Request] = {}
        self._runner: web.AppRunner | None = None

    @property
    def base_url(self) -> str:
        """Where to point a client: the path of the recorded server, on this machine."""
        if self._runner is None:
            raise RuntimeError("The replay does not serve yet; use `async with Replay(…)`.")
        port = self._runner.addresses[0][1]
        return f"http://127.0.0.1:{port}{urlsplit(self.recording.header.upstream).path}"

    async def __aenter__(self) -> Self:
        app = web.Application(client_max_size=MESSAGE_BYTES)
        app.router.add_route("*", "/{path:.*}", self._serve)
        self._runner = web.AppRunner(app, handler_cancellation=True, access_log=None)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0).start()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        exception: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Cut every connection off and stop.

        What clients did otherwise is noted on an exception that leaves the block.

        Raises:
            AssertionError: They did, or something that was recorded never happened.
        """
        assert self._runner is not None  # set by __aenter__
        if self._complete and exception is None and not self.mismatches:
            await self._read_the_last()
        for request in self._open.values():
            drop(request)
        await self._runner.cleanup()
        failures = list(map(str, self.mismatches))
        if self._complete and exception is None and not failures:
            begun = [player.expected for player in self._players]
            failures = list(map(str, self._expected.left(begun)))
        if not failures:
            return
        told = ["The client went another way than the recording:", *failures]
        report = "\n  ".join([*told, *self.recording.notes])
        if exception is None:
            raise AssertionError(report)
        exception.add_note(report)

    async def _read_the_last(self) -> None:
        """Wait a moment for what clients have sent without waiting for an answer."""
        with suppress(TimeoutError):
            async with asyncio.timeout(_LAST_SECONDS):
                for player in self._players:
                    await player.until_arrived()

    async def _serve(self, request: web.Request) -> web.StreamResponse:
        self._open[id(request)] = request
        try:
            if request.headers.get("Upgrade", "").strip().lower() == "websocket":
                return await self._connect(request)
            return await self._answer(request)
        finally:
            del self._open[id(request)]

    def _turn_away(self, mismatch: Mismatch) -> web.Response:
        self.mismatches.append(mismatch)
        body = msgspec.json.encode({"error": error_of(mismatch)})
        return web.Response(status=MISMATCH_STATUS, body=body, content_type="application/json")

    async def _pause(self, before: float, now: float) -> None:
        if self._pace > 0 and now > before:
            await asyncio.sleep((now - before) * self._pace)

    # HTTP

    async def _answer(self, request: web.Request) -> web.StreamResponse:
        body = await request.read()
        found = self._expected.next_exchange(request.method, request.raw_path, body)
        if isinstance(found, Mismatch):
            return self._turn_away(found)
        _, lines = found
        answer = web.StreamResponse()
        before = lines[0].line.at
        for _, line in lines[1:]:
            await self._pause(before, line.at)
            before = line.at
            match line:
                case Answer(status=status, headers=headers):
                    answer = web.StreamResponse(status=status, headers=passed_headers(headers))
                    await answer.prepare(request)
                case Sse() | Body():
                    await answer.write(line.data)
                case End():
                    await answer.write_eof()
                    return answer
                case Lost(sender="server"):
                    drop(request)
                    raise ConnectionResetError("as it was recorded")
                case _:
                    pass
        await asyncio.Event().wait()  # until the client leaves, as it did, and this is cancelled
        return answer

    # Sockets

    async def _connect(self, request: web.Request) -> web.StreamResponse:
        expected = self._expected.next_socket(request.raw_path)
        if expected is None:
            where = f"an upgrade of {request.path}"
            return self._turn_away(Mismatch(where, ["$: not recorded, or not so often"]))
        player = Player(expected, request, self._pause)
        self._players.append(player)
        answer = await player.begin()
        if answer is not None:
            return answer
        task = asyncio.create_task(player.play(self._given_for, self.mismatches))
        try:
            await asyncio.wait({task})
            task.result()
        except asyncio.CancelledError:  # the client is gone: what it said before still counts
            await asyncio.wait({task}, timeout=_LAST_SECONDS)
            raise
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
            drop(request)
        return player.websocket

    def _given_for(self, player: Player, data: bytes, *, binary: bool) -> ExpectedSocket:
        """Return the recording of the socket whose first message this is, and exchange the two."""
        given = player.expected
        if given.begins_with(data, binary=binary):
            return given
        for other in self._players:
            fits = other.is_waiting and other.expected.path == given.path
            if fits and other.expected.begins_with(data, binary=binary):
                fitting, other.expected = other.expected, given
                return fitting
        return self._expected.exchange_socket(given, data, binary=binary)
