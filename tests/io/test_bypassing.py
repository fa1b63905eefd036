"""How a server may be named among those that need no proxy, and proxies that are given."""

from __future__ import annotations

import pytest

from turnwire.io.proxy import Proxy, UnusableProxy, proxy_at, proxy_from_environment

SERVER = "https://host/v1/responses"


@pytest.fixture(autouse=True)
def _environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "https_proxy", "all_proxy", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)
    monkeypatch.setenv("ALL_PROXY", "http://p:1")


@pytest.mark.parametrize(
    ("url", "named"),
    [
        (SERVER, "host"),
        (SERVER, "host:443"),
        ("https://a.host/", "host"),
        ("https://a.host/", ".host"),
        ("http://host:8080/", "x, host:8080"),
        ("http://host:8080/", "host"),
        ("https://[::1]/", "::1"),
        ("https://[::1]/", "[::1]"),
        ("https://[::1]:8443/", "[::1]:8443"),
        ("https://[::1]:8443/", "::1"),
        (SERVER, "*"),
    ],
)
def test_no_proxy(monkeypatch: pytest.MonkeyPatch, url: str, named: str) -> None:
    monkeypatch.setenv("NO_PROXY", named)
    assert proxy_from_environment(url) is None


@pytest.mark.parametrize(
    ("url", "named"),
    [
        (SERVER, "host:80"),
        (SERVER, "other"),
        ("https://ahost/", "host"),
        ("http://host:8080/", "host:80"),
        ("https://[::1]:8443/", "[::1]:443"),
    ],
)
def test_a_proxy_all_the_same(monkeypatch: pytest.MonkeyPatch, url: str, named: str) -> None:
    monkeypatch.setenv("NO_PROXY", named)
    expected = Proxy("http://p:1", tunnels=url.startswith("https"))
    assert proxy_from_environment(url) == expected


@pytest.mark.parametrize(
    ("address", "expected"),
    [
        ("q:3128", "http://q:3128"),
        ("http://q", "http://q"),
        ("https://[::1]:3129/", "https://[::1]:3129"),
    ],
)
def test_a_proxy_that_is_given(
    monkeypatch: pytest.MonkeyPatch, address: str, expected: str
) -> None:
    monkeypatch.setenv("NO_PROXY", "*")
    assert proxy_at(address, SERVER) == Proxy(expected, tunnels=True)
    assert proxy_at(address, "http://host/") == Proxy(expected, tunnels=False)


@pytest.mark.parametrize(
    "address",
    [
        "http://[::1",
        "http://me:secret@q:port",
        "http://q:0",
        "http://",
        "http://me:sec/secret@q:1",
        "http://me:1?secret@q",
        "http://me:1#secret@q",
        "me:secret@",
    ],
)
def test_what_is_no_address(monkeypatch: pytest.MonkeyPatch, address: str) -> None:
    with pytest.raises(UnusableProxy, match="whose address is no URL: only HTTP") as caught:
        proxy_at(address, SERVER)
    monkeypatch.setenv("HTTPS_PROXY", address)
    with pytest.raises(UnusableProxy, match="the environment names a proxy whose") as other:
        proxy_from_environment(SERVER)
    assert "sec" not in f"{caught.value}{other.value}"
