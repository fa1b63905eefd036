"""One stream from its start to its one end, whatever happens in between."""

from __future__ import annotations

import logging
from contextlib import aclosing
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final, Literal

from turnwire.agent_stream.assistant import message_of
from turnwire.agent_stream.draft import Draft
from turnwire.agent_stream.events import DoneEvent, ErrorEvent, TurnReport
from turnwire.agent_stream.falling_back import reason_after, reason_before
from turnwire.agent_stream.options import changed_request, params_of
from turnwire.agent_stream.stopping import Stop, Stopped
from turnwire.errors import TurnwireError

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterator, Sequence

    from turnwire.agent_stream.events import AgentEvent
    from turnwire.agent_stream.falling_back import FallBack, Refusals
    from turnwire.agent_stream.messages import AssistantMessage, Context, Message, Model
    from turnwire.agent_stream.options import Options
    from turnwire.agent_stream.session import Session
    from turnwire.agent_stream.sessions import Sessions
    from turnwire.client.aio import AsyncClient
    from turnwire.client.turn import AsyncTurn
    from turnwire.core.answers import Unanswered
    from turnwire.core.chain import ChainMiss

_log: Final = logging.getLogger("turnwire")

_PREFERRED: Final = "preferred: WebSocket costs only what is new"


@dataclass(frozen=True, slots=True)
class Asked:
    """What one stream is asked to do.

    Attributes:
        model: Who is to answer.
        context: The whole history, as it was given.
        messages: The messages in it.
        options: Checked.
        fall_back: The caller's own HTTP, or None: then the client's.
        unanswered_calls: What to do about calls without a result.
        timestamp: Now, in milliseconds.
    """

    model: Model
    context: Context
    messages: Sequence[Message]
    options: Options
    fall_back: FallBack | None
    unanswered_calls: Unanswered
    timestamp: int


