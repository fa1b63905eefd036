"""What an interruption sends: tables of the decision, and stories with a ledger."""

from __future__ import annotations

from typing import Any

import pytest

from turnwire.core.realtime.interrupting import (
    ActiveResponse,
    Announced,
    Interruption,
    Standing,
    Truncate,
    already_shorter,
    can_interrupt,
    interrupt,
    retry,
)
from turnwire.core.realtime.playback import HeardPart, Ledger, Part
from turnwire.core.realtime.playhead import Reported, VirtualClock
from turnwire.events.realtime.audio_format import PCM16, PCMU

A = Part("r1", "a", 0)
A1 = Part("r1", "a", 1)
B = Part("r1", "b", 0)
C = Part("r2", "c", 0)
R1 = ActiveResponse("r1")
SECOND = PCM16.bytes_per_second

Expected = dict[str, Any]


def left(part: Part, heard_ms: int, unheard_ms: float, *, finished: bool = False) -> HeardPart:
    return HeardPart(part, heard_ms + unheard_ms, heard_ms, unheard_ms, finished)


def whole(part: Part, *, finished: bool = True) -> HeardPart:
    return left(part, 1000, 0, finished=finished)


def broken_off(part: Part) -> HeardPart:
    return HeardPart(part, 1000, 500, 0, finished=False, interrupted=True)


def sent(found: Interruption | None) -> Expected:
    """Return what is sent, without what is empty."""
    assert found is not None
    fields = ("cancels", "truncates", "deletes", "pending_deletes", "rewrites")
    return {name: value for name in fields if (value := getattr(found, name))}


# Whether there is anything to interrupt.


@pytest.mark.parametrize(
    ("parts", "active", "response_id", "expected"),
    [
        ([], [], None, False),
        ([whole(A)], [], None, False),
        ([whole(A, finished=False)], [], None, False),
        ([broken_off(A)], [], None, False),
        ([broken_off(A)], [ActiveResponse("r1", cancelled=True)], None, False),
        ([], [ActiveResponse("r1", out_of_band=True)], None, False),
        ([], [ActiveResponse("r1", out_of_band=True)], "r1", True),
        ([], [R1], None, True),
        ([], [R1], "r2", False),
        ([left(A, 0, 1)], [], None, True),
        ([left(A, 0, 1)], [], "r2", False),
        ([left(A, 0, 1)], [ActiveResponse("r1", cancelled=True)], "r1", True),
        ([whole(A), left(B, 999, 0.02, finished=True)], [], None, True),
    ],
)
def test_only_what_is_unheard_or_runs_is_interrupted(
    parts: list[HeardPart],
    active: list[ActiveResponse],
    response_id: str | None,
    expected: bool,  # noqa: FBT001
) -> None:
    assert can_interrupt(parts, active, response_id) is expected
    assert (interrupt(parts, active, response_id=response_id) is not None) is expected


# Cancelling.


@pytest.mark.parametrize("reason", ["speech_started", "caller"])
@pytest.mark.parametrize("server_interrupts", [True, False])
@pytest.mark.parametrize("cancel", [True, False, "auto"])
def test_who_cancels(reason: str, server_interrupts: bool, cancel: Any) -> None:  # noqa: FBT001
    found = interrupt(
        [left(A, 500, 500)],
        [R1],
        reason=reason,
        server_interrupts=server_interrupts,
        cancel=cancel,
    )
    the_server_does = reason == "speech_started" and server_interrupts
    cancels = cancel is True or (cancel == "auto" and not the_server_does)
    expected: Expected = {"cancels": ("r1",)} if cancels else {}
    # Whoever cancels: the server does not know what was heard.
    assert sent(found) == {**expected, "truncates": (Truncate("a", 0, 500),)}
    assert found is not None
    assert (found.reason, found.tombstones) == (reason, ("r1",))


def test_what_was_cancelled_is_not_cancelled_again() -> None:
    active = [ActiveResponse("r1", cancelled=True), ActiveResponse("r2")]
    found = interrupt([left(A, 500, 500)], active, cancel=True)
    assert sent(found) == {"cancels": ("r2",), "truncates": (Truncate("a", 0, 500),)}
    assert found is not None
    assert found.tombstones == ("r1", "r2")


def test_after_the_response_there_is_nothing_to_cancel() -> None:
    found = interrupt([left(A, 500, 500, finished=True)], [], cancel=True)
    assert sent(found) == {"truncates": (Truncate("a", 0, 500),)}
    assert found is not None
    assert found.tombstones == ()


