"""Which proxy, from what the environment may say; no network."""

from __future__ import annotations

import base64
from typing import Any

import pytest

from turnwire.io.proxy import Proxy, UnusableProxy, passage, proxy_for, proxy_from_environment

SERVER = "https://host/v1/responses"
PLAIN = "http://host:8080/v1/responses"


def nothing_bypassed(_: str) -> bool:
    return False


@pytest.mark.parametrize(
    ("url", "proxies", "expected"),
    [
        (SERVER, {}, None),
        (SERVER, {"http": "http://p:1"}, None),
        (SERVER, {"https": ""}, None),
        (SERVER, {"https": "http://p:1"}, Proxy("http://p:1", tunnels=True)),
        (SERVER, {"https": "p:1"}, Proxy("http://p:1", tunnels=True)),
        (SERVER, {"https": "https://p:1/"}, Proxy("https://p:1", tunnels=True)),
        (SERVER, {"https": "http://[::1]:1"}, Proxy("http://[::1]:1", tunnels=True)),
        (SERVER, {"all": "http://a:1"}, Proxy("http://a:1", tunnels=True)),
        (SERVER, {"all": "socks5://a:1", "https": "p:1"}, Proxy("http://p:1", tunnels=True)),
        (PLAIN, {"https": "http://p:1"}, None),
        (PLAIN, {"http": "http://p:1"}, Proxy("http://p:1", tunnels=False)),
    ],
)
def test_the_proxy_of_a_scheme(url: str, proxies: dict[str, str], expected: Proxy | None) -> None:
    assert expected == proxy_for(url, proxies, nothing_bypassed)


@pytest.mark.parametrize(
    ("url", "asked"),
    [
        (SERVER, "host"),
        (PLAIN, "host:8080"),
        ("http://[::1]:8080/v1/responses", "::1"),
    ],
)
def test_a_host_may_be_bypassed(url: str, asked: str) -> None:
    hosts: list[str] = []

    def bypassed(host: str) -> bool:
        hosts.append(host)
        return True

    proxies = {"http": "http://p:1", "https": "http://p:1"}
    assert (proxy_for(url, proxies, bypassed), hosts) == (None, [asked])


@pytest.mark.parametrize("url", ["socks5://me:secret@p:1", "ftp://me:secret@p", "http://"])
def test_a_proxy_that_cannot_be_used_is_not_passed_over(url: str) -> None:
    with pytest.raises(UnusableProxy, match="only HTTP proxies can be used") as caught:
        proxy_for(SERVER, {"https": url}, nothing_bypassed)
    assert "secret" not in str(caught.value)


def test_credentials_are_a_header_and_no_part_of_the_address() -> None:
    proxy = proxy_for(SERVER, {"https": "http://m%40e:se%3Acret@p:1"}, nothing_bypassed)
    basic = base64.b64encode(b"m@e:se:cret").decode()
    expected = {"Proxy-Authorization": f"Basic {basic}"}
    assert proxy == Proxy("http://p:1", tunnels=True, headers=expected)
    assert (basic in repr(proxy), "cret" in repr(proxy)) == (False, False)


@pytest.mark.parametrize(
    ("proxy", "expected"),
    [
        (None, {"headers": {"a": "1"}, "proxy": None, "proxy_headers": None}),
        (
            # What the proxy is told to CONNECT is none of the server's business.
            Proxy("http://p", tunnels=True, headers={"b": "2"}),
            {"headers": {"a": "1"}, "proxy": "http://p", "proxy_headers": {"b": "2"}},
        ),
        (
            Proxy("http://p", tunnels=False, headers={"b": "2"}),
            {"headers": {"a": "1", "b": "2"}, "proxy": "http://p", "proxy_headers": None},
        ),
    ],
)
def test_how_to_go_through_it(proxy: Proxy | None, expected: dict[str, Any]) -> None:
    assert expected == passage(proxy, {"a": "1"})


def test_the_environment_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "https_proxy", "all_proxy", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)
    monkeypatch.setenv("HTTPS_PROXY", "http://p:1")
    assert proxy_from_environment(SERVER) == Proxy("http://p:1", tunnels=True)
    monkeypatch.setenv("NO_PROXY", "example.com,host")
    assert proxy_from_environment(SERVER) is None
    assert proxy_from_environment("https://other/v1") == Proxy("http://p:1", tunnels=True)
