"""A scripted Responses server on a real socket, written apart from the engine and the gateway.

    async with Peer(lambda create: [answer("Hello")]) as peer:
        ...  # point a client at peer.base_url
    assert peer.model_runs == 1

It behaves like the hosted service unless a script says otherwise: lanes, FIFO inside a lane, one
remembered response per lane, refusals of broken chains.  It counts *model runs*: the one number in
which every turn that was sent twice shows.  Nothing in it sleeps; scripts wait at gates, or for a
clock that the test moves.  ``with Peer()`` does the same from a thread of its own, for tests that
are not async.
"""

from __future__ import annotations

import asyncio
import threading
from typing import TYPE_CHECKING, Any, Final, Self

from aiohttp import web

from turnwire.testing.clock import Clock
from turnwire.testing.flag import Flag
from turnwire.testing.log import Entry, transcript
from turnwire.testing.model import Resumes, describe
from turnwire.testing.script import echo
from turnwire.testing.server import Behaviour, Server

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Iterable, Mapping, Sequence
    from types import TracebackType

    from turnwire.testing.connection import Connection
    from turnwire.testing.doors import Door
    from turnwire.testing.lanes import LaneMode
    from turnwire.testing.retrieving import Retrieval
    from turnwire.testing.steps import Error, Json, Script, SteerScript, SteerStep, Step
    from turnwire.testing.wires import Post

_NOTED_LINES: Final = 50


