"""Token counts, wherever servers put them."""

from __future__ import annotations

from typing import Any

from turnwire.gateway.json_shapes import Json, object_or_empty
from turnwire.gateway.upstreams.deltas import UsageReport


def usage_report(usage: Json) -> UsageReport:
    """Return what a chat's ``usage`` says; what it does not say is zero (interop rule R15)."""
    prompt = object_or_empty(usage.get("prompt_tokens_details"))
    completion = object_or_empty(usage.get("completion_tokens_details"))
    return UsageReport(
        input_tokens=_count(usage.get("prompt_tokens")),
        cached_tokens=_first(
            prompt.get("cached_tokens"),
            usage.get("prompt_cache_hit_tokens"),  # DeepSeek
            usage.get("cached_tokens"),  # Moonshot
        ),
        cache_write_tokens=_first(
            prompt.get("cache_write_tokens"),
            prompt.get("cache_creation_tokens"),  # LiteLLM
            usage.get("cache_creation_input_tokens"),
        ),
        output_tokens=_count(usage.get("completion_tokens")),
        reasoning_tokens=_first(
            completion.get("reasoning_tokens"),
            usage.get("reasoning_tokens"),  # SGLang
        ),
    )


def usage_of_timings(timings: Json) -> Json:
    """Return what llama.cpp counts besides, in the words of ``usage``."""
    cached = _count(timings.get("cache_n"))
    return {
        "prompt_tokens": cached + _count(timings.get("prompt_n")),
        "completion_tokens": timings.get("predicted_n"),
        "prompt_tokens_details": {"cached_tokens": cached},
    }


def _first(*values: Any) -> int:
    return next((count for value in values if (count := _count(value))), 0)


def _count(value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return 0
    return max(int(value), 0)
