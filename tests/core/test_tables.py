"""The state machines as tables: every pair is there or refused, and nothing outlives its end."""

from __future__ import annotations

from itertools import product
from typing import Any

import pytest

from turnwire.core import breaker, connection, lane, served_steer, steer, turn
from turnwire.core.breaker import BreakerSignal, BreakerState
from turnwire.core.connection import ConnectionSignal, ConnectionState
from turnwire.core.lane import LaneSignal, LaneState
from turnwire.core.machine import IllegalTransition, advance
from turnwire.core.realtime.connection import STEPS, Phase, Step
from turnwire.core.realtime.sequencer import SLOTS, Happening, Slot
from turnwire.core.recovery import RULES, Cause, Delivery, Home, Recovery, Situation, decide
from turnwire.core.served_steer import ServedSteerSignal, ServedSteerState
from turnwire.core.steer import ENDED, SteerSignal, SteerState
from turnwire.core.turn import TERMINAL_STATES, TurnSignal, TurnState

TABLES: dict[str, Any] = {
    "turn": (turn.TRANSITIONS, TurnState, TurnSignal),
    "lane": (lane.TRANSITIONS, LaneState, LaneSignal),
    "connection": (connection.TRANSITIONS, ConnectionState, ConnectionSignal),
    "breaker": (breaker.TRANSITIONS, BreakerState, BreakerSignal),
    "steer": (steer.TRANSITIONS, SteerState, SteerSignal),
    "served steer": (served_steer.TRANSITIONS, ServedSteerState, ServedSteerSignal),
    "realtime socket": (STEPS, Phase, Step),
    "place for a response": (SLOTS, Slot, Happening),
}
TERMINAL = {
    "turn": TERMINAL_STATES,
    "lane": set(),  # a lane lives as long as its socket
    "connection": {ConnectionState.CLOSED},
    "breaker": set(),  # it outlives every socket
    "steer": ENDED,
    "served steer": {ServedSteerState.COMMITTED, ServedSteerState.FAILED},
    "realtime socket": {Phase.CLOSED},
    "place for a response": set(),  # it is there as long as the session
}


@pytest.mark.parametrize("name", TABLES)
def test_every_pair_is_in_the_table_or_refused(name: str) -> None:
    table, states, signals = TABLES[name]
    for state, signal in product(states, signals):
        if (state, signal) in table:
            assert advance(table, state, signal) is table[state, signal]
        else:
            with pytest.raises(IllegalTransition, match="cannot take"):
                advance(table, state, signal)


@pytest.mark.parametrize("name", TABLES)
def test_a_terminal_state_has_no_way_out_and_every_other_one_has(name: str) -> None:
    table, states, _ = TABLES[name]
    alive = {state for state, _ in table}
    assert set(states) - alive == set(TERMINAL[name])


@pytest.mark.parametrize("name", TABLES)
def test_every_state_can_be_reached_and_every_signal_is_used(name: str) -> None:
    table, states, signals = TABLES[name]
    first = next(iter(states))
    assert {first, *table.values()} == set(states)
    assert {signal for _, signal in table} == set(signals)


@pytest.mark.parametrize(
    ("signal", "outcome"),
    [(TurnSignal.FAIL, TurnState.FAILED), (TurnSignal.CANCEL, TurnState.CANCELLED)],
)
def test_a_turn_can_fail_and_be_cancelled_wherever_it_is(
    signal: TurnSignal, outcome: TurnState
) -> None:
    live = set(TurnState) - TERMINAL_STATES
    assert {turn.TRANSITIONS[state, signal] for state in live} == {outcome}


def test_a_turn_that_has_ended_is_not_written_again() -> None:
    again = {state for state in TurnState if (state, TurnSignal.REQUEUE) in turn.TRANSITIONS}
    assert again == {TurnState.WRITING, TurnState.ACCEPTED, TurnState.OUTPUT}


def test_a_turn_becomes_visible_and_never_less_so() -> None:
    rank = {
        state: place
        for place, state in enumerate(
            [TurnState.QUEUED, TurnState.WRITING, TurnState.ACCEPTED, TurnState.OUTPUT]
        )
    }
    for (before, signal), after in turn.TRANSITIONS.items():
        if before is TurnState.STEERING:
            continue  # what has become visible was another response
        if after in rank and signal is not TurnSignal.REQUEUE:
            assert rank[after] >= rank[before]


