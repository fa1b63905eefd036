"""The table of recoveries: every situation has an answer, every rule its use, and laws hold.

The laws do not read the table: they are what users were promised, in all situations there are.
"""

from __future__ import annotations

from dataclasses import fields, replace
from itertools import product
from typing import TYPE_CHECKING, Final, get_type_hints

import pytest

from turnwire.core.failure import FailureKind
from turnwire.core.recovery import (
    RULES,
    Cause,
    Delivery,
    Home,
    Recovery,
    Row,
    Situation,
    decide,
)
from turnwire.core.situation import _CAUSE_OF_KIND
from turnwire.testing.pair import Pair

if TYPE_CHECKING:
    from collections.abc import Callable

    from turnwire.core.request import Interruption

_FACTS: Final = get_type_hints(Situation)
VALUES: Final = [
    (False, True) if _FACTS[each.name] is bool else tuple(_FACTS[each.name])
    for each in fields(Situation)
]
SITUATIONS: Final = [Situation(*values) for values in product(*VALUES)]
ANSWERS: Final = {situation: decide(situation) for situation in SITUATIONS}

WRITES_AGAIN: Final = {
    Recovery.MOVE,
    Recovery.RESEND,
    Recovery.RESEND_IN_FULL,
    Recovery.RESEND_LATER,
    Recovery.FALL_BACK,
}
# What says, by its nature, that the server did not run the turn, or that nobody was there.
RAN_NOTHING: Final = set(Cause) - {Cause.LOST, Cause.ANSWER, Cause.OURS}


def counterexamples(law: Callable[[Situation, Recovery], bool]) -> list[tuple[Situation, Recovery]]:
    return [
        (situation, answer) for situation, answer in ANSWERS.items() if not law(situation, answer)
    ]


# The table itself


def test_every_situation_is_there_and_has_one_answer() -> None:
    assert len(ANSWERS) == 11 * 4 * 2 * 2 * 3 * 2 * 2 * 2
    assert set(ANSWERS.values()) == set(Recovery)


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: f"{rule.cause.name}-{rule.recovery.name}")
def test_every_rule_decides_something(rule: Row) -> None:
    place = RULES.index(rule)
    assert RULES.count(rule) == 1
    assert any(
        rule.fits(situation) and not any(other.fits(situation) for other in RULES[:place])
        for situation in SITUATIONS
    ), "the rules before it decide everything that it is about"


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: f"{rule.cause.name}-{rule.recovery.name}")
def test_no_rule_could_be_left_out(rule: Row) -> None:
    rest = [other for other in RULES if other is not rule]
    changed = [
        situation
        for situation, answer in ANSWERS.items()
        if next((each.recovery for each in rest if each.fits(situation)), Recovery.FAIL)
        is not answer
    ]
    # Dropping the chain's link is what the message itself does; the name tells the reader why.
    told_apart = rule.recovery is Recovery.RESEND_IN_FULL
    assert changed or told_apart


@pytest.mark.parametrize("cause", Cause)
def test_nothing_is_recovered_for_ever(cause: Cause) -> None:
    answers = {answer for situation, answer in ANSWERS.items() if situation.cause is cause}
    assert Recovery.FAIL in answers


def test_every_failure_has_a_cause() -> None:
    # Those that are not in the table are the caller's own limits, and the server's answers.
    ours = {
        FailureKind.SIGN_IN,
        FailureKind.QUEUE_TIMEOUT,
        FailureKind.FIRST_EVENT_TIMEOUT,
        FailureKind.PROGRESS_TIMEOUT,
        FailureKind.TURN_TIMEOUT,
        FailureKind.UNANSWERED,
        FailureKind.UNSENT,
        FailureKind.SLOW_CONSUMER,
        FailureKind.CLOSED,
        FailureKind.HANDED_OVER,
        FailureKind.STEER,
        FailureKind.SERVER,
    }
    assert set(FailureKind) - ours == set(_CAUSE_OF_KIND)


# The laws


def test_a_turn_whose_output_was_shown_is_never_written_again() -> None:
    def law(situation: Situation, answer: Recovery) -> bool:
        seen = situation.shown and situation.delivery is Delivery.OUTPUT
        return not (seen and answer in WRITES_AGAIN)

    assert counterexamples(law) == []


def test_a_turn_that_was_lost_after_it_was_shown_is_fetched_or_ends() -> None:
    def law(situation: Situation, answer: Recovery) -> bool:
        lost = situation.cause is Cause.LOST and situation.delivery is not Delivery.UNSENT
        return not (lost and situation.shown) or answer in (Recovery.RESUME, Recovery.FAIL)

    assert counterexamples(law) == []


def test_after_output_only_a_loss_is_recovered() -> None:
    def law(situation: Situation, answer: Recovery) -> bool:
        late = situation.delivery is Delivery.OUTPUT and situation.cause is not Cause.LOST
        return not late or answer is Recovery.FAIL

    assert counterexamples(law) == []


