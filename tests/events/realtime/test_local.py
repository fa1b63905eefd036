from __future__ import annotations

import inspect

import pytest

from turnwire.events.realtime import (
    AudioDroppedEvent,
    AudioEvent,
    AudioInterruptedEvent,
    ConnectionChangeEvent,
    LaggedEvent,
    RealtimeEvent,
    RealtimeItem,
    RealtimeResponseUsage,
    ReconnectedEvent,
    TurnDoneEvent,
    local,
)

TYPES = {
    "audio",
    "audio_done",
    "audio_dropped",
    "audio_interrupted",
    "audio_transcript_delta",
    "connection_change",
    "function_call",
    "item_deleted",
    "item_update",
    "lagged",
    "mcp_approval_request",
    "mcp_tool_call_completed",
    "mcp_tools_listed",
    "output_text_delta",
    "reconnected",
    "turn_done",
    "turn_started",
    "usage_update",
}


def test_these_are_the_events_of_this_side() -> None:
    classes = [
        cls
        for _, cls in inspect.getmembers(local, inspect.isclass)
        if issubclass(cls, RealtimeEvent) and cls not in (RealtimeEvent, local.LocalEvent)
    ]
    assert {str(cls.__struct_config__.tag) for cls in classes} == TYPES


@pytest.mark.parametrize(
    ("event", "expected"),
    [
        (
            ConnectionChangeEvent(status="connected", generation=2),
            {"type": "connection_change", "status": "connected", "generation": 2},
        ),
        (
            AudioInterruptedEvent(item_id="i", heard_ms=5, dropped_ms=7, reason="requested"),
            {
                "type": "audio_interrupted",
                "item_id": "i",
                "content_index": 0,
                "heard_ms": 5,
                "dropped_ms": 7,
                "reason": "requested",
            },
        ),
        (
            ReconnectedEvent(reason="expired", lost=["r"]),
            {
                "type": "reconnected",
                "reason": "expired",
                "generation": 0,
                "gap_ms": 0.0,
                "seeded_items": 0,
                "lost": ["r"],
                "audio_replayed_ms": 0.0,
            },
        ),
        (
            AudioEvent(data=b"\0\0\0", response_id="r", item_id="i", content_index=1),
            {
                "type": "audio",
                "data": "AAAA",
                "response_id": "r",
                "item_id": "i",
                "content_index": 1,
            },
        ),
    ],
)
def test_an_event_of_this_side_is_json_too(
    event: RealtimeEvent, expected: dict[str, object]
) -> None:
    assert expected == event.to_dict()
    assert event.type == event.raw_type == expected["type"]


def test_a_turn_says_what_came_of_it() -> None:
    usage = RealtimeResponseUsage(input_tokens=1)
    event = TurnDoneEvent(response_id="r", output=[RealtimeItem(id="i")], usage=usage)
    loaded = event.to_dict()
    assert loaded["output"][0] == {"id": "i", "type": "message", "content": []}
    assert loaded["usage"] == {"input_tokens": 1, "output_tokens": 0, "total_tokens": 0}
    assert repr(event) == "TurnDoneEvent(type='turn_done', response_id='r')"


def test_what_happened_is_shown() -> None:
    shown = [
        repr(AudioInterruptedEvent(item_id="i", dropped_ms=40, reason="requested")),
        repr(ReconnectedEvent(reason="renewal", generation=2, gap_ms=1.5, lost=["a", "b"])),
        repr(AudioDroppedEvent(ms=20.0, reason="backlog")),
        repr(LaggedEvent(count=3, bytes=4096)),
    ]
    assert shown == [
        (
            "AudioInterruptedEvent(type='audio_interrupted', item_id='i', reason='requested',"
            " heard_ms=0, dropped_ms=40)"
        ),
        (
            "ReconnectedEvent(type='reconnected', reason='renewal', generation=2, gap_ms=1.5,"
            " seeded_items=0, audio_replayed_ms=0.0, lost=2)"
        ),
        "AudioDroppedEvent(type='audio_dropped', reason='backlog', ms=20.0)",
        "LaggedEvent(type='lagged', count=3, bytes=4096)",
    ]
