"""Streams for the sessions of an agent runner, over one client."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any, Protocol, Unpack

from turnwire.agent_stream.falling_back import Refusals
from turnwire.agent_stream.options import StreamOptions, options_of, params_of, transport_of
from turnwire.agent_stream.reading import read_context, read_messages, read_model
from turnwire.agent_stream.running import Asked, Run
from turnwire.agent_stream.sessions import Sessions
from turnwire.agent_stream.stream import AgentStream
from turnwire.client.aio import AsyncClient
from turnwire.client.checking import checked_count, checked_limit
from turnwire.client.options import checked_unanswered
from turnwire.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from types import TracebackType
    from typing import Self

    from turnwire.agent_stream.falling_back import FallBack
    from turnwire.agent_stream.messages import Context, Model
    from turnwire.agent_stream.options import Transport, TransportWord
    from turnwire.core.answers import Unanswered
    from turnwire.io.endpoint import ApiKey


class StreamFn(Protocol):
    """A stream function: what an agent runner calls for each answer of one session."""

    def __call__(
        self,
        model: str | Model | Mapping[str, Any],
        context: Context | Mapping[str, Any],
        options: Mapping[str, Any] | None = None,
    ) -> AgentStream:
        """Return the stream of an answer."""
        ...


class AgentStreams:
    """Stream functions for agent runners; it owns their sessions.

    Each stream is given the whole history.  A session remembers what the server has of it, so
    that only what is new goes out; where the history was changed, everything does.  Sessions
    share the client's sockets.  Use it in one event loop.

    Args:
        api_key: As the client's.
        base_url: As the client's.
        client: Instead of those two, a client with options of your own; it stays yours to close.
        transport: ``auto``: WebSocket, and HTTP where that does not work; ``websocket``; or
            ``sse``, which ``http`` means too.
        fall_back: Your own HTTP: a function of model, context, options and the reason, that
            returns an async iterator of events.  By default the client's HTTP is used.
        unanswered_calls: What to do about tool calls without a result: ``stub`` (the default) one
            that says so, ``drop`` them, ``error`` or ``send`` them as they are.
        max_sessions: Sessions at most (256); the one used longest ago is forgotten.
        idle_timeout: Seconds after which a session is forgotten (300); None for never.  It is
            looked at whenever a stream begins.
        clock: What tells the time in seconds.

    Raises:
        ConfigError: An argument is wrong.
    """

    def __init__(
        self,
        *,
        api_key: ApiKey | None = None,
        base_url: str | None = None,
        client: AsyncClient | None = None,
        transport: TransportWord = "auto",
        fall_back: FallBack | None = None,
        unanswered_calls: Unanswered = "stub",
        max_sessions: int = 256,
        idle_timeout: float | None = 300.0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        if client is not None and not (api_key is None and base_url is None):
            raise ConfigError("give either `client`, or `api_key` and `base_url`")
        self._owns_client = client is None
        self._client = client or AsyncClient(api_key=api_key, base_url=base_url)
        self._transport: Transport = transport_of(transport)
        self._fall_back = fall_back
        self._unanswered_calls: Unanswered = checked_unanswered(unanswered_calls)
        self._refusals = Refusals(clock)
        self._sessions = Sessions(
            checked_count("max_sessions", max_sessions),
            checked_limit("idle_timeout", idle_timeout),
            clock,
        )

    def stream(
        self,
        model: str | Model | Mapping[str, Any],
        context: Context | Mapping[str, Any],
        options: Mapping[str, Any] | None = None,
        *,
        session_id: str,
        **named: Unpack[StreamOptions],
    ) -> AgentStream:
        """Return the stream of the next answer in a session; it begins when it is read.

        Args:
            model: Its id, or a model.
            context: The whole history, with system prompt and tools.
            options: Options as a dict, also under the names of pi-ai.
            session_id: Names the session.
            **named: The same options by name; see :class:`StreamOptions`.

        Raises:
            ConfigError: An argument is wrong; what goes wrong later is an event.
        """
        checked = options_of(self._transport, options, named)
        read = read_context(context)
        asked = Asked(
            model=read_model(model),
            context=read,
            messages=read_messages(read.messages),
            options=checked,
            fall_back=self._fall_back,
            unanswered_calls=self._unanswered_calls,
            timestamp=time.time_ns() // 1_000_000,
        )
        params_of(asked.model, asked.context, checked)  # what is wrong with them is said here
        run = Run(self._client, self._refusals, self._sessions, session_id, asked)
        return AgentStream(run.events())

    def stream_fn(self, session_id: str) -> StreamFn:
        """Return the stream function of one session, for a runner that knows no sessions."""

        def stream(
            model: str | Model | Mapping[str, Any],
            context: Context | Mapping[str, Any],
            options: Mapping[str, Any] | None = None,
        ) -> AgentStream:
            return self.stream(model, context, options, session_id=session_id)

        return stream

    async def warm_up(
        self,
        model: str | Model | Mapping[str, Any],
        context: Context | Mapping[str, Any],
        options: Mapping[str, Any] | None = None,
        *,
        session_id: str,
        **named: Unpack[StreamOptions],
    ) -> None:
        """Open a socket and have the server read instructions and tools before there is a question.

        Arguments are those of :meth:`stream`; messages are not sent.  It is done once for a
        session, takes 8 seconds at most, and a failure is logged and costs nothing else.
        Cancelling it cancels the warm-up.

        Raises:
            ConfigError: An argument is wrong, or the streams are closed.
            TurnwireError: There are too many sessions.
        """
        checked = options_of(self._transport, options, named)
        params = params_of(read_model(model), read_context(context), checked)
        session = self._sessions.use(session_id)
        if checked.transport != "http":
            await session.warm_up(session.chain(self._client, params, self._unanswered_calls))

    async def release(self, session_id: str) -> None:
        """Forget a session, if it is known; streams of it that run end as ``aborted``."""
        await self._sessions.release(session_id)

    def has_live(self, session_id: str) -> bool:
        """Say whether a session's last turn ended well on a socket, and sockets are open."""
        session = self._sessions.find(session_id)
        if session is None or not session.is_live:
            return False
        return self._client.statistics().sockets > 0

    async def aclose(self) -> None:
        """Release all sessions, and close the client unless it is yours."""
        await self._sessions.aclose()
        if self._owns_client:
            await self._client.aclose()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.aclose()