def test_nothing_that_was_perhaps_run_is_written_again_without_leave() -> None:
    def law(situation: Situation, answer: Recovery) -> bool:
        perhaps_run = (
            situation.delivery is not Delivery.UNSENT and situation.cause not in RAN_NOTHING
        )
        return situation.may_repeat or not (perhaps_run and answer in WRITES_AGAIN)

    assert counterexamples(law) == []


def test_an_unsent_turn_moves_whatever_its_policy() -> None:
    # So that it costs nothing: neither a model run nor its one repeat.
    unsent = [
        answer
        for situation, answer in ANSWERS.items()
        if situation.cause is Cause.LOST and situation.delivery is Delivery.UNSENT
    ]
    assert set(unsent) == {Recovery.MOVE}


def test_an_unsent_turn_is_never_a_repeat() -> None:
    def law(situation: Situation, answer: Recovery) -> bool:
        unsent = situation.delivery is Delivery.UNSENT
        same = ANSWERS[replace(situation, may_repeat=not situation.may_repeat)]
        return not unsent or answer is same

    assert counterexamples(law) == []


def test_a_turn_changes_to_http_only_if_it_may_and_only_before_the_server_has_run_it() -> None:
    def law(situation: Situation, answer: Recovery) -> bool:
        return answer is not Recovery.FALL_BACK or (
            situation.may_fall_back
            and situation.cause in (Cause.DIAL, Cause.TOO_LARGE)
            and situation.delivery in (Delivery.UNSENT, Delivery.WRITTEN)
        )

    assert counterexamples(law) == []


def test_a_turn_that_may_change_to_http_does_so_before_it_gives_up() -> None:
    for cause in (Cause.DIAL, Cause.TOO_LARGE):
        answers = {
            answer
            for situation, answer in ANSWERS.items()
            if situation.cause is cause
            and situation.delivery is Delivery.UNSENT
            and situation.may_fall_back
        }
        assert answers == {Recovery.FALL_BACK}


def test_only_a_response_that_exists_and_whose_id_is_known_is_fetched() -> None:
    def law(situation: Situation, answer: Recovery) -> bool:
        return answer is not Recovery.RESUME or (
            situation.id_known
            and situation.cause is Cause.LOST
            and situation.delivery in (Delivery.ACCEPTED, Delivery.OUTPUT)
        )

    assert counterexamples(law) == []


def test_fetching_goes_before_paying_twice() -> None:
    def law(situation: Situation, answer: Recovery) -> bool:
        known = situation.id_known and situation.delivery in (Delivery.ACCEPTED, Delivery.OUTPUT)
        return not (known and situation.cause is Cause.LOST) or answer is Recovery.RESUME

    assert counterexamples(law) == []


def test_a_turn_whose_parent_went_with_its_socket_is_never_sent_again_after_a_loss() -> None:
    def law(situation: Situation, answer: Recovery) -> bool:
        stranded = situation.home is Home.LOST and situation.cause is Cause.LOST
        sent = situation.delivery is not Delivery.UNSENT
        return not (stranded and sent) or answer in (Recovery.RESUME, Recovery.FAIL)

    assert counterexamples(law) == []


def test_a_chain_whose_socket_is_lost_sends_everything() -> None:
    def law(situation: Situation, answer: Recovery) -> bool:
        on_socket = situation.cause is Cause.LOST and situation.home is Home.SOCKET
        return not (on_socket and answer is Recovery.RESEND)

    assert counterexamples(law) == []


def test_nothing_waits_without_a_budget() -> None:
    def law(situation: Situation, answer: Recovery) -> bool:
        return answer is not Recovery.RESEND_LATER or situation.may_wait

    assert counterexamples(law) == []


def test_what_the_server_answers_and_what_the_caller_limits_is_final() -> None:
    def law(situation: Situation, answer: Recovery) -> bool:
        final = situation.cause in (Cause.ANSWER, Cause.OURS)
        return not final or answer is Recovery.FAIL

    assert counterexamples(law) == []


def test_more_leave_never_ends_a_turn_that_would_go_on() -> None:
    leaves = ("id_known", "may_repeat", "may_wait", "may_fall_back")

    def law(situation: Situation, answer: Recovery) -> bool:
        more = [ANSWERS[replace(situation, **{leave: True})] for leave in leaves]
        return answer is Recovery.FAIL or Recovery.FAIL not in more

    assert counterexamples(law) == []


def test_having_shown_less_never_ends_a_turn_that_would_go_on() -> None:
    def law(situation: Situation, answer: Recovery) -> bool:
        unseen = ANSWERS[replace(situation, shown=False)]
        return answer is Recovery.FAIL or unseen is not Recovery.FAIL

    assert counterexamples(law) == []


def test_a_policy_that_raises_sends_nothing_again_and_is_told() -> None:
    def broken(_: Interruption) -> bool:
        raise LookupError

    both = Pair()
    asked = both.ask("One.", replay=broken)
    both.lose(both.start().connection)
    assert (asked.failure, both.model_runs) == ("lost", 1)
    assert both.logs == ["the replay function raised LookupError: its turn is not sent again"]
