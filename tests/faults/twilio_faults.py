"""Mistakes in the bridge to the telephone: marks, what was heard, what is sent, holes.

Most of them are the field's: other bridges shipped them.
"""

from __future__ import annotations

from fault import Fault

PLAYOUT = "twilio/playout.py"
HEARING = "twilio/hearing.py"
CONVERSION = "twilio/conversion.py"
STREAM = "twilio/media_stream.py"
WORDS = "twilio/words.py"
BRIDGE = "twilio/bridge.py"

STORIES = "realtime/twilio/test_media_stream.py"
HOLES = "realtime/twilio/test_hearing.py"
SAID = "realtime/twilio/test_words.py"
CALLS = "realtime/twilio/test_calls.py"
ENDINGS = "realtime/twilio/test_endings.py"

TWILIO_FAULTS = (
    # Marks
    Fault(
        "a mark follows each message",
        PLAYOUT,
        "if line.sent - line.marked >= self._mark_bytes:",
        "if line.sent > line.marked:",
        "so many marks delay the audio",
        STORIES,
        "realtime",
    ),
    Fault(
        "a mark's echo from before a clear counts",
        PLAYOUT,
        "        self._pending.clear()\n",
        "",
        "what was thrown away counts for the next reply",
        STORIES,
        "realtime",
    ),
    Fault(
        "marks do not say which clear they follow",
        PLAYOUT,
        "        self._generation += 1\n",
        "",
        "the echo of a cleared mark counts for the next reply",
        STORIES,
        "realtime",
    ),
    Fault(
        "only the oldest mark is looked for",
        PLAYOUT,
        "next((at for each, at in self._pending if each == name), None)",
        "next((at for each, at in list(self._pending)[:1] if each == name), None)",
        "after one lost echo nothing counts as heard any more",
        STORIES,
        "realtime",
    ),
    Fault(
        "somebody else's mark is swallowed",
        PLAYOUT,
        "            return False\n        position",
        "            return True\n        position",
        "the application waits for its mark for ever",
        STORIES,
        "realtime",
    ),
    # What was heard
    Fault(
        "time alone says what was heard",
        PLAYOUT,
        "limit = self._pending[0][1] if self._pending else line.sent",
        "limit = line.sent",
        "a line that stutters has heard more than it played",
        STORIES,
        "realtime",
    ),
    Fault(
        "only marks say what was heard",
        PLAYOUT,
        "line.position = max(line.position, min(reckoned, limit))",
        "line.position = max(line.position, min(line.reached, limit))",
        "each cut is up to 100 ms too early, and a rest is never heard",
        STORIES,
        "realtime",
    ),
    Fault(
        "what waits to be sent counts as heard",
        PLAYOUT,
        "limit = self._pending[0][1] if self._pending else line.sent",
        "limit = self._pending[0][1] if self._pending else line.sent + len(self._waiting)",
        "a slow socket is cut where nobody has listened",
        STORIES,
        "realtime",
    ),
    Fault(
        "a pause counts as played",
        PLAYOUT,
        "            line.reached, line.since = line.sent, now\n        audio",
        "            pass\n        audio",
        "after a pause the first 100 ms count as heard at once",
        STORIES,
        "realtime",
    ),
    Fault(
        "an echo's time is not noted",
        PLAYOUT,
        "        line.reached, line.since = position, now\n        line.position = max",
        "        line.reached = position\n        line.position = max",
        "the time since the last mark is too long",
        STORIES,
        "realtime",
    ),
    # Clearing
    Fault(
        "an interruption does not clear the line",
        PLAYOUT,
        "        self._clears = self._clears or self._line.sent > 0\n",
        "",
        "the caller talks against the rest of the reply",
        STORIES,
        "realtime",
    ),
    Fault(
        "the clear waits behind what is to be sent",
        PLAYOUT,
        "        self._waiting.clear()\n",
        "",
        "audio of the interrupted reply is sent after it",
        STORIES,
        "realtime",
    ),
    Fault(
        "what was not interrupted is cleared too",
        PLAYOUT,
        "if response_id not in (None, piece.part.response_id)",
        "if not response_id and response_id",
        "another response falls silent, and is never known to be played",
        STORIES,
        "realtime",
    ),
    Fault(
        "all that was stopped is played again",
        PLAYOUT,
        "if response_id not in (None, piece.part.response_id)",
        "if response_id is not None",
        "the interrupted reply goes on",
        STORIES,
        "realtime",
    ),
    Fault(
        "what was stopped is played from its beginning",
        PLAYOUT,
        "self.play(piece.part, piece.audio[-left:], piece.audio_format)",
        "self.play(piece.part, piece.audio, piece.audio_format)",
        "the caller hears some of it twice",
        STORIES,
        "realtime",
    ),
    # What is sent
    Fault(
        "a short rest is kept back",
        PLAYOUT,
        "(1 if self._finished else MESSAGE_BYTES)",
        "MESSAGE_BYTES",
        "the end of each reply is missing",
        STORIES,
        "realtime",
    ),
    Fault(
        "audio is sent before the stream has a name",
        STREAM,
        "if self.started is None or self.is_over:",
        "if self.is_over:",
        "the beginning of the greeting is lost, or the call",
        STORIES,
        "realtime",
    ),
    Fault(
        "what was played is kept",
        PLAYOUT,
        "        self._forget_played()\n",
        "",
        "a long call is ended for lack of room",
        STORIES,
        "realtime",
    ),
    # The caller
    Fault(
        "a gap has no limit",
        HEARING,
        "min(gap_ms, self._settings.longest_gap_ms)",
        "gap_ms",
        "a line that was held for an hour is an hour of silence at once",
        HOLES,
        "realtime",
    ),
    Fault(
        "silence is zeros",
        HEARING,
        "LINE.silence * LINE.bytes_in(ms)",
        "bytes(LINE.bytes_in(ms))",
        "a gap is the loudest sound there is",
        HOLES,
        "realtime",
    ),
    Fault(
        "a mute line is filled again and again",
        HEARING,
        "        self._filled = True\n",
        "",
        "silence is sent as fast as it can be",
        HOLES,
        "realtime",
    ),
    Fault(
        "a gap is filled twice",
        HEARING,
        "            self._next_ms += self._settings.idle_silence_ms\n",
        "            pass\n",
        "what the caller says is ever later than when it was said",
        HOLES,
        "realtime",
    ),
    Fault(
        "jitter is a gap",
        HEARING,
        "if gap_ms >= _LEAST_GAP_MS else 0.0",
        "if gap_ms > 0 else 0.0",
        "each message that is a little late makes the talk longer",
        HOLES,
        "realtime",
    ),
    # Places
    Fault(
        "a place in what was converted is one in the line's bytes",
        CONVERSION,
        "seam.audio_format.bytes_in(LINE.milliseconds(line_bytes - seam.line))",
        "line_bytes - seam.line",
        "with PCM the cut is six times too early",
        STORIES,
        "realtime",
    ),
    Fault(
        "the rest in the filter is forgotten",
        PLAYOUT,
        "        self._waiting += self._conversion.flush()\n",
        "",
        "the last 20 ms of each reply are missing",
        STORIES,
        "realtime",
    ),
    Fault(
        "our own audio is the caller's",
        WORDS,
        'if body.get("track", _CALLER) != _CALLER:',
        'if body.get("track", _CALLER) is None:',
        "the model hears itself and interrupts itself",
        SAID,
        "realtime",
    ),
    # The shell
    Fault(
        "the session outlives the call",
        BRIDGE,
        "            await self._rt.aclose()\n",
        "",
        "a session that nobody hears is paid for, an hour long",
        ENDINGS,
        "realtime",
    ),
    Fault(
        "the caller's keys are not told",
        BRIDGE,
        "            self._rt.deliver(received.event)\n",
        "            pass\n",
        "no menu works",
        CALLS,
        "realtime",
    ),
    Fault(
        "the session speaks its own format",
        BRIDGE,
        "playback=self._playout, session=session)",
        "playback=self._playout)",
        "the caller hears noise",
        CALLS,
        "realtime",
    ),
    Fault(
        "a mute line is not noticed",
        BRIDGE,
        "            self._send_audio(self._stream.tick(_now()))\n",
        "            pass\n",
        "the caller waits for an answer to what the server still listens to",
        CALLS,
        "realtime",
    ),
    Fault(
        "the end of the session is not noticed",
        BRIDGE,
        "            self._over.set()\n",
        "            pass\n",
        "the caller talks to nobody",
        CALLS,
        "realtime",
    ),
)
