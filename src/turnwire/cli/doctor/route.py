"""The way to the server: proxy, name, connection, TLS."""

from __future__ import annotations

import asyncio
import os
import socket
import ssl
import threading
from contextlib import suppress
from email.utils import formatdate
from typing import TYPE_CHECKING, Any, Final, NamedTuple
from urllib.parse import urlsplit
from urllib.request import getproxies

from turnwire.cli.doctor.configuration import is_local
from turnwire.cli.doctor.findings import Skip, note, ok, problem
from turnwire.cli.doctor.units import milliseconds

if TYPE_CHECKING:
    from asyncio import StreamReader, StreamWriter
    from collections.abc import Mapping

    from turnwire.cli.doctor.case import Case
    from turnwire.cli.doctor.findings import Result
    from turnwire.io.endpoint import Endpoint
    from turnwire.io.proxy import Proxy

_PORTS: Final = {"http": 80, "https": 443}
_SHOWN_ADDRESSES: Final = 3
_EXPIRES_SOON: Final = 14 * 86400.0
_HAPPY_EYEBALLS: Final = 0.25  # as aiohttp has it
_OK: Final = b"200"


class Place(NamedTuple):
    """Where to connect to."""

    scheme: str
    host: str
    port: int


def place_of(url: str) -> Place:
    """Return where a URL leads."""
    parts = urlsplit(url)
    return Place(parts.scheme, parts.hostname or "", parts.port or _PORTS[parts.scheme])


def first_hop(endpoint: Endpoint) -> Place:
    """Return where the connection goes: to the proxy, if there is one."""
    return place_of(endpoint.proxy.url if endpoint.proxy else endpoint.url)


async def proxy(case: Case) -> Result:
    """Say which proxy is used, and who says so."""
    endpoint = case.endpoint
    scheme = place_of(endpoint.url).scheme
    named_by = variable_of(scheme, os.environ)
    if endpoint.proxy is None:
        if named_by is None and not getproxies().get(scheme):
            return ok("none; nothing names one", proxy=None, source=None)
        source = named_by or "the system's settings"
        return ok(
            f"none; {source} names one, and NO_PROXY excludes this server",
            proxy=None,
            source=source,
        )
    source = named_by or "the system's settings"
    said = f"{endpoint.proxy.url}, from {source}"
    if endpoint.proxy.headers:
        said += ", with a name and a password"
    details = {"proxy": endpoint.proxy.url, "source": source, "tunnels": endpoint.proxy.tunnels}
    if endpoint.proxy.tunnels:
        return ok(said, **details)
    return note(
        f"{said}; without a tunnel, since the URL is http://",
        "some proxies do not pass upgrades on: if the handshake fails, put the host into NO_PROXY",
        **details,
    )


def variable_of(scheme: str, environ: Mapping[str, str]) -> str | None:
    """Return the environment variable that names the proxy; lower case wins."""
    for name in (f"{scheme}_proxy", "all_proxy"):
        for each in (name, name.upper()):
            if environ.get(each):
                return each
    return None


async def dns(case: Case) -> Result:
    """Look the name up of whatever the connection goes to."""
    endpoint = case.endpoint
    hop = first_hop(endpoint)
    case.blocked = f"the name {hop.host} leads nowhere"
    began = asyncio.get_running_loop().time()
    try:
        addresses = await _look_up(hop.host, hop.port)
    except (OSError, UnicodeError) as error:
        why = error.strerror if isinstance(error, OSError) else "it is no name"
        return problem(
            f"{hop.host} is not known: {case.quote(why or str(error))}",
            "check the host in the URL, and this machine's resolver; behind a proxy that looks"
            " names up, set HTTPS_PROXY",
            host=hop.host,
            addresses=[],
        )
    case.blocked = ""
    seconds = asyncio.get_running_loop().time() - began
    details = {"host": hop.host, "addresses": addresses, "seconds": seconds}
    whose = "the proxy " if endpoint.proxy else ""
    if addresses == [hop.host]:
        return ok(f"{whose}{hop.host} is an address", **details)
    shown = ", ".join(addresses[:_SHOWN_ADDRESSES])
    more = len(addresses) - _SHOWN_ADDRESSES
    shown += f" and {more} more" if more > 0 else ""
    return ok(f"{whose}{hop.host} is {shown}; {milliseconds(seconds)}", **details)


async def _look_up(host: str, port: int) -> list[str]:
    """Resolve a name in a thread that nobody has to wait for at the end, however long it takes."""
    loop = asyncio.get_running_loop()
    found: asyncio.Future[list[str]] = loop.create_future()

    def settle(addresses: list[str], error: Exception | None) -> None:
        if found.done():
            return
        if error is None:
            found.set_result(addresses)
        else:
            found.set_exception(error)

    def work() -> None:
        addresses: list[str] = []
        failed: Exception | None = None
        try:
            entries = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
            addresses = list(dict.fromkeys(str(entry[4][0]) for entry in entries))
        except (OSError, UnicodeError) as error:
            failed = error
        with suppress(RuntimeError):  # the loop is closed: it took too long
            loop.call_soon_threadsafe(settle, addresses, failed)

    threading.Thread(target=work, name="turnwire-doctor-dns", daemon=True).start()
    return await found


