"""Messages of this side's: written if a socket is live; else they wait in what they change."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from turnwire.core.failure import Failure, FailureKind
from turnwire.core.realtime.actions import Wake
from turnwire.core.realtime.state import About, Question
from turnwire.core.realtime.uplink import NoRoom
from turnwire.events import encode
from turnwire.events.realtime import client, to_beta

if TYPE_CHECKING:
    from collections.abc import Mapping

    from turnwire.core.realtime.actions import Ticket
    from turnwire.core.realtime.connection import Connection
    from turnwire.core.realtime.interrupting import Truncate
    from turnwire.core.realtime.state import RealtimeState


def encoded(state: RealtimeState, event: Mapping[str, Any]) -> bytes:
    """Encode a message in the dialect that the server speaks.

    Raises:
        TypeError: JSON cannot hold it.
    """
    return encode(to_beta(dict(event)) if state.settings.dialect == "beta" else event)


def check_room(state: RealtimeState, *events: Mapping[str, Any]) -> None:
    """Check that what the caller wishes for may wait to be sent, before anything is changed.

    What this side says by itself is not asked: an interruption has to be said whatever waits.

    Raises:
        NoRoom: More than ``control_bytes`` would wait.
        TypeError: JSON cannot hold it.
    """
    size_bytes = sum(len(encoded(state, event)) for event in events)
    waiting_bytes, limit_bytes = _waiting_bytes(state), state.settings.control_bytes
    if waiting_bytes + size_bytes > limit_bytes:
        message = (
            f"{waiting_bytes} bytes of messages wait to be sent, and {size_bytes} bytes more do not"
            f" fit into {limit_bytes} (`control_bytes`); wait until some were answered"
        )
        raise NoRoom(message)


def _waiting_bytes(state: RealtimeState) -> int:
    """Return how much waits to be sent apart from audio."""
    socket = state.connection
    can_write = socket is not None and (socket is state.live or socket.is_opening)
    asked_bytes = state.configuration.asked_bytes  # the next session is told
    waiting_bytes = socket.control_bytes if socket is not None and can_write else asked_bytes
    waiting_bytes += state.uplink.marks_bytes + state.sequencer.waiting_bytes
    return waiting_bytes + sum(len(encode(body)) for body, _ in state.outside_later)


def taken_id(state: RealtimeState, event: Mapping[str, Any]) -> Failure | None:
    """Return why an event cannot be sent if the answer to another one of its id is awaited."""
    event_id = event.get("event_id")
    if event_id is None or str(event_id) not in state.questions:
        return None
    message = "an event of the same `event_id` is not answered yet; give each another one, or none"
    return Failure(FailureKind.UNSENT, message)


def say(
    state: RealtimeState,
    event: dict[str, Any],
    question: Question,
    *,
    connection: Connection | None = None,
    behind_audio: bool = False,
) -> str:
    """Queue a message on a socket; return the id by which an error would name it.

    Args:
        state: The state.
        event: The message; it gets an id unless it has one.
        question: What it is about.
        connection: Which socket; by default the live one.
        behind_audio: Whether it has to wait for what waits in its place in the audio.
    """
    socket = connection or state.live
    assert socket is not None  # asked by the caller
    if event.get("event_id") is None:
        event["event_id"] = state.new_id("event")
    event_id = str(event["event_id"])
    message = encoded(state, event)
    state.ask(event_id, replace(question, generation=socket.generation), message)
    if behind_audio and state.uplink.has_mark:
        state.uplink.mark(message)
    else:
        socket.queue(message)
    state.actions.append(Wake(socket.generation))
    return event_id


def update(state: RealtimeState, fields: Mapping[str, Any], ticket: Ticket) -> None:
    """Change the session, and the one that is being opened."""
    session = state.configuration.want(fields, ticket)
    if state.live is not None:
        say(state, client.session_update(session), Question(About.UPDATE, ticket))
    else:  # it opens the next session
        state.ask(state.new_id("event"), Question(About.UPDATE, ticket))
    for socket in (state.connection, state.successor):
        if socket is not None and socket.is_opening:
            open_with(state, socket, session, ticket)


def open_with(
    state: RealtimeState, socket: Connection, session: Mapping[str, Any], ticket: Ticket | None
) -> None:
    """Tell a session that is not live yet what it is to be; an update has its ticket's name."""
    question = Question(About.OPENING, subject="" if ticket is None else str(ticket))
    say(state, client.session_update(session), question, connection=socket)


def create_item(
    state: RealtimeState,
    item: dict[str, Any],
    previous_id: str | None,
    ticket: Ticket | None,
    fields: Mapping[str, Any],
) -> None:
    """Add an item, of which the id is given; the next session is told it if there is none now."""
    if item.get("type") == "function_call_output":
        _release_call(state, str(item.get("call_id", "")))
    state.gone.discard(str(item["id"]))
    state.items.put(item, previous_id).is_appended = previous_id is None
    question = Question(About.ITEM, ticket, str(item["id"]))
    if state.live is None:
        state.ask(state.new_id("event"), question)
        return
    event = client.item_create(item, previous_item_id=previous_id)
    say(state, {**event, **fields}, question, behind_audio=True)


def _release_call(state: RealtimeState, call_id: str) -> None:
    """Tell the session of a call that was held back until there is an output for it."""
    call = state.items.call(call_id)
    if call is None or state.live is None or call.id not in state.live.held:
        return
    state.live.held.discard(call.id)
    state.items.move(call.id, state.items.last(without=()))
    names = ("id", "type", "call_id", "name", "arguments")
    item = {name: call.item[name] for name in names if call.item.get(name) is not None}
    say(state, client.item_create(item), Question(About.SEED, subject=call.id))


def delete_item(state: RealtimeState, item_id: str, ticket: Ticket | None = None) -> None:
    """Remove an item; the next session is not told it if there is none now."""
    state.items.delete(item_id)
    state.gone.add(item_id)
    question = Question(About.DELETE, ticket, item_id)
    if state.live is not None:
        say(state, client.item_delete(item_id), question, behind_audio=True)
    elif ticket is not None:
        state.ask(state.new_id("event"), question)


def truncate(state: RealtimeState, what: Truncate, about: About = About.TRUNCATE) -> None:
    """Make the model forget what was not heard."""
    if state.live is not None:
        state.counts.truncates += 1
        say(
            state, client.item_truncate(*what), Question(about, subject=what.item_id, truncate=what)
        )


def cancel(state: RealtimeState, response_id: str, ticket: Ticket | None = None) -> None:
    """Stop a response."""
    if state.live is not None:
        question = Question(About.CANCEL, ticket, response_id)
        say(state, client.response_cancel(response_id), question)
