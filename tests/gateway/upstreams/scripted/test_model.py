"""The scripted model as a whole: input in, answers and calls out."""

from collections.abc import Callable
from typing import Any

import msgspec
import pytest

from gateway.support import (
    Json,
    TurnsInMemory,
    calls_of,
    function,
    output_of,
    text_of,
    user,
)
from turnwire.gateway.context import Context
from turnwire.gateway.upstreams.scripted import ScriptedUpstream
from turnwire.gateway.upstreams.scripted.situation import Situation

STRING = {"type": "string"}
WEATHER = function("get_weather", "Weather of a city", city=STRING)
FILES = [
    function("list_files", "List files", path=STRING),
    function("read_file", "Read a file", path=STRING),
    function("search_text", "Search files", text=STRING),
]


@pytest.fixture
def memory() -> TurnsInMemory:
    return TurnsInMemory()


def names_of(response: Json) -> list[str]:
    return [call["name"] for call in calls_of(response)]


async def rollout(
    memory: TurnsInMemory, tool: Callable[[str, Json], str], *, full: bool = False, **create: Any
) -> tuple[list[list[Json]], Json]:
    """Answer calls until there are none; return the calls of each turn and the last response."""
    history = create.pop("input")
    history = [user(history)] if isinstance(history, str) else history
    response = await memory.respond(input=history, **create)
    turns: list[list[Json]] = []
    while calls := calls_of(response):
        turns.append(calls)
        new = [output_of(c, tool(c["name"], msgspec.json.decode(c["arguments"]))) for c in calls]
        if full:
            history = [*history, *response["output"], *new]
            response = await memory.respond(input=history, **create)
        else:
            response = await memory.respond(
                input=new, previous_response_id=response["id"], **create
            )
    return turns, response


async def test_a_plain_answer_quotes_the_question_and_counts_the_context(
    memory: TurnsInMemory,
) -> None:
    items = [{"role": "developer", "content": "Be brief."}, user("Hello?")]
    response = await memory.respond(input=items)
    assert text_of(response) == 'You said: "Hello?". The context holds 2 items.'


async def test_it_says_the_same_to_the_same(memory: TurnsInMemory) -> None:
    asked = {"input": "What is the weather in Oslo?", "tools": [WEATHER]}
    first, second = await memory.respond(**asked), await TurnsInMemory().respond(**asked)
    assert [(c["name"], c["arguments"]) for c in calls_of(first)] == [
        (c["name"], c["arguments"]) for c in calls_of(second)
    ]


async def test_call_lines_call_also_what_is_not_among_the_tools(memory: TurnsInMemory) -> None:
    response = await memory.respond(input="CALL unknown {bad json\nCALL other", tools=[WEATHER])
    assert [(call["name"], call["arguments"]) for call in calls_of(response)] == [
        ("unknown", "{bad json"),
        ("other", "{}"),
    ]


async def test_without_parallel_calls_they_come_one_a_turn(memory: TurnsInMemory) -> None:
    turns, last = await rollout(
        memory,
        lambda name, _: name.upper(),
        input="CALL a\nCALL b\nCALL c",
        parallel_tool_calls=False,
    )
    assert [[call["name"] for call in calls] for calls in turns] == [["a"], ["b"], ["c"]]
    assert text_of(last) == "FINAL after tool: \nA\nB\nC"


async def test_then_call_lines_come_one_a_turn(memory: TurnsInMemory) -> None:
    text = "CALL a\nCALL b\n" + "\n".join(f'THEN CALL step {{"n": {n}}}' for n in range(30))
    turns, last = await rollout(memory, lambda name, a: f"{name} {a.get('n')}", input=text)
    assert [len(calls) for calls in turns] == [2] + [1] * 30
    assert text_of(last).endswith("\nstep 28\nstep 29")


async def test_the_whole_history_leads_to_the_same_calls_as_a_chain() -> None:
    def tool(name: str, arguments: Json) -> str:
        return "a.py\nb.py" if name == "list_files" else f"{name} of {arguments}"

    asked: Json = {"input": "What is in the files?\nEXPLORE 9", "tools": FILES}
    by_chain = await rollout(TurnsInMemory(), tool, **asked)
    by_history = await rollout(TurnsInMemory(), tool, full=True, **asked)
    without_ids = [
        [[(call["name"], call["arguments"]) for call in calls] for calls in turns]
        for turns, _ in (by_chain, by_history)
    ]
    assert without_ids[0] == without_ids[1]
    assert text_of(by_chain[1]) == text_of(by_history[1])


