"""WebSocket or HTTP: what opens the breaker, what closes it, and who probes."""

from __future__ import annotations

import json
from dataclasses import asdict
from itertools import product
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from properties.profiles import PROFILE
from turnwire.core.breaker import (
    TRANSITIONS,
    Breaker,
    BreakerSettings,
    BreakerSignal,
    BreakerState,
    Health,
)
from turnwire.core.machine import IllegalTransition, advance

if TYPE_CHECKING:
    from collections.abc import Callable

MINUTE = 60.0
# Only an open breaker has a probe to give away.
IMPOSSIBLE = {
    (BreakerState.CLOSED, BreakerSignal.PROBE),
    (BreakerState.HALF_OPEN, BreakerSignal.PROBE),
}


def opened(reason: str = "HTTP 426", *, times: int = 1) -> tuple[Breaker, float]:
    """Return a breaker that has just opened so many times in a row, and the time."""
    breaker, now = Breaker(), 0.0
    breaker.refused(reason, now)
    for _ in range(times - 1):
        now = cooled(breaker, now)
        assert breaker.allows(now)
        breaker.refused(reason, now)
    return breaker, now


def cooled(breaker: Breaker, now: float) -> float:
    """Return when the cooldown of an open breaker is over."""
    left = breaker.health(now).seconds_until_probe
    assert left is not None
    return now + left


def probing() -> tuple[Breaker, float]:
    """Return a breaker whose probe runs, and the time."""
    breaker, now = opened()
    now = cooled(breaker, now)
    assert breaker.allows(now)
    return breaker, now


# The table


def test_every_pair_is_in_the_table_or_listed_as_impossible() -> None:
    assert TRANSITIONS.keys() | IMPOSSIBLE == set(product(BreakerState, BreakerSignal))
    assert TRANSITIONS.keys() & IMPOSSIBLE == set()


@pytest.mark.parametrize("pair", sorted(IMPOSSIBLE, key=str))
def test_an_impossible_pair_is_refused(pair: tuple[BreakerState, BreakerSignal]) -> None:
    with pytest.raises(IllegalTransition, match="cannot take"):
        advance(TRANSITIONS, *pair)


def test_it_begins_closed_and_reaches_every_state() -> None:
    first, _ = next(iter(TRANSITIONS))
    assert first is BreakerState.CLOSED
    assert {first, *TRANSITIONS.values()} == set(BreakerState)


@pytest.mark.parametrize("signal", [BreakerSignal.SUCCEED, BreakerSignal.RESET])
def test_a_success_closes_it_wherever_it_is(signal: BreakerSignal) -> None:
    assert {TRANSITIONS[state, signal] for state in BreakerState} == {BreakerState.CLOSED}


# What opens it


def test_sockets_are_used_until_something_goes_wrong() -> None:
    breaker = Breaker()
    assert breaker.allows(0.0)
    assert breaker.health(0.0) == Health("websocket", "closed", None, 0, None)


def test_one_refused_upgrade_opens_it() -> None:
    breaker = Breaker()
    sentence = "sockets do not work (HTTP 426): turns use HTTP for 300 s"
    assert breaker.refused("HTTP 426", 10.0) == sentence
    assert not breaker.allows(10.0)
    assert breaker.health(70.0) == Health("http", "open", "HTTP 426", 0, 240.0)


def test_three_losses_in_a_row_open_it() -> None:
    breaker = Breaker()
    said = [breaker.lost(f"closed with {code}", 0.0) for code in (1001, 1006, 1011)]
    assert said == [
        None,
        None,
        "sockets do not work (closed with 1011): turns use HTTP for 300 s",
    ]
    assert breaker.health(0.0) == Health("http", "open", "closed with 1011", 3, 300.0)


def test_two_losses_only_show_in_its_health() -> None:
    breaker = Breaker()
    breaker.lost("closed with 1001", 0.0)
    breaker.lost("closed with 1006", 0.0)
    assert breaker.allows(0.0)
    assert breaker.health(0.0) == Health("websocket", "closed", "closed with 1006", 2, None)


def test_a_success_between_losses_counts_from_zero() -> None:
    breaker = Breaker()
    for _ in range(5):
        assert breaker.lost("gone", 0.0) is None
        assert breaker.lost("gone", 0.0) is None
        assert breaker.succeeded() is None
    assert breaker.health(0.0) == Health("websocket", "closed", None, 0, None)


def test_how_many_losses_it_takes_is_a_setting() -> None:
    breaker = Breaker(BreakerSettings(losses=1, cooldowns=(7.0,)))
    assert breaker.lost("gone", 0.0) == "sockets do not work (gone): turns use HTTP for 7 s"


