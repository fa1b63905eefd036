"""turnwire's model for the OpenAI Agents SDK where the way to the server, or the server, fails."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import openai
import pytest
from agents import (
    AgentHooks,
    ModelBehaviorError,
    ModelRetrySettings,
    ModelSettings,
    Runner,
    UserError,
    retry_policies,
)
from agents.retry import ModelRetryAdviceRequest
from agents.tracing import set_trace_processors

import turnwire
from interop.frameworks.agents_of_tests import (
    ENVIRONMENT,
    adder,
    by_http,
    by_turnwire,
    calls,
    config,
    run,
    streamed,
)
from turnwire.adapters.openai_agents import ModelProvider
from turnwire.adapters.openai_agents.errors import sdk_error
from turnwire.testing import (
    Gate,
    Peer,
    Step,
    Turns,
    answer,
    call,
    drop,
    error,
    failed,
    incomplete,
    refuse,
    terminal,
    wait,
)

if TYPE_CHECKING:
    from collections.abc import Callable

pytestmark = [pytest.mark.interop, pytest.mark.io]


@pytest.fixture(autouse=True)
def _alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let nothing of the environment in, and no traces out."""
    for name in ENVIRONMENT:
        monkeypatch.delenv(name, raising=False)
    set_trace_processors([])


async def by_http_expected(script: Any) -> Any:
    async with Peer(script) as peer, by_http(peer) as provider:
        return (await run(adder(), "Add.", provider)).to_input_list()


async def test_a_drop_before_output_costs_nothing_that_shows() -> None:
    expected = await by_http_expected(calls(4))
    regular = calls(4)
    dropped: list[int] = []

    def script(create: Any) -> list[Step]:
        if create.number == 3 and not dropped:
            dropped.append(create.number)
            return [drop()]
        steps: list[Step] = regular(create)
        return steps

    async with Peer(script) as peer, by_turnwire(peer) as provider:
        result = await run(adder(), "Add.", provider)
        statistics = provider.client.statistics()
    assert result.final_output == "Done."
    assert without_ids(result.to_input_list()) == without_ids(expected)
    assert (statistics.lost_sockets, statistics.repeats) == (1, 1)
    assert peer.refusals == []


def without_ids(items: list[Any]) -> list[Any]:
    """Leave out what the peer numbers: a turn that was sent twice has other ids."""
    return [{key: it[key] for key in it if key not in ("id", "call_id")} for it in items]


async def test_a_stream_that_is_cut_off_after_output_says_so() -> None:
    steps: list[Step] = [answer("Hello world"), drop(after="response.output_text.delta")]
    script = Turns(steps, then=[answer("Again.")])
    async with Peer(script) as peer, by_turnwire(peer) as provider:
        with pytest.raises(openai.APIConnectionError, match="cut off") as caught:
            await streamed(adder(), "Hi.", provider)
        assert isinstance(caught.value.__cause__, turnwire.TurnInterrupted)
        assert (await run(adder(), "Hi.", provider)).final_output == "Again."
    assert peer.model_runs == 2  # what was seen is not asked for again


async def test_a_drop_after_output_that_nobody_saw_is_made_good() -> None:
    steps: list[Step] = [answer("Hello world"), drop(after="response.output_text.delta")]
    async with Peer(Turns(steps, [answer("Hello.")])) as peer, by_turnwire(peer) as provider:
        assert (await run(adder(), "Hi.", provider)).final_output == "Hello."
    assert peer.model_runs == 2


async def test_a_chain_that_the_server_forgot_is_sent_whole_once() -> None:
    expected = await by_http_expected(calls(4))

    class Forgetful(AgentHooks[Any]):
        async def on_tool_end(self, *arguments: Any, **named: Any) -> None:
            if peer.model_runs == 3:
                peer.forget()

    async with Peer(calls(4)) as peer, by_turnwire(peer) as provider:
        result = await run(adder(hooks=Forgetful()), "Add.", provider)
        statistics = provider.client.statistics()
    assert result.to_input_list() == expected
    assert statistics.chain_misses == {"evicted": 1}
    assert peer.model_runs == 5


async def test_a_refused_upgrade_means_http() -> None:
    expected = await by_http_expected(calls(4))
    async with Peer(calls(4), handshake=426) as peer, by_turnwire(peer) as provider:
        result = await run(adder(), "Add.", provider)
        assert provider.client.health().transport == "http"
    assert result.to_input_list() == expected
    assert [len(post.body["input"]) for post in peer.posts] == [1] * 5  # chained all the same


async def test_a_server_that_was_busy_is_asked_again_and_else_it_is_the_sdks_error() -> None:
    busy: list[Step] = [error("rate_limit_exceeded", 429, headers={"retry-after": "0"})]
    async with Peer(Turns(busy, [answer("Now.")])) as peer, by_turnwire(peer) as provider:
        assert (await run(adder(), "Hi.", provider)).final_output == "Now."
    async with Peer(lambda _: busy) as peer, by_turnwire(peer, max_retries=0) as provider:
        for how in (run, streamed):
            with pytest.raises(openai.RateLimitError) as caught:
                await how(adder(), "Hi.", provider)
            assert caught.value.status_code == 429
            assert caught.value.code == "rate_limit_exceeded"
            assert caught.value.response.headers["retry-after"] == "0"


