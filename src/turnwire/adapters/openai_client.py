"""The official SDK's clients, with creates of a response on a socket."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from turnwire.errors import ConfigError
from turnwire.extras import needs

with needs("openai", module="turnwire.openai_client"):
    import openai

if TYPE_CHECKING:
    from turnwire.adapters.drop_in.options import DropInOptions

__all__ = ["async_openai_client", "openai_client"]


def openai_client(*, sockets: DropInOptions | None = None, **options: Any) -> openai.OpenAI:
    """Make an ``openai.OpenAI`` whose ``responses.create`` goes over a socket.

    Closing it closes the sockets.

    Args:
        sockets: Options of the transport, such as ``{"max_sockets": 8}``.
        **options: Arguments of ``openai.OpenAI``, apart from ``http_client``.

    Raises:
        ConfigError: An option is wrong, or does not fit here.
        ImportError: The SDK is not installed.
    """
    http_client = _library(options).Client(**(sockets or {}))
    return openai.OpenAI(http_client=http_client, **options)


def async_openai_client(
    *, sockets: DropInOptions | None = None, **options: Any
) -> openai.AsyncOpenAI:
    """Make an ``openai.AsyncOpenAI`` whose ``responses.create`` goes over a socket.

    Args:
        sockets: As for :func:`openai_client`.
        **options: Arguments of ``openai.AsyncOpenAI``, apart from ``http_client``.

    Raises:
        ConfigError: An option is wrong, or does not fit here.
        ImportError: The SDK is not installed.
    """
    http_client = _library(options).AsyncClient(**(sockets or {}))
    return openai.AsyncOpenAI(http_client=http_client, **options)


def _library(options: dict[str, Any]) -> Any:
    """Return our module for the HTTP library that the installed SDK is built on."""
    if "http_client" in options:
        raise ConfigError(
            "`http_client` is made here: wrap yours instead, with"
            " turnwire.httpx2.AsyncClient(transport=...)"
        )
    bases = {base.__module__.partition(".")[0] for base in openai.DefaultHttpxClient.__mro__}
    return import_module("turnwire.httpx2" if "httpx2" in bases else "turnwire.httpx")
