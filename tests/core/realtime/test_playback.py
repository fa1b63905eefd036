"""The ledger: what was received and heard of each part, and what a flush leaves of it."""

from __future__ import annotations

import pytest

from turnwire.core.realtime.playback import HeardPart, Ledger, Part
from turnwire.core.realtime.playhead import Reported, VirtualClock
from turnwire.events.realtime.audio_format import PCM16, PCMU

A = Part("resp_1", "item_a", 0)
B = Part("resp_1", "item_b", 0)
C = Part("resp_2", "item_c", 0)
SECOND = PCM16.bytes_per_second


def heard(
    part: Part,
    received_ms: float,
    heard_ms: int,
    unheard_ms: float = 0.0,
    *,
    finished: bool = False,
    interrupted: bool = False,
) -> HeardPart:
    return HeardPart(part, received_ms, heard_ms, unheard_ms, finished, interrupted)


def ledger(*parts: Part, seconds: float = 1.0, now: float = 0.0) -> Ledger:
    made = Ledger(VirtualClock())
    for part in parts:
        made.received(part, int(seconds * SECOND), PCM16, now)
    return made


def test_items_that_arrive_together_are_heard_one_after_the_other() -> None:
    made = ledger(A, B)
    assert made.heard(0.5) == (heard(A, 1000, 500, 500), heard(B, 1000, 0, 1000))
    assert made.heard(1.25) == (heard(A, 1000, 1000), heard(B, 1000, 250, 750))
    assert made.unheard_ms(1.25) == 750
    assert made.heard(9.0) == (heard(A, 1000, 1000), heard(B, 1000, 1000))
    assert made.unheard_ms(9.0) == 0


def test_deltas_of_two_parts_may_take_turns() -> None:
    made = ledger(A, C, A, C, seconds=0.1)
    assert made.heard(0.15) == (heard(A, 200, 100, 100), heard(C, 200, 50, 150))
    assert made.heard(0.25) == (heard(A, 200, 150, 50), heard(C, 200, 100, 100))


def test_audio_is_played_though_its_generation_has_ended() -> None:
    made = ledger(A, seconds=3)
    made.finished(A)
    assert made.heard(0.5) == (heard(A, 3000, 500, 2500, finished=True),)
    assert made.is_playing(2.9)
    assert not made.is_playing(3.0)


