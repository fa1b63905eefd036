"""Several upstreams as one: who is asked, how often, and what of it anybody sees."""

from __future__ import annotations

import asyncio
import random
import re
from contextlib import aclosing
from typing import TYPE_CHECKING, Any

import pytest

from gateway.support import Puppet as AnyPuppet
from gateway.support import TurnsInMemory, text_of, until
from turnwire.errors import ConfigError
from turnwire.events import decode_event, encode
from turnwire.gateway.config.tables import UpstreamConfig
from turnwire.gateway.context import Prompt
from turnwire.gateway.input.parameters import read_parameters
from turnwire.gateway.observing.upstreams import UpstreamState
from turnwire.gateway.upstreams import UpstreamFailed
from turnwire.gateway.upstreams.deltas import Delta, Finished, TextDelta, UsageReport
from turnwire.gateway.upstreams.failures import CUT, TIMEOUT, UNREACHABLE
from turnwire.gateway.upstreams.routed import Route, RoutedUpstream
from turnwire.gateway.upstreams.routed.gate import GateSettings
from turnwire.gateway.upstreams.routed.health import HealthSettings
from turnwire.gateway.upstreams.timing import Timeouts

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from turnwire.events import Event
    from turnwire.gateway.context import Context

NEVER = HealthSettings(failures=10**6)  # never down
SECRET = "what was asked"


def broken(status: int = 503, code: str | None = None, **headers: str) -> UpstreamFailed:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return UpstreamFailed(f"repeats {SECRET}", status=status, code=code, headers=named)


def answer(text: str) -> list[Delta]:
    return [TextDelta(text), UsageReport(output_tokens=1), Finished()]


class Scripted:
    """Plays one script a turn, the last one again and again; counts what runs."""

    def __init__(self, *scripts: list[Any] | UpstreamFailed, models: tuple[str, ...] = ()) -> None:
        self.models = models
        self.prompts: list[Prompt] = []
        self.running = 0
        self.most_running = 0
        self._scripts = [[each] if isinstance(each, Exception) else each for each in scripts]

    @property
    def asked(self) -> int:
        return len(self.prompts)

    async def generate(self, prompt: Prompt) -> AsyncGenerator[Any]:
        script = self._scripts[min(self.asked, len(self._scripts) - 1)]
        self.prompts.append(prompt)
        self.running += 1
        self.most_running = max(self.most_running, self.running)
        try:
            for step in script:
                await asyncio.sleep(0)
                if isinstance(step, Exception):
                    raise step
                yield step
        finally:
            self.running -= 1


class WatchesSilence(Scripted):
    watches_silence = True


class SpeaksEvents(Scripted):
    speaks = "events"


class Puppet(AnyPuppet):
    """A model on strings that may have any name."""

    models = ()  # type: ignore[assignment]


def prompt(
    model: str = "m",
    text: str = SECRET,
    parent: Context | None = None,
    credential: str | None = None,
    **more: Any,
) -> Prompt:
    create = {"model": model, "input": text, **more}
    item = {"type": "message", "role": "user", "content": text}
    return Prompt(
        parameters=read_parameters(create, compacts=True),
        parent=parent,
        items=[item],
        encoded=(encode(item),),
        credential=credential,
    )


async def said(upstream: RoutedUpstream, asked: Prompt | None = None) -> str:
    """Run a turn and return its text."""
    async with aclosing(upstream.generate(asked or prompt())) as items:
        return "".join([item.text async for item in items if isinstance(item, TextDelta)])


async def failure_of(upstream: RoutedUpstream, asked: Prompt | None = None) -> UpstreamFailed:
    with pytest.raises(UpstreamFailed) as raised:
        await said(upstream, asked)
    return raised.value


class Pauses:
    """Sleeps for no time and remembers for how long it should have."""

    def __init__(self) -> None:
        self.seconds: list[float] = []

    async def __call__(self, seconds: float) -> None:
        self.seconds.append(seconds)
        await asyncio.sleep(0)


def routed(
    *upstreams: Any,
    pauses: Pauses | None = None,
    default: str | None = None,
    **settings: Any,
) -> RoutedUpstream:
    """Put upstreams in order, named a, b, c."""
    routes = [
        Route(name=name, upstream=upstream, **settings)
        for name, upstream in zip("abc", upstreams, strict=False)
    ]
    return RoutedUpstream(routes, default=default, chance=lambda: 1.0, sleep=pauses or Pauses())


def of(upstream: RoutedUpstream, name: str) -> UpstreamState:
    return next(state for state in upstream.states() if state.name == name)


# Which upstream


def by_model() -> tuple[RoutedUpstream, list[Scripted]]:
    upstreams = [
        Scripted(answer(name), models=models)
        for name, models in [
            ("a", ("qwen-3", "qwen-4")),
            ("b", ("llama-4",)),
            ("c", ("gpt-9", "llama-4")),
        ]
    ]
    routes = [
        Route(name="a", upstream=upstreams[0], models=("qwen-*", "coder")),
        Route(name="b", upstream=upstreams[1], models=("llama-?",)),
        Route(name="c", upstream=upstreams[2], models=("gpt-*", "llama-*")),
    ]
    return RoutedUpstream(routes, default="b"), upstreams


