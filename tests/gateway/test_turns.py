"""One turn, from a create to its terminal event, without a socket."""

import asyncio

import msgspec
import pytest

from gateway.support import (
    TERMINAL,
    Puppet,
    TurnsInMemory,
    calls_of,
    function,
    output_of,
    text_of,
    user,
)
from turnwire.gateway.store.event_log import EventLog
from turnwire.gateway.upstreams import UpstreamFailed

NOT_FOUND = {
    "type": "error",
    "status": 400,
    "error": {
        "type": "invalid_request_error",
        "message": (
            "The previous response is not here. Send the full input without `previous_response_id`."
        ),
        "code": "previous_response_not_found",
        "param": "previous_response_id",
    },
}


@pytest.fixture
def memory() -> TurnsInMemory:
    return TurnsInMemory()


async def test_r17_a_turn_has_one_terminal_event_and_it_is_the_last(memory: TurnsInMemory) -> None:
    events = await memory.events(input="Hello")
    assert [len(events) - 1] == [
        index for index, event in enumerate(events) if event["type"] in TERMINAL
    ]


async def test_a_refused_create_is_one_error_and_no_model_run(memory: TurnsInMemory) -> None:
    event = await memory.refusal(input=5)
    assert (event["status"], event["error"]["param"]) == (400, "input")
    assert (
        memory.statistics.turns,
        memory.statistics.turns_refused,
        memory.statistics.model_runs,
    ) == (1, 1, 0)


async def test_a_chain_goes_on_from_input_and_output(memory: TurnsInMemory) -> None:
    first = await memory.respond(input="My name is Ada.")
    second = await memory.respond(input="And now?", previous_response_id=first["id"])
    assert text_of(second) == 'You said: "And now?". The context holds 3 items.'
    assert second["previous_response_id"] == first["id"]


async def test_a_new_chain_knows_nothing_of_the_old_one(memory: TurnsInMemory) -> None:
    await memory.respond(input="My name is Ada.")
    assert "The context holds 1 item." in text_of(await memory.respond(input="And now?"))


async def test_the_tool_loop_over_a_chain(memory: TurnsInMemory) -> None:
    asked = await memory.respond(input='CALL add {"a": 1}\nCALL sub {"b": 2}')
    add, sub = calls_of(asked)
    assert [(call["name"], call["arguments"]) for call in (add, sub)] == [
        ("add", '{"a": 1}'),
        ("sub", '{"b": 2}'),
    ]
    answered = await memory.respond(
        input=[output_of(sub, "two"), output_of(add, "one")], previous_response_id=asked["id"]
    )
    assert text_of(answered) == "FINAL after tool: \ntwo\none"


async def test_a_fork_shares_its_past(memory: TurnsInMemory) -> None:
    root = await memory.respond(input="CALL f {}")
    (call,) = calls_of(root)
    answers = [
        text_of(
            await memory.respond(input=[output_of(call, text)], previous_response_id=root["id"])
        )
        for text in ("left", "right")
    ]
    assert answers == ["FINAL after tool: \nleft", "FINAL after tool: \nright"]
    left, right = list(memory.remembered.values())[1:]
    assert left.parent is right.parent is memory.remembered[root["id"]]


async def test_r11_store_false_is_remembered_by_its_socket_alone(memory: TurnsInMemory) -> None:
    response = await memory.respond(input="secret", store=False)
    assert response["store"] is False
    assert await memory.store.get(response["id"], "") is None
    more = await memory.respond(input="more", store=False, previous_response_id=response["id"])
    assert "The context holds 3 items." in text_of(more)
    memory.remembered.clear()
    assert await memory.refusal(input="x", previous_response_id=response["id"]) == NOT_FOUND


async def test_r11_a_stored_response_is_found_without_its_socket(memory: TurnsInMemory) -> None:
    response = await memory.respond(input="hello")
    memory.remembered.clear()
    more = await memory.respond(input="more", previous_response_id=response["id"])
    assert "The context holds 3 items." in text_of(more)


async def test_r19_an_unknown_parent_is_refused(memory: TurnsInMemory) -> None:
    assert await memory.refusal(input="x", previous_response_id="resp_unknown") == NOT_FOUND


async def test_an_output_that_answers_no_call_is_refused(memory: TurnsInMemory) -> None:
    first = await memory.respond(input="CALL f {}")
    stray = {"type": "function_call_output", "call_id": "call_stray", "output": "x"}
    event = await memory.refusal(input=[stray], previous_response_id=first["id"])
    assert (
        event["status"],
        event["error"]["type"],
        event["error"]["param"],
    ) == (400, "invalid_request_error", "input")


async def test_an_output_is_taken_once(memory: TurnsInMemory) -> None:
    first = await memory.respond(input="CALL f {}")
    answer = output_of(calls_of(first)[0], "x")
    second = await memory.respond(input=[answer], previous_response_id=first["id"])
    event = await memory.refusal(input=[answer], previous_response_id=second["id"])
    assert "answered already" in event["error"]["message"]