async def test_the_runner_sends_again_what_its_policy_says() -> None:
    busy: list[Step] = [error("rate_limit_exceeded", 429, headers={"retry-after": "0"})]
    retry = ModelRetrySettings(max_retries=2, policy=retry_policies.provider_suggested())
    agent = adder(model_settings=ModelSettings(retry=retry))
    async with (
        Peer(Turns(busy, busy, [answer("Now.")])) as peer,
        by_turnwire(peer, max_retries=0) as provider,
    ):
        assert (await run(agent, "Hi.", provider)).final_output == "Now."


async def test_a_runner_that_forbids_retries_has_none_behind_its_back() -> None:
    agent = adder(model_settings=ModelSettings(retry=ModelRetrySettings(max_retries=0)))
    async with Peer(lambda _: [drop()]) as peer, by_turnwire(peer) as provider:
        with pytest.raises(openai.APIConnectionError):
            await run(agent, "Hi.", provider)
    assert len(peer.creates) == 1


async def test_a_cancelled_run_leaves_no_dirty_lane() -> None:
    gate = Gate()
    steps: list[Step] = [answer("Hello world"), wait(gate, after="response.output_text.delta")]
    async with (
        Peer(Turns(steps, then=[answer("Again.")])) as peer,
        by_turnwire(peer, lanes=True, max_sockets=1) as provider,
    ):
        running = asyncio.create_task(run(adder(), "Hi.", provider))
        await gate.wait_reached()
        running.cancel()
        with pytest.raises(asyncio.CancelledError):
            await running
        gate.open()
        assert (await run(adder(), "Hi.", provider)).final_output == "Again."
        assert provider.client.statistics().cancelled == 1
    assert peer.refusals == []


async def test_a_stream_that_is_left_leaves_no_dirty_lane() -> None:
    gate = Gate()
    steps: list[Step] = [answer("Hello world"), wait(gate, after="response.output_text.delta")]
    async with (
        Peer(Turns(steps, then=[answer("Again.")])) as peer,
        by_turnwire(peer, lanes=True, max_sockets=1) as provider,
    ):
        result = Runner.run_streamed(adder(), "Hi.", run_config=config(provider))
        async for event in result.stream_events():
            if event.type == "raw_response_event" and event.data.type.endswith("text.delta"):
                result.cancel()
        gate.open()
        assert (await run(adder(), "Hi.", provider)).final_output == "Again."
        assert provider.client.statistics().cancelled == 1


@pytest.mark.parametrize(
    ("steps", "kind"),
    [
        ([answer("H"), failed("invalid_prompt")], ModelBehaviorError),
        ([answer("H"), incomplete("max_output_tokens")], ModelBehaviorError),
        ([answer("H"), terminal("response.cancelled", "cancelled")], ModelBehaviorError),
        ([error("bad", 400)], openai.BadRequestError),
        ([error("no", 403)], openai.PermissionDeniedError),
        ([error("odd", 418)], openai.APIStatusError),
        ([error("down", 503)], openai.InternalServerError),
        ([error("odd", None)], openai.APIError),
        ([answer("H"), error("server_error", 500)], openai.InternalServerError),
    ],
)
@pytest.mark.parametrize("how", [run, streamed])
async def test_the_servers_no_is_of_the_sdks_kind(
    how: Callable[..., Any], steps: list[Step], kind: type[Exception]
) -> None:
    async with (
        Peer(lambda _: steps) as peer,
        by_turnwire(peer, max_retries=0, replay="never") as provider,
    ):
        with pytest.raises(kind) as caught:
            await how(adder(), "Hi.", provider)
    assert type(caught.value) is kind


async def test_an_end_by_another_name_is_an_end() -> None:
    steps: list[Step] = [answer("Hi"), terminal("response.done")]
    async with Peer(lambda _: steps) as peer, by_turnwire(peer) as provider:
        assert (await run(adder(), "Hi.", provider)).final_output == "Hi"
        result, _ = await streamed(adder(), "Hi.", provider)
        assert result.final_output == "Hi"


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (401, openai.AuthenticationError),
        (429, openai.RateLimitError),
        (503, openai.InternalServerError),
    ],
)
async def test_a_refused_upgrade_where_there_is_no_other_way(
    status: int, kind: type[openai.APIStatusError]
) -> None:
    async with (
        Peer(handshake=refuse(status)) as peer,
        by_turnwire(peer, transport="websocket", dial_backoff=turnwire.Backoff(())) as provider,
    ):
        with pytest.raises(kind) as caught:
            await run(adder(), "Hi.", provider)
    assert caught.value.status_code == status