def test_a_response_before_its_first_audio_is_cancelled() -> None:
    assert interrupt([], [R1]) == Interruption(
        "speech_started", cancels=("r1",), tombstones=("r1",)
    )
    assert interrupt([], [R1], server_interrupts=True) == Interruption(
        "speech_started", tombstones=("r1",)
    )


def test_one_response_is_interrupted_and_no_other() -> None:
    parts = [left(A, 500, 500), left(C, 0, 1000)]
    found = interrupt(parts, [R1, ActiveResponse("r2")], reason="caller", response_id="r2")
    assert found == Interruption(
        "caller",
        item_id="c",
        content_index=0,
        dropped_ms=1000,
        cancels=("r2",),
        deletes=("c",),
        tombstones=("r2",),
    )


def test_out_of_band_is_interrupted_if_it_is_heard() -> None:
    active = [R1, ActiveResponse("r2", out_of_band=True)]
    silent = interrupt([left(A, 500, 500)], active)
    assert silent is not None
    assert (silent.cancels, silent.tombstones) == (("r1",), ("r1",))
    standing = {"c": Standing.ABSENT}
    # The server's voice detection cancels what answers the user, and that is not this.
    found = interrupt([left(C, 500, 500)], active, server_interrupts=True, standing=standing)
    assert sent(found) == {"cancels": ("r2",)}
    assert found is not None
    assert (found.item_id, found.heard_ms, found.dropped_ms) == ("c", 500, 500)
    assert found.tombstones == ("r1", "r2")


def test_a_response_whose_beginning_was_missed_is_silenced() -> None:
    found = interrupt([left(A, 500, 500), left(C, 0, 10, finished=True)], [])
    assert found is not None
    assert found.tombstones == ("r1",)


# Items.

PARTLY: list[HeardPart] = [left(A, 500, 2500)]
UNHEARD = [left(A, 0, 3000)]


@pytest.mark.parametrize(
    ("parts", "unheard", "expected"),
    [
        (PARTLY, "delete", {"truncates": (("a", 0, 500),)}),
        (PARTLY, "truncate_zero", {"truncates": (("a", 0, 500),)}),
        (PARTLY, "keep", {"truncates": (("a", 0, 500),)}),
        (UNHEARD, "delete", {"deletes": ("a",)}),
        (UNHEARD, "truncate_zero", {"truncates": (("a", 0, 0),)}),
        (UNHEARD, "keep", {}),
        # Less than a millisecond is nothing.
        ([left(A, 0, 2999.5)], "delete", {"deletes": ("a",)}),
        # All heard: nothing, unless more of it is on the way.
        ([whole(A), left(B, 1, 1)], "delete", {"truncates": (("b", 0, 1),)}),
        (
            [whole(A, finished=False), left(B, 1, 1)],
            "delete",
            {"truncates": (("a", 0, 1000), ("b", 0, 1))},
        ),
        # Several items: each as it was left, the oldest first.
        (
            [left(A, 500, 500), left(B, 0, 1000), left(C, 0, 1000)],
            "delete",
            {"truncates": (("a", 0, 500),), "deletes": ("b", "c")},
        ),
        # Several parts: an item that was begun stays, and says no more than was heard.
        (
            [left(A, 500, 500), left(A1, 0, 1)],
            "delete",
            {"truncates": (("a", 0, 500), ("a", 1, 0))},
        ),
        ([whole(A), left(A1, 0, 1000)], "delete", {"truncates": (("a", 1, 0),)}),
        ([whole(A), left(A1, 0, 1000)], "keep", {}),
        ([whole(A), left(A1, 400, 600)], "delete", {"truncates": (("a", 1, 400),)}),
        (
            [whole(A), left(B, 0, 1000), left(A1, 0, 1000)],
            "truncate_zero",
            {"truncates": (("a", 1, 0), ("b", 0, 0))},
        ),
        ([left(A, 0, 1000), left(A1, 0, 1000)], "delete", {"deletes": ("a",)}),
        (
            [left(A, 0, 1000), left(A1, 0, 1000)],
            "truncate_zero",
            {"truncates": (("a", 0, 0), ("a", 1, 0))},
        ),
        # What was interrupted before is left alone.
        ([broken_off(A), left(C, 100, 1)], "delete", {"truncates": (("c", 0, 100),)}),
        ([broken_off(A), left(A1, 0, 1)], "delete", {"truncates": (("a", 1, 0),)}),
    ],
)
def test_what_becomes_of_items(parts: list[HeardPart], unheard: Any, expected: Expected) -> None:
    assert sent(interrupt(parts, [R1], unheard=unheard, cancel=False)) == expected