async def connect(case: Case) -> Result:
    """Open a TCP connection to the server, or to the proxy."""
    endpoint = case.reachable()
    hop = first_hop(endpoint)
    whose = "the proxy" if endpoint.proxy else "the server"
    place = f"{hop.host}:{hop.port}"
    case.blocked = f"no connection to {place}"
    began = asyncio.get_running_loop().time()
    try:
        _, writer = await _open(hop)
    except OSError as error:
        refused = isinstance(error, ConnectionRefusedError)
        why = "nobody listens there" if refused else case.quote(error.strerror or str(error))
        return problem(
            f"no connection to {whose} ({place}): {why}",
            "check host and port, that the server runs, and the firewall between",
            host=hop.host,
            port=hop.port,
        )
    case.blocked = ""
    seconds = asyncio.get_running_loop().time() - began
    peer: str = writer.get_extra_info("peername")[0]
    writer.transport.abort()
    to = place if peer == hop.host else f"{place} ({peer})"
    return ok(
        f"to {whose}, {to}, in {milliseconds(seconds)}",
        host=hop.host,
        port=hop.port,
        address=peer,
        seconds=seconds,
    )


async def _open(hop: Place) -> tuple[StreamReader, StreamWriter]:
    return await asyncio.open_connection(hop.host, hop.port, happy_eyeballs_delay=_HAPPY_EYEBALLS)


async def tls(case: Case) -> Result:
    """Shake hands and read the certificate, through the proxy if there is one."""
    endpoint = case.reachable()
    server = place_of(endpoint.url)
    if server.scheme == "http":
        where = "this machine" if is_local(server.host) else "another machine"
        return ok(f"none: the URL is http://, the server on {where}", version=None)
    if endpoint.proxy and endpoint.proxy.url.startswith("https:"):
        raise Skip("the proxy speaks TLS itself; the handshake below goes through both")
    began = asyncio.get_running_loop().time()
    reader, writer = await _open(first_hop(endpoint))
    try:
        if endpoint.proxy is not None:
            answer = await _tunnel(reader, writer, server, endpoint.proxy)
            if answer is not None:
                case.blocked = "the proxy makes no tunnel"
                return problem(
                    f"the proxy makes no tunnel to {server.host}:{server.port}:"
                    f" {case.quote(answer)}",
                    "check the proxy's name and password, and what it allows; or put the host"
                    " into NO_PROXY",
                )
        await writer.start_tls(ssl.create_default_context(), server_hostname=server.host)
    except ssl.SSLError as error:
        case.blocked = "TLS fails"
        return _failed(case, error)
    else:
        seconds = asyncio.get_running_loop().time() - began
        secured: ssl.SSLObject = writer.get_extra_info("ssl_object")
        return _certificate(case, secured, seconds)
    finally:
        writer.transport.abort()


async def _tunnel(
    reader: StreamReader, writer: StreamWriter, server: Place, proxy: Proxy
) -> str | None:
    """Ask a proxy for a tunnel; return what it said if it makes none."""
    host = f"[{server.host}]" if ":" in server.host else server.host
    headers = {"Host": f"{host}:{server.port}", **proxy.headers}
    lines = [f"CONNECT {host}:{server.port} HTTP/1.1"]
    lines += [f"{name}: {value}" for name, value in headers.items()]
    writer.write("\r\n".join([*lines, "", ""]).encode("latin-1"))
    try:
        head = await reader.readuntil(b"\r\n\r\n")
    except (asyncio.IncompleteReadError, asyncio.LimitOverrunError):
        return "it hung up"
    status = head.split(b"\r\n", 1)[0]
    return None if status.split(b" ")[1:2] == [_OK] else status.decode("latin-1")


def _failed(case: Case, error: ssl.SSLError) -> Result:
    if isinstance(error, ssl.SSLCertVerificationError):
        return problem(
            f"the certificate is not trusted: {case.quote(error.verify_message)}",
            "if a proxy or the server has a certificate of your own authority, name its file in"
            " SSL_CERT_FILE",
            trusted_through=_authorities(),
        )
    if error.reason == "WRONG_VERSION_NUMBER":
        return problem("no TLS is spoken there", "is it http:// instead of https://?")
    return problem(f"TLS fails: {case.quote(error.reason or str(error))}", "check host and port")


def _certificate(case: Case, secured: ssl.SSLObject, seconds: float) -> Result:
    certificate: dict[str, Any] = dict(secured.getpeercert() or {})
    issuer = case.quote(issuer_of(certificate))
    expires = ssl.cert_time_to_seconds(certificate["notAfter"])
    left = expires - case.now()
    trusted = _authorities()
    said = (
        f"{secured.version()}; certificate from {issuer}, valid until"
        f" {formatdate(expires, usegmt=True)[5:16]}; trusted through {trusted};"
        f" {milliseconds(seconds)}"
    )
    details = {
        "version": secured.version(),
        "issuer": issuer,
        "expires_at": expires,
        "trusted_through": trusted,
        "seconds": seconds,
    }
    if left < _EXPIRES_SOON:
        return note(said, "the certificate expires soon: renew it", **details)
    return ok(said, **details)


def _authorities() -> str:
    """Say where the certificates are that are trusted."""
    named = [name for name in ("SSL_CERT_FILE", "SSL_CERT_DIR") if os.environ.get(name)]
    return " and ".join(named) or "the system's authorities"


def issuer_of(certificate: Mapping[str, Any]) -> str:
    """Return who signed a certificate: the organisation, and the name."""
    members = {name: value for group in certificate.get("issuer", ()) for name, value in group}
    parts = [members.get("organizationName"), members.get("commonName")]
    return ", ".join(part for part in parts if part) or "an unnamed authority"
