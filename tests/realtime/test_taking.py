"""A consumer may take an event before its turn."""

from __future__ import annotations

from turnwire.events.realtime import AudioInterruptedEvent, TurnStartedEvent
from turnwire.realtime.subscription import Subscription


def subscription() -> Subscription:
    return Subscription(100_000)


async def test_the_first_event_of_a_type_is_taken_out_of_its_order() -> None:
    events = subscription()
    first, second = AudioInterruptedEvent(item_id="a"), AudioInterruptedEvent(item_id="b")
    started = TurnStartedEvent(response_id="r")
    for event in (started, first, second):
        events.put(event)
    assert events.take(AudioInterruptedEvent) is first
    assert [await anext(events), await anext(events)] == [started, second]
    assert events.waiting_bytes == 0


async def test_there_may_be_none_to_take() -> None:
    events = subscription()
    events.put(TurnStartedEvent(response_id="r"))
    waiting = events.waiting_bytes
    assert events.take(AudioInterruptedEvent) is None
    assert events.waiting_bytes == waiting