async def test_a_fitting_function_is_called_once_and_its_output_quoted(
    memory: TurnsInMemory,
) -> None:
    turns, last = await rollout(
        memory,
        lambda name, arguments: f"{arguments['city']}: rain",
        input="What is the weather in Oslo?",
        tools=[WEATHER],
    )
    assert [len(calls) for calls in turns] == [1]
    assert text_of(last) == "FINAL after tool: \nOslo: rain"


async def test_a_new_question_is_a_new_start(memory: TurnsInMemory) -> None:
    _, last = await rollout(
        memory, lambda *_: "rain", input="What is the weather in Oslo?", tools=[WEATHER]
    )
    more = await memory.respond(
        input="And the weather in Bergen?", tools=[WEATHER], previous_response_id=last["id"]
    )
    assert [call["arguments"] for call in calls_of(more)] == ['{"city":"Bergen"}']


@pytest.mark.parametrize(
    ("tool_choice", "names"),
    [
        ("none", []),
        ("auto", []),
        ("required", ["get_weather"]),
        ({"type": "function", "name": "read_file"}, ["read_file"]),
    ],
)
async def test_tool_choice_is_honoured(
    memory: TurnsInMemory, tool_choice: object, names: list[str]
) -> None:
    response = await memory.respond(input="Hello", tools=[WEATHER, *FILES], tool_choice=tool_choice)
    assert names_of(response) == names


async def test_tool_choice_none_stops_call_lines_too(memory: TurnsInMemory) -> None:
    response = await memory.respond(input="CALL f", tool_choice="none")
    assert names_of(response) == []


async def test_words_are_counted_and_ask_for_no_tool(memory: TurnsInMemory) -> None:
    response = await memory.respond(input="WORDS 40\nthe weather in Oslo", tools=[WEATHER])
    assert (len(text_of(response).split()), calls_of(response)) == (40, [])


async def test_one_word_is_one_delta(memory: TurnsInMemory) -> None:
    events = await memory.events(input="WORDS 40")
    deltas = [event["delta"] for event in events if event["type"].endswith("text.delta")]
    assert len(deltas) == 40


async def test_long_outputs_are_quoted_in_part(memory: TurnsInMemory) -> None:
    _, last = await rollout(memory, lambda *_: "x" * 100_000, input="CALL f")
    assert 1000 < len(text_of(last)) < 3000


async def test_pace_is_the_pause_between_two_pieces() -> None:
    pauses: list[float] = []

    async def sleep(seconds: float) -> None:
        pauses.append(seconds)

    await TurnsInMemory(ScriptedUpstream(sleep)).respond(input="PACE 0.25\nWORDS 4")
    assert pauses == [0.25] * 4


@pytest.mark.parametrize(("limit", "status"), [(3, "incomplete"), (4, "completed")])
async def test_max_output_tokens_cuts_the_answer(
    memory: TurnsInMemory, limit: int, status: str
) -> None:
    response = await memory.respond(input="WORDS 4", max_output_tokens=limit)
    assert (status, limit) == (response["status"], response["usage"]["output_tokens"])
    assert len(text_of(response).split()) == limit
    details = response["incomplete_details"]
    assert details == ({"reason": "max_output_tokens"} if status == "incomplete" else None)


async def test_a_summary_of_the_reasoning_when_asked_for(memory: TurnsInMemory) -> None:
    response = await memory.respond(input="Hello", reasoning={"summary": "auto"})
    reasoning, message = response["output"]
    assert (reasoning["type"], message["type"]) == ("reasoning", "message")
    assert '"Hello"' in reasoning["summary"][0]["text"]
    words = len(reasoning["summary"][0]["text"].split())
    assert response["usage"]["output_tokens_details"]["reasoning_tokens"] == words


@pytest.mark.parametrize("reasoning", [{"effort": "high"}, {}, {"summary": None}])
async def test_no_summary_when_not_asked_for(memory: TurnsInMemory, reasoning: Json) -> None:
    response = await memory.respond(input="Hello", reasoning=reasoning)
    assert [item["type"] for item in response["output"]] == ["message"]


