"""The tolerant reader of errors: docs/protocol/errors.md#shape."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from turnwire.core.failure import (
    Failure,
    FailureKind,
    failure_of_event,
    failure_of_json,
    is_lane_refusal,
    is_previous_response_not_found,
    is_retryable,
)
from turnwire.events import decode_event

Json = dict[str, Any]


def failure(event: Json) -> Failure:
    return failure_of_event(decode_event(msgspec.json.encode(event)))


def facts(found: Failure) -> tuple[Any, ...]:
    return found.message, found.code, found.status, found.param, dict(found.headers)


INNER = {"type": "invalid_request_error", "code": "bad", "message": "No.", "param": "p"}


@pytest.mark.parametrize(
    ("event", "expected"),
    [
        ({"status": 400, "error": INNER}, ("No.", "bad", 400, "p", {})),
        ({"status_code": 429, "error": INNER}, ("No.", "bad", 429, "p", {})),
        (
            {"status": 429, "error": INNER, "headers": {"Retry-After": 3}},
            ("No.", "bad", 429, "p", {"retry-after": "3"}),
        ),
        (
            {"status": 429, "error": INNER | {"headers": {"X-A": "1"}}},
            ("No.", "bad", 429, "p", {"x-a": "1"}),
        ),
        ({"code": "bad", "message": "No.", "param": "p"}, ("No.", "bad", None, "p", {})),
        ({"code": 7, "message": "No."}, ("No.", "7", None, None, {})),
        ({"status": 400, "error": {"detail": "No."}}, ("No.", None, 400, None, {})),
        ({"error": "No.", "code": "bad"}, ("No.", "bad", None, None, {})),
        ({"status": 500, "error": {}}, ("the server gave no reason", None, 500, None, {})),
        ({}, ("the server gave no reason", None, None, None, {})),
    ],
)
def test_every_shape_of_an_error_event_is_read(event: Json, expected: tuple[Any, ...]) -> None:
    assert facts(failure({"type": "error"} | event)) == expected


def test_the_type_of_a_flat_event_is_not_the_errors() -> None:
    assert failure({"type": "error", "code": "bad"}).type is None
    assert failure({"type": "error", "error": INNER}).type == "invalid_request_error"


def test_a_failed_response_and_odd_events_are_read_too() -> None:
    failed = {"type": "response.failed", "response": {"id": "r", "error": INNER}}
    assert facts(failure(failed)) == ("No.", "bad", None, "p", {})
    bare = {"type": "response.failed", "response": {"id": "r"}}
    assert failure(bare).message == "the server gave no reason"
    odd = {"type": "response.error", "error": INNER}
    assert facts(failure(odd)) == ("No.", "bad", None, "p", {})
    silent = {"type": "response.cancelled", "response": {"status": "cancelled"}}
    assert failure(silent).message == "the server ended the turn with `response.cancelled`"


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (b'{"error":{"message":"No.","code":"bad"}}', ("No.", "bad")),
        (b'{"error":"No."}', ("No.", None)),
        (b'{"detail":"No."}', ("No.", None)),
        (b'{"message":"No.","code":"bad"}', ("No.", "bad")),
        (b"<html>502</html>", ("otherwise", None)),
        (b"", ("otherwise", None)),
        (b"\xff", ("otherwise", None)),
        (b"[" * 100_000, ("otherwise", None)),
    ],
)
def test_the_body_of_an_http_error_is_read_or_let_be(
    body: bytes, expected: tuple[str, str | None]
) -> None:
    found = failure_of_json(body, "otherwise", status=502, headers={"Retry-After": "1"})
    assert (found.message, found.code) == expected
    assert (found.status, dict(found.headers)) == (502, {"retry-after": "1"})


def server(**fields: Any) -> Failure:
    return Failure(FailureKind.SERVER, fields.pop("message", "no"), **fields)


@pytest.mark.parametrize(
    ("found", "expected"),
    [
        (server(code="previous_response_not_found", status=400), True),
        (server(param="previous_response_id", status=400), True),
        (server(message="No previous_response with that id", status=404), True),
        (server(param="previous_response_id"), True),
        (server(param="previous_response_id", status=500), False),
        (server(code="server_error", param="previous_response_id"), False),
        (server(status=400), False),
    ],
)
def test_a_lost_parent_is_recognised(found: Failure, expected: bool) -> None:  # noqa: FBT001
    assert is_previous_response_not_found(found) is expected


@pytest.mark.parametrize(
    ("found", "expected"),
    [
        (server(param="stream_id", status=400), True),
        (server(code="invalid_stream_id"), True),
        (server(message="Unknown parameter: 'stream_id'", status=400), True),
        (server(message="stream_id worker died", status=500), False),
        (server(code="websocket_stream_limit_reached", param="stream_id"), False),
        (server(param="model", status=400), False),
    ],
)
def test_a_server_without_lanes_is_recognised(found: Failure, expected: bool) -> None:  # noqa: FBT001
    assert is_lane_refusal(found) is expected


def test_what_may_pass_later_is_retryable() -> None:
    statuses = (400, 401, 403, 404, 408, 409, 422, 429, 500, 503)
    again = [status for status in statuses if is_retryable(server(status=status))]
    assert again == [408, 409, 429, 500, 503]
    codes = ("rate_limit_exceeded", "server_error", "server_is_overloaded", "invalid_prompt", None)
    assert [is_retryable(server(code=code)) for code in codes] == [True, True, True, False, False]


def test_nothing_that_was_said_stands_in_a_failures_repr() -> None:
    found = server(headers={"authorization": "secret"}, body=b"secret")
    assert "secret" not in repr(found)
