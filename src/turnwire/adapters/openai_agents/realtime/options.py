"""What the SDK says about a connection, as the transport's options."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import parse_qs, urlsplit

from agents import UserError

from turnwire.adapters.openai_agents.fields import USER_AGENT
from turnwire.adapters.openai_agents.realtime.settings import opening_fields
from turnwire.adapters.openai_agents.realtime.tracker import TrackedPlayhead

if TYPE_CHECKING:
    from collections.abc import Mapping

    from agents.realtime import RealtimeModelConfig
    from agents.realtime.openai_realtime import TransportConfig

    from turnwire.realtime import RealtimeOptions

_RESOURCE: Final = "/realtime"
_NAMES: Final = {
    "ping_interval": "ping_interval",
    "handshake_timeout": "timeout",
    "max_size": "inbound_bytes",
}


def transport_options(config: TransportConfig) -> dict[str, Any]:
    """Return the SDK's low-level settings under their names here.

    Raises:
        UserError: There is one that has no counterpart.
    """
    given: Mapping[str, Any] = {**config}
    if "ping_timeout" in given:
        raise UserError(
            "`ping_timeout` has no counterpart: a socket that is silent for 1.5 times"
            " `ping_interval` is lost, and the session goes on in another one"
        )
    if given.get("max_size", 1) is None:
        raise UserError("`max_size` must be a number of bytes; by default it is 32 MiB")
    return {_NAMES[name]: value for name, value in given.items()}


def connection_options(options: RealtimeOptions, config: RealtimeModelConfig) -> RealtimeOptions:
    """Return the options of one connection.

    Args:
        options: The model's own; what the SDK says goes before.
        config: The SDK's.

    Raises:
        UserError: A setting that Realtime does not have, or a URL of something else.
        ConfigError: An option that the transport does not take.
    """
    settings = config.get("initial_model_settings") or {}
    call_id = config.get("call_id")
    changes: dict[str, Any] = {}
    if (url := config.get("url")) is not None:
        call_id = call_id or _query(url).get("call_id")
        changes["base_url"] = _checked(url)
    if call_id is not None:
        if settings.get("model_name"):
            raise UserError("give `call_id` or `model_name`: a call has its model already")
        changes |= {"call_id": call_id, "model": None}
    elif (name := settings.get("model_name")) is not None:
        changes["model"] = name
    headers = config.get("headers")
    key = config.get("api_key") if headers is None else ""  # they sign in by themselves
    if key is not None:
        changes["api_key"] = key
    changes["default_headers"] = _headers(options.default_headers or {}, headers or {})
    if (tracker := config.get("playback_tracker")) is not None:
        changes["playback"] = TrackedPlayhead(tracker)
    session = opening_fields(settings, is_call=call_id is not None)
    changes["session"] = {**(options.session or {}), **session}
    return replace(options, **changes)


def _headers(own: Mapping[str, str], given: Mapping[str, str]) -> dict[str, str]:
    headers = {**own, **given}
    named = {name.lower() for name in headers}
    return headers if "user-agent" in named else {"User-Agent": USER_AGENT, **headers}


def _checked(url: str) -> str:
    if not urlsplit(url).path.rstrip("/").endswith(_RESOURCE):
        raise UserError("`url` must be that of a Realtime endpoint: wss://host/v1/realtime")
    return url


def _query(url: str) -> dict[str, str]:
    return {name: values[-1] for name, values in parse_qs(urlsplit(url).query).items()}
