"""What hears a steer: the successor of the steered response, or the turn that answers it."""

from __future__ import annotations

from typing import Any

import pytest

from core.steered import CALL, OUTPUT, STUB, Shell, begun, code, history, user
from turnwire.core.chain import Chain
from turnwire.core.steer import SteerState
from turnwire.core.turn import TurnState

COMMITTED, FAILED = SteerState.COMMITTED, SteerState.FAILED
PENDING, SUBMITTED = SteerState.PENDING, SteerState.SUBMITTED


# Successors


@pytest.mark.parametrize("first", ["created", "in_progress", "completed"])
@pytest.mark.parametrize("answered", [True, False])
@pytest.mark.parametrize("status", ["incomplete", "completed", "failed"])
def test_the_successor_commits_whatever_comes_of_it_first(
    first: str, status: str, *, answered: bool
) -> None:
    chain = Chain()
    shell, turn = begun(chain)
    steer = shell.say(turn, "left")
    if answered:
        shell.accept("s1", "r1")
    shell.ended("r1", "one", status=status)
    assert (turn.state, shell.finished) == (TurnState.STEERING, {})
    if first != "completed":
        shell.hear(f"response.{first}", response={"id": "r2", "status": "in_progress"})
        assert (turn.state, turn.response_id, turn.delivery) == (
            TurnState.ACCEPTED,
            "r2",
            "accepted",
        )
    shell.ended("r2", "two")
    assert (steer.state, steer.successor_id) == (COMMITTED, "r2")
    assert (shell.failure(turn), turn.model_runs, len(turn.responses)) == (None, 2, 1)
    assert shell.finished[turn.id].response is not None
    one = [] if status == "failed" else ["one"]  # of that only what was finished on the way counts
    assert history(chain) == ["go", *one, "left", "two"]
    assert chain.head is not None
    assert chain.head.response_id == "r2"


def test_several_steers_are_heard_in_their_order() -> None:
    chain = Chain()
    shell, turn = begun(chain)
    steers = [shell.say(turn, text) for text in ("a", "b", "c")]
    shell.accept("s1", "r1")
    shell.accept("s2", "r1")
    shell.steered("r1", "one")
    shell.created("r2")
    # The third was too late for the server, and it says so.
    assert [each.state for each in steers] == [COMMITTED, COMMITTED, SUBMITTED]
    shell.reject(None, "r1", "response_already_completed")
    assert [each.state for each in steers] == [COMMITTED, COMMITTED, FAILED]
    shell.ended("r2", "two")
    assert history(chain) == ["go", "one", "a", "b", "two"]
    assert shell.failure(turn) is None


def test_a_successor_may_have_one_too() -> None:
    chain = Chain()
    shell, turn = begun(chain)
    for number in (1, 2):
        steer = shell.say(turn, f"say{number}")
        shell.accept(f"s{number}", f"r{number}")
        shell.steered(f"r{number}", f"out{number}")
        shell.created(f"r{number + 1}")
        assert steer.successor_id == f"r{number + 1}"
    shell.ended("r3", "out3")
    assert history(chain) == ["go", "out1", "say1", "out2", "say2", "out3"]
    assert [response.id for response in turn.responses] == ["r1", "r2"]
    assert (turn.model_runs, len(shell.creates)) == (3, 1)
    shell.ask("more", chain=chain)
    assert shell.creates[-1]["previous_response_id"] == "r3"
    assert [item["content"] for item in shell.creates[-1]["input"]] == ["more"]


def test_the_numbers_and_the_output_begin_anew() -> None:
    shell, turn = begun()
    shell.say(turn, "left")
    shell.accept("s1", "r1", sequence_number=7)
    shell.delta("one", sequence_number=8)
    shell.steered("r1", sequence_number=9)
    shell.created("r2", sequence_number=0)
    assert turn.last_sequence_number == 0
    shell.delta("two", sequence_number=1)
    assert turn.snapshot.partial().output_text == "two"


def test_what_the_server_says_twice_ends_nothing() -> None:
    shell, turn = begun()
    shell.say(turn, "left")
    shell.accept("s1", "r1")
    shell.ended("r1", "one")
    shell.ended("r1", "one")
    shell.hear("response.in_progress", response={"id": "r1"})
    shell.delta("late")
    assert (turn.state, shell.finished) == (TurnState.STEERING, {})
    shell.created("r2")
    shell.ended("r2", "two")
    assert shell.failure(turn) is None


def test_a_stranger_on_the_lane_is_still_an_error() -> None:
    shell, turn = begun()
    shell.say(turn, "left")
    shell.accept("s1", "r1")
    shell.created("r2")  # and `r1` has not ended
    assert (shell.failure(turn), shell.closed) == ("protocol", [shell.socket])


def test_a_turn_without_a_chain_knows_what_its_successor_heard() -> None:
    shell, turn = begun()
    shell.say(turn, "left")
    shell.accept("s1", "r1")
    shell.steered("r1", "one")
    shell.created("r2")
    assert [item.kind.type for item in turn.continued] == ["message", "message"]
    assert turn.sent_parent == "r1"


