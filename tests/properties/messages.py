"""What a message may be, and when it may be written again: checked each time that one is."""

from __future__ import annotations

from typing import TYPE_CHECKING

from properties.invariants import require
from properties.items import Context, Json, context, open_calls
from properties.service import SHAPE, Run

if TYPE_CHECKING:
    from properties.book import Asked
    from properties.ledger import Ledger
    from turnwire.core.actions import Finish

ENVELOPE = {"type", "stream", "stream_id", "previous_response_id", "input"}


def check_resend(asked: Asked) -> None:
    """Demand that a turn is written again only with leave, and that its caller knows."""
    run = asked.runs[-1]
    require("output that was shown is never followed by a resend", not asked.has_seen, asked)
    require("a turn is on one way at a time", not run.wired, asked)
    if run.leave:
        require("a resend comes before output", not run.visible, asked)
        run.recovered = True
        told = not run.unread
    else:
        require("a resend needs a refusal or a loss", not run.told_end, asked)
        require("what was perhaps run is repeated with leave, once", asked.may_repeat, asked)
        asked.repeated = told = True
    require("a caller is told that its turn begins anew", asked.restarted is told, asked)


def check_message(ledger: Ledger, asked: Asked, message: Json, connection: int | None) -> None:
    """Demand that a message says what its caller wants, by what the server still has."""
    given = {name: value for name, value in message.items() if name not in ENVELOPE}
    require("all parameters are sent, and no others", given == asked.params, given)
    if connection is not None:
        require("messages are creates", message["type"] == "response.create")
    if not asked.sent:
        asked.expected = _intended(ledger, asked)
    if not asked.runs:
        _check_increment(ledger, asked, message, connection)
    parent = message.get("previous_response_id")
    if asked.history is None:
        require("the caller's own link is sent", parent == asked.link, parent)
    elif parent is not None:
        require("only completed responses are continued", parent in ledger.service.chainable)
        lost = {run.parent for run in asked.runs if run.parent and run.not_found}
        require("a lost parent is not named again", parent not in lost, parent)
        kept = ledger.service.kept.get(parent)
        if kept is not None:
            shape = {name: message.get(name) for name in SHAPE}
            require("a chain keeps its parameters", shape == kept.shape, shape, kept.shape)
            answered = context(message.get("input", []))
            left = open_calls(kept.context) & open_calls(kept.context + answered)
            require("a chain goes on with every call answered", not left, left)


def _intended(ledger: Ledger, asked: Asked) -> Context:
    """Return what the caller wants the model to see: its history and the new items."""
    history = asked.history.items if asked.history else []
    kept = ledger.service.kept.get(asked.link) if asked.link else None
    asked.before = len(kept.context) if kept else len(history)
    if asked.history is not None and not asked.whole:
        return context([*asked.history.items, *asked.items])
    return (kept.context if kept else ()) + context(asked.items)


def _check_increment(ledger: Ledger, asked: Asked, message: Json, connection: int | None) -> None:
    """Demand that an undisturbed chain sends only what is new."""
    history = asked.history
    head = history.head if history else None
    if history is None or head is None:
        return
    source, service = head.run, ledger.service
    key = ledger.key
    if connection is not None:
        socket = service.sockets[connection]
        key = socket.credential
        idle = connection not in ledger.outbox
        there = connection == source.connection and socket.last.get(source.lane) is source
        if not (source.stored or (there and idle and not head.borrowed)):
            return
    if not service.holds(source.response_id, connection, key):
        return
    old, new = context(history.items), context(asked.items)
    if asked.whole:
        if new[: len(old)] != old:
            return
        new = new[len(old) :]
    same = all(asked.params.get(name) == source.message.get(name) for name in SHAPE)
    fresh = bool(new) or not source.generates
    if same and fresh and not open_calls(old) & open_calls(old + new):
        sent = (message.get("previous_response_id"), context(message["input"]))
        wanted = (source.response_id, new)
        require("an undisturbed chain sends only what is new", sent == wanted, sent, wanted)


def check_order(ledger: Ledger, asked: Asked, connection: int) -> None:
    """Demand that turns go where and when they may."""
    first = not asked.sent
    require("send only on an open socket", connection in ledger.service.sockets, connection)
    socket = ledger.service.sockets[connection]
    last = asked.last
    elsewhere = last is None or last.connection != connection
    if elsewhere:
        require("a retired socket takes no new turns", not socket.retired, connection)
        idle = ledger.now - socket.alive_at
        silent = socket.doubted or idle >= ledger.settings.probe_after
        require("a socket that was silent for long is asked first", not silent, connection)
        too_old = ledger.is_old(socket, overdue=True)
        require("a socket that is too old takes no new turns", not too_old, connection)
    if first and asked.plain:
        before = [other.mark for other in ledger.waiting if other.plain and not other.sent]
        require("the queue is first come, first served", before[0] == asked.mark, before)
    before = [other.mark for other in ledger.before(asked)]
    require("turns of a chain run one after the other", not before, asked, before)
    require("a pool that drains takes no new turns", not (elsewhere and ledger.draining), asked)
    shunned = asked.at >= ledger.shunned_at and ledger.now < ledger.shunned_until
    if first and asked.transport == "auto" and asked.generates:
        require("where sockets do not work auto turns leave them alone", not shunned, asked)


def is_whole(finish: Finish, run: Run) -> bool:
    """Say whether a response has everything that was said."""
    assert finish.response is not None
    shown = context([item.to_dict() for item in finish.response.output])
    return shown == tuple(output.meaning for output in run.output)
