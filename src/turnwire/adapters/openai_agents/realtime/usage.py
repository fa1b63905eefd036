"""What a response used, as the SDK counts it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from agents import Usage
from agents.realtime import (
    RealtimeModelCachedTokensDetails,
    RealtimeModelInputTokensDetails,
    RealtimeModelOutputTokensDetails,
    RealtimeModelUsageEvent,
)

if TYPE_CHECKING:
    from turnwire.events.realtime import RealtimeResponseUsage


def usage_event(used: RealtimeResponseUsage) -> RealtimeModelUsageEvent:
    """Return the event that tells of it."""
    total = used.total_tokens or used.input_tokens + used.output_tokens
    usage = Usage(
        requests=1,
        input_tokens=used.input_tokens,
        output_tokens=used.output_tokens,
        total_tokens=total,
    )
    event = RealtimeModelUsageEvent(usage=usage)
    if (given := used.input_token_details) is not None:
        usage.input_tokens_details.cached_tokens = given.cached_tokens or 0
        event.input_tokens_details = RealtimeModelInputTokensDetails(
            text_tokens=given.text_tokens,
            audio_tokens=given.audio_tokens,
            image_tokens=given.image_tokens,
            cached_tokens=given.cached_tokens,
        )
        if (cached := given.cached_tokens_details) is not None:
            event.input_tokens_details.cached_tokens_details = RealtimeModelCachedTokensDetails(
                text_tokens=cached.text_tokens,
                audio_tokens=cached.audio_tokens,
                image_tokens=cached.image_tokens,
            )
    if (made := used.output_token_details) is not None:
        event.output_tokens_details = RealtimeModelOutputTokensDetails(
            text_tokens=made.text_tokens, audio_tokens=made.audio_tokens
        )
    return event
