"""Servers that are busy: what is sent again, when, and how often."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from turnwire.core.chain import Chain, ChainMiss
from turnwire.core.settings import PoolSettings
from turnwire.testing.pair import Pair

if TYPE_CHECKING:
    from turnwire.testing.pair_sides import Served

BUSY = "server_is_overloaded"


def delta(served: Served, text: str = "x") -> None:
    served.emit("response.output_text.delta", delta=text, output_index=0, content_index=0)


def fail(served: Served, code: str | None = BUSY, status: int | None = 503, **headers: str) -> None:
    error: dict[str, Any] = {"code": code, "message": "later", "headers": headers}
    served.pair.emit(served, {"type": "error", "status": status, "error": error})


def failed_response(served: Served, code: str) -> None:
    response = {"id": served.response_id, "status": "failed", "error": {"code": code}}
    served.emit("response.failed", response=response)


@pytest.mark.parametrize("status", [408, 409, 429, 500, 502, 503, 504])
def test_a_busy_server_is_asked_again_after_a_pause(status: int) -> None:
    both = Pair()
    asked = both.ask("One.")
    fail(both.start(), None, status)
    assert (asked.finish, both.running) == (None, 0)
    both.advance(0.25)  # half of half a second: jitter
    both.start().complete("1")
    assert (asked.text, asked.types[0]) == ("1", "response.created")  # nothing had begun
    assert (asked.turn.retries, asked.turn.resends, asked.turn.model_runs) == (1, 1, 1)
    assert both.pool.statistics().retries == 1


@pytest.mark.parametrize(
    "code", ["rate_limit_exceeded", "server_error", "server_is_overloaded", "overloaded_error"]
)
def test_overload_is_known_by_its_code_in_a_failed_response_too(code: str) -> None:
    both = Pair()
    asked = both.ask("One.")
    served = both.start()
    served.accept()
    failed_response(served, code)
    both.advance(0.25)
    both.start().complete("1")
    # It had begun, so it may have cost something, and its caller is told that it begins anew.
    assert (asked.text, asked.turn.model_runs, both.model_runs) == ("1", 2, 2)
    assert asked.types[:3] == ["response.created", "response.in_progress", "turn.restarted"]


@pytest.mark.parametrize("status", [400, 403, 404, 413, 422, 501])
def test_an_answer_is_not_asked_for_again(status: int) -> None:
    both = Pair()
    asked = both.ask("One.")
    fail(both.start(), "no", status)
    assert (asked.failure, asked.turn.resends, both.pool.statistics().retries) == ("no", 0, 0)


def test_a_quota_that_is_used_up_does_not_come_back_by_waiting() -> None:
    both = Pair()
    asked = both.ask("One.")
    fail(both.start(), "insufficient_quota", 429)
    assert asked.failure == "insufficient_quota"


def test_after_output_the_error_is_the_answer() -> None:
    both = Pair()
    asked = both.ask("One.")
    served = both.start()
    delta(served)
    fail(served)
    both.advance(60.0)
    assert (asked.failure, asked.turn.resends, asked.turn.delivery) == (BUSY, 0, "terminal")


def test_the_third_refusal_is_the_answer() -> None:
    both = Pair()
    asked = both.ask("One.")
    for pause in (0.25, 0.5):
        fail(both.start())
        both.advance(pause - 0.125)
        assert both.running == 0
        both.advance(0.125)
    fail(both.start())
    assert (asked.failure, asked.turn.retries, len(both.messages)) == (BUSY, 2, 3)


@pytest.mark.parametrize("retries", [0, 5])
def test_how_often_is_the_callers_choice(retries: int) -> None:
    both = Pair(PoolSettings(retries=retries), chance=1.0)
    asked = both.ask("One.")
    for pause in (0.5, 1.0, 2.0, 4.0, 8.0)[:retries]:
        fail(both.start())
        both.advance(pause)
    fail(both.start())
    assert (asked.failure, len(both.messages)) == (BUSY, retries + 1)


@pytest.mark.parametrize(
    ("headers", "pause"),
    [
        ({"retry-after": "7"}, 7.0),
        ({"retry-after-ms": "1500"}, 1.5),
        ({"retry-after-ms": "1500", "retry-after": "7"}, 1.5),
        ({"Retry-After": "3"}, 3.0),
        ({"retry-after": "60"}, 60.0),
        ({"retry-after": "0"}, 0.0),
        (
            {
                "retry-after": "Fri, 31 Dec 1999 23:59:59 GMT",
                "date": "Fri, 31 Dec 1999 23:59:49 GMT",
            },
            10.0,
        ),
        ({"retry-after": "soon"}, 0.25),
        ({"retry-after": "-1"}, 0.25),
    ],
)
def test_the_server_says_when(headers: dict[str, str], pause: float) -> None:
    both = Pair()
    both.ask("One.")
    fail(both.start(), **headers)
    if pause:
        both.advance(pause - 0.125)
        assert both.running == 0
    both.advance(0.125)
    assert both.running == 1


def test_what_the_server_asks_for_beyond_a_minute_is_for_the_caller_to_wait() -> None:
    both = Pair()
    asked = both.ask("One.")
    fail(both.start(), **{"retry-after": "61"})
    assert (asked.failure, asked.turn.resends) == (BUSY, 0)


def test_the_server_may_forbid_it_and_ask_for_it() -> None:
    both = Pair()
    asked = both.ask("One.")
    fail(both.start(), **{"x-should-retry": "false"})
    assert (asked.failure, asked.turn.retries) == (BUSY, 0)
    asked = both.ask("Two.")
    fail(both.start(), "odd", 400, **{"x-should-retry": "true"})
    both.advance(0.25)
    both.start().complete("2")
    assert (asked.text, asked.turn.retries) == ("2", 1)


def test_http_errors_count_the_same() -> None:
    both = Pair()
    asked = both.ask("One.", transport="http")
    both.refuse(both.start().connection, 429, b'{"error":{"message":"later"}}', retry_after="2")
    both.advance(1.9)
    assert (asked.finish, both.running) == (None, 0)
    both.advance(0.1)
    both.start().complete("1")
    assert (asked.text, asked.turn.retries, asked.turn.model_runs) == ("1", 1, 1)


def test_a_post_that_reached_nobody_is_tried_again_for_nothing() -> None:
    both = Pair()
    asked = both.ask("One.", transport="http", replay="never")
    both.lose(both.start().connection, None, reached=False)
    both.advance(0.25)
    both.lose(both.start().connection, None, reached=False)
    both.advance(0.5)
    both.start().complete("1")
    assert (asked.text, asked.turn.model_runs, asked.turn.resends) == ("1", 1, 0)
    asked = both.ask("Two.", transport="http")
    for pause in (0.25, 0.5, 0.0):
        both.lose(both.start().connection, None, reached=False)
        both.advance(pause)
    assert (asked.failure, asked.turn.delivery, asked.turn.model_runs) == ("dial", "queued", 0)


def test_a_refused_key_of_a_post_is_changed_once() -> None:
    both = Pair(PoolSettings(refreshes_key=True))
    asked = both.ask("One.", transport="http")
    both.refuse(both.start().connection, 401)
    both.refuse(both.start().connection, 401)
    assert (asked.turn.resends, asked.turn.retries, asked.turn.model_runs) == (1, 0, 1)
    assert asked.finish is not None
    assert asked.finish.failure is not None
    assert asked.finish.failure.status == 401


def test_another_socket_may_take_it() -> None:
    both = Pair(PoolSettings(sockets=2, lanes=False))
    both.ask("One.")
    served = both.start()
    fail(served)
    both.ask("Two.")
    assert both.start().connection == served.connection
    both.advance(0.25)
    assert both.start().connection != served.connection


def test_a_turn_that_rests_can_be_cancelled_and_counts_for_the_queue() -> None:
    both = Pair()
    asked = both.ask("One.")
    fail(both.start())
    assert both.pool.statistics().queued_bytes == asked.turn.size_bytes
    both.cancel(asked)
    both.advance(60.0)
    assert (both.pool.statistics().queued_bytes, len(both.messages)) == (0, 1)


def test_a_turn_that_rests_is_still_its_chains_turn() -> None:
    both, chain = Pair(), Chain()
    first, second = both.ask("One.", chain=chain), both.ask("Two.", chain=chain)
    fail(both.start())
    assert both.running == 0
    both.advance(0.25)
    both.start().complete("1")
    both.start().complete("2")
    assert (first.text, second.text) == ("1", "2")
    assert [len(message["input"]) for message in both.messages] == [1, 1, 1]


def test_a_chain_without_a_store_sends_everything_after_a_refusal() -> None:
    both, chain = Pair(), Chain()
    both.ask("One.", chain=chain, store=False)
    both.start().complete("1")
    asked = both.ask("Two.", chain=chain, store=False)
    fail(both.start())  # and the server forgot the parent: it was this lane's
    both.advance(0.25)
    assert (both.start().texts[0], asked.turn.chain_miss) == ("One.", ChainMiss("previous_failed"))


def test_one_budget_for_all() -> None:
    both = Pair(PoolSettings(sockets=1, lanes=True, retries=100), chance=0.0)
    asked = both.ask("One.")
    for _ in range(20):
        fail(both.start())
        both.advance(0.125)
    fail(both.start())
    assert (asked.failure, asked.turn.retries) == (BUSY, 20)
    other = both.ask("Two.")
    fail(both.start())
    assert other.failure == BUSY  # failures bring nothing
    for number in range(10):
        both.ask(f"{number}")
        both.start().complete("well")
    other = both.ask("Three.")
    fail(both.start())
    assert other.finish is None
    both.advance(0.125)
    fail(both.start())
    assert other.failure == BUSY


def test_a_pool_that_drains_does_not_wait_for_a_busy_server() -> None:
    both = Pair()
    asked = both.ask("One.")
    served = both.start()
    both.drain()
    fail(served)
    assert (asked.failure, both.pool.deadline()) == (BUSY, None)
