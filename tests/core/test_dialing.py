"""Dials that fail: who waits, who changes to HTTP, who is told, and when the next dial comes."""

from __future__ import annotations

from typing import Any

import pytest

from turnwire.core.backoff import Backoff
from turnwire.core.chain import Chain
from turnwire.core.settings import PoolSettings
from turnwire.testing.pair import Pair

PATIENT = Backoff((1, 2, 4, 8, 16), jitter=False)


def pair(*, sockets: int = 1, **settings: Any) -> Pair:
    return Pair(PoolSettings(sockets=sockets, **settings), answers_dials=False)


def open_next(both: Pair) -> int:
    both.open(both.dialing[0])
    return next(reversed(both.sockets))


def dials(both: Pair) -> int:
    return both.pool.statistics().dials


# The server says no


@pytest.mark.parametrize("status", [400, 403, 404, 405, 426, 200, 501])
def test_not_here_sends_auto_turns_over_http_and_fails_the_others(status: int) -> None:
    both = pair()
    auto, strict = both.ask("Auto.", transport="auto"), both.ask("Strict.")
    both.refuse(both.dialing[0], status)
    assert (strict.failure, strict.turn.model_runs, dials(both)) == ("refused", 0, 1)
    both.start().complete("Over HTTP.")
    assert (auto.text, auto.turn.route, auto.turn.resends) == ("Over HTTP.", "http", 0)
    assert auto.turn.transport_reason.startswith("fallback: ")
    assert str(status) in auto.turn.transport_reason
    assert both.pool.health(both.clock.now).state == "open"
    assert len(both.logs) == 1


def test_after_a_refusal_auto_turns_pay_for_no_dial() -> None:
    both = pair()
    both.ask("One.", transport="auto")
    both.refuse(both.dialing[0], 426)
    both.start().complete("1")
    asked = both.ask("Two.", transport="auto")
    both.start().complete("2")
    assert (asked.text, asked.turn.route, dials(both)) == ("2", "http", 1)
    assert both.pool.statistics().fallbacks == 2


@pytest.mark.parametrize("status", [408, 409, 429, 500, 503])
def test_not_now_makes_everybody_wait_for_the_next_dial(status: int) -> None:
    both = pair()
    auto, strict = both.ask("Auto.", transport="auto"), both.ask("Strict.")
    both.refuse(both.dialing[0], status)
    assert (auto.finish, strict.finish, both.dialing, both.running) == (None, None, [], 0)
    both.advance(0.25)
    open_next(both)
    both.start().complete("here")
    assert (auto.text, auto.turn.route) == ("here", "websocket")
    assert both.pool.health(both.clock.now).state == "closed"


def test_the_pauses_are_a_random_part_of_the_schedule() -> None:
    both = Pair(PoolSettings(), answers_dials=False, chance=0.1)
    both.ask("One.")
    both.refuse(both.dialing[0], 503)
    both.advance(0.049)
    assert both.dialing == []
    both.advance(0.001)
    both.refuse(both.dialing[0], 503)
    both.advance(0.099)
    assert both.dialing == []
    both.advance(0.001)
    assert len(both.dialing) == 1


def test_the_patient_schedule_is_kept_to_the_second() -> None:
    both = pair(dial_backoff=PATIENT)
    asked = both.ask("One.")
    for seconds in (1, 2, 4, 8, 16):
        both.refuse(both.dialing[0], 503)
        both.advance(seconds - 0.125)
        assert both.dialing == []
        both.advance(0.125)
    both.refuse(both.dialing[0], 503)
    assert (asked.failure, dials(both), both.clock.now) == ("refused", 6, 31.0)


def test_when_the_backoff_is_over_auto_turns_change_to_http_and_the_others_fail() -> None:
    both = pair(dial_backoff=Backoff(()))
    auto, strict = both.ask("Auto.", transport="auto"), both.ask("Strict.")
    both.refuse(both.dialing[0], 503)
    both.start().complete("Over HTTP.")
    assert (auto.text, strict.failure) == ("Over HTTP.", "refused")
    assert both.pool.health(both.clock.now).state == "open"


def test_a_server_that_limits_the_rate_says_nothing_against_sockets() -> None:
    both = pair(dial_backoff=Backoff(()))
    auto = both.ask("Auto.", transport="auto")
    both.refuse(both.dialing[0], 429)
    both.start().complete("Over HTTP.")
    assert (auto.text, both.pool.health(both.clock.now).state) == ("Over HTTP.", "closed")


