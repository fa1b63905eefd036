"""Steers whose caller goes away, whose socket is old, or whose turn has no socket."""

from __future__ import annotations

from typing import Any

import pytest

from core.steered import CALL, OUTPUT, Shell, begun, brief, history, in_state, kind
from turnwire.core.chain import Chain
from turnwire.core.steer import SteerState
from turnwire.core.turn import TurnState

ACCEPTED, COMMITTED, FAILED = SteerState.ACCEPTED, SteerState.COMMITTED, SteerState.FAILED
PENDING, SUBMITTED, UNKNOWN = SteerState.PENDING, SteerState.SUBMITTED, SteerState.UNKNOWN
WAITING = SteerState.WAITING
LIVE = pytest.mark.parametrize("state", [SUBMITTED, ACCEPTED, PENDING])
ANY = pytest.mark.parametrize("state", [SUBMITTED, ACCEPTED, PENDING, FAILED, COMMITTED])


# Callers who go away


def beside(state: SteerState) -> tuple[Shell, Any, Any]:
    """Return a turn as above, and another one on the socket, which therefore stays."""
    shell, turn, steer = in_state(state, named_limit=1)
    shell.ask("beside")
    shell.created("r9", lane="lane-1")
    return shell, turn, steer


@LIVE
def test_a_turn_alone_takes_its_socket_and_its_steers_along(state: SteerState) -> None:
    shell, turn, steer = in_state(state)
    shell.cancel(turn)
    assert (steer.state, shell.closed) == (UNKNOWN, [shell.socket])
    assert turn.state is TurnState.CANCELLED


@pytest.mark.parametrize("ended", [True, False])
def test_the_lane_of_a_cancelled_turn_is_dirty_until_its_successor_has_ended(
    *, ended: bool
) -> None:
    shell, turn, steer = beside(ACCEPTED)
    if ended:
        shell.steered("r1", "one")
    shell.cancel(turn)
    if not ended:
        shell.steered("r1", "one")
    assert shell.pending_lanes == ["None:draining", "lane-1:busy"]
    shell.steered("r1", "one")  # said once more
    assert shell.pending_lanes == ["None:draining", "lane-1:busy"]
    shell.created("r2")
    assert (steer.state, steer.successor_id, turn.model_runs) == (COMMITTED, "r2", 2)
    shell.ended("r2", "two")
    assert shell.pending_lanes == ["None:free", "lane-1:busy"]
    assert shell.closed == []


def test_its_chain_goes_on_elsewhere_and_the_lane_stays_dirty() -> None:
    chain = Chain()
    shell, turn = begun(chain)
    shell.ask("beside")
    steer = shell.say(turn, "left")
    shell.accept("s1", "r1")
    shell.cancel(turn)
    after = shell.ask("and now", chain=chain)
    assert (shell.creates[-1]["stream_id"], steer.state) == ("lane-2", ACCEPTED)
    shell.steered("r1", "one")
    third = shell.ask("third")
    assert shell.creates[-1]["stream_id"] == "lane-3"
    shell.created("r2")
    shell.ended("r2", "two")
    assert (steer.state, after.response_id, third.response_id) == (COMMITTED, None, None)


@pytest.mark.parametrize("state", [SUBMITTED, ACCEPTED])
def test_the_lane_is_clean_once_the_steer_has_failed(state: SteerState) -> None:
    shell, turn, steer = beside(state)
    shell.cancel(turn)
    shell.ended("r1", "one")
    shell.reject("s1", "r1")
    assert (steer.state, shell.pending_lanes) == (FAILED, ["None:free", "lane-1:busy"])
    assert len(shell.kinds(turn)) <= 2  # nothing more is delivered
    shell.ask("next")
    assert "stream_id" not in shell.creates[-1]


def test_the_lane_is_clean_once_it_is_pending() -> None:
    shell, turn, steer = beside(ACCEPTED)
    shell.cancel(turn)
    shell.ended("r1", CALL)
    shell.pend("s1", "r1")
    assert (steer.state, shell.pending_lanes) == (PENDING, ["None:free", "lane-1:busy"])
    shell.ask("next")
    assert (steer.state, steer.failure.code) == (FAILED, "response_not_continued")


def test_an_error_where_a_successor_was_due_ends_a_cancelled_turn() -> None:
    shell, turn, steer = beside(ACCEPTED)
    shell.cancel(turn)
    shell.ended("r1", "one")
    shell.error("server_error", 500)
    assert (steer.state, kind(steer)) == (UNKNOWN, "steer")
    shell.reject("s1", "r1")
    shell.ended("r9", "beside", lane="lane-1")
    assert shell.closed == [shell.socket]


