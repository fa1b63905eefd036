"""How calls of tools run: arguments, outputs, failures, side by side, cancelled."""

import asyncio
import contextvars
import enum
import functools
import re
import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NoReturn

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from turnwire.client.tools import FunctionTool, Toolbox
from turnwire.errors import ConfigError
from turnwire.events.conversion import ToolCall


class Color(enum.Enum):
    RED = "red"
    BLUE = "blue"


@dataclass
class Point:
    x: int
    y: int


@dataclass
class Picky:
    x: int

    def __post_init__(self) -> None:
        if self.x == 0:
            raise ValueError("zero is taken")
        if self.x < 0:
            raise LookupError("nothing there")


class Box:
    def open(self, key: str) -> str:
        return key

    async def __call__(self, times: int) -> int:
        return times


def weather(city: str, days: int) -> str:
    return f"{city} {days}"


def call(name: str, arguments: str = "{}", call_id: str = "c1") -> ToolCall:
    return ToolCall(call_id=call_id, name=name, arguments=arguments)


def output(text: str, call_id: str = "c1") -> dict[str, Any]:
    return {"type": "function_call_output", "call_id": call_id, "output": text}


async def outcome(function: Callable[..., Any], arguments: str = "{}") -> str:
    found = FunctionTool.from_function(function, name="f")
    item = await Toolbox([found]).run(call("f", arguments))
    return str(item["output"])


# --- what is in the box ------------------------------------------------------------------------


def test_definitions_keep_the_order_and_dicts_pass_as_they_are() -> None:
    search = {"type": "web_search", "filters": {"allowed_domains": ["example.org"]}}
    flat = {"type": "function", "name": "raw", "parameters": {}, "strict": None}
    chat = {"type": "function", "function": {"name": "nested", "parameters": {}}}

    box = Toolbox([search, weather, flat, FunctionTool.from_function(Box().open), chat])

    assert box.definitions() == [
        search,
        FunctionTool.from_function(weather).to_dict(),
        flat,
        FunctionTool.from_function(Box().open).to_dict(),
        {"type": "function", "name": "nested", "parameters": {}, "strict": False},
    ]


@pytest.mark.parametrize(
    ("tools", "complaint"),
    [
        ([weather, weather], "two tools are named weather; rename one"),
        ([weather, {"type": "function", "name": "weather"}], "two tools are named weather"),
        ([{"type": "custom", "name": "a"}, {"type": "function", "name": "a"}], "two tools are"),
        ([{"name": "a"}], "tools[0] is a dict without a `type`; expected one such as"),
        ([weather, 5], "tools[1] is a int; expected a function, a FunctionTool or a dict"),
        ([{"type": "x", "y": object()}], "tools[0] is a dict; expected a function"),
    ],
)
def test_tools_that_cannot_be_offered_together(tools: list[Any], complaint: str) -> None:
    with pytest.raises(ConfigError, match="^" + re.escape(complaint)):
        Toolbox(tools)


def test_a_limit_below_zero_is_refused() -> None:
    with pytest.raises(ConfigError, match="max_output_bytes is -1"):
        Toolbox(max_output_bytes=-1)


def test_which_calls_are_answered_here() -> None:
    box = Toolbox([weather, {"type": "function", "name": "raw"}, {"type": "web_search"}])
    open_ended = Toolbox([weather, {"type": "namespace", "name": "crm", "tools": []}])
    custom = ToolCall(call_id="c", name="weather", arguments="x", kind="custom")

    assert box.can_run(call("weather"))
    assert box.can_run(call("invented"))
    assert not box.can_run(call("raw"))
    assert not box.can_run(custom)
    assert open_ended.can_run(call("weather"))
    assert not open_ended.can_run(call("find_customer"))


async def test_a_call_of_a_dict_is_not_run_and_nor_are_those_beside_it() -> None:
    ran: list[str] = []

    def note(text: str) -> None:
        ran.append(text)

    box = Toolbox([note, {"type": "function", "name": "raw"}])

    with pytest.raises(ConfigError, match="tool raw was not given as a function"):
        await box.run_all([call("note", '{"text": "x"}'), call("raw")])
    with pytest.raises(ConfigError, match="ask can_run"):
        await box.run(call("raw"))

    assert ran == []


# --- arguments ---------------------------------------------------------------------------------


async def test_arguments_arrive_typed_and_defaults_are_the_functions_own() -> None:
    seen: list[Any] = []
    default = [1]

    def look(a: Point, b: Color | None, /, c: int = 7, *, d: Any = default, e: float = 1.0) -> None:
        seen.append((a, b, c, d, e))

    await outcome(look, '{"a": {"x": 1, "y": 2}, "b": "red", "e": 2.5}')
    await outcome(look, '{"d": {"any": null}, "b": null, "c": 8, "a": {"x": 1, "y": 2}}')

    assert seen == [
        (Point(1, 2), Color.RED, 7, [1], 2.5),
        (Point(1, 2), None, 8, {"any": None}, 1.0),
    ]
    assert seen[0][3] is default