@pytest.mark.parametrize(
    ("model", "served_by"),
    [("qwen-3", "a"), ("coder", "a"), ("llama-4", "b"), ("llama-40", "c"), ("other", "b")],
)
async def test_the_first_pattern_that_matches_decides(model: str, served_by: str) -> None:
    upstream, _ = by_model()
    assert await said(upstream, prompt(model)) == served_by


def test_the_models_are_those_of_all_upstreams() -> None:
    upstream, _ = by_model()
    assert upstream.models == ("coder", "qwen-3", "qwen-4", "llama-4", "gpt-9")


async def test_a_model_that_nobody_serves_is_not_found() -> None:
    upstream = routed(Scripted(answer("a")), models=("gpt-*",))
    failure = await failure_of(upstream, prompt("qwen"))
    assert (failure.status, failure.code, failure.param) == (404, "model_not_found", "model")


async def test_whoever_lists_the_model_goes_before_whoever_lists_others() -> None:
    upstream = routed(Scripted(answer("a"), models=("x",)), Scripted(answer("b"), models=("m",)))
    assert [await said(upstream, prompt(model)) for model in ("m", "x", "neither")] == [
        "b",
        "a",
        "a",
    ]


@pytest.mark.parametrize("names", [[], ["a", "a"]])
def test_upstreams_need_names_of_their_own(names: list[str]) -> None:
    with pytest.raises(ConfigError):
        RoutedUpstream([Route(name=name, upstream=Scripted(answer("x"))) for name in names])


def test_a_default_that_is_not_there_is_refused() -> None:
    with pytest.raises(ConfigError, match="`z` is not among: a"):
        routed(Scripted(answer("x")), default="z")


async def test_a_key_goes_to_nobody_who_has_not_asked_for_it() -> None:
    first, second = Scripted(broken()), Scripted(answer("b"))
    second.credentials = "client"  # type: ignore[attr-defined]
    upstream = routed(first, second)
    assert upstream.credentials == "client"
    assert await said(upstream, prompt(credential="key")) == "b"
    assert [each.prompts[0].credential for each in (first, second)] == [None, "key"]


async def test_who_wants_compaction_gets_an_upstream_that_does_it() -> None:
    second = Scripted(answer("b"))
    second.compacts = True  # type: ignore[attr-defined]
    upstream = routed(Scripted(answer("a")), second)
    assert upstream.compacts
    wanted = prompt(context_management=[{"type": "compaction"}])
    assert [await said(upstream, wanted), await said(upstream)] == ["b", "a"]


# Before output


async def test_before_output_the_next_upstream_takes_over(
    caplog: pytest.LogCaptureFixture,
) -> None:
    first, second = Scripted([UsageReport(input_tokens=9), broken()]), Scripted(answer("b"))
    upstream = routed(first, second, retries=0)
    assert await said(upstream) == "b"
    assert (first.asked, second.asked) == (1, 1)
    assert caplog.messages == ["upstream a: it answered with status 503: a turn goes to b"]
    assert of(upstream, "a") == UpstreamState("a", "suspect", reason="it answered with status 503")
    assert SECRET not in caplog.text


async def test_what_was_said_before_output_is_not_shown_twice() -> None:
    early = UsageReport(input_tokens=9)
    upstream = routed(Scripted([early, broken()]), Scripted(answer("b")), retries=0)
    async with aclosing(upstream.generate(prompt())) as items:
        assert [item async for item in items] == answer("b")


async def test_after_output_the_failure_is_shown_and_nobody_else_is_asked() -> None:
    first, second = Scripted([TextDelta("wo"), broken()]), Scripted(answer("b"))
    upstream = routed(first, second)
    async with aclosing(upstream.generate(prompt())) as items:
        heard = await anext(items)
        with pytest.raises(UpstreamFailed):
            await anext(items)
    assert ([heard], first.asked, second.asked) == ([TextDelta("wo")], 1, 0)
    assert of(upstream, "a").health == "suspect"


async def test_an_answer_that_breaks_off_after_output_is_left_as_it_is() -> None:
    first, second = Scripted([TextDelta("wo")]), Scripted(answer("b"))
    upstream = routed(first, second)
    assert await said(upstream) == "wo"
    assert (second.asked, of(upstream, "a").reason) == (0, "it broke off")


async def test_an_empty_answer_is_an_answer() -> None:
    upstream = routed(Scripted(broken(), [UsageReport(), Finished()]), Scripted(answer("b")))
    assert await said(upstream) == ""
    assert of(upstream, "a") == UpstreamState("a")


async def test_an_answer_that_breaks_off_before_output_is_asked_for_again() -> None:
    first = Scripted([UsageReport()], answer("again"))
    upstream = routed(first)
    assert await said(upstream) == "again"
    assert of(upstream, "a") == UpstreamState("a")


@pytest.mark.parametrize("status", [400, 413, 422])
async def test_what_another_upstream_would_refuse_too_is_shown_at_once(status: int) -> None:
    first, second = Scripted(broken(status)), Scripted(answer("b"))
    upstream = routed(first, second)
    failure = await failure_of(upstream)
    assert (failure.status, first.asked, second.asked) == (status, 1, 0)
    assert of(upstream, "a").health == "healthy"


@pytest.mark.parametrize("status", [401, 403, 404])
async def test_who_lacks_the_model_or_a_key_that_is_ours_leaves_it_to_others(status: int) -> None:
    first, second = Scripted(broken(status, "a_code")), Scripted(answer("b"))
    upstream = routed(first, second)
    assert (await said(upstream), first.asked) == ("b", 1)
    assert of(upstream, "a") == UpstreamState(
        "a", reason=f"it answered with status {status}, a_code"
    )


