"""Whether the peer is still there: pings decide, silence never does; and what sleep does."""

from __future__ import annotations

import pytest

from turnwire.core.chain import Chain, ChainMiss
from turnwire.core.request import Deadlines
from turnwire.core.settings import PoolSettings
from turnwire.testing.pair import Pair

MINUTE = 60.0
NOISE = b'{"type":"keepalive"}'
PATIENT = Deadlines(queue=None, first_event=None)


def silent(**settings: object) -> Pair:
    """Return a pair in which pongs come if the test says so."""
    return Pair(PoolSettings(max_age=None, **settings), answers_pings=False)  # type: ignore[arg-type]


# Pings


def test_nine_minutes_of_thinking_are_no_failure() -> None:
    both = Pair()
    asked = both.ask("Think.")
    served = both.start()
    served.accept()
    both.advance(9 * MINUTE)
    served.complete("Thought.")
    assert (asked.text, asked.turn.resends, both.closed) == ("Thought.", 0, [])
    assert len(both.pings) == 9 * MINUTE / 20


def test_a_silent_socket_is_pinged_after_20_s_and_lost_after_20_more() -> None:
    both = silent()
    asked = both.ask("Hello?", replay="never", deadlines=PATIENT)
    socket = both.start().connection
    both.advance(19.9)
    assert both.pings == []
    both.advance(0.1)
    assert both.pings == [socket]
    both.advance(19.9)
    assert asked.finish is None
    both.advance(0.1)
    assert (asked.failure, both.closed, both.pings) == ("lost", [socket], [socket])
    assert both.pool.statistics().lost_sockets == 1


def test_a_turn_of_a_socket_without_a_pong_runs_again_elsewhere() -> None:
    both = silent()
    asked = both.ask("Hello?", deadlines=PATIENT)
    both.start().accept()
    both.advance(40.0)
    assert asked.types == ["response.created", "response.in_progress", "turn.restarted"]
    both.start().complete("Hello.")
    assert (asked.text, asked.turn.model_runs, both.model_runs) == ("Hello.", 2, 2)


def test_a_pong_is_good_for_another_20_s() -> None:
    both = silent()
    both.ask("Think.", deadlines=PATIENT)
    socket = both.start().connection
    both.advance(20.0)
    both.advance(15.0)
    both.pong(socket)
    both.advance(19.9)
    assert both.pings == [socket]
    both.advance(0.1)
    assert both.pings == [socket] * 2


def test_any_message_is_as_good_as_a_pong() -> None:
    both = silent()
    both.ask("Think.", deadlines=PATIENT)
    socket = both.start().connection
    both.advance(39.9)
    both.receive(socket, NOISE)
    both.advance(20.0)
    assert (both.closed, both.pings) == ([], [socket] * 2)


def test_a_socket_that_speaks_is_not_pinged() -> None:
    both = silent()
    both.ask("Talk.", deadlines=PATIENT)
    socket = both.start().connection
    for _ in range(30):
        both.advance(19.0)
        both.receive(socket, NOISE)
    assert (both.pings, both.closed) == ([], [])


def test_no_pings_if_none_are_wanted() -> None:
    both = silent(ping_interval=None)
    asked = both.ask("Think.", deadlines=PATIENT)
    served = both.start()
    both.advance(60 * MINUTE)
    served.complete("Thought.")
    assert (asked.text, both.pings) == ("Thought.", [])


def test_a_socket_without_turns_is_pinged_too_and_its_loss_harms_nobody() -> None:
    both = silent()
    asked = both.ask("One.", deadlines=PATIENT)
    both.start().complete("1")
    both.advance(40.0)
    assert (asked.text, both.sockets, both.pool.statistics().lost_sockets) == ("1", {}, 1)
    assert both.pool.health(both.clock.now).losses == 0  # no turn was harmed
    both.ask("Two.")
    assert both.start().texts == ["Two."]


def test_a_tick_that_comes_late_accuses_nobody() -> None:
    both = silent()
    asked = both.ask("Think.", deadlines=PATIENT)
    served = both.start()
    both.advance(20.0)
    both.clock.advance(25.0)  # this program stood still; the pong lies unread in a buffer
    both.pool.tick(both.clock.now)
    both.pong(served.connection)
    served.complete("Thought.")
    assert (asked.text, both.closed, len(both.pings)) == ("Thought.", [], 2)


