"""What a turn is told when the store cannot be asked."""

from __future__ import annotations

from turnwire.gateway.refusal import RequestRefused


class StoreUnavailable(RequestRefused):
    """The store did not answer, or cannot be understood.

    Whether the last thing that it was asked for was done is unknown; to ask again does no harm.
    """

    def __init__(
        self, message: str = "The store of responses does not answer. Try again later."
    ) -> None:
        super().__init__(message, status=503, kind="server_error", code="store_unavailable")
