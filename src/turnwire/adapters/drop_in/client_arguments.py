"""The arguments of an HTTP client that is made on a drop-in transport."""

from __future__ import annotations

import difflib
import inspect
import ssl
from typing import TYPE_CHECKING, Any, Final, cast

from turnwire.adapters.drop_in.family import TIMEOUT
from turnwire.adapters.drop_in.options import (
    OF_THE_REQUEST,
    DropInOptions,
    comes_with_requests,
)
from turnwire.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Callable

    from turnwire.adapters.drop_in.family import Family

_OURS: Final = frozenset(DropInOptions.__annotations__)
# What only a transport of one's own can do, so that nothing is dropped silently.
_OF_A_TRANSPORT: Final = (
    "cert", "http1", "http2", "limits", "local_address", "retries", "socket_options", "uds",
)  # fmt: skip


def client_arguments(
    family: Family, door: type[Any], make: Callable[..., Any], given: dict[str, Any]
) -> dict[str, Any]:
    """Return what to make the library's client of.

    Args:
        family: The library.
        door: What drop-in transports of its colour are.
        make: Makes one: of a wrapped transport or None, and options.
        given: What the caller gave: arguments of the library's client, and options of ours.

    Raises:
        ConfigError: An argument does not fit here.
    """
    arguments = {"timeout": family.library.Timeout(**TIMEOUT), "follow_redirects": True, **given}
    transport = arguments.pop("transport", None)
    if "verify" in arguments:
        if "ssl_context" in arguments:
            raise ConfigError("`verify` and `ssl_context` say the same; give one of the two")
        arguments["ssl_context"] = _context(arguments.pop("verify"))
    options = {name: arguments.pop(name) for name in tuple(arguments) if name in _OURS}
    if isinstance(transport, door):
        if options:
            raise ConfigError(f"give {sorted(options)} to the transport, which is made already")
        return {**arguments, "transport": transport}
    for name in _OF_A_TRANSPORT:
        if name in arguments:
            raise ConfigError(
                f"`{name}` belongs to an HTTP transport: make one, and pass it as `transport`"
            )
    _check_known(arguments, family.library.Client)
    if isinstance(transport, str):
        options["transport"], transport = transport, None
    if "trust_env" in options:
        arguments["trust_env"] = options["trust_env"]
    made = make(transport, cast("DropInOptions", options))
    return {**arguments, "transport": made}


def _check_known(arguments: dict[str, Any], client: type[Any]) -> None:
    """Refuse what neither the library's client nor our transport takes."""
    known = [*inspect.signature(client).parameters, *_OURS]
    for name in arguments:
        if name in OF_THE_REQUEST and name not in known:
            raise ConfigError(comes_with_requests(name))
        if name not in known:
            close = difflib.get_close_matches(name, known, n=1)
            hint = f"; did you mean `{close[0]}`?" if close else ""
            raise ConfigError(f"`{name}` is not an argument of {client.__module__} clients{hint}")


def _context(verify: object) -> ssl.SSLContext | None:
    """Return whom to trust: as the library's ``verify`` says."""
    if verify is True:
        return None
    if isinstance(verify, ssl.SSLContext):
        return verify
    if verify is False:
        context = ssl.create_default_context()
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        return context
    raise ConfigError("`verify` must be True, False or an ssl.SSLContext")
