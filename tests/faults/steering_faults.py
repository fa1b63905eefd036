"""Known mistakes in what is said to turns that run; see ``faults.py``."""

from __future__ import annotations

from fault import Fault

STEERING_FAULTS = (
    # Sending
    Fault(
        "a steer is sent once more",
        "steering.py",
        "        if each.state is not _S.WAITING:\n            continue\n",
        "        if each.state not in (_S.WAITING, _S.SUBMITTED):\n            continue\n",
        "the model is told everything twice",
        tests="core",
    ),
    Fault(
        "a steer does not wait for the response to have an id",
        "steering.py",
        "    for each in turn.steers:\n        if each.state is not _S.WAITING:",
        "    for each in turn.steers if turn.response_id else ():\n"
        "        if each.state is not _S.WAITING or turn.state is _RUNS[0]:",
        "what is said early is never sent",
        tests="core",
    ),
    Fault(
        "a response that has ended is steered",
        "arriving.py",
        "        steering.began(state, turn, runs=signal not in TERMINAL_SIGNALS)\n",
        "        steering.began(state, turn, runs=True)\n",
        "the turn waits for a successor that cannot come",
        tests="core",
    ),
    Fault(
        "a steer that waits is forgotten with its turn",
        "state.py",
        "            if steer.state is SteerState.WAITING:\n"
        "                late = Failure(FailureKind.STEER, _TOO_LATE",
        "            if steer.state is SteerState.ACCEPTED:\n"
        "                late = Failure(FailureKind.STEER, _TOO_LATE",
        "whoever waits for it waits for ever",
        tests="core",
    ),
    Fault(
        "steers weigh nothing in the queue",
        "steering.py",
        "    state.queued_bytes += size_bytes\n",
        "    state.queued_bytes += 0\n",
        "the queue has no limit, and its gauge goes below nothing",
        tests="core",
    ),
    # Answers
    Fault(
        "answers come in the wrong order",
        "steering.py",
        "    here = [each for each in state.steers.values() if each.connection == socket.id]\n",
        "    here = [each for each in reversed(state.steers.values())"
        " if each.connection == socket.id]\n",
        "the caller is told that the wrong words were refused",
        tests="core",
    ),
    Fault(
        "an answer is taken for another response's",
        "steering.py",
        "        if each.state is _S.SUBMITTED"
        " and each.response_id == event.steer.previous_response_id:\n",
        "        if each.state is _S.SUBMITTED:\n",
        "a late answer about one response decides what was said to the next",
        tests="core",
    ),
    Fault(
        "an answer that is said once more hits the next steer",
        "steering.py",
        "            return None if known else each",
        "            return each",
        "words that are on their way are reported as refused",
        tests="core",
    ),
    Fault(
        "a failed steer is no answer",
        "steering.py",
        "            _give_back(state, said, code, message)\n        case _:",
        "            said.failure = Failure(FailureKind.STEER, message)\n        case _:",
        "the turn waits for the successor that was called off",
        tests="core",
    ),
    Fault(
        "an unknown type ends the turn",
        "arriving.py",
        "    if turn.connection is not None and steering.refused("
        "state, turn.connection, failure, now):\n        return\n",
        "",
        "whoever steers a server that cannot loses the answer that was on its way",
        tests="core",
    ),
    # The end of the response
    Fault(
        "a turn ends although a successor may follow",
        "endings.py",
        "    if turn.is_undecided:\n        _hold(state, turn, verdict, event)\n    else:\n"
        "        _completed(state, turn, verdict, event, now)\n",
        "    _completed(state, turn, verdict, event, now)\n",
        "the successor's events reach the next turn of the lane",
        tests="core",
    ),
    Fault(
        "a turn is held for ever",
        "timing.py",
        "    if turn.verdict is not None and limits.first_event is not None:\n",
        "    if turn.verdict is not None and limits.first_event is None:\n",
        "a server that says nothing of a steer hangs its caller",
        tests="core",
    ),
    Fault(
        "a turn that was held does not end with its steers",
        "steering.py",
        "    if not turn.is_decided:\n        return\n",
        "    if turn.verdict is None or turn.steers:\n        return\n",
        "an answer that is there is shown half a minute late",
        tests="core",
    ),
    Fault(
        "a lane whose successor is due is trusted",
        "steering.py",
        "    if turn.connection is not None:\n        state.retire(turn.connection)\n",
        "",
        "the next turn of the lane is answered with the successor's words",
        tests="core",
    ),
    Fault(
        "an error in place of a successor leaves its steers alone",
        "endings.py",
        "    turn.verdict = None\n    lose_undecided(state, turn)\n",
        "",
        "whoever waits for them waits for ever, and their answer frees another turn's lane",
        tests="core",
    ),
    Fault(
        "a cancelled turn frees its lane before the successor",
        "draining.py",
        "    if turn.is_undecided and turn.verdict is None:\n",
        "    if turn.is_undecided and failed:\n",
        "the next turn of the lane is answered with the successor's words",
        tests="core",
    ),
    Fault(
        "a chain that goes on elsewhere gives back what is on its way",
        "steering.py",
        "_is_on_its_way(each.turn) or ",
        "each.turn is turn or ",
        "a lane counts as clean although a successor follows on it",
        tests="core",
    ),
    # The successor
    Fault(
        "only answered steers are heard",
        "steer.py",
        "    (_S.SUBMITTED, _E.COMMIT): _S.COMMITTED,  # the same\n",
        "",
        "a server that skips an answer crashes its client",
        tests="core",
    ),
    Fault(
        "a successor commits what came too late for it",
        "steering.py",
        "    return [each for each in mine if each.state is _S.ACCEPTED] or [\n",
        "    return [\n        each for each in mine if each.state in UNDECIDED\n    ] or [\n",
        "the caller believes that the model has heard what was refused",
        tests="core",
    ),
    Fault(
        "what the model heard is not in the history",
        "steering.py",
        "        turn.composed = replace(turn.composed, added=[*said, *turn.composed.added])\n",
        "        pass\n",
        "when everything is sent again the model no longer knows what it was told",
    ),
    Fault(
        "what the model heard stands behind the answers",
        "steering.py",
        "added=[*said, *turn.composed.added])",
        "added=[*turn.composed.added, *said])",
        "the history is another one than the server's",
    ),
    Fault(
        "a steered response is not in the history",
        "steering.py",
        "        endings.advance_chain(turn, verdict)\n",
        "",
        "what was said before the steer is lost, together with the question",
    ),
    Fault(
        "the successor's output begins with the steered response's",
        "steering.py",
        "        turn.snapshot, turn.last_sequence_number = Snapshot(), None\n",
        "        turn.last_sequence_number = None\n",
        "the first half of the answer is handed out twice",
        tests="core",
    ),
    Fault(
        "a successor costs nothing",
        "steering.py",
        "    turn.model_runs += 1\n",
        "",
        "the bill has more model runs than the client says",
    ),
    # What waits for the caller
    Fault(
        "what is pending is heard by any turn of the lane",
        "steering.py",
        "        and said.response_id == turn.sent_parent\n",
        "",
        "words that nobody heard count as heard",
    ),
    Fault(
        "what is not continued is kept",
        "steering.py",
        "        if same_chain or same_lane:\n            _give_back(",
        "        if same_chain and same_lane and state.closed:\n            _give_back(",
        "words that nobody will ever hear count as pending",
    ),
    Fault(
        "a fork takes along what was said to its source",
        "planner.py",
        " and lane.owed_to is not chain\n",
        " and lane.owed_to is chain\n",
        "one branch hears what was meant for the other",
        tests="core",
    ),
    Fault(
        "what was given back is heard all the same",
        "chain.py",
        '        if head.response_id == seat.spoilt:\n            return ChainMiss("lane_taken")\n',
        "",
        "a branch hears what its caller was told is not said",
        tests="core",
    ),
    # Losses
    Fault(
        "what was steered is sent again",
        "situation.py",
        "    if turn.was_steered:\n        return False  # what was said",
        "    if turn.was_steered and state.closed:\n        return False  # what was said",
        "the second attempt has not heard what the first one had",
    ),
    Fault(
        "a turn that took something along is sent again without it",
        "pool_turn.py",
        "        return held or sent or bool(self.continued)\n",
        "        return held or sent\n",
        "the model has heard it, says the client, and the answer is another model run's",
        tests="core",
    ),
    Fault(
        "a response that was continued is fetched",
        "situation.py",
        "        and not turn.is_in_doubt\n",
        "",
        "the caller gets the half that was broken off, as if it were all",
    ),
    Fault(
        "a lost socket says nothing about its steers",
        "state.py",
        "        for steer in [each for each in self.steers.values()"
        " if each.connection == socket.id]:\n",
        "        for steer in [each for each in self.steers.values()"
        " if each.connection is None]:\n",
        "whoever waits for them waits for ever",
    ),
    Fault(
        "what was not written counts as said",
        "endings.py",
        "    for number in unwritten:\n        _give_back_unsent(state, number)\n",
        "",
        "the caller is left in doubt about words that never left the machine",
        tests="core",
    ),
    Fault(
        "a turn goes beside what is pending where names may mean nothing",
        "planner.py",
        "        return not socket.pending_steers\n",
        "        return True\n",
        "a server without lanes loses what was said, and it stays pending for ever",
    ),
    Fault(
        "an abandoned turn hears nothing",
        "draining.py",
        "        steering.hears(state, turn, runs=signal not in TERMINAL_SIGNALS)\n",
        "        pass\n",
        "what was said to it stays pending for ever",
    ),
    Fault(
        "a turn cancelled after its response leaves its lane as it was",
        "endings.py",
        "        remember(turn, lane, turn.verdict.response_id, failed=failed)\n",
        "        assert failed or not failed\n",
        "a chain names a response that its lane no longer has",
    ),
)
