"""What the peer may do with an HTTP request, an upgrade among them, instead of serving it."""

from __future__ import annotations

import hmac
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import msgspec
from aiohttp import web

from turnwire.testing.clock import Clock, reach
from turnwire.testing.flag import Flag
from turnwire.testing.steps import Drop, Say, Silence, Wait
from turnwire.testing.wires import drop_transport

if TYPE_CHECKING:
    from turnwire.testing.flag import Changes


@dataclass(frozen=True, slots=True)
class Refuse:
    """An HTTP answer instead of what was asked for."""

    status: int
    body: Any = None
    headers: Mapping[str, str] | None = None


DoorStep = Refuse | Wait | Drop | Silence | Say | None
_OneDoor = int | DoorStep
Door = _OneDoor | list[_OneDoor] | Callable[[web.Request], _OneDoor]

WRONG_KEY: Final = Refuse(
    401,
    {
        "error": {
            "type": "invalid_request_error",
            "code": "invalid_api_key",
            "message": "Incorrect API key provided.",
        }
    },
)


def refuse(
    status: int,
    body: Any = None,
    *,
    headers: Mapping[str, str] | None = None,
    retry_after: float | None = None,
) -> Refuse:
    """Answer with this status.

    Args:
        status: The HTTP status.
        body: Bytes, or anything for JSON; by default an error that names the status.
        headers: More headers.
        retry_after: Value of the header ``retry-after``, in seconds.
    """
    if body is None:
        text = f"The script refused this with {status}."
        body = {"error": {"type": "refused", "message": text}}
    if retry_after is not None:
        headers = {**(headers or {}), "retry-after": f"{retry_after:g}"}
    return Refuse(status, body, headers)


def redirect(location: str, status: int = 302) -> Refuse:
    """Send the client elsewhere: to a path of this peer, or to another server's address."""
    return refuse(status, headers={"Location": location})


def door_step(script: Door, number: int, request: web.Request) -> DoorStep:
    """Return what the script says about the request of that number, the first being 1."""
    if callable(script):
        one = script(request)
    elif isinstance(script, list):
        one = script[number - 1] if number <= len(script) else None
    else:
        one = script
    return refuse(one) if isinstance(one, int) else one


def has_key(request: web.Request, key: str | None) -> bool:
    """Return whether a request carries the key, if one is asked for."""
    given = request.headers.get("Authorization", "")
    return key is None or hmac.compare_digest(given.encode(), f"Bearer {key}".encode())


async def perform_door(
    step: DoorStep, request: web.Request, clock: Clock, changes: Changes
) -> web.StreamResponse | None:
    """Do it; return the answer, or None if the request is to be served."""
    match step:
        case None:
            return None
        case Wait(until):
            await reach(until, clock, changes.note)
            return None
        case Silence():
            await Flag().wait()  # until the client gives up and this is cancelled
            return None
        case Drop(reset):
            drop_transport(request, reset=reset)
        case Say(data):
            if request.transport is not None:
                request.transport.write(data)
            drop_transport(request, reset=False)
        case Refuse(status, body, headers):
            data = body if isinstance(body, bytes) else msgspec.json.encode(body)
            return web.Response(
                status=status, body=data, headers=headers, content_type="application/json"
            )
    return web.Response()  # to nobody