@pytest.mark.parametrize("more", [{}, {"generate": False}], ids=["turn", "warm-up"])
async def test_a_call_without_its_output_is_refused(
    memory: TurnsInMemory, more: dict[str, object]
) -> None:
    first = await memory.respond(input="CALL f {}\nCALL g {}")
    left, right = calls_of(first)
    event = await memory.refusal(
        input=[output_of(left, "x"), user("go on")], previous_response_id=first["id"], **more
    )
    assert event == {
        "type": "error",
        "status": 400,
        "error": {
            "type": "invalid_request_error",
            "message": (
                f"No tool output found for function call {right['call_id']}. Send its"
                " function_call_output in `input`."
            ),
            "param": "input",
        },
    }
    again = await memory.refusal(input=[user("x"), *first["output"], output_of(left, "x")])
    assert again == event, "the full input is refused for the same reason"
    assert memory.statistics.model_runs == 1


async def test_r12_a_repeated_call_is_answered_as_if_it_came_once(memory: TurnsInMemory) -> None:
    first = await memory.respond(input="CALL f {}\nCALL g {}")
    left, right = calls_of(first)
    event = await memory.refusal(
        input=[left, right, output_of(left, "x")], previous_response_id=first["id"]
    )
    assert right["call_id"] in event["error"]["message"]
    answer = await memory.respond(
        input=[left, output_of(left, "x"), right, output_of(right, "y")],
        previous_response_id=first["id"],
    )
    assert "The context holds" not in text_of(answer)
    assert text_of(answer) == "FINAL after tool: \nx\ny"


async def test_a_chain_belongs_to_the_key_that_began_it(memory: TurnsInMemory) -> None:
    first = (await memory.events(owner="a", input="secret"))[-1]["response"]
    memory.remembered.clear()
    more = {"input": "more", "previous_response_id": first["id"]}
    assert await memory.events(owner="b", **more) == [NOT_FOUND]
    assert (await memory.events(owner="a", **more))[-1]["type"] == "response.completed"


async def test_r12_repeated_output_items_count_once(memory: TurnsInMemory) -> None:
    first = await memory.respond(input="CALL f {}")
    (call,) = calls_of(first)
    second = await memory.respond(
        input=[call, output_of(call, "x")], previous_response_id=first["id"]
    )
    third = await memory.respond(
        input=[*second["output"], user("And?")], previous_response_id=second["id"]
    )
    assert "The context holds 5 items." in text_of(third)


async def test_r13_instructions_are_not_inherited(memory: TurnsInMemory) -> None:
    first = await memory.respond(input="hello", instructions="Be brief.")
    second = await memory.respond(input="more", previous_response_id=first["id"])
    assert (first["instructions"], second["instructions"]) == ("Be brief.", None)


async def test_r13_tools_are_not_inherited(memory: TurnsInMemory) -> None:
    weather = function("get_weather", city={"type": "string"})
    first = await memory.respond(input="hello", tools=[weather])
    second = await memory.respond(input="the weather?", previous_response_id=first["id"])
    assert (len(first["tools"]), second["tools"], calls_of(second)) == (1, [], [])


async def test_r14_output_items_come_back_as_they_went_out(memory: TurnsInMemory) -> None:
    response = await memory.respond(
        input='CALL f { "b" : 1,  "a":2 }', reasoning={"summary": "auto"}
    )
    context = await memory.store.get(response["id"], "")
    assert context is not None
    assert response["output"] == context.output_items()
    assert calls_of(response)[0]["arguments"] == '{ "b" : 1,  "a":2 }'


@pytest.mark.parametrize(
    "warm_up", [{"generate": False}, {"prompt_cache_options": {"prewarm": True}, "generate": True}]
)
async def test_r9_a_warm_up_is_a_link_of_the_chain(
    memory: TurnsInMemory, warm_up: dict[str, object]
) -> None:
    system = {"type": "message", "role": "developer", "content": "You are a pirate." * 40}
    events = await memory.events(input=[system], **warm_up)
    assert [event["type"].removeprefix("response.") for event in events] == [
        "created",
        "in_progress",
        "completed",
    ]
    warm = events[-1]["response"]
    assert (warm["status"], warm["output"], warm["usage"]["output_tokens"]) == ("completed", [], 0)
    assert warm["usage"]["input_tokens"] > 160
    assert memory.statistics.model_runs == 0
    first = await memory.respond(input="Hello", previous_response_id=warm["id"])
    assert "The context holds 2 items." in text_of(first)
    assert (
        warm["usage"]["input_tokens"] - 1
        <= (first["usage"]["input_tokens_details"]["cached_tokens"])
    )


async def test_r9_the_content_of_a_warm_up_reaches_the_model() -> None:
    puppet = Puppet()
    memory = TurnsInMemory(puppet)
    system = {"type": "message", "role": "developer", "content": "You are a pirate."}
    warm = await memory.respond(input=[system], generate=False)
    turn = asyncio.create_task(memory.respond(input="Hi", previous_response_id=warm["id"]))
    run = await puppet.run()
    assert run.prompt.parent is not None
    assert [system] == run.prompt.parent.items()
    run.finish("Arr.")
    assert text_of(await turn) == "Arr."