async def test_a_key_of_the_clients_that_is_refused_is_the_clients_matter() -> None:
    first, second = Scripted(broken(401)), Scripted(answer("b"))
    first.credentials = "client"  # type: ignore[attr-defined]
    failure = await failure_of(routed(first, second), prompt(credential="key"))
    assert (failure.status, second.asked) == (401, 0)


async def test_the_same_upstream_is_tried_again_after_pauses_that_grow() -> None:
    first, pauses = Scripted(broken(500), broken(502), answer("a")), Pauses()
    upstream = routed(first, Scripted(answer("b")), pauses=pauses)
    assert await said(upstream) == "a"
    assert (first.asked, pauses.seconds) == (3, [0.25, 0.5])


async def test_many_turns_that_fail_do_not_make_a_storm() -> None:
    first = Scripted(broken())
    upstream = routed(first, health=NEVER, retries=5)
    for _ in range(50):
        await failure_of(upstream)
    assert first.asked == 50 + 20


async def test_ten_turns_that_end_well_pay_for_one_more_try() -> None:
    fails = [broken()] * 40
    first = Scripted(*fails, *[answer("a")] * 20, broken())
    upstream = routed(first, health=NEVER, retries=1)
    for _ in range(20):
        await failure_of(upstream)
    for _ in range(20):
        await said(upstream)
    for _ in range(10):
        await failure_of(upstream)
    assert first.asked == 2 * 20 + 20 + 10 + 2


async def test_a_turn_waits_as_long_as_the_upstream_asks_for() -> None:
    first, pauses = Scripted(broken(429, retry_after="3"), answer("a")), Pauses()
    assert await said(routed(first, pauses=pauses)) == "a"
    assert pauses.seconds == [3.25]


async def test_a_wait_that_is_too_long_is_for_the_client() -> None:
    first = Scripted(broken(429, retry_after="30"))
    failure = await failure_of(routed(first, longest_wait=10.0))
    assert (failure.status, failure.headers, first.asked) == (429, {"retry-after": "30"}, 1)


async def test_who_has_too_much_to_do_is_not_ill() -> None:
    first, second = Scripted(broken(429, retry_after="1")), Scripted(answer("b"))
    upstream = routed(first, second)
    assert [await said(upstream) for _ in range(5)] == ["b"] * 5
    assert (first.asked, of(upstream, "a").health) == (5, "healthy")


async def test_a_bug_in_an_upstream_is_not_hidden_by_another() -> None:
    upstream = routed(Scripted([ZeroDivisionError()]), Scripted(answer("b")))
    with pytest.raises(ZeroDivisionError):
        await said(upstream)
    assert [state.active for state in upstream.states()] == [0, 0]


# Silence


async def test_silence_before_output_sends_the_turn_elsewhere_and_not_there_again() -> None:
    first, second = Puppet(), Scripted(answer("b"))
    upstream = routed(first, second, timeouts=Timeouts(first_output=0.01))
    assert await said(upstream) == "b"
    run = await first.run()
    await run.stopped.wait()
    assert (first.started.qsize(), of(upstream, "a").reason) == (0, "it was silent for too long")


@pytest.mark.parametrize(
    ("timeouts", "why"),
    [
        (Timeouts(first_output=None, idle=0.01), "fell silent for 0.01 s"),
        (Timeouts(first_output=None, idle=None, turn=0.01), "has not finished after 0.01 s"),
    ],
)
async def test_silence_after_output_is_a_failure(timeouts: Timeouts, why: str) -> None:
    first, second = Puppet(), Scripted(answer("b"))
    upstream = routed(first, second, timeouts=timeouts)
    turn = asyncio.create_task(failure_of(upstream))
    run = await first.run()
    run.say("wo")
    failure = await turn
    assert (failure.status, str(failure)) == (
        504,
        f"The upstream {why}. Try again, or give it more time.",
    )
    assert (run.stopped.is_set(), second.asked) == (True, 0)


async def test_a_cancellation_is_not_lost_in_a_silence_that_ends_at_that_moment() -> None:
    puppet = Puppet()
    upstream = routed(puppet, timeouts=Timeouts(first_output=0.01))
    turn = asyncio.create_task(said(upstream))
    await puppet.run()
    turn.add_done_callback(lambda _: None)
    cancel, turn_was = turn.cancel, turn.cancelling()

    def both() -> None:
        if turn.cancelling() > turn_was:  # the silence has just ended
            cancel()
        elif not turn.done():
            asyncio.get_running_loop().call_soon(both)

    both()
    with pytest.raises(asyncio.CancelledError):
        await turn


async def test_a_client_that_reads_slowly_does_not_make_the_upstream_late() -> None:
    first = Scripted([TextDelta("a"), TextDelta("b"), Finished()])
    upstream = routed(first, timeouts=Timeouts(first_output=0.01, idle=0.01))
    heard: list[Any] = []
    async for item in upstream.generate(prompt()):
        heard.append(item)
        reading = asyncio.get_running_loop().create_future()
        asyncio.get_running_loop().call_later(0.05, reading.set_result, None)
        await reading
    assert heard == [TextDelta("a"), TextDelta("b"), Finished()]


