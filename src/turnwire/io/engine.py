"""Performs the core's actions, reports their results, and arms one timer.

One engine belongs to one event loop.  Everything it does was decided by ``core.Pool``.
"""

from __future__ import annotations

import asyncio
import logging
import os
import random
import time
from typing import TYPE_CHECKING, Final

import aiohttp

from turnwire.core.actions import (
    Action,
    Close,
    Deliver,
    Dial,
    Fetch,
    Finish,
    Log,
    Ping,
    Post,
    Restart,
    Send,
    SignIn,
    Steered,
)
from turnwire.core.failure import CloseInfo
from turnwire.core.pool import Pool
from turnwire.io.describing import describe, describe_dial
from turnwire.io.endpoint import SignInFailed
from turnwire.io.http import HttpRequest, Whole, perform
from turnwire.io.inbox import Inboxes
from turnwire.io.sleep import SleepWatch
from turnwire.io.timer import Timer
from turnwire.io.websocket import UpgradeRefused, WebSocket, close_and_stop, open_session

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Coroutine, Iterator, Mapping, Sequence

    from turnwire.core.breaker import Health
    from turnwire.core.history import HistoryItem
    from turnwire.core.pool_turn import PoolTurn
    from turnwire.core.request import TurnRequest
    from turnwire.core.settings import PoolSettings
    from turnwire.core.statistics import PoolStatistics
    from turnwire.core.steer import Steer
    from turnwire.io.bell import Bell
    from turnwire.io.endpoint import Endpoint
    from turnwire.io.inbox import Inbox
    from turnwire.io.refusal import Refusal

_log: Final = logging.getLogger("turnwire")
_STOPPED: Final = "its task was cancelled from outside"


