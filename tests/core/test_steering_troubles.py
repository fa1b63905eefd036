"""Steers whose response fails, and servers that say nothing of them."""

from __future__ import annotations

import pytest

from core.steered import CALL, OUTPUT, Shell, begun, history, in_state, kind
from turnwire.core.chain import Chain
from turnwire.core.request import Deadlines
from turnwire.core.steer import SteerState
from turnwire.core.turn import TurnState

ACCEPTED, COMMITTED, FAILED = SteerState.ACCEPTED, SteerState.COMMITTED, SteerState.FAILED
PENDING, SUBMITTED, UNKNOWN = SteerState.PENDING, SteerState.SUBMITTED, SteerState.UNKNOWN
WAITING = SteerState.WAITING
LIVE = pytest.mark.parametrize("state", [SUBMITTED, ACCEPTED, PENDING])
ANY = pytest.mark.parametrize("state", [SUBMITTED, ACCEPTED, PENDING, FAILED, COMMITTED])


# The response ends


@pytest.mark.parametrize("state", [SUBMITTED, ACCEPTED])
@pytest.mark.parametrize(
    ("status", "failure"), [("completed", None), ("incomplete", None), ("failed", "server")]
)
def test_a_turn_ends_as_its_response_did_once_its_steer_has_failed(
    state: SteerState, status: str, failure: str | None
) -> None:
    shell, turn, steer = in_state(state)
    shell.ended("r1", "one", status=status)
    assert (turn.state, turn.delivery, shell.finished) == (TurnState.STEERING, "steering", {})
    assert shell.kinds(turn)[-1] == f"response.{status}"  # its caller need not wait for that
    shell.reject("s1", "r1", "successor_creation_failed")
    assert (shell.failure(turn), steer.state, turn.model_runs) == (failure, FAILED, 1)
    assert shell.kinds(turn)[-1] == "response.steer.failed"
    assert shell.pending_lanes == ["None:free"]


@pytest.mark.parametrize("state", [PENDING, FAILED])
@pytest.mark.parametrize("reason", ["steered", "max_output_tokens"])
def test_a_decided_steer_holds_no_turn_up(state: SteerState, reason: str) -> None:
    shell, turn, _ = in_state(state)
    shell.ended("r1", "one", status="incomplete", reason=reason)
    assert shell.failure(turn) is None


@pytest.mark.parametrize("state", [SUBMITTED, ACCEPTED])
def test_an_error_ends_the_turn_once_its_steer_is_decided(state: SteerState) -> None:
    shell, turn, steer = in_state(state)
    shell.error("server_error", 500)
    assert (turn.state, len(shell.creates)) == (TurnState.STEERING, 1)  # nothing is sent again
    shell.reject("s1", "r1")
    assert (shell.failure(turn), steer.state) == ("server", FAILED)


@pytest.mark.parametrize("state", [SUBMITTED, ACCEPTED])
@pytest.mark.parametrize("fails", ["error", "failed"])
def test_an_error_where_a_successor_was_due_ends_everything(state: SteerState, fails: str) -> None:
    shell, turn, steer = in_state(state)
    shell.ended("r1", "one")
    if fails == "error":
        shell.error("server_error", 500)
    else:
        shell.ended("r1", status="failed")
    assert (shell.failure(turn), steer.state, kind(steer)) == ("server", UNKNOWN, "steer")
    assert shell.closed == [shell.socket]  # a successor might still come
    assert turn.verdict is None


def test_an_error_of_the_successor_is_the_turns() -> None:
    chain = Chain()
    shell, turn = begun(chain)
    steer = shell.say(turn, "left")
    shell.accept("s1", "r1")
    shell.steered("r1", "one")
    shell.created("r2")
    shell.error("rate_limit_exceeded", 429)
    assert (shell.failure(turn), steer.state, len(shell.creates)) == ("server", COMMITTED, 1)
    assert (history(chain), chain.head) == (["go", "one"], None)
    assert [item.kind.role for item in turn.continued] == ["user"]  # to be said again, if need be


def test_a_busy_server_is_not_asked_again_what_was_steered() -> None:
    shell, turn, steer = in_state(ACCEPTED)
    shell.error("rate_limit_exceeded", 429)
    shell.reject("s1", "r1")
    shell.wait(20.0)
    assert (shell.failure(turn), len(shell.creates), turn.retries) == ("server", 1, 0)
    assert steer.state is FAILED


def test_a_parent_that_is_gone_is_not_made_up_for_once_the_turn_was_steered() -> None:
    chain = Chain()
    shell, first = begun(chain)
    shell.ended("r1", "one")
    turn = shell.ask("more", chain=chain)
    shell.created("r2")
    shell.say(turn, "left")
    shell.accept("s1", "r2")
    shell.error("previous_response_not_found", param="previous_response_id")
    shell.reject("s1", "r2")
    assert (shell.failure(first), shell.failure(turn), len(shell.creates)) == (None, "server", 2)


