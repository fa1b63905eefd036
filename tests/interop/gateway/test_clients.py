"""Real clients over every kind of upstream: the same results, and nothing to complain of."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from interop.frameworks.overlooking import pydantic_warnings
from interop.gateway.behind import KINDS
from interop.gateway.catalogue import scenarios
from interop.gateway.lab import expected, play
from interop.gateway.table import PAGE

if TYPE_CHECKING:
    from interop.gateway.lab import Scenario

_PINS = Path(__file__).parents[1] / "frameworks" / "newest.txt"
_PIN = re.compile(r"^([\w.-]+)(?:\[.*\])?==([\w.]+)", re.MULTILINE)
_ROW = re.compile(
    r"^\| (?P<package>[\w.-]+) \| (?P<version>[\d.]+) \| (?P<scenario>.+?) \| \d", re.MULTILINE
)

pytestmark = [
    pytest.mark.interop,
    pytest.mark.io,
    # LiteLLM warns in threads of its own, in which what is overlooked for a while is not for sure.
    pytest.mark.filterwarnings("ignore::UserWarning:pydantic"),
]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("scenario", scenarios(), ids=str)
async def test_a_client_cannot_tell_what_is_behind_the_gateway(
    scenario: Scenario, kind: str
) -> None:
    with pydantic_warnings():
        outcome, _ = await play(scenario, kind)
    assert outcome == expected(scenario)


def test_the_page_has_them_all_in_the_pinned_versions() -> None:
    page = PAGE.read_text("utf-8")
    rows = {(row["package"], row["scenario"]) for row in _ROW.finditer(page)}
    assert {(each.package, each.name) for each in scenarios()} - rows == set()
    pins = dict(_PIN.findall(_PINS.read_text("utf-8")))
    played = {(row["package"], row["version"]) for row in _ROW.finditer(page)}
    assert played - pins.items() == set()
