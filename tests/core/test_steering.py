"""What is said to a turn that runs: how it is sent, answered, and heard."""

from __future__ import annotations

import pytest

from core.steered import Shell, begun, code, user
from turnwire.core.chain import Chain
from turnwire.core.history import HistoryItem
from turnwire.core.steer import SteerState
from turnwire.core.turn import TurnState

ACCEPTED, COMMITTED, FAILED = SteerState.ACCEPTED, SteerState.COMMITTED, SteerState.FAILED
PENDING, SUBMITTED, WAITING = SteerState.PENDING, SteerState.SUBMITTED, SteerState.WAITING


# Sending


def test_a_steer_names_its_target_and_nothing_else() -> None:
    shell, turn = begun()
    steer = shell.say(turn, "left", "and fast")
    wanted = {
        "type": "response.steer",
        "previous_response_id": "r1",
        "input": [user("left"), user("and fast")],
    }
    assert shell.sent[-1] == (shell.socket, wanted)
    assert (steer.state, steer.response_id, steer.id) == (SUBMITTED, "r1", shell.numbers[-1])


def test_a_steer_waits_until_its_response_has_an_id() -> None:
    shell = Shell()
    turn = shell.ask("go")
    steers = [shell.say(turn, "left")]
    shell.dial()
    steers.append(shell.say(turn, "right"))
    assert ([steer.state for steer in steers], shell.steers) == ([WAITING] * 2, [])
    shell.created("r1")
    assert shell.steers == [("r1", ["left"]), ("r1", ["right"])]
    shell.hear("response.in_progress", response={"id": "r1"})
    assert len(shell.steers) == 2  # and it is not said once more


def test_it_waits_for_the_id_even_if_there_is_output() -> None:
    shell = Shell()
    turn = shell.ask("go")
    shell.dial()
    shell.delta()
    steer = shell.say(turn, "left")
    assert (turn.state, steer.state) == (TurnState.OUTPUT, WAITING)
    shell.delta()
    shell.hear("response.in_progress", response={"id": "r1"})
    assert shell.steers == [("r1", ["left"])]


def test_what_waited_is_given_back_if_there_is_nothing_but_the_end() -> None:
    shell = Shell()
    turn = shell.ask("go")
    shell.dial()
    steer = shell.say(turn, "left")
    shell.ended("r1", "one")
    assert (shell.steers, steer.state, code(steer)) == ([], FAILED, "response_not_active")
    assert (shell.failure(turn), shell.pool.statistics().queued_bytes) == (None, 0)


def test_what_waits_survives_a_busy_server() -> None:
    shell = Shell()
    turn = shell.ask("go")
    shell.dial()
    steer = shell.say(turn, "left")
    shell.error("rate_limit_exceeded", 429)
    assert steer.state is WAITING
    shell.wait(10.0)
    shell.created("r1")
    assert (len(shell.creates), shell.steers) == (2, [("r1", ["left"])])


def test_a_turn_that_has_ended_takes_nothing() -> None:
    shell, turn = begun()
    shell.ended("r1", "one")
    steer = shell.say(turn, "left")
    assert (steer.state, code(steer), shell.steers) == (FAILED, "response_not_active", [])


def test_while_a_successor_is_due_it_waits_for_that() -> None:
    shell, turn = begun()
    first = shell.say(turn, "left")
    shell.accept("s1", "r1")
    shell.steered("r1", "one")
    second = shell.say(turn, "right")
    assert (turn.state, second.state) == (TurnState.STEERING, WAITING)
    shell.created("r2")
    assert (first.state, shell.steers[-1]) == (COMMITTED, ("r2", ["right"]))


def test_what_waits_counts_against_the_queue() -> None:
    shell = Shell(queue_bytes=600)
    turn = shell.ask("go")
    before = shell.pool.statistics().queued_bytes
    item = HistoryItem.of(user("x" * 300))
    steer = shell.pool.steer(turn, [item], 0.0)
    assert steer is not None
    assert shell.pool.statistics().queued_bytes == before + len(item.encoded)
    assert shell.pool.steer(turn, [item], 0.0) is None
    assert turn.steers == [steer]
    shell.dial()
    shell.created("r1")
    assert shell.pool.statistics().queued_bytes == 0


def test_what_fits_through_no_socket_is_given_back() -> None:
    shell, turn = begun(message_bytes=300)
    steer = shell.say(turn, "x" * 300)
    assert (steer.state, code(steer), shell.steers) == (FAILED, "invalid_input", [])
    shell.ended("r1", "one")
    assert shell.failure(turn) is None


def test_its_bytes_are_counted_and_saved_nothing() -> None:
    chain = Chain()
    shell, turn = begun(chain)
    shell.say(turn, "left")
    counts = shell.pool.statistics()
    for each in (turn, counts, chain.statistics):
        assert (each.sent_bytes, each.full_bytes) == (sum(shell.sizes),) * 2
    assert (turn.message_bytes, turn.resends) == (shell.sizes[0], 0)


