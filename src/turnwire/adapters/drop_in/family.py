"""What the HTTP libraries of one family have in common, written once.

``httpx`` and ``httpx2`` have the same interface under two names; a :class:`Family` is one of them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from turnwire import errors
from turnwire.adapters.drop_in.asked import Asked, deadlines_of, headers_of_socket, is_create
from turnwire.adapters.drop_in.streams import AsyncPieces, Pieces

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import ModuleType

    from turnwire.adapters.drop_in.exchange import Exchange
    from turnwire.adapters.drop_in.report import Report
    from turnwire.io.portal import Portal

REPORT: Final = "turnwire"  # its name among a response's extensions
_TRANSPORT_HEADER: Final = "x-turnwire-transport"

# The SDK's own limits and timeouts, for clients that are made here.
CONNECTIONS: Final = {"max_connections": 1000, "max_keepalive_connections": 100}
TIMEOUT: Final = {"timeout": 600, "connect": 5.0}  # to the letter: the SDK repeats them in a header


class Family:
    """One library of the family.

    Args:
        library: ``httpx`` or ``httpx2``.
    """

    def __init__(self, library: ModuleType) -> None:
        self.library: Any = library
        self.not_reached: tuple[type[Exception], ...] = (
            self.library.ConnectError, self.library.ConnectTimeout, self.library.ProxyError,
        )  # fmt: skip
        self._async_stream = type("AsyncStream", (AsyncPieces, self.library.AsyncByteStream), {})
        self._stream = type("Stream", (Pieces, self.library.SyncByteStream), {})

    def check_wrapped(self, wrapped: object, kind: str) -> None:
        """Check what somebody gave to be wrapped.

        Raises:
            ConfigError: It is no transport of this library and colour.
        """
        if wrapped is not None and not isinstance(wrapped, getattr(self.library, kind)):
            raise errors.ConfigError(
                f"only a transport of {self.library.__name__} can be wrapped, a"
                f" {self.library.__name__}.{kind}, not {type(wrapped).__name__}"
            )

    def asked(self, request: Any) -> Asked:
        """Read a create, whose body has been read."""
        url = request.url
        place = f"{url.scheme}://{url.netloc.decode()}{url.raw_path.decode()}"
        raw: list[tuple[bytes, bytes]] = request.headers.raw
        headers = ((name.decode("latin-1"), value.decode("latin-1")) for name, value in raw)
        timeout: dict[str, float | None] = request.extensions.get("timeout") or {}
        return Asked(
            url=place,
            headers=headers_of_socket(headers),
            body=request.content,
            deadlines=deadlines_of(timeout),
            connect=timeout.get("connect"),
        )

    def is_ours(self, request: Any) -> bool:
        """Say whether a request is a create."""
        return is_create(request.method, request.url.path, request.headers)

    def response(self, status: int, headers: dict[str, str], report: Report, **content: Any) -> Any:
        """Build an answer that came over a socket; ``content`` or ``stream`` is its body."""
        return self.library.Response(
            status,
            # As bytes: what a server says in an error event may be any text.
            headers=[
                (name.encode(), value.encode())
                for name, value in {**headers, _TRANSPORT_HEADER: "websocket"}.items()
            ],
            extensions={REPORT: report, "http_version": b"HTTP/1.1"},
            **content,
        )

    def whole(self, body: bytes) -> Any:
        """Build the stream of an answer that is there in one piece."""
        return self.library.ByteStream(body)

    def async_stream(self, exchange: Exchange, request: Any) -> Any:
        """Build the stream of an answer."""
        return self._async_stream(exchange, lambda error: self.error(error, request))

    def stream(self, exchange: Exchange, request: Any, portal: Portal) -> Any:
        """Build the stream of an answer for threads."""
        return self._stream(exchange, lambda error: self.error(error, request), portal)

    def delegated(self, response: Any, report: Report) -> Any:
        """Say of a wrapped transport's answer how it travelled."""
        response.headers[_TRANSPORT_HEADER] = "http"
        response.extensions = {**response.extensions, REPORT: report}
        return response

    def error(self, error: errors.TurnwireError, request: Any) -> Exception:
        """Return the library's own exception for an error of ours."""
        kind: Callable[..., Exception] = getattr(self.library, _name_of(error))
        return kind(str(error), request=request)


def _name_of(error: errors.TurnwireError) -> str:
    match error:
        case errors.DialTimeout():
            return "ConnectTimeout"
        case errors.QueueTimeout() | errors.QueueFull():
            return "PoolTimeout"
        case errors.FirstEventTimeout() | errors.ProgressTimeout() | errors.TurnTimeout():
            return "ReadTimeout"
        case errors.DialError():
            return "ConnectError"
        case errors.ConfigError():
            return "LocalProtocolError"
        case _:  # most often lost; of a broken protocol some callers think that nothing was read
            broken = isinstance(error.__cause__, errors.ProtocolError)
            return "RemoteProtocolError" if broken else "ReadError"