def test_a_late_chunk_waits_for_nothing_and_nothing_is_heard_meanwhile() -> None:
    made = ledger(A, seconds=0.1)
    assert made.heard(5.0) == (heard(A, 100, 100),)
    made.received(A, SECOND // 10, PCM16, 6.0)
    assert made.heard(6.05) == (heard(A, 200, 150, 50),)


def test_bytes_keep_the_format_in_which_they_came() -> None:
    made = Ledger(VirtualClock())
    made.received(A, 4800, PCM16, 0.0)
    made.received(A, 800, PCMU, 0.0)
    made.received(B, 800, PCMU, 0.0)
    assert made.heard(0.25) == (heard(A, 200, 200), heard(B, 100, 50, 50))


def test_milliseconds_are_whole_and_never_too_many() -> None:
    made = Ledger(VirtualClock())
    made.received(A, 3201, PCM16, 0.0)
    assert made.heard(9.0) == (heard(A, 66.6875, 66),)
    assert made.heard(9.0)[0].unheard_ms == 0


def test_many_odd_chunks_lose_nothing() -> None:
    made = Ledger(VirtualClock())
    for _ in range(1000):
        made.received(A, 7, PCM16, 0.0)
        made.received(B, 1, PCM16, 0.0)
    assert [each.heard_ms for each in made.heard(1.0)] == [145, 20]  # 7000 / 48, 1000 / 48
    assert [each.unheard_ms for each in made.heard(1.0)] == [0, 0]


def test_an_empty_delta_is_nothing() -> None:
    made = Ledger(VirtualClock())
    made.received(A, 0, PCM16, 0.0)
    assert made.heard(1.0) == ()


def test_a_part_that_never_sounded_can_be_finished() -> None:
    made = ledger(A)
    made.finished(B)
    assert made.heard(0.0) == (heard(A, 1000, 0, 1000),)


def test_a_response_finishes_all_its_parts() -> None:
    made = ledger(A, B, C)
    made.finished_response("resp_1")
    assert [each.finished for each in made.heard(0.0)] == [True, True, False]


def test_the_parts_of_one_item_can_be_asked_for() -> None:
    second = A._replace(content_index=1)
    made = ledger(A, B, second)
    assert made.of_item("item_a", 0.5) == (heard(A, 1000, 500, 500), heard(second, 1000, 0, 1000))
    assert made.of_item("item_x", 0.5) == ()


def test_the_end_of_playing_is_known_to_a_clock_and_to_nobody_else() -> None:
    assert ledger(A, B).next_change(0.5) == 2.0
    assert ledger(A, B).next_change(2.0) is None
    made = Ledger(Reported())
    made.received(A, 480, PCM16, 0.0)
    assert made.next_change(0.0) is None
    assert made.is_playing(99.0)


def test_a_flush_freezes() -> None:
    made = ledger(A, B)
    assert made.flush(0.5) == (heard(A, 1000, 500, 500), heard(B, 1000, 0, 1000))
    assert made.heard(9.0) == (
        heard(A, 1000, 500, interrupted=True),
        heard(B, 1000, 0, interrupted=True),
    )
    assert (made.unheard_ms(9.0), made.is_playing(0.5), made.next_change(0.5)) == (0, False, None)
    assert made.flush(0.6) == ()


def test_a_flush_returns_what_was_broken_off_with_all_parts_of_its_items() -> None:
    second = B._replace(content_index=1)
    made = ledger(A, B, second)
    made.finished(A)
    made.finished(B)
    assert made.flush(2.5) == (heard(B, 1000, 1000, finished=True), heard(second, 1000, 500, 500))
    assert made.heard(9.0) == (
        heard(A, 1000, 1000, finished=True),
        heard(B, 1000, 1000, finished=True),
        heard(second, 1000, 500, interrupted=True),
    )


def test_a_part_that_is_still_received_is_broken_off_though_all_of_it_was_heard() -> None:
    made = ledger(A)
    assert made.flush(5.0) == (heard(A, 1000, 1000),)
    assert made.flush(5.0) == ()


def test_after_all_was_played_there_is_nothing_to_flush() -> None:
    made = ledger(A)
    made.finished(A)
    assert made.flush(5.0) == ()
    assert made.heard(5.0) == (heard(A, 1000, 1000, finished=True),)


def test_what_comes_after_a_flush_is_played_at_once() -> None:
    made = ledger(A, B)
    made.flush(0.5)
    made.received(C, SECOND, PCM16, 0.6)
    assert made.heard(0.85)[2:] == (heard(C, 1000, 250, 750),)
    assert made.next_change(0.85) == 1.6


def test_audio_of_an_interrupted_response_is_refused() -> None:
    made = ledger(A)
    made.flush(0.5)
    made.finished_response("resp_1")
    assert [made.received(late, 480, PCM16, 0.6) for late in (A, B)] == [False, False]
    assert made.received(C, 0, PCM16, 0.6)
    assert made.heard(9.0) == (heard(A, 1000, 500, finished=True, interrupted=True),)


def test_one_response_is_stopped_and_the_other_moves_up() -> None:
    made = ledger(A, C, B, C._replace(item_id="item_d"))
    assert made.flush(0.5, "resp_1") == (heard(A, 1000, 500, 500), heard(B, 1000, 0, 1000))
    assert made.unheard_ms(0.5) == 2000
    assert [each.heard_ms for each in made.heard(1.0)] == [500, 500, 0, 0]
    assert [each.heard_ms for each in made.heard(1.75)] == [500, 1000, 0, 250]
    made.received(C, SECOND, PCM16, 1.75)
    assert [each.heard_ms for each in made.heard(9.0)] == [500, 2000, 0, 1000]


def test_the_one_that_is_being_played_goes_on_if_another_is_stopped() -> None:
    made = ledger(A, C, A)
    assert made.flush(0.5, "resp_2") == (heard(C, 1000, 0, 1000),)
    assert [each.heard_ms for each in made.heard(1.5)] == [1500, 0]
    assert made.heard(3.0) == (heard(A, 2000, 2000), heard(C, 1000, 0, interrupted=True))


def test_a_player_is_told_whom_to_silence_and_then_what_goes_on() -> None:
    told: list[object] = []

    class Player(Liar):
        def handed_over(self, size_bytes: int, audio_format: object, now: float) -> None:
            told.append(size_bytes)

        def flush(self, now: float, response_id: str | None = None) -> int:
            told.append(response_id)
            return super().flush(now)

    made = Ledger(Player(0))
    made.received(A, 480, PCM16, 0.0)
    made.received(C, 960, PCM16, 0.0)
    made.flush(0.0, "resp_1")
    made.flush(0.0)
    assert told == [480, 960, "resp_1", 960, None]


def test_what_goes_on_goes_on_in_its_order() -> None:
    made = ledger(A, C, A, Part("resp_3", "item_e", 0))
    made.flush(0.0, "resp_3")
    assert [each.heard_ms for each in made.heard(1.5)] == [1000, 500, 0]
    assert [each.heard_ms for each in made.heard(2.5)] == [1500, 1000, 0]


def test_a_player_corrects_at_a_flush_what_it_had_said() -> None:
    playhead = Reported(lambda: 52_800)
    made = Ledger(playhead)
    made.received(A, 48_000, PCM16, 0.0)
    made.finished(A)
    made.received(B, 48_000, PCM16, 0.0)
    playhead.report(72_000)
    assert [each.heard_ms for each in made.heard(0.0)] == [1000, 500]
    assert made.flush(0.0) == (heard(B, 1000, 100, 900),)


def test_a_correction_may_reach_into_the_item_before() -> None:
    playhead = Reported(lambda: 36_000)
    made = Ledger(playhead)
    made.received(A, 48_000, PCM16, 0.0)
    made.finished(A)
    made.received(B, 48_000, PCM16, 0.0)
    playhead.report(72_000)
    assert made.flush(0.0) == (heard(A, 1000, 750, 250, finished=True), heard(B, 1000, 0, 1000))
    made.received(C, 48_000, PCM16, 0.0)
    playhead.report(4800)
    assert [each.heard_ms for each in made.heard(0.0)] == [750, 0, 100]


class Liar:
    """A player that says what it likes."""

    def __init__(self, *sayings: int) -> None:
        self.sayings = list(sayings)

    def handed_over(self, size_bytes: int, audio_format: object, now: float) -> None:
        pass

    def played_bytes(self, now: float) -> int:
        return self.sayings[int(now)]

    def flush(self, now: float, response_id: str | None = None) -> int:
        return self.sayings[int(now)]

    def next_change(self, now: float) -> float | None:
        return None


def test_a_player_that_says_too_much_or_takes_back_is_not_believed() -> None:
    made = Ledger(Liar(0, 4800, 0, 9_999_999, -5))
    made.received(A, 48_000, PCM16, 0.0)
    assert [made.heard(now)[0].heard_ms for now in (0.0, 1.0, 2.0, 3.0, 4.0)] == [
        0,
        100,
        100,
        1000,
        1000,
    ]


@pytest.mark.parametrize(("saying", "expected"), [(-5, 0), (9_999_999, 1000)])
def test_nor_is_it_believed_when_it_stops(saying: int, expected: int) -> None:
    made = Ledger(Liar(4800, saying))
    made.received(A, 48_000, PCM16, 0.0)
    made.flush(1.0)
    assert made.heard(1.0)[0].heard_ms == expected


def part(number: int) -> Part:
    return Part(f"resp_{number}", f"item_{number}", 0)


def test_old_parts_are_forgotten_when_they_are_played() -> None:
    made = Ledger(VirtualClock(), parts_kept=3)
    for number in range(100):
        made.received(part(number), 4800, PCM16, float(number))
    assert [each.part for each in made.heard(200.0)] == [part(97), part(98), part(99)]


def test_interrupted_parts_are_forgotten_too() -> None:
    made = Ledger(VirtualClock(), parts_kept=3)
    for number in range(100):
        made.received(part(number), SECOND, PCM16, number / 100)
        made.flush(number / 100 + 0.005)
    assert [each.part for each in made.heard(2.0)] == [part(97), part(98), part(99)]
    assert [each.heard_ms for each in made.heard(2.0)] == [5, 5, 5]


def test_what_is_still_to_be_played_is_never_forgotten() -> None:
    made = Ledger(VirtualClock(), parts_kept=3)
    for number in range(10):
        made.received(part(number), SECOND, PCM16, 0.0)
    assert [each.part for each in made.heard(5.5)] == [part(number) for number in range(10)]
    made.received(part(10), SECOND, PCM16, 5.5)
    assert [each.part.item_id for each in made.heard(5.5)] == [
        f"item_{number}" for number in range(5, 11)
    ]
    assert made.heard(5.5)[0].heard_ms == 500
