"""A bucket of tokens that all turns of a client share, so that a storm of tries cannot begin."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

_PER_SUCCESS: Final = 0.1  # ten turns that end well pay for one more try


@dataclass(slots=True)
class Budget:
    """Tokens for trying again: each try takes one, each turn that ends well brings a tenth.

    Attributes:
        limit: Tokens at most, and to begin with.
        left: Tokens now.
    """

    limit: float = 20.0
    left: float = 20.0

    @property
    def allows(self) -> bool:
        """True if one more try can be paid for."""
        return self.left >= 1

    def take(self) -> None:
        """Pay for one more try."""
        self.left = max(0.0, self.left - 1)

    def succeeded(self) -> None:
        """A turn ended well."""
        self.left = min(self.limit, round(self.left + _PER_SUCCESS, 1))  # ten tenths are one
