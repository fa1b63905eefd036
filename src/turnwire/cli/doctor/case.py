"""What was asked, what is known so far about the server, and the one socket that checks share."""

from __future__ import annotations

import asyncio
import time
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, NamedTuple
from urllib.parse import urlsplit

from turnwire.cli.doctor.findings import Skip
from turnwire.cli.doctor.line import Line

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping

    import aiohttp

    from turnwire.cli.doctor.secrets import Secrets
    from turnwire.io.endpoint import Endpoint

SWITCHING_PROTOCOLS: Final = 101


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """Everything that ``turnwire doctor`` was told; what is None was not."""

    base_url: str | None = None
    api_key_env: str | None = None
    model: str | None = None
    probe_size: bool = False
    as_json: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """How long things may take; seconds.

    Attributes:
        check: One check.
        upload: A check that sends megabytes.
        total: All of them.
        pong: The answer to a ping.
        close: A socket's goodbyes.
    """

    check: float = 5.0
    upload: float = 15.0
    total: float = 30.0
    pong: float = 2.0
    close: float = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Configuration:
    """What the options and the environment come to.

    Attributes:
        base_url: As given, with its secrets.
        base_url_source: Where it was given.
        key_variable: The environment variable for the key.
        key_is_set: Whether it has one.
        key_complaint: Why the key is not used, or nothing.
        complaint: Why nothing can be sent at all, or nothing.
        endpoint: The server, unless there is a complaint.
        secrets: What must not be shown.
    """

    base_url: str
    base_url_source: str
    key_variable: str
    key_is_set: bool
    key_complaint: str
    complaint: str
    endpoint: Endpoint | None
    secrets: Secrets


class Answer(NamedTuple):
    """What the server said over HTTP."""

    status: int
    headers: Mapping[str, str]
    body: bytes
    seconds: float


@dataclass(slots=True, kw_only=True)
class Case:
    """One examination.

    Attributes:
        told: The options.
        configuration: What they come to, with the environment.
        session: Carries everything but the first look at the way.
        limits: How long things may take.
        now: The time of day; seconds since the epoch.
        blocked: Why nothing more can be sent, or nothing.
        upgrade: The answer to the upgrade; None if there was none.
        models: The answer to the question for models; None if there was none.
        posted: The answer to the POST; None if there was none.
        model: The model of warm-ups.
        model_source: Where its name is from.
        turn_was_tried: True once a create was sent.
        warmed_up: The response that can be continued on the open line.
        turns_fail: Why turns do not work, or nothing.
        key_refused: True if a create was refused because of the key.
        runs_anyway: True if the server runs the model for warm-ups.
        transports: Connections that an answer came on.
        dates: What a server's clock said, and ours at the same time; the first one.
    """

    told: Told
    configuration: Configuration
    session: aiohttp.ClientSession
    limits: Limits
    now: Callable[[], float] = time.time
    blocked: str = ""
    upgrade: Answer | None = None
    models: Answer | None = None
    posted: Answer | None = None
    model: str | None = None
    model_source: str = ""
    turn_was_tried: bool = False
    warmed_up: str = ""
    turns_fail: str = ""
    key_refused: bool = False
    runs_anyway: bool = False
    dates: tuple[str, float] | None = None
    transports: list[asyncio.Transport] = field(default_factory=list[asyncio.Transport], repr=False)
    _headers: dict[str, str] = field(default_factory=dict[str, str], repr=False)
    _line: Line | None = None

    @property
    def endpoint(self) -> Endpoint:
        """The server.

        Raises:
            Skip: There is none to speak of.
        """
        if self.configuration.endpoint is None:
            raise Skip("the configuration cannot be used")
        return self.configuration.endpoint

    def reachable(self) -> Endpoint:
        """Return the server.

        Raises:
            Skip: It is known that it cannot be reached.
        """
        if self.blocked:
            raise Skip(self.blocked)
        return self.endpoint

    def quote(self, text: str) -> str:
        """Return words of others, without secrets."""
        return self.configuration.secrets.quote(text)

    def saw_headers(self, headers: Mapping[str, str]) -> None:
        """Remember the headers of the latest answer, and the first date."""
        self._headers = {name.lower(): value for name, value in headers.items()}
        if self.dates is None and "date" in self._headers:
            self.dates = self._headers["date"], self.now()

    def header(self, name: str) -> str:
        """Return a header of the latest answer, or nothing."""
        return self._headers.get(name, "")

    def clock(self) -> float:
        """Return the time for durations; seconds."""
        return asyncio.get_running_loop().time()

    async def within(self, seconds: float, waiting: Awaitable[float]) -> float | None:
        """Return what comes in this time, or None."""
        timeout = asyncio.timeout(seconds)
        try:
            async with timeout:
                return await waiting
        except TimeoutError:
            if timeout.expired():
                return None
            raise

    @property
    def uses_key(self) -> bool:
        """True if a key is sent, or a name and a password from the URL."""
        configuration = self.configuration
        has_key = configuration.key_is_set and not configuration.key_complaint
        return has_key or "@" in urlsplit(self.endpoint.url).netloc

    # The line that checks share.  A check that fails on it hangs up, and the next one dials anew.

    async def dial(self, *, signed_in: bool = True) -> Line:
        """Open a socket as a client would.

        Raises:
            Skip: It is known that the server cannot be reached.
            UpgradeRefused: The server answered with something else than 101.
            aiohttp.ClientError: It could not be reached.
            OSError: It could not be reached.
        """
        endpoint = self.reachable()
        headers = (await endpoint.sign_in())[0] if signed_in else dict(endpoint.headers)
        return await Line.dial(self.session, endpoint, headers, close_seconds=self.limits.close)

    @asynccontextmanager
    async def line(self) -> AsyncGenerator[Line]:
        """Lend the open line, or a new one.

        Raises:
            Skip: No upgrade was accepted before.
        """
        self.reachable()
        if not self.is_upgraded:
            raise Skip("there is no socket: see the handshake")
        if self._line is None:
            self._line = await self.dial()
        try:
            yield self._line
        except Skip:
            raise  # nothing was sent
        except BaseException:
            await self.hang_up()
            raise

    @property
    def is_upgraded(self) -> bool:
        """True if the server accepted the upgrade."""
        return self.upgrade is not None and self.upgrade.status == SWITCHING_PROTOCOLS

    def keep(self, line: Line, seconds: float) -> None:
        """Take over the line of the handshake."""
        self.upgrade = Answer(SWITCHING_PROTOCOLS, self._headers, b"", seconds)
        self._line = line

    def cut_off(self) -> None:
        """End every connection now: TLS would wait for the server's goodbye."""
        for transport in self.transports:
            transport.abort()

    async def hang_up(self) -> None:
        """Close the line, if one is open; what was warmed up on it is gone."""
        line, self._line, self.warmed_up = self._line, None, ""
        if line is not None:
            await line.close()
