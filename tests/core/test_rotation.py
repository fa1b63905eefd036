"""Sockets are replaced before the server ends them: first the new one, then the old one goes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec
import pytest

from turnwire.core.chain import Chain, ChainMiss
from turnwire.core.request import Deadlines
from turnwire.core.settings import PoolSettings
from turnwire.testing.pair import Pair

if TYPE_CHECKING:
    from turnwire.testing.pair_sides import Served

PATIENT = Deadlines(queue=None, first_event=None)
LIMIT = msgspec.json.encode(
    {
        "type": "error",
        "status": 400,
        "error": {"code": "websocket_connection_limit_reached", "message": "60 minutes"},
    }
)


def pair(*, max_age: float | None = 100.0, **settings: Any) -> Pair:
    return Pair(PoolSettings(max_age=max_age, max_age_jitter=0.0, lanes=True, **settings))


def keep_in_use(both: Pair, chain: Chain, seconds: float) -> None:
    """Let time pass while a chain takes a turn every half a minute."""
    until = both.clock.now + seconds
    while both.clock.now < until:
        both.advance(min(30.0, until - both.clock.now))
        both.ask("More.", chain=chain, store=False)
        both.start().complete("Yes.")


def begun(both: Pair, chain: Chain) -> Served:
    both.ask("One.", chain=chain, store=False)
    served = both.start()
    served.complete("1")
    return served


def test_the_new_socket_is_open_before_the_old_one_takes_no_more_turns() -> None:
    both, chain = pair(), Chain()
    old = begun(both, chain).connection
    keep_in_use(both, chain, 90.0)
    assert (list(both.sockets), both.pool.statistics().rotations) == ([old], 0)
    both.advance(10.0)
    (new,) = both.sockets
    assert (new > old, both.closed, both.pool.statistics().rotations) == (True, [old], 1)


def test_while_the_new_one_is_dialled_the_old_one_works() -> None:
    both, chain = pair(), Chain()
    old = begun(both, chain).connection
    keep_in_use(both, chain, 90.0)
    both.answers_dials = False
    both.advance(10.0)
    asked = both.ask("Two.", chain=chain, store=False)
    served = both.start()
    assert (served.connection, asked.turn.chain_miss, len(both.dialing)) == (old, None, 1)
    served.complete("2")
    both.open(both.dialing[0])
    assert (asked.text, both.closed) == ("2", [old])


def test_turns_that_run_finish_where_they_are() -> None:
    both = pair()
    asked = both.ask("Think.", deadlines=PATIENT)
    served = both.start()
    served.accept()
    both.advance(100.0)
    assert (len(both.sockets), both.closed) == (2, [])
    both.advance(500.0)
    served.complete("Thought.")
    assert (asked.text, asked.turn.resends, asked.turn.model_runs) == ("Thought.", 0, 1)
    assert served.connection in both.closed


def test_new_turns_go_to_the_new_socket() -> None:
    both = pair()
    both.ask("Think.", deadlines=PATIENT)
    old = both.start()
    old.accept()
    both.advance(100.0)
    both.ask("Next.")
    assert both.start().connection != old.connection


def test_heads_that_lived_on_the_old_socket_are_misses_that_say_why() -> None:
    both, chain = pair(), Chain()
    begun(both, chain)
    keep_in_use(both, chain, 90.0)
    both.advance(10.0)
    asked = both.ask("Two.", chain=chain, store=False)
    assert asked.turn.chain_miss == ChainMiss("rotated")
    assert "previous_response_id" not in both.messages[-1]
    both.start().complete("2")
    assert both.ask("Three.", chain=chain, store=False).turn.chain_miss is None


def test_stored_heads_do_not_notice() -> None:
    both, chain = pair(), Chain()
    both.ask("One.", chain=chain)
    both.start().complete("1")
    both.advance(100.0)
    assert both.ask("Two.", chain=chain).turn.chain_miss is None


def test_a_socket_that_nobody_uses_is_closed_and_not_replaced() -> None:
    both, chain = pair(), Chain()
    old = begun(both, chain).connection
    both.advance(100.0)
    assert (both.sockets, both.closed, both.pool.statistics().dials) == ({}, [old], 1)
    assert both.pool.deadline() is None


def test_without_a_limit_no_socket_is_too_old() -> None:
    both = pair(max_age=None)
    asked = both.ask("Think.", deadlines=PATIENT)
    served = both.start()
    served.accept()
    both.advance(24 * 3600.0)
    served.complete("Thought.")
    assert (asked.text, both.pool.statistics().rotations, both.closed) == ("Thought.", 0, [])


@pytest.mark.parametrize(("chance", "age"), [(0.0, 2880.0), (0.5, 3000.0), (1.0, 3120.0)])
def test_sockets_that_were_opened_together_do_not_end_together(chance: float, age: float) -> None:
    both = Pair(PoolSettings(ping_interval=None), chance=chance)
    both.ask("One.")
    both.start().complete("1")
    both.advance(age - 1)
    assert len(both.sockets) == 1
    both.advance(1)
    assert both.sockets == {}


@pytest.mark.parametrize("how", ["refused", "unreachable", "silent"])
def test_a_new_socket_that_cannot_be_had_harms_nobody_and_is_not_tried_twice(how: str) -> None:
    both = pair(max_age=200.0)
    asked = both.ask("Think.", deadlines=PATIENT)
    served = both.start()
    served.accept()
    both.answers_dials = False
    both.advance(200.0)
    match how:
        case "refused":
            both.refuse(both.dialing[0], 503)
        case "unreachable":
            both.lose(both.dialing[0], None)
        case _:
            both.advance(5.0)
    other = both.ask("Two.")
    assert both.start().connection == served.connection  # for a while the old one still works
    both.advance(4.9)
    assert (both.pool.statistics().dials, both.pool.statistics().rotations) == (2, 0)
    assert both.pool.health(both.clock.now).state == "closed"
    served.complete("Thought.")
    assert (asked.text, other.finish) == ("Thought.", None)


def test_an_old_socket_without_a_successor_goes_in_the_end() -> None:
    both, chain = pair(), Chain()
    old = begun(both, chain).connection
    keep_in_use(both, chain, 90.0)
    both.answers_dials = False
    both.advance(10.0)
    both.refuse(both.dialing[0], 503)
    both.advance(4.9)
    assert list(both.sockets) == [old]
    both.advance(0.1)  # a twentieth of its age later
    assert (both.sockets, both.closed) == ({}, [old])
    asked = both.ask("Two.", chain=chain, store=False)
    both.open(both.dialing[0])
    assert asked.turn.chain_miss == ChainMiss("rotated")


def test_a_successor_counts_for_the_limit_once_the_old_socket_is_gone() -> None:
    both = pair(sockets=1, active_limit=1)
    both.ask("Think.", deadlines=PATIENT)
    old = both.start()
    old.accept()
    both.advance(100.0)
    waits = [both.ask("Two."), both.ask("Three.")]
    assert (len(both.sockets), both.running, both.pool.statistics().waiting) == (2, 1, 1)
    both.start().complete("2")
    both.start().complete("3")
    assert [each.text for each in waits] == ["2", "3"]
    old.complete("Thought.")
    assert (len(both.sockets), both.closed) == (1, [old.connection])


def test_when_the_old_socket_is_lost_meanwhile_its_successor_is_a_dial_like_any_other() -> None:
    both = pair()
    asked = both.ask("Think.", deadlines=PATIENT)
    served = both.start()
    served.accept()
    both.answers_dials = False
    both.advance(100.0)
    both.lose(served.connection)
    assert (asked.finish, len(both.dialing)) == (None, 1)
    both.refuse(both.dialing[0], 404)
    assert asked.failure == "refused"


def test_an_old_socket_that_the_server_ends_first_is_no_hope() -> None:
    both = pair()
    both.ask("Think.", deadlines=PATIENT)
    served = both.start()
    served.accept()
    both.answers_dials = False
    both.advance(100.0)
    both.receive(served.connection, LIMIT)  # it drains now
    waits = both.ask("Two.")
    both.refuse(both.dialing[0], 404)
    assert waits.failure == "refused"


def test_the_servers_own_limit_moves_a_turn_that_it_has_not_read() -> None:
    both = pair(sockets=2)
    asked = both.ask("One.")
    socket = both.start().connection
    both.receive(socket, LIMIT)
    both.start().complete("1")
    assert (asked.text, asked.types[0], both.closed) == ("1", "response.created", [socket])
    assert (asked.turn.resends, asked.turn.repeats, asked.turn.model_runs) == (1, 0, 1)


def test_a_server_whose_sockets_are_always_too_old_is_not_obeyed_for_ever() -> None:
    both = pair()
    asked = both.ask("One.")
    while asked.finish is None:
        both.receive(both.start().connection, LIMIT)
    assert (asked.failure, asked.turn.resends) == ("websocket_connection_limit_reached", 4)
