"""Measure the Realtime transport beside its peers, in one run.  See ../README.md.

python benchmarks/realtime/run.py            print the tables
python benchmarks/realtime/run.py --write    also put them into ../README.md
python benchmarks/realtime/run.py --quick    does it run at all?
"""

from __future__ import annotations

import argparse
import asyncio
import datetime as dt
import importlib.metadata
import os
import platform
import re
from pathlib import Path

import barge_in
import decode

README = Path(__file__).parents[1] / "README.md"
BEGIN, END = "<!-- realtime:begin -->", "<!-- realtime:end -->"
PACKAGES = ("turnwire", "openai", "openai-agents", "pybase64", "aiohttp", "websockets")


def versions() -> str:
    return ", ".join(f"{name} {importlib.metadata.version(name)}" for name in PACKAGES)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--write", action="store_true")
    parser.add_argument("--quick", action="store_true")
    given = parser.parse_args()
    load = os.getloadavg()[0]
    decoded = decode.measure(*((1, 200) if given.quick else (9, 2000)))
    barged = asyncio.run(barge_in.measure(*((1, 2) if given.quick else (3, 20))))
    now = dt.datetime.now(dt.UTC)
    system = f"{os.cpu_count()} cores, {platform.system()} {platform.machine()}"
    python = f"Python {platform.python_version()}"
    head = f"{now:%Y-%m-%d %H:%M} UTC: {system}, {python}, load average {load:.1f} at the start."
    tables = (decode.markdown(decoded), "", barge_in.markdown(barged))
    text = "\n".join((head, f"{versions()}.", "", *tables))
    print(text)
    if given.write:
        page = README.read_text(encoding="utf-8")
        pattern = re.compile(f"{BEGIN}.*?{END}", re.DOTALL)
        README.write_text(pattern.sub(f"{BEGIN}\n\n{text}\n\n{END}", page), encoding="utf-8")


if __name__ == "__main__":
    main()
