"""What the peer may do with an upgrade instead of accepting it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import msgspec
from aiohttp import web

from turnwire.testing.steps import Drop, Wait
from turnwire.testing.wires import drop_transport


@dataclass(frozen=True, slots=True)
class Refuse:
    """An HTTP answer instead of the upgrade."""

    status: int
    body: Any = None
    headers: Mapping[str, str] | None = None


HandshakeStep = Refuse | Wait | Drop | None
OneHandshake = int | HandshakeStep
Handshake = OneHandshake | list[OneHandshake] | Callable[[web.Request], OneHandshake]


def refuse(status: int, body: Any = None, *, headers: Mapping[str, str] | None = None) -> Refuse:
    """Answer the upgrade with this status; the body is bytes, or anything for JSON."""
    return Refuse(status, body, headers)


def handshake_step(script: Handshake, number: int, request: web.Request) -> HandshakeStep:
    """Return what the script says about the upgrade of that number, the first being 1."""
    if script is None or isinstance(script, int | Refuse | Wait | Drop):
        one = script
    elif callable(script):
        one = script(request)
    else:
        one = script[number - 1] if number <= len(script) else None
    if isinstance(one, int):
        message = f"The upgrade was refused by the script with {one}."
        return Refuse(one, {"error": {"type": "refused", "message": message}})
    return one


async def perform_handshake(step: HandshakeStep, request: web.Request) -> web.Response | None:
    """Do it; return the answer, or None if the upgrade is to be accepted."""
    match step:
        case None:
            return None
        case Wait(gate):
            await gate.pass_through()
            return None
        case Drop(reset):
            drop_transport(request, reset=reset)
            return web.Response()
        case Refuse(status, body, headers):
            data = body if isinstance(body, bytes) else msgspec.json.encode(body)
            return web.Response(
                status=status, body=data, headers=headers, content_type="application/json"
            )