def test_a_socket_that_drains_is_pinged_as_well() -> None:
    both = silent()
    asked = both.ask("Think.", replay="never", deadlines=PATIENT)
    served = both.start()
    served.accept()
    both.drain()
    both.advance(40.0)
    assert (asked.failure, both.closed) == ("lost", [served.connection])


def test_a_pong_of_a_socket_that_is_gone_is_nobodys() -> None:
    both = silent()
    both.ask("One.")
    socket = both.start().connection
    both.lose(socket)
    both.pong(socket)
    assert socket not in both.sockets


# The write clock


def test_a_message_that_the_socket_does_not_take_within_30_s_means_a_dead_socket() -> None:
    both = Pair(PoolSettings(sockets=1, lanes=True), writes=False, answers_pings=False)
    asked = [both.ask("One.", replay="never"), both.ask("Two.", replay="never")]
    both.write()
    both.start().accept()
    both.advance(29.9)
    assert (both.closed, both.pings) == ([], [])  # a ping would wait behind the message
    both.advance(0.1)
    assert [each.failure for each in asked] == ["lost", "lost"]
    assert [each.turn.delivery for each in asked] == ["accepted", "writing"]
    assert len(both.closed) == 1


def test_the_first_event_is_due_30_s_after_the_message_was_written() -> None:
    both = Pair(writes=False)
    asked = both.ask("One.")
    both.advance(29.0)
    both.write()
    both.advance(29.9)
    assert asked.finish is None
    both.advance(0.1)
    assert (asked.failure, asked.turn.model_runs) == ("first_event_timeout", 1)
    assert asked.turn.resends == 0  # whoever limits a turn does not want twice the wait


def test_a_body_that_is_not_taken_is_a_loss_of_that_turn_alone() -> None:
    both = Pair(writes=False)
    asked = both.ask("One.", transport="http", replay="never")
    both.advance(30.0)
    assert (asked.failure, len(both.closed)) == ("lost", 1)


def test_a_late_word_of_the_old_socket_is_not_about_the_new_one() -> None:
    both = Pair(PoolSettings(sockets=1), writes=False)
    asked = both.ask("One.", replay="always")
    old = next(iter(both.sockets))
    both.advance(30.0)  # nothing was written, as far as is known; again on another socket
    assert old not in both.sockets
    both.pool.written(old, asked.turn.id, both.clock.now)
    both.advance(29.9)
    assert asked.finish is None
    both.advance(0.1)
    assert asked.failure == "lost"  # the new one's write clock, not its first event's


# The progress clock


def test_silence_can_be_limited_if_its_caller_wants_that() -> None:
    both = Pair()
    asked = both.ask("Think.", deadlines=Deadlines(progress=5.0))
    served = both.start()
    both.advance(4.0)
    served.accept()
    both.advance(4.9)
    assert asked.finish is None
    both.advance(0.1)
    assert (asked.failure, asked.turn.delivery) == ("progress_timeout", "accepted")


def test_any_message_of_the_socket_is_progress() -> None:
    both = Pair(PoolSettings(sockets=1, lanes=True))
    asked = both.ask("Think.", deadlines=Deadlines(progress=5.0))
    other = both.ask("Talk.")
    thinks, talks = both.start(), both.start()
    thinks.accept()
    for _ in range(10):
        both.advance(4.0)
        talks.emit("response.output_text.delta", delta="x", output_index=0, content_index=0)
    assert (asked.finish, other.finish) == (None, None)
    both.advance(5.0)
    assert (asked.failure, other.finish) == ("progress_timeout", None)


def test_a_pong_is_no_progress() -> None:
    both = Pair()
    asked = both.ask("Think.", deadlines=Deadlines(progress=30.0))
    both.start().accept()
    both.advance(30.0)
    assert (asked.failure, len(both.pings)) == ("progress_timeout", 1)


def test_progress_is_limited_over_http_too() -> None:
    both = Pair()
    asked = both.ask("Think.", transport="http", deadlines=Deadlines(progress=5.0))
    served = both.start()
    served.accept()
    both.advance(5.0)
    assert (asked.failure, both.closed) == ("progress_timeout", [served.connection])


# Probes and sleep


def idle_for(seconds: float) -> tuple[Pair, Chain, int]:
    """Return a chain whose socket was silent for so long, and its socket."""
    both, chain = silent(ping_interval=None), Chain()
    both.ask("One.", chain=chain, store=False)
    served = both.start()
    served.complete("1")
    both.advance(seconds)
    return both, chain, served.connection