def test_a_steer_that_was_not_sent_is_not_heard_and_not_lost() -> None:
    ways = {signal for (state, signal) in steer.TRANSITIONS if state is SteerState.WAITING}
    assert ways == {SteerSignal.SUBMIT, SteerSignal.FAIL}


@pytest.mark.parametrize(
    ("signal", "outcome"),
    [
        (SteerSignal.COMMIT, SteerState.COMMITTED),
        (SteerSignal.FAIL, SteerState.FAILED),
        (SteerSignal.LOSE, SteerState.UNKNOWN),
    ],
)
def test_a_steer_that_was_sent_can_end_in_each_way_wherever_it_is(
    signal: SteerSignal, outcome: SteerState
) -> None:
    sent = set(SteerState) - ENDED - {SteerState.WAITING}
    assert {steer.TRANSITIONS[state, signal] for state in sent} == {outcome}


@pytest.mark.parametrize("signal", [ConnectionSignal.LOST, ConnectionSignal.CLOSE])
def test_a_socket_can_be_lost_and_closed_wherever_it_is(signal: ConnectionSignal) -> None:
    live = set(ConnectionState) - {ConnectionState.CLOSED}
    assert {connection.TRANSITIONS[state, signal] for state in live} == {ConnectionState.CLOSED}


def test_a_realtime_socket_can_end_wherever_it_is() -> None:
    ends = {phase: after for (phase, step), after in STEPS.items() if step is Step.ENDED}
    assert ends == dict.fromkeys(set(Phase) - {Phase.CLOSED}, Phase.CLOSED)


def test_the_loss_of_the_socket_frees_the_place_for_a_response() -> None:
    lost = {slot: after for (slot, what), after in SLOTS.items() if what is Happening.LOST}
    assert lost == dict.fromkeys(Slot, Slot.FREE)


def test_a_response_is_asked_for_only_when_there_is_none() -> None:
    ways = {slot for (slot, what) in SLOTS if what is Happening.ASK}
    assert ways == {Slot.FREE}


def test_a_dirty_lane_is_freed_by_its_terminal_event_alone() -> None:
    ways = {signal for (state, signal) in lane.TRANSITIONS if state is LaneState.DRAINING}
    assert ways == {LaneSignal.END}


# What may be done with a turn that was cut off or refused.

SITUATIONS = [
    Situation(cause, delivery, shown, id_known, home, *may)
    for cause, delivery, shown, id_known, home in product(
        Cause, Delivery, (False, True), (False, True), Home
    )
    for may in product((False, True), repeat=3)
]
AGAIN = {
    Recovery.RESEND,
    Recovery.RESEND_IN_FULL,
    Recovery.RESEND_LATER,
    Recovery.FALL_BACK,
    Recovery.MOVE,
}


def test_every_rule_decides_something() -> None:
    first = [next((rule for rule in RULES if rule.fits(each)), None) for each in SITUATIONS]
    assert {rule for rule in RULES if rule not in first} == set()


def test_what_was_perhaps_run_and_lost_is_run_again_only_if_that_is_allowed() -> None:
    for each in SITUATIONS:
        lost = each.cause is Cause.LOST and each.delivery is not Delivery.UNSENT
        if lost and (each.shown or not each.may_repeat):
            assert decide(each) in (Recovery.FAIL, Recovery.RESUME), each


def test_after_output_nothing_but_a_loss_is_recovered() -> None:
    for each in SITUATIONS:
        if each.delivery is Delivery.OUTPUT and decide(each) in AGAIN:
            assert (each.cause, each.shown, each.may_repeat) == (Cause.LOST, False, True), each


def test_an_answer_and_our_own_limits_end_the_turn() -> None:
    ends = {decide(each) for each in SITUATIONS if each.cause in (Cause.ANSWER, Cause.OURS)}
    assert ends == {Recovery.FAIL}


def test_a_turn_changes_to_http_only_if_it_may() -> None:
    for each in SITUATIONS:
        if decide(each) is Recovery.FALL_BACK:
            assert each.may_fall_back, each


def test_a_response_is_fetched_only_if_its_id_is_known() -> None:
    for each in SITUATIONS:
        if decide(each) is Recovery.RESUME:
            assert (each.cause, each.id_known) == (Cause.LOST, True), each