def test_the_server_says_when_to_dial_again() -> None:
    both = pair()
    asked = both.ask("One.")
    both.refuse(both.dialing[0], 429, retry_after="7")
    both.advance(6.9)
    assert (asked.finish, both.dialing) == (None, [])
    both.advance(0.1)
    open_next(both)
    both.start().complete("1")
    assert asked.text == "1"


def test_our_own_pause_counts_if_it_is_longer() -> None:
    both = pair(dial_backoff=PATIENT)
    both.ask("One.")
    both.refuse(both.dialing[0], 503, retry_after="0")
    both.advance(0.9)
    assert both.dialing == []
    both.advance(0.1)
    assert len(both.dialing) == 1


def test_an_hour_is_for_the_caller_to_wait() -> None:
    both = pair()
    auto, strict = both.ask("Auto.", transport="auto"), both.ask("Strict.")
    both.refuse(both.dialing[0], 503, retry_after="61")
    assert (strict.failure, auto.turn.route) == ("refused", "http")
    other = pair()
    asked = other.ask("One.")
    other.refuse(other.dialing[0], 503, retry_after="60")
    assert asked.finish is None


def test_a_dial_that_works_begins_the_schedule_anew() -> None:
    both = pair(dial_backoff=PATIENT)
    both.ask("One.")
    both.refuse(both.dialing[0], 503)
    both.advance(1.0)
    both.lose(open_next(both))
    assert len(both.dialing) == 1  # a loss is no failed dial
    both.refuse(both.dialing[0], 503)
    both.advance(0.99)
    assert both.dialing == []
    both.advance(0.01)
    assert len(both.dialing) == 1


# Nobody answers


def test_an_unreachable_server_sends_auto_turns_over_http_at_once() -> None:
    both = pair()
    auto, strict = both.ask("Auto.", transport="auto"), both.ask("Strict.")
    both.lose(both.dialing[0], None)
    both.start().complete("Over HTTP.")
    assert (auto.text, strict.finish, both.dialing) == ("Over HTTP.", None, [])
    both.advance(0.25)
    both.lose(both.dialing[0], None)
    both.advance(0.5)
    both.lose(both.dialing[0], None)
    assert (strict.failure, strict.turn.delivery, dials(both)) == ("dial", "queued", 3)


def test_a_dial_that_takes_too_long_is_given_up_and_counts_the_same() -> None:
    both = pair()
    auto, strict = both.ask("Auto.", transport="auto"), both.ask("Strict.")
    first = both.dialing[0]
    both.advance(5.0)
    assert (both.closed, auto.turn.route) == ([first], "http")
    for seconds in (0.25, 5.0, 0.5, 5.0):
        assert strict.finish is None
        both.advance(seconds)
    assert (strict.failure, dials(both)) == ("dial_timeout", 3)


def test_where_http_does_not_reach_the_server_either_sockets_are_not_blamed() -> None:
    both = pair()
    auto = both.ask("Auto.", transport="auto")
    both.lose(both.dialing[0], None)
    both.lose(both.start().connection, None, reached=False)
    assert both.pool.health(both.clock.now).state == "closed"
    assert auto.finish is None  # POSTs that reach nobody are tried again, too


def test_a_warm_up_has_no_other_way_and_waits() -> None:
    both = pair()
    warm = both.ask("Know.", transport="auto", generate=False)
    both.lose(both.dialing[0], None)
    assert (warm.finish, warm.turn.route) == (None, "websocket")
    both.advance(0.25)
    open_next(both)
    both.start().complete()
    assert (warm.text, warm.turn.model_runs) == ("", 0)


def test_a_socket_that_works_is_not_given_up_for_one_dial_that_failed() -> None:
    both = Pair(PoolSettings(sockets=2, lanes=False), answers_dials=False)
    both.ask("One.", transport="auto")
    open_next(both)
    waits = both.ask("Two.", transport="auto")
    both.refuse(both.dialing[0], 426)
    assert (waits.finish, waits.turn.route, both.dialing) == (None, "websocket", [])
    both.start().complete("1")
    both.start().complete("2")
    assert (waits.text, waits.turn.route) == ("2", "websocket")


def test_nobody_dials_for_a_turn_that_nobody_wants() -> None:
    both = pair()
    both.cancel(both.ask("One."))
    both.refuse(both.dialing[0], 503)
    both.advance(60.0)
    assert (dials(both), both.dialing, both.pool.deadline()) == (1, [], None)


# The key


def test_a_refused_key_is_asked_for_once_more() -> None:
    both = pair(refreshes_key=True)
    asked = [both.ask("One."), both.ask("Two.", transport="auto")]
    both.refuse(both.dialing[0], 401)
    assert [each.finish for each in asked] == [None, None]
    open_next(both)  # at once, with the other key
    both.start().complete("1")
    assert (asked[0].text, dials(both)) == ("1", 2)


