"""turnwire's LiveKit LLM: what of a context is sent, and that the model sees all of it once."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from livekit.agents import llm as livekit_llm

from interop.frameworks.livekit_of_tests import (
    ENVIRONMENT,
    ONCE,
    Watched,
    add,
    ask,
    context,
    follow,
    inputs,
    links,
    opened,
    plain,
    put_output,
    weather,
)
from turnwire.testing import (
    Create,
    Gate,
    Peer,
    Step,
    Turns,
    answer,
    call,
    error,
    item,
    reasoning,
    wait,
)

pytestmark = [pytest.mark.interop, pytest.mark.io]

SYSTEM = ("system", "Be brief.")


@pytest.fixture(autouse=True)
def _alone(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ENVIRONMENT:
        monkeypatch.delenv(name, raising=False)


@pytest.fixture(params=["websocket", "http"])
def transport(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def said(given: livekit_llm.ChatContext) -> list[Any]:
    """Return what a context says."""
    return plain(given.to_provider_format("openai.responses")[0])


async def test_each_chat_sends_only_what_is_new(transport: str) -> None:
    script = Watched()
    async with Peer(script) as peer, opened(peer, transport=transport) as llm:
        given = context()
        for text in ("one", "two", "three"):
            await ask(llm, given, text)
            assert script.seen[-1] == said(given)[:-1]
    assert inputs(peer) == [[SYSTEM, ("user", "one")], [("user", "two")], [("user", "three")]]
    assert links(peer) == [None, "resp_1", "resp_2"]
    assert peer.refusals == []


async def test_a_tool_loop_sends_only_outputs(transport: str) -> None:
    def script(create: Create) -> list[Step]:
        done = sum(each.get("type") == "function_call_output" for each in create.history)
        if create.number > 20:
            return [answer("Done.")]
        return [
            reasoning("Hm."),
            answer(f"Step {done}. "),
            call("add", {"a": done, "b": 2}, call_id=f"call_{create.number}"),
        ]

    watched = Watched(script)
    async with Peer(watched) as peer, opened(peer, transport=transport) as llm:
        given = context("Add a lot.")
        while calls := (await follow(llm, given, tools=[add])).tool_calls:
            put_output(given, calls[0].call_id, "2")
            assert watched.seen[-1] == said(given)[: len(watched.seen[-1])]
    assert len(given.items) == 2 + 20 * 3 + 1
    assert watched.seen[-1] == said(given)[:-1]
    assert inputs(peer)[1:] == [[(f"call_{number}", "2")] for number in range(1, 21)]
    assert peer.refusals == []


async def test_calls_of_one_response_are_answered_together() -> None:
    first = [call("weather", {"city": city}, call_id=city) for city in ("Oslo", "Rome")]
    watched = Watched(Turns(first, [answer("Sunny.")]))
    async with Peer(watched) as peer, opened(peer) as llm:
        given = context("The weather?")
        for each in (await follow(llm, given, tools=[weather])).tool_calls:
            put_output(given, each.call_id, "sunny")
        await follow(llm, given, tools=[weather])
    assert inputs(peer)[1] == [("Oslo", "sunny"), ("Rome", "sunny")]
    assert watched.seen[-1] == said(given)[:-1]


async def test_unstored_turns_send_the_whole_context(transport: str) -> None:
    watched = Watched()
    async with Peer(watched) as peer, opened(peer, transport=transport, store=False) as llm:
        given = context()
        for text in ("one", "two", "three"):
            await ask(llm, given, text)
            assert inputs(peer)[-1] == watched.seen[-1] == said(given)[:-1]
    assert links(peer) == [None, None, None]
    assert {create["store"] for create in peer.creates} == {False}
    assert len(peer.connections) == (transport == "websocket")


async def test_white_space_at_the_ends_of_an_answer_does_not_count() -> None:
    async with Peer(Turns([answer("\n Hello \n")], [answer("Bye.")])) as peer, opened(peer) as llm:
        given = context()
        assert (await ask(llm, given, "Hi")).text == "Hello"
        await ask(llm, given, "Bye")
    assert inputs(peer)[1] == [("user", "Bye")]


async def test_an_interruption_goes_on_from_where_the_answer_was_cut() -> None:
    watched = Watched(Turns([answer("One.")], [answer("Two and a half.")], [answer("Three.")]))
    async with Peer(watched) as peer, opened(peer) as llm:
        given = context()
        await ask(llm, given, "one")
        await ask(llm, given, "two")
        given.items.pop()
        given.add_message(role="assistant", content="Two and", interrupted=True)
        await ask(llm, given, "three")
    # From the response before: what came since is little.
    assert inputs(peer)[2] == [("user", "two"), ("assistant", "Two and"), ("user", "three")]
    assert links(peer) == [None, "resp_1", "resp_1"]
    assert watched.seen[-1] == said(given)[:-1]


async def test_an_edit_at_the_beginning_sends_everything() -> None:
    watched = Watched()
    async with Peer(watched) as peer, opened(peer) as llm:
        given = context()
        await ask(llm, given, "one")
        given.items[0] = livekit_llm.ChatMessage(role="system", content=["Be polite."])
        await ask(llm, given, "two")
    assert links(peer) == [None, None]
    assert watched.seen[-1] == inputs(peer)[1] == said(given)[:-1]
    assert watched.seen[-1][0] == ("system", "Be polite.")


async def test_instructions_for_one_reply_cost_that_reply_only() -> None:
    watched = Watched()
    async with Peer(watched) as peer, opened(peer) as llm:
        given = context()
        await ask(llm, given, "one")
        once = given.copy()
        once.items[0] = livekit_llm.ChatMessage(role="system", content=["Be brief. Shout."])
        await llm.chat(chat_ctx=once, conn_options=ONCE).collect()
        await ask(llm, given, "two")
    assert links(peer) == [None, None, "resp_1"]
    assert inputs(peer)[2] == [("user", "two")]


@pytest.mark.parametrize(
    ("name", "arguments", "output"),
    [("weather", '{"city": "Rome"}', "sunny"), ("climate", '{"city": "Oslo"}', "sunny")],
)
async def test_an_edited_call_is_another_history(name: str, arguments: str, output: str) -> None:
    first = [call("weather", {"city": "Oslo"}, call_id="call_a")]
    watched = Watched(Turns(first, [answer("Sunny.")]))
    async with Peer(watched) as peer, opened(peer) as llm:
        given = context("The weather?")
        await follow(llm, given, tools=[weather])
        (made,) = [each for each in given.items if each.type == "function_call"]
        made.name, made.arguments = name, arguments
        put_output(given, "call_a", output)
        await follow(llm, given, tools=[weather])
    assert links(peer) == [None, None]
    assert watched.seen[-1] == said(given)[:-1]


async def test_contexts_that_interleave_keep_to_their_chains(transport: str) -> None:
    watched = Watched()
    async with Peer(watched) as peer, opened(peer, transport=transport) as llm:
        contexts = [context(instructions=f"You are {number}.") for number in range(5)]
        for turn in range(4):
            for number, given in enumerate(contexts):
                await ask(llm, given, f"{number}.{turn}")
                assert watched.seen[-1] == said(given)[:-1]
    assert [len(each) for each in inputs(peer)] == [2] * 5 + [1] * 15
    assert peer.refusals == []


async def test_one_context_may_be_continued_twice_at_once() -> None:
    gate = Gate()

    def script(create: Create) -> list[Step]:
        return [wait(gate), answer(create.text)] if "both" in create.text else [answer("Hi.")]

    watched = Watched(script)
    async with Peer(watched) as peer, opened(peer, lanes=True) as llm:
        given = context()
        await ask(llm, given, "Hi")
        twins = [given.copy(), given.copy()]
        asking = asyncio.gather(
            *(ask(llm, each, f"both {number}") for number, each in enumerate(twins))
        )
        await peer.wait_until(lambda: len(peer.creates) == 3)
        gate.open()
        await asking
        for each in twins:
            await ask(llm, each, "more")
            assert watched.seen[-1] == said(each)[:-1]
    assert links(peer)[1:3] == ["resp_1", "resp_1"]
    assert inputs(peer)[3:] == [[("user", "more")]] * 2
    assert peer.refusals == []


async def test_a_context_that_changes_after_the_chat_began_is_sent_as_it_was() -> None:
    async with Peer() as peer, opened(peer) as llm:
        given = context("Hi")
        stream = llm.chat(chat_ctx=given, conn_options=ONCE)
        given.add_message(role="user", content="Later.")
        assert (await stream.collect()).text == "Hi"
    assert inputs(peer) == [[SYSTEM, ("user", "Hi")]]


async def test_the_same_context_again_is_answered_again() -> None:
    watched = Watched()
    async with Peer(watched) as peer, opened(peer) as llm:
        given = context()
        await ask(llm, given, "one")
        await ask(llm, given, "two")
        await llm.chat(chat_ctx=given, conn_options=ONCE).collect()  # nothing new to say
    assert watched.seen[-1] == said(given)
    assert links(peer) == [None, "resp_1", "resp_1"]
    assert peer.refusals == []


async def test_another_set_of_tools_sends_everything_once() -> None:
    watched = Watched()
    async with Peer(watched) as peer, opened(peer) as llm:
        given = context()
        await ask(llm, given, "one", tools=[add])
        await ask(llm, given, "two", tools=[add, weather])
        await ask(llm, given, "three", tools=[add, weather])
    assert links(peer) == [None, None, "resp_2"]
    assert watched.seen[-1] == said(given)[:-1]


async def test_cache_breakpoints_are_sent_where_they_are_wanted() -> None:
    given = livekit_llm.ChatContext.empty()
    given.add_message(role="system", content=["Be brief.", livekit_llm.CacheBreakpoint()])
    given.add_message(role="user", content="Hi")
    contents = []
    for wanted in ("auto", True):
        async with Peer() as peer, opened(peer, prompt_cache_breakpoints=wanted) as llm:
            await llm.chat(chat_ctx=given, conn_options=ONCE).collect()
        contents.append(peer.creates[0]["input"][0]["content"])
    marked = {
        "type": "input_text",
        "text": "Be brief.",
        "prompt_cache_breakpoint": {"mode": "explicit"},
    }
    assert contents == ["Be brief.", [marked]]


async def test_an_evicted_chain_is_sent_whole_within_the_turn(transport: str) -> None:
    def script(create: Create) -> list[Step]:
        if create.number in (2, 4) and create.request.get("previous_response_id"):
            return [error("previous_response_not_found")]
        return [answer(f"Answer to {create.text}.")]

    watched = Watched(script)
    async with Peer(watched) as peer, opened(peer, transport=transport) as llm:
        given = context()
        for text in ("one", "two", "three", "four"):
            assert (await ask(llm, given, text)).text == f"Answer to {text}."
            assert watched.seen[-1] == said(given)[:-1]
        assert len(peer.connections) == (transport == "websocket")
    assert peer.model_runs == 4


async def test_a_call_without_an_output_is_left_out() -> None:
    first = [call("add", {"a": 1}, call_id="call_a"), call("add", {"a": 2}, call_id="call_b")]
    watched = Watched(Turns(first, [answer("Half.")], [answer("Whole.")]))
    async with Peer(watched) as peer, opened(peer) as llm:
        given = context("Add.")
        await follow(llm, given, tools=[add])
        put_output(given, "call_a", "2")  # the other one was interrupted
        await ask(llm, given, "Never mind.", tools=[add])
        await ask(llm, given, "Go on.", tools=[add])
    left = ("call_a", "add", {"a": 1}), ("call_a", "2")
    assert inputs(peer)[1] == [SYSTEM, ("user", "Add."), *left, ("user", "Never mind.")]
    assert inputs(peer)[2] == [("user", "Go on.")]
    assert peer.refusals == []


async def test_calls_that_livekit_cannot_answer_do_not_end_the_talk() -> None:
    steps = [answer("Wait."), item(type="custom_tool_call", call_id="c", name="n", input="i")]
    watched = Watched(Turns(steps, [answer("Fine.")]))
    async with Peer(watched) as peer, opened(peer) as llm:
        given = context()
        await ask(llm, given, "one")
        assert (await ask(llm, given, "two")).text == "Fine."
    assert watched.seen[-1] == said(given)[:-1]
    assert peer.refusals == []


async def test_chains_that_were_not_used_for_long_are_forgotten() -> None:
    watched = Watched()
    async with Peer(watched) as peer, opened(peer) as llm:
        first, *others = (context(instructions=f"You are {number}.") for number in range(40))
        await ask(llm, first, "Hi")
        for given in others:
            await ask(llm, given, "Hi")
        await ask(llm, first, "Are you there?")
        await ask(llm, first, "Good.")
        assert watched.seen[-1] == said(first)[:-1]
    assert [len(each) for each in watched.sent[-2:]] == [4, 1]


async def test_long_talks_do_not_push_out_others() -> None:
    watched = Watched()
    async with Peer(watched) as peer, opened(peer) as llm:
        quiet, talkative = context(), context(instructions="Talk.")
        await ask(llm, quiet, "Hi")
        for number in range(40):
            await ask(llm, talkative, f"{number}")
        await ask(llm, quiet, "Are you there?")
    assert watched.sent[-1] == [("user", "Are you there?")]
    assert watched.seen[-1] == said(quiet)[:-1]
