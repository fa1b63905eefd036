"""One plain socket: send what you like, read what comes.  No pool, no chain, no recovery.

The smallest door: it keeps the last response id, tells an answer that was cut off from one that
is whole, and leaves everything else to the caller.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Mapping
from contextlib import asynccontextmanager
from copy import copy
from typing import TYPE_CHECKING, Any, Final, cast

import aiohttp

from turnwire.client.checking import (
    checked_count,
    checked_limit,
    checked_listener,
    checked_seconds,
)
from turnwire.client.config import endpoint_of
from turnwire.client.raising import dial_error, server_error
from turnwire.core.failure import Failure, FailureKind, failure_of_event, failure_of_json
from turnwire.core.signals import signal_of
from turnwire.core.turn import TERMINAL_SIGNALS, TurnSignal
from turnwire.errors import (
    ConfigError,
    ConnectionLost,
    DialTimeout,
    ProtocolError,
    SlowConsumer,
    TurnwireError,
)
from turnwire.events import (
    MalformedMessage,
    Response,
    ResponseCompletedEvent,
    decode_event,
    encode,
)
from turnwire.io.describing import describe, describe_dial
from turnwire.io.endpoint import SignInFailed
from turnwire.io.websocket import UpgradeRefused, WebSocket, open_session

if TYPE_CHECKING:
    import ssl
    from collections.abc import AsyncGenerator, AsyncIterator, Callable, Sequence

    from turnwire.core.failure import CloseInfo
    from turnwire.events import Event
    from turnwire.io.endpoint import ApiKey, Endpoint

_log: Final = logging.getLogger("turnwire")
_CLOSED: Final = "the connection is closed"
_GOOD_ENDS: Final = (1000, 1001, 1005)

_Waiting = asyncio.Future[Response] | None  # a warm-up's caller, or nobody


class Connection:
    """One open socket; made by :func:`connect`.

    Iterate it for events.  The iteration ends when this side closes, or when the server closes
    while no turn is under way; otherwise it raises.

    Attributes:
        previous_response_id: The last response that completed here, warm-ups included.
    """

    def __init__(self, socket: WebSocket, buffer_bytes: int) -> None:
        self.previous_response_id: str | None = None
        self._socket = socket
        self._buffer_bytes = buffer_bytes
        self._buffered_bytes = 0
        self._events: deque[Event] = deque()
        self._changed = asyncio.Event()
        self._handlers: list[Callable[[Event], object]] = []
        self._under_way: dict[str | None, deque[_Waiting]] = {}
        self._ended = False
        self._error: TurnwireError | None = None
        self._close_code = 1000  # what will be said when closing
        self._hanging_up: asyncio.Task[None] | None = None
        self._reader = asyncio.create_task(self._read(), name="turnwire-connection")

    @property
    def is_open(self) -> bool:
        """True while messages can be sent."""
        return not self._ended

    def on_event(self, handler: Callable[[Event], object]) -> Callable[[], None]:
        """Call ``handler`` with every event as it arrives; return a function that undoes this.

        An exception in a handler is logged and disturbs nothing else.

        Raises:
            ConfigError: ``handler`` would have to be awaited.
        """
        checked_listener(handler)
        self._handlers.append(handler)

        def unsubscribe() -> None:
            if handler in self._handlers:
                self._handlers.remove(handler)

        return unsubscribe

    async def send(self, event: Mapping[str, Any]) -> None:
        """Write one client event, such as ``{"type": "response.create", …}``.

        Raises:
            ConfigError: It is no dict, has no ``type``, or JSON cannot hold it.
            ConnectionLost: The socket is closed; nothing was sent.
        """
        await self._send(event, None)

    async def warm_up(
        self,
        *,
        model: str,
        tools: Sequence[Mapping[str, Any]] | None = None,
        instructions: str | None = None,
        **params: Any,
    ) -> Response:
        """Have the server read tools, instructions and input without running the model.

        Its events go to handlers only, not into the iteration.

        Raises:
            TurnError: The server refused.
            ConnectionLost: The socket closed first.
        """
        given = {"model": model, "tools": tools, "instructions": instructions, **params}
        event = {name: value for name, value in given.items() if value is not None}
        waiting: asyncio.Future[Response] = asyncio.get_running_loop().create_future()
        await self._send({"type": "response.create", "generate": False, **event}, waiting)
        return await waiting

    async def _send(self, event: Mapping[str, Any], waiting: _Waiting) -> None:
        given = cast("object", event)
        if not isinstance(given, Mapping):
            raise ConfigError(
                f'an event must be a dict such as {{"type": "response.create", …}},'
                f" not {type(given).__name__}"
            )
        kind = event.get("type")
        if not isinstance(kind, str):
            raise ConfigError('an event needs a `type`, such as "response.create"')
        if self._ended:
            raise self._lasting_error() or ConnectionLost(_CLOSED, close_code=None)
        try:
            data = encode(event)
        except (TypeError, ValueError) as error:
            raise ConfigError(f"the event cannot be sent as JSON: {error}") from error
        if kind == "response.create":
            # Before the write: from here on an answer may come.
            self._under_way.setdefault(event.get("stream_id"), deque()).append(waiting)
        try:
            await self._socket.send_now(data)
        except (aiohttp.ClientError, OSError) as error:
            message = f"the socket failed: {describe(error)}"
            raise ConnectionLost(message, close_code=1006) from error

    def __aiter__(self) -> AsyncIterator[Event]:
        return self

    async def __anext__(self) -> Event:
        while not self._events:
            if self._ended:
                raise self._lasting_error() or StopAsyncIteration
            self._changed.clear()
            await self._changed.wait()
        event = self._events.popleft()
        self._buffered_bytes -= len(event.raw)
        return event

    def _lasting_error(self) -> TurnwireError | None:
        """Return the error of the connection: a new one for each who is told."""
        return copy(self._error)

    async def aclose(self) -> None:
        """Close the socket; takes at most a second.  Calling it again does nothing."""
        if not self._ended:
            self._end(None)
        await self._socket.close(self._close_code)
        self._reader.cancel()
        tasks = [task for task in (self._reader, self._hanging_up) if task is not None]
        await asyncio.gather(*tasks, return_exceptions=True)

    # The reader runs all the time, so that pings are answered while nobody iterates.

    async def _read(self) -> None:
        close = await self._socket.read(self._received, self._malformed)
        if not self._ended:
            self._end(self._lost(close))
        await self._socket.close(self._close_code)  # this side's half of the goodbyes

    def _received(self, data: bytes) -> None:
        if self._ended:
            return
        try:
            event = decode_event(data)
        except MalformedMessage as error:
            self._malformed(str(error))
            return
        if isinstance(event, ResponseCompletedEvent) and event.response.id:
            self.previous_response_id = event.response.id
        for handler in tuple(self._handlers):
            try:
                handler(event)
            except Exception:  # noqa: BLE001  # user code must not end the reader
                _log.exception("an on_event handler failed")
        if not self._belongs_to_warm_up(event):
            self._put(event)

    def _belongs_to_warm_up(self, event: Event) -> bool:
        turns = self._turns_of(event)
        if not turns:
            return False
        waiting = turns[0]
        signal = signal_of(event)
        if signal in TERMINAL_SIGNALS:
            turns.popleft()
            if waiting is not None and not waiting.done():
                _answer(waiting, event, failed=signal is TurnSignal.FAIL)
        return waiting is not None

    def _turns_of(self, event: Event) -> deque[_Waiting] | None:
        """Find the turns of an event's lane.

        Servers without lanes echo no name, and nobody echoes a bad one: if only one lane is busy,
        an event without a name is of that one.
        """
        turns = self._under_way.get(event.stream_id)
        if turns or event.stream_id is not None:
            return turns
        busy = [each for each in self._under_way.values() if each]
        return busy[0] if len(busy) == 1 else None

    def _put(self, event: Event) -> None:
        self._events.append(event)
        self._buffered_bytes += len(event.raw)
        self._changed.set()
        if self._buffered_bytes > self._buffer_bytes:
            message = (
                f"{self._buffer_bytes} bytes of events were not read;"
                " read them faster, or raise `buffer_bytes`"
            )
            self._fail(SlowConsumer(message, limit_bytes=self._buffer_bytes), 1008)

    def _malformed(self, what: str) -> None:
        self._fail(ProtocolError(f"the server broke the protocol: {what}"), 1002)

    def _fail(self, error: TurnwireError, code: int) -> None:
        if not self._ended:
            self._end(error)
            self._close_code = code
            self._hanging_up = asyncio.create_task(self._socket.close(code), name="turnwire-close")

    def _lost(self, close: CloseInfo) -> TurnwireError | None:
        turns = sum(map(len, self._under_way.values()))
        if not turns and close.code in _GOOD_ENDS:
            return None
        reason = f" ({close.reason})" if close.reason else ""
        return ConnectionLost(
            f"the socket closed with code {close.code}{reason} and {turns} unfinished turns",
            close_code=close.code,
            close_reason=close.reason,
        )

    def _end(self, error: TurnwireError | None) -> None:
        self._ended, self._error = True, error
        self._changed.set()
        for turns in self._under_way.values():
            for waiting in turns:
                if waiting is not None and not waiting.done():
                    gone = ConnectionLost("the socket closed during the warm-up", close_code=None)
                    waiting.set_exception(copy(error) or gone)


def _answer(waiting: asyncio.Future[Response], event: Event, *, failed: bool) -> None:
    if failed:
        waiting.set_exception(server_error(failure_of_event(event)))
    else:
        response = getattr(event, "response", None)
        waiting.set_result(response if isinstance(response, Response) else Response())


@asynccontextmanager
async def connect(
    *,
    api_key: ApiKey | None = None,
    url: str | None = None,
    base_url: str | None = None,
    default_headers: Mapping[str, str] | None = None,
    timeout: float = 5.0,  # the field's name for the dial's limit
    ping_interval: float | None = 20.0,
    buffer_bytes: int = 16 * 2**20,
    proxy: str | None = None,
    ssl_context: ssl.SSLContext | None = None,
    trust_env: bool = True,
) -> AsyncGenerator[Connection]:
    """Open one socket and close it at the end of the block.

    Args:
        api_key: A key or a callable; by default ``OPENAI_API_KEY``.
        url: The socket's URL, such as ``wss://host/v1/responses``.
        base_url: Or the base that the official SDK takes; by default ``OPENAI_BASE_URL``.
        default_headers: Sent with the upgrade.
        timeout: Seconds for the dial, the function that returns the key included.
        ping_interval: Seconds without any data after which a ping is sent; after half as many more
            without any data the connection is lost.  None for no pings.
        buffer_bytes: How much may wait to be read before the connection fails.
        proxy: An HTTP proxy; by default the environment's, and an empty text for none.
        ssl_context: Whom to trust and as whom to appear; by default what Python trusts by itself.
        trust_env: Whether ``HTTPS_PROXY``, ``NO_PROXY`` and their like are heeded.

    Raises:
        ConfigError: No key for a server that needs one, a URL that is none, or an argument that
            is no number.
        DialError: The server refused (``status``, ``body``) or could not be reached.
        DialTimeout: It did not answer in time.
    """
    endpoint = endpoint_of(
        api_key=api_key,
        base_url=base_url if url is None else url,
        default_headers=default_headers,
        proxy=proxy,
        ssl_context=ssl_context,
        trust_env=trust_env,
    )
    checked_seconds("timeout", timeout)
    checked_limit("ping_interval", ping_interval)
    checked_count("buffer_bytes", buffer_bytes)
    async with open_session(endpoint.ssl_context) as session:
        socket = await _dial(session, endpoint, timeout, ping_interval)
        connection = Connection(socket, buffer_bytes)
        try:
            yield connection
        finally:
            await connection.aclose()


async def _dial(
    session: aiohttp.ClientSession, endpoint: Endpoint, seconds: float, heartbeat: float | None
) -> WebSocket:
    try:
        async with asyncio.timeout(seconds):
            headers, credential = await endpoint.sign_in()
            return await WebSocket.dial(
                session,
                endpoint.url,
                headers,
                credential,
                heartbeat=heartbeat,
                proxy=endpoint.proxy,
            )
    except UpgradeRefused as refused:
        status, fields, body = refused.refusal
        said = failure_of_json(body, "no reason given")
        message = f"the server refused the upgrade with HTTP {status}: {said.message}"
        raise dial_error(
            Failure(FailureKind.REFUSED, message, status=status, headers=fields, body=body)
        ) from None
    except TimeoutError:
        raise DialTimeout(
            f"the server did not answer the dial within {seconds:g} s (`timeout`)"
        ) from None
    except SignInFailed as error:
        raise dial_error(Failure(FailureKind.DIAL, str(error))) from error
    except (aiohttp.ClientError, OSError) as error:
        message = f"the server could not be reached: {describe_dial(error, endpoint.proxy)}"
        raise dial_error(Failure(FailureKind.DIAL, message)) from None  # it may name the whole URL