class Run:
    """One stream that runs.

    Args:
        client: Whose sockets it uses.
        refusals: Whether sockets could be opened lately.
        sessions: Where its session is, or will be.
        session_id: Which session.
        asked: What to do.
    """

    def __init__(
        self,
        client: AsyncClient,
        refusals: Refusals,
        sessions: Sessions,
        session_id: str,
        asked: Asked,
    ) -> None:
        self._client = client
        self._refusals = refusals
        self._sessions = sessions
        self._session_id = session_id
        self._asked = asked
        self._stop = Stop(asked.options.signal)
        self._draft = Draft(asked.model, asked.timestamp)
        self._miss: ChainMiss | None = None
        self._report: TurnReport | None = None  # of the caller's HTTP

    async def events(self) -> AsyncGenerator[AgentEvent]:
        """Iterate the events; the last one is ``done`` or ``error``, and there is one of them."""
        end: AgentEvent | None = None
        try:
            with self._sessions.used(self._session_id, self._stop) as session:
                async with aclosing(self._way(session)) as events:
                    async for event in events:
                        if isinstance(event, DoneEvent | ErrorEvent):
                            end = event
                            break
                        yield event
                        self._stop.check()
        except Stopped:
            end = self._error("aborted", "the stream was aborted", None)
        except Exception as error:  # noqa: BLE001  # also of the caller's functions: told, not thrown
            end = self._error("error", str(error) or type(error).__name__, error)
        finally:
            await self._stop.aclose()
        if end is not None:  # by now the session is ready for its next stream
            yield end

    async def _way(self, session: Session) -> AsyncGenerator[AgentEvent]:
        """Go over a socket or over HTTP, and over the caller's HTTP where sockets fail."""
        self._stop.check()
        fall_back, reason = self._asked.fall_back, None
        if fall_back is not None:
            reason = reason_before(self._asked.options, self._client.health(), self._refusals)
        if reason is None:
            try:
                async with aclosing(self._turn(session)) as events:
                    async for event in events:
                        yield event
            except TurnwireError as error:
                reason = self._reason_after(error)
                if reason is None:
                    raise
        if fall_back is not None and reason is not None:
            asked = self._asked
            self._report = TurnReport("http", reason)
            theirs = fall_back(asked.model, asked.context, asked.options, reason)
            async with aclosing(self._over_http(theirs)) as events:
                async for event in events:
                    yield event

    def _reason_after(self, error: TurnwireError) -> str | None:
        may = self._has_own_http and not self._was_written()
        reason = reason_after(error) if may else None
        if reason is not None:
            self._refusals.note(error, reason)
            _log.info("a stream goes over its caller's HTTP after a %s", type(error).__name__)
        return reason

    async def _over_http(self, events: AsyncIterator[AgentEvent]) -> AsyncGenerator[AgentEvent]:
        try:
            while True:
                event = await self._stop.race(_next(events))
                if event is None:
                    raise TurnwireError("the fallback ended without a `done` or `error` event")
                if isinstance(event, DoneEvent | ErrorEvent) and event.report is None:
                    event = replace(event, report=self._report)
                yield event
        finally:
            aclose = getattr(events, "aclose", None)
            if aclose is not None:
                await aclose()

    async def _turn(self, session: Session) -> AsyncGenerator[AgentEvent]:
        """Run the session's next turn."""
        asked, options = self._asked, self._asked.options
        self._miss = session.miss
        params = params_of(asked.model, asked.context, options)
        items, digest = session.history(asked.messages)
        if options.on_request is not None:
            whole = [item if isinstance(item, dict) else item.to_dict() for item in items]
            params, given = changed_request(params, whole, options.on_request)
            items = items if given is None else given
        chain = session.chain(self._client, params, asked.unanswered_calls)
        holds = False
        try:
            if options.warm_up and options.transport != "http":
                await self._stop.race(session.warm_up(chain))
            turn = chain.turn(
                history=items,
                transport="websocket" if self._has_own_http else options.transport,
                timeout=options.timeout,
                extra_body=params,
            )
            async with turn:
                self._stop.turn = turn
                while batch := await self._stop.race(turn.next_batch()):
                    for event in batch:
                        for made in self._draft.add(event):
                            yield made
            response = turn.response
            assert response is not None  # or reading would have raised
            message = message_of(response, asked.model, asked.timestamp)
            for made in self._draft.finish(message):
                yield made
            holds = response.status != "incomplete"
            if holds:
                on_socket = turn.transport == "websocket"
                session.completed(digest, message, response.output, on_socket=on_socket)
            yield DoneEvent(_reason(message), message, self._report_of(turn))
        finally:
            if not holds and self._was_written():
                session.begin_anew(chain)

    def _was_written(self) -> bool:
        """Say whether the server may have read anything of the turn; else its chain still holds."""
        return self._stop.turn is not None and self._stop.turn.sent_bytes > 0

    @property
    def _has_own_http(self) -> bool:
        """True if the caller's HTTP takes what the client's would take."""
        return self._asked.fall_back is not None and self._asked.options.transport == "auto"

    def _report_of(self, turn: AsyncTurn) -> TurnReport:
        report = TurnReport.of(turn, self._miss)
        return replace(report, transport_reason=_PREFERRED) if self._has_own_http else report

    def _error(
        self, reason: Literal["error", "aborted"], said: str, cause: Exception | None
    ) -> ErrorEvent:
        so_far = self._draft.snapshot(whole_calls=True).message()
        turn, report = self._stop.turn, self._report
        if report is None and turn is not None:
            report = self._report_of(turn)
        message = replace(so_far, stop_reason=reason, error_message=said)
        return ErrorEvent(reason, message, cause, report)


def _reason(message: AssistantMessage) -> Literal["stop", "length", "toolUse"]:
    match message.stop_reason:
        case "length" | "toolUse" as reason:
            return reason
        case _:
            return "stop"


async def _next(events: AsyncIterator[AgentEvent]) -> AgentEvent | None:
    return await anext(events, None)
