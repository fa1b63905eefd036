"""What is said to turns that run: as it was said, and what the wire made of it.

No state here is ever asked of the pool: each comes from what was written and what was heard, and is
then compared with what the pool tells.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import msgspec

from properties.gauges import LATE
from properties.invariants import require
from turnwire.core.failure import FailureKind
from turnwire.core.history import HistoryItem

if TYPE_CHECKING:
    from collections.abc import Callable

    from properties.book import Asked
    from properties.items import Json
    from properties.ledger import Ledger
    from properties.service import Run, Socket
    from turnwire.core.actions import Finish
    from turnwire.core.steer import Steer

ENDED = ("committed", "failed", "unknown")
ALIVE = ("submitted", "accepted", "pending")
LIFECYCLE = ("response.created", "response.in_progress")


@dataclass(eq=False, repr=False)
class Said:
    """One steer."""

    steer: Steer
    asked: Asked
    mark: str
    item: Json
    weight: int
    state: str = "waiting"
    target: str | None = None
    connection: int | None = None
    lane: str | None = None
    steer_id: str | None = None
    successor: str | None = None
    told_end: bool = False

    def __repr__(self) -> str:
        return f"{self.mark}:{self.state}"


# What the caller does.


def say(ledger: Ledger, asked: Asked, mark: str) -> Said | None:
    """Say something to a turn."""
    item = {"type": "message", "role": "user", "content": mark}
    given = HistoryItem.of(item)
    weight = len(given.encoded)
    fits = ledger.has_room(weight)
    steer = ledger.pool.steer(asked.turn, [given], ledger.now)
    require("queue bytes: a steer is taken if and only if it fits", (steer is not None) is fits)
    if steer is None:
        return None
    said = ledger.said[steer.id] = Said(steer, asked, mark, item, weight)
    if not asked.live or _is_over_http(asked):
        said.state = "failed"
    ledger.perform()
    return said


def _is_over_http(asked: Asked) -> bool:
    """Say whether a turn runs where nothing can be said to it, and that is known."""
    run = asked.last
    began = run is not None and not run.unread and run.http and run.wired
    return bool(asked.fetching or began)


# What the pool does.


def _message(said: Said, run: Run) -> Json:
    return {
        "type": "response.steer",
        "previous_response_id": run.response_id,
        "input": [said.item],
    }


def note_sent(
    ledger: Ledger, said: Said, connection: int, data: bytes
) -> Callable[[], None] | None:
    """Check the message, and write it down; it is written at once."""
    asked, run = said.asked, said.asked.last
    require("no steer is sent twice", said.state == "waiting", said)
    require("only a turn that runs is steered", asked.live and run is not None, said)
    assert run is not None
    require("a steer goes where its turn runs", run.connection == connection and not run.http)
    require("a response that has ended is not steered", run.between is None, said)
    wanted = _message(said, run)
    require("a steer says what its caller said", msgspec.json.decode(data) == wanted, data)
    said.state, said.target, said.connection = "submitted", run.response_id, connection
    said.lane = run.lane
    run.steers.append(said)
    asked.steered = True
    return lambda: ledger.pool.written(connection, said.steer.id, ledger.now)


def note_moved(ledger: Ledger, number: int, *, ended: bool) -> None:
    """Demand that a steer ends once, and that what the pool tells of it is so."""
    said = ledger.said.get(number)
    if said is None:
        return  # it has just been given back, before its caller had it
    require("a steer ends once", not said.told_end, said)
    said.told_end = ended


def note_lost(ledger: Ledger, connection: int) -> None:
    """A socket is gone: what was said on it, and did not end, is nobody knows where."""
    for said in ledger.said.values():
        if said.connection == connection and said.state in ALIVE:
            said.state = "unknown"


def note_begun(run: Run, kind: str) -> None:
    """A run has begun, if an event says so: then it has heard what waited for it."""
    if kind in (*LIFECYCLE, "response.completed", "response.incomplete", "response.done"):
        for said in run.took:
            if said.state == "pending":
                said.state, said.successor = "committed", run.response_id


def note_given_up(ledger: Ledger, asked: Asked, run: Run, finish: Finish) -> None:
    """A turn ended while a successor of its response was due: there was silence, or its own end."""
    limit = asked.deadlines.first_event
    silent = limit is not None and ledger.now >= run.between_at + limit - LATE
    kind = finish.failure.kind if finish.failure is not None else None
    server = finish.failure is None or kind is FailureKind.SERVER
    promised = any(said.state == "accepted" for said in run.undecided)
    if asked.cancelled or not (server or (silent and kind is FailureKind.FIRST_EVENT_TIMEOUT)):
        return
    require("a turn is held until nothing more may follow", silent, asked, finish)
    require("a promised successor is missed", promised is not server, asked, finish)
    asked.given_up = True
    for said in run.undecided:
        said.state = "unknown"
    if server:
        ledger.service.leave(run, run.between or "")
        run.told_end = True


def heard_by(asked: Asked) -> list[Json]:
    """Return what a turn's present response has heard, as its chain's caller believes."""
    history, run = asked.history, asked.last
    assert history is not None
    assert run is not None
    if asked.tail is not None:
        return [*history.items, *asked.tail]
    items = asked.items if asked.whole else [*history.items, *asked.items]
    took = [said.item for said in run.took if said.state == "committed"]
    return [*items[: asked.before], *took, *items[asked.before :]]


# What the service does.


def take_along(socket: Socket, run: Run) -> None:
    """A create arrives: it takes along what waits on its lane, if it continues that."""
    waiting = [said for said in socket.pending.get(run.lane, ()) if said.state != "committed"]
    run.took = [said for said in waiting if said.target == run.parent]
    for said in waiting:
        back = said.steer.state.value == "failed"
        require("what is not continued is given back", back or said in run.took, said)
        if said not in run.took:
            said.state = "failed"
    if not run.took:
        socket.pending.pop(run.lane, None)
    back = [said for said in run.took if said.state != "pending"]
    require("nobody hears what was given back", not back, back)


# What must be true after every step.


def check_steers(ledger: Ledger) -> None:
    """Compare what the pool says of each steer with what was seen of it."""
    for said in ledger.said.values():
        shown = said.steer.state.value
        if said.state == "waiting":
            _check_waiting(ledger, said, shown)
        elif said.state == "pending" and shown == "failed":
            failure = said.steer.failure
            require("only what is not continued is given back", failure is not None, said)
            assert failure is not None
            code = failure.code
            require("only what is not continued is given back", code == "response_not_continued")
            said.state = "failed"
        shown = said.steer.state.value
        require("a steer is where the wire has put it", shown == said.state, said, shown)
        told = said.told_end or (said.target is None and said.state == "failed")
        require("the end of a steer is told", (shown in ENDED) is told, said)
        told = said.steer.successor_id
        require("a steer names its successor", told == said.successor, said, told)


def _check_waiting(ledger: Ledger, said: Said, shown: str) -> None:
    asked, run = said.asked, said.asked.last
    if not asked.live or _is_over_http(asked):
        said.state = "failed"
        return
    named = run is not None and any(
        event["type"] in LIFECYCLE for event in run.log[run.base : asked.heard]
    )
    runs = asked.speaking is not None and not asked.fetching
    due = run is not None and runs and named and run.between is None
    if due and run is not None and shown == "failed":
        size_bytes = len(msgspec.json.encode(_message(said, run)))
        fits = size_bytes <= ledger.message_bytes
        require("only what does not fit is given back", not fits, said)
        said.state = "failed"
        return
    require("a steer is sent as soon as it can be", not due, said)
