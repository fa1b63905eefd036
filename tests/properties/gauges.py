"""What must be true after every step: the gauges, the deadline, the sockets."""

from __future__ import annotations

from typing import TYPE_CHECKING

from properties.invariants import require

if TYPE_CHECKING:
    from collections.abc import Iterator

    from properties.book import Asked
    from properties.ledger import Ledger

LATE = 1e-6  # sums of floats


def check_counts(ledger: Ledger) -> None:
    """Compare the pool's gauges with the book."""
    shown, service = ledger.pool.statistics(), ledger.service
    waiting = [asked for asked in ledger.waiting if not ledger.before(asked)]
    resting = [asked for asked in waiting if asked.sent]
    looking = [asked for asked in ledger.live if asked.fetching]
    written = sum(len(socket.runs) for socket in service.sockets.values())
    active = written + sum(map(len, ledger.outbox.values())) + len(ledger.exchanges)
    wanted = {
        "sockets": len(service.sockets) + len(ledger.dialing),
        "queued_bytes": ledger.queued_bytes,
    }
    found = {name: getattr(shown, name) for name in wanted}
    require("the gauges are right", found == wanted, found, wanted)
    # Who rests, and who looks again later, is the pool's secret.
    some = len(waiting) - len(resting) <= shown.waiting <= len(waiting)
    require("the gauges are right", some, shown.waiting, waiting, resting)
    some = active <= shown.active <= active + len(looking)
    require("the gauges are right", some, shown.active, active, looking)


def check_deadline(ledger: Ledger) -> None:
    """Demand that the pool wants to be woken in time for all that is due."""
    due = list(_due(ledger))
    if due:
        deadline = ledger.pool.deadline()
        require("a deadline is set", deadline is not None, due)
        assert deadline is not None
        require("the deadline is the earliest", deadline <= min(due) + LATE, deadline, due)


def _due(ledger: Ledger) -> Iterator[float]:
    yield from (at + ledger.settings.dial for at in ledger.dialing.values())
    for asked in ledger.live:
        yield from _due_for(ledger, asked)
    if not ledger.dialing and not ledger.service.sockets:
        for asked in ledger.waiting:
            stranded = asked.transport == "websocket" and asked.last is None
            if stranded and not ledger.before(asked):
                yield ledger.left_alone_until
    interval = ledger.settings.ping_interval
    for connection, socket in ledger.service.sockets.items():
        if interval is not None and connection not in ledger.outbox and not socket.doubted:
            patience = interval + ledger.settings.ping_timeout
            yield max(socket.alive_at, socket.excused_until) + patience


def _due_for(ledger: Ledger, asked: Asked) -> Iterator[float]:
    limits, run = asked.deadlines, asked.speaking
    if limits.turn is not None:
        yield asked.at + limits.turn
    if run is None:
        return
    socket = ledger.service.sockets.get(run.connection)
    if not run.written:
        if limits.write is not None:
            yield asked.sent_at + limits.write
    elif run.unread:
        if limits.first_event is not None:
            yield asked.written_at + limits.first_event
    elif run.between is not None:
        if limits.first_event is not None:
            yield run.between_at + limits.first_event
    elif limits.progress is not None and socket is not None:
        yield socket.heard_at + limits.progress


def check_sockets(ledger: Ledger) -> None:
    """Demand that a socket whose time is over goes, and that a dead one is found out."""
    for connection, socket in ledger.service.sockets.items():
        runs = [*ledger.outbox.get(connection, ()), *socket.runs.values()]
        waited_for = any(ledger.asked[run.mark].live for run in runs)
        kept = waited_for or not socket.retired
        require("a retired socket closes with its last turn", kept, connection)
