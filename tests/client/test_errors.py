"""Errors travel: between threads, processes and logs."""

from __future__ import annotations

import copy
import pickle
from typing import Any

import pytest

import turnwire.errors
from turnwire import Response, ToolLoopLimit, TurnInterrupted, TurnTimeout, TurnwireError

RESPONSE = Response(id="resp_1", status="in_progress")
KEYWORDS: dict[str, dict[str, Any]] = {
    "AuthenticationError": {"status": 401, "headers": {"a": "1"}, "body": b"no"},
    "ConnectionLost": {"close_code": 1006, "close_reason": "gone"},
    "DialError": {"status": 503, "retry_after": 1.5},
    "ProtocolError": {"remote": False},
    "QueueFull": {"limit_bytes": 5},
    "RateLimited": {"code": "c", "status": 429, "delivery": "output", "retryable": True},
    "SlowConsumer": {"limit_bytes": 5},
    "ToolLoopLimit": {"response": RESPONSE},
    "TurnError": {"code": "c", "partial": RESPONSE},
    "UnansweredCalls": {"call_ids": ("c",)},
}


@pytest.mark.parametrize("name", turnwire.errors.__all__)
@pytest.mark.parametrize("way", [copy.copy, lambda error: pickle.loads(pickle.dumps(error))])
def test_every_error_can_be_copied_and_pickled(name: str, way: Any) -> None:
    kind: type[TurnwireError] = getattr(turnwire.errors, name)
    error = kind("what happened", **KEYWORDS.get(name, {}))
    error.add_note("where")
    again = way(error)
    assert (type(again), str(again), vars(again)) == (kind, "what happened", vars(error))
    assert again is not error


def test_what_was_set_later_travels_too() -> None:
    error = TurnInterrupted("cut off", partial=RESPONSE)
    error.last_sequence_number = 7
    assert pickle.loads(pickle.dumps(error)).last_sequence_number == 7
    late = TurnTimeout("late")
    late.partial, late.delivery = RESPONSE, "output"
    again = pickle.loads(pickle.dumps(late))
    assert (again.partial, again.delivery, again.response_id) == (RESPONSE, "output", None)


def test_a_subclass_of_ones_own_travels() -> None:
    error = _Mine("m", response=RESPONSE)
    again = pickle.loads(pickle.dumps(error))
    assert (type(again), again.args, again.response) == (_Mine, ("m",), RESPONSE)


class _Mine(ToolLoopLimit):
    pass
