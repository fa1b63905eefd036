"""What clients are told of failures between the gateway and a model server."""

from __future__ import annotations

from typing import Any

import pytest

from turnwire.core.failure import Failure, FailureKind, failure_of_json
from turnwire.events import encode
from turnwire.gateway.upstreams.responses.failing import upstream_failed

KEY = "sk-very-secret"


def told(kind: FailureKind, message: str = "why", **fields: Any) -> tuple[Any, ...]:
    failed = upstream_failed(Failure(kind, message, **fields), secret=KEY, is_ours=True)
    return failed.status, failed.code, str(failed)


@pytest.mark.parametrize("kind", set(FailureKind) - {FailureKind.SERVER, FailureKind.REFUSED})
def test_what_the_server_did_not_say_is_said_in_words_of_ours(kind: FailureKind) -> None:
    status, _, message = told(kind, f"connect to 10.0.0.1 with {KEY}")
    assert 400 <= status < 600
    assert message.endswith(".")
    assert "10.0.0.1" not in message
    assert KEY not in message


@pytest.mark.parametrize(
    ("kind", "status", "code"),
    [
        (FailureKind.DIAL, 502, "upstream_unreachable"),
        (FailureKind.DIAL_TIMEOUT, 504, "upstream_unreachable"),
        (FailureKind.FIRST_EVENT_TIMEOUT, 504, "upstream_timeout"),
        (FailureKind.PROGRESS_TIMEOUT, 504, "upstream_timeout"),
        (FailureKind.QUEUE_TIMEOUT, 429, "upstream_busy"),
        (FailureKind.LOST, 502, "upstream_cut"),
        (FailureKind.TOO_LARGE, 413, "message_too_large"),
        (FailureKind.CLOSED, 503, None),
    ],
)
def test_its_status_says_whether_to_try_again(
    kind: FailureKind, status: int, code: str | None
) -> None:
    assert told(kind)[:2] == (status, code)


@pytest.mark.parametrize(
    ("given", "status"),
    [
        ({"status": 418}, 418),
        ({"status": 200}, 502),
        ({"status": 200, "type": "rate_limit_error"}, 429),
        ({"code": "insufficient_quota"}, 429),
        ({"code": "server_is_overloaded", "type": "invalid_request_error"}, 503),
        ({"type": "invalid_request_error"}, 400),
        ({}, 502),
    ],
)
def test_r20_the_servers_own_status_is_kept_or_found(given: dict[str, Any], status: int) -> None:
    assert told(FailureKind.SERVER, **given)[0] == status


def test_r20_the_servers_words_are_passed_on_without_the_key() -> None:
    failure = Failure(
        FailureKind.SERVER,
        f"Bad header Bearer {KEY}.",
        code="bad",
        status=400,
        type="invalid_request_error",
        param="tools[0]",
        headers={"retry-after": "3", "x-ratelimit-limit-tokens": "9", "set-cookie": "a"},
    )
    failed = upstream_failed(failure, secret=KEY)
    assert str(failed) == "Bad header Bearer [key]."
    assert (failed.status, failed.code) == (400, "bad")
    assert (failed.kind, failed.param) == ("invalid_request_error", "tools[0]")
    assert failed.headers == {"retry-after": "3", "x-ratelimit-limit-tokens": "9"}


@pytest.mark.parametrize(
    ("said", "status", "expected"),
    [
        ("no reason given", 404, "answered 404 without a reason; its URL may be wrong."),
        ("Not Found", 404, "answered 404 without a reason; its URL may be wrong."),
        ("no reason given", 400, "answered 400 without a reason."),
    ],
)
def test_an_answer_without_a_reason_says_what_may_be_wrong(
    said: str, status: int, expected: str
) -> None:
    body = encode({"detail": said}) if said == "Not Found" else b"<html></html>"
    read = failure_of_json(body, "no reason given", status=status)
    failed = upstream_failed(read)
    assert (failed.status, str(failed)) == (status, f"The model server {expected}")


@pytest.mark.parametrize("status", [401, 403])
@pytest.mark.parametrize("kind", [FailureKind.SERVER, FailureKind.REFUSED])
def test_a_key_of_ours_that_is_refused_is_not_the_clients_fault(
    kind: FailureKind, status: int
) -> None:
    told_status, code, message = told(kind, f"Incorrect key {KEY[:6]}***", status=status)
    assert (told_status, code) == (status, "invalid_api_key")
    assert "the gateway's key" in message
    assert KEY[:6] not in message


def test_a_key_of_the_clients_that_is_refused_is() -> None:
    refused = Failure(FailureKind.REFUSED, "no", status=401)
    assert str(upstream_failed(refused, secret=KEY)) == "The model server refused this key."
    said = Failure(FailureKind.SERVER, f"Incorrect key {KEY}.", status=401)
    assert str(upstream_failed(said, secret=KEY)) == "Incorrect key [key]."


@pytest.mark.parametrize(
    ("status", "told_status", "code"),
    [
        (404, 502, "upstream_unreachable"),
        (426, 502, "upstream_unreachable"),
        (429, 429, "slow"),
        (503, 503, "slow"),
    ],
)
def test_a_refused_upgrade(status: int, told_status: int, code: str) -> None:
    assert told(FailureKind.REFUSED, status=status, code="slow")[:2] == (told_status, code)


@pytest.mark.parametrize(("status", "advises"), [(404, True), (426, False)])
def test_an_upgrade_that_is_not_found_says_what_may_be_wrong(status: int, advises: bool) -> None:  # noqa: FBT001  # a parameter
    message = told(FailureKind.REFUSED, status=status)[2]
    assert message.endswith(" Its URL may be wrong.") is advises


@pytest.mark.parametrize(
    "code",
    [
        "websocket_connection_limit_reached",
        "websocket_stream_limit_reached",
        "invalid_stream_id",
    ],
)
def test_what_is_said_of_our_socket_is_not_told_of_the_clients(code: str) -> None:
    assert told(FailureKind.SERVER, status=400, code=code)[:2] == (502, "upstream_cut")
