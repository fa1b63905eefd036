"""What is made of the errors of model servers."""

from __future__ import annotations

import pytest

from turnwire.gateway.upstreams.failures import failure_of_answer, passed_on


@pytest.mark.parametrize("body", [b'{"error": "\xff"}', b"[" * 10_000, b"\xff", b""])
def test_an_error_that_cannot_be_read_keeps_its_status(body: bytes) -> None:
    failure = failure_of_answer(503, {"Retry-After": "2"}, body)
    assert (failure.status, failure.headers) == (503, {"retry-after": "2"})


def test_of_the_headers_those_go_on_that_say_when_to_come_again() -> None:
    given = {"Retry-After": "2", "x-ratelimit-reset": "3", "Set-Cookie": "secret"}
    assert passed_on(given) == {"retry-after": "2", "x-ratelimit-reset": "3"}
