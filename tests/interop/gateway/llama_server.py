"""Runs llama.cpp's own HTTP server until stdin ends: ``python llama_server.py MODEL``.

It says where it listens.
"""

from __future__ import annotations

import sys
from typing import Final

import xllamacpp

SLOTS: Final = 2  # turns at once


def main(model: str) -> None:
    """Serve a model on a free port of loopback."""
    params = xllamacpp.CommonParams()
    params.model.path = model
    params.model_alias = {"tiny"}
    params.hostnames = ["127.0.0.1"]
    params.port = 0
    params.n_parallel = SLOTS
    params.n_ctx = SLOTS * 4096
    params.cpuparams.n_threads = 1
    params.cpuparams_batch.n_threads = 1
    params.use_jinja = True
    params.warmup = False
    params.endpoint_slots = True
    params.endpoint_metrics = True
    server = xllamacpp.Server(params)
    print(server.listening_address, flush=True)  # noqa: T201  # for whoever started it
    sys.stdin.read()


if __name__ == "__main__":
    main(sys.argv[1])
