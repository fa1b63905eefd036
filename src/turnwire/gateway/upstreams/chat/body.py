"""A prompt as the body of a chat completions request: pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from turnwire.gateway.json_shapes import Json, object_or_empty
from turnwire.gateway.upstreams.chat.messages import chat_messages

if TYPE_CHECKING:
    from collections.abc import Iterator

    from turnwire.gateway.context import Prompt
    from turnwire.gateway.input.parameters import Parameters
    from turnwire.gateway.upstreams.chat.options import ChatOptions
    from turnwire.gateway.upstreams.chat.tools import ToolTable

# Those whose default stands for "not sent": servers have defaults of their own, by model.
_SAMPLING: Final = {
    "temperature": 1.0,
    "top_p": 1.0,
    "presence_penalty": 0.0,
    "frequency_penalty": 0.0,
}
_LOGPROBS: Final = "message.output_text.logprobs"  # in `include`


def chat_body(prompt: Prompt, tools: ToolTable, options: ChatOptions) -> Json:
    """Return what to POST; ``tools`` are those of the prompt.

    Raises:
        UpstreamFailed: With status 400, for content that cannot be passed on.
    """
    parameters = prompt.parameters
    body: Json = {
        "model": options.model or parameters.model,
        "messages": chat_messages(_chain(prompt), parameters.instructions, options),
        "stream": True,
    }
    if options.usage:
        body["stream_options"] = {"include_usage": True}
    body |= _sampling(parameters, options)
    body |= _tools(parameters, tools)
    body |= _answer_format(parameters)
    return body | options.extra_body


def _chain(prompt: Prompt) -> Iterator[Json]:
    links = [*prompt.parent.lineage()] if prompt.parent else []
    for link in reversed(links):
        yield from link.items()
    yield from prompt.items


def _sampling(parameters: Parameters, options: ChatOptions) -> Json:
    body: Json = {
        name: value
        for name, default in _SAMPLING.items()
        if (value := getattr(parameters, name)) != default or name in parameters.sent
    }
    body |= {name: parameters.sent[name] for name in options.passed_on if name in parameters.sent}
    if parameters.max_output_tokens is not None:
        body[options.max_tokens_field] = parameters.max_output_tokens
    effort = (parameters.reasoning or {}).get("effort")
    if effort is not None and options.reasoning_effort:
        body["reasoning_effort"] = effort
    if parameters.top_logprobs or _LOGPROBS in parameters.include:
        body["logprobs"] = True
        if parameters.top_logprobs:
            body["top_logprobs"] = parameters.top_logprobs
    return body


def _tools(parameters: Parameters, table: ToolTable) -> Json:
    """Return what the body says about tools; nothing if there is none that a chat server knows."""
    choice, allowed = table.choice(parameters.tool_choice)
    tools = table.chat_tools(allowed)
    if not tools:
        return {}
    body: Json = {"tools": tools}
    if choice not in (None, "auto"):
        body["tool_choice"] = choice
    if not parameters.parallel_tool_calls:
        body["parallel_tool_calls"] = False
    return body


def _answer_format(parameters: Parameters) -> Json:
    form = object_or_empty((parameters.text or {}).get("format"))
    if form.get("type") == "json_object":
        return {"response_format": {"type": "json_object"}}
    if form.get("type") != "json_schema":
        return {}
    members = ("name", "description", "schema", "strict")
    schema = {name: form[name] for name in members if form.get(name) is not None}
    return {"response_format": {"type": "json_schema", "json_schema": schema}}
