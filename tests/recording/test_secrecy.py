from __future__ import annotations

from base64 import b64encode

import msgspec
import pytest

from turnwire.recording.secrecy import Secrets

KEY = "a-key/of.mine"


@pytest.mark.parametrize(
    ("name", "value", "shown"),
    [
        ("Authorization", f"Bearer {KEY}", "***"),
        ("api-key", KEY, "***"),
        ("X-Api-Key", KEY, "***"),
        ("x-goog-access-token", KEY, "***"),
        (
            "Sec-WebSocket-Protocol",
            f"realtime, openai-insecure-api-key.{KEY}",
            "realtime, openai-insecure-api-key.***",
        ),
    ],
)
def test_a_key_is_taken_out_of_its_header_and_of_everything_else(
    name: str, value: str, shown: str
) -> None:
    secrets = Secrets()
    assert secrets.headers([(name, value)]) == {name.lower(): shown}
    assert secrets.clean(f'"{KEY}", a-key%2Fof.mine, a-key\\/of.mine!') == '"***", ***, ***!'


@pytest.mark.parametrize(
    "name",
    [
        "Cookie",
        "Set-Cookie",
        "OpenAI-Organization",
        "openai-project",
        "ChatGPT-Account-Id",
        "session_id",
        "Sec-WebSocket-Key",
        "Idempotency-Key",
    ],
)
def test_what_is_removed_but_not_looked_for(name: str) -> None:
    secrets = Secrets()
    assert secrets.headers([(name, "something")]) == {name.lower(): "***"}
    assert secrets.clean("something") == "something"


def test_the_id_of_an_organization_is_looked_for() -> None:
    secrets = Secrets()
    secrets.headers([("OpenAI-Organization", "org-abc123")])
    assert secrets.clean("Limit reached in org-abc123.") == "Limit reached in ***."


def test_other_headers_stay() -> None:
    headers = [("User-Agent", "me"), ("x-ratelimit-limit-tokens", "30000000"), ("Via", "a")]
    assert Secrets().headers([*headers, ("via", "b")]) == {
        "user-agent": "me",
        "x-ratelimit-limit-tokens": "30000000",
        "via": "a, b",
    }


def test_basic_credentials_are_known_in_all_their_forms() -> None:
    secrets = Secrets()
    secrets.headers([("Authorization", f"Basic {b64encode(b'me:my-password').decode()}")])
    assert secrets.clean("my-password bWU6bXktcGFzc3dvcmQ=") == "*** ***"


def test_a_query() -> None:
    secrets = Secrets()
    path = "/v1/responses?api-version=2025&api-key=abcdefgh%2B&model=m&sig=x&accessToken=1"
    assert secrets.path(path) == (
        "/v1/responses?api-version=2025&api-key=***&model=m&sig=***&accessToken=***"
    )
    assert secrets.clean("abcdefgh+ or abcdefgh%2B") == "*** or ***"


def test_what_is_too_short_is_no_key() -> None:
    secrets = Secrets("none")
    assert secrets.headers([("Authorization", "Bearer k")]) == {"authorization": "***"}
    assert secrets.clean("none of the keys") == "none of the keys"


def test_what_looks_like_a_key_is_one() -> None:
    key = "sk-" + "proj-abcdefghijklmnopqrst"
    assert Secrets().clean(f"My key is {key}.") == "My key is ***."


def test_credentials_for_other_servers() -> None:
    tools = [
        {"type": "function", "name": "mcp"},
        {"type": "mcp", "authorization": "their-token", "headers": {"X": "Bearer other-token"}},
    ]
    create = msgspec.json.encode({"tools": tools})
    secrets = Secrets()
    secrets.learn_from_tools(create)
    cleaned = msgspec.json.decode(secrets.clean(create.decode()))
    assert cleaned["tools"][1] == {"type": "mcp", "authorization": "***", "headers": {"X": "***"}}


@pytest.mark.parametrize("data", [b'"mcp"', b'["mcp"]', b'{"tools":"mcp"}', b'{"tools":["mcp"]}'])
def test_tools_of_an_odd_shape(data: bytes) -> None:
    secrets = Secrets()
    secrets.learn_from_tools(data)
    assert secrets.clean(data.decode()) == data.decode()
