"""Steers whose socket dies, and responses that are fetched after it."""

from __future__ import annotations

from typing import Any

import pytest

from core.steered import CALL, OUTPUT, Shell, begun, history, in_state, kind
from turnwire.core.chain import Chain
from turnwire.core.steer import SteerState
from turnwire.core.turn import TurnState

ACCEPTED, COMMITTED, FAILED = SteerState.ACCEPTED, SteerState.COMMITTED, SteerState.FAILED
PENDING, SUBMITTED, UNKNOWN = SteerState.PENDING, SteerState.SUBMITTED, SteerState.UNKNOWN
WAITING = SteerState.WAITING
LIVE = pytest.mark.parametrize("state", [SUBMITTED, ACCEPTED, PENDING])
ANY = pytest.mark.parametrize("state", [SUBMITTED, ACCEPTED, PENDING, FAILED, COMMITTED])


# The socket dies


@LIVE
@pytest.mark.parametrize("replay", ["always", "safe"])
def test_a_lost_socket_leaves_it_unknown_and_nothing_is_sent_again(
    state: SteerState, replay: str
) -> None:
    shell = Shell()
    turn = shell.ask("go", replay=replay)
    shell.dial()
    shell.created("r1")
    steer = shell.say(turn, "left")
    if state is ACCEPTED:
        shell.accept("s1", "r1")
    elif state is PENDING:
        shell.pend("s1", "r1")
    shell.lose()
    assert (steer.state, kind(steer), shell.failure(turn)) == (UNKNOWN, "steer", "lost")
    assert (len(shell.creates), len(shell.steers), turn.resends) == (1, 1, 0)


@pytest.mark.parametrize("state", [SUBMITTED, ACCEPTED])
def test_the_same_while_a_successor_is_due(state: SteerState) -> None:
    shell, turn, steer = in_state(state)
    shell.ended("r1", "one")
    shell.lose()
    assert (steer.state, shell.failure(turn), turn.delivery) == (UNKNOWN, "lost", "steering")
    assert len(shell.creates) == 1


def test_a_lost_successor_does_not_run_again() -> None:
    shell, turn, steer = in_state(COMMITTED)
    shell.lose()
    assert (steer.state, shell.failure(turn), len(shell.creates)) == (COMMITTED, "lost", 1)


def test_a_turn_that_took_something_along_does_not_run_again() -> None:
    chain = Chain()
    shell, turn = begun(chain)
    steer = shell.say(turn, "left")
    shell.ended("r1", CALL)
    shell.pend("s1", "r1")
    after = shell.ask(OUTPUT, chain=chain)
    shell.created("r2")
    shell.lose()
    # Only the response that is gone has heard it.
    assert (steer.state, shell.failure(after), len(shell.creates)) == (COMMITTED, "lost", 2)


def test_one_that_had_not_begun_to_hear_it_does() -> None:
    chain = Chain()
    shell, turn = begun(chain)
    steer = shell.say(turn, "left")
    shell.ended("r1", CALL)
    shell.pend("s1", "r1")
    after = shell.ask(OUTPUT, chain=chain)
    shell.lose()
    shell.dial()
    assert (steer.state, len(shell.creates)) == (UNKNOWN, 3)
    shell.ended("r2", "two")
    assert shell.failure(after) is None
    assert history(chain) == ["go", "function_call", "sun", "two"]


def test_what_was_not_written_is_given_back_and_costs_nothing() -> None:
    chain = Chain()
    shell, turn = begun(chain)
    size_bytes = turn.sent_bytes
    shell.slow = True
    steers = [shell.say(turn, "a"), shell.say(turn, "b")]
    shell.lose(shell.socket, *(each.id for each in steers))
    assert [(each.state, each.response_id) for each in steers] == [(FAILED, None)] * 2
    for each in (turn, shell.pool.statistics(), chain.statistics):
        assert each.sent_bytes == size_bytes
    # So nothing of it is lost, and nothing said twice, if the turn is sent again.
    shell.slow = False
    shell.dial()
    assert (len(shell.creates), turn.repeats) == (2, 1)


