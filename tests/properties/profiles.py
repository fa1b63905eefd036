"""How hard the property tests try: quickly with every run, thoroughly for planted faults."""

from __future__ import annotations

import os
from typing import Final

from hypothesis import HealthCheck, Phase, settings

# Always the same histories: a test that fails now and then helps nobody.  Look for new ones with
# TURNWIRE_PROPERTIES=random.
_COMMON: Final = settings(
    database=None,
    deadline=None,
    derandomize=True,
    print_blob=False,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
)
PROFILES: Final = {
    "quick": settings(_COMMON, max_examples=200, stateful_step_count=40),
    "thorough": settings(
        _COMMON, max_examples=2000, stateful_step_count=60, phases=[Phase.generate]
    ),
    "random": settings(_COMMON, derandomize=False, max_examples=2000, stateful_step_count=60),
}
PROFILE: Final = PROFILES[os.environ.get("TURNWIRE_PROPERTIES", "quick")]
