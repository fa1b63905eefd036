"""What a key may use."""

from __future__ import annotations

from typing import Any

import aiohttp
import pytest

from gateway.support import TERMINAL, Puppet, talk
from turnwire.gateway.access.keys import Keyring
from turnwire.gateway.access.limits import Allowance, OverLimit, TokenBucket
from turnwire.gateway.config.tables import Limits


def test_a_bucket_is_full_at_first_and_fills_steadily() -> None:
    bucket = TokenBucket(capacity=2, per_second=0.5)
    assert (bucket.level(100), bucket.wait(2, 100)) == (2, 0)
    bucket.take(2, 100)
    assert (bucket.level(100), bucket.wait(1, 100), bucket.wait(2, 100)) == (0, 2, 4)
    assert (bucket.level(101), bucket.wait(1, 101)) == (0.5, 1)
    assert (bucket.level(110), bucket.wait(1, 110)) == (2, 0)


def test_a_bucket_can_be_overdrawn_and_has_to_fill_again() -> None:
    bucket = TokenBucket(capacity=60, per_second=1)
    bucket.take(90, 0)
    assert (bucket.level(0), bucket.wait(1, 0), bucket.wait(1, 31)) == (-30, 31, 0)


def test_a_bucket_ignores_a_time_that_goes_back() -> None:
    bucket = TokenBucket(capacity=10, per_second=1)
    bucket.take(10, 100)
    assert (bucket.level(50), bucket.level(101)) == (0, 1)


def test_whoever_waits_as_long_as_it_was_told_is_admitted() -> None:
    allowance = Allowance(Limits(requests_per_minute=7))
    now = 0.0
    for _ in range(7):
        assert allowance.begin_turn(now) is None
    for _ in range(50):
        over = allowance.begin_turn(now)
        assert over is not None
        now += over.retry_after
        assert allowance.begin_turn(now) is None


def test_sockets_and_turns_are_counted_while_they_last() -> None:
    allowance = Allowance(Limits(sockets=1, active_turns=1))
    assert allowance.open_socket() is None
    assert allowance.open_socket() == OverLimit("sockets", 1, 1)
    allowance.close_socket()
    assert allowance.open_socket() is None
    assert allowance.begin_turn(0) is None
    assert allowance.begin_turn(0) == OverLimit("active_turns", 1, 1)
    allowance.end_turn(0, 0)
    assert allowance.begin_turn(0) is None
    assert (allowance.sockets, allowance.active_turns) == (1, 1)


def test_a_turn_that_is_refused_costs_nothing() -> None:
    allowance = Allowance(Limits(active_turns=1, requests_per_minute=2))
    assert allowance.begin_turn(0) is None
    assert allowance.begin_turn(0) == OverLimit("active_turns", 1, 1)
    allowance.end_turn(0, 0)
    assert allowance.begin_turn(0) is None
    allowance.end_turn(0, 0)
    assert allowance.begin_turn(0) == OverLimit("requests", 2, 30)


def test_tokens_are_paid_afterwards() -> None:
    allowance = Allowance(Limits(tokens_per_minute=60))
    assert allowance.begin_turn(0) is None
    assert allowance.begin_turn(0) is None, "as long as any are left"
    allowance.end_turn(100, 0)
    assert allowance.begin_turn(0) == OverLimit("tokens", 60, 41)
    assert allowance.begin_turn(41) is None


@pytest.mark.parametrize(
    ("limits", "counted"),
    [
        (Limits(), False),
        (Limits(sockets=1), False),
        (Limits(active_turns=1), True),
        (Limits(sockets=1, tokens_per_minute=1), True),
    ],
)
def test_what_is_not_limited_is_not_counted(limits: Limits, *, counted: bool) -> None:
    assert Allowance(limits).limits_turns is counted


@pytest.mark.parametrize(("seconds", "said"), [(0.2, "1"), (1, "1"), (1.01, "2"), (59.5, "60")])
def test_the_refusal_says_when_to_come_back_in_whole_seconds(seconds: float, said: str) -> None:
    refusal = OverLimit("requests", 5, seconds).refusal()
    assert (refusal.status, refusal.kind, refusal.code, refusal.headers) == (
        429,
        "rate_limit_error",
        "rate_limit_exceeded",
        {"retry-after": said},
    )
    assert str(refusal) == f"The limit is 5 requests a minute. Try again in {said} s."


