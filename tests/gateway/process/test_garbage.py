"""What a gateway's process does about garbage; in a process of its own, as it lasts."""

import subprocess
import sys

_CODE = """
import gc
from turnwire.gateway.process.garbage import collect_seldom
usual = gc.get_threshold()
collect_seldom()
print(gc.get_freeze_count() > 0, gc.isenabled(), gc.get_threshold()[0] > usual[0])
"""


def test_what_is_here_is_left_alone_and_the_rest_is_looked_at_less_often() -> None:
    done = subprocess.run(
        [sys.executable, "-c", _CODE], check=True, capture_output=True, text=True, timeout=60
    )
    assert done.stdout.split() == ["True", "True", "True"]
