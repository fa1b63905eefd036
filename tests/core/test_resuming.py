"""Stored responses are fetched after a loss instead of run again, where the client wants that."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec
import pytest

from turnwire.core.chain import Chain
from turnwire.core.request import Deadlines
from turnwire.core.settings import PoolSettings
from turnwire.events import TurnResumedEvent
from turnwire.testing.pair import Pair

if TYPE_CHECKING:
    from turnwire.core.actions import Fetch
    from turnwire.testing.pair_sides import Asked, Served

RESUME = PoolSettings(resume=True)


def delta(served: Served, text: str = "x") -> None:
    served.emit("response.output_text.delta", delta=text, output_index=0, content_index=0)


def cut_off(
    both: Pair, asked: Asked, *, shown: bool = True, text: str = "Hel"
) -> tuple[Served, Fetch]:
    """Lose the socket in the middle of an answer; return who spoke, and what is asked for."""
    served = both.start()
    served.accept()
    delta(served, text)
    asked.turn.shown = shown
    both.lose(served.connection)
    return served, both.fetches[-1]


def stored(
    served: Served, text: str | None = "Hello.", status: str = "completed"
) -> dict[str, Any]:
    part = {"type": "output_text", "text": text}
    message = {"type": "message", "id": "msg_1", "role": "assistant", "content": [part]}
    output = [] if text is None else [message]
    return {"id": served.response_id, "status": status, "output": output}


def stream(both: Pair, fetch: Fetch, *events: dict[str, Any]) -> None:
    both.receive(
        fetch.connection,
        b"".join(b"data: " + msgspec.json.encode(event) + b"\n\n" for event in events),
    )


def more(number: int, text: str) -> dict[str, Any]:
    return {
        "type": "response.output_text.delta",
        "sequence_number": number,
        "delta": text,
        "output_index": 0,
        "content_index": 0,
    }


def completed(number: int, served: Served, text: str = "Hello.") -> dict[str, Any]:
    return {
        "type": "response.completed",
        "sequence_number": number,
        "response": stored(served, text),
    }


def texts(asked: Asked) -> str:
    return "".join(getattr(event, "delta", "") for event in asked.events)


# Streamed


def test_the_rest_of_the_events_is_fetched_and_nothing_comes_twice() -> None:
    both = Pair(RESUME)
    asked = both.ask("One.")
    served, fetch = cut_off(both, asked)
    assert (fetch.response_id, fetch.starting_after, fetch.streamed) == (
        served.response_id,
        2,
        True,
    )
    stream(both, fetch, more(3, "lo"), more(4, "."), completed(5, served))
    assert (asked.text, texts(asked)) == ("Hello.", "Hello.")
    assert (asked.turn.resumes, asked.turn.resends, asked.turn.model_runs) == (1, 0, 1)
    assert (both.model_runs, both.pool.statistics().resumes) == (1, 1)
    assert both.pool.deadline() is None or not both.pool.statistics().active


def test_its_caller_is_told() -> None:
    both = Pair(RESUME)
    asked = both.ask("One.")
    served, fetch = cut_off(both, asked)
    told = asked.events[-1]
    assert isinstance(told, TurnResumedEvent)
    assert (told.response_id, told.starting_after) == (served.response_id, 2)
    stream(both, fetch, completed(3, served))
    assert asked.types[-2:] == ["turn.resumed", "response.completed"]


def test_a_server_that_begins_at_the_beginning_repeats_nothing() -> None:
    both = Pair(RESUME)
    asked = both.ask("One.")
    served, fetch = cut_off(both, asked)
    stream(both, fetch, *(more(number, "no") for number in range(3)), more(3, "lo."))
    stream(both, fetch, completed(4, served))
    assert (asked.text, texts(asked)) == ("Hello.", "Hello.")


def test_a_gap_in_the_numbers_ends_the_attempt() -> None:
    both = Pair(RESUME)
    asked = both.ask("One.")
    served, fetch = cut_off(both, asked)
    stream(both, fetch, more(4, "o."), completed(5, served))
    assert (asked.failure, texts(asked)) == ("protocol", "Hel")
    assert both.closed == [fetch.connection]


def test_a_gap_before_anything_was_shown_costs_another_run() -> None:
    both = Pair(RESUME)
    asked = both.ask("One.")
    served, fetch = cut_off(both, asked, shown=False)
    stream(both, fetch, more(4, "o."), completed(5, served))
    both.start().complete("1")
    assert (asked.text, asked.turn.model_runs, asked.turn.resumes) == ("1", 2, 1)


def test_a_stream_that_is_lost_again_goes_on_where_that_one_ended() -> None:
    both = Pair(RESUME)
    asked = both.ask("One.")
    served, fetch = cut_off(both, asked)
    stream(both, fetch, more(3, "l"))
    both.lose(fetch.connection, None)
    again = both.fetches[-1]
    assert (again.connection != fetch.connection, again.starting_after) == (True, 3)
    stream(both, again, more(4, "o."), completed(5, served))
    assert (asked.text, texts(asked), asked.turn.resumes) == ("Hello.", "Hello.", 2)


def test_it_is_not_tried_for_ever() -> None:
    both = Pair(RESUME)
    asked = both.ask("One.")
    cut_off(both, asked)
    while asked.finish is None:
        both.lose(both.fetches[-1].connection, None)
    assert (asked.failure, asked.turn.resumes, len(both.fetches)) == ("lost", 3, 3)


def test_a_stored_failure_is_the_answer() -> None:
    both = Pair(RESUME)
    asked = both.ask("One.")
    served, fetch = cut_off(both, asked)
    response = {"id": served.response_id, "status": "failed", "error": {"code": "invalid_prompt"}}
    event = {"type": "response.failed", "sequence_number": 3, "response": response}
    stream(both, fetch, event)
    assert (asked.failure, asked.turn.resends) == ("invalid_prompt", 0)


def test_a_chain_goes_on_from_a_response_that_was_fetched() -> None:
    both, chain = Pair(RESUME), Chain()
    asked = both.ask("One.", chain=chain)
    served, fetch = cut_off(both, asked)
    stream(both, fetch, completed(3, served))
    both.stored.add(served.response_id)
    both.ask("Two.", chain=chain)
    assert both.messages[-1]["previous_response_id"] == served.response_id
    assert (len(chain.items), len(both.messages[-1]["input"])) == (2, 1)


# In one piece


def test_a_server_that_does_not_stream_it_is_asked_for_the_whole() -> None:
    both = Pair(RESUME)
    asked = both.ask("One.")
    served, fetch = cut_off(both, asked, shown=False)
    both.refuse(fetch.connection, 400)
    look = both.fetches[-1]
    assert (look.streamed, look.starting_after) == (False, None)
    both.fetch(look.connection, stored(served))
    assert (asked.text, asked.turn.model_runs, both.model_runs) == ("Hello.", 1, 1)


def test_events_without_numbers_cannot_be_told_apart_so_the_whole_is_asked_for() -> None:
    both = Pair(RESUME)
    asked = both.ask("One.")
    served = both.start()
    event = {"type": "response.created", "response": stored(served, None, "in_progress")}
    both.receive(served.connection, msgspec.json.encode(event))
    both.lose(served.connection)
    (look,) = both.fetches
    assert look.streamed is False
    both.fetch(look.connection, stored(served))
    assert asked.text == "Hello."


@pytest.mark.parametrize("status", ["incomplete", "failed", "cancelled"])
def test_whatever_became_of_it_is_the_answer(status: str) -> None:
    both = Pair(RESUME)
    asked = both.ask("One.")
    served, fetch = cut_off(both, asked, shown=False)
    both.refuse(fetch.connection, 400)
    both.fetch(both.fetches[-1].connection, stored(served, status=status))
    assert asked.finish is not None
    assert (asked.finish.failure is None) is (status == "incomplete")
    assert (asked.turn.resends, asked.turn.model_runs) == (0, 1)


def test_half_an_answer_that_was_shown_is_not_completed_from_the_whole() -> None:
    both = Pair(RESUME)
    asked = both.ask("One.", replay="always")
    served, fetch = cut_off(both, asked, shown=True)
    both.refuse(fetch.connection, 400)
    both.fetch(both.fetches[-1].connection, stored(served))
    assert (asked.failure, both.model_runs) == ("lost", 1)


def test_a_response_that_still_runs_is_looked_at_again() -> None:
    both = Pair(RESUME)
    asked = both.ask("One.")
    served, fetch = cut_off(both, asked, shown=False)
    both.refuse(fetch.connection, 400)
    for pause in (0.5, 1.0, 2.0, 4.0):
        looks = len(both.fetches)
        both.fetch(both.fetches[-1].connection, stored(served, None, "in_progress"))
        assert (len(both.fetches), asked.finish) == (looks, None)
        both.advance(pause)
        assert len(both.fetches) == looks + 1
    both.fetch(both.fetches[-1].connection, stored(served))
    assert (asked.text, asked.turn.resumes, asked.turn.model_runs) == ("Hello.", 1, 1)


def test_and_not_for_ever() -> None:
    both = Pair(RESUME)
    asked = both.ask("One.", replay="never")
    served, fetch = cut_off(both, asked, shown=False)
    both.refuse(fetch.connection, 400)
    while asked.finish is None:
        both.fetch(both.fetches[-1].connection, stored(served, None, "queued"))
        both.advance(8.0)
    assert (asked.failure, len(both.fetches)) == ("lost", 1 + 9)


def test_a_turn_can_be_cancelled_between_two_looks() -> None:
    both = Pair(RESUME)
    asked = both.ask("One.")
    served, fetch = cut_off(both, asked, shown=False)
    both.refuse(fetch.connection, 400)
    both.fetch(both.fetches[-1].connection, stored(served, None, "in_progress"))
    both.cancel(asked)
    looks = len(both.fetches)
    both.advance(60.0)
    assert (len(both.fetches), both.pool.statistics().active) == (looks, 0)


# Refused


@pytest.mark.parametrize("status", [401, 404])
def test_a_response_that_is_not_there_costs_another_run(status: int) -> None:
    both = Pair(RESUME)
    asked = both.ask("One.")
    _, fetch = cut_off(both, asked, shown=False)
    both.refuse(fetch.connection, status)
    assert len(both.fetches) == 1
    both.start().complete("1")
    assert (asked.text, asked.turn.model_runs, both.model_runs) == ("1", 2, 2)


def test_a_response_that_is_not_there_ends_a_turn_whose_output_was_shown() -> None:
    both = Pair(RESUME)
    asked = both.ask("One.", replay="always")
    _, fetch = cut_off(both, asked)
    both.refuse(fetch.connection, 404)
    assert (asked.failure, both.model_runs) == ("lost", 1)
    assert asked.finish is not None
    assert asked.finish.response is not None
    assert asked.finish.response.output_text == "Hel"


def test_a_server_that_cannot_be_reached_is_a_loss_as_well() -> None:
    both = Pair(RESUME)
    asked = both.ask("One.", replay="never")
    _, fetch = cut_off(both, asked)
    both.lose(fetch.connection, None, reached=False)
    assert len(both.fetches) == 2
    both.lose(both.fetches[-1].connection, None, reached=False)
    both.lose(both.fetches[-1].connection, None, reached=False)
    assert (asked.failure, len(both.fetches)) == ("lost", 3)


@pytest.mark.parametrize(
    ("settings", "params"),
    [(PoolSettings(), {}), (RESUME, {"store": False}), (RESUME, {"generate": False})],
)
def test_what_is_not_stored_or_not_wanted_is_not_fetched(
    settings: PoolSettings, params: dict[str, Any]
) -> None:
    both = Pair(settings)
    asked = both.ask("One.", **params)
    served = both.start()
    served.accept()
    both.lose(served.connection)
    assert (both.fetches, asked.turn.resumes, asked.turn.repeats) == ([], 0, 1)


def test_a_response_whose_id_is_not_known_is_not_fetched() -> None:
    both = Pair(RESUME)
    asked = both.ask("One.")
    both.lose(both.start().connection)
    assert (both.fetches, asked.turn.repeats) == ([], 1)


def test_after_a_restart_nothing_of_the_first_attempt_is_fetched() -> None:
    both = Pair(RESUME)
    asked = both.ask("One.")
    _, fetch = cut_off(both, asked, shown=False)
    both.refuse(fetch.connection, 404)
    served = both.start()
    both.lose(served.connection)  # before it was named
    assert (asked.failure, len(both.fetches)) == ("lost", 1)


# Beside all that


def test_a_lost_stream_of_a_post_is_fetched_too() -> None:
    both = Pair(RESUME)
    asked = both.ask("One.", transport="http")
    served, fetch = cut_off(both, asked, shown=False)
    assert fetch.streamed is False  # this server's streams have no numbers
    both.fetch(fetch.connection, stored(served))
    assert asked.text == "Hello."


def test_draining_waits_for_what_is_being_fetched() -> None:
    both = Pair(RESUME)
    asked = both.ask("One.")
    served, fetch = cut_off(both, asked)
    both.drain()
    stream(both, fetch, completed(3, served))
    assert (asked.text, both.pool.deadline()) == ("Hello.", None)


def test_closing_ends_what_is_being_fetched() -> None:
    both = Pair(RESUME)
    asked = both.ask("One.")
    _, fetch = cut_off(both, asked)
    both.close()
    assert (asked.failure, both.closed[-1]) == ("closed", fetch.connection)
    assert (both.pool.deadline(), both.pool.statistics().active) == (None, 0)


def test_the_progress_clock_starts_anew_when_fetching_does() -> None:
    both = Pair(RESUME)
    asked = both.ask("One.", deadlines=Deadlines(progress=10.0))
    both.advance(0.0)
    served = both.start()
    served.accept()
    both.advance(9.0)
    both.lose(served.connection)
    fetch = both.fetches[-1]
    both.advance(9.0)
    assert asked.finish is None
    stream(both, fetch, more(2, "x"))
    both.advance(9.0)
    assert asked.finish is None
    both.advance(1.0)
    assert (asked.failure, both.closed) == ("progress_timeout", [fetch.connection])


def test_other_turns_of_the_lost_socket_are_recovered_on_their_own() -> None:
    both = Pair(PoolSettings(resume=True, sockets=1, lanes=True))
    asked = [both.ask("One."), both.ask("Two.", store=False), both.ask("Three.", replay="never")]
    served = [both.start() for _ in asked]
    served[0].accept()
    served[1].accept()
    both.lose(served[0].connection)
    assert [each.types[-1:] for each in asked] == [["turn.resumed"], ["turn.restarted"], []]
    assert [each.failure for each in asked] == [None, None, "lost"]


def test_numbers_that_are_not_the_responses_do_not_count() -> None:
    both = Pair(RESUME)
    asked = both.ask("One.")
    served = both.start()
    served.accept()
    both.receive(served.connection, b'{"type":"keepalive","sequence_number":9}')
    both.lose(served.connection)
    assert both.fetches[-1].starting_after == 1
    assert asked.turn.last_sequence_number == 1