def everybody(**limits: int) -> Keyring:
    return Keyring((), Limits(**limits))


@pytest.mark.io
async def test_one_socket_too_many_is_refused_at_the_upgrade() -> None:
    async with talk(keyring=everybody(sockets=1)) as here:
        first = await here.dial()
        with pytest.raises(aiohttp.WSServerHandshakeError) as refused:
            await here.dial()
        assert refused.value.headers is not None
        assert (refused.value.status, refused.value.headers["Retry-After"]) == (429, "1")
        assert (await first.respond(input="Hello"))["status"] == "completed"
        await first.raw.close()
        second = await here.dial()
        assert (await second.respond(input="Hello"))["status"] == "completed"
        await second.raw.close()


@pytest.mark.io
@pytest.mark.parametrize("stream", [True, False], ids=["stream", "document"])
async def test_one_request_too_many_is_refused_over_http(*, stream: bool) -> None:
    async with talk(keyring=everybody(requests_per_minute=1)) as here:
        body: dict[str, Any] = {"model": "m", "input": "Hello", "stream": stream}
        async with here.session.post(here.gateway.base_url + "/responses", json=body) as answer:
            assert answer.status == 200
            await answer.read()
        async with here.session.post(here.gateway.base_url + "/responses", json=body) as answer:
            error = (await answer.json())["error"]
            assert (answer.status, error["type"], error["code"]) == (
                429,
                "rate_limit_error",
                "rate_limit_exceeded",
            )
            assert 1 <= int(answer.headers["Retry-After"]) <= 60
        statistics = here.gateway.statistics()
        assert (statistics.turns, statistics.turns_refused, statistics.model_runs) == (2, 1, 1)


@pytest.mark.io
async def test_one_request_too_many_is_refused_in_its_lane_and_the_socket_lives() -> None:
    puppet = Puppet()
    async with talk(puppet, keyring=everybody(requests_per_minute=1)) as here:
        client = await here.dial()
        await client.create(input="one", stream_id="a")
        await client.create(input="two", stream_id="a")
        (await puppet.run()).finish("done")
        events = await client.until("error")
        assert [event["type"] for event in events if event["type"] in TERMINAL] == [
            "response.completed",
            "error",
        ]
        refused = events[-1]
        retry_after = refused["headers"].pop("retry-after")
        assert 1 <= int(retry_after) <= 60
        message = refused["error"].pop("message")
        assert message == f"The limit is 1 requests a minute. Try again in {retry_after} s."
        assert refused == {
            "type": "error",
            "status": 429,
            "error": {"type": "rate_limit_error", "code": "rate_limit_exceeded"},
            "headers": {},
            "stream_id": "a",
            "sequence_number": 0,
        }
        await client.send({"type": "unknown"})
        assert (await client.event())["error"]["param"] == "type"


@pytest.mark.io
async def test_turns_at_once_are_counted_over_sockets_and_requests() -> None:
    puppet = Puppet()
    async with talk(puppet, keyring=everybody(active_turns=1)) as here:
        first, second = await here.dial(), await here.dial()
        await first.create(input="one")
        run = await puppet.run()
        assert (await second.refused(input="two"))["status"] == 429
        assert (await here.post(input="three"))[0] == 429
        run.finish("done")
        await first.terminal()
        await second.create(input="four")
        (await puppet.run()).finish("done")
        await second.terminal()


@pytest.mark.io
async def test_a_client_that_vanishes_gives_its_place_back() -> None:
    puppet = Puppet()
    async with talk(puppet, keyring=everybody(active_turns=1, sockets=1)) as here:
        client = await here.dial()
        await client.create(input="one")
        run = await puppet.run()
        await client.raw.close()
        await run.stopped.wait()
        again = await here.dial()
        await again.create(input="two")
        (await puppet.run()).finish("done")
        await again.terminal()


@pytest.mark.io
async def test_tokens_of_a_turn_are_counted() -> None:
    async with talk(keyring=everybody(tokens_per_minute=5)) as here:
        status, response = await here.post(input="Hello, and some more words", stream=False)
        assert (status, response["usage"]["total_tokens"] > 5) == (200, True)
        status, body = await here.post(input="Hello")
        assert (status, body["error"]["message"].split(".")[0]) == (
            429,
            "The limit is 5 tokens a minute",
        )
