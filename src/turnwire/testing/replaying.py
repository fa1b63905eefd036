"""One socket of a recording, played again: what was sent is sent, once the same has arrived."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, Final, Protocol, cast

import msgspec
from aiohttp import WSMsgType, web

from turnwire.recording.expecting import lane_of
from turnwire.recording.http_relay import drop
from turnwire.recording.lines import Close, Lost, Message, Open, Refused
from turnwire.recording.secrecy import REMOVED
from turnwire.recording.socket_relay import (
    MESSAGE_BYTES,
    NO_CODE,
    say_goodbye,
    without_protocols,
)

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping, Sequence

    from turnwire.recording.expecting import ExpectedSocket, Mismatch
    from turnwire.recording.reading import Numbered

MISMATCH_STATUS: Final = 400  # which nobody sends again
_MISMATCH_CODE: Final = 1008
_NOT_PASSED: Final = frozenset(
    """
    connection content-encoding content-length date keep-alive proxy-authenticate
    sec-websocket-accept sec-websocket-extensions sec-websocket-protocol server trailer
    transfer-encoding upgrade
    """.split()  # noqa: SIM905
)


class Player:
    """One socket that is played."""

    def __init__(
        self,
        expected: ExpectedSocket,
        request: web.Request,
        pause: Callable[[float, float], Awaitable[None]],
    ) -> None:
        self.expected = expected
        self.is_waiting = False  # for its first message, before which nothing was sent
        self.websocket: web.WebSocketResponse[bool] = web.WebSocketResponse()
        self._request = request
        self._pause = pause
        self._left = False
        self._said_goodbye = False
        self._changed = asyncio.Event()

    async def begin(self) -> web.StreamResponse | None:
        """Answer the upgrade as it was; None if there is a socket now.

        Raises:
            ConnectionResetError: It ended without an answer.
        """
        for _, line in self.expected.lines[1:]:
            match line:
                case Refused(status=status, headers=headers):
                    return web.Response(
                        status=status, headers=passed_headers(headers), body=line.data
                    )
                case Open():
                    await self._open(line)
                    return None
                case Lost(sender="server"):
                    drop(self._request)
                    raise ConnectionResetError("as it was recorded")
                case _:
                    pass
        await asyncio.Event().wait()  # until the client leaves, as it did, and this is cancelled
        return None

    async def _open(self, line: Open) -> None:
        offered = self._request.headers.get("Sec-WebSocket-Protocol", "").split(",")
        protocol = _chosen(line.protocol, [name.strip() for name in offered])
        self.websocket = web.WebSocketResponse(
            protocols=() if protocol is None else (protocol,),
            max_msg_size=MESSAGE_BYTES,
            autoclose=False,
            decode_text=False,
        )
        self.websocket.headers.update(passed_headers(line.headers))
        plain = self._request if protocol else without_protocols(self._request)
        await self.websocket.prepare(plain)

    async def play(self, given_for: GivenFor, mismatches: list[Mismatch]) -> None:
        """Play until the client has left."""
        playing: asyncio.Task[None] | None = None
        if _speaks_first(self.expected.lines):
            playing = asyncio.create_task(self._play())
        self.is_waiting = playing is None
        try:
            while True:
                message = await self.websocket.receive()
                if message.type not in (WSMsgType.TEXT, WSMsgType.BINARY):
                    break
                data, binary = cast("bytes", message.data), message.type is WSMsgType.BINARY
                if self.is_waiting:
                    self.expected = given_for(self, data, binary=binary)
                mismatch = self.expected.arrive(data, binary=binary)
                if mismatch is not None:
                    mismatches.append(mismatch)
                    await self._complain(mismatch, lane_of(data))
                    break
                self.is_waiting = False
                self._note()
                playing = playing or asyncio.create_task(self._play())
            self._left = True
            self._note()
            if playing is not None:
                await playing
            if not self._said_goodbye:
                code = self.websocket.close_code or NO_CODE
                await say_goodbye(self.websocket, code, "")
        except ConnectionError:
            pass  # the client is gone
        finally:
            self.is_waiting = False
            self._left = True
            self._note()
            if playing is not None:
                playing.cancel()
                await asyncio.gather(playing, return_exceptions=True)

    async def until_arrived(self) -> None:
        """Wait until everything that was recorded has arrived, or the client has left."""
        while self.expected.left() and not self._left:
            await self._changed.wait()

    async def _play(self) -> None:
        lines = self.expected.lines
        before = lines[0].line.at
        for number, line in lines:
            await self._pause(before, line.at)
            before = line.at
            match line:
                case Message(sender="client"):
                    while number not in self.expected.arrived:
                        if self._left:
                            return
                        await self._changed.wait()
                case Message():
                    kind = WSMsgType.BINARY if line.binary else WSMsgType.TEXT
                    data = line.data if line.binary else self.expected.answer(line.data)
                    await self.websocket.send_frame(data, kind)
                case Close(sender="client") | Lost(sender="client"):
                    while not self._left:
                        await self._changed.wait()
                case Close(code=code, reason=reason):
                    self._said_goodbye = True
                    await say_goodbye(self.websocket, code, reason)
                case Lost():
                    drop(self._request)
                    return
                case _:
                    pass

    async def _complain(self, mismatch: Mismatch, lane: str | None) -> None:
        event: dict[str, Any] = {
            "type": "error",
            "status": MISMATCH_STATUS,
            "error": error_of(mismatch),
        }
        if lane is not None:
            event["stream_id"] = lane
        self._said_goodbye = True
        await self.websocket.send_frame(msgspec.json.encode(event), WSMsgType.TEXT)
        await say_goodbye(self.websocket, _MISMATCH_CODE, "not as it was recorded")

    def _note(self) -> None:
        self._changed.set()
        self._changed = asyncio.Event()


if TYPE_CHECKING:

    class GivenFor(Protocol):
        """Finds the recording of a socket by its first message."""

        def __call__(self, player: Player, data: bytes, *, binary: bool) -> ExpectedSocket:
            """Return it."""
            ...


def _speaks_first(lines: Sequence[Numbered]) -> bool:
    """Say whether the server was the first to say something."""
    said = [line for _, line in lines if isinstance(line, Message | Close | Lost)]
    return bool(said) and said[0].sender != "client"


def _chosen(recorded: str | None, offered: list[str]) -> str | None:
    """Return which of the offered subprotocols is the one that was chosen."""
    if recorded is None:
        return None
    begin, removed, _ = recorded.partition(REMOVED)
    return next(
        (name for name in offered if name == recorded or (removed and name.startswith(begin))), None
    )


def passed_headers(headers: Mapping[str, str]) -> dict[str, str]:
    """Return the headers that an answer gets again."""
    return {
        name: value
        for name, value in headers.items()
        if name not in _NOT_PASSED and REMOVED not in value
    }


def error_of(mismatch: Mismatch) -> dict[str, Any]:
    """Return what a client is told."""
    return {
        "type": "invalid_request_error",
        "code": "replay_mismatch",
        "message": f"This is not what was recorded. {mismatch}",
        "param": None,
    }
