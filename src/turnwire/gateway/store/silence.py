"""Whether a store that was silent is worth waiting for: each turn would pay for the wait.

A breaker with two states.  It opens when several waits in a row were in vain, and any answer closes
it: it judges no way around, as ``core/breaker.py`` does, for there is none.
"""

from __future__ import annotations

from typing import Final

_WAITS: Final = 3  # one may be the network's, and two a long script's


class Silence:
    """Counts waits.

    Args:
        waits: How many in vain make sure of it.
    """

    def __init__(self, waits: int = _WAITS) -> None:
        self._waits = waits
        self._in_vain = 0

    @property
    def is_certain(self) -> bool:
        """True if nobody should wait, but whoever probes."""
        return self._in_vain >= self._waits

    def waited_in_vain(self) -> bool:
        """Note that no answer came in time; return True if that has made it certain."""
        self._in_vain += 1
        return self._in_vain == self._waits

    def answered(self) -> None:
        """Note an answer, whatever it was."""
        self._in_vain = 0