def test_the_lane_stays_busy_until_the_successor_has_ended() -> None:
    shell, turn = begun()
    shell.ask("beside")
    shell.say(turn, "left")
    shell.accept("s1", "r1")
    shell.steered("r1", "one")
    other = shell.ask("next")
    assert [create.get("stream_id") for create in shell.creates] == [None, "lane-1", "lane-2"]
    shell.created("r2")
    shell.ended("r2", "two")
    assert (shell.failure(turn), other.state) == (None, TurnState.WRITING)
    assert shell.pending_lanes == ["None:free", "lane-1:busy", "lane-2:busy"]


# What waits for the caller's answers


def pending(**settings: Any) -> tuple[Shell, Chain, Any]:
    """Return a chain that has to answer a call, and a steer that goes along with the answer."""
    chain = Chain()
    shell, turn = begun(chain, **settings)
    steer = shell.say(turn, "left")
    shell.accept("s1", "r1")
    shell.ended("r1", CALL)
    assert shell.finished == {}
    shell.pend("s1", "r1")
    assert shell.failure(turn) is None
    assert (steer.state, steer.required_input) == (PENDING, [STUB])
    return shell, chain, steer


def test_it_goes_along_with_the_next_turn_and_before_its_input() -> None:
    shell, chain, steer = pending()
    turn = shell.ask(OUTPUT, chain=chain)
    assert shell.creates[-1]["previous_response_id"] == "r1"
    assert shell.creates[-1]["input"] == [OUTPUT]
    assert steer.state is PENDING
    shell.created("r2")
    assert (steer.state, steer.successor_id) == (COMMITTED, "r2")
    shell.ended("r2", "two")
    assert history(chain) == ["go", "function_call", "left", "sun", "two"]
    assert (turn.chain_miss, turn.model_runs) == (None, 1)


def test_the_first_answer_may_be_that_it_is_pending() -> None:
    shell, turn = begun()
    steer = shell.say(turn, "left")
    shell.ended("r1", CALL)
    shell.pend("s1", "r1")
    assert (steer.state, steer.steer_id, shell.failure(turn)) == (PENDING, "s1", None)


def test_it_may_be_pending_before_the_response_has_ended() -> None:
    shell, turn = begun()
    steer = shell.say(turn, "left")
    shell.pend("s1", "r1")
    assert (steer.state, turn.state) == (PENDING, TurnState.ACCEPTED)
    shell.ended("r1", CALL)
    assert shell.failure(turn) is None


def test_the_turn_is_held_until_every_steer_is_decided() -> None:
    shell, turn = begun()
    steers = [shell.say(turn, "a"), shell.say(turn, "b")]
    shell.accept("s1", "r1")
    shell.ended("r1", CALL)
    shell.pend("s1", "r1")
    assert shell.finished == {}
    shell.pend("s2", "r1")
    assert [each.state for each in steers] == [PENDING, PENDING]
    assert shell.failure(turn) is None


def test_both_are_heard_in_their_order() -> None:
    chain = Chain()
    shell, turn = begun(chain)
    steers = [shell.say(turn, "a"), shell.say(turn, "b")]
    shell.ended("r1", CALL)
    shell.pend("s1", "r1")
    shell.pend("s2", "r1")
    shell.ask(OUTPUT, chain=chain)
    shell.ended("r2", "two")  # its terminal event is all that comes
    assert [each.state for each in steers] == [COMMITTED, COMMITTED]
    assert history(chain) == ["go", "function_call", "a", "b", "sun", "two"]


def test_what_has_no_id_yet_commits_nothing() -> None:
    shell, chain, steer = pending()
    shell.ask(OUTPUT, chain=chain)
    shell.delta()
    assert steer.state is PENDING
    shell.ended("r2", "two")
    assert (steer.state, steer.successor_id) == (COMMITTED, "r2")
    assert history(chain) == ["go", "function_call", "left", "sun", "two"]


def test_it_may_fail_while_it_is_pending() -> None:
    shell, chain, steer = pending()
    shell.reject("s1", "r1", "successor_creation_failed")
    assert (steer.state, code(steer)) == (FAILED, "successor_creation_failed")
    shell.ask(OUTPUT, chain=chain)
    shell.ended("r2", "two")
    assert history(chain) == ["go", "function_call", "sun", "two"]


@pytest.mark.parametrize("has_it", [True, False])
def test_a_caller_who_hands_over_everything_need_not_say_it_again(*, has_it: bool) -> None:
    shell, chain, steer = pending()
    said = [user("left")] if has_it else []
    shell.ask(user("go"), CALL, *said, OUTPUT, chain=chain, whole=True)
    assert shell.creates[-1]["input"] == [OUTPUT]
    shell.ended("r2", "two")
    assert (steer.state, history(chain)) == (
        COMMITTED,
        ["go", "function_call", "left", "sun", "two"],
    )


