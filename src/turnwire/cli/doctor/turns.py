"""What happens on the socket: a ping, and creates that ask for no model run.

``generate: false`` has a server read a create without running the model:
docs/protocol/continuation.md.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import aiohttp

from turnwire.cli.doctor.findings import Skip, note, ok, problem
from turnwire.cli.doctor.line import LineEnded
from turnwire.cli.doctor.units import milliseconds, seconds_text
from turnwire.core.failure import is_lane_refusal, is_previous_response_not_found
from turnwire.io.describing import describe

if TYPE_CHECKING:
    from turnwire.cli.doctor.case import Case
    from turnwire.cli.doctor.findings import Result
    from turnwire.cli.doctor.line import Seen
    from turnwire.core.failure import Failure

LATE: Final = "the server takes creates and does not answer; turnwire waits 30 s for a first event"
_LANE: Final = "doctor"
_SHORT: Final = "Answer with the one word ok."  # in case a model runs although none was asked
_ONE_AT_A_TIME: Final = "turnwire puts one turn at a time on each socket instead"
# Not about the create: no other one would do better.
_ABOUT_THE_ACCOUNT: Final = frozenset({401, 402, 403, 429})


async def ping(case: Case) -> Result:
    """Send a ping and wait for its pong."""
    async with case.line() as line:
        limit = case.limits.pong
        case.turns_fail = "the socket does not last"
        try:
            seconds = await case.within(limit, line.ping())
        except (LineEnded, aiohttp.ClientError, OSError) as error:
            await case.hang_up()
            return problem(
                f"the server ended the socket: {case.quote(_words(error))}",
                "what it says may tell why; a proxy between may cut sockets off",
            )
        case.turns_fail = ""
        if seconds is None:
            await case.hang_up()
            return problem(
                f"no pong within {seconds_text(limit)}",
                "turnwire takes such a socket for dead: pass ping_interval=None, and beware of"
                " sockets that die unseen",
            )
        return ok(f"pong after {milliseconds(seconds)}", seconds=seconds)


async def warm_up(case: Case) -> Result:
    """Send a create that asks for no model run."""
    async with case.line() as line:
        model = _model(case)
        case.turn_was_tried = True
        case.turns_fail = "a create is not answered"
        began = case.clock()
        try:
            seen = await line.turn(_create(model))
        except (LineEnded, aiohttp.ClientError, OSError) as error:
            await case.hang_up()
            case.turns_fail = "the server ends the socket at a create"
            return problem(
                f"the server ended the socket: {case.quote(_words(error))}",
                "it may not know this model, or not speak this protocol",
            )
        case.turns_fail = ""
        seconds = case.clock() - began
        details: dict[str, Any] = {"model": case.quote(model), "model_source": case.model_source}
        if seen.failure is not None:
            await case.hang_up()  # some servers close after an error
            return _refused(case, seen.failure, details)
        details["seconds"] = seconds
        if seen.output:
            case.runs_anyway = True
            await case.hang_up()
            return problem(
                "answered with output although none was asked for: a model ran, and is billed",
                "do not call warm_up() with this server",
                **details,
                outcome="ran",
            )
        case.warmed_up = seen.response_id
        said = f"{case.quote(model)} ({case.model_source}): answered in {milliseconds(seconds)}"
        return ok(f"{said}, no model run", **details, outcome="works")


def _refused(case: Case, failure: Failure, details: dict[str, Any]) -> Result:
    status = "" if failure.status is None else f" with status {failure.status}"
    said = f"refused{status}: {case.quote(failure.message)}"
    details |= {"outcome": "refused", "status": failure.status, "code": failure.code}
    if failure.status in _ABOUT_THE_ACCOUNT or (failure.status or 0) >= 500:  # noqa: PLR2004
        case.key_refused = failure.status in {401, 403}
        return problem(said, "turns would be refused too: see what it says", **details)
    chosen = case.model_source == "the first of the list"
    return note(
        f"{said} (model {details['model']}, {case.model_source})",
        "name a model with --model: not every one of the list is for this API"
        if chosen
        else "turns may work all the same; do not call warm_up() with this server",
        **details,
    )


async def continuation(case: Case) -> Result:
    """Continue the warm-up by its id, on the socket that holds it."""
    _not_if_billed(case)
    async with case.line() as line:
        if not case.warmed_up:
            raise Skip("there is no response to continue: see the warm-up")
        linked: dict[str, Any] = {"previous_response_id": case.warmed_up, "input": []}
        create = _create(_model(case)) | linked
        seen = await line.turn(create)
        if seen.failure is None:
            return ok("the warm-up was continued by its id, nothing stored", outcome="works")
        await case.hang_up()
        lost = is_previous_response_not_found(seen.failure)
        why = "the server no longer knew the response" if lost else "refused"
        return note(
            f"{why}: {case.quote(seen.failure.message)}",
            "turnwire sends everything where it cannot continue; that costs what WebSocket mode"
            " would save",
            outcome="not found" if lost else "refused",
            code=seen.failure.code,
        )


async def lanes(case: Case) -> Result:
    """Send the warm-up with a ``stream_id`` and see what becomes of it."""
    _not_if_billed(case)
    if case.turns_fail:
        raise Skip("creates are not answered: see the warm-up")
    async with case.line() as line:
        seen = await line.turn(_create(_model(case)) | {"stream_id": _LANE})
        return _lanes(case, seen)


def _lanes(case: Case, seen: Seen) -> Result:
    if seen.lane == _LANE:
        return ok("echoed: turns can share a socket", outcome="echoed")
    if seen.failure is None:
        return note("ignored: no event has the stream_id", _ONE_AT_A_TIME, outcome="ignored")
    said = case.quote(seen.failure.message)
    if is_lane_refusal(seen.failure):
        return note(f"refused: {said}", _ONE_AT_A_TIME, outcome="refused")
    raise Skip(f"the create was refused for another reason: {said}")


def _create(model: str) -> dict[str, Any]:
    return {
        "model": model,
        "generate": False,
        "store": False,
        "input": [{"type": "message", "role": "user", "content": _SHORT}],
    }


def _model(case: Case) -> str:
    if case.model is None:
        raise Skip("no model is known: name one with --model")
    return case.model


def _not_if_billed(case: Case) -> None:
    if case.runs_anyway:
        raise Skip("the server would run a model, and bill it: see the warm-up")


def _words(error: Exception) -> str:
    return str(error) if isinstance(error, LineEnded) else describe(error)
