"""What an LLM was made with, and what one chat asks for, as the fields of a turn."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Literal, TypedDict, cast

from livekit.agents.inference.llm import drop_unsupported_params, min_reasoning_effort
from livekit.agents.llm import FunctionTool, ProviderTool, ToolContext
from livekit.agents.utils import is_given

if TYPE_CHECKING:
    from collections.abc import Sequence

    from livekit.agents.llm import Tool, ToolChoice
    from livekit.agents.types import NotGivenOr

    from turnwire.adapters.livekit.context import Json


class Parameters(TypedDict, total=False):
    """Parameters of every chat of an LLM, under the names of LiveKit's own.

    Attributes:
        user: Who speaks, as an id of yours.
        temperature: Left out for models that take none, by LiveKit's table.
        top_p: The same.
        parallel_tool_calls: Whether one response may call several tools.
        tool_choice: ``auto``, ``required``, ``none``, or a function by name.
        store: Whether the server keeps responses; with False each chat sends everything.
        reasoning: Such as ``{"effort": "low"}``; by default the least that the model can.
        metadata: Labels.
        service_tier: Such as ``priority``.
        verbosity: ``low``, ``medium`` or ``high``.
        max_output_tokens: A limit for each response.
        prompt_cache_options: As for the Responses API.
    """

    user: NotGivenOr[str]
    temperature: NotGivenOr[float]
    top_p: NotGivenOr[float]
    parallel_tool_calls: NotGivenOr[bool]
    tool_choice: NotGivenOr[ToolChoice]
    store: NotGivenOr[bool]
    reasoning: NotGivenOr[Any]
    metadata: NotGivenOr[dict[str, str]]
    service_tier: NotGivenOr[str]
    verbosity: NotGivenOr[Literal["low", "medium", "high"]]
    max_output_tokens: NotGivenOr[int]
    prompt_cache_options: NotGivenOr[Any]


def given(parameters: Mapping[str, Any]) -> Json:
    """Return those that were given: neither None nor LiveKit's NOT_GIVEN."""
    return {
        name: value for name, value in parameters.items() if value is not None and is_given(value)
    }


def fields_of(model: str, wanted: Json, tools: list[Json]) -> Json:
    """Return the fields of a turn.

    Args:
        model: The model.
        wanted: Parameters that were given, those of the chat over those of the LLM.
        tools: Tools as the server is told of them.
    """
    fields = dict(wanted)
    verbosity = fields.pop("verbosity", None)
    if verbosity is not None:
        fields["text"] = {**fields.get("text", {}), "verbosity": verbosity}
    choice, parallel = fields.pop("tool_choice", None), fields.pop("parallel_tool_calls", None)
    if tools:  # servers refuse to choose among none
        fields |= given({"tools": tools, "tool_choice": _choice(choice)})
        fields |= given({"parallel_tool_calls": parallel})
    if "reasoning" not in fields and (effort := min_reasoning_effort(model)):
        fields["reasoning"] = {"effort": effort}
    return {"model": model, **_supported(model, fields)}


def _choice(choice: Any) -> Any:
    if isinstance(choice, Mapping) and "function" in choice:
        return {"type": "function", "name": cast("Any", choice)["function"]["name"]}
    return cast("Any", choice)


def _supported(model: str, fields: Json) -> Json:
    """Leave out what a model refuses, by LiveKit's table; it reads the effort in its own place."""
    kept: Json = drop_unsupported_params(
        model, {**fields, "reasoning_effort": _effort(fields.get("reasoning"))}
    )
    kept.pop("reasoning_effort", None)
    return kept


def _effort(reasoning: Any) -> Any:
    if isinstance(reasoning, Mapping):
        return cast("Any", reasoning).get("effort")
    return getattr(reasoning, "effort", None)  # of the official SDK


def definitions_of(tools: Sequence[Tool], *, strict: bool) -> list[Json]:
    """Return tools as the server is told of them, written by LiveKit.

    Args:
        tools: Functions, toolsets and tools that run on the server.
        strict: Whether the model is held to the schemas of functions.
    """
    context: Any = ToolContext(list(tools))
    definitions: list[Json] = context.parse_function_tools(
        "openai.responses", strict=strict, provider_tool_type=ProviderTool
    )
    ours = {name for name, tool in context.function_tools.items() if isinstance(tool, FunctionTool)}
    # LiveKit writes strict schemas for chat completions only, and servers take a schema for
    # strict that does not say.
    exact: Mapping[str, Json] = {}
    if strict:
        written = context.parse_function_tools("openai", strict=True)
        exact = {each["function"]["name"]: each["function"] for each in written}
    return [
        {**definition, **exact.get(definition["name"], {"strict": False})}
        if definition.get("name") in ours
        else definition
        for definition in definitions
    ]
