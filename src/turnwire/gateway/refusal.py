"""A request that the gateway refuses: one value, said as a WebSocket event or as an HTTP body."""

from __future__ import annotations

from typing import TYPE_CHECKING

from turnwire.core.serving import error_event

if TYPE_CHECKING:
    from turnwire.gateway.json_shapes import Json


class RequestRefused(Exception):  # it is the outcome of a request, not a fault of ours
    """The request cannot be served; nothing was run.

    Attributes:
        status: HTTP status, or its equivalent inside an ``error`` event.
        kind: The wire's ``error.type``.
        code: The wire's ``error.code``, or None.
        param: The parameter at fault, such as ``tools[0].name``, or None.
        headers: Headers for the client, such as ``retry-after``; in an event they are a member.
    """

    def __init__(
        self,
        message: str,
        *,
        status: int = 400,
        kind: str = "invalid_request_error",
        code: str | None = None,
        param: str | None = None,
        headers: dict[str, str] | None = None,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.kind = kind
        self.code = code
        self.param = param
        self.headers = dict(headers or {})

    def event(self) -> Json:
        """Return the nested ``error`` event, without null members (interop rule R18)."""
        return error_event(
            str(self),
            status=self.status,
            kind=self.kind,
            code=self.code,
            param=self.param,
            headers=self.headers,
        )

    def body(self) -> Json:
        """Return the HTTP body, in which absent members are null."""
        return {
            "error": {
                "message": str(self),
                "type": self.kind,
                "param": self.param,
                "code": self.code,
            }
        }


class TurnRefused(RequestRefused):
    """What ended a turn, for a client that came over HTTP; whoever watches turns knows of it."""


def refused_by_event(event: Json) -> TurnRefused:
    """Turn an ``error`` event back into a refusal, for a client that came over HTTP."""
    error: Json = event["error"]
    return TurnRefused(
        error["message"],
        status=event["status"],
        kind=error["type"],
        code=error.get("code"),
        param=error.get("param"),
        headers=event.get("headers"),
    )
