"""What browsers ask for web pages."""

from __future__ import annotations

import pytest

from gateway.access.test_keys import ALICE, bearer, keyring
from gateway.support import talk
from turnwire.gateway.access.cors import is_preflight, preflight_headers

PAGE = "https://page.example"
ASKED = {"Origin": PAGE, "Access-Control-Request-Method": "POST"}
READABLE = {
    "Access-Control-Allow-Origin": PAGE,
    "Access-Control-Expose-Headers": "Retry-After, X-Request-Id",
    "Vary": "Origin",
}


@pytest.mark.parametrize(
    ("method", "headers", "expected"),
    [
        ("OPTIONS", ASKED, True),
        ("POST", ASKED, False),
        ("OPTIONS", {"Origin": PAGE}, False),
        ("OPTIONS", {"Access-Control-Request-Method": "POST"}, False),
    ],
)
def test_what_a_preflight_is(method: str, headers: dict[str, str], *, expected: bool) -> None:
    assert is_preflight(method, headers) is expected


def test_a_preflight_grants_the_headers_that_it_asks_for() -> None:
    asked = ASKED | {"Access-Control-Request-Headers": "authorization, x-stainless-os"}
    assert preflight_headers(asked) == READABLE | {
        "Access-Control-Allow-Methods": "GET, POST, DELETE",
        "Access-Control-Allow-Headers": "authorization, x-stainless-os",
        "Access-Control-Max-Age": "600",
    }


def test_a_list_of_headers_without_end_is_not_repeated() -> None:
    asked = ASKED | {"Access-Control-Request-Headers": "x" * 5000}
    assert "Access-Control-Allow-Headers" not in preflight_headers(asked)


@pytest.mark.io
async def test_by_default_no_page_gets_anything() -> None:
    async with talk() as here:
        for method in ("OPTIONS", "POST", "GET"):
            url = here.gateway.base_url + "/responses"
            async with here.session.request(method, url, headers=ASKED) as answer:
                assert answer.status == 403
                assert not [name for name in answer.headers if name.startswith("Access-Control")]


@pytest.mark.io
async def test_an_allowed_page_gets_its_preflight_without_a_key() -> None:
    async with (
        talk(allowed_origins=(PAGE,), keyring=keyring()) as here,
        here.session.options(here.gateway.base_url + "/responses", headers=ASKED) as answer,
    ):
        assert answer.status == 204
        found = {name: answer.headers.get(name) for name in READABLE}
        assert found == READABLE
        assert answer.headers["Access-Control-Allow-Methods"] == "GET, POST, DELETE"
        assert await answer.read() == b""


@pytest.mark.io
@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({"model": "m", "input": "Hello"}, 200),
        ({"model": "m", "input": "Hello", "stream": True}, 200),
        ({"model": "m"}, 400),
    ],
    ids=["document", "stream", "refusal"],
)
async def test_an_allowed_page_may_read_every_answer(body: dict[str, object], status: int) -> None:
    async with (
        talk(allowed_origins=(PAGE,)) as here,
        here.session.post(
            here.gateway.base_url + "/responses", json=body, headers={"Origin": PAGE}
        ) as answer,
    ):
        assert answer.status == status
        assert {name: answer.headers.get(name) for name in READABLE} == READABLE


@pytest.mark.io
async def test_an_allowed_page_may_read_that_its_key_is_wrong() -> None:
    async with (
        talk(allowed_origins=(PAGE,), keyring=keyring()) as here,
        here.session.get(
            here.gateway.base_url + "/models", headers={"Origin": PAGE} | bearer("tw-wrong")
        ) as answer,
    ):
        assert (answer.status, answer.headers["Access-Control-Allow-Origin"]) == (401, PAGE)


@pytest.mark.io
async def test_an_allowed_page_opens_a_socket_with_its_key_as_a_subprotocol() -> None:
    async with talk(allowed_origins=(PAGE,), keyring=keyring()) as here:
        client = await here.dial(
            headers={"Origin": PAGE}, protocols=["realtime", f"openai-insecure-api-key.{ALICE}"]
        )
        assert client.raw.protocol == "realtime"
        assert (await client.respond(input="Hello"))["status"] == "completed"


@pytest.mark.io
async def test_a_page_that_is_allowed_in_one_place_is_not_in_another() -> None:
    async with (
        talk(allowed_origins=(PAGE,)) as here,
        here.session.get(
            here.gateway.base_url + "/models", headers={"Origin": PAGE + ".evil.example"}
        ) as answer,
    ):
        assert answer.status == 403
        assert "Access-Control-Allow-Origin" not in answer.headers


@pytest.mark.io
async def test_programs_are_told_nothing_about_pages() -> None:
    async with (
        talk(allowed_origins=("*",)) as here,
        here.session.get(here.gateway.base_url + "/models") as answer,
    ):
        assert not [name for name in answer.headers if name.startswith("Access-Control")]
        assert "Vary" not in answer.headers
