"""What happened so far, as numbers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from turnwire.core.realtime.state import RealtimeState


@dataclass(frozen=True, slots=True)
class RealtimeStatistics:
    """Counters of one transport since its beginning.

    Attributes:
        sockets: How many were dialled.
        failed_dials: How many of those failed before they were live, but for renewals.
        reconnects: How often the session went on with another one, renewals included.
        responses: How many the server began.
        interruptions: How often somebody was interrupted.
        truncates: How many truncations were sent.
        truncate_errors: How many of them the server refused.
        late_deltas: Deltas that came after their response had been interrupted.
        malformed: Messages that were no events.
        swallowed_errors: Errors about what the transport did by itself.
        sent_ms: Audio of the user's that was sent.
        dropped_ms: Audio of the user's that was dropped.
        replayed_ms: Audio of the user's that was sent again after a reconnect.
        backlog_ms: Audio of the user's that waits now.
        first_audio_after: Seconds from the last end of speech to the first audio of the answer.
        input_tokens: As the server counts them.
        output_tokens: As the server counts them.
    """

    sockets: int
    failed_dials: int
    reconnects: int
    responses: int
    interruptions: int
    truncates: int
    truncate_errors: int
    late_deltas: int
    malformed: int
    swallowed_errors: int
    sent_ms: float
    dropped_ms: float
    replayed_ms: float
    backlog_ms: float
    first_audio_after: float | None
    input_tokens: int
    output_tokens: int


def statistics_of(state: RealtimeState) -> RealtimeStatistics:
    """Read the counters."""
    counts, uplink = state.counts, state.uplink
    return RealtimeStatistics(
        sockets=counts.sockets,
        failed_dials=counts.failed_dials,
        reconnects=counts.reconnects,
        responses=counts.responses,
        interruptions=counts.interruptions,
        truncates=counts.truncates,
        truncate_errors=counts.truncate_errors,
        late_deltas=counts.late_deltas,
        malformed=counts.malformed,
        swallowed_errors=counts.swallowed_errors,
        sent_ms=uplink.sent_ms,
        dropped_ms=uplink.dropped_ms,
        replayed_ms=counts.replayed_ms,
        backlog_ms=uplink.backlog_ms,
        first_audio_after=counts.first_audio_after,
        input_tokens=counts.input_tokens,
        output_tokens=counts.output_tokens,
    )
