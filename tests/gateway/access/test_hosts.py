"""Who may talk to the gateway."""

import pytest

from turnwire.gateway.access.hosts import refused_access
from turnwire.gateway.config.settings import Settings

LOOPBACK = Settings()


def allowed(
    settings: Settings = LOOPBACK, host: str | None = None, origin: str | None = None
) -> bool:
    return refused_access(settings, host=host, origin=origin) is None


@pytest.mark.parametrize(
    "host",
    [
        "127.0.0.1:8080", "127.0.0.1", "127.1.2.3:1", "localhost", "LocalHost:8080", "localhost.",
        "[::1]:8080", "[::1]", "::1", "[::ffff:127.0.0.1]:8080", None,
    ],
)  # fmt: skip
def test_loopback_may_come_in(host: str | None) -> None:
    assert allowed(host=host)


@pytest.mark.parametrize(
    "host",
    [
        "example.com", "example.com:8080", "127.0.0.1.example.com", "localhost.example.com",
        "192.168.1.5:8080", "8.8.8.8", "", "[::2]:80", "[fe80::1", "127.0.0.1, evil.com",
        "evil.com, 127.0.0.1", "evil.com:80:80", "127.0.0.1@evil.com", "0.0.0.0", "2130706433",
    ],
)  # fmt: skip
def test_a_foreign_host_is_refused(host: str) -> None:
    assert not allowed(host=host)


def test_the_bound_host_may_come_in() -> None:
    assert allowed(Settings(host="build.internal"), "build.internal:80")
    assert allowed(Settings(host="192.168.1.5"), "192.168.1.5:8080")
    assert not allowed(Settings(host="192.168.1.5"), "192.168.1.6:8080")


@pytest.mark.parametrize("bound", ["0.0.0.0", "::", ""])
def test_bound_to_all_addresses_any_address_will_do_but_no_name(bound: str) -> None:
    settings = Settings(host=bound)
    assert allowed(settings, "192.168.1.5:8080")
    assert allowed(settings, "[2001:db8::1]:8080")
    assert not allowed(settings, "rebound.example.com:8080")


def test_names_can_be_allowed() -> None:
    settings = Settings(allowed_hosts=("Host.Docker.Internal",))
    assert allowed(settings, "host.docker.internal:8080")
    assert not allowed(settings, "example.com")
    assert allowed(Settings(allowed_hosts=("*",)), "example.com")


@pytest.mark.parametrize("origin", ["https://example.com", "null", "http://localhost:3000", ""])
def test_any_origin_is_refused(origin: str) -> None:
    assert not allowed(host="127.0.0.1", origin=origin)


def test_origins_can_be_allowed() -> None:
    settings = Settings(allowed_origins=("http://localhost:3000",))
    assert allowed(settings, "127.0.0.1", "http://localhost:3000")
    assert not allowed(settings, "127.0.0.1", "http://localhost:3001")
    assert not allowed(settings, "example.com", "http://localhost:3000")
    assert allowed(Settings(allowed_origins=("*",)), "127.0.0.1", "https://example.com")


def test_the_refusal_says_what_to_do_and_repeats_nothing() -> None:
    for reason in (
        refused_access(LOOPBACK, host="evil.example", origin=None),
        refused_access(LOOPBACK, host=None, origin="https://evil.example"),
    ):
        assert reason is not None
        assert "allowed" in reason
        assert "evil" not in reason
