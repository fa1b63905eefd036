"""Known mistakes of clients and servers, as patches of this core; the property tests must see each.

Most of them are field bugs: other programs shipped them.  ``old`` stands exactly once in its file.
"""

from __future__ import annotations

from typing import NamedTuple


class Fault(NamedTuple):
    """One mistake.

    Attributes:
        name: What is wrong.
        file: Where, below ``src/turnwire/core``.
        old: The text that is right.
        new: The text that is wrong.
        harm: What it would do to users.
    """

    name: str
    file: str
    old: str
    new: str
    harm: str


FAULTS = (
    # Lanes
    Fault(
        "events go to the first busy lane",
        "pool.py",
        "        lane = socket.lanes.by_name.get(event.stream_id)\n",
        "        lane = next((each for each in socket.lanes if each.turn is not None), None)\n",
        "one user reads the answer to another's question",
    ),
    Fault(
        "a dirty lane is used again after a cancel",
        "endings.py",
        "    lane.signal(LaneSignal.ABANDON)\n",
        "    state.end_lane(socket, lane)\n    return\n",
        "after an interruption every answer is late by one question",
    ),
    Fault(
        "one turn too many on a socket",
        "lane.py",
        "return self._active < self.active_limit",
        "return self._active <= self.active_limit",
        "the 17th turn waits at the server, where it can no longer move",
    ),
    Fault(
        "one lane name too many on a socket",
        "lane.py",
        "return self.named_limit - (len(self.by_name) - 1)",
        "return self.named_limit - (len(self.by_name) - 2)",
        "the 33rd name is refused and its turn fails",
    ),
    Fault(
        "a refused lane name fails its turn",
        "rewriting.py",
        "    if not is_lane_refusal(failure):\n",
        "    if is_lane_refusal(failure):\n",
        "servers without lanes fail the second of two turns at once",
    ),
    Fault(
        "only one socket may find out that there are no lanes",
        "pool.py",
        "    if socket.lanes_work is True:\n        return None\n",
        "    if socket.lanes_work is not None:\n        return None\n",
        "turns that probed on other sockets hang until their deadline",
    ),
    Fault(
        "a keep-alive counts as an answer without a lane",
        "pool.py",
        'telling = failure is not None or event.type.startswith("response.")',
        "telling = True",
        "one unknown event costs all lanes, and the turn its events",
    ),
    Fault(
        "a retired socket takes new turns",
        "planner.py",
        "if socket.state is not ConnectionState.OPEN or not socket.lanes.has_room:",
        "if socket.state is ConnectionState.CONNECTING or not socket.lanes.has_room:",
        "turns are sent to a socket that is about to close",
    ),
    # Chains
    Fault(
        "everything is sent every time",
        "chain.py",
        "        if self.head is not None and miss is None:\n",
        "        if self.head is None and miss is None and kept:\n",
        "bytes grow with the square of the number of turns",
    ),
    Fault(
        "an incomplete response is continued",
        "endings.py",
        "    if signal is TurnSignal.COMPLETE and response.id:\n",
        "    if response.id:\n",
        "the chain goes on from a response that the server may not have kept",
    ),
    Fault(
        "a failed response is continued",
        "endings.py",
        '    turn.delivery = "terminal"\n    _clear_chain(turn)\n',
        '    turn.delivery = "terminal"\n'
        "    _advance_chain(turn, TurnSignal.COMPLETE, turn.snapshot.partial())\n",
        "one failed turn poisons all that follow",
    ),
    Fault(
        "the head moves when a response is created",
        "pool.py",
        "            turn.release_source()  # a fork",
        "            endings._advance_chain(turn, TurnSignal.COMPLETE, event.response)\n"
        "            turn.release_source()  # a fork",
        "a turn that is cut off leaves a head that does not exist",
    ),
    Fault(
        "the server's output is not part of the history",
        "chain.py",
        "        self.items += output\n",
        "",
        "the model sees its own answers twice",
    ),
    Fault(
        "edits of the history are not noticed",
        "chain.py",
        "            if not mine.same(theirs):\n",
        "            if mine is None:\n",
        "the model answers to what the user has since corrected",
    ),
    Fault(
        "an item counts as changed because of what the server added",
        "history.py",
        '_SERVER_ONLY: Final = frozenset({"status", "created_at", "created_by"})',
        '_SERVER_ONLY: Final = frozenset({"created_at", "created_by"})',
        "chains of callers that hand over full histories never hold",
    ),
    Fault(
        "reasoning that is encrypted anew counts as changed",
        "snapshot.py",
        "HistoryItem(encoded, *(() if other == encoded else (other,)))",
        "HistoryItem(encoded)",
        "every turn after reasoning sends everything",
    ),
    Fault(
        "parameters are not compared",
        "chain.py",
        "        if changed is not None:\n",
        "        if changed is not None and kept < 0:\n",
        "a chain goes on under another model or with other tools",
    ),
    Fault(
        "credentials are not compared",
        "chain.py",
        "        if head.credential != seat.credential:\n",
        "        if head.credential is None:\n",
        "after a key rotation each first turn is refused",
    ),
    Fault(
        "an unanswered tool call is not noticed",
        "chain.py",
        "                if call in answers:\n",
        "                if call in answers and kept < 0:\n",
        "the server refuses the turn: no tool output found",
    ),
    Fault(
        "an unstored response is named anywhere",
        "chain.py",
        "        return None if head.stored else _miss_without_store(head, seat)\n",
        "        return None\n",
        "after every reconnect the server does not find the parent",
    ),
    Fault(
        "no barrier for forks",
        "lane.py",
        "        return self.state is LaneState.FREE and not self.awaited_by\n",
        "        return self.state is LaneState.FREE\n",
        "the source moves on before the fork has found its parent",
    ),
    Fault(
        "a drained lane's response is not remembered",
        "endings.py",
        "        _remember(turn, lane, turn.snapshot.final(event).id,"
        " failed=signal is TurnSignal.FAIL)\n",
        "",
        "after a cancel the chain names a response that the lane no longer holds",
    ),
    Fault(
        "the resend names the lost parent again",
        "rewriting.py",
        '    chain.clear("evicted")\n',
        "",
        "one lost response kills its chain for ever",
    ),
    # Turns
    Fault(
        "any early error is answered with a resend",
        "rewriting.py",
        "not turn.sent_parent or not is_previous_response_not_found(failure):",
        "not turn.sent_parent:",
        "one question is paid for twice",
    ),
    Fault(
        "a turn whose output was seen is sent again",
        "rewriting.py",
        "    unread = turn.state in (TurnState.WRITING, TurnState.ACCEPTED)\n",
        "    unread = turn.state is not TurnState.COMPLETED\n",
        "the user reads the beginning of the answer twice",
    ),
    Fault(
        "a server that refuses for ever is obeyed for ever",
        "rewriting.py",
        "_MOST_RESENDS: Final = 4",
        "_MOST_RESENDS: Final = 400",
        "one turn keeps both sides busy without end",
    ),
    Fault(
        "a clean close is success",
        "endings.py",
        "    _finish(state, turn, None, Finish(turn.id, turn.snapshot.partial(), failure), now)\n",
        "    why = None if failure.close_code == 1000 else failure\n"
        "    _finish(state, turn, None, Finish(turn.id, turn.snapshot.partial(), why), now)\n",
        "half an answer looks like a whole one",
    ),
    Fault(
        "a lost socket ends turns that have ended",
        "endings.py",
        "        if lane.turn is not None and lane.turn.id in state.turns:\n",
        "        if lane.turn is not None:\n",
        "a turn ends twice",
    ),
    Fault(
        "missing output is not filled in",
        "snapshot.py",
        "        elif missing:\n            known = missing\n",
        "",
        "the answer vanishes in the end",
    ),
    Fault(
        "the tail of a piece of a stream is lost",
        "sse.py",
        "        self._pieces.append(tail + held)\n",
        "        self._pieces.append(held)\n",
        "over HTTP, events that come in two pieces are lost",
    ),
    Fault(
        "a refused warm-up counts a model run less",
        "rewriting.py",
        "    turn.model_runs -= not turn.request.warm_up",
        "    turn.model_runs -= 1",
        "the bill is too low",
    ),
    # The queue and time
    Fault(
        "the queue is last come, first served",
        "placing.py",
        "    for turn in list(state.waiting.values()):\n",
        "    for turn in reversed(list(state.waiting.values())):\n",
        "under load the oldest turns starve",
    ),
    Fault(
        "the queue's bytes are not released",
        "state.py",
        "        if self.waiting.pop(turn.id, None) is not None:\n"
        "            self.queued_bytes -= turn.size_bytes\n",
        "        if self.waiting.pop(turn.id, None) is not None:\n            pass\n",
        "after some hours every turn is refused: the queue is full",
    ),
    Fault(
        "a turn that was cancelled in the queue is sent",
        "state.py",
        "        del self.turns[turn.id]\n        self.dequeue(turn)\n",
        "        del self.turns[turn.id]\n",
        "the user pays for what nobody wants",
    ),
    Fault(
        "turns of one chain run at the same time",
        "state.py",
        "        if chain is not None and chain.turn is not None:\n",
        "        if chain is not None and chain.turn == turn.id:\n",
        "two turns continue the same response, and one answer is lost",
    ),
    Fault(
        "the deadline is not armed again",
        "timing.py",
        "    state.due = _next_deadline(state)\n",
        "",
        "after the first deadline no other one is kept, or the timer spins",
    ),
    Fault(
        "the first event's deadline is not armed",
        "placing.py",
        "    state.note_deadline(None if first_event is None else now + first_event)\n",
        "",
        "a turn that the server swallowed hangs for ever",
    ),
    Fault(
        "after a failed dial nobody dials again",
        "timing.py",
        "    if state.no_dial_before > 0:",
        "    if state.no_dial_before < 0:",
        "turns wait although the server is back",
    ),
    Fault(
        "draining forgets what waits behind a chain",
        "pool.py",
        "            if turn.state is TurnState.QUEUED:  # for a lane",
        "            if turn.id in state.waiting:  # for a lane",
        "a graceful shutdown leaves turns that never end",
    ),
    Fault(
        "the end of a socket's life ends the turn that was abandoned there",
        "endings.py",
        "is TurnSignal.FAIL and is_about_the_socket(lane, failure_of_event(event)):",
        "is TurnSignal.FAIL and turn.id == 0:",
        "the lane is used again while its turn goes on, and answers are late by one question",
    ),
    Fault(
        "a retired socket that refused a name stays open",
        "rewriting.py",
        "    state.close_if_drained(socket)\n",
        "",
        "one of the sockets is lost for good",
    ),
    # The server's half
    Fault(
        "a lane is last come, first served",
        "lane.py",
        "            turn = lane.waiting.popleft()\n",
        "            turn = lane.waiting.pop()\n",
        "a lane answers its questions in the wrong order",
    ),
    Fault(
        "places go to the lane that came last",
        "lane.py",
        "            lane = self._ready.popleft()\n",
        "            lane = self._ready.pop()\n",
        "under load some lanes starve",
    ),
    Fault(
        "what waits behind a lane is forgotten",
        "lane.py",
        "        if lane.waiting:\n            self._ready.append(lane)\n",
        "",
        "the second of two creates is never answered",
    ),
    Fault(
        "any failure evicts the lane's response",
        "serving.py",
        "            if lane.latest is not None and lane.latest == turn.parent:\n",
        "            if lane.latest is not None:\n",
        "a failed turn costs a chain that it had nothing to do with",
    ),
    Fault(
        "a failed continuation keeps its parent",
        "serving.py",
        "            if lane.latest is not None and lane.latest == turn.parent:\n",
        "            if lane.latest is None:\n",
        "clients that rely on the eviction see another history than the server",
    ),
    Fault(
        "events do not name their lane",
        "serving.py",
        "        self._reply(numbered, turn.lane.name)\n",
        "        self._reply(numbered, None)\n",
        "clients cannot tell which turn an event belongs to",
    ),
    Fault(
        "the server's queue does not shrink",
        "serving.py",
        "            self._queued_bytes -= turn.size_bytes\n",
        "",
        "a busy socket answers everything with 429 in the end",
    ),
    Fault(
        "a drained socket stays open",
        "serving.py",
        "        self._start_ready(now)\n        self._close_if_drained()\n",
        "        self._start_ready(now)\n",
        "a graceful shutdown never ends",
    ),
)
