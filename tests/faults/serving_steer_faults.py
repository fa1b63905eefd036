"""Mistakes in the server's half of steering: what is accepted, what follows, what comes back."""

from __future__ import annotations

from fault import Fault

SERVING_STEER_FAULTS = (
    # What is accepted
    Fault(
        "what a model can is asked once",
        "serving.py",
        "            for turn in self._turns.values():\n"
        "                self._see_whether_steered(turn)\n",
        "",
        "a model that cannot be steered is, if that was found out while its turn ran",
        "gateway/test_steered_upstreams.py",
    ),
    Fault(
        "a steer may name a lane",
        "steer_input.py",
        "    extra = sorted(event.keys() - _MEMBERS)\n",
        "    extra = list[str]()\n",
        "a client believes that the lane which it names was steered",
    ),
    Fault(
        "anybody may speak in a steer",
        "steer_input.py",
        '    if item.get("role") != "user":\n',
        '    if not item.get("role"):\n',
        "a user's words become the developer's",
    ),
    Fault(
        "a tool's output is taken for a message",
        "steer_input.py",
        '    if not _is_object(item) or item.get("type", "message") != "message":\n',
        "    if not _is_object(item):\n",
        "outputs without a call reach the model",
    ),
    Fault(
        "a steer may say nothing",
        "steer_input.py",
        '        return None if given else "`input` must not be empty."\n',
        "        return None\n",
        "a response is interrupted for nothing",
    ),
    Fault(
        "a warm-up is steered",
        "steer_input.py",
        '        request.get("generate") is False\n        or (',
        "        (",
        "the successor says nothing, and the user waits for an answer",
    ),
    Fault(
        "a model that cannot stop is steered",
        "serving.py",
        "can_be_steered(turn.request) and self._can_steer(turn.request)\n",
        "can_be_steered(turn.request)\n",
        "an upstream that takes no steers is asked to",
    ),
    Fault(
        "a complete response is steered",
        "serving_steers.py",
        "    if target.ending is not None and (target.closed or not target.waits):\n",
        "    if target.ending is not None and target.closed:\n",
        "input is accepted that nothing will ever take along",
    ),
    Fault(
        "a response that was continued is steered",
        "serving_steers.py",
        "        target.closed = True\n        steers = self._take(target)\n        said",
        "        steers = self._take(target)\n        said",
        "input is accepted that nothing will ever take along",
    ),
    Fault(
        "a response that failed is steered",
        "serving_steers.py",
        "    if target.ending not in (None, TurnState.COMPLETED):\n",
        "    if target.ending is TurnState.INCOMPLETE:\n",
        "the client is told that it is complete",
    ),
    Fault(
        "steers are not bounded in number",
        "serving_steers.py",
        "len(target.steers) >= MOST_STEERS or ",
        "",
        "a client that steers without end fills the memory",
    ),
    Fault(
        "steers are not bounded in bytes",
        "serving_steers.py",
        " or not self._has_room(size_bytes)):\n",
        "):\n",
        "a client that steers without end fills the memory",
    ),
    Fault(
        "what steers weigh is never given back",
        "serving_steers.py",
        "                steer.signal(ServedSteerSignal.COMMIT)\n"
        "                self.size_bytes -= steer.size_bytes\n",
        "                steer.signal(ServedSteerSignal.COMMIT)\n",
        "a busy socket refuses everything in the end",
    ),
    Fault(
        "a drained socket takes steers",
        "serving_steers.py",
        "        if code is None and self._connection.state is not ConnectionState.OPEN:\n",
        "        if False:\n",
        "a client that steers keeps a server from stopping",
    ),
    # What follows
    Fault(
        "a steered response is not interrupted",
        "serving.py",
        "                self._actions.append(Interrupt(interrupted))\n",
        "                pass\n",
        "the user waits until the model has said everything",
    ),
    Fault(
        "a successor waits behind other creates",
        "serving.py",
        "        self._connection.lanes.end(turn.lane)\n"
        "        self._connection.lanes.take(turn.lane, successor, now)\n"
        "        self._start(successor)\n",
        "        self._connection.lanes.end_and_queue(turn.lane)\n"
        "        self._connection.lanes.enqueue(turn.lane, successor)\n"
        "        self._start_ready(now)\n",
        "what was said to one response is heard by another",
    ),
    Fault(
        "a successor forgets its settings",
        "steer_input.py",
        "    return settings | {",
        '    return {"model": settings.get("model")} | {',
        "the model loses its tools in the middle of its work",
    ),
    Fault(
        "only the last steer counts",
        "serving_steers.py",
        "        said = with_steers([each.input for each in steers], None)\n",
        "        said = with_steers([each.input for each in steers[-1:]], None)\n",
        "what the user said first is lost, and was accepted",
    ),
    Fault(
        "steers come after the create's own input",
        "steer_input.py",
        "    inputs: list[Any] = [*said, own]\n",
        "    inputs: list[Any] = [own, *said]\n",
        "the model reads things in another order than they were said",
    ),
    Fault(
        "a fork takes steers along",
        "serving_steers.py",
        "        if target is None or target.lane != turn.lane.name or target.ending is None:\n",
        "        if target is None or target.ending is None:\n",
        "a side question swallows what was said to the main one",
    ),
    Fault(
        "a response that waits for the client has a successor",
        "serving_steers.py",
        "        if target.waits:\n            self._pend(target)\n            return None\n",
        "",
        "the successor fails, as a call has no output",
    ),
    Fault(
        "a successor follows a failure",
        "serving_steers.py",
        "        if not _was_steered(turn.state, response):\n",
        "        if False:\n",
        "the successor fails, as there is nothing to continue",
    ),
    Fault(
        "an answered call is asked for",
        "steer_input.py",
        "        elif kind in _PAIRED_BY:\n",
        "        elif False:\n",
        "the client is asked for outputs that the server has",
    ),
    Fault(
        "the server's own search is asked for",
        "steer_input.py",
        '            if kind != "tool_search_call" or item.get("execution") == "client":\n',
        "            if True:\n",
        "the client is asked for what it cannot know",
    ),
    # What is said about it
    Fault(
        "a client is told again and again to answer",
        "serving_steers.py",
        "            if steer.state is ServedSteerState.ACCEPTED:\n"
        "                steer.signal(ServedSteerSignal.PEND)\n",
        "            if True:\n",
        "the client believes that another steer waits",
    ),
    Fault(
        "a client is told to answer when it has",
        "serving_steers.py",
        "        if any(turn.parent == target.response_id for turn in lane.waiting):\n",
        "        if False:\n",
        "the client sends a second continuation",
    ),
    Fault(
        "steers have numbers of their own",
        "serving.py",
        "            self._reply(target.number(event), target.lane, turn)\n",
        '            self._reply(event | {"sequence_number": 0}, target.lane, turn)\n',
        "clients that order events by number drop them",
    ),
    Fault(
        "steers do not name their lane",
        "serving.py",
        "            self._reply(target.number(event), target.lane, turn)\n",
        "            self._reply(target.number(event), None, turn)\n",
        "clients cannot tell which turn was steered",
    ),
    Fault(
        "an error of nobody's create is shown",
        "serving.py",
        "        if not (turn.automatic and never_began):",
        "        if True:",
        "clients drop the socket over an error that belongs to no turn of theirs",
    ),
    Fault(
        "steers of a successor that never began are lost",
        "serving_steers.py",
        "            self._give_back(target, steers, why)\n",
        "            steers.clear()\n",
        "what the user said is lost, and was accepted",
    ),
    Fault(
        "a lane goes on and keeps what was said before",
        "serving.py",
        "            self._steers.passed_by(old)\n",
        "",
        "what the user said is lost, or the model hears it twice",
    ),
    Fault(
        "a drained socket keeps what waits",
        "serving.py",
        "        self._steers.drain()\n",
        "",
        "the client waits for a successor until the socket closes",
    ),
    Fault(
        "ended responses are never let go",
        "serving_steers.py",
        "            while len(self._ended) > _MOST_ENDED:\n",
        "            while False:\n",
        "a socket that lives for an hour grows",
        "core",
    ),
)
