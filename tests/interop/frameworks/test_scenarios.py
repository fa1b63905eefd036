"""Code of users does the same over turnwire, for fewer bytes, also when things go wrong."""

from __future__ import annotations

import pytest

from interop.frameworks.book import Fault
from interop.frameworks.catalogue import scenarios
from interop.frameworks.lab import Scenario, Way, plain, play

pytestmark = pytest.mark.interop

CASES = [
    pytest.param(scenario, fault, id=f"{scenario}: {fault}")
    for scenario in scenarios()
    for fault in scenario.faults
]


@pytest.mark.parametrize(("scenario", "fault"), CASES)
def test_the_result_is_the_same(scenario: Scenario, fault: Fault) -> None:
    expected, before = plain(scenario)
    actual, after = play(scenario, Way.TURNWIRE, fault)

    assert actual == expected
    assert before.model_runs == scenario.model_runs
    assert after.fired == (fault is not Fault.NONE)
    lost = fault in {Fault.DROP, Fault.CUT}
    again = after.model_runs - scenario.model_runs
    assert lost <= again <= lost * scenario.at_once
    if fault is Fault.REFUSED_UPGRADE:
        assert after.websocket_bytes == 0
        assert after.posts == before.posts
    else:
        assert after.posts == 0
    if fault is Fault.NONE and scenario.continues:
        assert after.websocket_bytes < before.http_bytes / 3
