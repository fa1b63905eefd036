"""Every option of a client: its name, its default, its check."""

from __future__ import annotations

import difflib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal, TypedDict

from turnwire.client.checking import (
    checked_choice,
    checked_count,
    checked_limit,
    checked_seconds,
    checked_word,
)
from turnwire.client.config import endpoint_of, knows_lanes
from turnwire.core.backoff import Backoff
from turnwire.core.request import Deadlines
from turnwire.core.settings import PoolSettings
from turnwire.errors import ConfigError

if TYPE_CHECKING:
    import ssl
    from collections.abc import Mapping

    from turnwire.core.answers import Unanswered
    from turnwire.core.request import Replay, Transport
    from turnwire.io.endpoint import ApiKey, Endpoint

TRANSPORTS: Final = ("auto", "websocket", "http")
REPLAYS: Final = ("never", "safe", "always")
UNANSWERED: Final = ("error", "drop", "stub", "send")


class ClientOptions(TypedDict, total=False):
    """Options of a client; durations in seconds, None for no limit, sizes in bytes.

    Attributes:
        api_key: A key, or a callable or async callable that returns one at every dial and every
            POST; by default ``OPENAI_API_KEY``.  Servers given by ``base_url`` may need none: an
            empty text is no key.
        base_url: By default ``OPENAI_BASE_URL``, else the hosted service.
        organization: By default ``OPENAI_ORG_ID``.
        project: By default ``OPENAI_PROJECT_ID``.
        default_headers: Sent with every dial and every POST.
        proxy: An HTTP proxy for both transports, such as ``http://user:password@host:3128``; by
            default the environment's, and an empty text for none.
        ssl_context: Whom to trust and as whom to appear, for both transports and for the proxy;
            by default what Python trusts by itself.
        trust_env: Whether ``HTTPS_PROXY``, ``NO_PROXY`` and their like are heeded (True); they
            are read when the client is made.
        transport: ``auto`` (the default): WebSocket, and HTTP where that does not work;
            ``websocket`` or ``http``: that one only.
        timeout: From a turn's submission to its terminal event (None).
        dial_timeout: For a dial; also for a new connection of a POST, and for its key (5).
        write_timeout: For writing a turn's message (30).
        first_event_timeout: From there to the server's first event (30).
        progress_timeout: Without any event on a turn's connection (None); a model may think for
            minutes, and pings tell whether the server is still there.
        queue_timeout: How long a turn waits for a lane (60).
        ping_interval: How long a socket may be silent before it is pinged (20); None for no pings.
        ping_timeout: How long the pong may take before the socket counts as lost (20).
        max_age: When a socket is replaced, give or take two minutes (3000); servers end them
            after an hour.  None for never.
        dial_backoff: When to dial again while no socket works: twice, within a second and a half.
        max_retries: How often a turn is sent again that the server was too busy for (2).
        replay: Whether a turn that the server has perhaps run is sent again, once, after its
            socket was lost and before its caller has seen output: ``safe`` (the default): unless
            it has tools on the server with side effects; ``never``; ``always``; or a function of
            an :class:`~turnwire.Interruption` that says.
        resume: Whether a stored response is fetched over HTTP when its socket was lost (False);
            not every server keeps running it.
        unanswered_calls: What to do about tool calls in a chain that have no output: ``error``
            (the default), ``drop`` them, ``stub`` an output that says so, or ``send`` them as
            they are: the server will refuse.
        max_sockets: Sockets at most (4).
        lanes: Whether the server knows ``stream_id``; None to find out when turns first overlap.
        buffer_bytes: How much of a turn may wait to be read before the turn fails (16 MiB).
        client_buffer_bytes: The same for all turns together (64 MiB).
        queue_bytes: How much may wait to be sent before turns are refused (64 MiB).
    """

    api_key: ApiKey | None
    base_url: str | None
    organization: str | None
    project: str | None
    default_headers: Mapping[str, str] | None
    proxy: str | None
    ssl_context: ssl.SSLContext | None
    trust_env: bool
    transport: Transport
    timeout: float | None
    dial_timeout: float
    write_timeout: float | None
    first_event_timeout: float | None
    progress_timeout: float | None
    queue_timeout: float | None
    ping_interval: float | None
    ping_timeout: float
    max_age: float | None
    dial_backoff: Backoff
    max_retries: int
    replay: Replay
    resume: bool
    unanswered_calls: Unanswered
    max_sockets: int
    lanes: bool | None
    buffer_bytes: int
    client_buffer_bytes: int
    queue_bytes: int


