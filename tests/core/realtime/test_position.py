"""Where in the stream of all audio a part has been played for so long."""

from __future__ import annotations

from turnwire.core.realtime.playback import Ledger, Part
from turnwire.core.realtime.playhead import Reported
from turnwire.events.realtime.audio_format import PCM16, PCMU

A = Part("resp_1", "item_a", 0)
B = Part("resp_2", "item_b", 1)
SECOND = PCM16.bytes_per_second


def ledger(*parts: Part) -> tuple[Ledger, Reported]:
    playhead = Reported()
    made = Ledger(playhead)
    for part in parts:
        made.received(part, SECOND, PCM16, 0.0)
    return made, playhead


def test_a_part_s_milliseconds_are_bytes_of_the_stream() -> None:
    made, _ = ledger(A, B)
    assert made.position_of("item_a", 0, 0) == 0
    assert made.position_of("item_a", 0, 250) == SECOND // 4
    assert made.position_of("item_b", 1, 250) == SECOND + SECOND // 4
    assert made.position_of("item_b", 1, 5000) == 2 * SECOND


def test_a_part_that_is_not_known_has_no_place() -> None:
    made, _ = ledger(A)
    assert made.position_of("item_a", 1, 0) is None
    assert made.position_of("item_c", 0, 0) is None


def test_parts_that_take_turns_and_change_their_format() -> None:
    made, _ = ledger(A, B, A)
    made.received(A, PCMU.bytes_per_second, PCMU, 0.0)
    assert made.position_of("item_a", 0, 500) == SECOND // 2
    assert made.position_of("item_a", 0, 1500) == 2 * SECOND + SECOND // 2
    assert made.position_of("item_a", 0, 2500) == 3 * SECOND + PCMU.bytes_per_second // 2


def test_what_was_interrupted_is_settled_and_the_rest_has_moved_up() -> None:
    made, playhead = ledger(A, B)
    playhead.report(SECOND // 2)
    made.flush(0.0, "resp_1")
    assert made.position_of("item_a", 0, 600) is None
    assert made.position_of("item_b", 1, 100) == SECOND // 2 + SECOND // 10
