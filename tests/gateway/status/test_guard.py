"""Operators alone see the status page."""

from __future__ import annotations

import base64

import pytest

from turnwire.errors import ConfigError
from turnwire.gateway import Settings
from turnwire.gateway.access.keys import hash_of
from turnwire.gateway.app import create_app
from turnwire.gateway.refusal import RequestRefused
from turnwire.gateway.status.guard import check_operator, presented_key

KEY = "operator's key: ä"
WITH_KEY = Settings(status="key", operator_key=hash_of(KEY))


def status(settings: Settings, peer: str | None = "127.0.0.1", **headers: str) -> int:
    """Return the status with which a request is refused, or 200."""
    try:
        check_operator(settings, {name.replace("_", "-"): headers[name] for name in headers}, peer)
    except RequestRefused as refusal:
        return refusal.status
    return 200


def basic(text: str) -> str:
    return "Basic " + base64.b64encode(text.encode()).decode()


@pytest.mark.parametrize(
    ("peer", "headers", "expected"),
    [
        ("127.0.0.1", {}, 200),
        ("127.0.0.1", {"Host": "localhost:8080"}, 200),
        ("::1", {"Host": "[::1]:8080"}, 200),
        ("::ffff:127.0.0.1", {}, 200),
        ("10.0.0.1", {}, 403),
        ("fe80::1%eth0", {}, 403),
        (None, {}, 403),
        ("", {}, 403),
        ("127.0.0.1", {"Host": "gateway.example.com"}, 403),
        ("127.0.0.1", {"Forwarded": "for=10.0.0.1"}, 403),
        ("127.0.0.1", {"X_Forwarded_For": "10.0.0.1"}, 403),
        ("127.0.0.1", {"Via": "1.1 proxy"}, 403),
    ],
)
def test_by_default_only_programs_on_this_machine(
    peer: str | None, headers: dict[str, str], expected: int
) -> None:
    # Hosts that clients may use do not open the status page.
    settings = Settings(allowed_hosts=("*",), allowed_origins=("*",), host="0.0.0.0")
    assert status(settings, peer, **headers) == expected


@pytest.mark.parametrize(
    ("authorization", "expected"),
    [
        (f"Bearer {KEY}", 200),
        (f"bearer  {KEY} ", 200),
        (basic(f"anyone:{KEY}"), 200),
        (basic(f":{KEY}"), 200),
        (basic(KEY.replace(":", "")), 401),
        ("Basic %%%", 401),
        ("Basic /w==", 401),
        (f"Digest {KEY}", 401),
        ("Bearer another", 401),
        ("Bearer", 401),
        ("", 401),
    ],
)
def test_with_a_key_whoever_has_it_from_anywhere(authorization: str, expected: int) -> None:
    assert status(WITH_KEY, "10.0.0.1", Authorization=authorization) == expected
    assert status(WITH_KEY, "127.0.0.1", Authorization=authorization) == expected


def test_browsers_are_told_to_ask_for_the_key() -> None:
    with pytest.raises(RequestRefused) as refused:
        check_operator(WITH_KEY, {}, "127.0.0.1")
    assert refused.value.headers["WWW-Authenticate"].startswith("Basic ")


def test_nobody_when_it_is_off() -> None:
    assert status(Settings(status="off")) == 404


def test_a_key_may_have_colons() -> None:
    assert presented_key(basic("user:a:b")) == "a:b"


def test_without_a_key_there_is_nobody_to_let_in() -> None:
    with pytest.raises(ConfigError, match="there is no `operator_key`"):
        create_app(Settings(status="key"))


def test_the_key_itself_is_not_what_is_configured() -> None:
    with pytest.raises(ConfigError, match="`operator_key` is not a hash"):
        Settings(operator_key="my key")