async def test_who_reads_slowly_may_find_that_the_time_for_the_turn_is_over() -> None:
    puppet = Puppet()
    upstream = routed(puppet, timeouts=Timeouts(turn=0.01))
    items = upstream.generate(prompt())
    heard = asyncio.ensure_future(anext(items))
    run = await puppet.run()
    run.say("wo")
    await heard
    run.say("rd")
    reading = asyncio.get_running_loop().create_future()
    asyncio.get_running_loop().call_later(0.02, reading.set_result, None)
    await reading
    with pytest.raises(UpstreamFailed, match="has not finished"):
        await anext(items)
    assert run.stopped.is_set()


# Limits


def limited(*upstreams: Any, **limits: Any) -> RoutedUpstream:
    return routed(*upstreams, limits=GateSettings(active_limit=1, **limits))


async def test_turns_wait_for_a_place_in_the_order_in_which_they_came() -> None:
    puppet = Puppet()
    upstream = limited(puppet)
    asked = [prompt(text=str(number)) for number in range(4)]
    turns = [asyncio.create_task(said(upstream, each)) for each in asked]
    order: list[Prompt] = []
    for _ in asked:
        run = await puppet.run()
        order.append(run.prompt)
        assert (of(upstream, "a").active, puppet.started.qsize()) == (1, 0)
        run.finish("done")
    assert order == asked
    assert await asyncio.gather(*turns) == ["done"] * 4
    assert of(upstream, "a") == UpstreamState("a")


async def test_beyond_the_queue_turns_are_told_when_to_come_again() -> None:
    puppet = Puppet()
    upstream = limited(puppet, queue_turns=1)
    turns = [asyncio.create_task(said(upstream)) for _ in range(2)]
    await until(lambda: of(upstream, "a").waiting == 1)
    failure = await failure_of(upstream)
    assert (failure.status, failure.code, failure.headers) == (
        429,
        "upstream_busy",
        {"retry-after": "1"},
    )
    for _ in turns:
        (await puppet.run()).finish()
    await asyncio.gather(*turns)


async def test_who_waits_for_too_long_is_told_so() -> None:
    puppet = Puppet()
    upstream = limited(puppet, queue_timeout=0.01)
    turn = asyncio.create_task(said(upstream))
    run = await puppet.run()
    failure = await failure_of(upstream)
    assert (failure.status, failure.code) == (429, "upstream_busy")
    run.finish("done")
    assert (await turn, of(upstream, "a").waiting) == ("done", 0)


async def test_what_one_cannot_take_goes_to_the_next() -> None:
    puppet = Puppet()
    upstream = limited(puppet, Scripted(answer("b")), queue_turns=0)
    turn = asyncio.create_task(said(upstream))
    run = await puppet.run()
    assert await said(upstream) == "b"
    assert of(upstream, "a") == UpstreamState("a", active=1, reason="it has too much to do")
    run.finish("a")
    assert (await turn, of(upstream, "a").reason) == ("a", None)


async def test_those_who_wait_go_on_when_the_upstream_goes_down() -> None:
    puppet, second = Puppet(), Scripted(answer("b"))
    routes = [
        Route(name="a", upstream=puppet, limits=GateSettings(active_limit=1), retries=0),
        Route(name="b", upstream=second),
    ]
    upstream = RoutedUpstream(routes)
    turns = [asyncio.create_task(said(upstream)) for _ in range(3)]
    run = await puppet.run()
    run.fail(broken(502, UNREACHABLE))
    assert await asyncio.gather(*turns) == ["b"] * 3
    assert (puppet.started.qsize(), of(upstream, "a").health) == (0, "down")


# Cancellation


async def test_cancelling_a_turn_gives_its_place_to_the_next_at_once() -> None:
    puppet = Puppet()
    upstream = limited(puppet)
    first, second = (asyncio.create_task(said(upstream)) for _ in range(2))
    run = await puppet.run()
    first.cancel()
    with pytest.raises(asyncio.CancelledError):
        await first
    assert (run.stopped.is_set(), of(upstream, "a")) == (True, UpstreamState("a", active=1))
    (await puppet.run()).finish("second")
    assert await second == "second"


async def test_cancelling_who_waits_leaves_the_queue() -> None:
    puppet = Puppet()
    upstream = limited(puppet)
    first, second, third = (asyncio.create_task(said(upstream)) for _ in range(3))
    run = await puppet.run()
    await until(lambda: of(upstream, "a").waiting == 2)
    second.cancel()
    with pytest.raises(asyncio.CancelledError):
        await second
    assert of(upstream, "a").waiting == 1
    run.finish("first")
    (await puppet.run()).finish("third")
    assert (await first, await third) == ("first", "third")


async def test_cancelling_who_has_just_been_let_in_frees_the_place() -> None:
    puppet = Puppet()
    upstream = limited(puppet)
    first, second = (asyncio.create_task(said(upstream)) for _ in range(2))
    run = await puppet.run()
    await until(lambda: of(upstream, "a").waiting == 1)
    first.add_done_callback(lambda _: second.cancel())  # before it has run on
    run.finish("first")
    with pytest.raises(asyncio.CancelledError):
        await second
    assert of(upstream, "a") == UpstreamState("a")


