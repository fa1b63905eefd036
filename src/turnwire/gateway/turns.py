"""One turn, from a create to its terminal event: the one way for WebSocket, SSE and JSON alike."""

from __future__ import annotations

import asyncio
import logging
import secrets
import time
from contextlib import aclosing
from typing import TYPE_CHECKING

from turnwire.core.serving import error_event
from turnwire.events import encode
from turnwire.gateway.context import Context, Prompt, dead_end
from turnwire.gateway.items import check_answers, whole_items, without_repeats
from turnwire.gateway.parameters import Parameters, read_parameters
from turnwire.gateway.refusal import RequestRefused
from turnwire.gateway.responder import Responder
from turnwire.gateway.response import new_response
from turnwire.gateway.tokens import estimated_usage
from turnwire.gateway.upstreams import Upstream, UpstreamFailed
from turnwire.gateway.upstreams.deltas import Finished

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable

    from turnwire.gateway.json_shapes import Json
    from turnwire.gateway.statistics import Statistics
    from turnwire.gateway.store import Store
    from turnwire.gateway.store.event_log import EventLog, EventLogs


_log = logging.getLogger(__name__)


def new_id(prefix: str) -> str:
    """Return an id that nobody can guess."""
    return f"{prefix}_{secrets.token_hex(16)}"


class Turns:
    """Runs turns against one upstream and one store.

    Args:
        logs: Where the events of stored turns can be fetched.
        clock: Returns the Unix time, for ``created_at`` and ``completed_at``.
    """

    def __init__(
        self,
        upstream: Upstream,
        store: Store,
        statistics: Statistics,
        logs: EventLogs,
        *,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._upstream = upstream
        self._store = store
        self._statistics = statistics
        self._logs = logs
        self._clock = clock

    async def events(
        self,
        request: Json,
        log: EventLog,
        *,
        cached_parent: Context | None = None,
        remember: Callable[[Context], None] | None = None,
        default_model: str | None = None,
    ) -> AsyncGenerator[Json]:
        """Yield the turn's events, the last one terminal, without numbers and without a lane.

        A request that cannot be served yields one ``error`` event.

        Args:
            request: The create, as it came.
            log: A new one, of whoever sent the create; gets the events of a stored turn.
            cached_parent: The chain that it continues, if the socket holds it.
            remember: Called with the chain before the terminal event of a turn that can be
                continued.
            default_model: Used if the create names none.
        """
        self._statistics.turns += 1
        events = self._events(request, log, cached_parent, remember, default_model)
        try:
            async with aclosing(events):
                async for event in events:
                    self._logs.add(log, event)
                    yield event
        finally:
            self._logs.end(log)

    async def _events(
        self,
        request: Json,
        log: EventLog,
        cached_parent: Context | None,
        remember: Callable[[Context], None] | None,
        default_model: str | None,
    ) -> AsyncGenerator[Json]:
        try:
            parameters = read_parameters(request, default_model=default_model)
            prompt = await self._prompt(parameters, cached_parent, log.owner)
        except RequestRefused as refusal:
            self._statistics.turns_refused += 1
            yield refusal.event()
            return
        response = new_response(new_id("resp"), int(self._clock()), parameters)
        if parameters.store:
            self._logs.begin(log, response)
        responder = Responder(response, new_id)
        for event in responder.begin():
            yield event
        run = self._warm_up if parameters.warm_up else self._run_model
        started = False
        try:
            async with aclosing(run(prompt, responder)) as model_events:
                async for event in model_events:
                    started = True
                    yield event
            events, terminal = self._ending(responder)
        except UpstreamFailed as failure:
            events, terminal = responder.fail(str(failure), "server_error")
            if not started:
                await self._keep(parameters, log, dead_end(terminal["response"], log.owner))
                yield error_event(
                    str(failure),
                    status=failure.status,
                    kind="server_error",
                    code=failure.code,
                    headers=failure.headers,
                )
                return
        for event in events:
            yield event
        if terminal["type"] == "response.failed":
            await self._keep(parameters, log, dead_end(terminal["response"], log.owner))
        else:
            context = prompt.answered(terminal["response"], log.owner)
            await self._keep(parameters, log, context)
            if remember is not None:
                remember(context)
        yield terminal

    async def _keep(self, parameters: Parameters, log: EventLog, context: Context) -> None:
        if parameters.store and not log.forgotten:
            await self._store.put(context)

    def _ending(self, responder: Responder) -> tuple[list[Json], Json]:
        if responder.finish is None:
            return responder.fail("The model's stream was cut before its end.", "server_error")
        return responder.end(int(self._clock()))

    async def _prompt(self, parameters: Parameters, parent: Context | None, owner: str) -> Prompt:
        parent_id = parameters.previous_response_id
        if parent_id is not None and parent is None:
            parent = await self._store.get(parent_id)
            if parent is None or parent.owner != owner or parent.dead_end:
                raise RequestRefused(
                    "The previous response is not here. Send the full input without"
                    " `previous_response_id`.",
                    code="previous_response_not_found",
                    param="previous_response_id",
                )
        items = whole_items(parameters.input)
        if parent is not None:
            items = without_repeats(items, parent.output_items())
        check_answers(parent.pending if parent else (), items)
        return Prompt(
            parameters=parameters,
            parent=parent,
            items=items,
            encoded=tuple(encode(item) for item in items),
        )

    async def _warm_up(self, prompt: Prompt, responder: Responder) -> AsyncGenerator[Json]:
        """Keep the input as a link of the chain; no model is asked (interop rule R9)."""
        for delta in (estimated_usage(prompt), Finished()):
            for event in responder.feed(delta):
                yield event

    async def _run_model(self, prompt: Prompt, responder: Responder) -> AsyncGenerator[Json]:
        """Run the model and yield the events of what it says."""
        statistics = self._statistics
        statistics.model_runs += 1
        statistics.model_runs_active += 1
        deltas = self._upstream.generate(prompt)
        try:
            async for delta in deltas:
                for event in responder.feed(delta):
                    yield event
        except (asyncio.CancelledError, GeneratorExit):
            statistics.model_runs_stopped += 1
            raise
        except UpstreamFailed:
            raise
        except Exception as error:
            _log.exception("the upstream raised an unexpected error")
            raise UpstreamFailed(
                "The model run failed.", status=500, code="server_error"
            ) from error
        finally:
            statistics.model_runs_active -= 1
            close = getattr(deltas, "aclose", None)
            if close is not None:
                await close()
