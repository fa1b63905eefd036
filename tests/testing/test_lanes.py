from __future__ import annotations

from typing import Any

import pytest

from turnwire.testing.lanes import LaneMode, LaneQueues


def queues(mode: LaneMode = "echo", *, active: int = 16, names: int = 32) -> LaneQueues:
    return LaneQueues(mode, active, names)


def create(number: int, lane: str | None = None) -> dict[str, Any]:
    return {"n": number} | ({} if lane is None else {"stream_id": lane})


def taken(lanes: LaneQueues) -> list[int]:
    numbers = []
    while (ready := lanes.take()) is not None:
        numbers.append(ready[1]["n"])
    return numbers


def test_a_lane_is_a_queue_and_lanes_are_independent() -> None:
    lanes = queues()
    for number, lane in enumerate(["a", "a", None, "b", None]):
        assert lanes.add(create(number, lane)) is None
    assert taken(lanes) == [0, 2, 3]
    lanes.release("a")
    assert taken(lanes) == [1]
    lanes.release(None)
    assert taken(lanes) == [4]


def test_only_so_many_turns_are_active_and_the_oldest_goes_first() -> None:
    lanes = queues(active=2)
    for number, lane in enumerate(["a", "b", "c", "d"]):
        lanes.add(create(number, lane))
    assert taken(lanes) == [0, 1]
    lanes.release("b")
    assert taken(lanes) == [2]


def test_names_are_used_up_for_good() -> None:
    lanes = queues(names=2)
    refusals = [lanes.add(create(0, name)) for name in ("a", "b", "a", "c")]
    codes = [None if refusal is None else refusal.code for refusal in refusals]
    assert codes == [None, None, None, "websocket_stream_limit_reached"]


@pytest.mark.parametrize("name", ["", "a b", "ä", "x" * 257, 5, True])
def test_bad_names_are_refused_and_not_echoed(name: Any) -> None:
    refusal = queues().add({"stream_id": name})
    assert refusal is not None
    assert (refusal.code, refusal.param, refusal.lane) == ("invalid_stream_id", "stream_id", False)


@pytest.mark.parametrize("name", ["a", "A.b_c-9", "x" * 256])
def test_good_names_are_taken(name: str) -> None:
    assert queues().add({"stream_id": name}) is None


def test_a_server_that_ignores_names_runs_one_turn_at_a_time() -> None:
    lanes = queues("ignore")
    lanes.add(create(0, "a"))
    lanes.add(create(1, "b"))
    assert (None, create(0, "a")) == lanes.take()
    assert lanes.take() is None


def test_a_server_without_lanes_refuses_the_parameter() -> None:
    lanes = queues("reject")
    refusal = lanes.add(create(0, "a"))
    assert refusal is not None
    assert (refusal.code, refusal.lane) == ("unsupported_parameter", False)
    assert lanes.add(create(0)) is None
