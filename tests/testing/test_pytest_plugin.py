"""The plugin, in a pytest of its own."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

import turnwire.testing

pytest_plugins = ["pytester"]
pytestmark = [pytest.mark.io, pytest.mark.slow]

SOURCE = str(Path(turnwire.testing.__file__).parents[2])
ASKING = """
import json, os, urllib.error, urllib.request
import pytest

def ask(text, base_url=None):
    url = (base_url or os.environ["OPENAI_BASE_URL"]) + "/responses"
    data = json.dumps({"model": "m", "input": text}).encode()
    headers = {"Authorization": "Bearer " + os.environ.get("OPENAI_API_KEY", "")}
    try:
        with urllib.request.urlopen(urllib.request.Request(url, data, headers)) as response:
            return json.load(response)["output"][0]["content"][0]["text"]
    except urllib.error.HTTPError as error:
        return error.code
"""


@pytest.fixture
def run(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> Run:
    return Run(pytester, monkeypatch)


class Run:
    """Writes a test file and runs it, whether the plugin is installed as one or not."""

    def __init__(self, pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> None:
        self._pytester = pytester
        for name in ("OPENAI_BASE_URL", "OPENAI_API_KEY", "http_proxy", "PYTEST_ADDOPTS"):
            monkeypatch.delenv(name, raising=False)
        monkeypatch.setenv("PYTHONPATH", os.pathsep.join([SOURCE, os.environ["PYTHONPATH"]])
                           if os.environ.get("PYTHONPATH") else SOURCE)  # fmt: skip

    def __call__(self, code: str, *arguments: str) -> pytest.RunResult:
        self._pytester.makepyfile(ASKING + code)
        return self._pytester.runpytest_subprocess(
            *("-p", "no:turnwire", "-p", "turnwire.testing.pytest_plugin"),
            *("-p", "no:cacheprovider", "-W", "error", "--strict-markers"),
            *("-o", "asyncio_mode=auto", "-o", "asyncio_default_fixture_loop_scope=function"),
            *arguments,
        )


def test_the_fixtures(run: Run) -> None:
    code = """
from turnwire.testing import answer, refuse

def test_a_peer_and_its_script(turnwire_peer):
    assert ask("hello", turnwire_peer.base_url) == "hello"
    turnwire_peer.script = lambda create: [answer("changed")]
    assert ask("hello", turnwire_peer.base_url) == "changed"
    assert turnwire_peer.model_runs == 2

def test_the_environment(turnwire_environment):
    assert ask("hello") == "hello"
    assert turnwire_environment.posts[0].headers["Authorization"] == "Bearer no-key-is-needed"

@pytest.mark.turnwire_peer(key="k", posts=[None, refuse(503)])
def test_the_marker(turnwire_environment, turnwire_peer):
    assert [ask("a"), ask("b")] == ["a", 503]
    os.environ["OPENAI_API_KEY"] = "other"
    assert ask("c") == 401
    assert turnwire_environment is turnwire_peer

def test_more_than_one(turnwire_peers):
    first, second = turnwire_peers(), turnwire_peers(lambda create: [answer("two")])
    assert [ask("one", each.base_url) for each in (first, second)] == ["one", "two"]

def test_nothing_is_left(request):
    import threading
    assert "OPENAI_BASE_URL" not in os.environ
    assert [t.name for t in threading.enumerate() if "turnwire" in t.name] == []
"""
    run(code).assert_outcomes(passed=5)


def test_async_tests_use_the_same_fixtures(run: Run) -> None:
    code = """
import aiohttp
from turnwire.testing import Gate, answer, wait

async def test_a_held_turn(turnwire_peer):
    gate = Gate()
    turnwire_peer.script = lambda create: [wait(gate), answer("held")]
    async with aiohttp.ClientSession() as session:
        async with session.ws_connect(turnwire_peer.websocket_url) as socket:
            await socket.send_json({"type": "response.create", "model": "m"})
            await gate.wait_reached()
            assert turnwire_peer.connections[0].sent == []
            gate.open()
            while (await socket.receive_json())["type"] != "response.completed":
                pass
    await turnwire_peer.wait_until(lambda: not turnwire_peer.connections[0].is_open)
    assert turnwire_peer.model_runs == 1
"""
    run(code).assert_outcomes(passed=1)


def test_a_failure_shows_what_the_peers_saw(run: Run) -> None:
    code = """
def test_that_fails(turnwire_peers):
    first, second = turnwire_peers(), turnwire_peers()
    assert ask("what was said", first.base_url) == "something else"

def test_that_passes(turnwire_peer):
    ask("x", turnwire_peer.base_url)
"""
    result = run(code)
    result.assert_outcomes(passed=1, failed=1)
    result.stdout.fnmatch_lines(
        [
            "*What turnwire peer 0 saw*",
            "*post 0*-> request /v1/responses*",
            "*post 0*<- answer 200",
            "*What turnwire peer 1 saw*",
            "Nothing arrived.",
        ]
    )
    assert result.stdout.str().count("What turnwire peer") == 2


def test_a_script_that_fails_fails_its_test(run: Run) -> None:
    code = """
from turnwire.testing import Turns

def test_one_create_too_many(turnwire_peer):
    turnwire_peer.script = Turns()
    assert ask("x", turnwire_peer.base_url) == 400
"""
    result = run(code)
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["*Create 1 arrived, but the script has 0 turns*"])


def test_nothing_happens_to_other_tests(run: Run) -> None:
    code = """
def test_without_a_peer(request):
    assert not [name for name in request.fixturenames if "turnwire" in name]
"""
    run(code).assert_outcomes(passed=1)


def test_the_fixtures_are_listed_with_what_they_do(run: Run) -> None:
    result = run("", "--fixtures", "--markers")
    result.stdout.fnmatch_lines(["@pytest.mark.turnwire_peer(?*arguments): arguments of the Peer*"])
    result = run("", "--fixtures")
    result.stdout.fnmatch_lines(["turnwire_peers*", "turnwire_peer*", "turnwire_environment*"])
