"""Lines of a user message that tell the scripted model what to do."""

import pytest

from turnwire.gateway.upstreams.scripted.directives import (
    Call,
    Directives,
    next_step,
    read_directives,
)

A, B, C = Call("a", "{}"), Call("b", '{"x": 1}'), Call("c", "not json")


def test_a_message_without_directives_is_a_question() -> None:
    assert read_directives(" What is new?\nTell me. ") == Directives("What is new?\nTell me.")


def test_calls_of_one_message_are_one_step() -> None:
    assert read_directives('CALL a\n  CALL b {"x": 1}\nCALL c not json').steps == ((A, B, C),)


def test_each_further_call_is_a_step_of_its_own() -> None:
    text = 'CALL a\nTHEN CALL b {"x": 1}\nTHEN CALL c not json'
    assert read_directives(text).steps == ((A,), (B,), (C,))
    assert read_directives("THEN CALL a").steps == ((A,),)


def test_knobs() -> None:
    assert read_directives("WORDS 12\nPACE 0.5\nEXPLORE 24\nWhy?") == Directives(
        "Why?", words=12, pace=0.5, explore=24
    )


@pytest.mark.parametrize(
    "line", ["CALL", "call a", "I CALL a", "WORDS", "WORDS many", "PACE -1", "WORDS 1 2", "CALLa"]
)
def test_what_only_looks_like_a_directive_is_part_of_the_question(line: str) -> None:
    assert read_directives(line) == Directives(line)


def test_knobs_have_limits() -> None:
    read = read_directives("WORDS 99999999999\nPACE 1e9\nPACE 99999\nEXPLORE 5000000")
    assert (read.words, read.pace, read.explore) == (1_000_000, 60.0, 1000)


@pytest.mark.parametrize(
    ("made", "expected"), [(0, (A, B)), (1, (B,)), (2, (C,)), (3, ()), (9, ())]
)
def test_the_next_step_follows_from_the_calls_made(made: int, expected: tuple[Call, ...]) -> None:
    assert next_step(((A, B), (C,)), made) == expected
