"""What an address of a model server is, wherever one is taken, and what the server is called."""

from __future__ import annotations

import pytest

from turnwire.errors import ConfigError
from turnwire.gateway.config.rules import mistakes_in
from turnwire.gateway.config.tables import Config, UpstreamConfig
from turnwire.gateway.upstreams.address import UNNAMED, address_of, called
from turnwire.gateway.upstreams.chat import ChatUpstream
from turnwire.gateway.upstreams.detecting import DetectingUpstream
from turnwire.gateway.upstreams.detecting.decision import base_urls
from turnwire.gateway.upstreams.responses import ResponsesUpstream
from turnwire.gateway.upstreams.responses.options import responses_url

NONE = [
    "",
    "localhost:8000",
    "ftp://host",
    "http://",
    "http://:8000",
    "http://host:0",
    "http://host:port",
    "http://host:88011",
    "http://[::1",
]


@pytest.mark.parametrize("url", NONE)
def test_what_is_no_address_is_none_for_everybody(url: str) -> None:
    assert address_of(url) is None
    for make in (
        ChatUpstream,
        ResponsesUpstream,
        lambda given: DetectingUpstream(given, lambda _: pytest.fail("asked")),
    ):
        with pytest.raises(ConfigError, match=r"http://127\.0\.0\.1:8000/v1"):
            make(url)
    (mistake,) = mistakes_in(Config(upstream=(UpstreamConfig(url=url),)), {})
    assert mistake.field == "upstream[0].url"


@pytest.mark.parametrize(
    ("url", "asked"),
    [
        ("http://host/v1", "http://host/v1"),
        (" HTTPS://host:8443/v1/ ", "https://host:8443/v1"),
        ("ws://u:p@[::1]:8000/v1", "http://u:p@[::1]:8000/v1"),
        ("wss://host/v1", "https://host/v1"),
    ],
)
def test_what_is_one_is_asked_by_everybody_in_the_same_way(url: str, asked: str) -> None:
    assert ChatUpstream(url)._server._url == asked
    assert responses_url(url) == f"{asked}/responses"
    assert base_urls(url) == (asked,)
    assert mistakes_in(Config(upstream=(UpstreamConfig(url=url),)), {}) == ()


def test_an_upstream_without_a_name_is_not_called_by_it() -> None:
    assert (called(UpstreamConfig().name), called("far")) == ("the upstream", "upstream far")
    assert UpstreamConfig().name == UNNAMED
