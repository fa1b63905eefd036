from __future__ import annotations

from typing import Any

import pytest

from turnwire.io.endpoint import Endpoint, SignInFailed


def endpoint(key: Any, **headers: str) -> Endpoint:
    return Endpoint("http://host/v1/responses", key, headers)


async def later() -> str:
    return "k"


@pytest.mark.parametrize("key", ["k", lambda: "k", later])
async def test_a_key_in_every_form(key: Any) -> None:
    headers, fingerprint = await endpoint(key, x="1").sign_in()
    assert headers == {"Authorization": "Bearer k", "x": "1"}
    assert (len(fingerprint), "k" in fingerprint) == (16, False)


async def test_the_fingerprint_tells_keys_apart() -> None:
    prints = [(await endpoint(key).sign_in())[1] for key in ("a", "b", "a", None)]
    assert prints[0] == prints[2]
    assert len(set(prints)) == 3
    assert prints[3] == ""


async def test_headers_of_ones_own_go_first() -> None:
    headers, _ = await endpoint("k", Authorization="mine").sign_in()
    assert headers == {"Authorization": "mine"}


@pytest.mark.parametrize(
    ("returned", "words"),
    [(None, "a NoneType, not text"), (b"k", "a bytes, not text"), ("secret\n", "a line break")],
)
async def test_what_is_no_key(returned: Any, words: str) -> None:
    with pytest.raises(SignInFailed, match=words) as caught:
        await endpoint(lambda: returned).sign_in()
    assert "secret" not in str(caught.value)


def test_the_representation_shows_no_secret() -> None:
    assert "secret" not in repr(endpoint("secret", x="secret"))
