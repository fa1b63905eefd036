"""Wishes for responses: one create at a time, each wish answered."""

from __future__ import annotations

from turnwire.core.realtime.sequencer import Sequencer, Slot

OWN = {"instructions": "whisper"}


def asked(sequencer: Sequencer, *, now: float = 0.0) -> list[int] | None:
    found = sequencer.next(now)
    return None if found is None else found.tickets


def test_wishes_without_a_body_merge_up_to_the_next_one_that_has_one() -> None:
    one = Sequencer()
    for ticket, body in enumerate([None, None, OWN, None, None, OWN]):
        one.ask(body, ticket)
    found = []
    while (tickets := asked(one)) is not None:
        found.append(tickets)
        one.created("resp", granted=True, now=0.0)
        one.done("resp", 0.0)
    assert found == [[0, 1], [2], [3, 4], [5]]


def test_nothing_is_asked_for_while_a_response_runs() -> None:
    one = Sequencer()
    one.created("vad", granted=False, now=0.0)
    one.ask(None, 1)
    assert asked(one) is None
    one.cancelled(0.0)
    assert asked(one) is None
    one.done("vad", 0.0)
    assert asked(one) == [1]


def test_a_refused_wish_may_be_the_next_one_again() -> None:
    one = Sequencer()
    one.ask(None, 1)
    one.ask(OWN, 2)
    one.next(0.0)
    one.created("vad", granted=False, now=0.0)
    assert one.slot is Slot.CONTESTED
    refused = one.refused(0.0)
    assert refused is not None
    assert one.slot is Slot.ACTIVE
    one.again(refused)
    one.done("vad", 0.0)
    assert asked(one) == [1]


def test_the_end_of_another_response_ends_nothing() -> None:
    one = Sequencer()
    one.ask(None, 1)
    one.next(0.0)
    one.created("resp_1", granted=True, now=0.0)
    assert one.done("resp_0", 0.0) is None
    assert (one.slot, one.active) == (Slot.ACTIVE, "resp_1")


def test_any_end_ends_a_response_whose_name_is_not_known() -> None:
    one = Sequencer()
    one.created("", granted=False, now=0.0)
    one.done("resp_9", 0.0)
    assert one.slot is Slot.FREE


def test_a_response_may_end_that_was_never_said_to_begin() -> None:
    one = Sequencer()
    one.ask(None, 1)
    one.next(0.0)
    ended = one.done("resp", 0.0)
    assert ended is not None
    assert (ended.tickets, one.slot) == ([1], Slot.FREE)


def test_a_slot_knows_since_when_it_is_so() -> None:
    one = Sequencer()
    one.ask(None, 1)
    one.next(3.0)
    assert one.since == 3.0
    one.created("resp", granted=True, now=4.0)
    one.cancelled(5.0)
    one.cancelled(6.0)
    assert one.since == 5.0


def test_a_lost_socket_returns_the_wish_under_way_and_keeps_the_others() -> None:
    one = Sequencer()
    one.ask(None, 1)
    one.ask(OWN, 2)
    one.next(0.0)
    lost = one.lost(0.0)
    assert lost is not None
    assert (lost.tickets, one.waiting, one.slot) == ([1], 1, Slot.FREE)
    assert [each.tickets for each in one.clear()] == [[2]]