# Answers


def test_answers_come_by_order_until_there_is_an_id_and_by_id_then() -> None:
    shell, turn = begun()
    steers = [shell.say(turn, text) for text in ("a", "b", "c")]
    shell.accept("s1", "r1")
    shell.accept("s2", "r1")
    assert [(each.steer_id, each.state) for each in steers] == [
        ("s1", ACCEPTED),
        ("s2", ACCEPTED),
        (None, SUBMITTED),
    ]
    shell.reject("s2", "r1", "successor_creation_failed")
    shell.reject(None, "r1", "too_many_pending_steers")
    assert [each.state for each in steers] == [ACCEPTED, FAILED, FAILED]
    assert [code(each) for each in steers[1:]] == [
        "successor_creation_failed",
        "too_many_pending_steers",
    ]


def test_an_answer_said_once_more_is_about_no_other_steer() -> None:
    shell, turn = begun()
    steers = [shell.say(turn, "a"), shell.say(turn, "b")]
    shell.accept("s1", "r1")
    shell.accept("s1", "r1")
    assert [each.state for each in steers] == [ACCEPTED, SUBMITTED]
    shell.reject("s1", "r1")
    shell.reject("s1", "r1")
    shell.pend("s1", "r1")
    assert [each.state for each in steers] == [FAILED, SUBMITTED]
    assert shell.pool.statistics().unrouted_events == 2


@pytest.mark.parametrize("target", [None, "r9"])
def test_an_answer_about_an_unknown_response_is_nobodys(target: str | None) -> None:
    shell, turn = begun()
    steer = shell.say(turn, "left")
    shell.accept("s1", target)
    shell.reject(None, target)
    assert (steer.state, shell.pool.statistics().unrouted_events) == (SUBMITTED, 2)
    assert "response.steer.accepted" not in shell.kinds(turn)


@pytest.mark.parametrize("lane", [None, "lane-1", "nobody"])
def test_the_lane_that_an_answer_names_does_not_matter(lane: str | None) -> None:
    shell, turn = begun()
    other = shell.ask("beside")
    shell.created("r2", lane="lane-1")
    steer = shell.say(turn, "left")
    shell.accept("s1", "r1", lane=lane)
    assert (steer.state, steer.steer_id) == (ACCEPTED, "s1")
    assert shell.kinds(turn)[-1] == "response.steer.accepted"
    assert "response.steer.accepted" not in shell.kinds(other)


def test_answers_reach_their_turn_and_its_numbers_go_on() -> None:
    shell, turn = begun()
    shell.say(turn, "left")
    shell.accept("s1", "r1", sequence_number=4)
    assert shell.kinds(turn) == ["response.created", "response.steer.accepted"]
    assert turn.last_sequence_number == 4
    assert turn.state is TurnState.ACCEPTED  # nothing of the model's was shown


def test_a_failed_steer_ends_no_turn() -> None:
    shell, turn = begun()
    shell.say(turn, "left")
    shell.reject(None, "r1", "steering_not_supported")
    shell.ended("r1", "one")
    assert (shell.failure(turn), turn.model_runs) == (None, 1)
    assert shell.finished[turn.id].response is not None


def test_a_server_that_does_not_know_steers_says_so_in_its_own_way() -> None:
    shell, turn = begun()
    steers = [shell.say(turn, "a"), shell.say(turn, "b")]
    shell.error("invalid_value", message="Unknown type: 'response.steer'.")
    assert [each.state for each in steers] == [FAILED, SUBMITTED]
    shell.error("invalid_value", message="Unknown type: 'response.steer'.")
    assert [code(each) for each in steers] == ["steering_not_supported"] * 2
    shell.ended("r1", "one")
    assert shell.failure(turn) is None


def test_such_an_error_without_a_lane_hits_no_other_turn() -> None:
    shell = Shell(lanes=True)
    default, turn = shell.ask("a"), shell.ask("b")
    shell.dial()
    shell.created("r1")
    shell.created("r2", lane="lane-1")
    shell.ended("r1", "one")
    steer = shell.say(turn, "left")
    shell.error("invalid_value", message="Unknown type: response.steer")
    assert (steer.state, shell.failure(default), shell.closed) == (FAILED, None, [])
    shell.ended("r2", "two", lane="lane-1")
    assert shell.failure(turn) is None


def test_odd_answers_show_nothing_to_the_caller() -> None:
    shell, turn = begun()
    steer = shell.say(turn, "left")
    shell.hear("response.steer.accepted", steer=None)
    shell.hear("response.steer.hologram", steer={"id": "s1"})
    assert (turn.state, steer.state) == (TurnState.ACCEPTED, SUBMITTED)