class Engine:
    """The shell around a pool.

    Args:
        endpoint: The server.
        settings: The pool's limits.
        inbox_bytes: How much of a turn may wait to be read before the turn fails.
        client_bytes: The same for all turns together.
        numbers: Where numbers of connections and turns come from, if engines share chains.
        wall_clock: What goes on while the machine sleeps.
    """

    def __init__(
        self,
        endpoint: Endpoint,
        settings: PoolSettings,
        *,
        inbox_bytes: int,
        client_bytes: int,
        numbers: Iterator[int] | None = None,
        wall_clock: Callable[[], float] = time.time,
    ) -> None:
        self._loop = asyncio.get_running_loop()
        self._endpoint = endpoint
        self._pool = Pool(settings, numbers=numbers, chance=random.random)
        self._sleep_watch = SleepWatch(self._loop.time(), wall_clock)
        self._pid = os.getpid()
        self._inboxes = Inboxes(inbox_bytes, client_bytes)
        self._asked: dict[int, Post | Fetch] = {}  # what exchanges that have signed in are to ask
        self._sockets: dict[int, WebSocket] = {}
        self._tasks: dict[int, asyncio.Task[None]] = {}  # by connection
        self._closing: set[asyncio.Task[None]] = set()
        self._timer = Timer(self._loop, self._tick)
        self._leaving: asyncio.Future[None] = self._loop.create_future()
        self._over: asyncio.Future[None] = self._loop.create_future()
        self._session = open_session(endpoint.ssl_context)
        self._keeper = self._loop.create_task(self._keep(), name="turnwire-keeper")

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
        return self._over.done() or self._loop.is_closed()

    def health(self) -> Health:
        """Say whether WebSocket mode is used now, and why not."""
        return self._pool.health(self._loop.time())

    def note_http(self, *, reached: bool) -> None:
        """Take in whether HTTP reached the server, for a turn that was handed over."""
        self._pool.note_http(reached=reached)
        self._act()

    def submit(self, request: TurnRequest) -> tuple[PoolTurn, Inbox] | None:
        """Start a turn; None if the queue is full."""
        self._notice_sleep()
        turn = self._pool.submit(request, self._loop.time())
        if turn is None:
            return None
        inbox = self._inboxes.open(turn.id)
        self._act()
        return turn, inbox

    def steer(self, turn: PoolTurn, items: Sequence[HistoryItem]) -> tuple[Steer, Bell] | None:
        """Say something to a turn; None if the queue is full."""
        steer = self._pool.steer(turn, items, self._loop.time())
        if steer is None:
            return None
        bell = self._inboxes.listen(steer.id)
        self._act()
        return steer, bell

    def _notice_sleep(self) -> None:
        slept = self._sleep_watch.slept(self._loop.time())
        if slept is not None:
            _log.info("the machine slept for %.0f s: sockets are probed before use", slept)
            self._pool.woke(slept, self._loop.time())

    def has(self, turn: int) -> bool:
        """Say whether a turn is here and has not ended."""
        return turn in self._inboxes.by_turn

    def cancel(self, turn: int) -> None:
        """Drop a turn, if it has not ended."""
        if turn in self._inboxes.by_turn:
            self._pool.cancel(turn, self._loop.time())
            self._act()

    def abandon(self, turn: int) -> None:
        """Drop a turn from any thread, at any time: its caller let go of it."""
        if turn in self._inboxes.by_turn and not self._loop.is_closed() and not self.forked:
            self._loop.call_soon_threadsafe(self.cancel, turn)

    async def aclose(self) -> None:
        """End everything: turns fail at once, sockets get a second for their goodbyes.

        Everybody who calls this waits for the same end, which goes on if a waiter is cancelled.
        """
        self.begin_to_end()
        await asyncio.shield(self._over)

    def begin_to_end(self) -> None:
        """Have everything end, and do not wait for it."""
        if not self._leaving.done():
            self._leaving.set_result(None)

    async def _keep(self) -> None:
        """Wait for the end, which comes with ``aclose`` or with the loop's own."""
        try:
            await self._leaving
        finally:
            self._pool.close(self._loop.time())
            self._act()
            try:
                await self._wind_up()
            finally:  # the loop may end in the middle of it
                await self._session.close()
                self._over.set_result(None)

    async def _wind_up(self) -> None:
        await asyncio.gather(*self._closing, return_exceptions=True)
        # What is left carries nothing: dials, and the tails of HTTP streams.
        tasks = list(self._tasks.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    # The one place where decisions become deeds.

    def _act(self) -> None:
        actions = self._pool.actions()
        only_events, inboxes = bool(actions), self._inboxes.by_turn
        for action in actions:
            if type(action) is Deliver:
                if not inboxes[action.turn].put(action.event):
                    self._relieve(action.turn)
            else:
                only_events = False
                self._do(action)
        if only_events:
            return  # by far the most common case, and events alone bring no deadline
        self._timer.arm(self._pool.deadline())

    def _relieve(self, turn: int) -> None:
        overflowed = self._inboxes.relieve(turn)
        if overflowed is not None:
            number, limit_bytes, option = overflowed
            self._pool.overflowed(number, limit_bytes, self._loop.time(), option=option)
            self._loop.call_soon(self._act)

    def _do(self, action: Action) -> None:
        match action:
            case Dial(connection):
                self._start(connection, self._run_socket(connection))
            case Send(connection, turn, data):
                self._sockets[connection].send(turn, data)
            case Ping(connection):
                self._sockets[connection].ping()
            case SignIn(connection):
                self._start(connection, self._run_exchange(connection))
            case Post(connection) | Fetch(connection):
                self._asked[connection] = action
            case Close(connection, code):
                self._hang_up(connection, code)
            case Log(message):
                _log.info("%s", message)
            case Restart() | Finish() | Steered():
                self._inboxes.tell(action)
            case Deliver():
                raise AssertionError("handled by the caller, which is where the time goes")

    def _tick(self) -> None:
        self._notice_sleep()
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
            closing = self._loop.create_task(close_and_stop(socket, task, code))
            self._closing.add(closing)
            closing.add_done_callback(self._closing.discard)
        elif task is not None and task is not asyncio.current_task():
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
            _log.debug("upgrade refused with HTTP %d", end.status)
        except SignInFailed as error:
            end = CloseInfo(1006, str(error), signed_in=False)
        except (aiohttp.ClientError, OSError) as error:
            why = describe(error) if socket else describe_dial(error, self._endpoint.proxy)
            end = CloseInfo(1006, why)
        except Exception:  # noqa: BLE001  # a mistake of ours must not leave anybody waiting
            _log.exception("socket %d failed", connection)
            end = CloseInfo(1006, "internal error")
        finally:
            unwritten = socket.unwritten if socket is not None else ()
            self._ended(connection, end, unwritten)  # at once: goodbyes may take a second
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
            pings_itself=False,
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

        def ponged() -> None:
            pool.ponged(connection, now())
            act()

        def written(turn: int) -> None:
            pool.written(connection, turn, now())
            act()

        read, write = socket.read(text, malformed, ponged), socket.write(written)
        reading = self._loop.create_task(read, name="turnwire-reader")
        writing = self._loop.create_task(write, name="turnwire-writer")
        try:
            await asyncio.wait((reading, writing), return_when=asyncio.FIRST_COMPLETED)
            if not reading.done():
                writing.result()  # which raises: it only ends by failing
            return await reading
        finally:
            reading.cancel()
            writing.cancel()
            await asyncio.gather(reading, writing, return_exceptions=True)

    async def _run_exchange(self, connection: int) -> None:
        """The life of one HTTP exchange; as above."""
        end: CloseInfo | Refusal | Whole = CloseInfo(None, _STOPPED)
        try:
            headers, credential = await self._endpoint.sign_in()
            self._pool.signed_in(connection, self._loop.time(), credential=credential)
            self._act()
            asked = self._asked.pop(connection, None)
            if asked is not None:  # or its turn has ended meanwhile
                end = await perform(self._session, self._request(asked, headers))
        except SignInFailed as error:
            end = CloseInfo(None, str(error), reached=False, signed_in=False)
        except Exception:  # noqa: BLE001  # as above
            _log.exception("exchange %d failed", connection)
            end = CloseInfo(None, "internal error")
        finally:
            self._ended(connection, end)

    def _request(self, asked: Post | Fetch, headers: Mapping[str, str]) -> HttpRequest:
        connection = asked.connection

        def piece(data: bytes) -> bool:
            self._pool.received(connection, data, self._loop.time())
            self._act()
            return self._pool.expects(connection)

        def written() -> None:
            assert isinstance(asked, Post)  # nothing else has a body
            self._pool.written(connection, asked.turn, self._loop.time())
            self._act()

        way = self._endpoint.url_for(asked), self._endpoint.proxy, self.settings.dial
        body = asked.body if isinstance(asked, Post) else None
        return HttpRequest(*way, headers, piece, body, written)

    def _ended(
        self,
        connection: int,
        end: CloseInfo | Refusal | Whole,
        unwritten: Collection[int] = (),
    ) -> None:
        """Tell the pool, which by now may have forgotten the connection."""
        pool, now = self._pool, self._loop.time()
        if isinstance(end, CloseInfo):
            pool.lost(connection, end, now, unwritten)
        elif isinstance(end, Whole):
            pool.fetched(connection, end.body, now)
        else:
            pool.refused(connection, *end, now)
        self._act()