def test_a_socket_that_was_just_used_is_not_probed() -> None:
    both, chain, socket = idle_for(59.9)
    both.ask("Two.", chain=chain, store=False)
    assert (both.pings, both.start().connection) == ([], socket)


def test_a_socket_that_was_idle_for_a_minute_is_probed_before_it_is_used() -> None:
    both, chain, socket = idle_for(60.0)
    asked = both.ask("Two.", chain=chain, store=False)
    assert (both.pings, len(both.messages)) == ([socket], 1)
    both.pong(socket)
    both.start().complete("2")
    assert (asked.text, asked.turn.chain_miss, both.closed) == ("2", None, [])


def test_a_probe_without_an_answer_costs_two_seconds_and_no_model_run() -> None:
    both, chain, socket = idle_for(60.0)
    asked = both.ask("Two.", chain=chain, store=False)
    both.advance(1.9)
    assert (len(both.messages), both.closed) == (1, [])
    both.advance(0.1)
    assert both.closed == [socket]
    assert asked.turn.chain_miss == ChainMiss("connection_lost")
    both.start().complete("2")
    assert (asked.text, asked.turn.model_runs, asked.turn.resends) == ("2", 1, 0)


def test_one_probe_serves_all_who_wait() -> None:
    both, _, socket = idle_for(60.0)
    for number in range(3):
        both.ask(f"{number}")
    assert (both.pings, both.pool.statistics().dials) == ([socket], 3)
    both.pong(socket)
    assert both.running == 3


def test_after_sleep_a_socket_is_probed_although_its_clock_stood_still() -> None:
    both, chain, socket = idle_for(1.0)
    both.sleep(3600.0)
    assert both.pings == []  # nobody waits for it yet
    both.ask("Two.", chain=chain, store=False)
    assert (both.pings, len(both.messages)) == ([socket], 1)
    both.pong(socket)
    assert both.start().connection == socket


def test_after_sleep_a_turn_that_runs_is_asked_for_at_once() -> None:
    both = silent()
    asked = both.ask("Think.", deadlines=PATIENT)
    served = both.start()
    served.accept()
    both.sleep(3600.0)
    assert both.pings == [served.connection]
    both.advance(19.9)
    assert both.closed == []  # a turn that runs is worth the longer wait
    both.advance(0.1)
    assert both.closed == [served.connection]
    both.start().complete("Thought.")
    assert (asked.text, asked.turn.model_runs) == ("Thought.", 2)


def test_after_sleep_a_socket_that_answers_goes_on() -> None:
    both = silent()
    asked = both.ask("Think.", deadlines=PATIENT)
    served = both.start()
    served.accept()
    both.sleep(3600.0)
    waits = both.ask("Me too.")
    both.pong(served.connection)
    served.complete("Thought.")
    assert (asked.text, both.closed, waits.finish) == ("Thought.", [], None)


def test_a_ping_from_before_the_sleep_is_not_held_against_the_peer() -> None:
    both = silent()
    both.ask("Think.", deadlines=PATIENT)
    both.start().accept()
    both.advance(35.0)
    both.sleep(3600.0)
    both.advance(19.9)
    assert both.closed == []


@pytest.mark.parametrize("late", [0.5, 5.0])
def test_a_late_tick_after_a_probe_makes_progress(late: float) -> None:
    both = silent()
    both.ask("Think.", deadlines=PATIENT)
    both.start().accept()
    both.sleep(3600.0)
    both.advance(2.0)
    both.clock.advance(18.0 + late)
    both.pool.tick(both.clock.now)
    deadline = both.pool.deadline()
    assert deadline is None or deadline > both.clock.now


def test_sleep_is_not_held_against_the_progress_of_a_turn() -> None:
    both = Pair()
    asked = both.ask("Think.", deadlines=Deadlines(progress=30.0))
    both.start().accept()
    both.sleep(3600.0)
    both.advance(29.9)
    assert asked.finish is None
    both.advance(0.1)
    assert asked.failure == "progress_timeout"


def test_sleep_makes_sockets_older() -> None:
    both = Pair()
    both.ask("One.")
    both.start().complete("1")
    both.sleep(3000.0)
    both.advance(0.0)
    assert both.pool.statistics().rotations == 1