async def test_a_positional_default_before_a_given_one_is_filled_in() -> None:
    def look(a: int = 1, b: int = 2, /) -> list[int]:
        return [a, b]

    assert await outcome(look, '{"b": 5}') == "[1,5]"


async def test_all_sorts_of_callables_run() -> None:
    async def later(x: int) -> int:
        return x + 1

    @functools.wraps(later)
    def sync_wrapper(x: int) -> Any:
        return later(x)

    assert await outcome(Box().open, '{"key": "k"}') == "k"
    assert await outcome(Box(), '{"times": 2}') == "2"
    assert await outcome(functools.partial(later, 4)) == "5"
    assert await outcome(functools.partial(weather, days=3), '{"city": "Oslo"}') == "Oslo 3"
    assert await outcome(sync_wrapper, '{"x": 6}') == "7"
    assert await outcome(weather, ' {"city": "Oslo", "days": 1} ') == "Oslo 1"


@pytest.mark.parametrize("arguments", ["", "  ", "{}"])
async def test_no_arguments(arguments: str) -> None:
    def now() -> str:
        return "noon"

    assert await outcome(now, arguments) == "noon"


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ('{"at": ', "the arguments of f are not JSON: Input data was truncated; send one"),
        ("[" * 9999, "the arguments do not fit f: "),
        ("[]", "the arguments do not fit f: Expected `object`, got `array`; follow its schema"),
        ("{}", "the arguments do not fit f: Object missing required field `at`; follow its"),
        (
            '{"at": {"x": "1"}}',
            "the arguments do not fit f: Expected `int`, got `str` - at `$.at.x`",
        ),
        ('{"at": {"x": 1}, "by": 2}', "the arguments do not fit f: Object contains unknown field"),
        ('{"at": {"x": 0}}', "the arguments do not fit f: zero is taken - at `$.at`; follow"),
        ('{"at": {"x": -1}}', "the arguments do not fit f: LookupError: nothing there; follow"),
        ('{"at": "\ud800"}', "the arguments do not fit f: UnicodeEncodeError: "),
    ],
)
async def test_arguments_that_do_not_fit_are_answered(arguments: str, expected: str) -> None:
    ran: list[Any] = []

    def look(at: Picky) -> None:
        ran.append(at)

    assert (await outcome(look, arguments)).startswith(f"Error: {expected}")
    assert ran == []


async def test_an_unknown_tool_is_answered_with_the_known_ones() -> None:
    box = Toolbox([weather, Box().open, {"type": "web_search"}])

    assert await box.run(call("wether")) == output(
        "Error: there is no tool named wether; known tools: weather, open"
    )
    assert await Toolbox().run(call("a")) == output(
        "Error: there is no tool named a; known tools: none"
    )


# --- outputs -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("result", "expected"),
    [
        ("as it is", "as it is"),
        (None, "null"),
        ({"a": [1, 2.5, True]}, '{"a":[1,2.5,true]}'),
        (Point(1, 2), '{"x":1,"y":2}'),
        (Color.RED, '"red"'),
        ("odd \ud800 name", "odd ? name"),
        (object(), "Error: the result of f cannot be written as JSON: JSON cannot hold a object"),
        (
            ["\ud800"],
            (
                "Error: the result of f cannot be written as JSON: 'utf-8' codec can't encode "
                "character '\\ud800' in position 0: surrogates not allowed"
            ),
        ),
    ],
)
async def test_results(result: Any, expected: str) -> None:
    async def look() -> Any:
        return result

    assert await outcome(look) == expected
    assert await outcome(lambda: result) == expected


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (ValueError("too hot"), "Error: ValueError: too hot"),
        (TimeoutError(), "Error: TimeoutError"),
        (KeyError("a"), "Error: KeyError: 'a'"),
        (msgspec.ValidationError("not yours"), "Error: ValidationError: not yours"),
        (StopIteration("end"), "Error: RuntimeError: "),
        (StopAsyncIteration("end"), "Error: "),
    ],
)
async def test_what_a_tool_raises_is_its_output(error: Exception, expected: str) -> None:
    def fail() -> NoReturn:
        raise error

    async def fail_later() -> NoReturn:
        raise error

    assert (await outcome(fail)).startswith(expected)
    assert (await outcome(fail_later)).startswith(expected)


