"""Mistakes in what the drop-in transport rests on: the proof, the echo, the way over HTTP."""

from __future__ import annotations

from fault import Fault

DROP_IN_FAULTS = (
    # The proof
    Fault(
        "only the end of the beginning is compared",
        "request_body.py",
        "        if not data.startswith(self.data):\n            return None\n",
        "",
        "an answer to another history",
        "core",
    ),
    Fault(
        "what follows the same tail is not looked at",
        "request_body.py",
        "        if end <= known or not data.endswith(self.shape.tail):\n",
        "        if end <= known:\n",
        "other tools and another model are not sent",
        "core",
    ),
    Fault(
        "a nested input is taken for the input",
        "request_body.py",
        "    return next((start for start in starts if _is_top_level(data, start)), None)\n",
        "    return starts[0]\n",
        "metadata is sent as what the user said",
        "core",
    ),
    Fault(
        "a caller's own link is chained upon",
        "chain_index.py",
        "        if body.shape.is_linked:\n            return Found(",
        "        if False:\n            return Found(",
        "two links in one turn: the wrong history",
        "core",
    ),
    # The echo
    Fault(
        "half an echo will do",
        "chain_index.py",
        '        elif one.kind.type != "reasoning":\n            return None\n',
        "",
        "an edited answer is ignored",
        "core",
    ),
    Fault(
        "whatever an echo leaves out is the same",
        "history.py",
        "        if name in theirs or name not in _LEFT_OUT_BY_LIBRARIES\n",
        "        if name in theirs\n",
        "what was dropped from an item is still there for the model",
        "core",
    ),
    Fault(
        "arguments are compared without their values",
        "history.py",
        "        return msgspec.json.encode(msgspec.json.decode(arguments))\n",
        '        return b"" if msgspec.json.decode(arguments) else b""\n',
        "an edited call is ignored",
        "core",
    ),
    Fault(
        "a miss sends what the server said, not what the caller wrote",
        "chain_index.py",
        "    chain.adopt(start, body.items[:count])\n",
        "",
        "items come back that the caller had left out",
        "core",
    ),
    # The index
    Fault(
        "two at once share a chain",
        "chain_index.py",
        "    chain = known.chain.fork() if known.in_use else known.chain\n",
        "    chain = known.chain\n",
        "the second waits for the first, and continues its answer",
        "core",
    ),
    Fault(
        "a turn that failed keeps its chain",
        "chain_index.py",
        "        known = self._known.get(id(found.chain))\n        if known is not None:\n"
        "            known.in_use = False\n",
        "",
        "chains are never forgotten, and every turn forks",
        "core",
    ),
    Fault(
        "chains are everybody's",
        "chain_index.py",
        "(known for known in reversed(self._known.values()) if known.owner == owner)\n",
        "reversed(self._known.values())\n",
        "one caller's turn continues another one's answer",
        "core",
    ),
    Fault(
        "what is new in a named history counts as its beginning",
        "chain_index.py",
        '        body = replace(body, data=b"", prefix_bytes=0)',
        "        body = replace(body)",
        "whoever says the same two words gets a history of somebody else's",
        "core",
    ),
    # The way over HTTP
    Fault(
        "a turn that is handed over is sent as well",
        "routing.py",
        "    if turn.request.hands_over:\n",
        "    if False:\n",
        "two model runs for one request",
        "core",
    ),
    Fault(
        "nobody hears that HTTP does not work either",
        "pool.py",
        "            self._state.log(breaker.unreachable())\n",
        "            breaker.reached()\n",
        "a server that was down for a second is asked over HTTP for minutes",
        "core",
    ),
    Fault(
        "a new chain counts as a change of another one",
        "chain_index.py",
        "best.fork() if best is not None and _holds_an_answer(body.items) else Chain()\n",
        "best.fork() if best is not None else Chain()\n",
        "misses that are none",
        "core",
    ),
)
