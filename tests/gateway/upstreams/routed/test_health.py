"""When turns stay away from an upstream, who waits for it, and who is turned away."""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import product

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from properties.profiles import PROFILE
from turnwire.core.machine import IllegalTransition, advance
from turnwire.gateway.upstreams.routed.gate import Gate, GateSettings, Refused, Standing, Visit
from turnwire.gateway.upstreams.routed.health import (
    TRANSITIONS,
    Health,
    HealthSettings,
    HealthSignal,
    HealthState,
)

S, E = HealthState, HealthSignal

# Only who is not open can be probed, only a probe can fail as one, and what is down cannot go down.
IMPOSSIBLE = {
    (S.HEALTHY, E.PROBE),
    (S.HEALTHY, E.PROBE_FAIL),
    (S.HEALTHY, E.GIVE_UP),
    (S.SUSPECT, E.PROBE),
    (S.SUSPECT, E.PROBE_FAIL),
    (S.SUSPECT, E.GIVE_UP),
    (S.DOWN, E.TRIP),
    (S.DOWN, E.PROBE_FAIL),
    (S.DOWN, E.GIVE_UP),
    (S.PROBING, E.TRIP),
}


def test_every_pair_is_legal_or_refused() -> None:
    pairs = set(product(HealthState, HealthSignal))
    assert TRANSITIONS.keys() == pairs - IMPOSSIBLE
    for state, signal in IMPOSSIBLE:
        with pytest.raises(IllegalTransition):
            advance(TRANSITIONS, state, signal)


@pytest.mark.parametrize("state", HealthState)
def test_a_turn_that_ends_well_heals_in_every_state(state: HealthState) -> None:
    assert advance(TRANSITIONS, state, HealthSignal.SUCCEED) is HealthState.HEALTHY


def down(cooldowns: tuple[float, ...] = (1.0, 5.0)) -> Health:
    health = Health(HealthSettings(failures=3, cooldowns=cooldowns))
    for _ in range(3):
        health.failed("it broke off", 0.0)
    return health


def test_some_failures_in_a_row_take_it_out_of_service() -> None:
    health = Health(HealthSettings(failures=3, cooldowns=(1.0,)))
    news = [health.failed("it broke off", 0.0) for _ in range(3)]
    said = "is down (it broke off): turns stay away for 1 s"
    assert [None, None, said] == [each and each.partition(",")[0] for each in news]
    assert [health.admits(now) for now in (0.0, 0.9, 1.0)] == [False, False, True]


def test_a_turn_that_ends_well_between_them_makes_the_count_begin_anew() -> None:
    health = Health(HealthSettings(failures=2))
    states: list[HealthState] = []
    for well in (False, True, False, True):
        health.succeeded() if well else health.failed("it broke off", 0.0)
        states.append(health.state)
    assert states == [S.SUSPECT, S.HEALTHY, S.SUSPECT, S.HEALTHY]
    assert health.reason is None


def test_one_failure_is_enough_where_nobody_is() -> None:
    health = Health(HealthSettings(failures=3))
    health.failed("it cannot be reached", 0.0, certain=True)
    assert (health.state, health.admits(0.5)) == (S.DOWN, False)


def test_turns_that_may_be_to_blame_themselves_shut_nobody_out() -> None:
    health = Health(HealthSettings(failures=3))
    assert [health.stumbled("it answered with status 500") for _ in range(9)] == [None] * 9
    assert (health.state, health.reason) == (S.SUSPECT, "it answered with status 500")


def test_a_probe_that_may_be_to_blame_itself_has_found_the_server() -> None:
    health = down()
    probe = health.begin(1.0)
    assert health.stumbled("it answered with status 500", 0) is None
    assert health.state is S.PROBING, "that was an older turn"
    assert health.stumbled("it answered with status 500", probe) == "answers again: turns go there"
    assert (health.state, health.admits(1.0)) == (S.SUSPECT, True)