@pytest.mark.parametrize("blow", [Breaker.lost, Breaker.refused])
def test_what_began_before_it_opened_does_not_prolong_it(
    blow: Callable[[Breaker, str, float], str | None],
) -> None:
    breaker, now = opened()
    assert [blow(breaker, "late", now + 200.0) for _ in range(4)] == [None] * 4
    assert breaker.health(now + 200.0).seconds_until_probe == 100.0
    assert breaker.allows(now + 300.0)


# The probe


def test_when_the_cooldown_is_over_one_turn_probes() -> None:
    breaker, now = opened()
    assert not breaker.allows(now + 299.9)
    assert breaker.health(now + 300.0) == Health("websocket", "open", "HTTP 426", 0, 0.0)
    assert breaker.allows(now + 300.0)
    assert not breaker.allows(now + 300.0)
    assert breaker.health(now + 9000.0) == Health("http", "half_open", "HTTP 426", 0, None)
    assert not breaker.allows(now + 9000.0)


@pytest.mark.parametrize("blow", [Breaker.lost, Breaker.refused])
def test_a_probe_that_fails_once_opens_it_for_longer(
    blow: Callable[[Breaker, str, float], str | None],
) -> None:
    breaker, now = probing()
    assert blow(breaker, "again", now) == "sockets do not work (again): turns use HTTP for 600 s"
    assert not breaker.allows(now + 599.9)
    assert breaker.allows(now + 600.0)


def test_a_probe_that_ends_well_closes_it() -> None:
    breaker, now = probing()
    assert breaker.succeeded() == "sockets work again: turns use them"
    assert breaker.health(now) == Health("websocket", "closed", None, 0, None)
    assert breaker.allows(now)
    assert breaker.allows(now)


def test_a_probe_that_was_given_up_leaves_it_to_the_next_turn() -> None:
    breaker, now = probing()
    breaker.gave_up_probe()
    assert breaker.health(now) == Health("websocket", "open", "HTTP 426", 0, 0.0)
    assert breaker.allows(now)
    assert not breaker.allows(now)


def test_a_probe_that_was_given_up_does_not_lengthen_the_cooldown() -> None:
    breaker, now = probing()
    breaker.gave_up_probe()
    assert breaker.allows(now)
    assert breaker.refused("no", now) == "sockets do not work (no): turns use HTTP for 600 s"


def test_cooldowns_grow_to_twenty_minutes_and_begin_anew_after_a_success() -> None:
    cooldowns: list[float] = []
    for times in range(1, 6):
        breaker, now = opened(times=times)
        cooldowns.append((cooled(breaker, now) - now) / MINUTE)
    assert cooldowns == [5, 10, 20, 20, 20]
    breaker, now = opened(times=4)
    assert breaker.allows(cooled(breaker, now))
    breaker.succeeded()
    breaker.refused("no", now)
    assert breaker.health(now).seconds_until_probe == 5 * MINUTE


def test_an_older_socket_that_works_closes_it_before_its_time() -> None:
    breaker, now = opened()
    assert breaker.succeeded() == "sockets work again: turns use them"
    assert breaker.allows(now)


def test_a_probe_given_up_after_the_fact_changes_nothing() -> None:
    breaker, now = probing()
    breaker.succeeded()
    breaker.gave_up_probe()
    assert breaker.health(now) == Health("websocket", "closed", None, 0, None)

    breaker, now = probing()
    breaker.lost("an older turn", now)
    breaker.gave_up_probe()
    assert breaker.health(now).seconds_until_probe == 10 * MINUTE


# When HTTP does not work either


def test_an_opening_is_taken_back_if_http_does_not_work_either() -> None:
    breaker, now = opened("no route to host")
    closed = "HTTP does not reach the server either: turns use sockets again"
    assert breaker.unreachable() == closed
    assert breaker.health(now) == Health("websocket", "closed", None, 0, None)
    breaker.refused("HTTP 426", now)
    assert breaker.health(now).seconds_until_probe == 5 * MINUTE


def test_an_opening_that_http_has_proven_stays() -> None:
    breaker, now = opened()
    breaker.reached()
    assert breaker.unreachable() is None
    assert breaker.health(now) == Health("http", "open", "HTTP 426", 0, 300.0)


def test_a_proof_is_for_one_opening() -> None:
    breaker, now = opened()
    breaker.reached()
    breaker.succeeded()
    breaker.refused("no route to host", now)
    assert breaker.unreachable() is not None
    assert breaker.allows(now)


def test_losses_do_not_count_if_http_does_not_work_either() -> None:
    breaker = Breaker()
    for _ in range(3):
        breaker.reached()
        assert breaker.lost("gone", 0.0) is None
        assert breaker.lost("gone", 0.0) is None
        assert breaker.unreachable() is None
    assert breaker.health(0.0) == Health("websocket", "closed", None, 0, None)


