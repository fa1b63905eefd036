"""Performs the Realtime machine's actions on sockets, reports their results, arms one timer.

One engine belongs to one event loop.  Everything it does was decided by ``RealtimeMachine``.
"""

from __future__ import annotations

import asyncio
import logging
import re
from typing import TYPE_CHECKING, Any, Final

import aiohttp

from turnwire.core.failure import CloseInfo, Failure, FailureKind, failure_of_json
from turnwire.core.realtime.actions import Close, Deliver, Dial, End, Flush, Log, Settle, Wake
from turnwire.io.describing import describe, describe_dial
from turnwire.io.endpoint import SignInFailed
from turnwire.io.timer import Timer
from turnwire.io.websocket import UpgradeRefused, WebSocket, close_and_stop, open_session

if TYPE_CHECKING:
    from collections.abc import Coroutine, Sequence

    from turnwire.core.realtime.actions import Action
    from turnwire.core.realtime.machine import RealtimeMachine
    from turnwire.io.endpoint import Endpoint
    from turnwire.io.listener import Listener

_log: Final = logging.getLogger("turnwire")
_TOKEN: Final = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")  # RFC 9110, section 5.6.2
_KEY_PROTOCOL: Final = "openai-insecure-api-key."


class RealtimeEngine:
    """The shell around a Realtime machine.

    Args:
        endpoint: The server.
        machine: What decides.
        listener: Whom events and answers are for.
        protocols: Subprotocols behind the first of which the key goes, as browsers have to send
            it; None if it goes in a header.
        ping_interval: Seconds without any data after which a ping is sent; after half as many more
            without any data the socket is lost.  None for no pings.
        inbound_bytes: Of the largest message that the server may send.
    """

    def __init__(
        self,
        endpoint: Endpoint,
        machine: RealtimeMachine,
        listener: Listener,
        *,
        protocols: Sequence[str] | None,
        ping_interval: float | None,
        inbound_bytes: int,
    ) -> None:
        self._loop = asyncio.get_running_loop()
        self._endpoint = endpoint
        self._machine = machine
        self._listener = listener
        self._protocols = protocols
        self._ping_interval = ping_interval
        self._inbound_bytes = inbound_bytes
        self._filled: dict[int, asyncio.Event] = {}  # by generation
        self._sockets: dict[int, WebSocket] = {}
        self._tasks: dict[int, asyncio.Task[None]] = {}
        self._closing: set[asyncio.Task[None]] = set()
        self._timer = Timer(self._loop, self._tick)
        self._acting = False
        self._session = open_session(endpoint.ssl_context, little_unsent=True)

    def now(self) -> float:
        """Return the time that the machine is told."""
        return self._loop.time()

    def open(self) -> None:
        """Dial the first socket."""
        self._machine.open(self.now())
        self.act()

    async def aclose(self) -> None:
        """Close what is open, and wait for its end, at most a second or so."""
        self._timer.arm(None)
        for task in list(self._tasks.values()):
            task.cancel()
        await asyncio.gather(*self._tasks.values(), *self._closing, return_exceptions=True)
        await self._session.close()

    # The one place where decisions become deeds.

    def act(self) -> None:
        """Do what the machine has decided, in order; what that brings about is done after it."""
        if self._acting:
            return
        self._acting = True
        try:
            while actions := self._machine.actions():
                for action in actions:
                    self._do(action)
        finally:
            self._acting = False
        self._timer.arm(self._machine.deadline(self.now()))

    def _do(self, action: Action) -> None:
        match action:
            case Deliver(event):
                self._listener.deliver(event)
            case Wake(generation):
                if (filled := self._filled.get(generation)) is not None:
                    filled.set()
            case Settle(ticket, answer):
                self._listener.settle(ticket, answer)
            case Flush(response_id):
                self._listener.flush(response_id)
            case Dial(generation):
                self._start(generation, self._run(generation))
            case Close(generation, code):
                self._hang_up(generation, code)
            case Log(message):
                _log.info("%s", message)
            case End(failure):
                self._listener.end(failure)

    def _tick(self) -> None:
        self._machine.tick(self.now())
        self.act()

    # Tasks.

    def _start(self, generation: int, work: Coroutine[Any, Any, None]) -> None:
        task = self._loop.create_task(work, name=f"turnwire-realtime-{generation}")
        self._tasks[generation] = task
        task.add_done_callback(lambda _: self._tasks.pop(generation, None))

    def _hang_up(self, generation: int, code: int) -> None:
        socket, task = self._sockets.pop(generation, None), self._tasks.get(generation)
        if socket is not None:
            closing = self._loop.create_task(close_and_stop(socket, task, code))
            self._closing.add(closing)
            closing.add_done_callback(self._closing.discard)
        elif task is not None:
            task.cancel()

    async def _run(self, generation: int) -> None:
        """The life of one socket; however it ends, the machine is told."""
        socket: WebSocket | None = None
        end: CloseInfo | Failure = CloseInfo(1006, "its task was cancelled from outside")
        try:
            socket = await self._dial()
            end = await self._talk(generation, socket)
        except UpgradeRefused as refused:
            end = _refusal(refused)
        except SignInFailed as error:
            end = Failure(FailureKind.SIGN_IN, str(error))
        except (aiohttp.ClientError, OSError) as error:
            why = describe(error) if socket else describe_dial(error, self._endpoint.proxy)
            end = CloseInfo(1006, why, reached=socket is not None)
        except Exception:  # noqa: BLE001  # a mistake of ours must not leave anybody waiting
            _log.exception("socket %d failed", generation)
            end = CloseInfo(1006, "internal error")
        finally:
            self._filled.pop(generation, None)
            self._sockets.pop(generation, None)
            self._over(generation, end)
            if socket is not None:
                await socket.close()

    def _over(self, generation: int, end: CloseInfo | Failure) -> None:
        if isinstance(end, Failure):
            self._machine.refused(generation, end, self.now())
        else:
            self._machine.lost(generation, end, self.now())
        self.act()

    async def _dial(self) -> WebSocket:
        headers, credential = await self._endpoint.sign_in()
        protocols: list[str] = []
        if self._protocols is not None:
            first, *others = self._protocols
            protocols = [first, *_key_protocol(headers.pop("Authorization", "")), *others]
        return await WebSocket.dial(
            self._session,
            self._endpoint.url,
            headers,
            credential,
            heartbeat=self._ping_interval,
            proxy=self._endpoint.proxy,
            protocols=protocols,
            inbound_bytes=self._inbound_bytes,
        )

    async def _talk(self, generation: int, socket: WebSocket) -> CloseInfo:
        """Read and write until either ends."""
        self._sockets[generation] = socket
        self._filled[generation] = asyncio.Event()
        machine, now, act = self._machine, self._loop.time, self.act
        machine.opened(generation, now())
        act()

        def text(data: bytes) -> None:
            machine.received(generation, data, now())
            act()

        def malformed(what: str) -> None:
            machine.malformed(generation, what, now())
            act()

        writing = asyncio.ensure_future(self._write(generation, socket))
        reading = asyncio.ensure_future(socket.read(text, malformed))
        try:
            await asyncio.wait((reading, writing), return_when=asyncio.FIRST_COMPLETED)
            if writing.done() and not reading.done() and (error := writing.exception()):
                return CloseInfo(1006, f"it takes no more messages: {error}")
            return await reading
        finally:
            for task in (reading, writing):
                task.cancel()
            await asyncio.gather(reading, writing, return_exceptions=True)

    async def _write(self, generation: int, socket: WebSocket) -> None:
        """Write what the machine has, one message at a time, so that control overtakes audio."""
        filled = self._filled[generation]
        while True:
            filled.clear()
            message = self._machine.pull(generation, self.now())
            if message is None:
                self._timer.arm(self._machine.deadline(self.now()))
                await filled.wait()
                continue
            await socket.send_now(message)
            await socket.drained()
            self._listener.wrote()


def _key_protocol(authorization: str) -> list[str]:
    key = authorization.removeprefix("Bearer ")
    if not key:
        return []
    if not _TOKEN.fullmatch(key):  # a comma would make two of it
        raise SignInFailed("the key has characters that a subprotocol cannot have; use a header")
    return [_KEY_PROTOCOL + key]


def _refusal(refused: UpgradeRefused) -> Failure:
    status, headers, body = refused.refusal
    said = failure_of_json(body, "no reason given")
    message = f"the server refused the upgrade with HTTP {status}: {said.message}"
    return Failure(
        FailureKind.REFUSED, message, code=said.code, status=status, headers=headers, body=body
    )
