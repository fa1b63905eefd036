"""Performs the core's actions, reports their results, and arms one timer.

One engine belongs to one event loop.  Everything it does was decided by ``core.Pool``.
"""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING, Final

import aiohttp

from turnwire.core.actions import Action, Close, Deliver, Dial, Finish, Post, Send
from turnwire.core.failure import CloseInfo
from turnwire.core.pool import Pool
from turnwire.io.describing import describe
from turnwire.io.endpoint import SignInFailed
from turnwire.io.http import Refused, post
from turnwire.io.inbox import Inbox
from turnwire.io.websocket import UpgradeRefused, WebSocket, open_session

if TYPE_CHECKING:
    from collections.abc import Coroutine

    from turnwire.core.pool_turn import PoolTurn
    from turnwire.core.request import TurnRequest
    from turnwire.core.settings import PoolSettings
    from turnwire.core.statistics import PoolStatistics
    from turnwire.io.endpoint import Endpoint

_log: Final = logging.getLogger("turnwire")


class Engine:
    """The shell around a pool.

    Args:
        endpoint: The server.
        settings: The pool's limits.
        inbox_bytes: How much of a turn may wait to be read before the turn fails.
        heartbeat: Seconds between pings, or None; liveness is pongs, never events.
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
        self._inboxes: dict[int, Inbox] = {}
        self._sockets: dict[int, WebSocket] = {}
        self._tasks: dict[int, asyncio.Task[None]] = {}  # by connection
        self._closing: set[asyncio.Task[None]] = set()
        self._timer: asyncio.TimerHandle | None = None
        self._armed: float | None = None
        self._session = open_session(trust_env=endpoint.trust_env)

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

    async def fingerprint(self) -> str:
        """Return a fingerprint of the key that would be used now."""
        return (await self._endpoint.sign_in())[1]

    def submit(self, request: TurnRequest) -> tuple[PoolTurn, Inbox] | None:
        """Start a turn; None if the queue is full."""
        turn = self._pool.submit(request, self._loop.time())
        if turn is None:
            return None
        inbox = self._inboxes[turn.id] = Inbox(self._inbox_bytes)
        self._act()
        return turn, inbox

    def cancel(self, turn: int) -> None:
        """Drop a turn, if it has not ended."""
        if turn in self._inboxes:
            self._pool.cancel(turn, self._loop.time())
            self._act()

    def abandon(self, turn: int) -> None:
        """Drop a turn from any thread, at any time: its caller let go of it."""
        if turn in self._inboxes and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self.cancel, turn)

    async def aclose(self) -> None:
        """End everything: turns fail, sockets close, tasks end, nothing is left."""
        self._pool.close(self._loop.time())
        self._act()
        if self._closing:
            await asyncio.wait(self._closing, timeout=5.0)
        # What is left carries nothing: dials, and the tails of HTTP streams.
        tasks = {*self._tasks.values(), *self._closing}
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await self._session.close()

    # The one place where decisions become deeds.

    def _act(self) -> None:
        for action in self._pool.actions():
            if type(action) is Deliver:
                if not self._inboxes[action.turn].put(action.event):
                    self._pool.overflowed(action.turn, self._inbox_bytes, self._loop.time())
                    self._loop.call_soon(self._act)
            else:
                self._do(action)
        deadline = self._pool.deadline()
        if deadline != self._armed:
            self._arm(deadline)

    def _do(self, action: Action) -> None:
        match action:
            case Dial(connection):
                self._start(connection, self._run_socket(connection))
            case Send(connection, _, data):
                self._sockets[connection].send(data)
            case Post(connection, _, body):
                self._start(connection, self._run_exchange(connection, body))
            case Close(connection, code):
                self._hang_up(connection, code)
            case Finish(turn):
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
        """The life of one socket."""
        try:
            await self._talk(connection, await self._dial())
        except UpgradeRefused as refusal:
            _log.info("upgrade refused with HTTP %d", refusal.status)
            self._pool.refused(
                connection, refusal.status, refusal.headers, refusal.body, self._loop.time()
            )
            self._act()
        except (aiohttp.ClientError, OSError, SignInFailed) as error:
            self._lost(connection, CloseInfo(1006, describe(error)))
        except Exception:  # noqa: BLE001  # a mistake of ours must not leave anybody waiting
            _log.exception("socket %d failed", connection)
            self._lost(connection, CloseInfo(1006, "internal error"))

    async def _dial(self) -> WebSocket:
        headers, credential = await self._endpoint.sign_in()
        return await WebSocket.dial(
            self._session,
            self._endpoint.websocket_url,
            headers,
            credential,
            heartbeat=self._heartbeat,
        )

    async def _talk(self, connection: int, socket: WebSocket) -> None:
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

        writing = self._loop.create_task(socket.write())
        try:
            close = await socket.read(text, malformed)
            _log.debug("socket %d closed with code %s", connection, close.code)
            self._lost(connection, close)  # at once: the goodbyes below may take a second
        finally:
            self._sockets.pop(connection, None)
            writing.cancel()
            await asyncio.gather(writing, return_exceptions=True)
            await socket.close()

    def _lost(self, connection: int, close: CloseInfo) -> None:
        self._pool.lost(connection, close, self._loop.time())
        self._act()

    async def _run_exchange(self, connection: int, body: bytes) -> None:
        """The life of one HTTP exchange."""

        def piece(data: bytes) -> bool:
            self._pool.received(connection, data, self._loop.time())
            self._act()
            return self._pool.expects(connection)

        end: CloseInfo | Refused
        try:
            headers, _ = await self._endpoint.sign_in()
            end = await post(self._session, self._endpoint.http_url, headers, body, piece)
        except SignInFailed as error:
            end = CloseInfo(None, describe(error), reached=False)
        except Exception:  # noqa: BLE001  # as above
            _log.exception("exchange %d failed", connection)
            end = CloseInfo(None, "internal error")
        now = self._loop.time()
        if isinstance(end, CloseInfo):
            self._pool.lost(connection, end, now)
        else:
            self._pool.refused(connection, *end, now)
        self._act()
