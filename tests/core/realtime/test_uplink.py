"""The user's audio: what waits, what is dropped, what is said again, in which order."""

from __future__ import annotations

import pytest

from turnwire.core.realtime.journal import Journal
from turnwire.core.realtime.settings import RealtimeSettings
from turnwire.core.realtime.uplink import Mark, NoRoom, Uplink
from turnwire.events.realtime import PCM16
from turnwire.events.realtime.audio_format import PCMU

MS = 48  # bytes
COMMIT = b'{"type":"input_audio_buffer.commit"}'


def uplink(**settings: object) -> Uplink:
    made = Uplink(RealtimeSettings(**settings), PCM16)  # type: ignore[arg-type]
    made.live = True
    return made


def sound(first_ms: int, last_ms: int) -> bytes:
    """Return audio of which every millisecond differs from the others."""
    return b"".join(ms.to_bytes(2, "little") * 24 for ms in range(first_ms, last_ms))


def pulled(one: Uplink, now: float = 1000.0) -> list[bytes | Mark]:
    found: list[bytes | Mark] = []
    while (each := one.pull(now)) is not None:
        found.append(each)
    return found


def test_short_pieces_become_one_message_and_long_ones_several() -> None:
    one = uplink()
    for ms in range(0, 250, 5):
        one.append(sound(ms, ms + 5), 0.0)
    assert [sound(0, 100), sound(100, 200), sound(200, 250)] == pulled(one)


def test_a_little_waits_for_more_and_not_for_long() -> None:
    one = uplink()
    one.append(sound(0, 5), 1.0)
    assert one.due() is None  # nobody asked yet
    assert one.pull(1.0) is None
    assert one.due() == 1.02
    assert not one.is_due(1.019)
    assert one.is_due(1.02)
    assert not one.is_due(1.02)  # once: whoever cannot write is not asked again and again
    assert one.due() is None
    assert one.pull(1.02) == sound(0, 5)


def test_half_a_sample_waits_for_its_other_half() -> None:
    one = uplink()
    audio = sound(0, 100)
    one.append(audio[:4799], 0.0)
    one.append(audio[4799:], 0.0)
    assert b"".join(each for each in pulled(one) if isinstance(each, bytes)) == audio


def test_the_oldest_samples_are_dropped_and_counted() -> None:
    one = uplink(backlog_ms=100)
    assert one.append(sound(0, 100), 0.0) == 0
    assert one.append(sound(100, 130), 0.0) == 30
    assert one.backlog_ms == 100
    assert one.dropped_ms == 30
    assert b"".join(each for each in pulled(one) if isinstance(each, bytes)) == sound(30, 130)


@pytest.mark.parametrize("policy", ["block", "error"])
def test_what_may_not_be_dropped_is_not_taken(policy: str) -> None:
    one = uplink(backlog_ms=100, overflow=policy)
    one.append(sound(0, 100), 0.0)
    assert one.room_bytes() == 0
    with pytest.raises(NoRoom):
        one.append(sound(100, 101), 0.0)
    assert pulled(one) == [sound(0, 100)]


def test_dropping_takes_no_commit_and_no_audio_behind_it_from_the_count() -> None:
    one = uplink(backlog_ms=200)
    one.append(sound(0, 120), 0.0)
    one.mark(COMMIT, commits=True, is_audios=True)
    one.append(sound(120, 200), 0.0)
    one.append(sound(200, 250), 0.0)  # 50 ms of the first 120 go
    assert one.uncommitted_ms == 130
    assert [type(each) for each in pulled(one)] == [bytes, Mark, bytes, bytes]


def test_audio_that_came_before_the_session_was_live_is_kept_when_it_is() -> None:
    one = Uplink(RealtimeSettings(backlog_ms=100), PCM16)
    one.append(sound(0, 3000), 0.0)
    one.restart(1.0, detected=True)
    assert one.append(sound(3000, 3050), 1.0) == 0
    assert b"".join(each for each in pulled(one) if isinstance(each, bytes)) == sound(0, 3050)
    one.append(sound(0, 100), 1.0)
    assert one.append(sound(0, 20), 1.0) == 20  # the usual limit again


def test_a_commit_that_nobody_confirmed_is_made_again_where_it_was() -> None:
    one = uplink()
    one.append(sound(0, 150), 0.0)
    one.mark(COMMIT, commits=True, is_audios=True)
    one.append(sound(150, 200), 0.0)
    pulled(one)
    one.lost(1.0)
    one.append(sound(200, 230), 0.0)

    assert one.restart(1.0, detected=False) == 200
    audio_and_commits = pulled(one)
    assert [
        sound(0, 100),
        sound(100, 150),
        Mark(COMMIT, commits=True, is_audios=True),
        sound(150, 200),
        sound(200, 230),
    ] == audio_and_commits