def test_a_failed_probe_does_not_count_if_http_does_not_work_either() -> None:
    breaker, now = opened(times=2)
    for _ in range(2):
        assert breaker.unreachable() is None
        assert breaker.health(now) == Health("websocket", "open", "HTTP 426", 0, 0.0)
    assert breaker.allows(now)
    breaker.refused("HTTP 426", now)
    assert breaker.health(now).seconds_until_probe == 10 * MINUTE


def test_a_failed_probe_needs_a_proof_of_its_own() -> None:
    breaker, now = opened()
    breaker.reached()
    now = cooled(breaker, now)
    assert breaker.allows(now)
    breaker.refused("no route to host", now)
    breaker.unreachable()
    assert breaker.health(now).seconds_until_probe == 0.0

    assert breaker.allows(now)
    breaker.refused("HTTP 426", now)
    breaker.reached()
    breaker.unreachable()
    assert breaker.health(now).seconds_until_probe == 10 * MINUTE


def test_while_the_probe_runs_http_has_no_say() -> None:
    breaker, now = probing()
    assert breaker.unreachable() is None
    assert breaker.health(now).state == "half_open"


# Credentials


def test_another_credential_starts_afresh() -> None:
    breaker, now = Breaker(), 0.0
    assert breaker.seen("one") is None
    breaker.refused("HTTP 403", now)
    assert breaker.seen("one") is None
    assert not breaker.allows(now)
    assert breaker.seen("two") == "the credential has changed: turns use sockets again"
    assert breaker.health(now) == Health("websocket", "closed", None, 0, None)
    breaker.refused("HTTP 403", now)
    assert breaker.health(now).seconds_until_probe == 5 * MINUTE


def test_the_first_credential_is_the_one_that_it_opened_for() -> None:
    breaker, now = opened()
    assert breaker.seen("one") is None
    assert not breaker.allows(now)


def test_losses_of_one_credential_do_not_count_for_another() -> None:
    breaker = Breaker()
    for credential in ("one", "two", "three"):
        assert breaker.seen(credential) is None
        breaker.lost("gone", 0.0)
        breaker.lost("gone", 0.0)
    assert breaker.allows(0.0)


def test_health_is_plain_json() -> None:
    breaker, _ = opened()
    assert json.loads(json.dumps(asdict(breaker.health(60.0)))) == {
        "transport": "http",
        "state": "open",
        "reason": "HTTP 426",
        "losses": 0,
        "seconds_until_probe": 240.0,
    }


# Any order of things

INPUTS: dict[str, Callable[[Breaker, float], str | None]] = {
    "refused": lambda breaker, now: breaker.refused("a reason", now),
    "lost": lambda breaker, now: breaker.lost("a reason", now),
    "succeeded": lambda breaker, _: breaker.succeeded(),
    "gave up": lambda breaker, _: breaker.gave_up_probe(),
    "reached": lambda breaker, _: breaker.reached(),
    "unreachable": lambda breaker, _: breaker.unreachable(),
    "seen one": lambda breaker, _: breaker.seen("one"),
    "seen two": lambda breaker, _: breaker.seen("two"),
}
STEPS = st.tuples(st.sampled_from(["ask", *INPUTS]), st.sampled_from((0.0, 1.0, 300.0, 1200.0)))


def ask(breaker: Breaker, now: float) -> None:
    before = breaker.health(now)
    assert breaker.allows(now) == (before.transport == "websocket")
    if before.state != "closed":
        assert not breaker.allows(now), "two turns probe at once"


def tell(breaker: Breaker, what: str, now: float) -> None:
    before = breaker.health(now)
    said = INPUTS[what](breaker, now)
    after = breaker.health(now)
    opened_or_closed = (before.state == "closed") != (after.state == "closed")
    failed_probe = (before.state, after.state) == ("half_open", "open") and what != "gave up"
    assert (said is not None) == (opened_or_closed or failed_probe)
    if what == "succeeded":
        assert after == Health("websocket", "closed", None, 0, None)


@PROFILE
@given(st.lists(STEPS, max_size=30))
def test_whatever_happens_it_keeps_its_word(history: list[tuple[str, float]]) -> None:
    breaker, now = Breaker(), 0.0
    for what, pause in history:
        now += pause
        ask(breaker, now) if what == "ask" else tell(breaker, what, now)
        health = breaker.health(now)
        assert (health.seconds_until_probe is not None) == (health.state == "open")
        assert 0.0 <= (health.seconds_until_probe or 0.0) <= 1200.0
        assert health.reason is not None or health.state == "closed"
    if breaker.health(now).state != "half_open":  # then it waits to hear of its probe
        assert breaker.allows(now + 1200.0), "it would never try again"
