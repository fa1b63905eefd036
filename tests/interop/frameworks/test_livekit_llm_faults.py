"""turnwire's LiveKit LLM when something goes wrong: what is said twice, lost, or remembered."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from livekit.agents import (
    APIConnectionError,
    APIConnectOptions,
    APIError,
    APIStatusError,
    APITimeoutError,
    ProviderTool,
)

from interop.frameworks.livekit_of_tests import (
    ENVIRONMENT,
    ONCE,
    Watched,
    add,
    ask,
    context,
    inputs,
    links,
    opened,
    plain,
    read,
)
from turnwire.adapters.livekit import LLM
from turnwire.testing import (
    Gate,
    Peer,
    Step,
    Turns,
    abort,
    answer,
    call,
    drop,
    error,
    failed,
    incomplete,
    item,
    refuse,
    silence,
    virtual_time,
    wait,
)

pytestmark = [pytest.mark.interop, pytest.mark.io]


class Interpreter(ProviderTool):
    def to_dict(self) -> dict[str, Any]:
        return {"type": "code_interpreter", "container": {"type": "auto"}}


@pytest.fixture(autouse=True)
def _alone(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ENVIRONMENT:
        monkeypatch.delenv(name, raising=False)


@pytest.mark.parametrize("end", ["drop", "reset", "close", "say"])
async def test_errors_between_chats_disturb_nobody(end: str) -> None:
    unhandled: list[dict[str, Any]] = []
    asyncio.get_running_loop().set_exception_handler(lambda loop, about: unhandled.append(about))
    watched = Watched()
    async with Peer(watched) as peer, opened(peer) as llm:
        given = context()
        await ask(llm, given, "one")
        (connection,) = peer.connections
        match end:
            case "close":
                await connection.close(1011)
            case "say":
                await connection.say(b"\xff no JSON", binary=True)
                connection.drop()
            case _:
                connection.drop(reset=end == "reset")
        assert (await ask(llm, given, "two")).text == "You said two."
    assert watched.seen[-1] == plain(given.to_provider_format("openai.responses")[0])[:-1]
    assert (unhandled, peer.model_runs) == ([], 2)


@pytest.mark.parametrize(
    "refusal",
    [
        [error("invalid_value", 400)],
        [error(None, 404)],
        [failed("invalid_prompt")],
        [failed("content_filter"), answer("?")],
        [answer("Hello world"), error("invalid_value", 400, after=4)],
    ],
)
async def test_what_the_server_refuses_costs_no_connection_and_no_chain(
    refusal: list[Step],
) -> None:
    script = Watched(Turns([answer("One.")], refusal, [answer("Three.")], [answer("Four.")]))
    async with Peer(script) as peer, opened(peer) as llm:
        given = context()
        await ask(llm, given, "one")
        with pytest.raises(APIStatusError) as caught:
            await ask(llm, given, "two")
        assert caught.value.retryable is False
        assert (await ask(llm, given, "three")).text == "Three."
        assert script.seen[-1] == plain(given.to_provider_format("openai.responses")[0])[:-1]
        assert (await ask(llm, given, "four")).text == "Four."
        assert inputs(peer)[-1] == [("user", "four")]
        assert len(peer.connections) == 1
    assert peer.refusals == []


async def test_an_error_tells_what_the_server_said() -> None:
    steps = [error("invalid_value", 400, message="No such voice.", param="voice")]
    async with Peer(Turns(steps)) as peer, opened(peer) as llm:
        with pytest.raises(APIStatusError, match="No such voice") as caught:
            await ask(llm, context(), "Hi")
    assert caught.value.status_code == 400
    assert caught.value.body == {
        "code": "invalid_value",
        "type": "invalid_request_error",
        "param": "voice",
    }


@virtual_time
async def test_a_busy_server_may_be_asked_again() -> None:
    async with (
        Peer(lambda create: [error("rate_limit_exceeded", 429)]) as peer,
        opened(peer, max_retries=0) as llm,
    ):
        with pytest.raises(APIStatusError) as caught:
            await ask(llm, context(), "Hi")
    assert (caught.value.status_code, caught.value.retryable) == (429, True)


@virtual_time
async def test_livekits_own_attempts_begin_anew() -> None:
    watched = Watched(Turns([failed("server_error")], [failed("server_error")], [answer("Hi.")]))
    async with Peer(watched) as peer, opened(peer, max_retries=0) as llm:
        told: list[Any] = []
        llm.on("error", told.append)
        again = APIConnectOptions(max_retry=3, retry_interval=2.0)
        given = context()
        assert (await ask(llm, given, "Hi", conn_options=again)).text == "Hi."
        assert inputs(peer) == [inputs(peer)[0]] * 3
    assert [each.recoverable for each in told] == [True, True]


async def test_a_key_that_is_refused_is_not_tried_again() -> None:
    async with Peer(key="right") as peer, opened(peer, api_key="wrong") as llm:
        with pytest.raises(APIStatusError) as caught:
            await ask(llm, context(), "Hi", conn_options=APIConnectOptions())
    assert (caught.value.status_code, caught.value.retryable) == (401, False)
    assert len(peer.handshakes) == 1


async def test_an_upgrade_that_is_refused_goes_over_http_and_keeps_the_chain() -> None:
    async with Peer(handshake=426) as peer, opened(peer) as llm:
        given = context()
        for text in ("one", "two"):
            assert (await ask(llm, given, text)).text == text
    assert (len(peer.handshakes), len(peer.posts)) == (1, 2)
    assert links(peer) == [None, "resp_1"]


@pytest.mark.parametrize(
    "loss", [drop(after=0), abort(after=0), drop(after="response.created"), drop(after=2)]
)
async def test_a_loss_before_output_is_recovered_and_said_once(loss: Step) -> None:
    script = Watched(
        Turns([answer("One.")], [answer("Two."), loss], [answer("Two.")], [answer("3")])
    )
    async with Peer(script) as peer, opened(peer) as llm:
        given = context()
        await ask(llm, given, "one")
        stream = llm.chat(chat_ctx=_with(given, "two"), conn_options=ONCE)
        assert (await stream.collect()).text == "Two."
        assert stream.turn is not None
        assert stream.turn.resends == 1
        given.add_message(role="assistant", content="Two.")
        await ask(llm, given, "three")
        assert script.seen[-1] == plain(given.to_provider_format("openai.responses")[0])[:-1]
    assert peer.refusals == []


def _with(given: Any, text: str) -> Any:
    given.add_message(role="user", content=text)
    return given


@pytest.mark.parametrize(
    "steps",
    [
        [answer("Hello world"), drop(after="response.output_text.delta")],
        [answer("Hello world"), abort(after=5)],
        [answer("Hello world"), error("server_error", 500, after="response.output_text.delta")],
        [call("add", {"a": 1}), drop(after="response.output_item.done")],
    ],
)
async def test_what_was_said_is_never_said_again(steps: list[Step]) -> None:
    script = Watched(Turns(steps, [answer("Next.")]))
    async with Peer(script) as peer, opened(peer) as llm:
        given = _with(context(), "Hi")
        stream = llm.chat(chat_ctx=given, tools=[add], conn_options=APIConnectOptions())
        shown: list[Any] = []
        with pytest.raises(APIError) as caught:
            await read(stream, shown)
        await stream.aclose()
        assert caught.value.retryable is False
        assert [(each.delta.content, len(each.delta.tool_calls)) for each in shown] in (
            [("Hello", 0)],
            [(None, 1)],
        )
        assert peer.model_runs == 1
        assert (await ask(llm, given, "Go on.")).text == "Next."
    assert script.seen[-1] == plain(given.to_provider_format("openai.responses")[0])[:-1]


async def test_what_ran_on_the_server_is_not_run_again_by_livekit() -> None:
    script = Turns([answer("Hi"), drop(after="response.created")], then=[answer("Again.")])
    async with Peer(script) as peer, opened(peer) as llm:
        with pytest.raises(APIConnectionError) as caught:
            await ask(
                llm,
                context(),
                "Hi",
                tools=[Interpreter(id="code")],
                conn_options=APIConnectOptions(),
            )
    assert (caught.value.retryable, peer.model_runs) == (False, 1)


@virtual_time
async def test_two_losses_in_a_row_are_left_to_livekit() -> None:
    lost = [answer("Hi"), drop(after="response.created")]
    async with Peer(Turns(lost, lost, [answer("Hi.")])) as peer, opened(peer) as llm:
        again = APIConnectOptions(max_retry=1)
        assert (await ask(llm, context(), "Hi", conn_options=again)).text == "Hi."


@pytest.mark.parametrize("steps", [[answer("Hello world"), incomplete("max_output_tokens")]])
async def test_an_incomplete_answer_ends_and_does_not_look_whole(steps: list[Step]) -> None:
    script = Watched(Turns([answer("One.")], steps, [answer("Three.")]))
    async with Peer(script) as peer, opened(peer) as llm:
        given = context()
        await ask(llm, given, "one")
        stream = llm.chat(chat_ctx=_with(given, "two"), conn_options=APIConnectOptions())
        shown: list[Any] = []
        with pytest.raises(APIStatusError, match="incomplete: max_output_tokens") as caught:
            await read(stream, shown)
        await stream.aclose()
        assert [each.delta.content for each in shown] == ["Hello", " world"]
        assert caught.value.retryable is False
        given.add_message(role="assistant", content="Hello world", interrupted=True)
        assert (await ask(llm, given, "three")).text == "Three."
        assert len(peer.connections) == 1
    assert script.seen[-1] == plain(given.to_provider_format("openai.responses")[0])[:-1]
    assert peer.refusals == []


async def test_half_a_call_is_not_run() -> None:
    half = {"call_id": "call_a", "name": "add", "arguments": '{"a": 1', "status": "incomplete"}
    steps = [item(type="function_call", **half), incomplete("max_output_tokens")]
    async with Peer(Turns(steps)) as peer, opened(peer) as llm:
        stream = llm.chat(chat_ctx=context("Add."), tools=[add], conn_options=ONCE)
        shown: list[Any] = []
        with pytest.raises(APIStatusError, match="incomplete"):
            await read(stream, shown)
        await stream.aclose()
    assert shown == []


async def test_an_interrupted_stream_leaves_the_next_chat_clean() -> None:
    gate = Gate()
    long = [answer("Hello world and more"), wait(gate, after="response.output_text.delta")]
    script = Watched(Turns([answer("One.")], long, [answer("Three.")], [answer("Four.")]))
    async with Peer(script) as peer, opened(peer) as llm:
        given = context()
        await ask(llm, given, "one")
        stream = llm.chat(chat_ctx=_with(given, "two"), conn_options=ONCE)
        assert (await anext(stream)).delta.content == "Hello"
        await stream.aclose()  # the user speaks
        given.add_message(role="assistant", content="Hello", interrupted=True)
        gate.open()
        for text, expected in (("three", "Three."), ("four", "Four.")):
            assert (await ask(llm, given, text)).text == expected
            assert script.seen[-1] == plain(given.to_provider_format("openai.responses")[0])[:-1]
    assert inputs(peer)[2:] == [
        [("user", "two"), ("assistant", "Hello"), ("user", "three")],
        [("user", "four")],
    ]
    assert peer.refusals == []


async def test_a_stream_that_is_closed_at_once_is_forgotten() -> None:
    async with Peer() as peer, opened(peer) as llm:
        given = context("Hi")
        await llm.chat(chat_ctx=given, conn_options=ONCE).aclose()
        assert (await ask(llm, given, "Again.")).text == "Again."


@virtual_time
async def test_the_timeout_of_a_chat_is_kept() -> None:
    watched = Watched(Turns([silence()], [answer("Hi.")]))
    async with Peer(watched) as peer, opened(peer) as llm:
        given = context()
        patience = APIConnectOptions(max_retry=0, timeout=3.0)
        with pytest.raises(APITimeoutError, match=r"within 3\.0 s") as caught:
            await ask(llm, given, "Hi", conn_options=patience)
        assert caught.value.retryable is True
        assert 3.0 <= peer.clock.now < 5.0
        assert (await ask(llm, given, "Again?")).text == "Hi."


@virtual_time
async def test_a_model_that_thinks_may_take_longer_than_the_timeout() -> None:
    steps = [answer("At last."), wait(60.0, after="response.in_progress")]
    async with Peer(Turns(steps)) as peer, opened(peer) as llm:
        patience = APIConnectOptions(max_retry=0, timeout=3.0)
        assert (await ask(llm, context(), "Hi", conn_options=patience)).text == "At last."


async def test_a_server_that_is_not_there() -> None:
    async with Peer() as peer:
        url = peer.base_url
    async with LLM(base_url=url) as llm:
        with pytest.raises(APIConnectionError) as caught:
            await ask(llm, context(), "Hi")
    assert caught.value.retryable is True


async def test_a_post_that_is_refused_has_its_status() -> None:
    async with (
        Peer(posts=[refuse(403, body=b'{"error": {"message": "Not you."}}')]) as peer,
        opened(peer, transport="http") as llm,
    ):
        with pytest.raises(APIStatusError, match="Not you") as caught:
            await ask(llm, context(), "Hi")
        assert (caught.value.status_code, caught.value.retryable) == (403, False)
        assert (await ask(llm, context(), "Hi")).text == "Hi"
