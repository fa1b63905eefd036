"""What the SDK's own models ask of it, and for which it has no public names: all in one place."""

from __future__ import annotations

from typing import TYPE_CHECKING

from agents import _debug  # pyright: ignore[reportPrivateUsage]
from agents.models._retry_runtime import (  # pyright: ignore[reportPrivateUsage]
    should_disable_provider_managed_retries,
)
from agents.models.openai_responses import (
    _mark_transport_request_without_usage,  # pyright: ignore[reportPrivateUsage]
)

if TYPE_CHECKING:
    from openai.types.responses import Response


def logs_what_is_said() -> bool:
    """Say whether the SDK logs what goes to the model."""
    return not _debug.DONT_LOG_MODEL_DATA


def runner_retries() -> bool:
    """Say whether the runner wants to decide itself, now, if a turn is sent again."""
    return should_disable_provider_managed_retries()


def count_without_usage(response: Response) -> None:
    """Have a response that does not say what it used count as one that was made."""
    _mark_transport_request_without_usage(response)
