"""What a user says: heard, committed as an item, written down, and answered."""

from __future__ import annotations

import math
from functools import partial
from typing import TYPE_CHECKING

from turnwire.gateway.voice.conversation import Item, Track
from turnwire.gateway.voice.input_audio import SpeechStarted
from turnwire.gateway.voice.refusals import SHORTEST_COMMIT_MS, Refused, buffer_too_small

if TYPE_CHECKING:
    from collections.abc import Callable

    from turnwire.gateway.json_shapes import Json
    from turnwire.gateway.voice.session import VoiceSession

_MS = 1000


class Listening:
    """The user's half of one session."""

    def __init__(self, session: VoiceSession) -> None:
        self._session = session
        self._item_id: str | None = None  # of what is being said
        self._stop_waiting: Callable[[], None] | None = None

    @property
    def _detection(self) -> Json:
        detection = self._session.detection
        assert detection is not None  # without it nothing is detected
        return detection

    def listen(self, audio: bytes) -> None:
        """Put audio into the buffer; where turns are detected, they may begin and end by it.

        Raises:
            Refused: There is no room for it.
        """
        for heard in self._session.input.append(audio):
            if isinstance(heard, SpeechStarted):
                self._started(heard.at_ms)
            else:
                told = {"audio_end_ms": heard.at_ms, "item_id": self._item_id}
                self._session.emit({"type": "input_audio_buffer.speech_stopped", **told})
                self._add(heard.audio)
                if self._detection["create_response"]:
                    self._respond()

    def _started(self, at_ms: int) -> None:
        self.stop_waiting()
        self._item_id = self._session.new_id("item")
        told = {"audio_start_ms": at_ms, "item_id": self._item_id}
        self._session.emit({"type": "input_audio_buffer.speech_started", **told})
        if self._detection["interrupt_response"]:
            self._session.responding.interrupt()
            self._session.advance(self._session.now)  # its end comes before what is heard next

    def commit(self) -> None:
        """Make an item of what is in the buffer, on the client's word.

        Raises:
            Refused: There is too little in it.
        """
        waiting_ms = self._session.input.waiting_ms
        if waiting_ms < SHORTEST_COMMIT_MS:
            raise buffer_too_small(waiting_ms)
        self.stop_waiting()
        self._add(self._session.input.commit())

    def clear(self) -> None:
        """Drop what is in the buffer."""
        self._item_id = None
        self._session.input.clear()

    def _add(self, audio: bytes) -> None:
        session = self._session
        item_id, self._item_id = self._item_id or session.new_id("item"), None
        track = Track(session.input_format)
        track.add(audio)
        content = [{"type": "input_audio", "transcript": None}]
        head = {"id": item_id, "object": "realtime.item", "type": "message", "status": "completed"}
        item = Item({**head, "role": "user", "content": content}, {0: track})
        previous_id = session.items.add(item)
        told = {"previous_item_id": previous_id, "item_id": item_id}
        session.emit({"type": "input_audio_buffer.committed", **told})
        added = {"previous_item_id": previous_id, "item": item.snapshot()}
        session.emit({"type": "conversation.item.added", **added})
        session.emit({"type": "conversation.item.done", **added})
        if session.session["audio"]["input"]["transcription"] is not None:
            transcript = session.voice.transcribe(audio, track.form)
            transcribed = partial(self._transcribed, item, transcript)
            session.later(session.settings.transcription_delay, transcribed)

    def _transcribed(self, item: Item, transcript: str) -> None:
        """Tell what was said, in pieces and whole; also if the item is gone, as the service may."""
        kind = "conversation.item.input_audio_transcription"
        place = {"item_id": item.id, "content_index": 0}
        for number, word in enumerate(transcript.split(" ")):
            piece = f" {word}" if number else word
            self._session.emit({"type": f"{kind}.delta", **place, "delta": piece})
        item.content[0]["transcript"] = transcript
        usage = {"type": "duration", "seconds": item.tracks[0].ms / _MS}
        done = {"transcript": transcript, "usage": usage}
        self._session.emit({"type": f"{kind}.completed", **place, **done})

    def _respond(self) -> None:
        try:
            self._session.responding.begin()
        except Refused as refused:  # no event of the client's is at fault
            self._session.refuse(refused)

    # When nobody says anything

    def wait_for_user(self, playing: float) -> None:
        """Begin to wait, so many seconds from now, as long as the session says; then speak."""
        detection = self._session.detection
        idle_ms = None if detection is None else detection.get("idle_timeout_ms")
        if idle_ms and not self._session.input.speaking:
            self.stop_waiting()
            wait = max(0.0, playing) + idle_ms / _MS
            nobody = partial(self._nobody_spoke, self._session.input.end_ms)
            self._stop_waiting = self._session.later(wait, nobody)

    def stop_waiting(self) -> None:
        """Wait no longer: somebody spoke."""
        if self._stop_waiting is not None:
            self._stop_waiting()
            self._stop_waiting = None

    def _nobody_spoke(self, since_ms: float) -> None:
        session = self._session
        self._item_id = session.new_id("item")
        told = {
            "audio_start_ms": math.floor(since_ms),
            "audio_end_ms": math.floor(session.input.end_ms),
            "item_id": self._item_id,
        }
        session.emit({"type": "input_audio_buffer.timeout_triggered", **told})
        self._add(session.input.commit())
        self._respond()
