"""What goes wrong is an event, once and last; and what goes another way says why."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from agent_stream.support import Clock, Runner, end_of, one_try, read, types, user
from turnwire import (
    AsyncClient,
    AuthenticationError,
    DialError,
    TurnError,
    TurnInterrupted,
    TurnTimeout,
)
from turnwire.agent_stream import (
    AgentStreams,
    AssistantMessage,
    DoneEvent,
    ErrorEvent,
    TextContent,
)
from turnwire.testing import (
    Peer,
    answer,
    call,
    close,
    drop,
    error,
    failed,
    refuse,
    silence,
    virtual_time,
)

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from turnwire.agent_stream import AgentEvent, Context, Model, Options
    from turnwire.testing import Step

pytestmark = pytest.mark.io


class OwnHttp:
    """A runner's own stream over HTTP, that keeps the reasons it was given."""

    def __init__(self) -> None:
        self.reasons: list[str] = []

    async def __call__(
        self, model: Model, context: Context, options: Options, reason: str
    ) -> AsyncIterator[AgentEvent]:
        self.reasons.append(reason)
        yield DoneEvent("stop", AssistantMessage((TextContent(f"{len(context.messages)}"),)))


@pytest.mark.parametrize("step", [drop(after=5), close(1000, after=5), close(1001, after=5)])
async def test_a_socket_lost_in_the_middle_is_an_error_with_what_came(step: Step) -> None:
    async with (
        Peer(lambda create: [answer("Hello world"), step]) as peer,
        AgentStreams(base_url=peer.base_url) as streams,
    ):
        events = await read(Runner(streams).stream(user("Hi")))
        assert types(events) == ["start", "text_start", "text_delta", "error"]
        end = end_of(events)
        assert isinstance(end, ErrorEvent)
        assert (end.reason, end.message.stop_reason, end.message.text) == (
            "error",
            "error",
            "Hello",
        )
        assert isinstance(end.cause, TurnInterrupted)
        assert end.message.error_message == str(end.cause)
        assert end.report is not None
        assert (end.report.model_runs, peer.model_runs) == (1, 1)


async def test_a_call_that_was_cut_off_is_not_in_the_error() -> None:
    steps = [
        call("weather", {"city": "Oslo"}),
        drop(after="response.function_call_arguments.delta"),
    ]
    async with Peer(lambda create: steps) as peer, one_try(peer) as streams:
        message = await Runner(streams).ask(user("Hi"))
        assert (message.stop_reason, message.content) == ("error", ())


async def test_what_the_client_sends_again_before_anything_was_seen_is_counted() -> None:
    turns: list[list[Step]] = [[answer("Hi"), drop(after="response.created")], [answer("Hi")]]
    async with (
        Peer(lambda create: turns[create.number - 1]) as peer,
        AgentStreams(base_url=peer.base_url) as streams,
    ):
        events = await read(Runner(streams).stream(user("Hi")))
        assert types(events) == ["start", "text_start", "text_delta", "text_end", "done"]
        end = end_of(events)
        assert end.report is not None
        assert (end.report.model_runs, end.report.resends, peer.model_runs) == (2, 1, 2)
        assert streams.has_live("a")


async def test_an_error_of_the_server_keeps_its_words_and_its_code() -> None:
    async with (
        Peer(lambda create: [failed("rate_limit_exceeded", "Too fast.")]) as peer,
        one_try(peer) as streams,
    ):
        runner = Runner(streams)
        message = await runner.ask(user("Hi"))
        assert "Too fast." in (message.error_message or "")
        assert isinstance(runner.last, ErrorEvent)
        assert isinstance(runner.last.cause, TurnError)
        assert runner.last.cause.code == "rate_limit_exceeded"


async def test_a_forced_socket_that_is_refused_is_an_error() -> None:
    async with (
        Peer(handshake=426) as peer,
        one_try(peer, transport="websocket", fall_back=OwnHttp()) as streams,
    ):
        events = await read(Runner(streams).stream(user("Hi")))
        assert types(events) == ["error"]
        end = end_of(events)
        assert isinstance(end, ErrorEvent)
        assert isinstance(end.cause, DialError)
        assert (peer.model_runs, len(peer.posts)) == (0, 0)


async def test_where_sockets_are_refused_the_client_goes_over_http_and_says_so() -> None:
    async with Peer(handshake=426) as peer, AgentStreams(base_url=peer.base_url) as streams:
        runner = Runner(streams)
        for text in ("one", "two"):
            assert (await runner.ask(user(text))).text == text
            assert runner.last is not None
            assert runner.last.report is not None
            assert runner.last.report.transport == "http"
            assert runner.last.report.transport_reason.startswith("fallback: ")
        assert [len(create["input"]) for create in peer.creates] == [1, 3]  # nothing is stored
        assert (len(peer.handshakes), peer.model_runs) == (1, 2)
        assert not streams.has_live("a")


@pytest.mark.parametrize("word", ["sse", "http"])
async def test_sse_opens_no_socket(word: Any) -> None:
    async with Peer() as peer, AgentStreams(base_url=peer.base_url) as streams:
        runner = Runner(streams)
        message = await runner.ask(user("Hi"), transport=word, warm_up=True)
        assert (message.text, len(peer.posts), peer.handshakes, peer.warm_ups) == ("Hi", 1, [], 0)
        assert runner.last is not None
        assert runner.last.report is not None
        assert runner.last.report.transport_reason == 'requested: transport="http"'