async def test_r9_a_question_may_wait_in_a_warm_up(memory: TurnsInMemory) -> None:
    warm = await memory.respond(input="WORDS 3", generate=False)
    answer = await memory.respond(input=[], previous_response_id=warm["id"])
    assert text_of(answer) == "one lane carries"


async def test_a_warm_up_in_the_middle_of_a_chain(memory: TurnsInMemory) -> None:
    first = await memory.respond(input="CALL f {}")
    (call,) = calls_of(first)
    warm = await memory.respond(
        input=[output_of(call, "x")], previous_response_id=first["id"], generate=False
    )
    answer = await memory.respond(input=[], previous_response_id=warm["id"])
    assert text_of(answer) == "FINAL after tool: \nx"


async def test_r20_an_upstream_that_refuses_is_an_error_with_its_status() -> None:
    puppet = Puppet()
    memory = TurnsInMemory(puppet)
    turn = asyncio.create_task(memory.events(input="x"))
    headers = {"retry-after": "1"}
    (await puppet.run()).fail(
        UpstreamFailed("Too many.", status=429, code="rate_limit_exceeded", headers=headers)
    )
    assert (await turn)[-1] == {
        "type": "error",
        "status": 429,
        "error": {"type": "server_error", "message": "Too many.", "code": "rate_limit_exceeded"},
        "headers": headers,
    }


async def test_r20_a_stream_that_is_cut_is_a_failed_response() -> None:
    puppet = Puppet()
    memory = TurnsInMemory(puppet)
    turn = asyncio.create_task(memory.events(input="x"))
    run = await puppet.run()
    run.say("word")
    run.cut()
    terminal = (await turn)[-1]
    assert (terminal["type"], text_of(terminal["response"])) == ("response.failed", "word")
    assert memory.remembered == {}
    response_id = terminal["response"]["id"]
    kept = await memory.store.get(response_id, "")
    assert kept is not None
    assert msgspec.json.decode(kept.response) == terminal["response"], "it can be looked at"
    assert await memory.refusal(input="x", previous_response_id=response_id) == NOT_FOUND


async def test_an_upstream_with_a_bug_costs_its_turn_alone(
    caplog: pytest.LogCaptureFixture,
) -> None:
    puppet = Puppet()
    memory = TurnsInMemory(puppet)
    turn = asyncio.create_task(memory.events(input="x"))
    run = await puppet.run()
    run.say("word")
    run.fail(ZeroDivisionError("inside"))
    terminal = (await turn)[-1]
    assert (
        terminal["type"],
        terminal["response"]["error"]["message"],
    ) == ("response.failed", "The model run failed.")
    assert "unexpected error" in caplog.text


async def test_an_abandoned_turn_stops_its_model_run() -> None:
    puppet = Puppet()
    memory = TurnsInMemory(puppet)
    turn = asyncio.create_task(memory.events(input="x"))
    run = await puppet.run()
    turn.cancel()
    await run.stopped.wait()
    with pytest.raises(asyncio.CancelledError):
        await turn
    assert (
        memory.statistics.model_runs,
        memory.statistics.model_runs_active,
        memory.statistics.model_runs_stopped,
    ) == (1, 0, 1)


async def test_a_consumer_that_stops_listening_stops_the_model_run() -> None:
    puppet = Puppet()
    memory = TurnsInMemory(puppet)
    events = memory.turns.events({"model": "m", "input": "x"}, EventLog())
    pulling = asyncio.create_task(pull(events, 3))
    run = await puppet.run()
    run.say("word")
    await pulling
    await events.aclose()
    assert run.stopped.is_set()
    assert memory.statistics.model_runs_stopped == 1


async def pull(events: object, number: int) -> None:
    for _ in range(number):
        await anext(events)  # type: ignore[call-overload]


async def test_usage_counts_the_whole_context(memory: TurnsInMemory) -> None:
    first = await memory.respond(input="x" * 400)
    second = await memory.respond(input="y" * 400, previous_response_id=first["id"])
    usage, more = first["usage"], second["usage"]
    items = len(msgspec.json.encode(first["output"][0])) // 4
    assert usage["input_tokens_details"]["cached_tokens"] == 0
    assert abs(more["input_tokens_details"]["cached_tokens"] - usage["input_tokens"] - items) <= 1
    for each in (usage, more):
        details = each["input_tokens_details"]
        assert each["input_tokens"] == details["cached_tokens"] + details["cache_write_tokens"]
        assert each["total_tokens"] == each["input_tokens"] + each["output_tokens"]


async def test_a_turn_costs_what_it_adds() -> None:
    """However long the chain is, the model reads each link once."""
    memory = TurnsInMemory()
    response = await memory.respond(input="CALL f {}\n" + "THEN CALL f {}\n" * 60)
    sizes: list[int] = []
    while calls := calls_of(response):
        response = await memory.respond(
            input=[output_of(calls[0], "x" * 100)], previous_response_id=response["id"]
        )
        sizes.append(memory.remembered[response["id"]].size_bytes)
    assert len(sizes) == 61
    assert max(sizes[:60]) - min(sizes[:60]) < 100