def test_a_key_that_is_refused_twice_fails_all_who_wait() -> None:
    both = pair(refreshes_key=True)
    asked = [both.ask("One."), both.ask("Two.", transport="auto")]
    both.refuse(both.dialing[0], 401)
    both.refuse(both.dialing[0], 401)
    assert [each.failure for each in asked] == ["refused", "refused"]
    assert [
        each.finish and each.finish.failure and each.finish.failure.status for each in asked
    ] == [
        401,
        401,
    ]
    assert (dials(both), both.messages, both.pool.health(0.0).state) == (2, [], "closed")
    both.ask("Three.")  # and the next turn may try a new one again
    both.refuse(both.dialing[0], 401)
    assert dials(both) == 4


def test_a_fixed_key_is_not_tried_twice() -> None:
    both = pair()
    asked = [both.ask("One."), both.ask("Two.", transport="auto")]
    both.refuse(both.dialing[0], 401)
    assert ([each.failure for each in asked], dials(both)) == (["refused"] * 2, 1)


def test_a_key_that_cannot_be_had_fails_all_who_wait() -> None:
    both = pair(refreshes_key=True)
    asked = [both.ask("One."), both.ask("Two.", transport="auto")]
    both.lose(both.dialing[0], signed_in=False)
    assert ([each.failure for each in asked], dials(both)) == (["sign_in"] * 2, 1)
    assert both.messages == []


def test_a_refused_key_is_changed_at_once_whoever_dialled_beside() -> None:
    both = pair(refreshes_key=True, sockets=2)
    asked = [both.ask("One."), both.ask("Two.")]
    both.refuse(both.dialing[0], 401)
    both.refuse(both.dialing[0], 401)
    assert ([each.failure for each in asked], dials(both)) == ([None, None], 4)


def test_when_all_dials_have_failed_the_next_turn_dials_at_once() -> None:
    both = pair(sockets=2)
    asked = [both.ask("One."), both.ask("Two.")]
    both.refuse(both.dialing[0], 404)
    both.refuse(both.dialing[0], 404)
    assert [each.failure for each in asked] == ["refused", "refused"]
    both.ask("Three.")
    assert len(both.dialing) == 1


# Sockets that open and die


def test_sockets_that_die_before_they_take_a_byte_are_not_opened_for_ever() -> None:
    both = Pair(PoolSettings(), writes=False)
    asked = both.ask("One.")
    while both.sockets:
        both.lose(next(iter(both.sockets)), 1000)
    assert (asked.failure, asked.turn.delivery, dials(both)) == ("lost", "queued", 5)
    assert (asked.turn.model_runs, asked.turn.resends, asked.turn.sent_bytes) == (0, 0, 0)


def test_then_auto_turns_change_to_http() -> None:
    both = Pair(PoolSettings(), writes=False)
    asked = both.ask("One.", transport="auto")
    while both.sockets:
        both.lose(next(iter(both.sockets)), 1000)
    both.write()
    both.start().complete("Over HTTP.")
    assert (asked.text, asked.turn.route, asked.turn.model_runs) == ("Over HTTP.", "http", 1)


def test_what_was_never_written_is_not_counted() -> None:
    both, chain = Pair(PoolSettings(), writes=False), Chain()
    asked = both.ask("One.", chain=chain)
    both.lose(next(iter(both.sockets)))
    both.write()
    both.start().complete("1")
    counted = chain.statistics
    assert (asked.text, asked.types[0]) == ("1", "response.created")  # it moved in silence
    assert (asked.turn.resends, asked.turn.model_runs, counted.turns) == (0, 1, 1)
    assert asked.turn.sent_bytes == asked.turn.full_bytes == counted.sent_bytes
    assert both.pool.statistics().sent_bytes == counted.full_bytes == asked.turn.sent_bytes


def test_a_turn_that_reached_nobody_leaves_its_chain_as_it_was() -> None:
    both, chain = Pair(PoolSettings(retries=0)), Chain()
    both.ask("One.", chain=chain, transport="http")
    parent = both.start().complete("1")
    failed = both.ask("Two.", chain=chain, transport="http")
    both.lose(both.start().connection, None, reached=False)
    assert (failed.failure, failed.turn.delivery, failed.turn.model_runs) == ("dial", "queued", 0)
    both.ask("Two.", chain=chain, transport="http")
    assert both.messages[-1]["previous_response_id"] == parent
