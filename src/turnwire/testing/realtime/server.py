"""The scripted Realtime server on a real socket of this machine."""

from __future__ import annotations

import asyncio
import time
from dataclasses import replace
from inspect import signature
from traceback import format_exception
from typing import TYPE_CHECKING, Any, Final, Self

from aiohttp import web

from turnwire.gateway.access.owner import KEY_PROTOCOL, key_of
from turnwire.gateway.voice.endpoint import asks_for_beta
from turnwire.gateway.voice.refusals import beta_disabled
from turnwire.gateway.voice.session import SHAPE_DISABLED
from turnwire.gateway.voice.settings import VoiceSettings
from turnwire.testing.clock import Clock
from turnwire.testing.doors import WRONG_KEY, Door, door_step, perform_door
from turnwire.testing.flag import Changes
from turnwire.testing.log import Log, transcript
from turnwire.testing.realtime.connection import RealtimeConnection
from turnwire.testing.realtime.resting import TimeOfLoop
from turnwire.testing.realtime.script import checked
from turnwire.testing.realtime.served import ServedSession, counting_ids
from turnwire.testing.realtime.told import check_knobs, checked_faults
from turnwire.testing.wires import GONE, drop_transport

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from types import TracebackType

    from turnwire.gateway.voice.formats import AudioFormat
    from turnwire.testing.realtime.script import Script
    from turnwire.testing.realtime.told import Faults

_PATHS: Final = ("/v1/realtime", "/realtime")
_NOTED_LINES: Final = 30
_LARGEST: Final = 32 * 2**20