@pytest.mark.parametrize(
    ("settings", "why"),
    [
        (ModelSettings(extra_headers={"x-a": "b"}), "default_headers"),
        (ModelSettings(extra_query={"a": "b"}), "base_url"),
        (ModelSettings(extra_args={"background": True}), "background"),
        (ModelSettings(extra_args={"timeout": object()}), "number of seconds"),
    ],
)
async def test_what_a_turn_on_a_shared_socket_cannot_have(
    settings: ModelSettings, why: str
) -> None:
    async with Peer() as peer, by_turnwire(peer) as provider:
        with pytest.raises(UserError, match=why):
            await run(adder(model_settings=settings), "Hi.", provider)
    assert peer.creates == []


async def test_a_limit_on_a_turn() -> None:
    agent = adder(model_settings=ModelSettings(extra_args={"timeout": 0.05}))
    async with Peer(lambda _: [wait(Gate())]) as peer, by_turnwire(peer) as provider:
        with pytest.raises(openai.APITimeoutError) as caught:
            await run(agent, "Hi.", provider)
    assert isinstance(caught.value.__cause__, turnwire.TurnTimeout)
    assert caught.value.message == str(caught.value.__cause__)


async def test_an_input_with_a_tuple_and_another_providers_fields() -> None:
    said: list[Any] = [
        {"role": "user", "content": ({"type": "input_text", "text": "Hi."},)},
        {
            "role": "assistant",
            "type": "message",
            "id": "__fake_id__",
            "provider_data": {"model": "other"},
            "content": iter([{"type": "output_text", "text": "Hello."}]),
        },
        {"role": "user", "content": "So?"},
    ]
    async with Peer() as peer, by_turnwire(peer) as provider:
        model = provider.get_model("any")
        arguments: Any = (None, said, ModelSettings(), [], None, [])
        await model._fetch_response(*arguments)
    assert [sorted(item) for item in peer.creates[0]["input"]] == [
        ["content", "role"],
        ["content", "role", "type"],
        ["content", "role"],
    ]


def advice(cause: turnwire.TurnwireError, link: str | None = None) -> Any:
    """Return what the runner is told about a turn that ended with an error."""
    reason = sdk_error(cause)
    reason.__cause__ = cause
    request = ModelRetryAdviceRequest(reason, attempt=1, stream=False, previous_response_id=link)
    found = ModelProvider(api_key="none").get_model("any").get_retry_advice(request)
    return found and (found.suggested, found.replay_safety, found.response_started)


def interrupted(delivery: str) -> turnwire.TurnInterrupted:
    return turnwire.TurnInterrupted("cut off", delivery=delivery)


def test_the_runner_is_told_what_the_server_may_have_done() -> None:
    assert advice(turnwire.DialError("no answer")) == (True, "safe", False)
    assert advice(turnwire.DialError("no", status=401)) == (False, "safe", False)
    assert advice(turnwire.QueueTimeout("late"), "resp_1") == (True, "safe", False)
    assert advice(interrupted("writing")) == (True, None, False)
    assert advice(interrupted("writing"), "resp_1") == (False, "unsafe", False)
    assert advice(interrupted("accepted")) == (False, "unsafe", True)
    assert advice(interrupted("output")) == (False, "unsafe", True)
    assert advice(turnwire.TurnError("busy", status=503), "resp_1") == (True, "safe", False)
    assert advice(turnwire.TurnError("bad", status=400)) is None
    assert advice(turnwire.ConfigError("wrong")) is None


def test_every_error_of_a_turn_has_one_of_the_sdks() -> None:
    found = {
        turnwire.ConfigError("a"): UserError,
        turnwire.UnansweredCalls("a", call_ids=()): UserError,
        turnwire.ProgressTimeout("a"): openai.APITimeoutError,
        turnwire.QueueFull("a", limit_bytes=1): openai.APIConnectionError,
        turnwire.SlowConsumer("a", limit_bytes=1): openai.APIError,
        turnwire.ProtocolError("a"): openai.APIError,
        turnwire.DialError("a", status=429, body=b"<html>"): openai.RateLimitError,
        turnwire.PreviousResponseNotFound("a", status=404): openai.NotFoundError,
    }
    assert {type(cause): type(sdk_error(cause)) for cause in found} == {
        type(cause): kind for cause, kind in found.items()
    }
    assert all(str(sdk_error(cause)) == "a" for cause in found)


async def test_a_call_without_an_output_is_the_servers_to_refuse() -> None:
    said: list[Any] = [
        {"role": "user", "content": "Hi."},
        {"type": "mcp_approval_request", "id": "mcpr_1", "name": "f", "arguments": "{}"},
        {"role": "user", "content": "So?"},
    ]
    async with Peer() as peer, by_turnwire(peer) as provider:
        with pytest.raises(openai.BadRequestError, match="No tool output found"):
            await run(adder(), said, provider)
    assert [create["input"] for create in peer.creates] == [said]


async def test_a_tool_that_fails_is_the_runners_business() -> None:
    script = Turns([call("add", '{"a": "no number"}', call_id="c")], [answer("Sorry.")])
    async with Peer(script) as peer, by_turnwire(peer) as provider:
        assert (await run(adder(), "Add.", provider)).final_output == "Sorry."
    assert [len(create["input"]) for create in peer.creates] == [1, 1]