def test_a_parent_that_is_gone_takes_what_was_pending_along() -> None:
    chain = Chain()
    shell, turn = begun(chain)
    steer = shell.say(turn, "left")
    shell.ended("r1", CALL)
    shell.pend("s1", "r1")
    shell.ask(OUTPUT, chain=chain)
    shell.error("previous_response_not_found")
    assert (steer.state, len(shell.creates)) == (FAILED, 3)
    assert steer.failure.code == "response_not_continued"
    assert len(shell.creates[-1]["input"]) == 3
    shell.ended("r2", "two")
    assert history(chain) == ["go", "function_call", "sun", "two"]


@pytest.mark.parametrize("whole", [True, False])
def test_a_busy_server_keeps_or_loses_what_is_pending_and_nothing_is_heard_twice(
    *, whole: bool
) -> None:
    chain = Chain()
    shell, turn = begun(chain)
    steer = shell.say(turn, "left")
    shell.ended("r1", CALL)
    shell.pend("s1", "r1")
    said = [{"role": "user", "content": "go"}, CALL, {"role": "user", "content": "left"}]
    shell.ask(*(said if whole else ()), OUTPUT, chain=chain, whole=whole)
    shell.error("rate_limit_exceeded", 429)
    shell.wait(20.0)
    assert (len(shell.creates), steer.state) == (3, FAILED)
    shell.ended("r2", "two")
    left = ["left"] if whole else []
    assert history(chain) == ["go", "function_call", *left, "sun", "two"]


def test_a_busy_server_that_stores_hears_it_once() -> None:
    chain = Chain()
    shell = Shell()
    turn = shell.ask("go", chain=chain, store=True)
    shell.dial()
    shell.created("r1")
    steer = shell.say(turn, "left")
    shell.ended("r1", CALL)
    shell.pend("s1", "r1")
    said = [{"role": "user", "content": "go"}, CALL, {"role": "user", "content": "left"}]
    shell.ask(*said, OUTPUT, chain=chain, whole=True, store=True)
    shell.error("rate_limit_exceeded", 429)
    shell.wait(20.0)
    assert shell.creates[-1]["input"] == [OUTPUT]  # on the same lane, where it still waits
    shell.ended("r2", "two")
    assert (steer.state, history(chain)) == (
        COMMITTED,
        ["go", "function_call", "left", "sun", "two"],
    )


# Silence


def test_silence_about_a_steer_ends_with_the_response() -> None:
    shell, turn, steer = in_state(SUBMITTED)
    shell.ended("r1", "one")
    shell.wait(29.0)
    assert shell.finished == {}
    shell.wait(2.0)
    assert (shell.failure(turn), steer.state) == (None, UNKNOWN)
    assert kind(steer) == "first_event_timeout"
    assert shell.closed == [shell.socket]


def test_without_the_successor_that_was_promised_the_turn_fails() -> None:
    chain = Chain()
    shell, turn = begun(chain)
    steer = shell.say(turn, "left")
    shell.accept("s1", "r1")
    shell.ended("r1", "one")
    shell.wait(31.0)
    assert (shell.failure(turn), steer.state) == ("first_event_timeout", UNKNOWN)
    assert (shell.closed, chain.head, history(chain)) == ([shell.socket], None, [])


def test_a_socket_that_is_given_up_waits_for_its_other_turns() -> None:
    shell, turn, _ = in_state(ACCEPTED)
    other = shell.ask("beside")
    shell.ended("r1", "one")
    shell.wait(29.0)
    shell.created("r2", lane="lane-1")
    shell.wait(2.0)
    assert (shell.failure(turn), shell.closed) == ("first_event_timeout", [])
    shell.created("r3")  # it comes after all, and is nobody's
    shell.ended("r3", "late")
    shell.ended("r2", "two", lane="lane-1")
    assert (shell.failure(other), shell.closed) == (None, [shell.socket])


def test_without_a_limit_a_turn_is_held_for_as_long_as_its_server_likes() -> None:
    shell = Shell()
    turn = shell.ask("go", deadlines=Deadlines(first_event=None))
    shell.dial()
    shell.created("r1")
    steer = shell.say(turn, "left")
    shell.accept("s1", "r1")
    shell.ended("r1", "one")
    for _ in range(60):
        shell.pool.ponged(shell.socket, shell.now)
        shell.wait(15.0)
    assert (turn.state, steer.state) == (TurnState.STEERING, ACCEPTED)
    shell.created("r2")
    shell.ended("r2", "two")
    assert (shell.failure(turn), steer.state) == (None, COMMITTED)


def test_but_not_beyond_its_own_limit() -> None:
    shell = Shell()
    turn = shell.ask("go", deadlines=Deadlines(first_event=None, turn=5.0))
    shell.dial()
    shell.created("r1")
    steer = shell.say(turn, "left")
    shell.ended("r1", "one")
    shell.wait(6.0)
    assert (shell.failure(turn), steer.state) == ("turn_timeout", UNKNOWN)


def test_a_running_response_is_not_hurried_by_its_steers() -> None:
    shell, turn, steer = in_state(ACCEPTED)
    for _ in range(10):
        shell.pool.ponged(shell.socket, shell.now)
        shell.wait(15.0)
    assert (turn.state, steer.state) == (TurnState.ACCEPTED, ACCEPTED)