def test_a_commit_that_was_not_written_stays_and_what_waited_behind_it_does_not() -> None:
    one = uplink()
    one.append(sound(0, 150), 0.0)
    one.mark(COMMIT, commits=True, is_audios=True)
    one.mark(b'{"type":"response.create"}')
    assert one.has_mark
    one.lost(1.0)
    one.restart(1.0, detected=False)
    assert [b"".join([sound(0, 100)]), sound(100, 150)] == pulled(one)[:2]
    assert not one.has_mark


def test_another_format_drops_what_nobody_would_understand_and_says_so() -> None:
    one = uplink()
    one.append(sound(0, 70), 0.0)
    assert one.change_format(PCMU) == 70
    assert one.backlog_ms == one.uncommitted_ms == 0
    assert one.change_format(PCMU) == 0
    one.append(bytes(8 * 20), 0.0)
    assert pulled(one) == [bytes(160)]


def test_clearing_drops_what_was_not_committed() -> None:
    one = uplink()
    one.append(sound(0, 150), 0.0)
    one.mark(COMMIT, commits=True, is_audios=True)
    one.append(sound(150, 190), 0.0)
    one.clear()
    assert one.uncommitted_ms == 0
    assert [sound(0, 100), sound(100, 150)] == [x for x in pulled(one) if isinstance(x, bytes)]


# The journal.


def journal(ms: int = 1000, limit_ms: float = 30_000) -> Journal:
    """Return what is kept of a sound that was sent as it was made, in pieces of 50 ms."""
    made = Journal(PCM16, limit_ms)
    for begin in range(0, ms, 50):
        made.sent(sound(begin, begin + 50), (begin + 50) / 1000)
    return made


def replayed(one: Journal, *, detected: bool) -> bytes:
    return b"".join(audio for audio, _ in one.take(detected=detected))


def test_a_sentence_is_said_again_from_its_beginning() -> None:
    one = journal(5000)
    one.speech_started(1200)
    assert replayed(one, detected=True) == sound(1200, 5000)
    assert replayed(one, detected=True) == b""


def test_where_nothing_is_detected_all_is_said_again() -> None:
    assert replayed(journal(5000), detected=False) == sound(0, 5000)
    assert replayed(journal(5000), detected=True) == sound(4000, 5000)


def test_what_was_sent_at_once_may_not_have_been_heard_yet_however_long_it_is() -> None:
    one = journal(1000)
    one.sent(sound(1000, 4000), 3.0)  # nothing could be written for two seconds
    one.sent(sound(4000, 4100), 3.1)
    assert replayed(one, detected=True) == sound(1000, 4100)


def test_what_was_sent_long_before_the_loss_has_been_heard() -> None:
    one = journal(1000)
    one.sent(sound(1000, 4000), 3.0)
    one.settle(10.0)
    assert replayed(one, detected=True) == sound(3000, 4000)


def test_no_more_is_kept_than_the_limit() -> None:
    assert replayed(journal(5000, limit_ms=700), detected=False) == sound(4300, 5000)


def test_an_item_takes_what_was_said_up_to_its_end() -> None:
    one = journal(3000)
    one.speech_started(500)
    one.speech_stopped(2000)
    assert one.committed() == sound(500, 2000)
    assert replayed(one, detected=False) == sound(2000, 3000)


def test_a_turn_that_the_server_found_before_a_commit_comes_before_it() -> None:
    """The commit was written when the news of the turn's end was still on its way."""
    one = journal(2000)
    one.commit_sent(COMMIT)
    one.speech_started(100)
    one.speech_stopped(900)
    assert one.committed() == sound(100, 900)
    assert one.committed() == sound(900, 2000)


def test_a_refused_commit_is_forgotten() -> None:
    one = journal(50)
    one.commit_sent(COMMIT)
    one.commit_refused()
    one.sent(sound(50, 400), 0.4)
    one.commit_sent(COMMIT)
    assert one.committed() == sound(0, 400)


def test_times_go_on_in_another_format() -> None:
    one = journal(1000).in_format(PCMU)
    one.sent(bytes(8 * 500), 1.5)
    one.speech_started(1200)
    assert len(replayed(one, detected=True)) == 8 * 300