class Peer:
    """A scripted server; a context manager, async or not, that serves on a free loopback port.

    Args:
        script: What to do with each create that passes the rules; by default the user is echoed.
        warm_up: Steps of every create with ``generate: false``; by default it completes, empty.
        steer: Steps of every ``response.steer`` that passes the rules, or a function from a
            ``Steer`` to them; by default steering is not supported.
        opening: Steps of the wire on every connection as soon as it is accepted, or a function
            from its index to them.
        lanes: ``echo`` as the hosted service, ``ignore``, ``mix`` or ``reject``; see
            ``LaneQueues``.
        active_limit: Active turns per connection.
        name_limit: Lane names per connection.
        handshake: What happens to upgrades: a status or a step for all of them; a list of those,
            one for each upgrade, after which upgrades are accepted (None accepts one); or a
            function of the HTTP request.
        posts: The same for POSTs.
        retrievals: The same for GETs of stored responses.
        resumes: What becomes of a stored turn whose connection ends: ``off``, it ends too;
            ``json``, it goes on and can be retrieved; ``stream``, also as a stream.
        key: The only key that is let in, by all three; None for any.
        remembers: False if no response can ever be continued.
        age_limit: Seconds of the clock after which a connection is told so and closed, or None.
        clock: What ``wait(seconds)`` and ``age_limit`` go by; by default a ``Clock`` of its own
            that stands still, or the loop's where that has virtual time.
        max_message_bytes: A larger message closes the connection with 1009.

    Attributes:
        connections: All accepted WebSocket connections, in order.
        posts: All POSTs, in order, refused ones included.
        retrievals: All GETs of responses, in order.
        handshakes: Headers of all upgrades, refused ones included.
    """

    def __init__(
        self,
        script: Script = echo,
        *,
        warm_up: Sequence[Step] = (),
        steer: Iterable[SteerStep] | SteerScript | None = None,
        opening: Sequence[Step] | Callable[[int], Sequence[Step]] = (),
        lanes: LaneMode = "echo",
        active_limit: int = 16,
        name_limit: int = 32,
        handshake: Door = None,
        posts: Door = None,
        retrievals: Door = None,
        resumes: Resumes = "off",
        key: str | None = None,
        remembers: bool = True,
        age_limit: float | None = None,
        clock: Clock | None = None,
        max_message_bytes: int = 16 * 2**20,  # as met in the field: docs/protocol/limits.md
    ) -> None:
        if not callable(script):
            raise TypeError(
                "a script is a function from a create to its steps, such as `lambda _: [answer()]`;"
                f" not {type(script).__name__}"
            )
        behaviour = Behaviour(
            script=script,
            warm_up=warm_up,
            steer=steer if steer is None or callable(steer) else _always(list(steer)),
            opening=opening if callable(opening) else _always(opening),
            lanes=lanes,
            active_limit=active_limit,
            name_limit=name_limit,
            handshake=handshake,
            posts=posts,
            retrievals=retrievals,
            resumes=resumes,
            key=key,
            remembers=remembers,
            age_limit=age_limit,
            max_message_bytes=max_message_bytes,
        )
        self._server = Server(behaviour, clock or Clock())
        self._has_clock = clock is not None
        self.connections: list[Connection] = self._server.connections
        self.posts: list[Post] = self._server.posts
        self.retrievals: list[Retrieval] = self._server.retrievals
        self.handshakes: list[Mapping[str, str]] = self._server.handshakes
        self._runner: web.AppRunner | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._stop = Flag()
        self._thread: threading.Thread | None = None

    # What tests ask

    @property
    def base_url(self) -> str:
        """Where to point an HTTP client: ``http://127.0.0.1:PORT/v1``."""
        if self._runner is None:
            raise RuntimeError("The peer does not serve yet; use `async with Peer() as peer`.")
        return f"http://127.0.0.1:{self._runner.addresses[0][1]}/v1"

    @property
    def websocket_url(self) -> str:
        """Where to point a plain WebSocket client."""
        return f"{self.base_url.replace('http', 'ws', 1)}/responses"

    @property
    def model_runs(self) -> int:
        """Creates that a model began to answer: not refusals, not warm-ups."""
        return self._server.model.model_runs

    @property
    def warm_ups(self) -> int:
        """Creates with ``generate: false`` that were accepted."""
        return self._server.model.warm_ups

    @property
    def refusals(self) -> list[Error]:
        """The errors that the rules, not the script, sent, in order."""
        return self._server.model.refusals

    @property
    def creates(self) -> list[Json]:
        """All creates, connection by connection, then the bodies of POSTs."""
        sent = [create for connection in self.connections for create in connection.creates]
        return sent + [post.body for post in self.posts]

    @property
    def log(self) -> list[Entry]:
        """Every message, ping, close and HTTP exchange, both ways, with times."""
        return self._server.log.entries

    def transcript(self) -> str:
        """Return the log as text: types, ids, sizes; not what was said, and no header."""
        return transcript(self.log)

    async def wait_until(self, condition: Callable[[], bool]) -> None:
        """Wait until a condition over the peer holds; looked at after everything that happens."""
        await self._server.changes.until(condition)

    def block_until(self, condition: Callable[[], bool], timeout: float = 10.0) -> None:
        """The same for a test that is not async.

        Raises:
            TimeoutError: It did not hold within so many seconds.
        """
        if not self._server.changes.block_until(condition, timeout):
            text = f"The condition did not hold within {timeout} s.  The peer saw:\n"
            raise TimeoutError(text + self.transcript())

    # What tests change

    @property
    def script(self) -> Script:
        """What is done with each create; set it for the creates that follow."""
        return self._server.model.script

    @script.setter
    def script(self, script: Script) -> None:
        self._server.model.script = script

    @property
    def key(self) -> str | None:
        """The only key that is let in; set it to rotate.  Open connections stay."""
        return self._server.behaviour.key

    @key.setter
    def key(self, key: str | None) -> None:
        self._server.behaviour.key = key

    @property
    def clock(self) -> Clock:
        """The time of the scripts; advance it."""
        return self._server.model.clock

    def forget(self) -> None:
        """Forget every response, stored or not: whatever is continued next is not found."""
        self._server.forget()

    def suspend(self, seconds: float) -> None:
        """Be what a laptop finds that slept so long: all sockets look open, and lead nowhere."""
        for connection in self.connections:
            connection.half_open()
        self.clock.advance(seconds)

    def do(self, doing: Coroutine[Any, Any, None]) -> None:
        """Run something of a connection, such as ``close``, from a test that is not async.

        Raises:
            RuntimeError: The peer serves in this thread, where it can be awaited.
        """
        if self._thread is None or self._loop is None:
            doing.close()
            raise RuntimeError("The peer serves in this thread; await it instead of peer.do().")
        asyncio.run_coroutine_threadsafe(doing, self._loop).result()

    def check(self, exception: BaseException | None = None) -> None:
        """Raise what the script has raised so far; leaving the peer does it too.

        Args:
            exception: What the test has raised: it comes first, so that nothing is raised here, and
                gets notes of what the script raised and of what the peer saw.

        Raises:
            ExceptionGroup: What the script raised.
        """
        failures = self._server.model.failures
        if exception is not None:
            for failure in failures:
                exception.add_note(f"The script of the peer failed: {describe(failure)}")
            exception.add_note(f"The peer saw, at last:\n{transcript(self.log, _NOTED_LINES)}")
        elif failures:
            raise ExceptionGroup("The script of the peer failed", failures)

    # Serving

    async def __aenter__(self) -> Self:
        self._loop = asyncio.get_running_loop()
        clock = getattr(self._loop, "clock", None)
        if isinstance(clock, Clock) and not self._has_clock:
            self._server.model.clock = clock
        # A POST whose client left is cancelled, as its turn is on a WebSocket.
        runner = web.AppRunner(self._server.app(), handler_cancellation=True, access_log=None)
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
        """Cut every connection off and stop.

        What the script raised, and what the peer saw, is noted on an exception that leaves.

        Raises:
            ExceptionGroup: The script raised, and nothing else did.
        """
        await self._end()
        self.check(exception)

    async def _end(self) -> None:
        assert self._runner is not None  # set by __aenter__
        self._server.cut_off()
        await self._runner.cleanup()
        await self._server.stop()

    # The same from a thread of its own

    def start(self) -> Self:
        """Serve from a thread; end it with ``stop``, or use ``with``."""
        started = Flag()
        self._thread = threading.Thread(
            target=asyncio.run, args=[self._serve(started)], name="turnwire-peer", daemon=True
        )
        self._thread.start()
        started.block()
        return self

    async def _serve(self, started: Flag) -> None:
        await self.__aenter__()
        started.set()
        await self._stop.wait()
        await self._end()

    def stop(self) -> None:
        """Cut every connection off and end the thread; ``check`` tells what the script raised."""
        assert self._thread is not None  # set by start()
        self._stop.set()
        self._thread.join()

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        exception: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Do what the end of an async block does."""
        self.stop()
        self.check(exception)


def _always(what: Any) -> Callable[[Any], Any]:
    return lambda _: what
