"""Bridges and readers that are told at once."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from realtime.support import dial, talk
from turnwire import ConnectionLost
from turnwire.events.realtime import TurnStartedEvent
from turnwire.realtime.inbox import Inbox
from turnwire.realtime.subscription import Subscription
from turnwire.testing.realtime import RealtimeServer, reply, text

if TYPE_CHECKING:
    from turnwire.events.realtime import RealtimeEvent

STARTED = TurnStartedEvent(response_id="r")


class Bridge:
    """Fails where it is told to."""

    def __init__(self, *fails: str) -> None:
        self.fails = fails
        self.told: list[Any] = []

    def put(self, event: RealtimeEvent) -> None:
        self._note("put", event.type)

    def flush(self, response_id: str | None) -> None:
        self._note("flush", response_id)

    def end(self, error: BaseException | None) -> None:
        self._note("end", type(error).__name__)

    def _note(self, what: str, about: object) -> None:
        self.told.append((what, about))
        if what in self.fails:
            raise LookupError(what)


@pytest.mark.parametrize(
    ("fails", "told"),
    [
        (("put",), [("put", "turn_started"), ("end", "LookupError")]),
        (("put", "end"), [("put", "turn_started"), ("end", "LookupError")]),
        (("flush",), [("put", "turn_started"), ("flush", None), ("end", "LookupError")]),
        (("end",), [("put", "turn_started"), ("flush", None), ("end", "NoneType")]),
    ],
)
async def test_a_bridge_that_fails_keeps_nothing_from_the_others(
    fails: tuple[str, ...], told: list[Any], caplog: pytest.LogCaptureFixture
) -> None:
    inbox = Inbox()
    bad, good, events = Bridge(*fails), Bridge(), inbox.subscribe(Subscription(1000))
    inbox.bridge(bad)
    inbox.bridge(good)
    inbox.deliver(STARTED)
    inbox.flush(None)
    inbox.end(None)
    assert bad.told == told
    assert good.told == [("put", "turn_started"), ("flush", None), ("end", "NoneType")]
    assert [event async for event in events] == [STARTED]
    assert "a bridge of the Realtime session failed" in caplog.text


@pytest.mark.io
async def test_a_session_goes_on_without_a_bridge_that_fails() -> None:
    bridge = Bridge("put")
    async with RealtimeServer(reply(text("Hello."))) as server:
        rt = dial(server)
        rt.prepare(bridge)
        async with rt:
            response = await rt.request_response()
    assert response.status == "completed"
    assert [what for what, _ in bridge.told] == ["put", "end"]


async def test_each_look_behind_the_end_raises_an_error_of_its_own() -> None:
    events = Subscription(1000)
    events.end(ConnectionLost("gone", close_code=4000, close_reason="enough"))
    raised = []
    for _ in range(2):
        with pytest.raises(ConnectionLost, match="gone") as found:
            events.poll()
        raised.append(found.value)
    assert raised[0] is not raised[1]
    assert [error.close_code for error in raised] == [4000, 4000]


@pytest.mark.io
async def test_all_answers_to_a_reset_are_known_before_any_is_settled() -> None:
    items = [
        {"type": "message", "role": "user", "content": [{"type": "input_text", "text": str(n)}]}
        for n in range(5)
    ]
    async with talk() as (rt, _):
        known: list[int] = []
        act = rt._act

        def look() -> None:
            known.append(len(rt._inbox._answers))
            act()

        rt._act = look  # type: ignore[method-assign]
        for change in rt.reset_history(items):
            await change
        assert known == [5]
        assert len(rt.history) == 5
