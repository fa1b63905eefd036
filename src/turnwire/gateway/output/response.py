"""The response object with every field that strict clients insist on (interop rule R15)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from turnwire.gateway.upstreams.deltas import UsageReport

if TYPE_CHECKING:
    from turnwire.gateway.input.parameters import Parameters
    from turnwire.gateway.json_shapes import Json


_FUNCTION: Final[Json] = {"description": None, "parameters": None, "strict": None}


def new_response(response_id: str, created_at: int, parameters: Parameters) -> Json:
    """Return the response object at the start of its turn."""
    return {
        "id": response_id,
        "object": "response",
        "created_at": created_at,
        "completed_at": None,
        "status": "in_progress",
        "background": False,
        "error": None,
        "frequency_penalty": parameters.frequency_penalty,
        "incomplete_details": None,
        "instructions": parameters.instructions,
        "max_output_tokens": parameters.max_output_tokens,
        "max_tool_calls": parameters.max_tool_calls,
        "metadata": parameters.metadata,
        "model": parameters.model,
        "output": [],
        "parallel_tool_calls": parameters.parallel_tool_calls,
        "presence_penalty": parameters.presence_penalty,
        "previous_response_id": parameters.previous_response_id,
        "prompt_cache_key": parameters.prompt_cache_key,
        "reasoning": {"effort": None, "summary": None} | (parameters.reasoning or {}),
        "safety_identifier": parameters.safety_identifier,
        "service_tier": "default",
        "store": parameters.store,
        "temperature": parameters.temperature,
        "text": _text_settings(parameters.text),
        "tool_choice": parameters.tool_choice,
        "tools": [_echoed(tool) for tool in parameters.tools],
        "top_logprobs": parameters.top_logprobs,
        "top_p": parameters.top_p,
        "truncation": parameters.truncation,
        "usage": None,
        "user": parameters.user,
    }


def _echoed(tool: Json) -> Json:
    return _FUNCTION | tool if tool["type"] == "function" else tool


def _text_settings(given: Json | None) -> Json:
    settings: Json = {"format": {"type": "text"}, "verbosity": "medium"}
    return settings | {key: value for key, value in (given or {}).items() if value is not None}


def usage_object(usage: UsageReport | None) -> Json:
    """Return the usage; zeros where the upstream says nothing, never without details (R15)."""
    usage = usage or UsageReport()
    return {
        "input_tokens": usage.input_tokens,
        "input_tokens_details": {
            "cached_tokens": usage.cached_tokens,
            "cache_write_tokens": usage.cache_write_tokens,
        },
        "output_tokens": usage.output_tokens,
        "output_tokens_details": {"reasoning_tokens": usage.reasoning_tokens},
        "total_tokens": usage.input_tokens + usage.output_tokens,
    }
