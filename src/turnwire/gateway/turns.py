"""One turn, from a create to its terminal event: the one way for WebSocket, SSE and JSON alike."""

from __future__ import annotations

import asyncio
import logging
import secrets
import time
from contextlib import aclosing
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from turnwire.core.serving import error_event
from turnwire.events import encode
from turnwire.gateway.access.limited import within
from turnwire.gateway.config.settings import MIB
from turnwire.gateway.context import Context, Prompt, dead_end
from turnwire.gateway.input.compaction import with_summaries
from turnwire.gateway.input.items import check_answers, whole_items, without_repeats
from turnwire.gateway.input.parameters import Parameters, read_parameters
from turnwire.gateway.input.tokens import estimated_usage
from turnwire.gateway.interruption import Interruption
from turnwire.gateway.output.answer import Answer
from turnwire.gateway.output.meter import Meter
from turnwire.gateway.output.response import new_response
from turnwire.gateway.refusal import RequestRefused
from turnwire.gateway.store import StoreUnavailable
from turnwire.gateway.upstreams import Upstream, UpstreamFailed
from turnwire.gateway.upstreams.deltas import Finished

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable

    from turnwire.gateway.access.limits import Allowance
    from turnwire.gateway.json_shapes import Json
    from turnwire.gateway.observing import TurnWatch
    from turnwire.gateway.observing.statistics import Statistics
    from turnwire.gateway.store import Store
    from turnwire.gateway.store.event_log import EventLog, EventLogs


_log = logging.getLogger(__name__)

# What cannot be continued, and is kept for those who ask how it went.
_DEAD_ENDS: Final = frozenset({"failed", "cancelled"})


def new_id(prefix: str) -> str:
    """Return an id that nobody can guess."""
    return f"{prefix}_{secrets.token_hex(16)}"


