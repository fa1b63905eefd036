"""The arguments of ``connect``: checked, and turned into what the layers below need."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Final, Literal, cast

from turnwire.client.checking import (
    checked_choice,
    checked_count,
    checked_limit,
    checked_seconds,
    checked_word,
)
from turnwire.client.config import endpoint_of
from turnwire.core.realtime.playhead import Reported, VirtualClock
from turnwire.core.realtime.settings import RealtimeSettings
from turnwire.errors import ConfigError
from turnwire.realtime.addressing import IN_BROWSER, ephemeral, with_query
from turnwire.realtime.kinds import check_kinds, check_milliseconds
from turnwire.realtime.wishing import check_session

if TYPE_CHECKING:
    import ssl

    from turnwire.core.realtime.playhead import Playhead
    from turnwire.core.realtime.settings import Dialect, Overflow, Readiness, Unheard
    from turnwire.io.endpoint import ApiKey, Endpoint

_MIB: Final = 2**20

Auth = Literal["header", "subprotocol"]
Playback = Literal["clock", "reported", "read"]


_WORDS: Final = {
    "auth": ("header", "subprotocol"),
    "wait_for": ("created", "updated"),
    "dialect": ("ga", "beta"),
    "overflow": ("drop_oldest", "block", "error"),
    "unheard": ("delete", "truncate_zero", "keep"),
}
_FOUND_OUT: Final = frozenset({"auth", "wait_for"})  # where None says nothing
_BETA_HEADER: Final = "openai-beta"
# Of `settings`, by the argument that has it.
_OF_SETTINGS: Final = {
    "dial_timeout": "timeout",
    "ready_on": "wait_for",
    "receives_audio": "call_id",
    "dialect": "dialect",
    "overflow": "overflow",
    "backlog_ms": "backlog_ms",
    "unheard": "unheard",
    "reconnect": "reconnect",
    "renew_margin": "renew_margin",
}
_DEFAULTS: Final = RealtimeSettings()


@dataclass(frozen=True, slots=True, kw_only=True)
class RealtimeOptions:
    """What ``connect`` takes; durations are seconds unless their names say otherwise.

    Attributes:
        model: The model; by default the field's own.
        session: What the session is to be, in the shape of the wire; or in words: ``voice``,
            ``speed``, ``turn_detection``, ``transcription``, ``noise_reduction``,
            ``input_format``, ``output_format``.  Only what is given is sent; None is a value.
        api_key: A key, or a callable that returns one, called for each dial; by default
            ``OPENAI_API_KEY``.
        base_url: The base that the official SDK takes; by default ``OPENAI_BASE_URL``.
        call_id: Attach to a call (WebRTC, SIP) that exists, as a sideband: it sees events and no
            audio.
        auth: Where the key goes: a ``header``, or a ``subprotocol``, as browsers have to send it
            and Python in a browser does by default.
        require_ephemeral: Refuse a key that is no ephemeral one (``ek_…``); a callable's keys too,
            at each dial.  By default where Python runs in a browser.
        organization: By default ``OPENAI_ORG_ID``.
        project: By default ``OPENAI_PROJECT_ID``.
        safety_identifier: Of the end user, for ``OpenAI-Safety-Identifier``.
        default_headers: Sent with each dial.
        query: More parameters of the URL, such as ``{"intent": "transcription"}``.
        proxy: An HTTP proxy; by default the environment's, and an empty text for none.
        ssl_context: Whom to trust and as whom to appear.
        trust_env: Whether ``HTTPS_PROXY`` and its like are heeded.
        timeout: For a session to be ready.
        wait_for: Which event makes it ready: ``created``, or ``updated`` for the echo of the
            configuration, so that a refused one raises where it is opened.  By default
            ``updated`` if there is a configuration.
        ping_interval: Without any data, after which a ping is sent; half as many more without any
            data lose the socket.  None for no pings.
        inbound_bytes: Of the largest message that is taken.
        dialect: ``beta`` for servers that never learnt today's names.
        overflow: What happens to audio for which the uplink is too slow: ``drop_oldest`` for live
            audio, ``block`` (see ``feed``), ``error``.
        backlog_ms: How much audio may wait to be sent.
        playback: Who knows what was heard: the ``clock``, which takes it that audio is played as
            it comes; ``reported``, see ``played``; or ``read``, which takes it that a piece has
            been played when the reader of ``audio()`` asks for the next one.
        output_latency_ms: From the speaker's buffer to the ear, for the clock.
        unheard: What becomes of items of which nothing was heard.
        reconnect: Whether a session that is lost, or ends, goes on in another one.
        renew_margin: How long before its end a session is renewed, in a pause.
        buffer_bytes: How many bytes of events may wait for each reader.
        settings: What has no argument of its own.
    """

    model: str | None = None
    session: Mapping[str, Any] | None = field(default=None, repr=False)
    api_key: ApiKey | None = field(default=None, repr=False)
    base_url: str | None = field(default=None, repr=False)
    call_id: str | None = None
    auth: Auth | None = None
    require_ephemeral: bool | None = None
    organization: str | None = None
    project: str | None = None
    safety_identifier: str | None = field(default=None, repr=False)
    default_headers: Mapping[str, str] | None = field(default=None, repr=False)
    query: Mapping[str, str] | None = field(default=None, repr=False)
    proxy: str | None = field(default=None, repr=False)
    ssl_context: ssl.SSLContext | None = field(default=None, repr=False)
    trust_env: bool = True
    timeout: float = 10.0
    wait_for: Readiness | None = None
    ping_interval: float | None = 20.0
    inbound_bytes: int = 32 * _MIB
    dialect: Dialect = "ga"
    overflow: Overflow = "drop_oldest"
    backlog_ms: float = 1000.0
    playback: Playback | Playhead = "clock"
    output_latency_ms: float = 0.0
    unheard: Unheard = "delete"
    reconnect: bool = True
    renew_margin: float = 300.0
    buffer_bytes: int = 16 * _MIB
    settings: RealtimeSettings = field(default_factory=RealtimeSettings)

    def __post_init__(self) -> None:
        """Check what can be checked before anything is opened."""
        check_kinds(lambda name: getattr(self, name))
        if self.model is not None and self.call_id is not None:
            raise ConfigError("give `model` or `call_id`: a call has its model already")
        for name, words in _WORDS.items():
            if (given := getattr(self, name)) is not None or name not in _FOUND_OUT:
                checked_word(name, given, words)
        if isinstance(self.playback, str):
            checked_word("playback", self.playback, ("clock", "reported", "read"))
        elif not hasattr(self.playback, "played_bytes"):
            raise ConfigError("`playback` must be 'clock', 'reported', 'read' or a Playhead")
        checked_choice("require_ephemeral", self.require_ephemeral)
        checked_seconds("timeout", self.timeout)
        check_milliseconds("backlog_ms", self.backlog_ms)
        checked_seconds("renew_margin", self.renew_margin)
        checked_limit("ping_interval", self.ping_interval)
        checked_count("inbound_bytes", self.inbound_bytes)
        checked_count("buffer_bytes", self.buffer_bytes)
        if self.output_latency_ms < 0:
            raise ConfigError("`output_latency_ms` must be zero or more")
        _check_session(self.session)
        for name, own in _OF_SETTINGS.items():
            if getattr(self.settings, name) != getattr(_DEFAULTS, name):
                raise ConfigError(f"`settings` says `{name}`; say `{own}` to `connect` instead")

    def endpoint(self) -> Endpoint:
        """Return where and how to dial.

        Raises:
            ConfigError: No key for a server that needs one, one that is not ephemeral where it has
                to be, or a URL that is none.
        """
        headers = dict(self.default_headers or {})
        if self.safety_identifier is not None:
            headers["OpenAI-Safety-Identifier"] = self.safety_identifier
        if self.dialect == "beta" and _BETA_HEADER not in map(str.lower, headers):
            headers["OpenAI-Beta"] = "realtime=v1"
        endpoint = endpoint_of(
            api_key=self.api_key,
            base_url=self.base_url,
            organization=self.organization,
            project=self.project,
            default_headers=headers,
            proxy=self.proxy,
            ssl_context=self.ssl_context,
            trust_env=self.trust_env,
            resource="realtime",
        )
        key = endpoint.api_key
        needs_ephemeral = self.require_ephemeral
        if IN_BROWSER if needs_ephemeral is None else needs_ephemeral:
            key = ephemeral(key)
        return replace(endpoint, url=with_query(endpoint.url, self._parameters()), api_key=key)

    def _parameters(self) -> dict[str, str]:
        """Return what the URL's query is to say."""
        chosen = {"call_id": self.call_id} if self.call_id else {"model": self.model}
        return {name: text for name, text in chosen.items() if text} | dict(self.query or {})

    def protocols(self) -> tuple[str, ...] | None:
        """Return the subprotocols beside which the key goes, or None if it goes in a header."""
        if (self.auth or ("subprotocol" if IN_BROWSER else "header")) == "header":
            return None
        return ("realtime", "openai-beta.realtime-v1") if self.dialect == "beta" else ("realtime",)

    def machine_settings(self) -> RealtimeSettings:
        """Return the machine's limits and policies."""
        sideband = self.call_id is not None
        return replace(
            self.settings,
            dial_timeout=self.timeout,
            ready_on=self.wait_for or ("updated" if self.session else "created"),
            receives_audio=not sideband,
            dialect=self.dialect,
            overflow=self.overflow,
            backlog_ms=self.backlog_ms,
            unheard=self.unheard,
            reconnect=self.reconnect and not sideband,
            renew_margin=self.renew_margin,
        )

    def playhead(self) -> Playhead:
        """Return who knows what was heard."""
        if not isinstance(self.playback, str):
            return self.playback
        if self.playback == "clock":
            return VirtualClock(self.output_latency_ms)
        return Reported()


def _check_session(session: object) -> None:
    if session is None:
        return
    if not isinstance(session, Mapping):
        raise ConfigError(f"`session` must be a mapping, not {type(session).__name__}")
    check_session(cast("Mapping[str, Any]", session))