def test_only_one_probes_and_its_failure_makes_the_pause_longer() -> None:
    health = down()
    probe = health.begin(1.0)
    assert (probe, health.admits(1.0), health.state) == (1, False, S.PROBING)
    health.failed("it broke off", 1.5, probe)
    assert [health.admits(now) for now in (6.4, 6.5)] == [False, True]


def test_where_nobody_else_is_left_a_failure_needs_certainty() -> None:
    health = Health(HealthSettings(failures=1, cooldowns=(30.0,)))
    assert [health.failed("it broke off", 0.0, alone=True) for _ in range(9)] == [None] * 9
    assert health.state is S.SUSPECT
    health.failed("it cannot be reached", 0.0, certain=True, alone=True)
    assert (health.state, health.admits(0.0), health.admits(0.0, alone=True)) == (
        S.DOWN,
        False,
        True,
    )


def test_a_probe_before_its_time_leaves_the_cooldown_as_it_is() -> None:
    health = down((30.0, 60.0))
    gone = health.failed("it cannot be reached", 1.0, health.begin(1.0), certain=True, alone=True)
    assert (gone, health.state, health.seconds_until_probe(1.0)) == (None, S.DOWN, 29.0)
    assert [health.admits(now, alone=True) for now in (1.9, 2.0)] == [False, True]


def test_who_was_found_before_its_time_and_goes_down_again_has_a_new_cooldown() -> None:
    health = down((5.0, 60.0))
    health.begin(1.0)
    health.answered()
    news = health.failed("it cannot be reached", 2.0, certain=True)
    assert (news is not None, health.seconds_until_probe(2.0)) == (True, 60.0)


def test_a_probe_that_fails_somehow_has_found_the_only_server() -> None:
    health = down((30.0,))
    news = health.failed("it answered with status 503", 1.0, health.begin(1.0), alone=True)
    assert (news, health.state) == ("answers again: turns go there", S.SUSPECT)


def test_a_look_at_the_list_makes_no_turn_wait_that_nobody_else_can_take() -> None:
    health = down()
    look = health.begin(1.0, is_turn=False)
    assert (health.admits(1.0), health.admits(1.0, alone=True)) == (False, True)
    assert (look, health.begin(1.0), health.state) == (1, 2, S.PROBING)
    assert health.admits(1.0, alone=True) is False
    health.gave_up(look)
    assert health.state is S.PROBING, "the turn decides"


def test_older_turns_that_fail_do_not_end_a_probe() -> None:
    health = down()
    probe = health.begin(1.0)
    health.failed("it broke off", 1.1)
    assert health.state is S.PROBING
    assert health.answered() == "answers again: turns go there"
    health.failed("it broke off", 1.2, probe)
    assert health.state is S.DOWN, "after an answer one more failure is one too many"


def test_a_probe_that_was_stopped_leaves_its_place_to_the_next() -> None:
    health = down()
    first = health.begin(1.0)
    health.gave_up(first)
    second = health.begin(1.0)
    health.gave_up(first)
    assert (first, second, health.state) == (1, 2, S.PROBING)


def test_an_older_turn_that_ends_well_ends_the_matter() -> None:
    health = down()
    assert health.succeeded() == "works again: turns go there"
    assert (health.state, health.reason, health.admits(0.0)) == (S.HEALTHY, None, True)


def test_after_a_turn_that_ended_well_pauses_are_short_again() -> None:
    health = down()
    health.failed("it broke off", 1.0, health.begin(1.0))
    health.succeeded()
    for _ in range(3):
        health.failed("it broke off", 10.0)
    assert health.seconds_until_probe(10.0) == 1.0


def gate(limit: int | None = 1, **settings: float) -> Gate:
    return Gate(
        GateSettings(active_limit=limit, **settings),  # type: ignore[arg-type]
        Health(HealthSettings(failures=1, cooldowns=(5.0,))),
    )