def test_a_server_that_does_not_know_steers_frees_the_lane_as_well() -> None:
    shell, turn, steer = beside(SUBMITTED)
    shell.cancel(turn)
    shell.ended("r1", "one")
    shell.error("invalid_value", message="Unknown type: response.steer")
    assert (steer.state, shell.pending_lanes) == (FAILED, ["None:free", "lane-1:busy"])


def test_a_lane_that_does_not_become_clean_costs_its_socket() -> None:
    shell, turn, steer = beside(ACCEPTED)
    shell.cancel(turn)
    shell.ended("r1", "one")
    shell.wait(11.0)
    assert steer.state is ACCEPTED
    shell.ended("r9", "beside", lane="lane-1")
    assert (steer.state, shell.closed) == (UNKNOWN, [shell.socket])


def test_what_a_slow_reader_was_told_ends_with_its_turn() -> None:
    shell, turn, steer = in_state(ACCEPTED)
    shell.pool.overflowed(turn.id, 10, 0.0)
    shell.settle()
    assert (shell.failure(turn), steer.state) == ("slow_consumer", UNKNOWN)


@ANY
def test_closing_ends_everything(state: SteerState) -> None:
    shell, turn, steer = in_state(state)
    waits = shell.say(turn, "more")
    shell.pool.close(shell.now)
    shell.settle()
    ended = state if state in (FAILED, COMMITTED) else UNKNOWN
    assert (shell.failure(turn), steer.state, waits.state) == ("closed", ended, UNKNOWN)
    late = shell.say(turn, "late")
    assert late.state is FAILED


def test_a_pool_that_drains_lets_the_successor_finish() -> None:
    shell, turn, steer = in_state(ACCEPTED)
    shell.pool.drain(shell.now)
    shell.settle()
    shell.steered("r1", "one")
    assert shell.closed == []
    shell.created("r2")
    again = shell.say(turn, "more")
    shell.reject(None, "r2")
    shell.ended("r2", "two")
    assert (shell.failure(turn), steer.state, again.state) == (None, COMMITTED, FAILED)
    assert shell.closed == [shell.socket]


# Old sockets


@pytest.mark.parametrize("due", [True, False])
def test_the_age_limit_lets_a_steered_turn_finish(*, due: bool) -> None:
    shell, turn, steer = in_state(ACCEPTED)
    if due:
        shell.steered("r1", "one")
    shell.error("websocket_connection_limit_reached")
    assert (shell.closed, shell.finished) == ([], {})
    if not due:
        shell.steered("r1", "one")
    shell.created("r2")
    shell.ended("r2", "two")
    assert (shell.failure(turn), steer.state, shell.closed) == (None, COMMITTED, [shell.socket])


def test_a_socket_that_is_replaced_takes_along_what_is_pending() -> None:
    chain = Chain()
    shell, turn = begun(chain, max_age=100.0, max_age_jitter=0.0, ping_interval=None)
    steer = shell.say(turn, "left")
    shell.wait(80.0)
    shell.ended("r1", CALL)
    shell.pend("s1", "r1")
    old = shell.socket
    shell.wait(21.0)
    shell.dial()
    assert (shell.closed, steer.state) == ([old], UNKNOWN)
    shell.ask(OUTPUT, chain=chain)
    shell.ended("r2", "two")
    assert history(chain) == ["go", "function_call", "sun", "two"]


def test_a_steered_turn_may_outlive_the_age_of_its_socket() -> None:
    shell, turn = begun(max_age=100.0, max_age_jitter=0.0, ping_interval=None)
    old = shell.socket
    shell.wait(101.0)
    shell.dial()
    steer = shell.say(turn, "left")
    shell.accept("s1", "r1", on=old)
    shell.steered("r1", "one", on=old)
    assert shell.closed == []
    shell.created("r2", on=old)
    shell.ended("r2", "two", on=old)
    assert (shell.failure(turn), steer.state, shell.closed) == (None, COMMITTED, [old])


# HTTP, and servers without lanes


