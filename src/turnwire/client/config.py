"""Where the server is, who we are, and the way there: arguments and environment."""

from __future__ import annotations

import os
import ssl
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit, urlunsplit

from turnwire.errors import ConfigError
from turnwire.io.endpoint import ApiKey, Endpoint, fits_header
from turnwire.io.proxy import UnusableProxy, proxy_at, proxy_from_environment

if TYPE_CHECKING:
    from collections.abc import Mapping

    from turnwire.io.proxy import Proxy

DEFAULT_BASE_URL: Final = "https://api.openai.com/v1"
_SCHEMES: Final = {"http": "http", "https": "https", "ws": "http", "wss": "https"}
_HOSTS_WITH_LANES: Final = frozenset({"api.openai.com"})  # docs/protocol/lanes.md


def endpoint_of(
    *,
    api_key: ApiKey | None,
    base_url: str | None,
    organization: str | None = None,
    project: str | None = None,
    default_headers: Mapping[str, str] | None = None,
    proxy: str | None = None,
    ssl_context: ssl.SSLContext | None = None,
    trust_env: bool = True,
    resource: str = "responses",
) -> Endpoint:
    """Resolve arguments and environment as the official SDK does: only None means "not given".

    ``resource`` is what is below the base URL.

    Raises:
        ConfigError: No key for a server that needs one, a URL that is none, or a way to it that
            cannot be gone.
    """
    if base_url is None:
        base_url = _environment("OPENAI_BASE_URL")
    if api_key is None:
        api_key = _environment("OPENAI_API_KEY")
    elif api_key == "":
        api_key = None
    if api_key is None and base_url is None:
        raise ConfigError(
            "no API key: set OPENAI_API_KEY or pass api_key=…; or run `turnwire serve` and pass"
            ' base_url="http://127.0.0.1:8080/v1", which needs none'
        )
    url = resource_url(DEFAULT_BASE_URL if base_url is None else base_url, resource)
    if isinstance(api_key, str) and not fits_header(api_key):
        raise ConfigError("`api_key` contains a line break; strip it")
    if api_key is not None and "@" in urlsplit(url).netloc:
        raise ConfigError("`base_url` names a user and there is an API key; give one of the two")
    headers = {
        "OpenAI-Organization": _given(organization, "OPENAI_ORG_ID"),
        "OpenAI-Project": _given(project, "OPENAI_PROJECT_ID"),
        **(default_headers or {}),
    }
    for name, value in headers.items():
        if not (fits_header(name) and fits_header(value or "")):
            raise ConfigError(f"`default_headers` or the environment: {name!r} has a line break")
    return Endpoint(
        url,
        api_key=api_key,
        headers={name: value for name, value in headers.items() if value is not None},
        proxy=_proxy(url, proxy, trust_env=trust_env),
        ssl_context=_client_context(ssl_context),
    )


def _environment(name: str) -> str | None:
    return os.environ.get(name) or None


def _given(argument: str | None, name: str) -> str | None:
    return _environment(name) if argument is None else argument or None


def _proxy(url: str, named: object, *, trust_env: bool) -> Proxy | None:
    if named is not None and not isinstance(named, str):
        raise ConfigError(
            f'`proxy` must be a URL such as "http://host:3128", not {type(named).__name__}'
        )
    try:
        if named is None:
            return proxy_from_environment(url) if trust_env else None
        return proxy_at(named, url) if named else None
    except UnusableProxy as error:
        raise ConfigError(str(error)) from None


def _client_context(context: object) -> ssl.SSLContext | None:
    if context is not None and not isinstance(context, ssl.SSLContext):
        raise ConfigError(
            "`ssl_context` must be an ssl.SSLContext, such as"
            f" ssl.create_default_context(cafile=…), not {type(context).__name__}"
        )
    if context is not None and context.protocol is ssl.PROTOCOL_TLS_SERVER:
        raise ConfigError(
            "`ssl_context` is one for servers: make it with ssl.create_default_context(cafile=…)"
        )
    return context


def resource_url(base_url: str, resource: str = "responses") -> str:
    """Return the URL of a resource below a base URL; its query is kept."""
    try:
        parts = urlsplit(base_url)
        usable = parts.scheme in _SCHEMES and bool(parts.hostname) and parts.port != 0
    except ValueError:  # brackets without an address, a port that is no number
        parts, usable = None, False
    if parts is None or not usable:
        raise ConfigError(
            f"base_url must look like https://host/v1, not {_without_secrets(base_url)!r}"
        )
    path = parts.path.rstrip("/")
    path = path if path.endswith(f"/{resource}") else f"{path}/{resource}"
    return urlunsplit((_SCHEMES[parts.scheme], parts.netloc, path, parts.query, ""))


def _without_secrets(url: str) -> str:
    return url.split("?", 1)[0].rsplit("@", 1)[-1]


def knows_lanes(endpoint: Endpoint) -> bool | None:
    """Say whether a server has lanes; None if that must be found out."""
    return True if urlsplit(endpoint.url).hostname in _HOSTS_WITH_LANES else None
