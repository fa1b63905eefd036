"""Performs the core's actions, reports their results, and arms one timer.

One engine belongs to one event loop.  Everything it does was decided by ``core.Pool``.
"""

from __future__ import annotations

import asyncio
import logging
import os
from typing import TYPE_CHECKING, Final

import aiohttp

from turnwire.core.actions import Action, Close, Deliver, Dial, Finish, Post, Send
from turnwire.core.failure import CloseInfo
from turnwire.core.pool import Pool
from turnwire.io.describing import describe, describe_dial
from turnwire.io.endpoint import SignInFailed
from turnwire.io.http import post
from turnwire.io.inbox import Inbox
from turnwire.io.websocket import UpgradeRefused, WebSocket, open_session

if TYPE_CHECKING:
    from collections.abc import Coroutine, Mapping

    from turnwire.core.pool_turn import PoolTurn
    from turnwire.core.request import TurnRequest
    from turnwire.core.settings import PoolSettings
    from turnwire.core.statistics import PoolStatistics
    from turnwire.io.endpoint import Endpoint, SignedIn
    from turnwire.io.refusal import Refusal

_log: Final = logging.getLogger("turnwire")
_STOPPED: Final = "its task was cancelled from outside"


class Engine:
    """The shell around a pool.

    Args:
        endpoint: The server.
        settings: The pool's limits.
        inbox_bytes: How much of a turn may wait to be read before the turn fails.
        heartbeat: Seconds without any data after which a socket is pinged, or None.
    """

    def __init__(
        self,
        endpoint: Endpoint,
        settings: PoolSettings,
        *,
        inbox_bytes: int,
        heartbeat: float | None,
    ) -> None:
        self._loop = asyncio.get_running_loop()
        self._endpoint = endpoint
        self._inbox_bytes = inbox_bytes
        self._heartbeat = heartbeat
        self._pool = Pool(settings)
        self._pid = os.getpid()
        self._inboxes: dict[int, Inbox] = {}
        self._headers: dict[int, Mapping[str, str]] = {}  # of turns that are to be POSTed
        self._sockets: dict[int, WebSocket] = {}
        self._tasks: dict[int, asyncio.Task[None]] = {}  # by connection
        self._closing: set[asyncio.Task[None]] = set()
        self._timer: asyncio.TimerHandle | None = None
        self._armed: float | None = None
        self._end: asyncio.Task[None] | None = None
        self._session = open_session()

    @property
    def loop(self) -> asyncio.AbstractEventLoop:
        """The event loop that this engine belongs to."""
        return self._loop

    @property
    def settings(self) -> PoolSettings:
        """The pool's limits."""
        return self._pool.settings

    def statistics(self) -> PoolStatistics:
        """Return the pool's counters."""
        return self._pool.statistics()

    @property
    def forked(self) -> bool:
        """True in a process that was forked off: the sockets are the other one's."""
        return os.getpid() != self._pid

    @property
    def closed(self) -> bool:
        """True once nothing is left to be closed."""
        return self._end is not None and self._end.done()

    async def sign_in(self) -> SignedIn:
        """Return the headers for one POST and a fingerprint of the key among them.

        Raises:
            SignInFailed: The function that returns the key raised, or returned something else.
        """
        return await self._endpoint.sign_in()

    def submit(
        self, request: TurnRequest, headers: Mapping[str, str] | None = None
    ) -> tuple[PoolTurn, Inbox] | None:
        """Start a turn, with the headers for its POST if it is one; None if the queue is full."""
        turn = self._pool.submit(request, self._loop.time())
        if turn is None:
            return None
        inbox = self._inboxes[turn.id] = Inbox(self._inbox_bytes)
        if headers is not None:
            self._headers[turn.id] = headers
        self._act()
        return turn, inbox

    def cancel(self, turn: int) -> None:
        """Drop a turn, if it has not ended."""
        if turn in self._inboxes:
            self._pool.cancel(turn, self._loop.time())
            self._act()

    def abandon(self, turn: int) -> None:
        """Drop a turn from any thread, at any time: its caller let go of it."""
        if turn in self._inboxes and not self._loop.is_closed() and not self.forked:
            self._loop.call_soon_threadsafe(self.cancel, turn)

    async def aclose(self) -> None:
        """End everything: turns fail at once, sockets get a second for their goodbyes.

        Everybody who calls this waits for the same end, which goes on if a waiter is cancelled.
        """
        if self._end is None:
            self._pool.close(self._loop.time())
            self._act()
            self._end = self._loop.create_task(self._wind_up(), name="turnwire-end")
        await asyncio.shield(self._end)

    async def _wind_up(self) -> None:
        await asyncio.gather(*self._closing, return_exceptions=True)
        # What is left carries nothing: dials, and the tails of HTTP streams.
        tasks = list(self._tasks.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await self._session.close()

    # The one place where decisions become deeds.

    def _act(self) -> None:
        actions = self._pool.actions()
        only_events = bool(actions)
        for action in actions:
            if type(action) is Deliver:
                if not self._inboxes[action.turn].put(action.event):
                    self._pool.overflowed(action.turn, self._inbox_bytes, self._loop.time())
                    self._loop.call_soon(self._act)
            else:
                only_events = False
                self._do(action)
        if only_events:
            return  # by far the most common case, and events alone bring no deadline
        deadline = self._pool.deadline()
        if deadline != self._armed:
            self._arm(deadline)

    def _do(self, action: Action) -> None:
        match action:
            case Dial(connection):
                self._start(connection, self._run_socket(connection))
            case Send(connection, _, data):
                self._sockets[connection].send(data)
            case Post(connection, turn, body):
                headers = self._headers.get(turn, {})
                self._start(connection, self._run_exchange(connection, headers, body))
            case Close(connection, code):
                self._hang_up(connection, code)
            case Finish(turn):
                self._headers.pop(turn, None)
                self._inboxes.pop(turn).close(action)
            case Deliver():
                raise AssertionError("handled by the caller, which is where the time goes")

    def _arm(self, deadline: float | None) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer = None if deadline is None else self._loop.call_at(deadline, self._tick)
        self._armed = deadline

    def _tick(self) -> None:
        self._timer = self._armed = None
        self._pool.tick(self._loop.time())
        self._act()

    # Tasks.

    def _start(self, connection: int, work: Coroutine[None, None, None]) -> None:
        task = self._loop.create_task(work, name=f"turnwire-{connection}")
        self._tasks[connection] = task
        task.add_done_callback(lambda _: self._tasks.pop(connection, None))

    def _hang_up(self, connection: int, code: int) -> None:
        socket = self._sockets.pop(connection, None)
        task = self._tasks.get(connection)
        if socket is not None:
            closing = self._loop.create_task(self._close(socket, task, code))
            self._closing.add(closing)
            closing.add_done_callback(self._closing.discard)
        elif task is not None and task is not asyncio.current_task():
            task.cancel()

    async def _close(self, socket: WebSocket, task: asyncio.Task[None] | None, code: int) -> None:
        try:
            await socket.close(code)
        finally:
            if task is not None:
                task.cancel()

    async def _run_socket(self, connection: int) -> None:
        """The life of one socket; however it ends, nobody is left waiting."""
        socket: WebSocket | None = None
        end: CloseInfo | Refusal = CloseInfo(1006, _STOPPED)
        try:
            socket = await self._dial()
            end = await self._talk(connection, socket)
            _log.debug("socket %d closed with code %s", connection, end.code)
        except UpgradeRefused as refused:
            end = refused.refusal
            _log.info("upgrade refused with HTTP %d", end.status)
        except SignInFailed as error:
            end = CloseInfo(1006, str(error))
        except (aiohttp.ClientError, OSError) as error:
            dialled = socket is not None
            why = describe(error) if dialled else describe_dial(error, self._endpoint.proxy)
            end = CloseInfo(1006, why)
        except Exception:  # noqa: BLE001  # a mistake of ours must not leave anybody waiting
            _log.exception("socket %d failed", connection)
            end = CloseInfo(1006, "internal error")
        finally:
            self._ended(connection, end)  # at once: the goodbyes below may take a second
            self._sockets.pop(connection, None)
            if socket is not None:
                await socket.close()

    async def _dial(self) -> WebSocket:
        headers, credential = await self._endpoint.sign_in()
        return await WebSocket.dial(
            self._session,
            self._endpoint.url,
            headers,
            credential,
            heartbeat=self._heartbeat,
            proxy=self._endpoint.proxy,
        )

    async def _talk(self, connection: int, socket: WebSocket) -> CloseInfo:
        """Read and write until either ends; a socket that takes no more messages is lost."""
        self._sockets[connection] = socket
        self._pool.dialed(connection, self._loop.time(), credential=socket.credential)
        self._act()
        pool, now, act = self._pool, self._loop.time, self._act

        def text(data: bytes) -> None:
            pool.received(connection, data, now())
            act()

        def malformed(what: str) -> None:
            pool.malformed(connection, what, now())
            act()

        reading = self._loop.create_task(socket.read(text, malformed), name="turnwire-reader")
        writing = self._loop.create_task(socket.write(), name="turnwire-writer")
        try:
            await asyncio.wait((reading, writing), return_when=asyncio.FIRST_COMPLETED)
            if not reading.done():
                writing.result()  # which raises: it only ends by failing
            return await reading
        finally:
            reading.cancel()
            writing.cancel()
            await asyncio.gather(reading, writing, return_exceptions=True)

    async def _run_exchange(self, connection: int, headers: Mapping[str, str], body: bytes) -> None:
        """The life of one HTTP exchange; as above."""

        def piece(data: bytes) -> bool:
            self._pool.received(connection, data, self._loop.time())
            self._act()
            return self._pool.expects(connection)

        end: CloseInfo | Refusal = CloseInfo(None, _STOPPED)
        try:
            end = await post(
                self._session,
                self._endpoint.url,
                headers,
                body,
                piece,
                proxy=self._endpoint.proxy,
                dial_timeout=self.settings.dial,
            )
        except Exception:  # noqa: BLE001  # as above
            _log.exception("exchange %d failed", connection)
            end = CloseInfo(None, "internal error")
        finally:
            self._ended(connection, end)

    def _ended(self, connection: int, end: CloseInfo | Refusal) -> None:
        """Tell the pool, which by now may have forgotten the connection."""
        if isinstance(end, CloseInfo):
            self._pool.lost(connection, end, self._loop.time())
        else:
            self._pool.refused(connection, *end, self._loop.time())
        self._act()
