"""Each check passes on what is right, and fails on what is not."""

from __future__ import annotations

import re

import pytest

from testing.realtime.driving import Drive
from turnwire.testing.realtime import (
    VoiceSettings,
    assert_deleted,
    assert_no_errors,
    assert_one_response_at_a_time,
    assert_truncated,
    assert_untouched,
    counted,
    reply,
)

SETTINGS = VoiceSettings(speed=50, says_chain_created=False)


def spoken_twice() -> tuple[Drive, str, str]:
    """Return a session in which two items were said, and their names."""
    drive = Drive(reply(counted(1000), counted(1000)), settings=SETTINGS)
    drive.send("response.create")
    drive.until(1.0)
    one, two = sorted(drive.served.numbers, key=lambda name: drive.served.numbers[name])
    return drive, one, two


def truncate(drive: Drive, item_id: str, end_ms: int) -> None:
    drive.send("conversation.item.truncate", item_id=item_id, content_index=0, audio_end_ms=end_ms)


def test_a_truncation_is_measured_against_what_was_heard() -> None:
    drive, one, _ = spoken_twice()
    with pytest.raises(AssertionError, match="truncated 0 times"):
        assert_truncated(drive.served, 1, 500.0, within_ms=20)
    truncate(drive, one, 515)
    assert_truncated(drive.served, 1, 500.0, within_ms=20)
    with pytest.raises(
        AssertionError, match=re.escape("at 515 ms and heard to 490.0 ms: +25.0 ms")
    ):
        assert_truncated(drive.served, 1, 490.0, within_ms=20)
    truncate(drive, one, 500)
    with pytest.raises(AssertionError, match="truncated 2 times"):
        assert_truncated(drive.served, 1, 500.0, within_ms=20)


def test_what_was_heard_is_left_and_what_was_not_is_deleted() -> None:
    drive, one, two = spoken_twice()
    assert_untouched(drive.served, 1)
    with pytest.raises(AssertionError, match="deleted 0 times"):
        assert_deleted(drive.served, 2)
    drive.send("conversation.item.delete", item_id=two)
    assert_deleted(drive.served, 2)
    assert_untouched(drive.served, 1)
    truncate(drive, one, 1000)
    with pytest.raises(AssertionError, match="yet came"):
        assert_untouched(drive.served, 1)


def test_errors_are_told() -> None:
    drive, one, _ = spoken_twice()
    assert_no_errors(drive.served)
    truncate(drive, one, 5000)
    with pytest.raises(AssertionError, match="already shorter than 5000ms"):
        assert_no_errors(drive.served)


def test_responses_that_meet_are_told() -> None:
    drive, _, _ = spoken_twice()
    drive.send("response.create")
    assert_one_response_at_a_time(drive.served)
    drive.send("response.create")
    with pytest.raises(AssertionError, match="too early"):
        assert_one_response_at_a_time(drive.served)
