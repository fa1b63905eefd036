"""Checks that tests of clients have in common; each failure says what was expected and what came.

All of them look at a ``ServedSession``: ``server.sessions[0]``, or one without a socket.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from turnwire.testing.realtime.served import ServedSession

Json = dict[str, Any]


def assert_truncated(
    served: ServedSession, item: int, heard_ms: float, *, within_ms: float
) -> None:
    """Check that a counted item was truncated once, near where it was really heard to.

    Args:
        served: The session.
        item: The number of the item.
        heard_ms: What the oracle says (``heard_ms``).
        within_ms: How far off it may be.
    """
    cuts = [
        event["audio_end_ms"]
        for event in served.received_of("conversation.item.truncate")
        if served.numbers.get(event["item_id"]) == item
    ]
    assert len(cuts) == 1, f"item {item} was truncated {len(cuts)} times, at {cuts}; expected once"
    off_ms = cuts[0] - heard_ms
    assert abs(off_ms) <= within_ms, (
        f"item {item} was truncated at {cuts[0]} ms and heard to {heard_ms:.1f} ms:"
        f" {off_ms:+.1f} ms off; expected within {within_ms} ms"
    )


def assert_untouched(served: ServedSession, item: int) -> None:
    """Check that a counted item was neither truncated nor deleted: it was heard, or is still."""
    touching = ("conversation.item.truncate", "conversation.item.delete")
    found = [
        event
        for kind in touching
        for event in served.received_of(kind)
        if served.numbers.get(event["item_id"]) == item
    ]
    assert found == [], f"item {item} was heard to its end, and yet came {_types(found)}"


def assert_deleted(served: ServedSession, item: int) -> None:
    """Check that a counted item of which nothing was heard was deleted, once."""
    deleted = [
        event
        for event in served.received_of("conversation.item.delete")
        if served.numbers.get(event["item_id"]) == item
    ]
    assert len(deleted) == 1, f"item {item} was deleted {len(deleted)} times; expected once"


def assert_no_errors(served: ServedSession) -> None:
    """Check that the server had nothing to refuse."""
    errors = [event["error"] for event in served.sent_of("error")]
    told = [f"{error['code']}: {error['message']}" for error in errors]
    assert told == [], f"the server refused {told}; expected nothing to refuse"


def assert_one_response_at_a_time(served: ServedSession) -> None:
    """Check that no response was asked for while another one was being made."""
    active: str | None = None
    for stamped in served.sent_events:
        event = stamped.event
        if event["type"] == "response.created" and event["response"].get("conversation_id"):
            assert active is None, f"a response began while {active} was being made"
            active = event["response"]["id"]
        elif event["type"] == "response.done" and event["response"]["id"] == active:
            active = None
    codes = [event["error"].get("code") for event in served.sent_of("error")]
    assert "conversation_already_has_active_response" not in codes, "asked for one too early"


def _types(events: list[Json]) -> list[str]:
    return [event["type"] for event in events]
