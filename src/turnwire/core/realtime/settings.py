"""What a Realtime transport may do, and for how long."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

from turnwire.core.backoff import Backoff

_BACKOFF: Final = Backoff((0.0, 0.5, 1.0, 2.0, 4.0, 8.0))  # the first loss is often the only one

Overflow = Literal["drop_oldest", "block", "error"]
Unheard = Literal["delete", "truncate_zero", "keep"]
Readiness = Literal["created", "updated"]
Dialect = Literal["ga", "beta"]


@dataclass(frozen=True, slots=True)
class RealtimeSettings:
    """Limits and policies of one transport; times in seconds unless their names say otherwise.

    Attributes:
        dial_timeout: For a socket to be opened and to greet with ``session.created``.
        ready_on: Which event makes a new session ready: its creation, or the echo of its
            configuration.
        receives_audio: False for a sideband, which sees events but no audio: nothing is
            truncated, and no audio is sent.
        dialect: What is spoken; what is heard may be either.
        overflow: What happens to audio that the uplink does not take in time.
        backlog_ms: How much audio may wait to be sent.
        chunk_ms: The least and the most audio in one message, while there is enough of it.
        journal_ms: How much of the user's speech is kept to be said again on another socket.
        audio_bytes: How much audio of committed items is kept until their transcripts come.
        unheard: What becomes of items of which the listener heard nothing.
        create_timeout: For ``response.created`` after a ``response.create``.
        cancel_timeout: For ``response.done`` after a ``response.cancel``.
        response_timeout: For the next event of a response that runs.
        update_timeout: For ``session.updated`` after a ``session.update``.
        answer_timeout: For the answer to any other message.
        reconnect: Whether a lost session is opened anew.
        backoff: Pauses between dials after a loss.
        quick_death: A socket that lived for less counts as a failed dial.
        renew_margin: How long before the end of a session its successor is dialled, in a pause of
            the talk.
        renew_latest: How long before the end that happens in any case.
        seed_bytes: How much of the talk a new session is told, from the newest back.
        seed_images: How many of its images.
        control_bytes: How much may wait to be sent apart from audio.
    """

    dial_timeout: float = 10.0
    ready_on: Readiness = "created"
    receives_audio: bool = True
    dialect: Dialect = "ga"
    overflow: Overflow = "drop_oldest"
    backlog_ms: float = 1000.0
    chunk_ms: tuple[float, float] = (20.0, 100.0)
    journal_ms: float = 30_000.0
    audio_bytes: int = 4 * 2**20
    unheard: Unheard = "delete"
    create_timeout: float = 30.0
    cancel_timeout: float = 10.0
    response_timeout: float = 120.0
    update_timeout: float = 10.0
    answer_timeout: float = 30.0
    reconnect: bool = True
    backoff: Backoff = _BACKOFF
    quick_death: float = 5.0
    renew_margin: float = 300.0
    renew_latest: float = 30.0
    seed_bytes: int = 256 * 2**10
    seed_images: int = 3
    control_bytes: int = 32 * 2**20
