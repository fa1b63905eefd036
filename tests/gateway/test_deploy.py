"""The files in ``deploy/`` are read by the programs that they are for."""

from __future__ import annotations

import asyncio
import json
import os
import re
import shutil
import subprocess
import sys
import tomllib
from typing import TYPE_CHECKING, Any, Final

import pytest

from architecture.repository import ROOT
from gateway.support import talk
from turnwire.gateway.config.reading import read_config
from turnwire.gateway.config.rules import mistakes_in
from turnwire.gateway.config.tables import Config
from turnwire.gateway.process.workers import _GRACE

if TYPE_CHECKING:
    from pathlib import Path

DEPLOY: Final = ROOT / "deploy"
UNIT: Final = DEPLOY / "turnwire.service"
COMMAND: Final = "/opt/turnwire/bin/turnwire"
ENVIRONMENT: Final = {"TURNWIRE_STORE_URL": "redis://redis:6379/0"}

# Of systemd-analyze security: from 0, nothing is exposed, to 100, everything is.
MOST_EXPOSED: Final = 15


def configuration(name: str) -> Config:
    config = read_config((DEPLOY / name).read_text("utf-8"))
    assert isinstance(config, Config), config
    assert mistakes_in(config, ENVIRONMENT) == ()
    return config


def program(name: str, package: str) -> str:
    found = shutil.which(name, path=f"{os.environ['PATH']}:/usr/sbin")
    if found is None:
        pytest.fail(f"this test needs {name}: apt-get install -y {package}", pytrace=False)
    return found


def run(*command: str, **environment: str) -> None:
    done = subprocess.run(
        command, capture_output=True, text=True, check=False, env={**os.environ, **environment}
    )
    assert (done.returncode, done.stdout + done.stderr if done.returncode else "") == (0, "")


def unit_setting(name: str) -> str:
    (value,) = re.findall(rf"^{name}=(.*)$", UNIT.read_text("utf-8"), re.MULTILINE)
    return value


@pytest.fixture
def unit(tmp_path: Path) -> str:
    """Return the unit, with a command that is here."""
    text = UNIT.read_text("utf-8")
    assert text.count(COMMAND) == 1
    path = tmp_path / UNIT.name
    path.write_text(text.replace(COMMAND, sys.executable), "utf-8")
    return str(path)


@pytest.mark.servers
@pytest.mark.io
@pytest.mark.slow
def test_systemd_understands_the_unit(unit: str) -> None:
    run(program("systemd-analyze", "systemd"), "verify", "--man=no", unit)


@pytest.mark.servers
@pytest.mark.io
@pytest.mark.slow
def test_the_unit_exposes_little(unit: str) -> None:
    analyze = program("systemd-analyze", "systemd")
    run(analyze, "security", "--offline=true", f"--threshold={MOST_EXPOSED}", unit)


def test_the_unit_waits_longer_than_turns_get() -> None:
    server = configuration("turnwire.toml").server
    assert float(unit_setting("TimeoutStopSec")) >= server.drain_timeout + _GRACE


def test_the_unit_may_write_where_the_configuration_says() -> None:
    config = configuration("turnwire.toml")
    assert config.store.path == f"/var/lib/{unit_setting('StateDirectory')}"
    assert config.server.access_log.startswith(f"/var/log/{unit_setting('LogsDirectory')}/")
    command = unit_setting("ExecStart").split()
    assert command[-1] == f"/etc/{unit_setting('ConfigurationDirectory')}/turnwire.toml"


@pytest.mark.servers
@pytest.mark.io
def test_haproxy_understands_its_configuration() -> None:
    run(
        *(program("haproxy", "haproxy"), "-c", "-f", str(DEPLOY / "haproxy.cfg")),
        LISTEN=":8080",
        **{f"GATEWAY{number}": f"127.0.0.1:{9000 + number}" for number in (1, 2, 3)},
    )


def instructions(name: str) -> list[str]:
    """Return what one kind of instruction of the Containerfile says, each in one line."""
    text = (DEPLOY / "Containerfile").read_text("utf-8").replace("\\\n", " ")
    return re.findall(rf"^{name} +(.*)$", text, re.MULTILINE)


def health_check() -> list[str]:
    (check,) = instructions("HEALTHCHECK")
    return json.loads(check.partition("CMD")[2])


def test_the_container_does_not_run_as_root() -> None:
    assert re.fullmatch(r"[1-9]\d*:[1-9]\d*", instructions("USER")[-1])


def test_the_container_is_made_of_what_is_there() -> None:
    copied = [line.split()[:-1] for line in instructions("COPY") if "--from" not in line]
    assert [path for paths in copied for path in paths if not (ROOT / path).exists()] == []
    (install,) = (line for line in instructions("RUN") if "pip install" in line)
    (extras,) = re.findall(r"\[([\w,]+)\]", install)
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    assert set(extras.split(",")) <= set(project["optional-dependencies"])


@pytest.mark.io
@pytest.mark.slow
async def test_the_containers_health_check_tells_a_gateway_that_is_well() -> None:
    async def check(address: str) -> int:
        (_, *command) = health_check()
        command = [word.replace("127.0.0.1:8080", address) for word in command]
        process = await asyncio.create_subprocess_exec(
            sys.executable, *command, stderr=asyncio.subprocess.DEVNULL
        )
        return await process.wait()

    async with talk() as here:
        address = f"127.0.0.1:{here.gateway.port}"
        assert await check(address) == 0
    assert await check(address) != 0


def test_what_the_container_runs_is_a_command() -> None:
    (entry,), (command,) = map(instructions, ("ENTRYPOINT", "CMD"))
    words: list[Any] = json.loads(entry) + json.loads(command)
    assert words[:2] == ["turnwire", "serve"]
    assert f"COPY deploy/container.toml {words[-1]}" in (DEPLOY / "Containerfile").read_text(
        "utf-8"
    )


def test_the_gateways_of_the_example_are_those_that_are_balanced() -> None:
    compose = (DEPLOY / "compose.yaml").read_text("utf-8")
    balanced = re.findall(
        r'server (\w+) "\$\{(\w+)\}"', (DEPLOY / "haproxy.cfg").read_text("utf-8")
    )
    port = configuration("container.toml").server.port
    given = re.findall(r'(GATEWAY\d): "(\w+):(\d+)"', compose)
    assert [(name, variable) for variable, name, _ in given] == balanced
    assert {int(number) for _, _, number in given} == {port}
    assert re.findall(r"^  (gateway\d): \*gateway$", compose, re.MULTILINE) == [
        name for name, _ in balanced
    ]


def test_the_example_waits_longer_than_turns_get() -> None:
    (seconds,) = re.findall(
        r"stop_grace_period: (\d+)s", (DEPLOY / "compose.yaml").read_text("utf-8")
    )
    assert float(seconds) > configuration("container.toml").server.drain_timeout