async def test_cancelling_in_a_pause_frees_the_place() -> None:
    paused = asyncio.Event()

    async def sleep(seconds: float) -> None:
        paused.set()
        await asyncio.get_running_loop().create_future()

    upstream = RoutedUpstream([Route(name="a", upstream=Scripted(broken()))], sleep=sleep)
    turn = asyncio.create_task(said(upstream))
    await paused.wait()
    turn.cancel()
    with pytest.raises(asyncio.CancelledError):
        await turn
    assert of(upstream, "a") == UpstreamState("a")


@pytest.mark.parametrize(("kind", "fails"), [(Scripted, True), (WatchesSilence, False)])
async def test_whoever_reads_the_bytes_says_itself_that_there_are_none(
    kind: type[Scripted],
    *,
    fails: bool,
) -> None:
    # Each piece comes one turn of the loop after the one before it: later than that.
    upstream = routed(kind(answer("a")), timeouts=Timeouts(first_output=None, idle=1e-9))
    if fails:
        assert (await failure_of(upstream)).code == TIMEOUT
    else:
        assert await said(upstream) == "a"


async def test_who_stops_listening_stops_the_model_run() -> None:
    puppet = Puppet()
    upstream = routed(puppet)
    items = upstream.generate(prompt())
    heard = asyncio.ensure_future(anext(items))
    run = await puppet.run()
    run.say("wo")
    await heard
    await items.aclose()
    assert (run.stopped.is_set(), of(upstream, "a")) == (True, UpstreamState("a"))


# Down and back


