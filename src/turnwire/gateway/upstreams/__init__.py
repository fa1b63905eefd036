"""Models behind one interface; translation stays apart from I/O."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from turnwire.gateway.context import Prompt
    from turnwire.gateway.upstreams.deltas import Delta

__all__ = ["Upstream", "UpstreamFailed"]


class UpstreamFailed(Exception):  # what happened, not whose fault it is
    """The model could not answer.

    Attributes:
        status: HTTP status that tells a client whether to try again.
        code: The upstream's error code, or None.
        headers: Headers worth passing on, such as ``retry-after``.
    """

    def __init__(
        self,
        message: str,
        *,
        status: int = 502,
        code: str | None = None,
        headers: dict[str, str] | None = None,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.headers = dict(headers or {})


class Upstream(Protocol):
    """A model server, or a model."""

    @property
    def models(self) -> tuple[str, ...]:
        """Names to list; a name that is not among them may still be served."""
        ...

    def generate(self, prompt: Prompt) -> AsyncIterator[Delta]:
        """Answer a prompt, ending with ``Finished``.

        Closing or cancelling the iterator stops the model run at once.

        Raises:
            UpstreamFailed: While iterating.
        """
        ...
