"""Turns that are lost: what runs once more, what moves, what ends, and who pays."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from turnwire.core.chain import Chain, ChainMiss
from turnwire.core.settings import PoolSettings
from turnwire.testing.pair import Pair

if TYPE_CHECKING:
    from turnwire.core.request import Interruption, Replay
    from turnwire.testing.pair_sides import Asked, Served


def delta(served: Served, text: str = "x") -> None:
    served.emit("response.output_text.delta", delta=text, output_index=0, content_index=0)


def read(asked: Asked) -> None:
    """Have the caller be handed what there is."""
    asked.turn.shown = True


def lost(both: Pair, asked: Asked) -> Served:
    """Lose the socket in the middle of an answer; return what comes then."""
    served = both.start()
    delta(served, "first ")
    both.lose(served.connection)
    assert asked.finish is None
    return both.start()


@pytest.mark.parametrize("code", [1000, 1001, 1005, 1006, 1011, 1012, 4402])
def test_a_lost_turn_that_nobody_has_seen_runs_once_more(code: int) -> None:
    both = Pair()
    asked = both.ask("One.")
    served = both.start()
    delta(served)
    both.lose(served.connection, code)
    both.start().complete("1")
    assert asked.text == "1"
    assert asked.types[:2] == ["response.output_text.delta", "turn.restarted"]
    assert (asked.turn.repeats, asked.turn.resends, asked.turn.model_runs) == (1, 1, 2)
    assert (both.model_runs, both.pool.statistics().repeats) == (2, 1)


def test_and_not_twice() -> None:
    both = Pair()
    asked = both.ask("One.", replay="always")
    both.lose(lost(both, asked).connection)
    assert (asked.failure, both.model_runs, asked.turn.model_runs) == ("lost", 2, 2)


def test_nothing_of_the_first_attempt_is_left_in_the_answer() -> None:
    both = Pair()
    asked = both.ask("One.", replay="always")
    served = lost(both, asked)
    delta(served, "second")
    both.lose(served.connection)
    assert asked.finish is not None
    assert asked.finish.response is not None
    assert asked.finish.response.output_text == "second"


def test_a_turn_whose_output_was_shown_is_not_sent_again() -> None:
    both = Pair()
    asked = both.ask("One.", replay="always")
    served = both.start()
    delta(served, "half")
    read(asked)
    both.lose(served.connection)
    assert (asked.failure, asked.turn.delivery, both.model_runs) == ("lost", "output", 1)
    assert asked.finish is not None
    assert asked.finish.response is not None
    assert asked.finish.response.output_text == "half"


def test_having_seen_the_beginning_is_not_having_seen_output() -> None:
    both = Pair()
    asked = both.ask("One.")
    served = both.start()
    served.accept()
    read(asked)
    both.lose(served.connection)
    both.start().complete("1")
    assert (asked.text, "turn.restarted" in asked.types) == ("1", True)


@pytest.mark.parametrize(
    ("replay", "params", "again"),
    [
        ("never", {}, False),
        ("safe", {}, True),
        ("safe", {"store": False}, True),
        ("safe", {"tools": [{"type": "function", "name": "f"}]}, True),
        ("safe", {"tools": [{"type": "web_search_preview_2025_03_11"}]}, True),
        ("safe", {"tools": [{"type": "shell", "environment": {"type": "local"}}]}, True),
        ("safe", {"tools": [{"type": "shell"}]}, False),
        ("safe", {"tools": [{"type": "function"}, {"type": "mcp"}]}, False),
        ("safe", {"tools": [{"type": "code_interpreter"}]}, False),
        ("safe", {"tools": [{"type": "of next year"}]}, False),
        ("safe", {"tools": {"type": "function"}}, False),
        ("safe", {"tools": ["function"]}, False),
        ("safe", {"conversation": "conv_1"}, False),
        ("always", {"tools": [{"type": "mcp"}]}, True),
        ("always", {"conversation": "conv_1"}, True),
    ],
)
def test_the_policy_decides(replay: Replay, params: dict[str, Any], *, again: bool) -> None:
    both = Pair()
    asked = both.ask("One.", replay=replay, **params)
    both.lose(both.start().connection)
    assert (asked.finish is None, both.running) == (again, int(again))


@pytest.mark.parametrize("replay", ["never", "safe"])
def test_a_warm_up_runs_nothing_and_may_always_be_repeated(replay: Replay) -> None:
    both = Pair()
    warm = both.ask("Know.", generate=False, replay=replay, tools=[{"type": "mcp"}])
    both.lose(both.start().connection)
    both.start().complete()
    assert (warm.text, warm.turn.model_runs, both.model_runs) == ("", 0, 0)


@pytest.mark.parametrize("answer", [True, False])
def test_a_function_decides_and_knows_how_things_stand(*, answer: bool) -> None:
    seen: list[Interruption] = []

    def replay(interruption: Interruption) -> bool:
        seen.append(interruption)
        return answer

    both = Pair()
    asked = both.ask("One.", replay=replay, tools=[{"type": "mcp"}, {"type": "function"}])
    served = both.start()
    served.accept()
    both.lose(served.connection, 1012)
    (only,) = seen
    assert (only.delivery, only.response_id) == ("accepted", served.response_id)
    assert (only.close_code, only.hosted_tools) == (1012, ("mcp",))
    assert (asked.finish is None) is answer


def test_nobody_is_asked_about_a_message_that_was_not_written() -> None:
    def replay(interruption: Interruption) -> bool:
        raise AssertionError(interruption)

    both = Pair(writes=False)
    asked = both.ask("One.", replay=replay)
    both.lose(next(iter(both.sockets)))
    both.write()
    both.start().complete("1")
    assert (asked.text, asked.turn.model_runs, both.model_runs) == ("1", 1, 1)


def test_a_message_that_was_not_written_moves_beside_one_that_is_lost() -> None:
    both = Pair(PoolSettings(sockets=1, lanes=True), writes=False)
    asked = [both.ask("One.", replay="never"), both.ask("Two.", replay="never")]
    both.write()
    both.lose(both.start().connection)
    assert (asked[0].failure, asked[1].finish) == ("lost", None)
    both.write()
    both.start().complete("2")
    assert (asked[1].text, asked[1].turn.repeats) == ("2", 0)


def test_a_chain_without_a_store_sends_everything_after_a_loss() -> None:
    both, chain = Pair(), Chain()
    both.ask("One.", chain=chain, store=False)
    both.start().complete("1")
    asked = both.ask("Two.", chain=chain, store=False)
    both.lose(both.start().connection)
    served = both.start()
    assert (len(served.texts), asked.turn.chain_miss) == (3, ChainMiss("connection_lost"))
    served.complete("2")
    assert (asked.text, len(chain.items)) == ("2", 4)


def test_a_chain_with_a_store_goes_on_where_it_was() -> None:
    both, chain = Pair(), Chain()
    both.ask("One.", chain=chain)
    parent = both.start().complete("1")
    asked = both.ask("Two.", chain=chain)
    both.lose(both.start().connection)
    assert both.messages[-1]["previous_response_id"] == parent
    assert asked.turn.chain_miss is None


def test_a_turn_that_is_stranded_ends() -> None:
    both = Pair()
    both.ask("One.", store=False)
    parent = both.start().complete("1")
    asked = both.ask("Two.", store=False, previous_response_id=parent, replay="always")
    both.lose(both.start().connection)
    assert (asked.failure, len(both.messages)) == ("lost", 2)


def test_a_stranded_turn_that_was_not_written_is_the_servers_to_answer() -> None:
    both = Pair()
    both.ask("One.", store=False)
    parent = both.start().complete("1")
    both.writes = False
    asked = both.ask("Two.", store=False, previous_response_id=parent)
    both.lose(next(iter(both.sockets)))
    both.write()
    assert asked.failure == "previous_response_not_found"


def test_a_lost_stream_is_a_loss() -> None:
    both = Pair()
    asked = both.ask("One.", transport="http")
    served = both.start()
    delta(served)
    both.lose(served.connection, None)
    both.start().complete("1")
    assert (asked.text, asked.turn.route, asked.turn.model_runs) == ("1", "http", 2)


@pytest.mark.parametrize("transport", ["websocket", "http"])
def test_garbage_is_a_loss(transport: Any) -> None:
    both = Pair()
    asked = both.ask("One.", transport=transport)
    served = both.start()
    both.receive(served.connection, b"data: []\n\n" if transport == "http" else b"[]")
    assert both.closed == [served.connection]
    both.start().complete("1")
    assert (asked.text, asked.turn.repeats) == ("1", 1)


def test_a_message_that_is_too_large_teaches_the_limit() -> None:
    both = Pair(PoolSettings(sockets=1, lanes=True))
    large = both.ask("x" * 2000)
    small = both.ask("Small.")
    both.lose(both.start().connection, 1009)
    assert large.failure == "too_large"
    both.start().complete("1")
    assert (small.text, small.turn.model_runs) == ("1", 2)
    messages = len(both.messages)
    assert (both.ask("x" * 2000).failure, len(both.messages)) == ("too_large", messages)
    assert both.pool.statistics().lost_sockets == 0  # the way works


def test_a_message_that_is_too_large_goes_over_http_if_it_may() -> None:
    both = Pair()
    asked = both.ask("x" * 2000, transport="auto")
    both.lose(both.start().connection, 1009)
    both.start().complete("1")
    assert (asked.text, asked.turn.route, asked.turn.model_runs) == ("1", "http", 1)
    at_once = both.ask("x" * 2000, transport="auto")
    assert (at_once.turn.route, at_once.turn.resends) == ("http", 0)


def test_a_fork_that_changes_to_http_lets_its_source_go_on() -> None:
    both, source = Pair(PoolSettings(sockets=1, lanes=True, message_bytes=2000)), Chain()
    both.ask("One.", chain=source, store=False)
    both.start().complete("1")
    fork = both.ask("x" * 1950, chain=source.fork(), store=False, transport="auto")
    assert fork.turn.route == "http"
    both.start()
    both.ask("Source.", chain=source, store=False)
    assert both.start().texts == ["Source."]


def test_draining_ends_what_would_need_another_socket() -> None:
    both = Pair(writes=False)
    asked = both.ask("One.")
    both.drain()
    both.lose(next(iter(both.sockets)))
    assert (asked.failure, asked.turn.delivery) == ("lost", "queued")
    assert (asked.turn.model_runs, both.pool.deadline()) == (0, None)


def test_turns_that_move_keep_their_order() -> None:
    both = Pair(PoolSettings(sockets=1, lanes=True), writes=False)
    for number in range(4):
        both.ask(f"{number}")
    both.lose(next(iter(both.sockets)))
    for _ in range(4):
        both.write()
    assert [both.start().texts for _ in range(4)] == [["0"], ["1"], ["2"], ["3"]]
