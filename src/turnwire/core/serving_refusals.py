"""How the server says no: the one shape of an ``error`` event, and why a lane cannot be used."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, Literal

if TYPE_CHECKING:
    from turnwire.core.lane import LaneRefusal

Json = dict[str, Any]

LANE_REFUSALS: Final[dict[LaneRefusal, str]] = {
    "invalid_stream_id": (
        "`stream_id` must be 1 to 256 characters of A-Z, a-z, 0-9, `_`, `-` and `.`; leave it out"
        " for the default lane."
    ),
    "websocket_stream_limit_reached": (
        "This connection has used all its lane names. Reuse one of them or open another connection."
    ),
}

SteerRefusal = Literal[
    "response_not_found",
    "invalid_input",
    "steering_not_supported",
    "too_many_pending_steers",
    "response_already_completed",
    "response_not_active",
    "successor_creation_failed",
]

STEER_REFUSALS: Final[dict[SteerRefusal, str]] = {
    "steering_not_supported": (
        "This response cannot be steered: its model, or what its create asks for, does not allow"
        " it. Say this in the next turn."
    ),
    "response_not_active": "This response has ended, and cannot be continued.",
    "response_already_completed": (
        "This response is complete. Continue it with `response.create`."
    ),
    "successor_creation_failed": "This connection takes no more turns. Open another one.",
    "too_many_pending_steers": "Too much waits already. Steer again when some of it has begun.",
}


def error_event(
    message: str,
    *,
    status: int = 400,
    kind: str = "invalid_request_error",
    code: str | None = None,
    param: str | None = None,
    headers: dict[str, str] | None = None,
) -> Json:
    """Build an ``error`` event in the one shape that every client understands.

    Nested, with ``status``, and without null members: interop rule R18,
    docs/protocol/errors.md#shape.
    """
    error: Json = {"type": kind, "message": message}
    if code is not None:
        error["code"] = code
    if param is not None:
        error["param"] = param
    event: Json = {"type": "error", "status": status, "error": error}
    if headers:
        event["headers"] = headers
    return event