class RealtimeServer:
    """A Realtime server that plays a script and misbehaves as it is told.

    Example::

        async with RealtimeServer(reply(counted(3000)), speed=8) as server:
            ...  # dial server.url

    Args:
        script: What the model says (``script.py``); a second of counted audio by default.
        faults: What happens on the way (``faults.py``), one or several, or a function of the
            connection's index.
        handshake: What is done with upgrades instead of serving them: a status, ``refuse(…)``,
            ``wait(…)``, ``drop()``, ``redirect(…)``; a list, one for each; or a function.
        key: The only key that is let in, as a header or as a subprotocol; None for any.
        settings: How the sessions behave; what follows is set on top of it.
        accepts_beta: True serves clients of the beta instead of closing on them.
        transcribe: What the user has said; by default as the built-in voice hears tones.
        clock: What everything goes by; the loop's time by default, also if that is virtual.
        max_message_bytes: A larger message closes the connection with 1009.
        knobs: Fields of ``VoiceSettings``: ``speed``, ``chunk_ms``, ``created_delay``,
            ``first_output_delay``, ``transcription_delay``, ``late_chunks``,
            ``chunks_after_done``, ``shorter_ms``, ``cancels_before_created``, ``max_age``, ….

    Attributes:
        connections: All accepted sockets, in order.
        handshakes: Headers of all upgrades, refused ones included.

    Raises:
        ConfigError: The script, a fault or a knob cannot be what was meant.
        Exception: On leaving and in ``wait_until``: what a function of the test's raised, such as
            the script; the client got ``error`` and 1011.
    """

    def __init__(
        self,
        script: Script | None = None,
        *,
        faults: Faults | Callable[[int], Faults] = (),
        handshake: Door = None,
        key: str | None = None,
        settings: VoiceSettings | None = None,
        accepts_beta: bool = False,
        transcribe: Callable[[bytes, AudioFormat], str] | None = None,
        clock: Clock | None = None,
        max_message_bytes: int = _LARGEST,
        **knobs: Any,
    ) -> None:
        if script is not None:
            checked(script)
        check_knobs(knobs, signature(RealtimeServer).parameters)
        self.script = script
        self.faults = checked_faults(faults)
        self.settings = replace(settings or VoiceSettings(says_chain_created=False), **knobs)
        self._handshake = handshake
        self._key = key
        self._accepts_beta = accepts_beta
        self._transcribe = transcribe
        self._clock = clock
        self._max_message_bytes = max_message_bytes
        self._changes = Changes()
        self._log = Log(lambda: self.clock.now, self._changes.note)
        self._open: dict[int, web.Request] = {}
        self._runner: web.AppRunner | None = None
        self._new_id = counting_ids()
        self.connections: list[RealtimeConnection] = []
        self.handshakes: list[Mapping[str, str]] = []
        self._mistakes: list[Exception] = []

    # What tests ask

    @property
    def http_url(self) -> str:
        """What clients take as ``base_url``: ``http://127.0.0.1:PORT/v1``."""
        if self._runner is None:
            raise RuntimeError("The server does not serve yet; use `async with RealtimeServer()`.")
        return f"http://127.0.0.1:{self._runner.addresses[0][1]}/v1"

    @property
    def websocket_base_url(self) -> str:
        """The same for WebSocket: ``ws://127.0.0.1:PORT/v1``."""
        return self.http_url.replace("http", "ws", 1)

    @property
    def url(self) -> str:
        """Where to dial, without a query: ``ws://127.0.0.1:PORT/v1/realtime``."""
        return f"{self.websocket_base_url}/realtime"

    @property
    def clock(self) -> Clock:
        """The time that everything goes by."""
        if self._clock is None:
            raise RuntimeError("The server does not serve yet; use `async with RealtimeServer()`.")
        return self._clock

    @property
    def sessions(self) -> list[ServedSession]:
        """The sessions of all connections, in order."""
        return [each.served for each in self.connections if each.served is not None]

    @property
    def responses(self) -> int:
        """How many responses were generated, over all connections: the model runs."""
        return sum(session.responses for session in self.sessions)

    @property
    def numbers(self) -> dict[str, int]:
        """The numbers that counted and toned items say, by the items' ids."""
        return {name: n for session in self.sessions for name, n in session.numbers.items()}

    def transcript(self) -> str:
        """Return all that happened as text: types, ids, sizes; not what was said, and no header."""
        return transcript(self._log.entries)

    async def wait_until(self, condition: Callable[[], bool]) -> None:
        """Wait until a condition over the server holds; looked at after all that happens.

        Raises:
            Exception: What the script raised: the condition might never hold.
        """

        def holds() -> bool:
            if self._mistakes:
                raise self._mistakes[0]
            return condition()

        await self._changes.until(holds)

    # Serving

    async def __aenter__(self) -> Self:
        loop = asyncio.get_running_loop()
        if self._clock is None:
            clock = getattr(loop, "clock", None)
            self._clock = clock if isinstance(clock, Clock) else TimeOfLoop(loop)
        app = web.Application()
        for path in _PATHS:
            app.router.add_get(path, self._upgrade, allow_head=False)
        runner = web.AppRunner(app, handler_cancellation=True, access_log=None)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        self._runner = runner
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        exception: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Cut every connection off and stop; what was seen is noted on an exception that leaves.

        Raises:
            Exception: What the script raised, if no other exception leaves.
        """
        assert self._runner is not None  # set by __aenter__
        for request in self._open.values():
            drop_transport(request, reset=True)
        await self._runner.cleanup()
        if exception is not None:
            told = transcript(self._log.entries, _NOTED_LINES)
            exception.add_note(f"The Realtime server saw, at last:\n{told}")
        for mistake in self._mistakes:
            if exception is None:
                raise mistake
            if mistake is not exception:
                words = "".join(format_exception(mistake))
                exception.add_note(f"What the server was told to do raised:\n{words}")

    def _mistaken(self, mistake: Exception) -> None:
        self._mistakes.append(mistake)
        self._changes.note()

    async def _upgrade(self, request: web.Request) -> web.StreamResponse:
        self.handshakes.append(request.headers)
        number = len(self.handshakes)
        self._log.add(f"upgrade {number - 1}", "client", "request", note=request.path)
        self._open[id(request)] = request
        try:
            step = door_step(self._handshake, number, request)
            if step is None and self._key is not None and key_of(request.headers) != self._key:
                step = WRONG_KEY
            stopped = await perform_door(step, request, self.clock, self._changes)
            return stopped if stopped is not None else await self._serve(request)
        except GONE:
            return web.Response()  # to nobody: the client has left
        except Exception as mistake:  # of a function of the test's
            self._mistaken(mistake)
            raise
        finally:
            del self._open[id(request)]
            self._changes.note()

    async def _serve(self, request: web.Request) -> web.StreamResponse:
        websocket = web.WebSocketResponse(
            protocols=_acceptable(request),
            compress=False,
            max_msg_size=0,
            autoclose=False,
            autoping=False,
        )
        if not websocket.can_prepare(request):
            return web.Response(status=426, headers={"Upgrade": "websocket"})
        await websocket.prepare(request)
        index = len(self.connections)
        is_beta = asks_for_beta(request)
        refused = is_beta and not self._accepts_beta
        served = None if refused else self._session(index, request, is_beta=is_beta)
        connection = RealtimeConnection(
            index,
            request,
            websocket,
            self.clock,
            self._log,
            served=served,
            mistaken=self._mistaken,
            max_message_bytes=self._max_message_bytes,
        )
        self.connections.append(connection)
        self._changes.note()
        event = {"event_id": self._new_id("event"), **beta_disabled().event(None)}
        await connection.run((event, SHAPE_DISABLED) if refused else None)
        return websocket

    def _session(self, index: int, request: web.Request, *, is_beta: bool) -> ServedSession:
        return ServedSession(
            self.script,
            settings=self.settings,
            faults=self.faults(index) if callable(self.faults) else self.faults,
            transcribe=self._transcribe,
            model=request.query.get("model", "gpt-realtime-2.1"),
            now=self.clock.now,
            wall_time=time.time(),
            is_beta=is_beta,
            new_id=self._new_id,
        )


def _acceptable(request: web.Request) -> tuple[str, ...]:
    offered = request.headers.get("Sec-WebSocket-Protocol", "").split(",")
    protocols = tuple(name.strip() for name in offered if name.strip())
    return tuple(each for each in protocols if not each.startswith(KEY_PROTOCOL)) or protocols
