"""Keys that the server refused."""

from __future__ import annotations

import ssl

import pytest

from turnwire.io.endpoint import Endpoint, KeyRefused
from turnwire.io.proxy import Proxy

URL = "http://host/v1/responses"


async def later() -> str:
    return "k"


def test_only_a_function_can_bring_another_key() -> None:
    assert [Endpoint(URL, key).can_refresh for key in (None, "k", later, lambda: "k")] == [
        False,
        False,
        True,
        True,
    ]


async def test_a_refused_key_is_not_tried_again() -> None:
    keys = iter(["old", "old", "new"])
    endpoint = Endpoint(URL, lambda: next(keys))
    _, refused = await endpoint.sign_in()
    with pytest.raises(KeyRefused) as caught:
        await endpoint.sign_in(refused)
    assert "old" not in str(caught.value)
    headers, fingerprint = await endpoint.sign_in(refused)
    assert (headers["Authorization"], fingerprint != refused) == ("Bearer new", True)


async def test_without_a_key_nothing_is_refused() -> None:
    assert await Endpoint(URL).sign_in("") == ({}, "")


def test_the_representation_shows_the_way_without_secrets() -> None:
    proxy = Proxy("http://p:1", tunnels=True, headers={"Proxy-Authorization": "secret"})
    endpoint = Endpoint(
        "http://me:secret@host/", "secret", proxy=proxy, ssl_context=ssl.create_default_context()
    )
    assert repr(endpoint) == "Endpoint(proxy=Proxy(url='http://p:1', tunnels=True))"
