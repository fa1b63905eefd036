"""What the options and the environment come to; nothing is sent."""

from __future__ import annotations

import os
from ipaddress import ip_address
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit
from urllib.request import getproxies

from turnwire.cli.doctor.case import Configuration
from turnwire.cli.doctor.findings import note, ok, problem
from turnwire.cli.doctor.secrets import Secrets, bare_url, secrets_in_url
from turnwire.client.config import DEFAULT_BASE_URL, endpoint_of
from turnwire.errors import ConfigError

if TYPE_CHECKING:
    from turnwire.cli.doctor.case import Case, Told
    from turnwire.cli.doctor.findings import Result
    from turnwire.io.endpoint import Endpoint

_KEY: Final = "OPENAI_API_KEY"
_URL: Final = "OPENAI_BASE_URL"
_UNSET: Final = "the variable that --api-key-env names"
_PROXIES: Final = ("HTTPS_PROXY", "HTTP_PROXY", "ALL_PROXY", "NO_PROXY")
MATTER: Final = (
    *(_KEY, _URL, "OPENAI_MODEL", "OPENAI_ORG_ID", "OPENAI_PROJECT_ID"),
    *_PROXIES,
    *map(str.lower, _PROXIES),
    *("SSL_CERT_FILE", "SSL_CERT_DIR", "SSLKEYLOGFILE"),
)


def configure(told: Told) -> Configuration:
    """Resolve options and environment as the client does."""
    variable = told.api_key_env or _KEY
    key = os.environ.get(variable) or None
    if key is None and variable != _KEY:
        variable = _UNSET  # for all we know it is the key itself
    base_url, source = _base_url(told)
    endpoint, key_complaint, complaint = _endpoint(base_url, key)
    secrets = Secrets(
        [
            *([key] if key else []),
            *secrets_in_url(base_url),
            *(secret for url in getproxies().values() for secret in secrets_in_url(url)),
        ]
    )
    return Configuration(
        base_url=base_url,
        base_url_source=source,
        key_variable=variable,
        key_is_set=key is not None,
        key_complaint=secrets.quote(key_complaint),
        complaint=secrets.quote(complaint),
        endpoint=endpoint,
        secrets=secrets,
    )


def _base_url(told: Told) -> tuple[str, str]:
    if told.base_url is not None:
        return told.base_url, "--base-url"
    if os.environ.get(_URL):
        return os.environ[_URL], _URL
    return DEFAULT_BASE_URL, "the default"


def _endpoint(base_url: str, key: str | None) -> tuple[Endpoint | None, str, str]:
    """Return the server, why the key is not used, and why there is no server."""
    key_complaint = ""
    for api_key in (key or "", ""):
        try:
            return endpoint_of(api_key=api_key, base_url=base_url), key_complaint, ""
        except ConfigError as error:
            if not api_key:  # it was not the key's fault
                return None, "", str(error)
            key_complaint = str(error)
    return None, "", key_complaint


async def base_url(case: Case) -> Result:
    """Say where the server is, and who said so."""
    configuration = case.configuration
    shown = bare_url(configuration.base_url)
    details = {"base_url": shown, "source": configuration.base_url_source}
    if configuration.endpoint is None:
        return problem(
            f"{shown}, from {configuration.base_url_source}: {configuration.complaint}",
            "mend it; nothing was sent",
            **details,
        )
    said = f"{shown}, from {configuration.base_url_source}"
    parts = urlsplit(configuration.endpoint.url)
    if parts.scheme == "http" and not is_local(parts.hostname or ""):
        return note(
            f"{said}: without TLS", "the key can be read on the way; use https://", **details
        )
    if parts.hostname == "api.openai.com" and not parts.path.startswith("/v1/"):
        return note(f"{said}: without /v1", f"use {DEFAULT_BASE_URL}", **details)
    return ok(said, **details)


async def key(case: Case) -> Result:
    """Say whether there is a key; never the key."""
    configuration = case.configuration
    variable = configuration.key_variable
    details = {"variable": variable, "is_set": configuration.key_is_set}
    if configuration.key_complaint:
        return problem(
            f"{variable} is set and cannot be used: {configuration.key_complaint}",
            "everything below is tried without it",
            **details,
        )
    if configuration.key_is_set:
        value = os.environ.get(variable, "")
        if value.strip("\"' \t") != value:
            return problem(
                f"{variable} begins or ends with a space or a quotation mark",
                "set it without them",
                **details,
            )
        return ok(f"{variable} is set", **details)
    if configuration.base_url_source == "the default":
        return problem(
            f"{variable} is not set", "the hosted service needs a key: set it", **details
        )
    if case.told.api_key_env is not None:
        return problem(
            f"{variable} is not set",
            "set it, or name another; the option takes a name, not the key",
            **details,
        )
    return ok(f"{variable} is not set; none is sent", **details)


async def environment(case: Case) -> Result:
    """Name the variables that are set and matter; not their values."""
    del case
    found = [name for name in MATTER if os.environ.get(name)]
    if "SSLKEYLOGFILE" in found:
        return note(
            f"set: {', '.join(found)}",
            "SSLKEYLOGFILE has every TLS key written to a file: unset it, unless you meant to",
            variables=found,
        )
    said = f"set: {', '.join(found)}" if found else "no variable that matters is set"
    return ok(said, variables=found)


def is_local(host: str) -> bool:
    """Say whether a host is this machine."""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host.lower().rstrip(".") == "localhost"
