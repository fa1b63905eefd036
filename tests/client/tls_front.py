"""TLS in front of a peer that has none: what arrives is passed on, as it came."""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from typing import TYPE_CHECKING, Self

import trustme

if TYPE_CHECKING:
    from pathlib import Path
    from types import TracebackType

    from turnwire.testing import Peer


class Authority:
    """An authority of our own: issues certificates, and says whom to trust."""

    def __init__(self) -> None:
        self._authority = trustme.CA()
        self._other = trustme.CA()

    def server(self, *names: str, asks: bool = False) -> ssl.SSLContext:
        """Make the context of a server, which may ask for a certificate of this authority."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._authority.issue_cert(*names or ("127.0.0.1", "localhost")).configure_cert(context)
        if asks:
            context.verify_mode = ssl.CERT_REQUIRED
            self._authority.configure_trust(context)
        return context

    def client(self, *, certificate: bool = False, foreign: bool = False) -> ssl.SSLContext:
        """Make the context of a client, perhaps with a certificate, perhaps of someone else's."""
        context = ssl.create_default_context()
        self._authority.configure_trust(context)
        if certificate or foreign:
            issuer = self._other if foreign else self._authority
            issuer.issue_cert("me@example.org").configure_cert(context)
        return context

    def write(self, folder: Path) -> Path:
        """Write the authority's certificate into a file."""
        path = folder / "authority.pem"
        self._authority.cert_pem.write_to_path(str(path))
        return path

    def write_server(self, folder: Path) -> tuple[Path, Path]:
        """Write the key and the certificate of a server into files."""
        issued = self._authority.issue_cert("127.0.0.1", "localhost")
        return _write(issued, folder / "server.key", folder / "server.pem")

    def write_client(self, folder: Path) -> tuple[Path, Path]:
        """Write the key and the certificate of a client into files."""
        issued = self._authority.issue_cert("me@example.org")
        return _write(issued, folder / "client.key", folder / "client.pem")


def _write(issued: trustme.LeafCert, key: Path, certificate: Path) -> tuple[Path, Path]:
    issued.private_key_pem.write_to_path(str(key))
    issued.cert_chain_pems[0].write_to_path(str(certificate))
    return key, certificate


class Front:
    """Runs while the ``async with`` block does.

    Its handshake is not that of asyncio, which tells a client that it turns away nothing.

    Attributes:
        base_url: Of the peer, through the front.
        dialled: How many connections got through the handshake.
    """

    def __init__(self, peer: Peer, context: ssl.SSLContext) -> None:
        self.dialled = 0
        self._port = int(peer.base_url.split(":")[2].split("/")[0])
        self._context = context
        self._tasks: set[asyncio.Task[None]] = set()

    @property
    def place(self) -> str:
        return f"127.0.0.1:{self._server.sockets[0].getsockname()[1]}"

    @property
    def base_url(self) -> str:
        return f"https://{self.place}/v1"

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        near = _SecureStream(self._context, reader, writer)
        try:
            if await near.shake_hands():
                self.dialled += 1
                await self._pass_on(near)
        except OSError:
            pass  # the client is gone
        finally:
            writer.close()

    async def _pass_on(self, near: _SecureStream) -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", self._port)

        async def to_peer() -> None:
            while data := await near.read():
                writer.write(data)
                await writer.drain()

        async def to_client() -> None:
            while data := await reader.read(2**16):
                await near.write(data)

        copying = [asyncio.create_task(to_peer()), asyncio.create_task(to_client())]
        try:
            await asyncio.wait(copying, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for each in copying:
                each.cancel()
            writer.close()  # before there is another chance to be cancelled
            await asyncio.gather(*copying, return_exceptions=True)


class _SecureStream:
    """The server's half of TLS over a plain stream."""

    def __init__(
        self, context: ssl.SSLContext, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        self._reader, self._writer = reader, writer
        self._incoming, self._outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self._tls = context.wrap_bio(self._incoming, self._outgoing, server_side=True)

    async def shake_hands(self) -> bool:
        """Shake hands; False if that failed, after saying why."""
        while True:
            try:
                self._tls.do_handshake()
            except ssl.SSLWantReadError:
                await self._flush()
                if not await self._feed():
                    return False
            except ssl.SSLError:
                await self._flush()
                self._writer.write_eof()
                await self._reader.read()  # closing with data unread would drop what was said
                return False
            else:
                await self._flush()
                return True

    async def read(self) -> bytes:
        while True:
            with contextlib.suppress(ssl.SSLWantReadError):
                try:
                    return self._tls.read(2**16)
                except ssl.SSLZeroReturnError:
                    return b""
            if not await self._feed():
                return b""

    async def write(self, data: bytes) -> None:
        self._tls.write(data)
        await self._flush()

    async def _feed(self) -> bool:
        data = await self._reader.read(2**16)
        self._incoming.write(data)
        return bool(data)

    async def _flush(self) -> None:
        self._writer.write(self._outgoing.read())
        await self._writer.drain()