class Turns:
    """Runs turns against one upstream and one store.

    Args:
        logs: Where the events of stored turns can be fetched.
        max_output_bytes: What a model may say in one turn.
        clock: Returns the Unix time, for ``created_at`` and ``completed_at``.
    """

    def __init__(
        self,
        upstream: Upstream,
        store: Store,
        statistics: Statistics,
        logs: EventLogs,
        *,
        max_output_bytes: int = 64 * MIB,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._upstream = upstream
        self._store = store
        self._statistics = statistics
        self._logs = logs
        self._max_output_bytes = max_output_bytes
        self._clock = clock

    def can_steer(self, request: Json) -> bool:
        """Say whether the turn of a create can be interrupted between two items now."""
        by_model: Callable[[str], bool] | None = getattr(self._upstream, "steers_model", None)
        if by_model is not None:
            return by_model(str(request.get("model", "")))
        return bool(getattr(self._upstream, "steers", True))

    async def events(
        self,
        request: Json,
        log: EventLog,
        *,
        cached_parent: Context | None = None,
        remember: Callable[[Context], None] | None = None,
        default_model: str | None = None,
        watch: TurnWatch | None = None,
        allowance: Allowance | None = None,
        interruption: Interruption | None = None,
        credential: str | None = None,
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
            watch: Told how the turn goes.
            allowance: What the key may use that the create came with.
            interruption: Lets others end the turn early.
            credential: The key that came with the create, for an upstream that wants it.
        """
        self._statistics.turns += 1
        if watch is not None:
            watch.began()
        interruption = interruption or Interruption()
        if getattr(self._upstream, "credentials", "gateway") != "client":
            credential = None
        meter = Meter(self._max_output_bytes)
        events = self._events(
            request,
            log,
            meter,
            cached_parent=cached_parent,
            remember=remember,
            default_model=default_model,
            watch=watch,
            interruption=interruption,
            credential=credential,
        )
        if allowance is not None:
            events = within(allowance, events, self._statistics, meter)
        try:
            async with aclosing(events):
                async for event in events:
                    self._logs.add(log, event)
                    if watch is not None:
                        watch.shown(event)
                    yield event
        finally:
            self._logs.end(log)
            if watch is not None:
                watch.ended(meter.estimated_tokens())

    async def _events(
        self,
        request: Json,
        log: EventLog,
        meter: Meter,
        *,
        cached_parent: Context | None,
        remember: Callable[[Context], None] | None,
        default_model: str | None,
        watch: TurnWatch | None,
        interruption: Interruption,
        credential: str | None,
    ) -> AsyncGenerator[Json]:
        try:
            parameters = read_parameters(
                request,
                default_model=default_model,
                compacts=getattr(self._upstream, "compacts", False),
            )
            prompt = await self._prompt(parameters, cached_parent, log.owner)
            if watch is not None:
                watch.asked(prompt)
        except RequestRefused as refusal:
            self._statistics.turns_refused += 1
            yield refusal.event()
            return
        response = new_response(new_id("resp"), int(self._clock()), parameters)
        log.prompt, log.cancel = prompt, interruption.cancel
        if parameters.store:
            self._logs.begin(log, response)
        responder = Answer(response, new_id)
        for event in responder.begin():
            yield event
        run = self._warm_up if parameters.warm_up else self._run_model
        started = False
        try:
            asked = replace(
                prompt,
                response_id=response["id"],
                credential=credential,  # in no other place
                note_upstream=watch.at_upstream if watch is not None else prompt.note_upstream,
            )
            async with aclosing(run(asked, responder, interruption, meter)) as model_events:
                async for event in model_events:
                    started = True
                    yield event
            events, terminal = self._ending(responder, interruption)
        except UpstreamFailed as failure:
            events, terminal = responder.fail(str(failure), failure.response_code)
            if not started:
                meter.spare()
                await self._keep(parameters, log, dead_end(terminal["response"], log.owner))
                yield error_event(
                    str(failure),
                    status=failure.status,
                    kind=failure.kind,
                    code=failure.code,
                    param=failure.param,
                    headers=failure.headers,
                )
                return
        for event in events:
            yield event
        unkept = await self._leave(prompt, log, terminal["response"], remember)
        yield terminal if unkept is None else unkept.event()

    async def _leave(
        self,
        prompt: Prompt,
        log: EventLog,
        response: Json,
        remember: Callable[[Context], None] | None,
    ) -> RequestRefused | None:
        """Keep what a turn leaves behind; return what to say if that cannot be."""
        if response["status"] in _DEAD_ENDS:
            await self._keep(prompt.parameters, log, dead_end(response, log.owner))
            return None
        context = prompt.answered(response, log.owner)
        unkept = await self._keep(prompt.parameters, log, context)
        if unkept is None and remember is not None:
            remember(context)
        return unkept

    async def _keep(
        self, parameters: Parameters, log: EventLog, context: Context
    ) -> RequestRefused | None:
        """Store a response if that is wanted; return what to say if the store does not answer."""
        if parameters.store and not log.forgotten:
            try:
                await self._store.put(context)
            except StoreUnavailable:
                return StoreUnavailable(
                    "The model has answered, but the response could not be stored. Try again"
                    " later, or with `store: false`."
                )
        return None

    def _ending(self, responder: Answer, interruption: Interruption) -> tuple[list[Json], Json]:
        if interruption.outcome == "cancelled":
            return responder.cancelled()
        if responder.finish is None:
            return responder.fail("The model's stream was cut before its end.", "server_error")
        return responder.end(int(self._clock()))

    async def _prompt(self, parameters: Parameters, parent: Context | None, owner: str) -> Prompt:
        parent_id = parameters.previous_response_id
        if parameters.store:
            await self._store.check()  # before a model run is spent on what cannot be kept
        if parent_id is not None and parent is None:
            parent = await self._store.get(parent_id, owner)
            if parent is None or parent.dead_end:
                raise RequestRefused(
                    "The previous response is not here. Send the full input without"
                    " `previous_response_id`.",
                    code="previous_response_not_found",
                    param="previous_response_id",
                )
        items = with_summaries(
            whole_items(parameters.input), foreign=getattr(self._upstream, "compacts", False)
        )
        if parent is not None:
            items = without_repeats(items, parent.output_items())
        check_answers(parent.pending if parent else (), items)
        return Prompt(
            parameters=parameters,
            parent=parent,
            items=items,
            encoded=tuple(encode(item) for item in items),
            owner=owner,
        )

    async def _warm_up(
        self, prompt: Prompt, responder: Answer, _: Interruption, _meter: Meter
    ) -> AsyncGenerator[Json]:
        """Keep the input as a link of the chain; no model is asked (interop rule R9)."""
        for delta in (estimated_usage(prompt), Finished()):
            for event in responder.feed(delta):
                yield event

    async def _run_model(
        self, prompt: Prompt, responder: Answer, interruption: Interruption, meter: Meter
    ) -> AsyncGenerator[Json]:
        """Run the model and yield the events of what it says."""
        statistics = self._statistics
        statistics.model_runs += 1
        statistics.model_runs_active += 1
        meter.began(prompt)
        deltas = self._upstream.generate(prompt)
        try:
            while (delta := await interruption.next_of(deltas, responder)) is not None:
                meter.add(delta)
                for event in responder.feed(delta):
                    yield event
                meter.check()
            statistics.model_runs_stopped += interruption.outcome is not None
            if interruption.outcome == "steered":
                for event in responder.steered():
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