def test_a_turn_that_does_not_continue_it_gives_it_back() -> None:
    shell, chain, steer = pending()
    shell.ask(OUTPUT, chain=chain, model="other")
    assert "previous_response_id" not in shell.creates[-1]
    assert (steer.state, code(steer)) == (FAILED, "response_not_continued")
    shell.ended("r2", "two")
    assert history(chain) == ["go", "function_call", "sun", "two"]


def test_a_turn_that_takes_its_lane_gives_it_back() -> None:
    shell, _, steer = pending(named_limit=0)
    shell.ask("other")
    assert (len(shell.creates), steer.state, code(steer)) == (2, FAILED, "response_not_continued")


def test_a_turn_beside_it_changes_nothing() -> None:
    shell, chain, steer = pending()
    shell.ask("other")
    assert shell.creates[-1]["stream_id"] == "lane-1"
    shell.ask(OUTPUT, chain=chain)
    assert "stream_id" not in shell.creates[-1]
    shell.ended("r2", "two")
    assert steer.state is COMMITTED


@pytest.mark.parametrize("store", [True, False])
def test_a_lane_with_something_pending_is_not_given_away(*, store: bool) -> None:
    shell = Shell()
    turn = shell.ask("go", store=store)
    shell.dial()
    shell.created("r1")
    steer = shell.say(turn, "left")
    shell.ended("r1", CALL)
    shell.pend("s1", "r1")
    shell.ask("other")
    assert shell.creates[-1]["stream_id"] == "lane-1"
    link = shell.ask(OUTPUT, link="r1", store=store)
    assert "stream_id" not in shell.creates[-1]
    shell.created("r2")
    assert (steer.state, steer.successor_id, link.response_id) == (COMMITTED, "r2", "r2")


def test_a_fork_goes_on_beside_it() -> None:
    shell, chain, steer = pending()
    fork = chain.fork()
    shell.ask(OUTPUT, chain=fork)
    assert shell.creates[-1]["stream_id"] == "lane-1"
    shell.created("r2", lane="lane-1")
    shell.hear("response.in_progress", response={"id": "r2"}, stream_id="lane-1")
    assert steer.state is PENDING
    shell.ask(OUTPUT, chain=chain)
    assert "stream_id" not in shell.creates[-1]
    shell.ended("r2", "forked", lane="lane-1")
    shell.ended("r3", "two")
    assert steer.successor_id == "r3"
    assert history(fork) == ["go", "function_call", "sun", "forked"]
    assert history(chain) == ["go", "function_call", "left", "sun", "two"]


def test_the_chain_that_was_steered_has_the_lane_even_if_its_fork_is_awaited() -> None:
    shell, chain, steer = pending()
    fork = chain.fork()
    shell.ask(OUTPUT, chain=chain)
    assert "stream_id" not in shell.creates[-1]
    shell.ended("r2", "two")
    assert steer.successor_id == "r2"
    shell.ask(OUTPUT, chain=fork)
    shell.ended("r3", "forked", lane=shell.creates[-1].get("stream_id"))
    assert history(fork) == ["go", "function_call", "sun", "forked"]


def test_a_fork_goes_elsewhere_rather_than_take_it_along() -> None:
    shell, chain, steer = pending(named_limit=0, sockets=2)
    fork = chain.fork()
    shell.ask(OUTPUT, chain=fork)
    second = shell.dial()
    assert (shell.sent[-1][0], len(shell.dialled)) == (second, 2)
    assert ("previous_response_id" in shell.creates[-1], steer.state) == (False, PENDING)


def test_with_no_other_way_it_does_and_its_history_is_right() -> None:
    shell, chain, steer = pending(named_limit=0)
    fork = chain.fork()
    shell.ask(OUTPUT, chain=fork)
    shell.ended("r2", "forked")
    assert steer.successor_id == "r2"
    assert history(fork) == ["go", "function_call", "left", "sun", "forked"]
    shell.ask(OUTPUT, chain=chain)
    assert [item.get("type") for item in shell.creates[-1]["input"]] == [
        "message",
        "function_call",
        "function_call_output",
    ]
    shell.ended("r3", "two")
    assert history(chain) == ["go", "function_call", "sun", "two"]


@pytest.mark.parametrize("store", [True, False])
def test_what_was_given_back_is_heard_by_nobody_else_either(*, store: bool) -> None:
    chain = Chain()
    shell = Shell()
    turn = shell.ask("go", chain=chain, store=store)
    shell.dial()
    shell.created("r1")
    steer = shell.say(turn, "left")
    shell.ended("r1", CALL)
    shell.pend("s1", "r1")
    fork = chain.fork()
    shell.ask(OUTPUT, chain=chain, store=store, transport="http")
    shell.pool.signed_in(shell.exchanges[-1], 0.0)
    shell.settle()
    assert (steer.state, code(steer)) == (FAILED, "response_not_continued")
    other = shell.ask(OUTPUT, chain=fork, store=store)
    create = shell.creates[-1]
    assert create.get("stream_id") is not None or "previous_response_id" not in create
    shell.ended("r3", "forked", lane=create.get("stream_id"))
    assert (shell.failure(other), steer.state) == (None, FAILED)
    assert history(fork) == ["go", "function_call", "sun", "forked"]
