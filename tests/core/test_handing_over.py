"""Turns whose caller has a way of its own over HTTP: they end instead of going there."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from turnwire.core.backoff import Backoff
from turnwire.core.chain import Chain
from turnwire.core.settings import PoolSettings
from turnwire.testing.pair import Pair

if TYPE_CHECKING:
    from turnwire.testing.pair_sides import Asked


def pair(**settings: Any) -> Pair:
    quick = PoolSettings(sockets=1, dial_backoff=Backoff(()), max_age=None, **settings)
    return Pair(quick, answers_dials=False)


def ask(both: Pair, text: str = "?", **how: Any) -> Asked:
    return both.ask(text, **{"transport": "auto", "hands_over": True, **how})


def is_handed_over(asked: Asked) -> bool:
    return (asked.failure, asked.turn.route, asked.turn.model_runs) == ("handed_over", "http", 0)


def test_a_refused_upgrade_hands_over_and_says_why() -> None:
    both = pair()
    asked = ask(both)
    both.refuse(both.dialing[0], 426, b"")
    assert is_handed_over(asked)
    assert asked.turn.transport_reason.startswith("fallback: ")
    assert "426" in asked.turn.transport_reason
    later = ask(both)  # the breaker is open: at once
    assert is_handed_over(later)
    assert both.pool.statistics().fallbacks == 2
    assert both.model_runs == 0


def test_its_caller_says_whether_http_gets_there() -> None:
    both = pair()
    for reached, state in ((True, "open"), (False, "open")):  # proven once, it stays proven
        asked = ask(both)
        for dialing in both.dialing[:1]:
            both.refuse(dialing, 426, b"")
        assert is_handed_over(asked)
        both.pool.note_http(reached=reached)
        assert both.pool.health(both.clock.now).state == state


def test_what_http_does_not_reach_either_is_asked_over_a_socket_again() -> None:
    both = pair()
    for dials in (1, 2):
        asked = ask(both)
        both.refuse(both.dialing[0], 503, b"")
        assert is_handed_over(asked)
        both.pool.note_http(reached=False)
        assert both.pool.health(both.clock.now).state == "closed"
        assert both.pool.statistics().dials == dials


def test_on_a_socket_it_is_a_turn_like_any_other() -> None:
    both = Pair()
    asked = ask(both)
    both.start().complete("!")
    assert (asked.text, asked.turn.route) == ("!", "websocket")


def test_only_auto_turns_are_handed_over_for_what_a_socket_does() -> None:
    both = pair()
    asked = ask(both, transport="websocket")
    both.refuse(both.dialing[0], 426, b"")
    assert asked.failure == "refused"


def test_who_wants_http_gets_it() -> None:
    both = pair()
    asked = ask(both, transport="http")
    assert is_handed_over(asked)
    assert asked.turn.transport_reason.startswith("requested: ")


def test_a_message_that_no_socket_takes_is_handed_over() -> None:
    both = Pair(PoolSettings(message_bytes=1000))
    assert is_handed_over(ask(both, "x" * 1000))
    assert is_handed_over(ask(both, "x" * 990))  # only with what stands around it
    both.ask("small")
    both.start().complete("!")


def test_its_chain_stays_where_it_was() -> None:
    both, chain = Pair(PoolSettings(message_bytes=1000)), Chain()
    both.ask("1", chain=chain)
    first = both.start()
    first.complete("!")
    assert is_handed_over(ask(both, "x" * 1000, chain=chain))
    asked = ask(both, "2", chain=chain)
    served = both.start()
    served.complete("?")
    assert served.request["previous_response_id"] == first.response_id
    assert (served.texts, asked.text) == (["2"], "?")


@pytest.mark.parametrize("behind", ["waits", "is asked later"])
def test_the_next_turn_of_its_chain_goes_on(behind: str) -> None:
    both, chain = pair(), Chain()
    asked = ask(both, "1", chain=chain)
    other = ask(both, "2", chain=chain) if behind == "waits" else None
    both.refuse(both.dialing[0], 404, b"")
    other = other or ask(both, "2", chain=chain)
    assert is_handed_over(asked)
    assert is_handed_over(other)
    assert chain.turn is None
