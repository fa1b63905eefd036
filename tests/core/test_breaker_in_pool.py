"""The breaker at work: which turns go which way, who probes, and what the pool tells it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from turnwire.core.backoff import Backoff
from turnwire.core.request import Deadlines
from turnwire.core.settings import PoolSettings
from turnwire.testing.pair import Pair

if TYPE_CHECKING:
    from turnwire.core.breaker import Health
    from turnwire.testing.pair_sides import Asked, Served

MINUTE = 60.0


def pair(**settings: Any) -> Pair:
    return Pair(
        PoolSettings(sockets=1, dial_backoff=Backoff(()), max_age=None, **settings),
        answers_dials=False,
    )


def auto(both: Pair, text: str = "?", **how: Any) -> Asked:
    return both.ask(text, transport="auto", **how)


def opened() -> Pair:
    """Return a pair in which one upgrade was refused and its turn went over HTTP."""
    both = pair()
    asked = auto(both)
    both.refuse(both.dialing[0], 426, b'{"error":{"message":"Upgrade Required"}}')
    both.start().complete("!")
    assert (asked.turn.route, asked.text) == ("http", "!")
    return both


def health(both: Pair) -> Health:
    return both.pool.health(both.clock.now)


def answer(both: Pair) -> Served:
    served = both.start()
    served.complete("!")
    return served


# Why a turn travels as it does


def test_every_turn_says_why_it_travels_as_it_does() -> None:
    both = pair()
    asked = [
        both.ask("One.", transport="http"),
        both.ask("Two."),
        auto(both),
        auto(both, generate=False),
    ]
    both.open(both.dialing[0])
    reasons = [each.turn.transport_reason for each in asked]
    assert reasons[:2] == ['requested: transport="http"', 'requested: transport="websocket"']
    assert all(reason.startswith("preferred: ") for reason in reasons[2:])
    assert both.pool.statistics().fallbacks == 0


def test_a_message_that_no_socket_takes_goes_over_http_and_says_so() -> None:
    both = pair(message_bytes=1000)
    asked = auto(both, "x" * 1000)
    answer(both)
    assert (asked.text, asked.turn.route, both.dialing) == ("!", "http", [])
    assert "1000" in asked.turn.transport_reason
    assert health(both).state == "closed"


# Opening


def test_one_refused_upgrade_opens_it_for_five_minutes() -> None:
    both = opened()
    left = health(both)
    assert (left.state, left.transport, left.losses) == ("open", "http", 0)
    assert left.seconds_until_probe == 5 * MINUTE
    assert left.reason is not None
    assert "426" in left.reason
    both.advance(5 * MINUTE - 1)
    assert auto(both).turn.route == "http"
    answer(both)
    assert both.pool.statistics().dials == 1


def test_websocket_turns_do_not_ask_it() -> None:
    both = opened()
    asked = both.ask("I insist.")
    both.open(both.dialing[0])
    answer(both)
    assert (asked.text, asked.turn.route) == ("!", "websocket")
    assert health(both).state == "closed"  # it works after all
    assert both.logs[-1] == "sockets work again: turns use them"


@pytest.mark.parametrize("transport", ["auto", "websocket"])
def test_three_sockets_lost_in_a_row_with_turns_on_them_open_it(transport: Any) -> None:
    both = Pair(PoolSettings(max_age=None))
    for losses in (1, 2):
        both.ask("?", transport=transport, replay="never")
        both.lose(both.start().connection)
        assert (health(both).state, health(both).losses) == ("closed", losses)
    both.ask("?", transport=transport, replay="never")
    both.lose(both.start().connection)
    assert health(both).state == "open"
    assert auto(both).turn.route == "http"


def test_a_turn_that_ends_well_on_a_socket_clears_the_count() -> None:
    both = Pair(PoolSettings(max_age=None))
    for _ in range(5):
        both.ask("?", replay="never")
        both.lose(both.start().connection)
        both.ask("?")
        answer(both)
    assert (health(both).state, health(both).losses) == ("closed", 0)


def test_an_error_of_the_servers_says_that_the_way_works() -> None:
    both = Pair(PoolSettings(max_age=None))
    for _ in range(2):
        both.ask("?", replay="never")
        both.lose(both.start().connection)
    both.ask("?")
    both.start().fail("invalid_prompt", status=400)
    assert health(both).losses == 0


def test_one_socket_counts_once_however_many_turns_it_carried() -> None:
    both = Pair(PoolSettings(sockets=1, lanes=True, max_age=None))
    for _ in range(5):
        both.ask("?", replay="never")
    both.lose(both.start().connection)
    assert health(both).losses == 1


def test_a_turn_that_was_lost_runs_again_over_http_once_sockets_are_given_up() -> None:
    both = Pair(PoolSettings(max_age=None))
    for _ in range(2):
        both.ask("?", replay="never")
        both.lose(both.start().connection)
    asked = auto(both)
    both.lose(both.start().connection)
    served = answer(both)
    assert (asked.text, asked.turn.route, served.number) == ("!", "http", None)
    assert asked.turn.transport_reason.startswith("fallback: ")
    assert (asked.turn.model_runs, asked.turn.repeats) == (2, 1)


def test_a_refused_key_does_not_open_it() -> None:
    both = pair()
    auto(both)
    both.refuse(both.dialing[0], 401)
    assert health(both).state == "closed"


def test_a_socket_lost_without_turns_is_not_counted() -> None:
    both = Pair(PoolSettings(max_age=None))
    for _ in range(5):
        both.ask("?")
        both.lose(answer(both).connection)
    assert (health(both).state, both.pool.statistics().lost_sockets) == ("closed", 0)


# Probing


def test_after_five_minutes_one_turn_probes_and_the_others_do_not_wait_for_it() -> None:
    both = opened()
    both.advance(5 * MINUTE)
    assert (health(both).state, health(both).transport) == ("open", "websocket")
    probe, other = auto(both), auto(both)
    assert ([probe.turn.route, other.turn.route], health(both).state) == (
        ["websocket", "http"],
        "half_open",
    )
    both.open(both.dialing[0])
    answer(both)
    answer(both)
    assert (probe.text, other.text, health(both).state) == ("!", "!", "closed")
    assert auto(both).turn.route == "websocket"


def test_a_probe_that_is_refused_goes_over_http_and_the_next_one_comes_later() -> None:
    both = opened()
    for cooldown in (5, 10, 20, 20):
        both.advance(cooldown * MINUTE - 1)
        assert auto(both).turn.route == "http"
        answer(both)
        both.advance(1)
        probe = auto(both)
        both.refuse(both.dialing[0], 426)
        answer(both)
        assert (probe.text, probe.turn.route, health(both).state) == ("!", "http", "open")
    assert len(both.logs) == 5


def test_a_probe_whose_socket_is_lost_opens_it_again() -> None:
    both = opened()
    both.advance(5 * MINUTE)
    probe = auto(both, replay="never")
    both.open(both.dialing[0])
    both.lose(both.start().connection)
    assert (probe.failure, health(both).state) == ("lost", "open")
    assert health(both).seconds_until_probe == 10 * MINUTE


@pytest.mark.parametrize("end", ["cancel", "queue", "too large", "close"])
def test_a_probe_that_ends_for_another_reason_leaves_its_place_to_the_next(end: str) -> None:
    both = opened()
    both.advance(5 * MINUTE)
    probe = auto(both, deadlines=Deadlines(queue=2.0))
    match end:
        case "cancel":
            both.cancel(probe)
        case "queue":
            both.advance(2.0)
        case "too large":
            both.open(both.dialing[0])
            both.lose(both.start().connection, 1009)
            assert probe.turn.route == "http"
            answer(both)
        case _:
            both.close()
            assert health(both).state == "open"
            return
    assert (health(both).state, health(both).seconds_until_probe) == ("open", 0.0)
    assert auto(both).turn.route == "websocket"


def test_a_probe_that_moves_is_still_the_probe() -> None:
    both = opened()
    both.advance(5 * MINUTE)
    probe = auto(both)
    both.writes = False
    both.open(both.dialing[0])
    both.lose(next(iter(both.sockets)))
    assert (probe.finish, auto(both).turn.route) == (None, "http")
    both.writes = True
    both.open(both.dialing[0])
    answer(both)
    assert (probe.text, probe.turn.route, health(both).state) == ("!", "websocket", "closed")


def test_a_busy_server_answers_the_probe_in_the_end() -> None:
    both = opened()
    both.advance(5 * MINUTE)
    probe = auto(both)
    both.open(both.dialing[0])
    both.start().fail("server_is_overloaded", status=503)
    assert health(both).state == "half_open"
    both.advance(1.0)
    answer(both)
    assert (probe.text, health(both).state) == ("!", "closed")


# Doubt


def test_where_nothing_reaches_the_server_sockets_are_used_again() -> None:
    both = pair()
    auto(both)
    both.lose(both.dialing[0], None)
    both.lose(both.start().connection, None, reached=False)
    assert health(both).state == "closed"
    assert both.logs[-1].startswith("HTTP does not reach the server either")


def test_a_refused_post_proves_that_sockets_are_to_blame() -> None:
    both = pair()
    asked = auto(both)
    both.lose(both.dialing[0], None)
    both.refuse(both.start().connection, 400)
    assert (asked.finish is not None, health(both).state) == (True, "open")
    auto(both)
    both.lose(both.start().connection, None, reached=False)
    assert health(both).state == "open"


def test_another_key_begins_anew() -> None:
    both = opened()
    both.ask("I insist.")
    both.open(both.dialing[-1], credential="new")
    assert health(both).state == "closed"