async def test_the_callers_own_http_takes_over_and_sockets_are_left_alone() -> None:
    http, clock = OwnHttp(), Clock()
    async with Peer(handshake=[426]) as peer, one_try(peer, fall_back=http, clock=clock) as streams:
        runner = Runner(streams)
        for count in (1, 3):
            events = await read(runner.stream(user("Hi")))
            assert types(events) == ["done"]
            end = end_of(events)
            assert end.message.text == str(count)
            assert end.report is not None
            assert (end.report.transport, end.report.transport_reason) == ("http", http.reasons[-1])
            runner.messages.append({"role": "assistant", "content": end.message.text})
        assert len(http.reasons) == 2
        assert all(reason.startswith("fallback: ") and "426" in reason for reason in http.reasons)
        assert (len(peer.handshakes), peer.posts, peer.model_runs) == (1, [], 0)
        assert (await runner.ask(transport="websocket")).text == "Hi"  # it was asked for
        assert (len(http.reasons), len(peer.handshakes), peer.model_runs) == (2, 2, 1)


async def test_after_a_while_one_stream_finds_out_whether_sockets_work_again() -> None:
    http, clock = OwnHttp(), Clock()
    async with Peer(handshake=[426]) as peer, one_try(peer, fall_back=http, clock=clock) as streams:
        runner = Runner(streams)
        await runner.ask(user("Hi"))
        clock.now = 300.0  # then one stream finds out whether sockets work again
        assert (await runner.ask(user("Ho"))).text == "Ho"
        assert (len(http.reasons), len(peer.handshakes), peer.model_runs) == (1, 2, 1)


async def test_the_callers_own_http_is_asked_for_sse() -> None:
    http = OwnHttp()
    async with Peer() as peer, AgentStreams(base_url=peer.base_url, fall_back=http) as streams:
        events = await read(Runner(streams).stream(user("Hi"), transport="sse"))
        assert types(events) == ["done"]
        assert http.reasons == ['requested: transport="http"']
        assert (peer.posts, peer.handshakes) == ([], [])


async def test_after_its_own_http_a_session_goes_on_by_socket_with_all_that_was_said() -> None:
    http = OwnHttp()
    async with Peer() as peer, AgentStreams(base_url=peer.base_url, fall_back=http) as streams:
        runner = Runner(streams)
        await runner.ask(user("one"))
        await runner.ask(user("two"), transport="sse")
        assert (await runner.ask(user("three"))).text == "three"
        assert runner.last is not None
        assert runner.last.report is not None
        assert runner.last.report.transport_reason.startswith("preferred: ")
        assert [item["content"] for item in peer.creates[-1]["input"]] == ["two", "3", "three"]
        assert peer.refusals == []


@pytest.mark.parametrize("step", [drop(), drop(after="response.created")])
async def test_nothing_falls_back_that_the_server_may_have_run(step: Step) -> None:
    http, handshakes = OwnHttp(), iter((None, 426))
    async with (
        Peer(lambda create: [step], handshake=lambda request: next(handshakes)) as peer,
        AgentStreams(base_url=peer.base_url, fall_back=http) as streams,
    ):
        runner = Runner(streams)
        await runner.ask(user("Hi"))  # lost, and the socket to send it again on is refused
        assert isinstance(runner.last, ErrorEvent)
        assert isinstance(runner.last.cause, DialError)
        assert (http.reasons, peer.model_runs, len(peer.handshakes)) == ([], 1, 2)


@pytest.mark.parametrize("refusal", [refuse(429), refuse(401)])
async def test_a_key_or_a_limit_would_be_the_same_over_http(refusal: Any) -> None:
    http = OwnHttp()
    async with Peer(handshake=refusal) as peer, one_try(peer, fall_back=http) as streams:
        assert types(await read(Runner(streams).stream(user("Hi")))) == ["error"]
        assert http.reasons == []


async def test_a_wrong_key_is_an_error_and_no_key_is_in_it() -> None:
    async with (
        Peer(key="right") as peer,
        AsyncClient(base_url=peer.base_url, api_key="wrong-key") as client,
    ):
        runner = Runner(AgentStreams(client=client))
        message = await runner.ask(user("Hi"))
        assert isinstance(runner.last, ErrorEvent)
        assert isinstance(runner.last.cause, AuthenticationError)
        assert "wrong-key" not in (message.error_message or "")
        assert len(peer.posts) == 0


async def silent(*_: Any) -> AsyncIterator[AgentEvent]:
    for event in ():
        yield event


async def broken(*_: Any) -> AsyncIterator[AgentEvent]:
    raise RuntimeError("out of order")
    yield


@pytest.mark.parametrize(
    ("fall_back", "said"),
    [(silent, "the fallback ended without a `done` or `error` event"), (broken, "out of order")],
)
async def test_a_fallback_without_an_end_gets_one(fall_back: Any, said: str) -> None:
    async with Peer(handshake=426) as peer, one_try(peer, fall_back=fall_back) as streams:
        end = end_of(await read(Runner(streams).stream(user("Hi"))))
        assert isinstance(end, ErrorEvent)
        assert end.message.error_message == said
        assert end.report is not None
        assert end.report.transport_reason.startswith("fallback: ")


async def test_a_refusal_of_the_server_does_not_fall_back() -> None:
    http = OwnHttp()
    async with (
        Peer(lambda create: [error("invalid_request_error", 400)]) as peer,
        one_try(peer, fall_back=http) as streams,
    ):
        assert types(await read(Runner(streams).stream(user("Hi"))))[-1] == "error"
        assert http.reasons == []


@virtual_time
async def test_a_turn_may_take_no_longer_than_its_timeout() -> None:
    async with (
        Peer(lambda create: [answer("Hi"), silence(after="response.created")]) as peer,
        AgentStreams(base_url=peer.base_url) as streams,
    ):
        runner = Runner(streams)
        await runner.ask(user("Hi"), timeout=60.0)
        assert isinstance(runner.last, ErrorEvent)
        assert isinstance(runner.last.cause, TurnTimeout)
        assert peer.model_runs == 1