@dataclass(frozen=True, slots=True)
class Config:
    """Everything that a client needs to make engines and turns."""

    endpoint: Endpoint
    pool: PoolSettings
    transport: Transport
    replay: Replay
    unanswered: Unanswered
    buffer_bytes: int
    client_buffer_bytes: int


def config_of(options: ClientOptions) -> Config:
    """Check options and fill in what was not given.

    Raises:
        ConfigError: An option is missing, unknown or wrong.
    """
    for name in options:
        if name not in ClientOptions.__annotations__:
            raise ConfigError(_unknown(name))
    endpoint = endpoint_of(
        api_key=options.get("api_key"),
        base_url=options.get("base_url"),
        organization=options.get("organization"),
        project=options.get("project"),
        default_headers=options.get("default_headers"),
        proxy=options.get("proxy"),
        ssl_context=options.get("ssl_context"),
        trust_env="trust_env" not in options or options["trust_env"],
    )
    lanes = checked_choice("lanes", options.get("lanes"))
    return Config(
        endpoint=endpoint,
        pool=PoolSettings(
            sockets=checked_count("max_sockets", options.get("max_sockets", 4)),
            lanes=knows_lanes(endpoint) if lanes is None else lanes,
            dial=checked_seconds("dial_timeout", options.get("dial_timeout", 5.0)),
            dial_backoff=_backoff(options.get("dial_backoff", Backoff())),
            refreshes_key=endpoint.can_refresh,
            queue_bytes=checked_count("queue_bytes", options.get("queue_bytes", 64 * 2**20)),
            ping_interval=checked_limit("ping_interval", options.get("ping_interval", 20.0)),
            ping_timeout=checked_seconds("ping_timeout", options.get("ping_timeout", 20.0)),
            max_age=checked_limit("max_age", options.get("max_age", 3000.0)),
            retries=checked_count("max_retries", options.get("max_retries", 2), least=0),
            resume=checked_choice("resume", options.get("resume")) is True,
            deadlines=_deadlines(options),
        ),
        transport=checked_word("transport", options.get("transport", "auto"), TRANSPORTS),
        replay=checked_replay(options.get("replay", "safe")),
        unanswered=checked_word(
            "unanswered_calls", options.get("unanswered_calls", "error"), UNANSWERED
        ),
        buffer_bytes=checked_count("buffer_bytes", options.get("buffer_bytes", 16 * 2**20)),
        client_buffer_bytes=checked_count(
            "client_buffer_bytes", options.get("client_buffer_bytes", 64 * 2**20)
        ),
    )


def _deadlines(options: ClientOptions) -> Deadlines:
    return Deadlines(
        queue=checked_limit("queue_timeout", options.get("queue_timeout", 60.0)),
        write=checked_limit("write_timeout", options.get("write_timeout", 30.0)),
        first_event=checked_limit("first_event_timeout", options.get("first_event_timeout", 30.0)),
        progress=checked_limit("progress_timeout", options.get("progress_timeout")),
        turn=checked_limit("timeout", options.get("timeout")),
    )


def checked_replay(replay: Replay) -> Replay:
    """Return the policy.

    Raises:
        ConfigError: It is none.
    """
    if callable(replay):
        return replay
    word: Literal["never", "safe", "always"] = checked_word("replay", replay, REPLAYS)
    return word


def checked_unanswered(given: Unanswered) -> Unanswered:
    """Return the policy.

    Raises:
        ConfigError: It is none.
    """
    return checked_word("unanswered_calls", given, UNANSWERED)


def _backoff(backoff: object) -> Backoff:
    if not isinstance(backoff, Backoff):
        raise ConfigError(
            "`dial_backoff` must be a turnwire.Backoff, such as Backoff((1, 2, 4, 8, 16)),"
            f" not {type(backoff).__name__}"
        )
    return backoff


def _unknown(name: str) -> str:
    close = difflib.get_close_matches(name, ClientOptions.__annotations__, n=1)
    hint = f"did you mean `{close[0]}`?" if close else "see turnwire.client.options"
    return f"`{name}` is not an option of a client; {hint}"
