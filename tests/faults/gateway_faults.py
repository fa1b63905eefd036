"""Mistakes in the gateway: what is asked of upstreams, shown, counted and limited."""

from __future__ import annotations

from fault import Fault

GATEWAY_FAULTS = (
    # Over HTTP
    Fault(
        "a refusal comes after the beginning of a response",
        "downstream/holding.py",
        '    return begun[-1:] if begun and begun[-1]["type"] == "error" else begun\n',
        "    return begun\n",
        "clients see no status and no Retry-After, and try again at once",
        "gateway/downstream/test_post.py",
        "gateway",
    ),
    Fault(
        "a turn lingers whose id nobody has seen",
        "downstream/post.py",
        "turn.leave(may_linger=shown)",
        "turn.leave()",
        "a model runs to its end for nobody",
        "gateway/downstream/test_lingering.py",
        "gateway",
    ),
    # Turns that end early
    Fault(
        "a cancelled turn waits for its client",
        "interruption.py",
        "if self._pausing or (self._reading is not None",
        "if (self._reading is not None",
        "who cancels waits for a client that reads nothing",
        "gateway/test_interruption.py",
        "gateway",
    ),
    # Upstreams
    Fault(
        "what was cut off counts as complete",
        "output/relay.py",
        '        if signal is TurnSignal.INCOMPLETE or response.get("status") == "incomplete":\n',
        "        if signal is TurnSignal.INCOMPLETE:\n",
        "half an answer looks like a whole one, as vLLM says it",
        "gateway/relay/test_relay.py",
        "gateway",
    ),
    Fault(
        "any Responses API is taken for a whole one",
        "upstreams/detecting/decision.py",
        '_SERVERS.get(server or "", _UNKNOWN)',
        '_SERVERS.get(server or "", _WHOLE)',
        "servers refuse every turn that has a field of which they do not know",
        "gateway/upstreams/detecting",
        "gateway",
    ),
    # Limits of several workers
    Fault(
        "a row of limits has no lock",
        "access/limits_shared.py",
        "        fcntl.lockf(self._file, fcntl.LOCK_EX, 1, row)\n",
        "",
        "a key gets more than its limit, the more so the busier it is",
        "gateway/access/test_limits_shared.py",
        "gateway",
    ),
    Fault(
        "what a dead worker had open stays open",
        "access/limits_shared.py",
        "                self.count(row, worker, 0, 0)\n",
        "                pass\n",
        "after a crash a key is refused for ever",
        "gateway/access/test_limits_shared.py",
        "gateway",
    ),
    # Figures of several workers
    Fault(
        "a dead worker takes its counts along",
        "process/gathering.py",
        "            self._left_behind = left_behind(self._left_behind, line.last)\n",
        "",
        "counters go back, and Prometheus takes it for a restart",
        "gateway/process/test_gathering.py",
        "gateway",
    ),
    Fault(
        "a dead worker leaves its gauges behind",
        "observing/adding.py",
        "    total = added((before, counts_of(ended)))\n",
        "    total = added((before, ended))\n",
        "sockets are open that nobody has",
        "gateway/observing/test_adding.py",
        "gateway",
    ),
    Fault(
        "the store is up if it is for one worker",
        "observing/adding.py",
        "store_up=all(",
        "store_up=any(",
        "nobody is told that a part of the turns is refused",
        "gateway/observing/test_adding.py",
        "gateway",
    ),
    # The access log
    Fault(
        "the access log names no upstream",
        "observing/access_log.py",
        '        "upstream": turn.upstream,\n',
        "",
        "nobody finds out which server was slow",
        "gateway/observing/test_access_log.py",
        "gateway",
    ),
)
