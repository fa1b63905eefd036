"""Stream functions by session id alone, for runners that have no place to keep streams in.

Each session has a client of its own.  Who can keep an object takes ``AgentStreams`` instead.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, NamedTuple, TypedDict, Unpack

from turnwire.agent_stream.streams import AgentStreams
from turnwire.errors import ConfigError, TurnwireError

if TYPE_CHECKING:
    from turnwire.agent_stream.falling_back import FallBack
    from turnwire.agent_stream.options import TransportWord
    from turnwire.agent_stream.streams import StreamFn
    from turnwire.core.answers import Unanswered
    from turnwire.io.endpoint import ApiKey

_MOST_SESSIONS: Final = 256


class StreamsOptions(TypedDict, total=False):
    """Arguments of :class:`AgentStreams` that one session may have."""

    base_url: str | None
    transport: TransportWord
    fall_back: FallBack | None
    unanswered_calls: Unanswered


class _Open(NamedTuple):
    streams: AgentStreams
    made_with: dict[str, Any]


_open: Final[dict[str, _Open]] = {}


def create_stream_fn(
    api_key: ApiKey | None, session_id: str, **options: Unpack[StreamsOptions]
) -> StreamFn:
    """Return the stream function of a session, which stays open until :func:`release`.

    Args:
        api_key: As the client's.
        session_id: Names the session in this process.
        **options: See :class:`AgentStreams`.

    Raises:
        ConfigError: An argument is wrong, or the session is open with other arguments.
        TurnwireError: 256 sessions are open.
    """
    made_with: dict[str, Any] = {"api_key": api_key, **options}
    known = _open.get(session_id)
    if known is not None and known.made_with != made_with:
        raise ConfigError("the session is open with other arguments; release it first")
    if known is None:
        if len(_open) >= _MOST_SESSIONS:
            raise TurnwireError(f"{_MOST_SESSIONS} sessions are open; `release` those that ended")
        streams = AgentStreams(api_key=api_key, max_sessions=1, idle_timeout=None, **options)
        known = _open[session_id] = _Open(streams, made_with)
    return known.streams.stream_fn(session_id)


async def release(session_id: str) -> None:
    """Close a session and its sockets, if it is open; streams that run end as ``aborted``."""
    known = _open.pop(session_id, None)
    if known is not None:
        await known.streams.aclose()


def has_live(session_id: str) -> bool:
    """Say whether a session's last turn ended well on a socket, and a socket is open."""
    known = _open.get(session_id)
    return known is not None and known.streams.has_live(session_id)