def entered(gate: Gate, now: float = 0.0, size_bytes: int = 10) -> Visit:
    visit = gate.enter(size_bytes, now)
    assert isinstance(visit, Visit), visit
    return visit


def test_who_comes_first_is_served_first() -> None:
    there = gate()
    visits = [entered(there) for _ in range(4)]
    order: list[int] = []
    for _ in range(3):
        inside = next(visit for visit in visits if visit.standing is Standing.INSIDE)
        there.leave(inside, 1.0)
        order += [visits.index(visit) for visit in there.changed()]
    assert order == [1, 2, 3]


def test_a_turn_that_no_longer_wants_to_wait_is_passed_over() -> None:
    there = gate()
    inside, second, third = (entered(there) for _ in range(3))
    there.leave(second, 1.0)
    there.leave(inside, 2.0)
    assert there.changed() == [third]
    assert (there.active, there.waiting) == (1, 0)


def test_nobody_waits_for_longer_than_is_allowed() -> None:
    there = gate(queue_timeout=10.0)
    entered(there)
    second, third = entered(there, 1.0), entered(there, 2.0)
    assert there.deadline() == 11.0
    there.tick(11.0)
    assert (there.changed(), second.standing, third.standing, there.deadline()) == (
        [second],
        Standing.OVERDUE,
        Standing.WAITING,
        12.0,
    )


def test_nobody_waits_for_an_upstream_that_is_down() -> None:
    there = gate()
    entered(there)
    waiting = entered(there)
    there.health.failed("it broke off", 1.0)
    there.tick(1.0)
    assert (there.changed(), waiting.standing) == ([waiting], Standing.TURNED_AWAY)
    assert there.enter(10, 2.0) == Refused("is down (it broke off)", full=False, retry_after=4.0)


def test_the_others_come_again_in_a_second_where_one_finds_out() -> None:
    there = gate(limit=None)
    there.health.failed("it broke off", 0.0)
    visit = there.enter(10, 1.0, alone=True)
    assert isinstance(visit, Visit)
    assert visit.probe == 1
    refused = Refused("is down (it broke off)", full=False, retry_after=1.0)
    assert there.enter(10, 1.5, alone=True) == refused
    there.health.gave_up(visit.probe)
    assert there.enter(10, 1.5, alone=True) == refused


@pytest.mark.parametrize("settings", [{"queue_turns": 1}, {"queue_bytes": 15}])
def test_a_queue_that_is_full_says_when_it_is_worth_another_try(settings: dict[str, float]) -> None:
    there = gate(**settings)
    there.leave(entered(there, 0.0), 7.0)  # a turn takes seven seconds
    entered(there, 7.0)
    entered(there, 7.0)
    assert there.enter(10, 7.0) == Refused("is full", full=True, retry_after=14.0)


def test_without_a_queue_who_finds_no_place_is_refused_at_once() -> None:
    there = gate(queue_turns=0)
    entered(there)
    assert there.enter(10, 0.0) == Refused("is full", full=True, retry_after=1.0)


def test_a_probe_needs_a_place_too() -> None:
    there = gate()
    inside = entered(there)
    there.health.failed("it broke off", 0.0)
    assert there.enter(10, 5.0) == Refused("is down (it broke off)", full=False, retry_after=1.0)
    there.leave(inside, 5.0)
    assert entered(there, 5.0).probe == 1


FAILURES, COOLDOWNS = 3, (2.0, 8.0)
ALONE_INTERVAL = 1.0
LIMIT, QUEUE_TURNS, QUEUE_BYTES, PATIENCE = 3, 4, 50, 20.0


@dataclass(eq=False)
class Turn:
    """A turn as the test sees it; which standing it has is what the test has been told."""

    size_bytes: int
    came: float
    visit: Visit
    inside: bool
    probes: bool = False


