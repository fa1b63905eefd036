"""How often Python looks for garbage while a gateway serves; for processes that do nothing else."""

from __future__ import annotations

import gc
from typing import Final

# Looking costs as much as there is to look at: with 600 sockets and the defaults (700, 10, 10) a
# third of a turn's time went there.  What a turn leaves behind is nearly all freed without it, so
# that seven times less often takes no more memory (benchmarks/README.md#the-gateway).
_THRESHOLDS: Final = (5_000, 10, 10)


def collect_seldom() -> None:
    """Never look again at what is here now, which stays, and less often at the rest.

    Call it once, when everything is imported and the gateway listens.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(*_THRESHOLDS)