async def test_an_answer_in_json_by_a_schema(memory: TurnsInMemory) -> None:
    schema = {
        "type": "object",
        "properties": {"city": STRING, "days": {"type": "integer"}},
        "required": ["city", "days"],
    }
    form = {"type": "json_schema", "name": "trip", "schema": schema}
    response = await memory.respond(input="3 days in Oslo", text={"format": form})
    assert msgspec.json.decode(text_of(response)) == {"city": "Oslo", "days": 3}


async def test_an_answer_in_json_after_tools(memory: TurnsInMemory) -> None:
    schema = {"type": "object", "properties": {"degrees": {"type": "integer"}}}
    form = {"type": "json_schema", "name": "weather", "schema": schema}
    _, last = await rollout(
        memory, lambda *_: "degrees: 12", input="CALL get_weather", text={"format": form}
    )
    assert msgspec.json.decode(text_of(last)) == {"degrees": 12}


async def test_any_answer_as_a_json_object(memory: TurnsInMemory) -> None:
    form = {"format": {"type": "json_object"}}
    response = await memory.respond(input="WORDS 2", text=form)
    assert msgspec.json.decode(text_of(response)) == {"answer": "one lane"}


async def test_exploring_reads_what_real_outputs_named(memory: TurnsInMemory) -> None:
    texts = {f"src/part_{n}.py": f"def function_{n}(): gateway {n}" for n in range(12)}

    def tool(name: str, arguments: Json) -> str:
        if name == "list_files":
            return "\n".join(sorted(texts))
        if name == "read_file":
            return texts[arguments["path"]]
        hits = [f"{path}:1: {text}" for path, text in texts.items() if arguments["text"] in text]
        return "\n".join(hits) or "nothing"

    turns, last = await rollout(
        memory, tool, input="Where is the gateway?\nEXPLORE 24", tools=FILES
    )
    calls = [call for each in turns for call in each]
    assert len(calls) == 24
    assert {1, 2} == {len(each) for each in turns}
    assert [call["name"] for call in calls[:2]] == ["list_files", "search_text"]
    paths = [msgspec.json.decode(c["arguments"])["path"] for c in calls if c["name"] == "read_file"]
    assert sorted(paths)[:12] == sorted(texts)[: len(set(paths))]
    assert text_of(last).startswith("FINAL after tool: \nlist_files")
    assert "def function_3(): gateway 3" in text_of(last)


@pytest.mark.parametrize("output", ["", "Error: no such folder", "only.txt", "[]", "a/\nb/"])
async def test_exploring_makes_its_calls_whatever_the_tools_say(
    memory: TurnsInMemory, output: str
) -> None:
    turns, last = await rollout(memory, lambda *_: output, input="EXPLORE 30", tools=FILES)
    assert sum(map(len, turns)) == 30
    assert text_of(last).startswith("FINAL after tool: \n")


async def test_exploring_one_call_a_turn(memory: TurnsInMemory) -> None:
    turns, _ = await rollout(
        memory,
        lambda *_: "a.py",
        input="Where is it?\nEXPLORE 10",
        tools=FILES,
        parallel_tool_calls=False,
    )
    assert [len(calls) for calls in turns] == [1] * 10


async def test_exploring_without_file_tools_is_a_plain_answer(memory: TurnsInMemory) -> None:
    assert "holds 1 item" in text_of(await memory.respond(input="EXPLORE 24", tools=[WEATHER]))


async def test_tools_with_odd_schemas_do_no_harm(memory: TurnsInMemory) -> None:
    odd = [
        {"type": "function", "name": "weather", "parameters": {"properties": [], "required": 5}},
        {"type": "function", "name": "weather2", "description": 7, "parameters": {"type": []}},
        {"type": "function", "name": "weather3"},
    ]
    assert names_of(await memory.respond(input="the weather", tools=odd)) == ["weather"]


async def test_each_link_of_a_chain_is_read_once(
    memory: TurnsInMemory, monkeypatch: pytest.MonkeyPatch
) -> None:
    read: list[str] = []
    items = Context.items
    monkeypatch.setattr(Context, "items", lambda link: read.append(link.response_id) or items(link))
    text = "\n".join(f"THEN CALL f {n}" for n in range(50))
    turns, _ = await rollout(memory, lambda *_: "x", input=text)
    assert (len(turns), len(read), len(set(read))) == (50, 50, 50)


async def test_a_situation_does_not_know_what_is_not_there() -> None:
    situation = Situation().after([{"type": "function_call_output", "call_id": "x", "output": "y"}])
    assert [output.text for output in situation.outputs()] == ["y"]
