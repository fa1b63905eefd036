"""Fixtures of pytest around ``Peer``: nothing happens to tests that do not ask for them.

``turnwire_peer`` is a running peer with a thread of its own, so that tests may be async or not.
When a test fails, the transcript of each of its peers is in its report.
"""

from __future__ import annotations

from contextlib import ExitStack
from typing import TYPE_CHECKING, Any, Final, Protocol

import pytest

from turnwire.testing.peer import Peer
from turnwire.testing.script import echo

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator

    from turnwire.testing.steps import Script

_PEERS: Final = pytest.StashKey[list[Peer]]()
_MARKER: Final = "turnwire_peer(**arguments): arguments of the Peer that the fixture starts"
_NO_KEY: Final = "no-key-is-needed"


class StartPeer(Protocol):
    """How the fixture ``turnwire_peers`` starts one: with the arguments of ``Peer``."""

    def __call__(self, script: Script = ..., **arguments: Any) -> Peer:
        """Return a peer that serves until the test ends."""
        ...


def pytest_configure(config: pytest.Config) -> None:
    """Declare the marker."""
    config.addinivalue_line("markers", _MARKER)


@pytest.fixture
def turnwire_peers(request: pytest.FixtureRequest) -> Iterator[StartPeer]:
    """Start peers: ``turnwire_peers(script, lanes="reject")``, as many as a test needs."""
    peers = request.node.stash.setdefault(_PEERS, [])
    with ExitStack() as stack:

        def start(script: Script = echo, **arguments: Any) -> Peer:
            peer = Peer(script, **arguments).start()
            peers.append(peer)
            stack.callback(peer.stop)
            return peer

        yield start


@pytest.fixture
def turnwire_peer(request: pytest.FixtureRequest, turnwire_peers: StartPeer) -> Peer:
    """A running peer that echoes until a test sets its ``script``.

    The marker of the same name has its other arguments: ``@pytest.mark.turnwire_peer(key="k")``.
    """
    marker = request.node.get_closest_marker("turnwire_peer")
    arguments: dict[str, Any] = dict(marker.kwargs) if marker else {}
    return turnwire_peers(**arguments)


@pytest.fixture
def turnwire_environment(turnwire_peer: Peer, monkeypatch: pytest.MonkeyPatch) -> Peer:
    """The same peer, with ``OPENAI_BASE_URL`` and ``OPENAI_API_KEY`` leading to it."""
    monkeypatch.setenv("OPENAI_BASE_URL", turnwire_peer.base_url)
    monkeypatch.setenv("OPENAI_API_KEY", turnwire_peer.key or _NO_KEY)
    for name in ("NO_PROXY", "no_proxy"):
        monkeypatch.setenv(name, "127.0.0.1", prepend=",")
    return turnwire_peer


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Generator[None, object, object]:
    """Let a test fail whose script failed."""
    result = yield  # what the test raises passes through: its report has the transcript
    for peer in _peers(item):
        peer.check()
    return result


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item,
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Put the transcripts into the report of a test that failed."""
    report = yield
    if report.failed:
        for number, peer in enumerate(_peers(item)):
            seen = peer.transcript() or "Nothing arrived."
            report.sections.append((f"What turnwire peer {number} saw", seen))
    return report


def _peers(item: pytest.Item) -> list[Peer]:
    nothing: list[Peer] = []
    return item.stash.get(_PEERS, nothing)