@dataclass
class Book:
    """What must be so, from what has happened alone; asks neither gate nor health."""

    now: float = 0.0
    in_a_row: int = 0
    closings: int = 0
    shut_until: float | None = None  # None: open
    probed: float = -ALONE_INTERVAL  # when the last turn began to probe
    prober: Turn | None = None
    inside: list[Turn] = field(default_factory=list[Turn])
    waiting: list[Turn] = field(default_factory=list[Turn])

    def shut(self) -> None:
        pause = COOLDOWNS[min(self.closings, len(COOLDOWNS) - 1)]
        self.closings += 1
        self.shut_until, self.prober = self.now + pause, None

    def ended_well(self) -> None:
        self.in_a_row = self.closings = 0
        self.shut_until = self.prober = None

    def answered(self) -> None:
        if self.shut_until is not None:
            self.shut_until = self.prober = None
            self.in_a_row = FAILURES - 1

    def ended_badly(self, turn: Turn, *, certain: bool, alone: bool) -> None:
        if alone and not certain:
            if turn is self.prober:
                self.answered()
            return
        self.in_a_row += 1
        enough = certain or self.in_a_row >= FAILURES
        if turn is self.prober and self.shut_until is not None and self.now < self.shut_until:
            self.prober = None
        elif turn is self.prober or (self.shut_until is None and enough):
            self.shut()

    def stopped(self, turn: Turn) -> None:
        if turn is self.prober:
            self.prober = None

    def admits(self, *, alone: bool) -> bool:
        if self.shut_until is None or (alone and self.now >= self.probed + ALONE_INTERVAL):
            return True
        return self.prober is None and self.now >= self.shut_until

    def next_inside(self) -> list[Turn]:
        """Take out of the queue whoever gets a place now."""
        admitted: list[Turn] = []
        while self.waiting and len(self.inside) < LIMIT:
            admitted.append(self.waiting.pop(0))
            self.inside.append(admitted[-1])
        return admitted


