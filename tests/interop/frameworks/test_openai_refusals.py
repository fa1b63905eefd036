"""What a server refuses is the SDK's own exception, and retried as over HTTP."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import openai
import pytest
from openai import AsyncOpenAI

from interop.frameworks.both_ways import ASK, always, by_both_ways
from interop.frameworks.lab import Bench, Way
from turnwire.testing import Create, Peer, answer, error, refuse

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from turnwire.testing import Step

pytestmark = pytest.mark.interop

REFUSALS: dict[str, Step] = {
    "400": error("invalid_prompt", 400, param="input", message="No."),
    "401": error("invalid_api_key", 401, message="Who?"),
    "403": error("unsupported_country", 403),
    "404": error("model_not_found", 404, param="model"),
    "409": error("conflict", 409),
    "422": error(None, 422),
    "429": error("rate_limit_exceeded", 429, headers={"retry-after": "7", "x-request-id": "r"}),
    "500": error("server_error", 500),
    "503": error("server_is_overloaded", 503),
}


def _about(raised: openai.APIStatusError) -> dict[str, Any]:
    assert isinstance(raised.body, dict)
    headers = raised.response.headers
    return {
        "type": type(raised),
        "status": raised.status_code,
        "request id": raised.request_id,
        "code": raised.code,
        "param": raised.param,
        "kind": raised.type,
        "body": {name: value for name, value in raised.body.items() if value is not None},
        "retry after": headers.get("retry-after"),
    }


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "streamed"])
@pytest.mark.parametrize("step", REFUSALS.values(), ids=REFUSALS)
async def test_a_refusal_is_the_same_exception(step: Step, stream: bool) -> None:  # noqa: FBT001
    async def ask(client: AsyncOpenAI) -> Any:
        with pytest.raises(openai.APIStatusError) as caught:
            await client.responses.create(**ASK, stream=stream)
        return _about(caught.value)

    plain, ours = await by_both_ways(ask, always(step))
    assert ours == plain


async def test_a_wrong_key_is_the_same_exception() -> None:
    async def ask(client: AsyncOpenAI) -> Any:
        with pytest.raises(openai.AuthenticationError) as caught:
            await client.responses.create(**ASK)
        return _about(caught.value)

    plain, ours = await by_both_ways(ask, always(), key="another")
    assert ours == plain


async def test_a_parent_that_is_gone_is_the_same_exception() -> None:
    async def ask(client: AsyncOpenAI) -> Any:
        with pytest.raises(openai.BadRequestError) as caught:
            await client.responses.create(**ASK, previous_response_id="resp_gone")
        return _about(caught.value)

    plain, ours = await by_both_ways(ask, always(answer("Hi")))
    assert ours == plain
    assert ours["code"] == "previous_response_not_found"


@pytest.mark.parametrize("status", [408, 409, 429, 500, 503])
@pytest.mark.parametrize("stream", [False, True], ids=["whole", "streamed"])
async def test_the_sdk_retries_what_it_retries_over_http(status: int, stream: bool) -> None:  # noqa: FBT001
    busy = error("busy", status, headers={"retry-after-ms": "1"})
    asked: list[int] = []

    def script() -> Callable[[Create], Sequence[Step]]:
        asked.append(0)

        def answered(_: Create) -> list[Step]:
            asked[-1] += 1
            return [busy] if asked[-1] <= 2 else [answer("At last.")]

        return answered

    async def ask(client: AsyncOpenAI) -> Any:
        told = await client.responses.create(**ASK, stream=stream)
        final = [event async for event in told][-1].response if stream else told
        return final.output_text

    assert await by_both_ways(ask, script, max_retries=2) == ["At last.", "At last."]
    assert asked == [3, 3]


async def test_an_upgrade_that_is_refused_for_good_is_the_exception_of_http() -> None:
    def refused(_: Any) -> Any:
        return refuse(403, {"error": {"message": "Not here.", "type": "permission", "code": "p"}})

    async def ask(client: AsyncOpenAI) -> Any:
        with pytest.raises(openai.PermissionDeniedError) as caught:
            await client.responses.create(**ASK)
        return _about(caught.value)

    told: list[Any] = []
    for way in Way:
        async with Peer(handshake=refused, posts=refused) as peer:
            bench = Bench(peer.base_url, way)
            async with AsyncOpenAI(
                **bench.server, http_client=bench.http_client(), max_retries=0
            ) as client:
                told.append(await ask(client))
    assert told[1] == told[0]
