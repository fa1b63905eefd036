"""Who comes in, where keys are asked for."""

from __future__ import annotations

import hashlib
import re
from typing import TYPE_CHECKING, Any

import aiohttp
import pytest

from gateway.support import talk
from turnwire.gateway.access.keys import Keyring, hash_of, new_key
from turnwire.gateway.config.tables import Key, Limits
from turnwire.gateway.refusal import RequestRefused

if TYPE_CHECKING:
    from collections.abc import Mapping

ALICE, BOB = "tw-alice", "tw-bob"
UNKNOWN = "This key is not known here. Check it with whoever runs this gateway."
MISSING = "This gateway asks for a key. Send it as `Authorization: Bearer …`."


def keyring(**limits: int) -> Keyring:
    return Keyring(
        (
            Key(name="alice", hash=hash_of(ALICE), limits=Limits(**limits)),
            Key(name="bob", hash=hash_of(BOB)),
        ),
        Limits(),
    )


def bearer(key: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {key}"}


def test_keys_cannot_be_guessed_and_are_all_different() -> None:
    made = {new_key() for _ in range(100)}
    assert len(made) == 100
    assert all(re.fullmatch(r"tw-[A-Za-z0-9_-]{43}", key) for key in made)


def test_what_is_kept_of_a_key_is_its_hash() -> None:
    assert hash_of("tw-x") == "sha256:" + hashlib.sha256(b"tw-x").hexdigest()
    assert ALICE not in repr(keyring().caller(bearer(ALICE)))


@pytest.mark.parametrize(
    ("headers", "name"),
    [
        (bearer(ALICE), "alice"),
        (bearer(BOB), "bob"),
        ({"Authorization": f"bearer  {BOB} "}, "bob"),
        ({"Authorization": BOB}, "bob"),
        ({"Sec-WebSocket-Protocol": f"realtime, openai-insecure-api-key.{BOB}"}, "bob"),
        # One that is sent as a header is meant.
        (bearer(ALICE) | {"Sec-WebSocket-Protocol": f"openai-insecure-api-key.{BOB}"}, "alice"),
    ],
)
def test_a_key_may_come_in(headers: Mapping[str, str], name: str) -> None:
    assert keyring().caller(headers).name == name


@pytest.mark.parametrize(
    ("headers", "message"),
    [
        ({}, MISSING),
        ({"Authorization": "Bearer"}, MISSING),
        ({"Authorization": "Bearer "}, MISSING),
        (bearer("tw-alic"), UNKNOWN),
        (bearer(ALICE + "x"), UNKNOWN),
        (bearer("\udce9"), UNKNOWN),
        (bearer(hash_of(ALICE)), UNKNOWN),
        ({"Sec-WebSocket-Protocol": "realtime"}, MISSING),
        ({"Sec-WebSocket-Protocol": "openai-insecure-api-key."}, MISSING),
    ],
)
def test_nobody_else_does(headers: Mapping[str, str], message: str) -> None:
    with pytest.raises(RequestRefused) as refused:
        keyring().caller(headers)
    assert (refused.value.status, refused.value.code, str(refused.value)) == (
        401,
        "invalid_api_key",
        message,
    )


def test_without_keys_everybody_comes_in_and_shares_the_limits() -> None:
    ring = Keyring((), Limits(sockets=1))
    assert ring.open
    assert ring.caller({}) is ring.caller(bearer("any"))


def test_each_key_has_limits_of_its_own() -> None:
    ring = keyring(sockets=1)
    alice, bob = ring.caller(bearer(ALICE)).allowance, ring.caller(bearer(BOB)).allowance
    assert alice.open_socket() is None
    assert alice.open_socket() is not None
    assert bob.open_socket() is None
    assert ring.caller(bearer(ALICE)).allowance is alice


@pytest.mark.io
@pytest.mark.parametrize("key", [None, "tw-wrong"])
async def test_r2_a_wrong_key_is_401_at_the_upgrade(key: str | None) -> None:
    async with talk(keyring=keyring()) as here:
        with pytest.raises(aiohttp.WSServerHandshakeError) as refused:
            await here.dial(headers=bearer(key) if key else {})
        assert refused.value.headers is not None
        assert (refused.value.status, refused.value.headers["WWW-Authenticate"]) == (401, "Bearer")
        assert here.gateway.statistics().sockets == 0


@pytest.mark.io
@pytest.mark.parametrize(
    ("method", "path"),
    [("POST", "/v1/responses"), ("GET", "/v1/models"), ("GET", "/v1/responses/resp_1")],
)
async def test_a_wrong_key_is_401_in_the_shape_of_the_api(method: str, path: str) -> None:
    async with (
        talk(keyring=keyring()) as here,
        here.session.request(method, here.gateway.url + path, headers=bearer("tw-wrong")) as answer,
    ):
        assert (answer.status, await answer.json()) == (
            401,
            {
                "error": {
                    "message": UNKNOWN,
                    "type": "invalid_request_error",
                    "param": None,
                    "code": "invalid_api_key",
                }
            },
        )


@pytest.mark.io
@pytest.mark.parametrize(
    "options",
    [{"headers": bearer(BOB)}, {"protocols": ["realtime", f"openai-insecure-api-key.{BOB}"]}],
    ids=["bearer", "subprotocol"],
)
async def test_r2_the_right_key_opens_a_socket(options: dict[str, Any]) -> None:
    async with talk(keyring=keyring()) as here:
        client = await here.dial(**options)
        assert (await client.respond(input="Hello"))["status"] == "completed"


@pytest.mark.io
async def test_a_response_of_one_key_is_not_there_for_the_other() -> None:
    async with talk(keyring=keyring()) as here:
        alice, bob = [await here.dial(headers=bearer(key)) for key in (ALICE, BOB)]
        response = await alice.respond(input="Hello")
        refused = await bob.refused(input="x", previous_response_id=response["id"])
        assert refused["error"]["code"] == "previous_response_not_found"
        path = f"/v1/responses/{response['id']}"
        assert (await here.get(path, **bearer(BOB)))[0] == 404
        assert (await here.get(path, **bearer(ALICE)))[0] == 200


@pytest.mark.io
async def test_a_balancer_needs_no_key() -> None:
    async with talk(keyring=keyring()) as here:
        assert await here.get("/healthz") == (200, {"status": "ok"})


@pytest.mark.io
async def test_keys_are_not_logged(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("DEBUG")
    async with talk(keyring=keyring()) as here:
        await here.dial(headers=bearer(ALICE))
        await here.get("/v1/models", **bearer("tw-wrong"))
    assert ALICE not in caplog.text
    assert "tw-wrong" not in caplog.text