class GateMachine(RuleBasedStateMachine):
    """Random histories of turns at one upstream."""

    def __init__(self) -> None:
        super().__init__()
        self.book = Book()
        self.gate = Gate(
            GateSettings(
                active_limit=LIMIT,
                queue_turns=QUEUE_TURNS,
                queue_bytes=QUEUE_BYTES,
                queue_timeout=PATIENCE,
            ),
            Health(HealthSettings(failures=FAILURES, cooldowns=COOLDOWNS)),
        )

    @rule(size_bytes=st.integers(1, 30), alone=st.booleans())
    def arrive(self, size_bytes: int, alone: bool) -> None:  # noqa: FBT001  # Hypothesis draws it
        book = self.book
        answer = self.gate.enter(size_bytes, book.now, alone=alone)
        self.settle()
        queued_bytes = sum(turn.size_bytes for turn in book.waiting)
        if not book.admits(alone=alone):
            assert isinstance(answer, Refused)
            assert not answer.full
            assert not alone or answer.retry_after == ALONE_INTERVAL
        elif len(book.inside) < LIMIT:
            assert isinstance(answer, Visit)
            assert answer.standing is Standing.INSIDE
            turn = Turn(size_bytes, book.now, answer, inside=True)
            book.inside.append(turn)
            if book.shut_until is not None:
                book.prober, book.probed = turn, book.now
        elif book.shut_until is not None:
            assert isinstance(answer, Refused)
        elif len(book.waiting) < QUEUE_TURNS and queued_bytes + size_bytes <= QUEUE_BYTES:
            assert isinstance(answer, Visit)
            assert answer.standing is Standing.WAITING
            book.waiting.append(Turn(size_bytes, book.now, answer, inside=False))
        else:
            assert isinstance(answer, Refused)
            assert answer.full
            assert 1 <= answer.retry_after <= 60

    @precondition(lambda self: self.book.inside)
    @rule(which=st.integers(0, LIMIT - 1))
    def end_well(self, which: int) -> None:
        turn = self.take(which)
        self.book.ended_well()
        self.gate.health.succeeded()
        self.leave(turn)

    @precondition(lambda self: self.book.inside)
    @rule(which=st.integers(0, LIMIT - 1), certain=st.booleans(), alone=st.booleans())
    def end_badly(
        self,
        which: int,
        certain: bool,  # noqa: FBT001  # Hypothesis draws it
        alone: bool,  # noqa: FBT001  # likewise
    ) -> None:
        turn = self.take(which)
        self.book.ended_badly(turn, certain=certain, alone=alone)
        self.gate.health.failed(
            "it broke off", self.book.now, turn.visit.probe, certain=certain, alone=alone
        )
        self.leave(turn)

    @precondition(lambda self: self.book.inside)
    @rule()
    def show_output(self) -> None:
        self.book.answered()
        self.gate.health.answered()

    @precondition(lambda self: self.book.inside)
    @rule(which=st.integers(0, LIMIT - 1))
    def stop(self, which: int) -> None:
        turn = self.take(which)
        self.book.stopped(turn)
        self.gate.health.gave_up(turn.visit.probe)
        self.leave(turn)

    @precondition(lambda self: self.book.waiting)
    @rule(which=st.integers(0, QUEUE_TURNS - 1))
    def stop_waiting(self, which: int) -> None:
        turn = self.book.waiting.pop(which % len(self.book.waiting))
        self.leave(turn)

    @rule(seconds=st.sampled_from([0.5, 2.0, 8.0, 21.0]))
    def pass_time(self, seconds: float) -> None:
        self.book.now += seconds
        self.gate.tick(self.book.now)
        self.settle()

    def take(self, which: int) -> Turn:
        return self.book.inside.pop(which % len(self.book.inside))

    def leave(self, turn: Turn) -> None:
        self.gate.leave(turn.visit, self.book.now)
        self.settle()

    def settle(self) -> None:
        """Compare what was told of those who waited with what must be so."""
        book = self.book
        expected: dict[Turn, Standing] = {}
        if book.shut_until is not None:
            expected = dict.fromkeys(book.waiting, Standing.TURNED_AWAY)
            book.waiting.clear()
        while book.waiting and book.now - book.waiting[0].came >= PATIENCE:
            expected[book.waiting.pop(0)] = Standing.OVERDUE
        expected |= dict.fromkeys(book.next_inside(), Standing.INSIDE)
        assert [turn.visit for turn in expected] == self.gate.changed()
        assert list(expected.values()) == [turn.visit.standing for turn in expected]

    @invariant()
    def counts_agree(self) -> None:
        assert (len(self.book.inside), len(self.book.waiting)) == (
            self.gate.active,
            self.gate.waiting,
        )
        assert len(self.book.inside) <= LIMIT

    @invariant()
    def nobody_waits_while_there_is_a_place(self) -> None:
        assert not self.book.waiting or len(self.book.inside) == LIMIT

    @invariant()
    def there_is_one_probe_at_most(self) -> None:
        probing = self.gate.health.state is HealthState.PROBING
        assert probing == (self.book.prober is not None)

    def teardown(self) -> None:
        """In the end, once all have left and time has passed, there is a place for the next."""
        for turn in [*self.book.inside, *self.book.waiting]:
            self.gate.health.gave_up(turn.visit.probe)
            self.gate.leave(turn.visit, self.book.now)
        soon = self.gate.enter(1, self.book.now + ALONE_INTERVAL, alone=True)
        assert isinstance(soon, Visit), "whom nobody else serves waits for a second at most"
        self.gate.health.gave_up(soon.probe)
        self.gate.leave(soon, self.book.now + ALONE_INTERVAL)
        later = self.book.now + max(COOLDOWNS)
        answer = self.gate.enter(1, later)
        assert isinstance(answer, Visit)
        assert (answer.standing, self.gate.active) == (Standing.INSIDE, 1)


TestGateMachine = GateMachine.TestCase
TestGateMachine.settings = PROFILE