class Clock:
    """Lets the test say when a cooldown is over."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now = 1000.0
        monkeypatch.setattr("turnwire.gateway.upstreams.routed.branch._now", lambda: self.now)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    return Clock(monkeypatch)


SOON = HealthSettings(failures=2, cooldowns=(5.0,))


async def test_turns_stay_away_from_an_upstream_that_is_down(
    clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    first, second = Scripted(broken()), Scripted(answer("b"))
    upstream = routed(first, second, retries=0, health=SOON)
    assert [await said(upstream) for _ in range(10)] == ["b"] * 10
    assert (first.asked, of(upstream, "a")) == (
        2,
        UpstreamState("a", "down", reason="it answered with status 503"),
    )
    down = "upstream a is down (it answered with status 503): turns stay away for 5 s"
    assert [down] == [line.partition(",")[0] for line in caplog.messages if "is down" in line]


@pytest.mark.parametrize(
    ("name", "logged", "told"),
    [
        (UpstreamConfig().name, "the upstream is down", "The upstream is down (it"),
        ("a", "upstream a is down", "The upstream `a` is down (it"),
    ],
)
async def test_one_that_has_no_name_is_not_called_by_it(
    clock: Clock, caplog: pytest.LogCaptureFixture, name: str, logged: str, told: str
) -> None:
    route = Route(name=name, upstream=Scripted(broken(502, UNREACHABLE)), retries=0, health=SOON)
    upstream = RoutedUpstream([route])
    failures: list[str] = []
    for _ in range(3):
        with pytest.raises(UpstreamFailed) as raised:
            await said(upstream)
        failures.append(str(raised.value))
    assert failures[2].startswith(told)
    assert [line for line in caplog.messages if line.startswith(logged + " (")]


@pytest.mark.parametrize(("status", "health"), [(500, "suspect"), (502, "down")])
async def test_a_turn_that_a_server_cannot_take_does_not_shut_the_others_out(
    status: int, health: str
) -> None:
    upstream = routed(Scripted(broken(status)), Scripted(answer("b")), retries=0, health=SOON)
    for _ in range(5):
        assert await said(upstream) == "b"
    assert of(upstream, "a").health == health


GONE = broken(502, UNREACHABLE)


@pytest.mark.parametrize("code", [None, CUT, TIMEOUT])
async def test_turns_that_fail_do_not_take_the_only_upstream_from_the_others(
    clock: Clock, code: str | None
) -> None:
    failures = [broken(502, code)] * 9
    first = Scripted(*failures, answer("a"))
    upstream = routed(first, retries=0, health=SOON)
    assert [(await failure_of(upstream)).status for _ in failures] == [502] * 9
    assert (of(upstream, "a").health, await said(upstream)) == ("suspect", "a")


async def test_answers_that_are_cut_do_not_take_the_only_upstream_from_the_others(
    clock: Clock,
) -> None:
    first = Scripted([TextDelta("half"), broken(502, CUT)])
    upstream = routed(first, retries=0, health=SOON)
    assert [(await failure_of(upstream)).code for _ in range(9)] == [CUT] * 9
    assert (of(upstream, "a").health, first.asked) == ("suspect", 9)


async def test_a_turn_waits_for_who_is_busy_and_does_not_go_to_who_is_down(clock: Clock) -> None:
    busy = broken(429, retry_after="2")
    first, second = Scripted(GONE, GONE, answer("a"), busy, answer("a")), Scripted(GONE)
    health = HealthSettings(cooldowns=(30.0,))
    upstream = routed(first, second, retries=1, health=health)
    await failure_of(upstream)
    assert await said(upstream) == "a"
    clock.now += 1.0
    asked = second.asked
    assert (await said(upstream), first.asked, second.asked) == ("a", 5, asked)


async def test_the_next_turn_finds_the_only_upstream_that_was_started(clock: Clock) -> None:
    health = HealthSettings(cooldowns=(30.0,))
    first = Scripted(GONE, answer("a"))
    upstream = routed(first, retries=0, health=health)
    assert (await failure_of(upstream), of(upstream, "a").health) == (GONE, "down")
    assert [await said(upstream) for _ in range(3)] == ["a"] * 3


async def test_one_turn_a_second_looks_whether_the_only_upstream_is_back(clock: Clock) -> None:
    first = Scripted(GONE)
    upstream = routed(first, retries=2, health=HealthSettings(cooldowns=(30.0,)))
    await failure_of(upstream)
    tried = first.asked
    for second in range(1, 4):
        failures = [await failure_of(upstream) for _ in range(5)]
        assert [failure.status for failure in failures] == [502, 503, 503, 503, 503]
        assert [failure.headers for failure in failures[1:]] == [{"retry-after": "1"}] * 4
        assert first.asked == tried + second
        clock.now += 1.0


async def test_a_probe_that_hangs_does_not_shut_the_others_out(clock: Clock) -> None:
    puppet = Puppet()
    upstream = routed(puppet, retries=0, health=HealthSettings(cooldowns=(30.0,)))
    turn = asyncio.create_task(failure_of(upstream))
    (await puppet.run()).fail(GONE)
    await turn
    hangs = asyncio.create_task(failure_of(upstream))
    hung = await puppet.run()
    assert (await failure_of(upstream)).headers == {"retry-after": "1"}
    clock.now += 1.0
    probe = asyncio.create_task(said(upstream))
    (await puppet.run()).finish("a")
    assert (await probe, of(upstream, "a").health) == ("a", "healthy")
    hung.fail(broken(504, TIMEOUT))
    await hangs


async def test_where_all_are_down_a_turn_looks_at_each(clock: Clock) -> None:
    first, second = Scripted(GONE), Scripted(GONE, answer("b"))
    upstream = routed(first, second, retries=0, health=HealthSettings(cooldowns=(30.0,)))
    await failure_of(upstream)
    assert [state.health for state in upstream.states()] == ["down", "down"]
    assert (await said(upstream), first.asked) == ("b", 2)
    assert (await said(upstream), first.asked) == ("b", 2), "b is up, and a has its cooldown"


async def test_the_last_upstream_that_is_left_stays_in_service(clock: Clock) -> None:
    first, second = Scripted(GONE), Scripted(broken())
    upstream = routed(first, second, retries=0, health=SOON)
    assert [(await failure_of(upstream)).status for _ in range(9)] == [503] * 9
    assert [state.health for state in upstream.states()] == ["down", "suspect"]
    assert (first.asked, second.asked) == (1, 9)


async def test_the_log_says_on_what_way_an_upstream_cannot_be_reached(
    caplog: pytest.LogCaptureFixture,
) -> None:
    unreachable = broken(502, UNREACHABLE)
    unreachable.__cause__ = ConnectionError("nobody listens there (10.0.0.5:8000)")
    upstream = routed(Scripted(unreachable), retries=0)
    with pytest.raises(UpstreamFailed, match=SECRET):
        await said(upstream)
    down = "is down (it cannot be reached)"
    way = "nobody listens there (10.0.0.5:8000)"
    rest = "turns stay away for 1 s, but one a second comes if nobody else serves its model"
    assert caplog.messages == [f"upstream a {down}: {rest}; {way}"]
    await failure_of(upstream)
    assert len(caplog.messages) == 1, "that it is down was said"
    with pytest.raises(UpstreamFailed, match=re.escape(f"{down}. Try")):
        await said(upstream)


async def test_one_turn_finds_out_that_it_is_back(clock: Clock) -> None:
    first, second = Scripted(broken(), broken(), answer("a")), Scripted(answer("b"))
    upstream = routed(first, second, retries=0, health=SOON)
    for _ in range(3):
        await said(upstream)
    clock.now += 5.0
    assert [await said(upstream) for _ in range(2)] == ["a", "a"]
    assert of(upstream, "a") == UpstreamState("a")


async def test_a_probe_that_fails_is_not_tried_again(clock: Clock) -> None:
    first, second = Scripted(broken()), Scripted(answer("b"))
    upstream = routed(first, second, retries=2, health=HealthSettings(failures=1))
    assert (await said(upstream), first.asked) == ("b", 3)
    clock.now += 60.0
    assert (await said(upstream), first.asked) == ("b", 4)


async def test_while_one_probes_the_others_stay_away(clock: Clock) -> None:
    puppet, second = Puppet(), Scripted(answer("b"))
    upstream = routed(puppet, second, retries=0, health=HealthSettings(failures=1))
    turn = asyncio.create_task(said(upstream))
    (await puppet.run()).fail(broken())
    await turn
    clock.now += 60.0
    probe = asyncio.create_task(said(upstream))
    run = await puppet.run()
    assert (of(upstream, "a").health, await said(upstream)) == ("probing", "b")
    run.say("a")
    await until(lambda: of(upstream, "a").health == "suspect")
    run.finish()
    assert (await probe, of(upstream, "a")) == ("a", UpstreamState("a"))


async def test_a_probe_that_is_cancelled_leaves_the_matter_open(clock: Clock) -> None:
    puppet = Puppet()
    upstream = routed(puppet, retries=0, health=HealthSettings(failures=1))
    turn = asyncio.create_task(failure_of(upstream))
    (await puppet.run()).fail(GONE)
    await turn
    clock.now += 60.0
    probe = asyncio.create_task(said(upstream))
    await puppet.run()
    probe.cancel()
    with pytest.raises(asyncio.CancelledError):
        await probe
    turn = asyncio.create_task(said(upstream))
    (await puppet.run()).finish("a")
    assert await turn == "a"


async def test_if_all_are_down_the_client_is_told_when_to_come_again(clock: Clock) -> None:
    first = Scripted(GONE)
    upstream = routed(first, retries=0, health=SOON)
    codes = [(await failure_of(upstream)).code for _ in range(3)]
    failure = await failure_of(upstream)
    assert codes == [UNREACHABLE, UNREACHABLE, "upstream_unavailable"]
    assert (failure.status, failure.headers, first.asked) == (503, {"retry-after": "1"}, 2)
    assert "Try again in 1 s" in str(failure)


class Listing:
    """A list of models that a server has, or cannot give."""

    def __init__(self, found: tuple[str, ...] | Exception) -> None:
        self.looks = asyncio.Event()
        self.found = found
        self.held: asyncio.Future[None] | None = None

    async def __call__(self) -> tuple[str, ...]:
        self.looks.set()
        if self.held is not None:
            await self.held
        if isinstance(self.found, Exception):
            raise self.found
        return self.found


async def test_lists_of_models_are_kept_up_to_date() -> None:
    listing = Listing(("m",))
    upstream = routed(Scripted(answer("a"), models=("configured",)), lister=listing)
    assert upstream.models == ("configured",)
    upstream.start(interval=0.001)
    await until(lambda: upstream.models == ("m",))
    listing.found = ("m", "new")
    await until(lambda: upstream.models == ("m", "new"))
    await upstream.aclose()


async def test_a_look_at_the_list_finds_out_that_an_upstream_is_back() -> None:
    gone = broken(502, UNREACHABLE)
    scripted, listing = Scripted(gone), Listing(gone)
    upstream = routed(
        scripted, retries=0, health=HealthSettings(cooldowns=(0.001,)), lister=listing
    )
    upstream.start()
    await until(lambda: of(upstream, "a").health == "down")
    assert of(upstream, "a").reason == "it cannot be reached"
    listing.found = ("m",)
    await until(lambda: of(upstream, "a").health == "suspect")
    assert (scripted.asked, upstream.models) == (0, ("m",)), "no turn had to find that out"
    await upstream.aclose()


async def test_after_a_list_that_cannot_be_read_there_is_a_rest(clock: Clock) -> None:
    found = iter([broken(502, UNREACHABLE), ValueError("no list"), broken(404)])
    looks: list[Exception] = []

    async def listing() -> tuple[str, ...]:
        looks.append(next(found))
        raise looks[-1]

    upstream = routed(Scripted(broken()), health=SOON, lister=listing)
    upstream.start()
    await until(lambda: of(upstream, "a").health == "down")
    clock.now += 5.0
    upstream.start()
    await until(lambda: of(upstream, "a").reason != "it cannot be reached" or len(looks) > 2)
    assert (of(upstream, "a").health, len(looks)) == ("down", 2)
    await upstream.aclose()


async def test_a_look_comes_soon_after_a_turn_has_found_it_down() -> None:
    scripted, listing = Scripted(GONE, GONE, answer("a")), Listing(("m",))
    health = HealthSettings(failures=1, cooldowns=(0.001,))
    upstream = routed(scripted, retries=0, health=health, lister=listing)
    upstream.start(interval=1000.0)
    await listing.looks.wait()
    await failure_of(upstream)
    assert of(upstream, "a").health == "down"
    await until(lambda: of(upstream, "a").health == "suspect")
    await upstream.aclose()


async def test_nobody_waits_where_a_look_has_found_nobody() -> None:
    puppet, listing = Puppet(), Listing(("m",))
    upstream = routed(puppet, limits=GateSettings(active_limit=1), lister=listing)
    turn = asyncio.create_task(said(upstream))
    run = await puppet.run()
    waits = asyncio.create_task(failure_of(upstream))
    await until(lambda: of(upstream, "a").waiting == 1)
    listing.found = broken(502, UNREACHABLE)
    upstream.start()
    assert (await waits).status == 503
    run.finish("done")
    assert await turn == "done"
    await upstream.aclose()


async def test_a_look_that_is_stopped_leaves_the_matter_open() -> None:
    listing = Listing(("m",))
    health = HealthSettings(failures=1, cooldowns=(0.0,))
    upstream = routed(Scripted(GONE), retries=0, health=health, lister=listing)
    await failure_of(upstream)
    hangs = asyncio.get_running_loop().create_future()
    listing.held = hangs
    upstream.start()
    await until(lambda: of(upstream, "a").health == "probing")
    await upstream.aclose()
    assert (of(upstream, "a").health, hangs.cancelled()) == ("down", True)


@pytest.mark.parametrize("problem", [broken(404), broken(500), ValueError("no JSON")])
async def test_a_server_without_a_list_is_not_ill(problem: Exception) -> None:
    listing = Listing(problem)
    upstream = routed(Scripted(answer("a")), lister=listing)
    upstream.start()
    await listing.looks.wait()
    assert of(upstream, "a").health == "healthy"
    assert await said(upstream) == "a"
    await upstream.aclose()


async def test_closing_closes_the_upstreams_and_stops_looking() -> None:
    class Closable(Scripted):
        closed = False

        async def aclose(self) -> None:
            self.closed = True

    closable = Closable(answer("a"))
    upstream = routed(closable, Scripted(answer("b")), lister=Listing(()))
    upstream.start()
    await upstream.aclose()
    assert (closable.closed, len(asyncio.all_tasks())) == (True, 1)


# Chains


def event(kind: str, **members: Any) -> Event:
    return decode_event(encode({"type": kind, **members}))


def spoken(text: str) -> list[Any]:
    delta = {"item_id": "i", "output_index": 0, "content_index": 0, "delta": text}
    response = {"id": "r", "status": "completed", "output": []}
    return [
        event("response.output_text.delta", **delta),
        event("response.completed", response=response),
    ]


def link(asked: Prompt, response_id: str) -> Context:
    response = {"id": response_id, "output": []}
    return asked.answered(response, "")


async def served(upstream: RoutedUpstream, asked: Prompt) -> str:
    """Run a turn of upstreams that speak events, and return what the last one said."""
    async with aclosing(upstream.generate(asked)) as items:
        found = [item async for item in items]
    return str(getattr(found[0], "delta", ""))


async def test_a_chain_prefers_the_upstream_that_keeps_it() -> None:
    first, second = SpeaksEvents(broken(), spoken("a")), SpeaksEvents(spoken("b"))
    upstream = routed(first, second, retries=0)
    one = prompt(text="one")
    assert await served(upstream, one) == "b"
    two = prompt(text="two", parent=link(one, "r1"))
    assert await served(upstream, two) == "b"
    three = prompt(text="three", parent=link(two, "r2"))
    assert [await served(upstream, three), await served(upstream, prompt(text="new"))] == ["b", "a"]


async def test_a_chain_goes_elsewhere_if_its_upstream_cannot() -> None:
    first, second = SpeaksEvents(broken(), spoken("a")), SpeaksEvents(spoken("b"), broken())
    upstream = routed(first, second, retries=0)
    one = prompt(text="one")
    await served(upstream, one)
    assert await served(upstream, prompt(text="two", parent=link(one, "r1"))) == "a"


async def test_without_state_the_order_counts() -> None:
    first, second = Scripted(broken(), answer("a")), Scripted(answer("b"))
    upstream = routed(first, second, retries=0)
    one = prompt(text="one")
    assert await said(upstream, one) == "b"
    assert await said(upstream, prompt(text="two", parent=link(one, "r1"))) == "a"


async def test_a_response_that_failed_counts_against_its_upstream() -> None:
    failed = event("response.failed", response={"id": "r", "status": "failed", "output": []})
    upstream = routed(SpeaksEvents([spoken("a")[0], failed]))
    await served(upstream, prompt())
    assert of(upstream, "a").health == "suspect"


# As the gateway uses it


async def test_a_client_sees_a_whole_answer_of_the_second_upstream() -> None:
    memory = TurnsInMemory(routed(Scripted(broken()), Scripted(answer("b")), retries=0))
    assert text_of(await memory.respond(input="x")) == "b"


async def test_a_client_is_told_when_to_come_again() -> None:
    memory = TurnsInMemory(routed(Scripted(broken(429, "rate_limit_exceeded", retry_after="30"))))
    error = (await memory.events(input="x"))[-1]
    assert (error["type"], error["status"], error["headers"]) == (
        "error",
        429,
        {"retry-after": "30"},
    )


def timers() -> list[asyncio.TimerHandle]:
    """Return what would still happen later."""
    scheduled: list[asyncio.TimerHandle] = asyncio.get_running_loop()._scheduled  # type: ignore[attr-defined]
    return [timer for timer in scheduled if not timer.cancelled()]


async def test_nothing_is_left_after_a_stormy_day() -> None:
    """Flaky upstreams, impatient clients: limits hold, each turn ends once, all is given back."""
    dice = random.Random(5)  # the same day each time

    def script() -> list[Any]:
        return dice.choice(
            [
                answer("well"),
                [TextDelta("wo"), broken()],
                [TextDelta("wo")],
                [UsageReport(), broken(500)],
                [broken(429, retry_after="1")],
                [broken(400)],
                [broken(502, UNREACHABLE)],
            ]
        )

    upstreams = [Scripted(*(script() for _ in range(400))) for _ in range(3)]
    upstream = routed(
        *upstreams,
        limits=GateSettings(active_limit=2, queue_turns=5),
        health=HealthSettings(failures=2, cooldowns=(0.0,)),
        timeouts=Timeouts(turn=1000.0),
    )
    ends: list[str] = []

    async def turn(patience: int) -> None:
        try:
            async with aclosing(upstream.generate(prompt(text=str(patience)))) as items:
                async for _ in items:
                    patience -= 1
                    if patience == 0:
                        break
            ends.append("heard")
        except UpstreamFailed:
            ends.append("failed")
        except asyncio.CancelledError:
            ends.append("cancelled")

    for _ in range(30):
        turns = [asyncio.create_task(turn(dice.randrange(4))) for _ in range(20)]
        for each in dice.sample(turns, 5):
            for _ in range(dice.randrange(6)):
                await asyncio.sleep(0)
            each.cancel()
        await asyncio.gather(*turns, return_exceptions=True)
    assert [each.most_running for each in upstreams] == [2, 2, 2]
    assert [each.running for each in upstreams] == [0, 0, 0]
    assert [(state.active, state.waiting) for state in upstream.states()] == [(0, 0)] * 3
    assert (len(asyncio.all_tasks()), timers()) == (1, [])
    assert {"heard", "failed", "cancelled"} == set(ends)
