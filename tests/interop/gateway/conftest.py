"""Leaves out what is not installed here: each environment has some of the clients."""

from __future__ import annotations

from interop.gateway.catalogue import CLIENTS, SERVER, is_met

collect_ignore_glob = [
    pattern
    for pattern, needed in (("*.py", CLIENTS["openai_scenarios"]), ("test_llama_cpp.py", SERVER))
    if not all(map(is_met, needed))
]