@pytest.mark.parametrize(("status", "failure"), [("completed", None), ("failed", "server")])
def test_a_turn_ends_as_its_response_did_if_its_steer_was_not_even_written(
    status: str, failure: str | None
) -> None:
    shell, turn = begun()
    shell.slow = True
    steer = shell.say(turn, "left")
    shell.ended("r1", "one", status=status)
    shell.lose(shell.socket, steer.id)
    assert (shell.failure(turn), steer.state, len(shell.creates)) == (failure, FAILED, 1)


def test_an_old_socket_ends_such_a_turn_as_well() -> None:
    shell = Shell()
    turns = [shell.ask("a"), shell.ask("b")]
    shell.dial()
    shell.created("r1")
    shell.created("r2", lane="lane-1")
    shell.slow = True
    steer = shell.say(turns[1], "left")
    shell.error("websocket_connection_limit_reached", lane="lane-1")
    assert turns[1].state is TurnState.STEERING
    shell.lose(shell.socket, steer.id)
    assert (shell.failure(turns[1]), steer.state) == ("server", FAILED)


def test_what_was_written_and_what_was_not_are_told_apart() -> None:
    shell, turn = begun()
    first = shell.say(turn, "a")
    shell.slow = True
    second = shell.say(turn, "b")
    shell.lose(shell.socket, second.id)
    assert (first.state, second.state) == (UNKNOWN, FAILED)
    assert (shell.failure(turn), len(shell.creates)) == ("lost", 1)


def test_what_waits_survives_a_loss() -> None:
    shell = Shell()
    turn = shell.ask("go")
    shell.dial()
    steer = shell.say(turn, "left")
    shell.lose()
    assert steer.state is WAITING
    shell.dial()
    shell.created("r1")
    assert shell.steers == [("r1", ["left"])]


def test_garbage_is_a_loss_too() -> None:
    shell, turn, steer = in_state(ACCEPTED)
    shell.pool.malformed(shell.socket, "x", 0.0)
    shell.settle()
    assert (steer.state, shell.failure(turn)) == (UNKNOWN, "protocol")


# Resuming


def kept(state: SteerState) -> tuple[Shell, Any, Any]:
    shell = Shell(resume=True)
    turn = shell.ask("go", store=True)
    shell.dial()
    shell.created("r1", sequence_number=0)
    steer = shell.say(turn, "left")
    if state is ACCEPTED:
        shell.accept("s1", "r1")
    if state is FAILED:
        shell.reject(None, "r1")
    if state is COMMITTED:
        shell.accept("s1", "r1")
        shell.steered("r1", "one")
        shell.created("r2", sequence_number=0)
    return shell, turn, steer


def resumed(shell: Shell, response_id: str) -> None:
    shell.pool.signed_in(shell.exchanges[-1], shell.now)
    shell.settle()
    assert shell.fetched == [(shell.exchanges[-1], response_id)]
    body = b'{"id":"%s","status":"completed","output":[]}' % response_id.encode()
    shell.pool.fetched(shell.exchanges[-1], body, shell.now)
    shell.settle()


@pytest.mark.parametrize(("state", "response_id"), [(FAILED, "r1"), (COMMITTED, "r2")])
def test_a_stored_response_is_fetched_once_all_steers_are_decided(
    state: SteerState, response_id: str
) -> None:
    shell, turn, _ = kept(state)
    shell.lose()
    resumed(shell, response_id)
    assert (shell.failure(turn), turn.response_id) == (None, response_id)


@pytest.mark.parametrize("state", [SUBMITTED, ACCEPTED])
@pytest.mark.parametrize("ended", [True, False])
def test_with_an_undecided_steer_nobody_knows_which_response_to_fetch(
    state: SteerState, *, ended: bool
) -> None:
    shell, turn, steer = kept(state)
    if ended:
        shell.ended("r1", "one")
    shell.lose()
    assert (shell.failure(turn), steer.state, shell.exchanges) == ("lost", UNKNOWN, [])


def test_a_response_that_is_fetched_cannot_be_steered() -> None:
    shell, turn, _ = kept(FAILED)
    shell.lose()
    steer = shell.say(turn, "right")
    assert steer.state is FAILED
    assert steer.failure is not None
    assert steer.failure.code == "steering_not_supported"
    resumed(shell, "r1")
    assert shell.failure(turn) is None
