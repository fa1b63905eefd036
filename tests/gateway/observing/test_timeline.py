"""The timeline forgets in time, and is bounded."""

from gateway.observing.seeing import seen
from turnwire.gateway.observing.timeline import Timeline


def numbers(timeline: Timeline, now: float) -> list[int]:
    return [turn.number for turn in timeline.recent(now)]


def test_turns_are_there_from_their_beginning_until_some_time_after_their_end() -> None:
    timeline = Timeline(seconds=60)
    one, two = seen(1), seen(2)
    timeline.begin(one)
    timeline.begin(two)
    assert (numbers(timeline, 10), timeline.running) == ([1, 2], 2)
    one.ended = 20.0
    timeline.end(one)
    assert (numbers(timeline, 80), timeline.running) == ([1, 2], 1)
    assert numbers(timeline, 80.5) == [2]


def test_of_too_many_turns_the_newest_that_ended_stay() -> None:
    timeline = Timeline(limit=3)
    for number in range(1, 6):
        turn = seen(number, ended=1.0)
        timeline.begin(turn)
        timeline.end(turn)
    assert numbers(timeline, 1.0) == [3, 4, 5]


def test_turns_that_run_are_shown_before_those_that_ended() -> None:
    timeline = Timeline(limit=2)
    for number in (1, 2, 3):
        timeline.begin(seen(number))
    ended = seen(4, ended=1.0)
    timeline.begin(ended)
    timeline.end(ended)
    assert (numbers(timeline, 1.0), timeline.running) == ([1, 2], 3)


def test_a_change_shows_in_the_revision() -> None:
    timeline = Timeline()
    turn = seen(1, ended=1.0)
    revisions = [timeline.revision]
    for change in (lambda: timeline.begin(turn), timeline.changed, lambda: timeline.end(turn)):
        change()
        revisions.append(timeline.revision)
    timeline.end(turn)  # once is enough
    assert (revisions, timeline.revision) == ([0, 1, 2, 3], 3)