async def test_a_tool_cancelled_from_inside_does_not_cancel_the_loop() -> None:
    async def look() -> None:
        inner = asyncio.get_running_loop().create_future()
        inner.cancel()
        await inner

    def now() -> str:
        return "noon"

    box = Toolbox([look, now])

    assert await box.run_all([call("look", call_id="c1"), call("now", call_id="c2")]) == [
        output("Error: the tool look was cancelled from inside", "c1"),
        output("noon", "c2"),
    ]


@settings(max_examples=60)
@given(st.text("aé漢🙂\ud800", max_size=20), st.integers(0, 60))
def test_a_long_output_is_cut_and_says_so(text: str, limit: int) -> None:
    async def speak() -> str:
        return text

    found = asyncio.run(Toolbox([speak], max_output_bytes=limit).run(call("speak")))["output"]

    sent = text.replace("\ud800", "?")
    size = len(sent.encode())
    if size <= limit:
        assert found == sent
        return
    kept, note = found.rsplit("\n", 1)
    assert sent.startswith(kept)
    assert limit - 4 < len(kept.encode()) <= limit
    assert note == f"[output cut: {size - len(kept.encode())} of {size} bytes left out]"


async def test_an_output_of_a_mebibyte_is_whole_and_a_longer_one_is_not() -> None:
    mebibyte = "x" * (1024 * 1024)

    assert await outcome(lambda: mebibyte) == mebibyte
    assert await outcome(lambda: mebibyte + "yz") == (
        mebibyte + "\n[output cut: 2 of 1048578 bytes left out]"
    )


# --- side by side ------------------------------------------------------------------------------


async def test_async_tools_run_side_by_side_and_answer_in_order() -> None:
    meeting = asyncio.Barrier(3)
    finished: list[int] = []
    may_end = [asyncio.Event() for _ in range(3)]
    may_end[2].set()

    async def meet(number: int) -> int:
        await meeting.wait()
        await may_end[number].wait()  # so that the last call ends first
        finished.append(number)
        may_end[number - 1].set()
        return number

    calls = [call("meet", f'{{"number": {n}}}', f"c{n}") for n in range(3)]

    assert await Toolbox([meet]).run_all(calls) == [output(f"{n}", f"c{n}") for n in range(3)]
    assert finished == [2, 1, 0]


async def test_sync_tools_run_in_threads_side_by_side() -> None:
    meeting = threading.Barrier(2)
    threads: list[int] = []

    def meet() -> str:
        meeting.wait(timeout=30)
        threads.append(threading.get_ident())
        return "met"

    found = await Toolbox([meet]).run_all([call("meet", call_id="a"), call("meet", call_id="b")])

    assert found == [output("met", "a"), output("met", "b")]
    assert len({*threads, threading.get_ident()}) == 3


async def test_one_failure_leaves_the_others_alone() -> None:
    failed = asyncio.Event()

    async def fail() -> NoReturn:
        failed.set()
        raise ValueError("no")

    async def wait() -> str:
        await failed.wait()
        return "yes"

    found = await Toolbox([wait, fail]).run_all([call("wait"), call("fail", call_id="c2")])

    assert found == [output("yes"), output("Error: ValueError: no", "c2")]


async def test_no_calls_have_no_outputs() -> None:
    assert await Toolbox([weather]).run_all([]) == []


async def test_cancelling_ends_every_running_tool_before_it_returns() -> None:
    started = asyncio.Barrier(3)
    ended: list[int] = []

    async def wait(number: int) -> None:
        try:
            await started.wait()
            await asyncio.Event().wait()
        finally:
            await asyncio.sleep(0)  # a tool may need the loop to clean up
            ended.append(number)

    calls = [call("wait", f'{{"number": {n}}}') for n in range(2)]
    running = asyncio.create_task(Toolbox([wait]).run_all(calls))
    await started.wait()
    running.cancel()

    with pytest.raises(asyncio.CancelledError):
        await running
    assert sorted(ended) == [0, 1]


async def test_cancelling_does_not_wait_for_a_thread() -> None:
    started, release, ended = threading.Event(), threading.Event(), threading.Event()

    def work() -> None:
        started.set()
        release.wait(timeout=30)
        ended.set()

    running = asyncio.create_task(Toolbox([work]).run(call("work")))
    await asyncio.to_thread(started.wait, 30)
    running.cancel()

    with pytest.raises(asyncio.CancelledError):
        await running
    assert not ended.is_set()
    release.set()
    assert await asyncio.to_thread(ended.wait, 30)


async def test_tools_see_the_callers_context() -> None:
    user = contextvars.ContextVar("user", default="nobody")

    def sync_who() -> str:
        return user.get()

    async def async_who() -> str:
        found = user.get()
        user.set("somebody else")
        return found

    user.set("Ann")
    found = await Toolbox([sync_who, async_who]).run_all([call("async_who"), call("sync_who")])

    assert [item["output"] for item in found] == ["Ann", "Ann"]
    assert user.get() == "Ann"
