"""A short run of the chaos, always the same choices; ``make chaos`` is the long one."""

from __future__ import annotations

import pytest

from chaos.playing import play
from chaos.rounds import round_of

SEED = "short"
TURNS = 90  # of a round
# Every temper, both colours; wild ones most of all.
ROUNDS = (0, 2, 5, 6, 7, 12, 13, 14, 23, 31, 33)


@pytest.mark.io
@pytest.mark.slow
@pytest.mark.parametrize("number", ROUNDS)
def test_nothing_is_lost_repeated_or_mixed_up(number: int) -> None:
    outcome = play(round_of(SEED, number, TURNS))

    assert not outcome.violations, "\n".join(outcome.violations)
    assert outcome.turns >= TURNS


def test_the_rounds_of_the_short_run_have_every_temper() -> None:
    made = [round_of(SEED, number, TURNS) for number in ROUNDS]

    assert {each.temper for each in made} == {"wild", "calm", "gentle", "resend", "resume"}
    assert {each.colour for each in made} == {"async", "sync"}


def test_a_seed_makes_the_same_choices_again() -> None:
    assert round_of("7", 3, 100) == round_of("7", 3, 100)
    assert round_of("7", 3, 100) != round_of("8", 3, 100)
