"""Mistakes of the Realtime machine: sockets, responses, the user's audio, the talk.

Those of the ledger are in `playback_faults.py`.
"""

from __future__ import annotations

from fault import Fault

REALTIME_FAULTS = (
    # Responses
    Fault(
        "a create is sent while a response runs",
        "realtime/sequencer.py",
        "        if self.slot is not Slot.FREE or not self._waiting:\n",
        "        if self.slot not in (Slot.FREE, Slot.ACTIVE) or not self._waiting:\n",
        "the server refuses it, or the machine breaks",
    ),
    Fault(
        "wishes with a body merge",
        "realtime/sequencer.py",
        "        if body is None and self._waiting and self._waiting[-1].body is None:\n",
        "        if self._waiting:\n",
        "what one caller asked for, another one gets",
    ),
    Fault(
        "the end of any response frees the slot",
        "realtime/sequencer.py",
        '        if self.active not in (None, "", response_id):\n            return None\n',
        "",
        "a create goes out while a response runs",
    ),
    Fault(
        "a refused wish goes to the end of the queue",
        "realtime/sequencer.py",
        "        self._waiting.appendleft(asked)\n",
        "        self._waiting.append(asked)\n",
        "answers come in another order than questions",
    ),
    Fault(
        "a response of unknown name never ends",
        "realtime/sequencer.py",
        '        if self.active not in (None, "", response_id):\n',
        "        if self.active not in (None, response_id):\n",
        "after a refusal nobody is answered any more",
    ),
    Fault(
        "a response that is said to begin twice begins twice",
        "realtime/speaking.py",
        "    if response.id in state.running or response.id in state.over:\n"
        "        return  # said twice\n",
        "",
        "its caller waits for ever",
    ),
    Fault(
        "a response that is said to end twice ends twice",
        "realtime/speaking.py",
        "    if response.id in state.over:\n        return  # said twice\n    usage",
        "    usage",
        "the next wish is answered with the last response",
    ),
    Fault(
        "every unnamed response is what was asked for",
        "realtime/speaking.py",
        "name == sent.event_id or (name is None and not state.owed)",
        "True",
        "the caller gets the answer to something else",
    ),
    Fault(
        "a response is spoken that was interrupted before it began",
        "realtime/speaking.py",
        "    if asked.unwanted:\n        stop(state, response.id, now)\n\n\ndef _name",
        "\n\ndef _name",
        "the model talks on after it was interrupted",
    ),
    Fault(
        "a response is spoken that was given up",
        "realtime/speaking.py",
        "    if name is not None and name in state.given_up:\n        stop(state, "
        "response.id, now)\n",
        "",
        "the model says what its caller was told would not come",
    ),
    Fault(
        "the server's own response is not waited for after it cancels one",
        "realtime/breaking_off.py",
        "        if response_id == state.sequencer.active:\n            "
        "state.sequencer.cancelled(now)\n",
        "",
        "an end that does not come blocks all that follow",
    ),
    Fault(
        "silence of a response is waited out for ever",
        "realtime/speaking.py",
        "        if now >= running.heard_at + settings.response_timeout:\n",
        "        if False:\n",
        "callers wait for ever",
    ),
    Fault(
        "an answer is owed for ever",
        "realtime/speaking.py",
        "        state.owed = False  # the server does not answer by itself, whatever it says\n",
        "        pass\n",
        "a session is never renewed in a pause, and the machine spins",
    ),
    Fault(
        "what is said outside of the talk takes the slot",
        "realtime/speaking.py",
        '    if body is not None and body.get("conversation") == "none":\n',
        '    if body is not None and body.get("conversation") == "no":\n',
        "side questions wait for the talk, and enter its history",
    ),
    Fault(
        "a wish merges into a create that is before other messages",
        "realtime/speaking.py",
        "    return live is not None and bool(live.control) and live.control[-1] is sent.message\n",
        "    return live is not None\n",
        "what was said since is not answered",
    ),
    Fault(
        "nothing in words is heard in part",
        "realtime/breaking_off.py",
        "    if not content:  # not a word\n        saying.delete_item(state, item_id)\n"
        "        return\n",
        "",
        "an empty item is refused, and both sides believe something else",
    ),
    Fault(
        "what the caller lets run is waited for as if it were cancelled",
        "realtime/breaking_off.py",
        "    if cancel is not False:\n",
        "    if True:\n",
        "its caller is told that it failed while it goes on",
    ),
    # What the server says
    Fault(
        "late audio is handed on",
        "realtime/arriving.py",
        "def _audio(state: RealtimeState, event: wire.ResponseAudioDeltaEvent, now: "
        "float) -> bool:\n"
        "    if event.response_id in state.tombstones:\n",
        "def _audio(state: RealtimeState, event: wire.ResponseAudioDeltaEvent, now: "
        "float) -> bool:\n"
        "    if False:\n",
        "an interrupted reply is heard again",
    ),
    Fault(
        "what is deleted comes back",
        "realtime/arriving.py",
        "    if item.id and item.id not in state.gone:\n",
        "    if item.id:\n",
        "the history holds what the server has not",
    ),
    Fault(
        "a function is called twice",
        "realtime/arriving.py",
        "    state.calls.add(item.call_id)\n",
        "",
        "a tool runs once for each event that names it",
    ),
    Fault(
        "what this side commits is owed an answer",
        "realtime/arriving.py",
        "    if state.turn_ended:  # found by the server; what this side commits it "
        "does not answer\n",
        "    if True:\n",
        "after a drop a response is asked for that nobody wished for",
    ),
    Fault(
        "the echo of an update answers all of them",
        "realtime/arriving.py",
        "        for event_id in state.questions_about(about, socket=state.live)[:1]:\n",
        "        for event_id in state.questions_about(about)[:1]:\n",
        "the answer is taken for that of another session",
    ),
    Fault(
        "an item of the server's stands behind what is not there yet",
        "realtime/arriving.py",
        "    return state.items.last(without=ours)\n",
        "    return state.items.last(without=())\n",
        "a new session is told the talk in another order",
    ),
    Fault(
        "text is deleted because nobody heard it",
        "realtime/arriving.py",
        "        state.announced.pop(event.item_id, None)  # it is read, not heard\n",
        "        pass\n",
        "the model forgets what its user has read",
    ),
    # Errors
    Fault(
        "the server's own refusal is taken for that of the create",
        "realtime/failing.py",
        "    if state.owed or sent is None:",
        "    if sent is None:",
        "one wish becomes two responses",
    ),
    Fault(
        "a refused commit stays in the journal",
        "realtime/failing.py",
        "        state.uplink.journal.commit_refused()\n",
        "        pass\n",
        "items get the audio of those before them",
    ),
    Fault(
        "a refused update is wanted for ever",
        "realtime/failing.py",
        "            state.configuration.answered(question.ticket, granted=False)\n        case",
        "            state.configuration.answered(question.ticket, granted=True)\n        case",
        "the next session is opened with what is refused, and so with nothing",
    ),
    Fault(
        "one refused item takes all behind it along",
        "realtime/failing.py",
        "        if error.param == _PLACE:",
        "        if False:",
        "a new session knows less than it could",
    ),
    Fault(
        "a truncate that is too long is not sent again",
        "realtime/failing.py",
        "    if question.truncate is None or already_shorter(message) is None:\n",
        "    if True:\n",
        "the model believes that all of it was heard",
    ),
    # Sockets
    Fault(
        "what changes while a session is told the talk stays unsaid",
        "realtime/connecting.py",
        "    if socket.told_changes != state.items.changes:  # while it was told the rest\n"
        "        _seed(state, socket)\n",
        "",
        "messages of that moment are lost",
    ),
    Fault(
        "an item is told once, whatever becomes of it",
        "realtime/connecting.py",
        "if wanted.get(one) != socket.told[one]]:",
        "if one not in wanted]:",
        "the model believes that its words were heard to the end",
    ),
    Fault(
        "a greeting has the last word on the session",
        "realtime/connecting.py",
        "        fields = merged(fields, state.configuration.wanted)\n",
        "        pass\n",
        "lengths are reckoned in another format until the echo comes",
    ),
    Fault(
        "a session goes live before it knows the talk",
        "realtime/connecting.py",
        "    if socket.phase is not Phase.SEEDING or socket.unconfirmed:\n",
        "    if socket.phase is not Phase.SEEDING:\n",
        "what an item's refusal means comes too late",
    ),
    Fault(
        "what comes before a session is live is kept without an end",
        "realtime/connecting.py",
        "    if fits or isinstance(event, wire.SessionCreatedEvent):",
        "    if True:",
        "memory grows as long as the server likes",
    ),
    Fault(
        "a successor's trouble is the session's",
        "realtime/connecting.py",
        "    if failing.is_fatal(event.error) and socket is state.successor:",
        "    if False:",
        "a talk ends that could go on",
    ),
    Fault(
        "an answer that was owed is forgotten with the socket",
        "realtime/connecting.py",
        "    if state.owed and state.sequencer.waiting == 0:\n",
        "    if False:\n",
        "who spoke before a drop waits for ever",
    ),
    Fault(
        "a create that came to nothing is not sent again",
        "realtime/losing.py",
        "        state.sequencer.again(asked)\n",
        "        pass\n",
        "its caller waits for ever",
    ),
    Fault(
        "questions of all sockets are lost with one",
        "realtime/losing.py",
        "        if question.generation != socket.generation:\n            continue\n        if",
        "        if",
        "the successor's session is taken for configured, or never is",
    ),
    Fault(
        "an item that was on its way fails with its socket",
        "realtime/losing.py",
        "        if question.about in SAID_AGAIN and question.ticket is not None:\n",
        "        if False:\n",
        "callers send it again, and it is there twice",
    ),
    Fault(
        "dials go on for ever",
        "realtime/losing.py",
        "    pause = state.settings.backoff.pause(state.failures + 1, state.chance())\n",
        "    pause = state.settings.backoff.pause(2, state.chance())\n",
        "a server that is gone is dialled for ever",
    ),
    Fault(
        "quick deaths are not counted",
        "realtime/losing.py",
        "        state.quick_deaths = state.quick_deaths + 1 if lived < "
        "state.settings.quick_death else 0\n",
        "        state.quick_deaths = 0\n",
        "a server that accepts and closes is dialled for ever",
    ),
    Fault(
        "who waits for a response that was lost is not told",
        "realtime/losing.py",
        "    for ticket in _awaited(state):\n        state.settle(ticket, failure)\n",
        "",
        "callers wait for ever",
    ),
    Fault(
        "a renewal waits for no pause",
        "realtime/pauses.py",
        "    return not busy and sequencer.slot is Slot.FREE and not "
        "state.ledger.is_playing(now)\n",
        "    return True\n",
        "a reply is cut off by a renewal",
    ),
    Fault(
        "a renewal waits for ever",
        "realtime/pauses.py",
        "    return expires_at is not None and now >= expires_at - state.settings.renew_latest\n",
        "    return False\n",
        "the session ends in the middle of a sentence",
    ),
    Fault(
        "a renewal that failed is tried again at once",
        "realtime/losing.py",
        "        state.renew_not_before = now + _RENEW_AGAIN\n",
        "",
        "a server in trouble is dialled without a pause",
    ),
    # The user's audio
    Fault(
        "a sentence that a drop cut begins in its middle",
        "realtime/journal.py",
        "            begin = max(begin, self._speech_from)\n        elif",
        "            begin = self._end\n        elif",
        "words are lost",
    ),
    Fault(
        "what an item has is said again",
        "realtime/journal.py",
        "        del self._data[: end - self._start]\n        self._skip_cleared()\n",
        "        self._skip_cleared()\n",
        "the model hears sentences twice",
    ),
    Fault(
        "a commit is lost with its socket",
        "realtime/uplink.py",
        "            if commit:\n",
        "            if False:\n",
        "what was said before it is never answered",
    ),
    Fault(
        "what waited behind a commit is said to the next session as well",
        "realtime/uplink.py",
        "if isinstance(one, Samples) or one.is_audios]",
        "]",
        "items and responses come twice",
    ),
    Fault(
        "what was said before the session was live is dropped when it is",
        "realtime/uplink.py",
        "        self._allowed_bytes = self._waiting_bytes\n        self.live",
        "        self.live",
        "the first words are lost",
    ),
    Fault(
        "audio is dropped and nobody is told",
        "realtime/uplink.py",
        "        dropped_ms = self._format.milliseconds(dropped)\n",
        "        dropped_ms = 0.0\n",
        "gaps are heard that nobody knows of",
    ),
    Fault(
        "audio overtakes a commit",
        "realtime/uplink.py",
        "        if isinstance(last, Samples):\n            last.data += audio\n",
        "        if self._queue and isinstance(self._queue[0], Samples):\n"
        "            self._queue[0].data += audio\n",
        "the end of a turn has the next one's words",
    ),
    Fault(
        "what is due stays due",
        "realtime/uplink.py",
        "        self._short_since = None\n        return True\n",
        "        return True\n",
        "the machine spins while a socket takes nothing",
    ),
    # The talk
    Fault(
        "an output comes before its call",
        "realtime/saying.py",
        '        _release_call(state, str(item.get("call_id", "")))\n',
        "        pass\n",
        "the server refuses the output of a call that it was not told",
    ),
    Fault(
        "what is wished while a session opens holds for the old one alone",
        "realtime/saying.py",
        "        if socket is not None and socket.is_opening:\n",
        "        if False:\n",
        "a voice changes back by itself",
    ),
    Fault(
        "what was deleted in a gap is waited for",
        "realtime/saying.py",
        '    elif ticket is not None:\n        state.ask(state.new_id("event"), question)\n',
        "",
        "its caller waits for ever",
    ),
    Fault(
        "all words count as heard",
        "realtime/seeding.py",
        "    words = [entry.heard_words(index) for index in range(len(shown))]\n",
        "    words = [entry.spoken(index) for index in range(len(shown))]\n",
        "a new session believes that all was heard",
    ),
    Fault(
        "audio takes the room of words",
        "realtime/seeding.py",
        "    return len(msgspec.json.encode(item)) - audio\n",
        "    return len(msgspec.json.encode(item))\n",
        "one long sentence, and all before it is forgotten",
    ),
    Fault(
        "a call without an output is told",
        "realtime/seeding.py",
        "if _is_call(one) and _call_id(one) not in outputs]",
        "if False]",
        "the model waits for an output, or calls again",
    ),
    Fault(
        "what an item held before it was truncated is forgotten",
        "realtime/items.py",
        '        {**part, "transcript": before["transcript"]}\n',
        "        part\n",
        "the words of the user's vanish",
    ),
    Fault(
        "forgotten questions are not answered",
        "realtime/state.py",
        "        self.settle(question.ticket, Failure(FailureKind.PROGRESS_TIMEOUT, message))\n",
        "",
        "callers wait for ever",
    ),
)
