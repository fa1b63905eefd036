"""Models behind one interface; translation stays apart from I/O."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Protocol

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from turnwire.events import Event
    from turnwire.gateway.context import Prompt
    from turnwire.gateway.upstreams.deltas import Delta

__all__ = ["Upstream", "UpstreamFailed"]

# What clients know inside of a failed response; strict ones refuse others.
_RESPONSE_CODES: Final = frozenset(
    {
        "bio_policy", "data_residency_mismatch", "empty_image_file", "failed_to_download_image",
        "image_content_policy_violation", "image_file_not_found", "image_file_too_large",
        "image_parse_error", "image_too_large", "image_too_small", "invalid_base64_image",
        "invalid_image", "invalid_image_format", "invalid_image_mode", "invalid_image_url",
        "invalid_prompt", "misalignment_policy_violation", "rate_limit_exceeded", "server_error",
        "unsupported_image_media_type", "vector_store_timeout",
    }
)  # fmt: skip


class UpstreamFailed(Exception):  # what happened, not whose fault it is
    """The model could not answer.

    Attributes:
        status: HTTP status that tells a client whether to try again.
        code: The upstream's error code, or None.
        headers: Headers worth passing on, such as ``retry-after``.
        kind: The wire's ``error.type``.
        param: The parameter at fault, or None.
    """

    def __init__(
        self,
        message: str,
        *,
        status: int = 502,
        code: str | None = None,
        headers: dict[str, str] | None = None,
        kind: str = "server_error",
        param: str | None = None,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.headers = dict(headers or {})
        self.kind = kind
        self.param = param

    @property
    def response_code(self) -> str:
        """The code for ``response.error``, where only some are known."""
        return self.code if self.code in _RESPONSE_CODES else "server_error"


class Upstream(Protocol):
    """A model server, or a model.

    Further attributes that it may have:

    * ``speaks``: ``"deltas"``, as if it were left out, or ``"events"``; see ``generate``.
    * ``credentials``: ``"client"`` if it wants the key that came with the create, in the prompt.
    * ``compacts``: True if it takes ``context_management``.
    * ``steers``: False if its turns cannot be ended between two items, so that steers are refused.
    * ``steers_model``: a function of the model's name that says so where that differs by model.
    * ``watches_silence``: True if it ends a silence of its server by itself.
    * ``start``: called once when the gateway starts.
    * ``aclose``: awaited once when the gateway stops.
    """

    @property
    def models(self) -> tuple[str, ...]:
        """Names to list; a name that is not among them may still be served."""
        ...

    def generate(self, prompt: Prompt) -> AsyncIterator[Delta | Event]:
        """Answer a prompt, ending with ``Finished``.

        An upstream that speaks Responses itself yields its events instead, from the first one that
        shows output, and ends with the terminal one; of a turn that fails it raises that.

        Closing or cancelling the iterator stops the model run at once.

        Raises:
            UpstreamFailed: While iterating.
        """
        ...
