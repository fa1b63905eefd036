"""What clients go through, told over both halves of the core joined in memory."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from turnwire.core.backoff import Backoff
from turnwire.core.chain import Chain, ChainMiss
from turnwire.core.request import Deadlines
from turnwire.core.serving import Serving
from turnwire.core.settings import PoolSettings
from turnwire.testing.pair import Pair

LANES = PoolSettings(sockets=1, lanes=True)


def pair(*, lanes: Any = "echo", answers_dials: bool = True, **settings: Any) -> Pair:
    return Pair(PoolSettings(**settings), lanes=lanes, answers_dials=answers_dials)


def output(call_id: str) -> dict[str, str]:
    return {"type": "function_call_output", "call_id": call_id, "output": f"of {call_id}"}


def link(message: dict[str, Any]) -> tuple[str | None, int]:
    return message.get("previous_response_id"), len(message["input"])


# Chains


def test_a_tool_loop_sends_only_what_is_new() -> None:
    both, chain = pair(), Chain()
    asked = both.ask("Count.", chain=chain, store=False)
    first = both.start().complete(calls=["a", "b"])
    assert chain.unanswered == ["a", "b"]
    both.ask(output("a"), output("b"), chain=chain, store=False)
    second = both.start().complete(calls=["c"])
    last = both.ask(output("c"), chain=chain, store=False)
    both.start().complete("Three.")
    assert [link(message) for message in both.messages] == [(None, 1), (first, 2), (second, 1)]
    assert (asked.text, last.text, len(chain.items)) == ("", "Three.", 8)
    assert both.model_runs == 3


def test_the_full_history_is_cut_down_to_what_is_new() -> None:
    both, chain = pair(), Chain()
    both.ask("One.", chain=chain, whole=True)
    first = both.start().complete("1")
    history = ["One.", {"role": "assistant", "content": "1"}]
    asked = both.ask(*history, "Two.", chain=chain, whole=True)
    # The server gave its message an id, and this caller did not hand it back.
    assert asked.turn.chain_miss == ChainMiss("history_changed", index=1)
    both.start().complete("2")
    answer = {"role": "assistant", "content": "1", "id": f"{first}_0"}
    other = Chain()
    both.ask("One.", chain=other, whole=True)
    parent = both.start().complete("1")
    answer["id"] = f"{parent}_0"
    asked = both.ask("One.", answer, "Two.", chain=other, whole=True)
    assert asked.turn.chain_miss is None
    assert link(both.messages[-1]) == (parent, 1)


def test_an_edited_answer_costs_a_full_resend_and_says_where() -> None:
    both, chain = pair(), Chain()
    both.ask("One.", chain=chain)
    both.start().complete("1")
    asked = both.ask(
        "One.", {"role": "assistant", "content": "no"}, "Two.", chain=chain, whole=True
    )
    assert asked.turn.chain_miss == ChainMiss("history_changed", index=1)
    assert link(both.messages[-1]) == (None, 3)


def test_an_unanswered_call_is_named_and_nothing_is_sent() -> None:
    both, chain = pair(), Chain()
    both.ask("Count.", chain=chain)
    first = both.start().complete(calls=["a", "b"])
    asked = both.ask(output("a"), chain=chain)
    failure = asked.finish and asked.finish.failure
    assert failure is not None
    assert (asked.failure, failure.call_ids) == ("unanswered", ("b",))
    assert (len(both.messages), asked.turn.model_runs, both.closed) == (1, 0, [])
    both.ask(output("a"), output("b"), chain=chain)
    assert link(both.messages[-1]) == (first, 2)  # the head still holds


def test_unanswered_calls_are_left_out_if_their_caller_says_so() -> None:
    both, chain = pair(), Chain()
    both.ask("Count.", chain=chain)
    both.start().complete(calls=["a", "b"])
    asked = both.ask(output("a"), chain=chain, unanswered="drop")
    assert asked.turn.chain_miss == ChainMiss("unanswered_call", field="b")
    assert both.start().texts == ["Count.", "function_call", "of a"]


def test_unanswered_calls_get_a_stub_if_their_caller_says_so() -> None:
    both, chain = pair(), Chain()
    both.ask("Count.", chain=chain)
    first = both.start().complete(calls=["a", "b"])
    asked = both.ask(output("a"), chain=chain, unanswered="stub")
    assert (asked.turn.chain_miss, link(both.messages[-1])) == (None, (first, 2))
    sent = both.messages[-1]["input"]
    assert [item["call_id"] for item in sent] == ["a", "b"]
    both.start().complete("Two, or one.")
    assert chain.unanswered == []


def test_two_chains_on_one_socket_never_swap_heads() -> None:
    both = Pair(LANES)
    chains = [Chain(), Chain()]
    heads: list[str | None] = [None, None]
    for round_number in range(3):
        for which in (0, 1):
            both.ask(f"{which}", chain=chains[which], store=False)
        served = [both.start(), both.start()]
        for which in (1, 0):  # the answers come in the other order
            assert served[which].texts[-1] == f"{which}"
            assert served[which].request.get("previous_response_id") == heads[which]
            heads[which] = served[which].complete(f"{which}.{round_number}")
    assert [len(chain.items) for chain in chains] == [6, 6]
    assert both.pool.statistics().chain_misses == {}


def test_a_lost_parent_is_answered_with_everything_on_the_same_socket_once() -> None:
    both, chain = pair(), Chain()
    both.ask("One.", chain=chain)
    parent = both.start().complete("1")
    both.forgotten.add(parent)
    asked = both.ask("Two.", chain=chain)
    both.start().complete("2")
    assert [link(message) for message in both.messages[1:]] == [(parent, 1), (None, 3)]
    assert (asked.text, asked.turn.resends, asked.turn.model_runs) == ("2", 1, 1)
    assert asked.turn.chain_miss == ChainMiss("evicted")
    assert asked.types[0] == "response.created"  # the refusal is not shown
    assert (len(both.sockets), both.closed, both.model_runs) == (1, [], 2)


def test_a_lost_parent_after_output_is_not_repaired_in_secret() -> None:
    both, chain = pair(), Chain()
    both.ask("One.", chain=chain)
    both.start().complete("1")
    asked = both.ask("Two.", chain=chain)
    served = both.start()
    served.emit("response.output_text.delta", delta="Tw", output_index=0, content_index=0)
    served.fail("previous_response_not_found", status=400)
    assert (asked.failure, asked.turn.resends) == ("previous_response_not_found", 0)
    assert asked.finish is not None
    assert asked.finish.response is not None
    assert asked.finish.response.output_text == "Tw"


def test_a_fork_waits_for_nothing_and_its_source_waits_for_the_fork() -> None:
    both, source = Pair(LANES), Chain()
    both.ask("One.", chain=source, store=False)
    parent = both.start().complete("1")
    other = source.fork()
    both.ask("Fork.", chain=other, store=False)
    both.ask("Source.", chain=source, store=False)
    fork = both.start()
    assert (fork.texts, both.running) == (["Fork."], 0)
    fork.accept()
    assert both.start().texts == ["Source."]
    links = [
        (message["previous_response_id"], message.get("stream_id")) for message in both.messages[1:]
    ]
    assert links == [(parent, "lane-1"), (parent, None)]


def test_a_stored_parent_needs_no_barrier() -> None:
    both, source = Pair(LANES), Chain()
    both.ask("One.", chain=source)
    both.start().complete("1")
    both.ask("Fork.", chain=source.fork())
    both.ask("Source.", chain=source)
    assert [both.start().texts, both.start().texts] == [["Fork."], ["Source."]]


def test_a_fork_that_is_cancelled_lets_its_source_go_on() -> None:
    both, source = Pair(LANES), Chain()
    both.ask("One.", chain=source, store=False)
    both.start().complete("1")
    both.ask("Company.", store=False)
    fork = both.ask("Fork.", chain=source.fork(), store=False)
    both.ask("Source.", chain=source, store=False)
    assert [both.start().texts, both.start().texts, both.running] == [["Company."], ["Fork."], 0]
    both.cancel(fork)
    assert both.start().texts == ["Source."]


def test_a_warm_up_is_the_head_of_its_chain_and_needs_no_new_item() -> None:
    both, chain = pair(), Chain()
    warm = both.ask("You know much.", chain=chain, store=False, generate=False)
    parent = both.start().complete()
    asked = both.ask(chain=chain, store=False)
    assert link(both.messages[-1]) == (parent, 0)
    both.start().complete("Hello.")
    assert (asked.text, warm.turn.model_runs, both.model_runs) == ("Hello.", 0, 1)


def test_an_incomplete_answer_stays_in_the_history_and_is_not_continued() -> None:
    both, chain = pair(), Chain()
    asked = both.ask("One.", chain=chain, store=False)
    both.start().complete("Half", status="incomplete")
    assert asked.text == "Half"
    asked = both.ask("Two.", chain=chain, store=False)
    assert asked.turn.chain_miss == ChainMiss("previous_failed")
    assert both.start().texts[0] == "One."
    assert link(both.messages[-1]) == (None, 3)


def test_a_failed_turn_leaves_neither_a_head_nor_a_history() -> None:
    both, chain = pair(retries=0), Chain()
    both.ask("One.", chain=chain)
    both.start().complete("1")
    failed = both.ask("Two.", chain=chain)
    served = both.start()
    served.accept()
    served.fail("server_error")
    assert (failed.failure, len(chain.items), chain.head) == ("server_error", 2, None)
    assert both.ask("Two.", chain=chain).turn.chain_miss == ChainMiss("previous_failed")


def test_over_http_only_stored_responses_are_continued() -> None:
    both, chain = pair(), Chain()
    both.ask("One.", chain=chain, transport="http")
    first = both.start().complete("1")
    both.ask("Two.", chain=chain, transport="http")
    assert link(both.messages[-1]) == (first, 1)
    both.start().complete("2")
    other = Chain()
    both.ask("One.", chain=other, transport="http", store=False)
    both.start().complete("1")
    asked = both.ask("Two.", chain=other, transport="http", store=False)
    assert asked.turn.chain_miss == ChainMiss("not_stored")
    assert link(both.messages[-1]) == (None, 3)
    both.start().complete("2")
    assert (asked.text, asked.turn.model_runs) == ("2", 1)


def test_a_new_key_begins_anew() -> None:
    both, chain = pair(answers_dials=False), Chain()
    both.ask("One.", chain=chain)
    both.open(both.dialing[0], credential="old")
    both.start().complete("1")
    both.lose(next(iter(both.sockets)), 1001)
    asked = both.ask("Two.", chain=chain)
    both.open(both.dialing[0], credential="new")
    assert asked.turn.chain_miss == ChainMiss("credential_changed")


def test_turns_of_one_chain_run_one_after_the_other() -> None:
    both, chain = Pair(LANES), Chain()
    asked = [both.ask(f"{number}", chain=chain, store=False) for number in range(3)]
    for number in range(3):
        assert both.running == 1
        both.start().complete(f"a{number}")
    assert [each.text for each in asked] == ["a0", "a1", "a2"]
    assert [len(message["input"]) for message in both.messages] == [1, 1, 1]


# Cancelling


def test_a_cancel_alone_on_the_socket_closes_it() -> None:
    both = pair()
    asked = both.ask("Stop.")
    connection = both.start().connection
    both.cancel(asked)
    assert (both.closed, both.sockets) == ([connection], {})
    assert both.ask("Next.").finish is None
    assert both.start().texts == ["Next."]


def test_a_cancel_in_company_drains_its_lane_and_nobody_hears_of_it() -> None:
    both = Pair(LANES)
    gone, stays = both.ask("Gone."), both.ask("Stays.")
    first, second = both.start(), both.start()
    both.cancel(gone)
    later = both.ask("Later.")
    assert [message.get("stream_id") for message in both.messages] == [None, "lane-1", "lane-2"]
    first.complete("too late")
    second.complete("Stayed.")
    both.start().complete("Came.")
    assert (stays.text, later.text, both.closed) == ("Stayed.", "Came.", [])
    assert (gone.events, gone.failure, gone.finish is not None) == ([], None, True)
    assert both.ask("Again.").turn.lane is gone.turn.lane  # it is clean now


def test_an_abandoned_turn_that_never_ends_retires_its_socket() -> None:
    both = Pair(PoolSettings(sockets=2, lanes=True, drain=10.0))
    gone, stays = both.ask("Gone."), both.ask("Stays.")
    both.start()
    second = both.start()
    both.cancel(gone)
    both.advance(10.0)
    both.ask("Elsewhere.")
    assert both.start().connection != second.connection
    second.complete("Stayed.")
    assert (stays.text, both.closed) == ("Stayed.", [second.connection])


def test_a_turn_that_was_not_written_is_cancelled_without_a_trace() -> None:
    both = Pair(PoolSettings(sockets=1, lanes=False))
    both.ask("First.")
    waits = both.ask("Waits.")
    both.cancel(waits)
    both.start().complete("1")
    assert (len(both.messages), waits.turn.model_runs, both.closed) == (1, 0, [])


# Lanes and sockets


def test_the_17th_turn_waits_here_and_not_at_the_server() -> None:
    both = Pair(LANES)
    asked = [both.ask(f"{number}") for number in range(17)]
    assert (len(both.messages), both.pool.statistics().waiting) == (16, 1)
    served = [both.start() for _ in range(16)]
    served[7].complete("done")
    assert both.start().texts == ["16"]
    assert [number for number, each in enumerate(asked) if each.text] == [7]


def test_the_33rd_name_needs_another_socket() -> None:
    both = Pair(PoolSettings(sockets=2, lanes=True, active_limit=40))
    for number in range(34):
        both.ask(f"{number}")
    served = [both.start() for _ in range(34)]
    assert len({each.connection for each in served[:33]}) == 1
    assert served[33].connection != served[0].connection


def test_an_echo_shows_that_the_server_has_lanes() -> None:
    both = pair(sockets=2)
    for number in range(3):
        both.ask(f"{number}")
    first, probe = both.start(), both.start()
    assert [message.get("stream_id") for message in both.messages] == [None, "lane-1"]
    probe.accept()  # with the name: now the third may share a socket
    assert both.start().texts == ["2"]
    first.complete("0")
    probe.complete("1")


def test_a_server_that_ignores_names_gets_one_turn_a_socket() -> None:
    both = pair(lanes="ignore", sockets=2)
    asked = [both.ask(f"{number}") for number in range(3)]
    first, probe = both.start(), both.start()
    probe.complete("1")
    assert asked[1].text == "1"
    assert both.start().connection == probe.connection
    first.complete("0")
    assert [message.get("stream_id") for message in both.messages] == [None, "lane-1", None]


def test_two_sockets_may_find_out_at_once_that_there_are_no_lanes() -> None:
    both = pair(lanes="ignore", sockets=3)
    asked = [both.ask(f"{number}") for number in range(3)]
    for number in range(3):
        both.start().complete(f"a{number}")
    assert [each.text for each in asked] == ["a0", "a1", "a2"]


def test_a_refused_name_is_sent_again_without_it() -> None:
    both = pair(lanes="reject", sockets=3)
    asked = [both.ask(f"{number}") for number in range(3)]
    for number in range(3):
        both.start().complete(f"a{number}")
    assert [each.text for each in asked] == ["a0", "a1", "a2"]
    assert [(each.turn.resends, each.turn.model_runs) for each in asked] == [(0, 1), (1, 1), (0, 1)]


def test_a_keep_alive_says_nothing_about_lanes() -> None:
    both = pair(sockets=2)
    both.ask("First.")
    asked = both.ask("Probe.")
    both.start()
    probe = both.start()
    both.receive(probe.connection, b'{"type":"keepalive","sequence_number":1}')
    assert (asked.events, both.pool.statistics().unrouted_events) == ([], 1)
    probe.complete("Echoed.")
    assert asked.text == "Echoed."


def test_the_age_limit_retires_the_socket_and_harms_no_turn() -> None:
    both = Pair(PoolSettings(sockets=2, lanes=True))
    both.ask("Default.")
    asked = both.ask("Named.")
    default, named = both.start(), both.start()
    default.complete("0")
    event = {
        "type": "error",
        "status": 400,
        "error": {"code": "websocket_connection_limit_reached", "message": "60 minutes"},
    }
    both.receive(named.connection, msgspec.json.encode(event))
    both.ask("Next.")
    assert both.start().connection != named.connection
    assert both.closed == []
    named.complete("1")
    assert (asked.text, both.closed) == ("1", [named.connection])


def test_a_lost_socket_ends_each_of_its_turns_whatever_the_code() -> None:
    for code in (1000, 1001, 1006, 1011):
        both = Pair(LANES)
        asked = [both.ask("One.", replay="never"), both.ask("Two.", replay="never")]
        first, _ = both.start(), both.start()
        first.emit("response.output_text.delta", delta="par", output_index=0, content_index=0)
        both.lose(first.connection, code)
        assert [each.failure for each in asked] == ["lost", "lost"]
        assert [each.turn.delivery for each in asked] == ["output", "writing"]
        partial = asked[0].finish and asked[0].finish.response
        assert partial is not None
        assert (partial.output_text, partial.status) == ("par", "in_progress")


def test_a_turn_that_is_cut_off_knows_the_last_number_that_arrived() -> None:
    both = pair()
    asked = both.ask("One.", replay="never")
    served = both.start()
    for _ in range(5):
        served.emit("response.output_text.delta", delta="x", output_index=0, content_index=0)
    both.lose(served.connection)
    assert asked.turn.last_sequence_number == 4


def test_garbage_closes_the_socket_and_ends_its_turns() -> None:
    both = Pair(LANES)
    asked = both.ask("One.", replay="never")
    connection = both.start().connection
    both.receive(connection, b"[]")
    assert (asked.failure, both.closed) == ("protocol", [connection])


# Time, sizes and bad ways


def test_a_turn_that_finds_no_lane_in_time_says_so() -> None:
    both = Pair(PoolSettings(sockets=1, lanes=False))
    both.ask("First.", deadlines=Deadlines(first_event=None))
    waits = both.ask("Waits.", deadlines=Deadlines(queue=5.0))
    both.advance(4.9)
    assert waits.finish is None
    both.advance(0.1)
    assert (waits.failure, waits.turn.model_runs) == ("queue_timeout", 0)


def test_a_turn_that_the_server_swallows_ends_at_its_first_events_deadline() -> None:
    both = pair()
    asked = both.ask("Hello?", deadlines=Deadlines(first_event=30.0))
    both.start()
    both.advance(30.0)
    assert (asked.failure, asked.turn.delivery, len(both.closed)) == (
        "first_event_timeout",
        "writing",
        1,
    )


def test_silence_after_the_first_event_is_thinking() -> None:
    both = pair()
    asked = both.ask("Think.")
    served = both.start()
    served.accept()
    both.advance(510.0)
    served.complete("Thought.")
    assert asked.text == "Thought."


def test_a_turn_as_a_whole_has_a_limit_if_its_caller_sets_one() -> None:
    both = pair()
    asked = both.ask("Think.", deadlines=Deadlines(turn=60.0))
    both.start().accept()
    both.advance(60.0)
    assert (asked.failure, asked.turn.delivery) == ("turn_timeout", "accepted")


def test_a_failed_dial_fails_those_who_have_nothing_else() -> None:
    both = pair(answers_dials=False, dial_backoff=Backoff(()))
    asked = both.ask("One.")
    both.refuse(both.dialing[0], 503, b'{"error":{"message":"full"}}')
    assert asked.failure == "refused"
    asked = both.ask("Two.")
    both.lose(both.dialing[0], None)
    assert asked.failure == "dial"
    asked = both.ask("Three.")
    both.advance(5.0)
    assert (asked.failure, both.closed) == ("dial_timeout", both.dialing)
    assert both.pool.deadline() is None


def test_a_failed_dial_beside_a_socket_that_works_is_waited_out() -> None:
    both = pair(answers_dials=False, lanes="ignore", sockets=2)
    first = both.ask("One.")
    both.open(both.dialing[0])
    second = both.ask("Two.")
    both.refuse(both.dialing[0], 503)
    assert (second.finish, both.dialing) == (None, [])
    both.advance(5.0)
    assert len(both.dialing) == 1  # the server was left alone for a while
    both.start().complete("1")
    assert both.start().texts == ["Two."]
    assert first.text == "1"


def test_a_message_that_no_socket_takes_is_not_written() -> None:
    both, chain = pair(message_bytes=1000), Chain()
    both.ask("One.", chain=chain)
    parent = both.start().complete("1")
    large = both.ask("x" * 1000, chain=chain)
    assert (large.failure, len(both.messages), large.turn.model_runs) == ("too_large", 1, 0)
    both.ask("Two.", chain=chain)
    assert link(both.messages[-1]) == (parent, 1)  # the head still holds


def test_over_http_a_large_message_goes_through() -> None:
    both = pair(message_bytes=1000)
    asked = both.ask("x" * 1000, transport="http")
    both.start().complete("Long.")
    assert asked.text == "Long."


def test_a_caller_that_does_not_read_loses_its_turn_alone() -> None:
    both = Pair(LANES)
    slow, quick = both.ask("Slow."), both.ask("Quick.")
    first, second = both.start(), both.start()
    both.overflow(slow, limit_bytes=10)
    second.complete("Done.")
    first.complete("unread")
    assert (slow.failure, quick.text, both.closed) == ("slow_consumer", "Done.", [])


def test_the_queue_is_bounded_in_bytes() -> None:
    both = Pair(PoolSettings(sockets=1, lanes=False, queue_bytes=100))
    both.ask("First.")
    both.ask("x" * 40)
    with pytest.raises(RuntimeError):
        both.ask("x" * 40)
    both.start().complete("1")
    both.start().complete("2")
    assert both.ask("x" * 40).finish is None


def test_a_refused_post_is_the_turns_own_error() -> None:
    both = pair(retries=0)
    asked = both.ask("One.", transport="http")
    connection = both.start().connection
    both.refuse(connection, 429, b'{"error":{"code":"rate_limit_exceeded","message":"later"}}')
    assert asked.failure == "rate_limit_exceeded"
    assert asked.finish is not None
    assert asked.finish.failure is not None
    assert asked.finish.failure.status == 429


def test_a_graceful_shutdown_lets_turns_finish_and_takes_no_more() -> None:
    both = Pair(PoolSettings(sockets=1, lanes=False))
    runs, waits = both.ask("Runs."), both.ask("Waits.")
    both.drain()
    assert waits.failure == "closed"
    both.start().complete("Ran.")
    assert (runs.text, len(both.closed), both.pool.deadline()) == ("Ran.", 1, None)
    assert both.ask("Late.").failure == "closed"


def test_closing_leaves_nothing() -> None:
    both = Pair(LANES)
    asked = [both.ask("One."), both.ask("Two.", transport="http"), both.ask("Three.")]
    both.close()
    assert [each.failure for each in asked] == ["closed"] * 3
    assert (both.sockets, both.pool.deadline(), len(both.closed)) == ({}, None, 2)


def test_a_server_whose_client_is_gone_has_nothing_left_to_do() -> None:
    serving = Serving(active_limit=1)
    for text in "ab":
        serving.received(b'{"type":"response.create","input":"%s"}' % text.encode(), 0.0)
    assert (serving.active, serving.waiting) == (1, 1)
    serving.lost(1.0)
    assert (serving.active, serving.waiting) == (0, 0)