@pytest.mark.parametrize("when", ["before", "after"])
def test_over_http_nothing_can_be_said(when: str) -> None:
    shell = Shell()
    turn = shell.ask("go", transport="http")
    steer = shell.say(turn, "left") if when == "before" else None
    shell.pool.signed_in(shell.exchanges[-1], 0.0)
    shell.settle()
    data = b'data: {"type":"response.created","response":{"id":"r1"}}\n\n'
    shell.pool.received(shell.exchanges[-1], data, 0.0)
    shell.settle()
    steer = steer or shell.say(turn, "left")
    assert (steer.state, steer.failure and steer.failure.code) == (
        FAILED,
        "steering_not_supported",
    )
    assert shell.finished == {}


def test_a_turn_that_falls_back_gives_back_what_waited() -> None:
    shell = Shell()
    turn = shell.ask("go", transport="auto")
    steer = shell.say(turn, "left")
    shell.pool.refused(shell.socket, 426, {}, b"", 0.0)
    shell.settle()
    assert (turn.route, steer.state) == ("http", WAITING)
    shell.pool.signed_in(shell.exchanges[-1], 0.0)
    shell.settle()
    data = b'data: {"type":"response.created","response":{"id":"r1"}}\n\n'
    shell.pool.received(shell.exchanges[-1], data, 0.0)
    shell.settle()
    assert (steer.state, shell.finished) == (FAILED, {})


def test_a_pending_chain_that_goes_over_http_gives_it_back() -> None:
    chain = Chain()
    shell, turn = begun(chain)
    steer = shell.say(turn, "left")
    shell.ended("r1", CALL)
    shell.pend("s1", "r1")
    shell.ask(OUTPUT, chain=chain, transport="http")
    shell.pool.signed_in(shell.exchanges[-1], 0.0)
    shell.settle()
    assert (len(shell.posted), len(shell.posted[0]["input"])) == (1, 3)
    assert (steer.state, shell.failure(turn)) == (FAILED, None)


@pytest.mark.parametrize("lanes", [False, None])
def test_servers_without_lanes_can_steer(*, lanes: bool | None) -> None:
    chain = Chain()
    shell = Shell(lanes=lanes)
    turn = shell.ask("go", chain=chain)
    shell.dial()
    shell.created("r1")  # without a name, whatever was sent
    steer = shell.say(turn, "left")
    shell.ended("r1", CALL)
    shell.pend("s1", "r1")
    after = shell.ask(OUTPUT, chain=chain)
    shell.created("r2")
    assert (steer.state, after.response_id) == (COMMITTED, "r2")


@pytest.mark.parametrize("fork", [False, True])
def test_where_names_may_mean_nothing_nobody_goes_beside_what_is_pending(*, fork: bool) -> None:
    chain = Chain()
    shell, turn = begun(chain, lanes=None, sockets=3)
    steer, first = shell.say(turn, "left"), shell.socket
    shell.ended("r1", CALL)
    shell.pend("s1", "r1")
    shell.ask(OUTPUT if fork else "else", chain=chain.fork() if fork else Chain())
    shell.ask(OUTPUT, chain=chain)
    creates = [sent for on, sent in shell.sent if on == first and sent["type"] == "response.create"]
    assert [brief(sent["input"][0]) for sent in creates] == ["go", "sun"]
    assert not any("stream_id" in sent for sent in creates)
    assert shell.socket != first  # a server without lanes would have run it where the steer waits
    shell.created("r2", on=first)
    assert steer.state is COMMITTED


def test_a_chain_that_went_away_hears_what_was_pending_in_a_response_that_nobody_reads() -> None:
    chain = Chain()
    shell, turn = begun(chain)
    shell.ask("beside")
    steer = shell.say(turn, "left")
    shell.ended("r1", CALL)
    shell.pend("s1", "r1")
    after = shell.ask(OUTPUT, chain=chain)
    shell.cancel(after)
    assert steer.state is PENDING
    shell.created("r2")
    assert (steer.state, steer.successor_id) == (COMMITTED, "r2")
    assert shell.told[-1] == (steer.id, True)


def test_what_a_response_leaves_on_its_lane_is_known_of_a_turn_cancelled_after_it() -> None:
    chain = Chain()
    shell, _ = begun(chain)
    shell.ask("beside")
    shell.ended("r1", "one")
    again, other = shell.ask("go on", chain=chain), chain.fork()
    shell.created("r2")
    steer = shell.say(again, "left")
    shell.ended("r2", "two", status="incomplete")
    shell.cancel(again)
    shell.reject(None, "r2")  # so nothing more comes on that lane
    assert steer.state is FAILED
    shell.ask("elsewhere", chain=other)
    assert "previous_response_id" not in shell.creates[-1]  # r2 stands where r1 was
