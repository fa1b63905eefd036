"""Where a transcript is cut."""

from __future__ import annotations

import pytest

from turnwire.core.realtime.heard_text import HeardText, heard_text

STORY = "Once upon a time there was a fox."  # 33 characters


@pytest.mark.parametrize(
    ("heard_ms", "expected"),
    [
        (100, ""),
        (399, ""),
        (400, "Once"),
        (500, "Once"),
        (899, "Once"),
        (900, "Once upon"),
        (1000, "Once upon"),
        (1100, "Once upon a"),
        (2000, "Once upon a time"),
        (3299, "Once upon a time there was a"),
    ],
)
def test_a_transcript_is_cut_at_the_end_of_the_last_whole_word(
    heard_ms: int, expected: str
) -> None:
    assert heard_text(STORY, heard_ms, 3300) == HeardText(expected, approximate=True)


def test_all_is_heard_if_all_whole_milliseconds_were() -> None:
    assert heard_text(STORY, 3300, 3300) == HeardText(STORY, approximate=False)
    assert heard_text(STORY, 3300, 3300.6875) == HeardText(STORY, approximate=False)


def test_the_text_of_what_is_still_received_runs_ahead() -> None:
    assert heard_text(STORY, 3300, 3300, finished=False) == HeardText(STORY, approximate=True)


@pytest.mark.parametrize(("heard_ms", "received_ms"), [(0, 3300), (0, 0), (0, 0.5)])
def test_of_what_was_not_heard_nothing_is_left(heard_ms: int, received_ms: float) -> None:
    assert heard_text(STORY, heard_ms, received_ms) == HeardText("", approximate=False)


def test_scripts_without_spaces_are_cut_between_characters() -> None:
    assert heard_text("昔々あるところに狐がいました。", 500, 1000) == HeardText(
        "昔々あるところ", approximate=True
    )
    assert heard_text("abcdefgh 狐", 500, 1000) == HeardText("", approximate=True)
    assert heard_text("狐abcdefgh", 500, 1000) == HeardText("狐", approximate=True)


def test_other_spaces_and_an_empty_transcript() -> None:
    assert heard_text("One\nand two", 600, 1000) == HeardText("One", approximate=True)
    assert heard_text("One \n and two", 500, 1000) == HeardText("One", approximate=True)
    assert heard_text("", 500, 1000) == HeardText("", approximate=True)
