"""The words of both sides on stdout: whose they are, and in which order they came."""

from __future__ import annotations

from typing import TYPE_CHECKING

from turnwire.cli.voice.words import Words
from turnwire.events import realtime as wire

if TYPE_CHECKING:
    import pytest

    from turnwire.events.realtime import RealtimeEvent


def said(delta: str, item_id: str = "a") -> RealtimeEvent:
    return wire.ResponseAudioTranscriptDeltaEvent(
        delta=delta, item_id=item_id, response_id="r", content_index=0, output_index=0
    )


def whole(transcript: str, item_id: str = "a") -> RealtimeEvent:
    return wire.ResponseAudioTranscriptDoneEvent(
        transcript=transcript, item_id=item_id, response_id="r", content_index=0, output_index=0
    )


def heard(delta: str) -> RealtimeEvent:
    return wire.ConversationItemInputAudioTranscriptionDeltaEvent(
        delta=delta, item_id="u", content_index=0
    )


def understood(transcript: str) -> RealtimeEvent:
    return wire.ConversationItemInputAudioTranscriptionCompletedEvent(
        transcript=transcript, item_id="u", content_index=0
    )


def printed(capsys: pytest.CaptureFixture[str], *events: RealtimeEvent, shown: bool = True) -> str:
    words = Words(shown=shown)
    for event in events:
        words.show(event)
    words.end_line()
    return capsys.readouterr().out


def test_words_come_one_by_one_and_once(capsys: pytest.CaptureFixture[str]) -> None:
    assert printed(capsys, said("Good"), said(" day."), whole("Good day.")) == (
        "assistant  Good day.\n"
    )


def test_words_that_come_only_whole_are_shown(capsys: pytest.CaptureFixture[str]) -> None:
    assert printed(capsys, understood("Hello."), whole("Good day.")) == (
        "user       Hello.\nassistant  Good day.\n"
    )


def test_each_item_has_a_line(capsys: pytest.CaptureFixture[str]) -> None:
    assert printed(capsys, said("One.", "a"), said("Two.", "b")) == (
        "assistant  One.\nassistant  Two.\n"
    )


def test_who_is_understood_late_stands_in_between(capsys: pytest.CaptureFixture[str]) -> None:
    assert printed(capsys, said("Good"), heard("Hello."), said(" day.")) == (
        "assistant  Good\nuser       Hello.\nassistant  day.\n"
    )


def test_control_characters_do_not_reach_the_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    assert printed(capsys, said("a\x1b[2Jb\r")) == "assistant  a[2Jb\n"


def test_nothing_is_shown_that_nobody_wants(capsys: pytest.CaptureFixture[str]) -> None:
    assert printed(capsys, said("Good day."), understood("Hello."), shown=False) == ""
