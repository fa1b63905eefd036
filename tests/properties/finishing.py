"""How turns end: each once, truthfully, and with nothing of an earlier attempt."""

from __future__ import annotations

from typing import TYPE_CHECKING

from properties.book import Head
from properties.invariants import require
from properties.messages import is_whole
from properties.steers import heard_by, note_given_up
from turnwire.core.failure import FailureKind

if TYPE_CHECKING:
    from properties.book import Asked
    from properties.ledger import Ledger
    from properties.service import Run
    from turnwire.core.actions import Finish

# Why a turn ends that may go on: what it was to send cannot be sent, or there is no key.
ITS_OWN_FAULT = (FailureKind.UNANSWERED, FailureKind.TOO_LARGE, FailureKind.SIGN_IN)


def note_end(ledger: Ledger, asked: Asked, finish: Finish) -> None:
    """Check how a turn ended, and write it down."""
    asked.finish = finish
    asked.fetching = False
    run = asked.last
    if run is not None and finish.failure is not None and finish.failure.kind in ITS_OWN_FAULT:
        run.recovered |= run.leave  # it went on, and then met its own end
    if run is not None and run.between is not None:
        note_given_up(ledger, asked, run, finish)
    ended_well = run is not None and run.ended in ("completed", "incomplete") and run.told_end
    if asked.cancelled:
        require("a cancelled turn has no failure", finish.failure is None)
    else:
        claims = finish.failure is None
        require("only a terminal event is success", claims is ended_well, asked, finish)
    if ended_well and run is not None and not asked.cancelled:
        require("the final response is whole", is_whole(finish, run), finish, run.output)
    left = finish.response.output_raw if finish.response is not None else None
    text = b"".join(bytes(raw) for raw in left or ())
    old = [each.response_id for each in asked.runs[:-1] if each.response_id.encode() in text]
    require("nothing of an earlier attempt is handed out", not old, asked, old)
    _check_told(ledger, asked)
    _remember(asked, run)


def _check_told(ledger: Ledger, asked: Asked) -> None:
    told, counted = asked.turn.model_runs, ledger.service.model_runs[asked.mark]
    require("model runs", told == asked.perhaps_run, asked, told, asked.perhaps_run)
    require("every model run is counted", counted <= told, asked, counted, told)
    resends = max(0, len(asked.runs) - 1)
    require("resends are declared", asked.turn.resends == resends, asked.turn.resends, resends)


def _remember(asked: Asked, run: Run | None) -> None:
    """Write down what the chain's caller believes from now on."""
    history = asked.history
    if history is None or run is None:
        return
    history.head = None
    if run.ended in ("completed", "incomplete") and run.told_end and not asked.cancelled:
        history.items = [*heard_by(asked), *(output.terminal for output in run.output)]
        history.head = Head(run) if run.ended == "completed" else None
