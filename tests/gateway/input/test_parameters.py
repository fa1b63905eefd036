"""Parameters: what is refused, what is ignored, and what the refusal says."""

import pytest

from turnwire.gateway.input.parameters import Parameters, read_parameters
from turnwire.gateway.refusal import RequestRefused


def refusal(**request: object) -> RequestRefused:
    with pytest.raises(RequestRefused) as caught:
        read_parameters(dict(request))
    return caught.value


def test_a_create_needs_a_model_and_an_input() -> None:
    expected = Parameters(model="m", input="hi", sent={"model": "m", "input": "hi"})
    assert expected == read_parameters({"model": "m", "input": "hi"})


@pytest.mark.parametrize(
    ("request_", "param"),
    [
        ({"input": "hi"}, "model"),
        ({"model": "", "input": "hi"}, "model"),
        ({"model": "m"}, "input"),
        ({"model": "m", "input": "hi", "tools": [{"name": "f"}]}, "tools[0].type"),
        ({"model": "m", "input": "hi", "tools": [{"type": "function"}]}, "tools[0].name"),
        (
            {"model": "m", "input": "hi", "tools": [{"type": "function", "function": {}}]},
            "tools[0].name",
        ),
    ],
)
def test_what_is_missing_is_named(request_: dict[str, object], param: str) -> None:
    refused = refusal(**request_)
    assert (400, "missing_required_parameter", param) == (
        refused.status,
        refused.code,
        refused.param,
    )


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("model", 5),
        ("input", 5),
        ("input", {"role": "user"}),
        ("tools", {}),
        ("tool_choice", 1),
        ("store", "yes"),
        ("previous_response_id", 1),
        ("parallel_tool_calls", "no"),
        ("max_output_tokens", "many"),
        ("max_output_tokens", True),
        ("temperature", "hot"),
        ("reasoning", "much"),
        ("text", []),
        ("metadata", "x"),
        ("include", "x"),
        ("generate", 0),
        ("instructions", 3),
        ("stream", "x"),
        ("prompt_cache_options", 1),
    ],
)
def test_a_wrong_type_is_refused_with_its_parameter(name: str, value: object) -> None:
    refused = refusal(**{"model": "m", "input": "hi", name: value})
    assert (400, "invalid_request_error", "invalid_type", name) == (
        refused.status,
        refused.kind,
        refused.code,
        refused.param,
    )


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("max_output_tokens", 0),
        ("temperature", 3),
        ("top_p", -1),
        ("top_logprobs", 21),
        ("truncation", "sometimes"),
    ],
)
def test_a_value_out_of_range_is_refused(name: str, value: object) -> None:
    refused = refusal(**{"model": "m", "input": "hi", name: value})
    assert ("invalid_value", name) == (refused.code, refused.param)


def test_places_inside_lists_are_named() -> None:
    assert refusal(model="m", input=["hi"]).param == "input[0]"
    assert refusal(model="m", input="hi", tools=[1]).param == "tools[0]"
    schema = {"type": "function", "name": "f", "parameters": "object"}
    assert refusal(model="m", input="hi", tools=[schema]).param == "tools[0].parameters"


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("background", True),
        ("conversation", "conv_1"),
        ("prompt", {"id": "pmpt_1"}),
        ("context_management", [{"type": "compaction"}]),
    ],
)
def test_what_would_change_the_answer_is_refused_not_ignored(name: str, value: object) -> None:
    refused = refusal(**{"model": "m", "input": "hi", name: value})
    assert ("unsupported_parameter", name) == (refused.code, refused.param)


def test_r1_the_model_of_the_address_is_only_a_default() -> None:
    asked = {"input": "hi"}
    assert read_parameters(asked, default_model="url").model == "url"
    assert read_parameters({"model": "m", **asked}, default_model="url").model == "m"


def test_r6_what_clients_send_besides_is_ignored() -> None:
    request = {
        "model": "m",
        "input": "hi",
        "stream": True,
        "background": False,
        "client_metadata": {"a": "b"},
        "prompt_cache_key": "k",
        "include": [],
        "reasoning": {"context": "all_turns"},
        "something_new": [1],
        "temperature": None,
    }
    expected = Parameters(
        model="m",
        input="hi",
        stream=True,
        prompt_cache_key="k",
        reasoning={"context": "all_turns"},
        sent={name: value for name, value in request.items() if value is not None},
    )
    assert expected == read_parameters(request)


def test_r6_store_is_true_unless_it_is_false() -> None:
    asked = {"model": "m", "input": "hi"}
    assert read_parameters(asked).store
    assert not read_parameters({**asked, "store": False}).store


def test_r8_unknown_tool_types_are_taken_as_they_are() -> None:
    tools = [
        {"type": "custom", "name": "apply_patch", "format": {"type": "grammar"}},
        {"type": "web_search"},
        {"type": "namespace", "name": "n", "tools": [{"type": "function", "name": "f"}]},
    ]
    assert read_parameters({"model": "m", "input": "hi", "tools": tools}).tools == tools


@pytest.mark.parametrize(
    "request_",
    [{"generate": False}, {"prompt_cache_options": {"prewarm": True}, "generate": True}],
)
def test_r9_a_warm_up_needs_no_input(request_: dict[str, object]) -> None:
    assert read_parameters({"model": "m", **request_}).warm_up


def test_a_continuation_needs_no_input() -> None:
    parameters = read_parameters({"model": "m", "previous_response_id": "resp_1"})
    assert (parameters.previous_response_id, parameters.input) == ("resp_1", [])