@pytest.mark.parametrize(
    ("standing", "parts", "unheard", "expected"),
    [
        (Standing.RESTORED, PARTLY, "delete", {"rewrites": ("a",)}),
        (Standing.RESTORED, UNHEARD, "delete", {"deletes": ("a",)}),
        (Standing.RESTORED, UNHEARD, "truncate_zero", {}),
        (Standing.KEPT, PARTLY, "delete", {"truncates": (("a", 0, 500),)}),
        (Standing.KEPT, UNHEARD, "delete", {"truncates": (("a", 0, 0),)}),
        (Standing.KEPT, UNHEARD, "keep", {}),
        (Standing.ABSENT, PARTLY, "delete", {}),
        (Standing.ABSENT, UNHEARD, "truncate_zero", {}),
        (Standing.SPOKEN, UNHEARD, "delete", {"deletes": ("a",)}),
    ],
)
def test_what_the_server_allows(
    standing: Standing, parts: list[HeardPart], unheard: Any, expected: Expected
) -> None:
    found = interrupt(parts, [R1], cancel=False, unheard=unheard, standing={"a": standing})
    assert sent(found) == expected


@pytest.mark.parametrize(
    ("unheard", "standing", "expected"),
    [
        ("delete", {}, {"deletes": ("x",), "pending_deletes": ("y",)}),
        ("delete", {"x": Standing.KEPT, "y": Standing.ABSENT}, {}),
        ("truncate_zero", {}, {}),
        ("keep", {}, {}),
    ],
)
def test_items_without_audio_are_deleted_once_they_are_there(
    unheard: Any, standing: dict[str, Standing], expected: Expected
) -> None:
    announced = [
        Announced("r1", "x", is_added=True),
        Announced("r1", "y", is_added=False),
        Announced("r9", "z", is_added=True),
    ]
    found = interrupt(
        [], [R1], cancel=False, unheard=unheard, announced=announced, standing=standing
    )
    assert sent(found) == expected


def test_where_the_audio_goes_elsewhere_only_the_response_is_cancelled() -> None:
    announced = [Announced("r1", "x", is_added=True)]
    found = interrupt([left(A, 1, 1)], [R1], announced=announced, receives_audio=False)
    assert sent(found) == {"cancels": ("r1",)}


def test_the_listener_is_told_what_was_being_heard() -> None:
    found = interrupt([whole(A), left(B, 250, 750), left(C, 0, 1000.5)], [R1])
    assert found is not None
    told = (found.item_id, found.content_index, found.heard_ms, found.dropped_ms)
    assert told == ("b", 0, 250, 1750.5)


def test_the_listener_is_told_what_was_heard_last_if_nothing_was_waiting() -> None:
    found = interrupt([whole(A), whole(A1, finished=False)], [R1])
    assert found is not None
    told = (found.item_id, found.content_index, found.heard_ms, found.dropped_ms)
    assert told == ("a", 1, 1000, 0)


# A truncate that was refused.


@pytest.mark.parametrize(
    ("message", "expected"),
    [
        ("Audio content of 1500ms is already shorter than 1585ms", 1500),
        ("Audio content of 1500 ms is already shorter than 1585 ms.", 1500),
        ("audio content of 1500.75ms is already shorter than 1585ms", 1500),
        ("Error: Audio content of 0ms is already shorter than 85ms", 0),
        ("Audio content is already shorter than 1585ms", None),
        ("Audio content of 1500ms is fine; 3 items are already shorter than 20ms", None),
        ("Audio content of manyms is already shorter than 1585ms", None),
        ("Only model output audio messages can be truncated", None),
        ("", None),
    ],
)
def test_the_servers_length_is_read_from_its_error(message: str, expected: int | None) -> None:
    assert already_shorter(message) == expected


@pytest.mark.parametrize(
    ("message", "audio_end_ms", "expected"),
    [
        ("Audio content of 1500ms is already shorter than 1585ms", 1585, 1500),
        ("Audio content of 1500ms is already shorter than 1400ms", 1400, 1300),
        ("What?", 1585, 1485),
        ("What?", 99, 0),
    ],
)
def test_a_refused_truncate_is_sent_with_the_servers_length(
    message: str, audio_end_ms: int, expected: int
) -> None:
    assert retry(Truncate("a", 1, audio_end_ms), message) == Truncate("a", 1, expected)


# Stories: a ledger, time, and what is sent.


