"""How many tokens an input has, estimated in the time that the new part takes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from turnwire.events import encode
from turnwire.gateway.upstreams.deltas import UsageReport

if TYPE_CHECKING:
    from turnwire.gateway.context import Prompt

BYTES_PER_TOKEN: Final = 4  # the usual rule of thumb for English text and JSON


def estimated_usage(
    prompt: Prompt, *, output_tokens: int = 0, reasoning_tokens: int = 0
) -> UsageReport:
    """Count the whole context, and as cached what the chain held before this turn."""
    parameters = prompt.parameters
    above = prompt.parent.content_bytes if prompt.parent else 0
    own = prompt.new_bytes
    own += len(encode(parameters.instructions)) if parameters.instructions else 0
    own += len(encode(parameters.tools)) if parameters.tools else 0
    cached = above // BYTES_PER_TOKEN
    written = -(-own // BYTES_PER_TOKEN)
    return UsageReport(
        input_tokens=cached + written,
        cached_tokens=cached,
        cache_write_tokens=written,
        output_tokens=output_tokens,
        reasoning_tokens=reasoning_tokens,
    )