class Session:
    """Does what a session does with the ledger and the decision."""

    def __init__(self, playhead: Any = None) -> None:
        self.ledger = Ledger(playhead or VirtualClock())
        self.active: dict[str, ActiveResponse] = {"r1": R1}

    def arrive(self, *parts: Part, seconds: float = 3.0, now: float = 0.0) -> None:
        for part in parts:
            self.ledger.received(part, int(seconds * SECOND), PCM16, now)

    def done(self, response_id: str = "r1") -> None:
        self.ledger.finished_response(response_id)
        self.active.pop(response_id)

    def barge_in(self, now: float, **options: Any) -> Expected | None:
        active = tuple(self.active.values())
        if not can_interrupt(self.ledger.heard(now), active):
            return None
        found = interrupt(self.ledger.flush(now), active, **options)
        for response_id in self.active:
            self.active[response_id] = ActiveResponse(response_id, cancelled=True)
        return None if found is None else sent(found)


def test_two_items_arrive_at_once_and_the_first_is_cut() -> None:
    session = Session()
    session.arrive(A, B, now=100.1)
    assert session.barge_in(100.6) == {
        "cancels": ("r1",),
        "truncates": (Truncate("a", 0, 500),),
        "deletes": ("b",),
    }


def test_two_items_and_the_second_is_cut() -> None:
    session = Session()
    session.arrive(A, B)
    session.ledger.finished(A)
    assert session.barge_in(3.5) == {"cancels": ("r1",), "truncates": (Truncate("b", 0, 500),)}


def test_the_tail_of_playback_is_interrupted() -> None:
    session = Session()
    session.arrive(A)
    session.ledger.finished(A)
    session.done()
    assert session.barge_in(0.503) == {"truncates": (Truncate("a", 0, 503),)}


def test_nobody_is_interrupted_when_all_was_heard_long_ago() -> None:
    session = Session()
    session.arrive(A)
    session.done()
    assert session.barge_in(60.0) is None
    assert session.ledger.heard(60.0)[0].interrupted is False


def test_the_second_interruption_sends_nothing() -> None:
    session = Session()
    session.arrive(A, B)
    assert session.barge_in(0.5, server_interrupts=True) is not None
    assert session.barge_in(0.6) is None
    session.done()
    assert session.barge_in(0.7) is None


def test_after_an_under_run_the_cut_is_where_the_listener_was() -> None:
    session = Session()
    session.arrive(A, seconds=0.2)
    session.arrive(A, seconds=0.2, now=5.0)
    assert session.barge_in(5.1) == {"cancels": ("r1",), "truncates": (Truncate("a", 0, 300),)}


def test_in_an_under_run_the_item_is_cut_at_all_that_arrived() -> None:
    session = Session()
    session.arrive(A, seconds=0.2)
    assert session.barge_in(5.0) == {"cancels": ("r1",), "truncates": (Truncate("a", 0, 200),)}


def test_formats_change_between_items_and_within_one() -> None:
    session = Session()
    session.ledger.received(A, 4800, PCM16, 0.0)
    session.ledger.received(A, 800, PCMU, 0.0)
    session.ledger.received(B, 8000, PCMU, 0.0)
    assert session.barge_in(0.15) == {
        "cancels": ("r1",),
        "truncates": (Truncate("a", 0, 150),),
        "deletes": ("b",),
    }


def test_g711_is_measured_at_its_own_rate() -> None:
    session = Session()
    session.ledger.received(A, 8000, PCMU, 0.0)
    assert session.barge_in(0.75) == {"cancels": ("r1",), "truncates": (Truncate("a", 0, 750),)}


def test_the_next_reply_is_cut_by_its_own_time() -> None:
    session = Session()
    session.arrive(A)
    session.barge_in(0.5)
    session.done()
    session.active["r2"] = ActiveResponse("r2")
    session.arrive(C, now=2.0)
    assert session.barge_in(2.25) == {"cancels": ("r2",), "truncates": (Truncate("c", 0, 250),)}


def test_a_device_says_when_it_stops_that_all_was_heard_and_nothing_is_sent() -> None:
    session = Session(Reported(lambda: 3 * SECOND))
    session.arrive(A)
    session.done()
    assert session.barge_in(9.0) is None


def test_a_device_says_when_it_stops_how_much_was_heard() -> None:
    playhead = Reported(lambda: SECOND)
    session = Session(playhead)
    session.arrive(A)
    playhead.report(SECOND + 960)
    assert session.barge_in(9.0) == {"cancels": ("r1",), "truncates": (Truncate("a", 0, 1000),)}


def test_an_item_goes_on_after_its_first_part_and_is_not_deleted() -> None:
    session = Session()
    session.arrive(A, A1, seconds=1.0)
    session.ledger.finished(A)
    assert session.barge_in(1.0) == {"cancels": ("r1",), "truncates": (Truncate("a", 1, 0),)}


def test_what_was_closed_sends_nothing() -> None:
    session = Session()
    session.arrive(A)
    session.ledger.flush(0.5)
    session.done()
    assert session.barge_in(0.6) is None
